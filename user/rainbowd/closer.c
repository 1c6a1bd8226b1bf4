// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See closer.h. A job first walks (in the worker), then closes in slices of a few milliseconds (in the loop). */
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <event2/event.h>
#include <rainbow/select.h>
#include "census.h"
#include "closer.h"
#include "common/log.h"
#include "drain.h"
#include "history.h"
#include "pace.h"
#include "probe.h"
#include "roll.h"
#include "worker.h"

#define TICK_MS  5    /* at least between two slices */
#define REST_MS  500  /* at most */
#define SLICE_MS 4    /* the API is answered in between */
#define RETRY_MS 5000 /* after a walk that failed */
#define ASKS     3    /* then the reset is sent from here */

struct closing {
	struct work work;
	struct closing *next;
	struct daemon *daemon;
	struct closer_order order;
	bool abandoned; /* another order took its place, or there is no closer any more */
	bool walking;
	bool finished;
	struct roll roll;
	struct pace pace;
	size_t place;   /* in the roll */
	uint64_t turn;  /* how many sessions were due before: the flows of a client session go with it */
	int64_t due_ms; /* of roll.entries[place]; after a failure: when to give up, so that the keeper orders again */
	uint64_t closed;
	int rc;
	struct error err;
};

struct closer {
	struct daemon *daemon;
	struct closing *jobs;
	struct event *tick;
};

static uint32_t random_u32(void)
{
	uint32_t value = 0;

	if (getrandom(&value, sizeof(value), GRND_NONBLOCK) != sizeof(value))
		return 0x80000000u; /* the middle of the turn */
	return value;
}

/* CLOCK_MONOTONIC seconds of an instant of the calendar. */
static int64_t monotonic_seconds_of(struct instant at)
{
	int64_t ms = monotonic_ms() - (instant_now().unix_ms - at.unix_ms);

	return ms >= 0 ? ms / 1000 : (ms - 999) / 1000;
}

static bool offer(const struct rainbow_flow *flow, const struct rainbow_pin *pin, void *arg)
{
	struct closing *job = arg;

	if (roll_offer(&job->roll, flow, pin))
		return true;
	job->rc = error_set(&job->err, ERROR_INTERNAL, NULL, "out of memory for the list of sessions to close");
	return false;
}

static void walk_run(struct work *work)
{
	struct closing *job = (struct closing *)work;

	job->rc = 0;
	if (datapath_pins_each(job->daemon->datapath, offer, job, &job->err) && !job->rc)
		job->rc = -(int)job->err.code;
	roll_finish(&job->roll);
}

static void job_free(struct closing *job)
{
	roll_fini(&job->roll);
	free(job);
}

static void job_remove(struct closer *closer, struct closing *job)
{
	struct closing **at = &closer->jobs;

	while (*at && *at != job)
		at = &(*at)->next;
	if (*at)
		*at = job->next;
	job_free(job);
}

static void job_abandon(struct closer *closer, struct closing *job)
{
	struct closing **at = &closer->jobs;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
	job->abandoned = true;
	if (job->closed && !job->finished)
		log_info("closer", "stops closing version %s: %llu sessions were closed",
			 datapath_version(closer->daemon->datapath, job->order.version)->label,
			 (unsigned long long)job->closed);
	if (!job->walking)
		job_free(job);
}

static const struct service *service_of(const struct closing *job)
{
	const struct model *model = &job->daemon->model;
	size_t i;

	for (i = 0; i < model->count; i++)
		if (model->services[i]->id == job->order.service)
			return model->services[i];
	return NULL;
}

/*
 * Does the model still give this order? A version that is kept after all must not lose one session more; and where the pace is another
 * now, the keeper orders anew.
 */
static bool job_is_wanted(const struct closing *job)
{
	const struct version *version = model_find_version(&job->daemon->model, job->order.service, job->order.version);

	if (job->order.purpose == CLOSER_COUNT)
		return true;
	if (!version) /* removed: what is left of a client session's flows goes as well */
		return !job->finished;
	if (job->order.purpose == CLOSER_EVICT)
		return version->eviction.asked.unix_ms != 0;
	return job->order.rate == service_of(job)->settings.drain.pace &&
	       drain_is_closing(version->state, &version->drain, instant_now());
}

static void tell_found(const struct closing *job)
{
	if (job->order.found)
		job->order.found(job->order.arg, job->rc, job->roll.sessions, &job->err);
}

