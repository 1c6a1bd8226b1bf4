// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See keeper.h. */
#include <stdlib.h>
#include <string.h>
#include <event2/event.h>
#include "apply.h"
#include "census.h"
#include "change.h"
#include "closer.h"
#include "common/log.h"
#include "drain.h"
#include "duties.h"
#include "history.h"
#include "keeper.h"
#include "neighbour.h"
#include "worker.h"

#define TICK_MS         100
#define WALK_EVERY_MS   10000
#define ATTACH_EVERY_MS 10000
#define RETRY_MS        5000 /* after a change that failed */
#define CLOCK_STEP_MS   1000

struct keeper {
	struct daemon *daemon;
	struct event *tick;
	bool walking;
	int64_t walked_ms;
	int64_t attached_ms;
	int64_t patient_until_ms; /* no changes before: the last one failed */
	struct neighbour_round neighbours;
	int64_t told_ms[RAINBOW_MAX_VERSIONS + 1]; /* by version: the deadline whose passing is in the history */
	int64_t clocks_apart_ms; /* CLOCK_REALTIME less CLOCK_MONOTONIC when the kernel was told the deadlines */
};

/* --- changes of our own ------------------------------------------------------------------------------------------------ */

typedef void (*edit)(struct service *service, uint32_t version);

static void mark_drained(struct service *service, uint32_t version)
{
	service_find_version_id(service, version)->state = RAINBOW_VERSION_DRAINED;
}

static void mark_draining(struct service *service, uint32_t version)
{
	service_find_version_id(service, version)->state = RAINBOW_VERSION_DRAINING;
}

static void forget_eviction(struct service *service, uint32_t version)
{
	service_find_version_id(service, version)->eviction = (struct eviction){0};
}

/* Edits the service as a command would. On failure the service is as it was, and the next try waits a little. */
static bool keeper_change(struct keeper *keeper, const struct service *service, uint32_t version, edit apply_edit,
			  struct note *note)
{
	struct change change;
	struct error err;
	int rc = change_begin(&change, keeper->daemon, service->name, &err);

	if (!rc) {
		apply_edit(change.after, version);
		note->began_us = monotonic_us();
		change.note = note;
		rc = change_commit(&change, false, &err);
		change_end(&change);
	}
	note_fini(note);
	/* A session slipped in before the version was closed for good: no failure, it is only not empty yet. */
	if (rc && rc != -ERROR_PRECONDITION) {
		log_error("keeper", "%s", err.message);
		keeper->patient_until_ms = monotonic_ms() + RETRY_MS;
	}
	return rc == 0;
}

/* --- drains and evictions ----------------------------------------------------------------------------------------------- */

static struct drain_facts read_facts(const struct keeper *keeper, const struct version *version)
{
	struct daemon *daemon = keeper->daemon;
	const struct rainbow_census *counted = census_of(daemon->census, version->id);
	struct drain_facts facts = {
	    .state = version->state,
	    .drain = version->drain,
	    .now = instant_now(),
	    .live = __atomic_load_n(&datapath_version(daemon->datapath, version->id)->live, __ATOMIC_ACQUIRE),
	    .in_force_ms = monotonic_ms() - version->drain.in_force_ms,
	    .pending_known = counted && census_began_ms(daemon->census) > version->drain.in_force_ms,
	    .pending = counted ? counted->pending : 0,
	    .nursery_seconds = datapath_meta(daemon->datapath)->nursery_seconds,
	};

	return facts;
}

static void order_closing(struct keeper *keeper, const struct service *service, const struct version *version,
			  enum closer_purpose purpose)
{
	struct closer_order order = {
	    .purpose = purpose, .service = service->id, .version = version->id, .rate = service->settings.drain.pace};

	enum closer_state state = closer_state_of(keeper->daemon->closer, version->id, purpose);

	if (state == CLOSER_BUSY || (state == CLOSER_FINISHED && purpose == CLOSER_EVICT))
		return;
	if (purpose == CLOSER_EVICT) {
		order.cutoff = version->eviction.cutoff;
		order.rate = version->eviction.rate;
	}
	closer_start(keeper->daemon->closer, &order);
}

/*
 * At a deadline a client session is closed, and uncounted, before its flows are. So without a live session some of these may be
 * left; also if we were killed in between. True until a walk has met none.
 */
static bool flows_may_be_left(const struct keeper *keeper, const struct service *service, const struct version *version)
{
	return service->affinity == RAINBOW_AFFINITY_CLIENT &&
	       drain_is_closing(version->state, &version->drain, instant_now()) &&
	       closer_state_of(keeper->daemon->closer, version->id, CLOSER_DEADLINE) != CLOSER_FINISHED;
}

