// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See restore.h. Things are found again by name: ids may have been given away since the snapshot was taken. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <event2/event.h>
#include <rainbow/tcp.h>
#include "common/log.h"
#include "probe.h"
#include "restore.h"
#include "roll.h"
#include "snapshot.h"

#define TICK_MS 10
#define ROUNDS  3    /* a question may be lost; those who answered are not asked again */
#define REST_MS 3000 /* between two rounds */

struct restore {
	struct daemon *daemon;
	struct rainbow_flow *flows; /* of TCP sessions, to be asked */
	size_t count, room, place;
	int round;
	struct event *tick;
};

/* Ids of the snapshot to ids of now; 0: not there any more. */
struct now {
	uint16_t service[RAINBOW_MAX_SERVICES + 1];
	uint16_t version[RAINBOW_MAX_VERSIONS + 1];
	uint16_t backend[RAINBOW_MAX_BACKENDS + 1];
};

static const struct service *service_now(const struct model *model, const struct snapshot_service *was)
{
	const struct service *service = model_find_service(model, was->name);
	bool same = service && service->protocol == was->protocol && service->at.port == was->port &&
		    memcmp(&service->at.addr, &was->address, sizeof(was->address)) == 0;

	return same ? service : NULL;
}

static const struct service *service_by_old_id(const struct model *model, const struct snapshot *snapshot, uint16_t id)
{
	uint32_t i;

	for (i = 0; i < snapshot->service_count; i++)
		if (snapshot->services[i].id == id)
			return service_now(model, &snapshot->services[i]);
	return NULL;
}

static const struct version *version_by_old_id(const struct model *model, const struct snapshot *snapshot, uint16_t id)
{
	const struct service *service;
	uint32_t i;

	for (i = 0; i < snapshot->version_count; i++) {
		if (snapshot->versions[i].id != id)
			continue;
		service = service_by_old_id(model, snapshot, snapshot->versions[i].service);
		return service ? service_find_version(service, snapshot->versions[i].label) : NULL;
	}
	return NULL;
}

static void names_match(const struct model *model, const struct snapshot *snapshot, struct now *now)
{
	uint32_t i;

	for (i = 0; i < snapshot->service_count; i++) {
		const struct service *service = service_now(model, &snapshot->services[i]);

		if (service && snapshot->services[i].id <= RAINBOW_MAX_SERVICES)
			now->service[snapshot->services[i].id] = (uint16_t)service->id;
	}
	for (i = 0; i < snapshot->version_count; i++) {
		const struct version *version = version_by_old_id(model, snapshot, snapshot->versions[i].id);

		if (version && snapshot->versions[i].id <= RAINBOW_MAX_VERSIONS)
			now->version[snapshot->versions[i].id] = (uint16_t)version->id;
	}
	for (i = 0; i < snapshot->backend_count; i++) {
		const struct snapshot_backend *was = &snapshot->backends[i];
		const struct version *version = version_by_old_id(model, snapshot, was->version);
		const struct endpoint at = {.addr = was->address, .port = was->port};
		const struct backend *backend = version ? version_find_backend(version, &at) : NULL;

		if (backend && was->id <= RAINBOW_MAX_BACKENDS)
			now->backend[was->id] = (uint16_t)backend->id;
	}
}

static uint16_t id_now(const uint16_t *ids, uint32_t limit, uint16_t id)
{
	return id <= limit ? ids[id] : 0;
}

/* --- pins --------------------------------------------------------------------------------------------------------------- */

struct moment {
	int64_t seconds; /* CLOCK_MONOTONIC */
	uint32_t jiffies, hz;
	int64_t away; /* seconds since the snapshot, by the calendar */
};

static struct rainbow_side side_of(const struct snapshot_side *side)
{
	return (struct rainbow_side){.next = side->next, .ack = side->ack};
}

/* The time without a router counts for its age, not as idle: nobody could speak then. */
static struct rainbow_pin pin_of(const struct snapshot_pin *saved, const struct now *now, const struct moment *moment)
{
	uint32_t most = INT32_MAX / moment->hz;

	return (struct rainbow_pin){
	    .state = saved->state,
	    .version = id_now(now->version, RAINBOW_MAX_VERSIONS, saved->version),
	    .backend = id_now(now->backend, RAINBOW_MAX_BACKENDS, saved->backend),
	    .opened = (uint32_t)(moment->seconds - moment->away - saved->age),
	    .last_seen = moment->jiffies - (saved->idle < most ? saved->idle : most) * moment->hz,
	    .flows = saved->kind == RAINBOW_PIN_CLIENT ? 0 : RAINBOW_FLOWS_STALE,
	    .kind = saved->kind,
	    .client_scale = saved->client_scale,
	    .server_scale = saved->server_scale,
	    .client = side_of(&saved->client),
	    .server = side_of(&saved->server),
	    .client_window = rainbow_window(0, saved->client.window, saved->client_scale),
	    .server_window = rainbow_window(0, saved->server.window, saved->server_scale),
	};
}