static void set_due(struct closing *job)
{
	job->due_ms = pace_due_ms(&job->pace, job->turn, random_u32());
}

/* Wakes up when the next session of any job is due. */
static void schedule(struct closer *closer)
{
	int64_t rest = REST_MS, now = monotonic_ms();
	const struct closing *job;
	struct timeval after;
	bool any = false;

	for (job = closer->jobs; job; job = job->next) {
		if (job->walking || job->finished)
			continue;
		any = true;
		if (job->due_ms - now < rest)
			rest = job->due_ms - now;
	}
	if (rest < TICK_MS)
		rest = TICK_MS;
	after = (struct timeval){.tv_usec = rest * 1000};
	if (any)
		evtimer_add(closer->tick, &after);
}

static void walk_done(struct work *work)
{
	struct closing *job = (struct closing *)work;
	struct closer *closer = job->daemon->closer;

	job->walking = false;
	if (job->work.cancelled && !job->rc)
		job->rc = error_set(&job->err, ERROR_INTERNAL, NULL,
				    "rainbowd stops; the order is kept and carried out at its next start");
	tell_found(job);
	if (job->abandoned) {
		job_free(job);
		return;
	}
	if (job->work.cancelled || job->order.purpose == CLOSER_COUNT) {
		job_remove(closer, job);
		return;
	}
	if (job->rc) {
		log_error("closer", "%s; trying again", job->err.message);
		job->due_ms = monotonic_ms() + RETRY_MS;
		schedule(closer);
		return;
	}
	job->pace = pace_begin(job->roll.sessions, job->order.rate, DRAIN_GRACE_MS, monotonic_ms());
	set_due(job);
	schedule(closer);
}

static void ask(struct daemon *daemon, const struct rainbow_flow *flow, const struct rainbow_pin *pin)
{
	const struct rainbow_service *service = datapath_service(daemon->datapath, flow->service);
	const struct rainbow_backend *backend = datapath_backend(daemon->datapath, pin->backend);

	if (!daemon->probe || service->protocol != IPPROTO_TCP || flow->port == 0 || backend->state == RAINBOW_BACKEND_NONE)
		return;
	if (pin->asked >= ASKS)
		probe_reset(daemon->probe, flow, pin, service, backend);
	else
		probe_ask(daemon->probe, flow, pin, service, backend);
}

/*
 * A flow of a client session dies with it: is that session still alive (younger than the order, or its close failed)? A live one
 * that is younger than the flow is the client's next.
 */
static bool flow_has_client(const struct closing *job, const struct roll_entry *entry)
{
	const struct rainbow_service *service = datapath_service(job->daemon->datapath, entry->flow.service);
	struct rainbow_flow key = entry->flow;
	struct rainbow_pin client;

	if (entry->kind != RAINBOW_PIN_FLOW)
		return false;
	key.port = 0;
	rainbow_client_mask(&key.client, service->client_prefix);
	return datapath_pin_find(job->daemon->datapath, &key, &client) == 0 && client.state == RAINBOW_PIN_LIVE &&
	       client.version == entry->version && (int32_t)client.opened <= (int32_t)entry->opened;
}

static void close_one(struct closing *job, const struct roll_entry *entry)
{
	struct rainbow_close order = {.flow = entry->flow, .version = job->order.version, .reason = RAINBOW_END_FORCED};
	struct error err;

	job->turn += entry->kind != RAINBOW_PIN_FLOW;
	if (flow_has_client(job, entry))
		return;
	if (datapath_close_session(job->daemon->datapath, &order, &err)) {
		log_error("closer", "%s", err.message);
		return;
	}
	if (!order.closed)
		return;
	job->closed += entry->kind != RAINBOW_PIN_FLOW;
	ask(job->daemon, &order.flow, &order.pin);
}

/* Closes what is due. True when the list is worked off. */
static bool job_step(struct closing *job, int64_t until_ms)
{
	while (job->place < job->roll.count) {
		int64_t now = monotonic_ms();

		if (job->due_ms > now || now >= until_ms)
			return false;
		close_one(job, &job->roll.entries[job->place++]);
		set_due(job);
	}
	return true;
}

/* Of an eviction it is the keeper who tells, when the order is done with. */
static void tell_closed(const struct closing *job)
{
	const struct service *service = service_of(job);
	const char *label = datapath_version(job->daemon->datapath, job->order.version)->label;
	struct note note;

	if (!service || !job->closed || job->order.purpose != CLOSER_DEADLINE)
		return;
	note_of_rainbowd(&note, "closed", service, label, "%llu session%s of version %s of %s closed at the deadline",
			 (unsigned long long)job->closed, job->closed == 1 ? "" : "s", label, service->name);
	history_note(job->daemon, &note);
}