/* Once for each deadline; again after a restart, when the closing begins again, too. */
static void tell_deadline(struct keeper *keeper, const struct service *service, const struct version *version, uint64_t live)
{
	struct note note;

	if (keeper->told_ms[version->id] == version->drain.deadline.unix_ms)
		return;
	keeper->told_ms[version->id] = version->drain.deadline.unix_ms;
	note_of_rainbowd(&note, "deadline", service, version->label,
			 "the deadline of version %s of %s is over: closing %llu session%s", version->label, service->name,
			 (unsigned long long)live, live == 1 ? "" : "s");
	history_note(keeper->daemon, &note);
}

/* True if the model has changed: the caller's pointers into it are void. */
static bool step_drain(struct keeper *keeper, const struct service *service, const struct version *version)
{
	struct drain_facts facts = read_facts(keeper, version);
	struct note note;

	switch (drain_next(&facts)) {
	case DRAIN_FINISH:
		if (flows_may_be_left(keeper, service, version)) {
			order_closing(keeper, service, version, CLOSER_DEADLINE);
			return false;
		}
		log_info("keeper", "version %s of %s is drained", version->label, service->name);
		note_of_rainbowd(&note, "drained", service, version->label, "version %s of %s is drained", version->label,
				 service->name);
		return keeper_change(keeper, service, version->id, mark_drained, &note);
	case DRAIN_REOPEN:
		log_warn("keeper", "version %s of %s is draining again: a session was left", version->label, service->name);
		note_of_rainbowd(&note, "draining", service, version->label,
				 "version %s of %s is draining again: a session was left", version->label, service->name);
		return keeper_change(keeper, service, version->id, mark_draining, &note);
	case DRAIN_CLOSE:
		tell_deadline(keeper, service, version, facts.live);
		order_closing(keeper, service, version, CLOSER_DEADLINE);
		return false;
	case DRAIN_STAY:
		if (facts.state == RAINBOW_VERSION_DRAINING && !facts.live && !facts.pending_known)
			census_hurry(keeper->daemon->census);
		return false;
	}
	return false;
}

/* Ordered by the command's handler or, after a restart, from here; forgotten when the closer has worked it off. */
static bool step_eviction(struct keeper *keeper, const struct service *service, const struct version *version)
{
	struct closer *closer = keeper->daemon->closer;
	uint32_t id = version->id;
	uint64_t closed;
	struct note note;

	if (!version->eviction.asked.unix_ms)
		return false;
	if (closer_state_of(closer, id, CLOSER_EVICT) != CLOSER_FINISHED) {
		order_closing(keeper, service, version, CLOSER_EVICT);
		return false;
	}
	closed = closer_closed(closer, id, CLOSER_EVICT);
	note_of_rainbowd(&note, "evicted", service, version->label, "%llu session%s of version %s of %s closed",
			 (unsigned long long)closed, closed == 1 ? "" : "s", version->label, service->name);
	if (!keeper_change(keeper, service, id, forget_eviction, &note))
		return false;
	closer_forget(closer, id, CLOSER_EVICT);
	return true;
}

/* --- what nobody uses any more -------------------------------------------------------------------------------------------- */

static void drop_unused(struct service *service, uint32_t backend)
{
	size_t i;

	for (i = 0; i < service->version_count; i++) {
		struct backend *found = version_find_backend_id(&service->versions[i], backend);

		if (found) {
			version_remove_backend(&service->versions[i], found);
			return;
		}
	}
}

static bool step_backends(struct keeper *keeper, const struct service *service, const struct version *version)
{
	char at[ADDR_TEXT_SIZE];
	struct note note;
	size_t i;

	for (i = 0; i < version->backend_count; i++) {
		const struct backend *backend = &version->backends[i];

		if (!backend->leaving ||
		    __atomic_load_n(&datapath_backend(keeper->daemon->datapath, backend->id)->live, __ATOMIC_ACQUIRE))
			continue;
		log_info("keeper", "the last session on a removed backend of version %s of %s has ended", version->label,
			 service->name);
		note_of_rainbowd(&note, "backend gone", service, version->label,
				 "the last session on the removed backend %s of version %s of %s has ended",
				 endpoint_format(&backend->at.addr, backend->at.port, at), version->label, service->name);
		return keeper_change(keeper, service, backend->id, drop_unused, &note);
	}
	return false;
}

struct id_walk {
	struct work work;
	struct keeper *keeper;
	int64_t began_ms;
	struct ids_seen seen;
	int rc;
	struct error err;
};

static bool see(const struct rainbow_flow *flow, const struct rainbow_pin *pin, void *arg)
{
	struct id_walk *walk = arg;

	if (flow->service <= RAINBOW_MAX_SERVICES)
		walk->seen.id[ID_SERVICE][flow->service] = true;
	if (pin->version <= RAINBOW_MAX_VERSIONS)
		walk->seen.id[ID_VERSION][pin->version] = true;
	if (pin->backend <= RAINBOW_MAX_BACKENDS)
		walk->seen.id[ID_BACKEND][pin->backend] = true;
	return true;
}

