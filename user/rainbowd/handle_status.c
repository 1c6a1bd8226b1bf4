// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The state of everything, as `rainbowctl status` shows it. What is not known is null. */
#include <unistd.h>
#include "census.h"
#include "common/text.h"
#include "handlers.h"
#include "show_drain.h"
#include "show_rollout.h"

static uint64_t load(const __u64 *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static json_t *json_sessions(const struct rainbow_version *entry)
{
	json_t *ended =
	    json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "fin", (json_int_t)load(&entry->ended_fin), "reset_client",
		      (json_int_t)load(&entry->ended_reset_client), "reset_server",
		      (json_int_t)load(&entry->ended_reset_server), "idle", (json_int_t)load(&entry->ended_idle), "forced",
		      (json_int_t)load(&entry->ended_forced), "vanished", (json_int_t)load(&entry->ended_vanished));

	return json_pack("{s:I, s:I, s:I, s:o, s:I}", "live", (json_int_t)load(&entry->live), "closing",
			 (json_int_t)load(&entry->closing), "opened", (json_int_t)load(&entry->opened), "ended", ended,
			 "refused", (json_int_t)load(&entry->refused));
}

static json_t *json_backends(struct daemon *daemon, const struct version *version)
{
	json_t *list = json_array();
	char address[ADDR_TEXT_SIZE];
	size_t i;

	for (i = 0; i < version->backend_count; i++) {
		const struct backend *backend = &version->backends[i];
		const struct rainbow_backend *entry = datapath_backend(daemon->datapath, backend->id);

		/* Nobody checks their health yet, so it is unknown. */
		json_array_append_new(list, json_pack("{s:s, s:i, s:n, s:I, s:o, s:b}", "address",
						      addr_format(&backend->at.addr, address), "port", (int)backend->at.port,
						      "healthy", "live", (json_int_t)load(&entry->live), "max_sessions",
						      json_unless(!backend->max_sessions, json_integer(backend->max_sessions)),
						      "leaving", (int)backend->leaving));
	}
	return list;
}

/* In whole seconds since the oldest live session began, as the last sweep saw it. */
static json_t *json_oldest(struct daemon *daemon, const struct version *version, uint64_t live)
{
	const struct rainbow_census *counted = census_of(daemon->census, version->id);
	int64_t age;

	if (!live || !counted || !counted->oldest)
		return json_null();
	age = monotonic_ms() / 1000 - (int32_t)counted->oldest;
	return json_integer(age > 0 ? age : 0);
}

/* Sessions that it has opened since the weights changed last. After a reboot the counters begin anew. */
static uint64_t opened_since(struct daemon *daemon, const struct version *version)
{
	uint64_t opened = load(&datapath_version(daemon->datapath, version->id)->opened);

	return opened >= version->opened_before ? opened - version->opened_before : opened;
}

static json_t *json_share(struct daemon *daemon, const struct version *version, uint64_t of_service)
{
	if (!of_service)
		return json_null();
	return json_percent((uint32_t)((opened_since(daemon, version) * 1000 + of_service / 2) / of_service));
}

static json_t *json_version(struct daemon *daemon, const struct service *service, const struct version *version,
			    uint64_t opened_of_service, const uint64_t durations[RAINBOW_SIGNAL_BINS])
{
	const struct rainbow_version *entry = datapath_version(daemon->datapath, version->id);
	uint64_t live = load(&entry->live);

	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "label", version->label, "state",
			 version_state_name(version->state), "weight", json_percent(version->weight), "share_of_new",
			 json_share(daemon, version, opened_of_service), "sessions", json_sessions(entry), "oldest_seconds",
			 json_oldest(daemon, version, live), "drain", show_drain(daemon, service, version, durations),
			 "created", json_instant(version->created), "tuple", json_tuple(&version->tuple), "quarantine",
			 json_text(version->quarantine), "backends", json_backends(daemon, version), "signals",
			 show_signals(daemon, service, version));
}