static void job_finish(struct closer *closer, struct closing *job)
{
	if (job->roll.count)
		log_info("closer", "closed %llu sessions of version %s", (unsigned long long)job->closed,
			 datapath_version(closer->daemon->datapath, job->order.version)->label);
	tell_closed(job);
	census_hurry(closer->daemon->census);
	if (job->order.purpose == CLOSER_EVICT || job->roll.count == 0) {
		job->finished = true;
		roll_fini(&job->roll);
	} else {
		job_remove(closer, job);
	}
}

static void job_tick(struct closer *closer, struct closing *job, int64_t until_ms)
{
	if (job->walking || job->finished)
		return;
	if (!job_is_wanted(job)) {
		job_abandon(closer, job);
		return;
	}
	if (job->rc) {
		if (monotonic_ms() >= job->due_ms)
			job_remove(closer, job);
		return;
	}
	if (job_step(job, until_ms))
		job_finish(closer, job);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct closer *closer = arg;
	int64_t until_ms = monotonic_ms() + SLICE_MS;
	struct closing *job, *next;

	(void)fd;
	(void)what;
	for (job = closer->jobs; job; job = next) {
		next = job->next;
		job_tick(closer, job, until_ms);
	}
	schedule(closer);
}

static struct closing *job_find(const struct closer *closer, uint32_t version, enum closer_purpose purpose)
{
	struct closing *job;

	for (job = closer->jobs; job; job = job->next)
		if (job->order.version == version && job->order.purpose == purpose)
			return job;
	return NULL;
}

enum closer_state closer_state_of(const struct closer *closer, uint32_t version, enum closer_purpose purpose)
{
	const struct closing *job = job_find(closer, version, purpose);

	if (!job)
		return CLOSER_NONE;
	return job->finished ? CLOSER_FINISHED : CLOSER_BUSY;
}

uint64_t closer_closed(const struct closer *closer, uint32_t version, enum closer_purpose purpose)
{
	const struct closing *job = job_find(closer, version, purpose);

	return job ? job->closed : 0;
}

void closer_forget(struct closer *closer, uint32_t version, enum closer_purpose purpose)
{
	struct closing *job = job_find(closer, version, purpose);

	if (job)
		job_abandon(closer, job);
}

void closer_review(struct closer *closer)
{
	struct closing *job, *next;

	for (job = closer->jobs; job; job = next) {
		next = job->next;
		if (!job_is_wanted(job))
			job_abandon(closer, job);
	}
}

void closer_start(struct closer *closer, const struct closer_order *order)
{
	struct closing *job = job_find(closer, order->version, order->purpose);

	if (job && order->purpose != CLOSER_COUNT)
		job_abandon(closer, job);
	job = calloc(1, sizeof(*job));
	if (!job)
		abort(); /* see model.c: must() */
	job->work.run = walk_run;
	job->work.done = walk_done;
	job->daemon = closer->daemon;
	job->order = *order;
	job->walking = true;
	job->roll.filter = (struct roll_filter){
	    .service = order->service,
	    .version = order->version,
	    .limit_opened = order->cutoff.unix_ms != 0,
	    .opened_until = monotonic_seconds_of(order->cutoff),
	    .live_only = true,
	    .flows = true,
	};
	job->next = closer->jobs;
	closer->jobs = job;
	worker_submit(closer->daemon->worker, &job->work);
}

void closer_ask_due(struct closer *closer, const struct rainbow_due *due, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		if (due[i].pin.state == RAINBOW_PIN_KILLED)
			ask(closer->daemon, &due[i].flow, &due[i].pin);
}

int closer_new(struct closer **out, struct daemon *daemon, struct error *err)
{
	struct closer *closer = calloc(1, sizeof(*closer));

	if (!closer)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	closer->daemon = daemon;
	closer->tick = evtimer_new(daemon->base, on_tick, closer);
	*out = closer;
	return 0;
}

/* The worker has been stopped before: no walk is under way. */
void closer_free(struct closer *closer)
{
	if (!closer)
		return;
	while (closer->jobs)
		job_abandon(closer, closer->jobs);
	event_free(closer->tick);
	free(closer);
}