static void id_walk_run(struct work *work)
{
	struct id_walk *walk = (struct id_walk *)work;

	walk->rc = datapath_pins_each(walk->keeper->daemon->datapath, see, walk, &walk->err);
}

static int64_t nursery_ms(const struct daemon *daemon)
{
	return (int64_t)datapath_meta(daemon->datapath)->nursery_seconds * 1000;
}

static void id_walk_done(struct work *work)
{
	struct id_walk *walk = (struct id_walk *)work;
	struct daemon *daemon = walk->keeper->daemon;
	unsigned int released;

	walk->keeper->walking = false;
	if (walk->rc && !walk->work.cancelled)
		log_warn("keeper", "%s; ids of removed things stay retired", walk->err.message);
	if (!walk->rc && !walk->work.cancelled) {
		released = apply_release(daemon->datapath, &daemon->ids, &walk->seen, walk->began_ms, nursery_ms(daemon));
		if (released)
			log_debug("keeper", "%u ids are free again", released);
	}
	free(walk);
}

static void step_ids(struct keeper *keeper, int64_t now_ms)
{
	struct id_walk *walk;

	if (keeper->walking || now_ms - keeper->walked_ms < WALK_EVERY_MS ||
	    !ids_want_walk(&keeper->daemon->ids, now_ms, nursery_ms(keeper->daemon)))
		return;
	walk = calloc(1, sizeof(*walk));
	if (!walk)
		return;
	keeper->walking = true;
	keeper->walked_ms = now_ms;
	walk->work.run = id_walk_run;
	walk->work.done = id_walk_done;
	walk->keeper = keeper;
	walk->began_ms = now_ms;
	worker_submit(keeper->daemon->worker, &walk->work);
}

static void step_hooks(struct keeper *keeper, int64_t now_ms)
{
	struct error err;

	if (now_ms - keeper->attached_ms < ATTACH_EVERY_MS)
		return;
	keeper->attached_ms = now_ms;
	daemon_attach(keeper->daemon, &err);
}

/* Somebody set the clock, or the host slept: what the kernel counts in jiffies is not the hour any more that was asked for. */
static void step_clocks(struct keeper *keeper)
{
	struct daemon *daemon = keeper->daemon;
	int64_t apart_ms = instant_now().unix_ms - monotonic_ms(), moved_ms = apart_ms - keeper->clocks_apart_ms;
	struct error err;

	if (llabs(moved_ms) < CLOCK_STEP_MS)
		return;
	keeper->clocks_apart_ms = apart_ms;
	log_info("keeper", "the clock was set by %lld ms: the deadlines in the kernel move along", (long long)moved_ms);
	if (apply_deadlines(daemon->datapath, &daemon->model, &err))
		log_error("keeper", "%s", err.message);
}

/* --- the tick ------------------------------------------------------------------------------------------------------------- */

static bool step_service(struct keeper *keeper, const struct service *service)
{
	size_t i;

	for (i = 0; i < service->version_count; i++) {
		const struct version *version = &service->versions[i];

		if (step_drain(keeper, service, version) || step_eviction(keeper, service, version) ||
		    step_backends(keeper, service, version) || duties_step(keeper->daemon->duties, service, version))
			return true;
	}
	return false;
}

/* After a change the walk over the model begins anew, with the next tick. */
static void step_services(struct keeper *keeper, int64_t now_ms)
{
	const struct model *model = &keeper->daemon->model;
	size_t i;

	if (now_ms < keeper->patient_until_ms)
		return;
	for (i = 0; i < model->count; i++) {
		if (!step_service(keeper, model->services[i]))
			continue;
		keeper_poke(keeper);
		return;
	}
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct keeper *keeper = arg;
	int64_t now_ms = monotonic_ms();

	(void)fd;
	(void)what;
	census_tick(keeper->daemon->census, now_ms);
	step_clocks(keeper);
	step_services(keeper, now_ms);
	step_ids(keeper, now_ms);
	step_hooks(keeper, now_ms);
	neighbours_use(keeper->daemon->datapath, &keeper->neighbours);
}

void keeper_poke(struct keeper *keeper)
{
	event_active(keeper->tick, EV_TIMEOUT, 0);
}

int keeper_new(struct keeper **out, struct daemon *daemon, struct error *err)
{
	struct timeval every = {.tv_usec = TICK_MS * 1000};
	struct keeper *keeper = calloc(1, sizeof(*keeper));

	if (!keeper)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	keeper->daemon = daemon;
	keeper->attached_ms = monotonic_ms();
	keeper->clocks_apart_ms = instant_now().unix_ms - keeper->attached_ms;
	keeper->tick = event_new(daemon->base, -1, EV_PERSIST, on_tick, keeper);
	event_add(keeper->tick, &every);
	*out = keeper;
	return 0;
}

void keeper_free(struct keeper *keeper)
{
	if (!keeper)
		return;
	event_free(keeper->tick);
	free(keeper);
}