static int moment_read(struct daemon *daemon, const struct snapshot *snapshot, struct moment *moment, struct error *err)
{
	int64_t away_ms = instant_now().unix_ms - snapshot->saved_ms;
	struct rainbow_clock clock;
	int rc = datapath_clock(daemon->datapath, &clock, err);

	moment->seconds = (int64_t)(clock.monotonic_ns / 1000000000);
	moment->jiffies = (uint32_t)clock.jiffies;
	moment->hz = datapath_meta(daemon->datapath)->hz ? datapath_meta(daemon->datapath)->hz : 1;
	moment->away = away_ms > 0 ? away_ms / 1000 : 0;
	return rc;
}

/* Names that are there yet do not belong together would count a session where nobody looks for it. */
static bool is_at_home(struct datapath *dp, const struct rainbow_due *due)
{
	return due->flow.service && due->pin.version && due->pin.backend &&
	       datapath_version(dp, due->pin.version)->service == due->flow.service &&
	       datapath_backend(dp, due->pin.backend)->version == due->pin.version;
}

/* Those of a kind, or all others: client sessions go first, so that their flows find them. Returns how many there are. */
static size_t gather(struct datapath *dp, const struct snapshot *snapshot, bool clients, const struct now *now,
		     const struct moment *moment, struct rainbow_due *out)
{
	size_t count = 0;
	uint64_t i;

	for (i = 0; i < snapshot->pin_count; i++) {
		const struct snapshot_pin *saved = &snapshot->pins[i];
		struct rainbow_due *due = &out[count];

		if ((saved->kind == RAINBOW_PIN_CLIENT) != clients)
			continue;
		memset(due, 0, sizeof(*due));
		due->flow = saved->flow;
		due->flow.service = id_now(now->service, RAINBOW_MAX_SERVICES, saved->flow.service);
		due->pin = pin_of(saved, now, moment);
		if (is_at_home(dp, due))
			count++;
	}
	return count;
}