static json_t *json_packets(struct daemon *daemon, uint32_t service)
{
	struct rainbow_packets p;

	if (datapath_packets(daemon->datapath, service, &p))
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "requests",
			 (json_int_t)p.requests, "replies", (json_int_t)p.replies, "handshakes", (json_int_t)p.handshakes,
			 "icmp_errors", (json_int_t)p.icmp_errors, "closing_answered", (json_int_t)p.closing_answered,
			 "strays_reset", (json_int_t)p.strays_reset, "strays_dropped", (json_int_t)p.strays_dropped,
			 "strays_passed", (json_int_t)p.strays_passed, "refused_table_full", (json_int_t)p.refused_table_full,
			 "refused_backends_full", (json_int_t)p.refused_backends_full, "refused_no_version",
			 (json_int_t)p.refused_no_version, "dropped_retry", (json_int_t)p.dropped_retry, "held",
			 (json_int_t)p.held);
}

/* It takes a reading of every version, and only a drain asks for it. */
static void read_durations(struct daemon *daemon, const struct service *service, uint64_t durations[RAINBOW_SIGNAL_BINS])
{
	size_t i;

	for (i = 0; i < service->version_count; i++) {
		if (service->versions[i].state != RAINBOW_VERSION_DRAINING)
			continue;
		show_durations(daemon, service, durations);
		return;
	}
}

static json_t *json_service(struct daemon *daemon, const struct service *service)
{
	uint64_t durations[RAINBOW_SIGNAL_BINS] = {0};
	json_t *versions = json_array();
	char address[ADDR_TEXT_SIZE];
	uint64_t opened = 0;
	size_t i;

	read_durations(daemon, service, durations);
	for (i = 0; i < service->version_count; i++)
		opened += opened_since(daemon, &service->versions[i]);
	for (i = 0; i < service->version_count; i++)
		json_array_append_new(versions, json_version(daemon, service, &service->versions[i], opened, durations));
	return json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:o}", "name", service->name, "address",
			 addr_format(&service->at.addr, address), "port", (int)service->at.port, "protocol",
			 protocol_name(service->protocol), "mode", "nat", "affinity", affinity_name(service->affinity),
			 "selection", selection_name(service->selection), "generation", (json_int_t)service->generation, "lock",
			 json_lock(&service->lock), "versions", versions, "packets", json_packets(daemon, service->id),
			 "rollout", show_rollout(daemon, service));
}

static json_t *json_hooks(struct daemon *daemon)
{
	struct hook_info hooks[RAINBOW_MAX_HOOKS];
	size_t i, count = datapath_hooks(daemon->datapath, hooks, RAINBOW_MAX_HOOKS);
	json_t *list = json_array();

	for (i = 0; i < count; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:b}", "interface", hooks[i].hook.name, "kind",
						      hook_kind_name(hooks[i].hook.kind), "ingress", hooks[i].ingress, "egress",
						      hooks[i].egress, "attached", (int)hooks[i].attached));
	return list;
}

static json_t *json_daemon(struct daemon *daemon)
{
	const struct rainbow_meta *meta = datapath_meta(daemon->datapath);
	json_t *pins = json_pack("{s:I, s:I}", "used", (json_int_t)load(&meta->pins), "limit",
				 (json_int_t)datapath_pin_limit(daemon->datapath));
	int64_t sweep_ms = census_duration_ms(daemon->census);

	return json_pack("{s:s, s:i, s:I, s:o, s:s, s:o, s:o, s:o}", "version", RAINBOW_RELEASE, "schema", RAINBOW_SCHEMA,
			 "pid", (json_int_t)getpid(), "started", json_instant(daemon->started), "pin_dir",
			 daemon->config.pin_dir, "pins", pins, "sweep_ms", json_unless(sweep_ms < 0, json_integer(sweep_ms)),
			 "hooks", json_hooks(daemon));
}

int handle_status(struct request *request, json_t **reply, struct error *err)
{
	struct daemon *daemon = request->daemon;
	const char *only = request_query(request, "service");
	struct service *service = NULL;
	json_t *services;
	uint64_t drift;
	bool drift_known = census_drift(daemon->census, &drift);
	size_t i;

	if (only && model_get_service(&daemon->model, only, &service, err))
		return -(int)err->code;
	services = json_array();
	for (i = 0; i < daemon->model.count; i++)
		if (!service || daemon->model.services[i] == service)
			json_array_append_new(services, json_service(daemon, daemon->model.services[i]));
	*reply = json_pack("{s:o, s:o, s:o}", "services", services, "count_drift",
			   json_unless(!drift_known, json_integer((json_int_t)drift)), "daemon", json_daemon(daemon));
	return 0;
}