/* Before a save takes its place. Another one that was kept before is of a time long past. */
static void keep(const char *state_dir, const char *why, const char *option)
{
	char path[PATH_MAX], kept[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/" SNAPSHOT_NAME, state_dir);
	snprintf(kept, sizeof(kept), "%s.kept", path);
	unlink(kept);
	if (link(path, kept)) {
		log_error("restore", "%s; %s can not be kept as %s: %s. Copy it now: the next save takes its place", why, path,
			  kept, strerror(errno));
		return;
	}
	log_error(
	    "restore",
	    "%s. The snapshot is kept as %s; to restore it: rainbowctl detach, move it to %s, start again%s. That ends the "
	    "sessions that are opened from now on until then: this snapshot does not know them",
	    why, kept, path, option);
}

static void tell(const char *state_dir, const struct snapshot *snapshot, const struct moment *moment,
		 const struct rainbow_restore *clients, const struct rainbow_restore *others)
{
	uint64_t restored = (uint64_t)clients->restored + others->restored;
	uint64_t full = (uint64_t)clients->full + others->full;
	uint64_t known = (uint64_t)clients->count + others->count;
	char why[64], option[64];

	log_info("restore", "%" PRIu64 " pins of live sessions are restored, as they were %" PRId64 " s ago", restored,
		 moment->away);
	if (full) {
		snprintf(why, sizeof(why), "%" PRIu64 " pins found no room", full);
		snprintf(option, sizeof(option), " with --max-sessions %" PRIu64 " or more", snapshot->pin_count);
		keep(state_dir, why, option);
	}
	if (snapshot->pin_count > known)
		log_warn("restore", "%" PRIu64 " pins are dropped: their service, version or backend is not there any more",
			 snapshot->pin_count - known);
	if (known > restored + full)
		log_warn("restore",
			 "%" PRIu64
			 " pins are dropped: the snapshot has them twice, or on another backend than their client's session",
			 known - restored - full);
}

static int put_back(struct daemon *daemon, const struct snapshot *snapshot, struct error *err)
{
	struct datapath *dp = daemon->datapath;
	struct rainbow_due *pins = calloc(snapshot->pin_count + 1, sizeof(*pins));
	struct now *now = calloc(1, sizeof(*now));
	struct rainbow_restore clients = {0}, others = {0};
	struct moment moment;
	size_t count;
	int rc = moment_read(daemon, snapshot, &moment, err);

	if (!rc && (!pins || !now))
		rc = error_set(err, ERROR_INTERNAL, NULL, "out of memory for %" PRIu64 " pins", snapshot->pin_count);
	if (!rc) {
		names_match(&daemon->model, snapshot, now);
		count = gather(dp, snapshot, true, now, &moment, pins);
		rc = datapath_restore(dp, pins, count, true, &clients, err);
	}
	if (!rc) {
		count = gather(dp, snapshot, false, now, &moment, pins);
		rc = datapath_restore(dp, pins, count, true, &others, err);
	}
	if (!rc)
		tell(daemon->config.state_dir, snapshot, &moment, &clients, &others);
	free(pins);
	free(now);
	return rc;
}

static void put_aside(const char *state_dir, const char *why)
{
	char path[PATH_MAX], aside[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/" SNAPSHOT_NAME, state_dir);
	snprintf(aside, sizeof(aside), "%s.refused", path);
	if (rename(path, aside))
		log_error(
		    "restore",
		    "the snapshot %s is refused: %s; no session of before is restored. It can not be kept as %s (%s): the next "
		    "save takes its place",
		    path, why, aside, strerror(errno));
	else
		log_error("restore", "the snapshot %s is refused: %s; no session of before is restored. It is kept as %s", path,
			  why, aside);
}

void restore_pins(struct daemon *daemon)
{
	char why[sizeof(((struct error *)0)->message) + 64];
	struct snapshot snapshot;
	struct error err;
	int rc;

	rc = snapshot_read(daemon->config.state_dir, &snapshot, &err);
	if (rc == -ERROR_NOT_FOUND)
		return;
	if (!rc && snapshot.database != snapshot_fingerprint(daemon->secret))
		rc = error_set(&err, ERROR_PRECONDITION, "state-dir", "it belongs to another database");
	if (rc == -ERROR_PRECONDITION)
		put_aside(daemon->config.state_dir, err.message);
	else
		rc = rc ? rc : put_back(daemon, &snapshot, &err);
	if (rc && rc != -ERROR_PRECONDITION) {
		snprintf(why, sizeof(why), "sessions of before are not restored: %s", err.message);
		keep(daemon->config.state_dir, why, "");
	}
	snapshot_fini(&snapshot);
}

/* --- asking ------------------------------------------------------------------------------------------------------------- */

/* Whose ends have both spoken since is known to live, or has ended. */
static void ask(struct restore *restore, const struct rainbow_flow *flow)
{
	struct datapath *dp = restore->daemon->datapath;
	struct rainbow_pin pin;

	if (datapath_pin_find(dp, flow, &pin) || !(pin.flows & RAINBOW_FLOWS_STALE) || pin.state == RAINBOW_PIN_KILLED ||
	    pin.state == RAINBOW_PIN_CLOSING || pin.backend > RAINBOW_MAX_BACKENDS)
		return;
	pin.told = 0;
	probe_ask(restore->daemon->probe, flow, &pin, datapath_service(dp, flow->service), datapath_backend(dp, pin.backend));
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct timeval next = {.tv_usec = TICK_MS * 1000}, rest = {.tv_sec = REST_MS / 1000};
	struct restore *restore = arg;
	int left = RESTORE_RATE * TICK_MS / 1000;

	(void)fd;
	(void)what;
	for (; left && restore->place < restore->count; left--)
		ask(restore, &restore->flows[restore->place++]);
	if (restore->place < restore->count) {
		evtimer_add(restore->tick, &next);
		return;
	}
	restore->place = 0;
	if (++restore->round < ROUNDS)
		evtimer_add(restore->tick, &rest);
}

static bool room_make(struct restore *restore)
{
	size_t room = restore->room ? 2 * restore->room : 1024;
	struct rainbow_flow *flows;

	if (restore->count < restore->room)
		return true;
	flows = realloc(restore->flows, room * sizeof(*flows));
	if (!flows)
		return false;
	restore->flows = flows;
	restore->room = room;
	return true;
}

static bool is_to_ask(const struct restore *restore, const struct rainbow_flow *flow, const struct rainbow_pin *pin)
{
	const struct rainbow_service *service = datapath_service(restore->daemon->datapath, flow->service);

	return pin->kind != RAINBOW_PIN_CLIENT && pin->flows & RAINBOW_FLOWS_STALE && pin_state_is_live(pin->state) &&
	       service && service->protocol == IPPROTO_TCP;
}

static bool list_step(const struct rainbow_flow *flow, const struct rainbow_pin *pin, void *arg)
{
	struct restore *restore = arg;

	if (!is_to_ask(restore, flow, pin))
		return true;
	if (!room_make(restore))
		return false;
	restore->flows[restore->count++] = *flow;
	return true;
}

/* The pins themselves say who is to be asked: one that was killed while it asked has left no list. */
void restore_ask(struct restore **out, struct daemon *daemon)
{
	struct restore *restore = daemon->probe ? calloc(1, sizeof(*restore)) : NULL;
	struct timeval now = {0};
	struct error err;

	*out = restore;
	if (!restore)
		return;
	restore->daemon = daemon;
	if (datapath_pins_each(daemon->datapath, list_step, restore, &err))
		log_error("restore", "%s; sessions that ended while no rainbowd ran may not be found", err.message);
	if (!restore->count)
		return;
	log_info("restore", "%zu sessions of the snapshot are asked whether they are still there", restore->count);
	restore->tick = evtimer_new(restore->daemon->base, on_tick, restore);
	evtimer_add(restore->tick, &now);
}

void restore_free(struct restore *restore)
{
	if (!restore)
		return;
	if (restore->tick)
		event_free(restore->tick);
	free(restore->flows);
	free(restore);
}
