// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Ending sessions: drain, undrain, evict. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "closer.h"
#include "commands.h"
#include "drain.h"
#include "handlers.h"
#include "keeper.h"

static int read_deadline(const json_t *body, struct drain_order *order, struct error *err)
{
	const char *text;
	int rc = body_string(body, "deadline", false, &text, err);

	if (rc || !text)
		return rc;
	order->has_deadline = true;
	order->never = strcmp(text, "none") == 0;
	return order->never ? 0 : duration_parse(text, &order->deadline, "deadline", err);
}

static int read_on_deadline(const json_t *body, struct drain_order *order, struct error *err)
{
	const char *text;
	int rc = body_string(body, "on_deadline", false, &text, err);

	if (rc || !text)
		return rc;
	order->has_on_deadline = true;
	order->on_deadline = strcmp(text, "hold") == 0 ? ON_DEADLINE_HOLD : ON_DEADLINE_RESET;
	if (order->on_deadline == ON_DEADLINE_RESET && strcmp(text, "reset") != 0)
		return error_set(err, ERROR_BAD_INPUT, "on_deadline",
				 "unknown word %.40s for on_deadline; there is reset, hold", text);
	return 0;
}

static int read_drain(const json_t *body, struct drain_order *order, struct error *err)
{
	static const char *const keys[] = {"deadline", "on_deadline", NULL};
	int rc = body_check_keys(body, keys, err);

	rc = rc ? rc : read_deadline(body, order, err);
	return rc ? rc : read_on_deadline(body, order, err);
}

static json_t *reply_drain(const struct request *request, const struct change *change, const struct version *version)
{
	uint64_t live = change->counts.live[version->id];
	char deadline[INSTANT_TEXT_SIZE];
	json_t *reply;

	if (version->state == RAINBOW_VERSION_DRAINED)
		reply = reply_done(request, change->after, "version %s of %s is drained already", version->label,
				   change->after->name);
	else if (!version->drain.deadline.unix_ms)
		reply =
		    reply_done(request, change->after, "version %s of %s drains %" PRIu64 " live session%s, without a deadline",
			       version->label, change->after->name, live, live == 1 ? "" : "s");
	else
		reply = reply_done(request, change->after, "version %s of %s drains %" PRIu64 " live session%s, until %s",
				   version->label, change->after->name, live, live == 1 ? "" : "s",
				   instant_format(version->drain.deadline, deadline));
	json_object_set_new(reply, "state", json_string(version_state_name(version->state)));
	json_object_set_new(reply, "live", json_integer((json_int_t)live));
	json_object_set_new(reply, "started", json_instant(version->drain.started));
	json_object_set_new(reply, "deadline", json_instant(version->drain.deadline));
	return reply;
}

int handle_drain(struct request *request, json_t **reply, struct error *err)
{
	struct drain_order order = {0};
	struct change change;
	int rc = change_begin(&change, request->daemon, request->variable[0], err);

	if (rc)
		return rc;
	rc = read_drain(request->body, &order, err);
	rc = rc ? rc : command_drain(change.after, request->variable[1], &order, &change.counts, instant_now(), err);
	if (!rc)
		*reply = reply_drain(request, &change, service_find_version(change.after, request->variable[1]));
	rc = rc ? rc : change_commit(&change, request->dry_run, err);
	change_end(&change);
	keeper_poke(request->daemon->keeper);
	return rc;
}

int handle_undrain(struct request *request, json_t **reply, struct error *err)
{
	static const char *const keys[] = {NULL};
	const struct version *was;
	struct change change;
	bool was_active;
	int rc = change_begin(&change, request->daemon, request->variable[0], err);

	if (rc)
		return rc;
	was = service_find_version(change.before, request->variable[1]);
	was_active = was && was->state == RAINBOW_VERSION_ACTIVE;
	rc = body_check_keys(request->body, keys, err);
	rc = rc ? rc : command_undrain(change.after, request->variable[1], err);
	if (!rc && was_active)
		*reply = reply_done(request, change.after, "version %s of %s is active already", request->variable[1],
				    change.after->name);
	else if (!rc)
		*reply =
		    reply_done(request, change.after,
			       "version %s of %s is active with no share; give it one: rainbowctl set-weight %s %s=PERCENT ...",
			       request->variable[1], change.after->name, change.after->name, request->variable[1]);
	rc = rc ? rc : change_commit(&change, request->dry_run, err);
	change_end(&change);
	return rc;
}

/* --- evict: the reply waits for the walk that finds the sessions ---------------------------------------------------------------- */

struct eviction_order {
	struct duration older_than;
	uint32_t rate;
};

static int read_eviction(const json_t *body, struct eviction_order *order, struct error *err)
{
	static const char *const keys[] = {"older_than", "rate", NULL};
	bool given;
	int rc = body_check_keys(body, keys, err);

	rc = rc ? rc : body_duration(body, "older_than", &given, &order->older_than, err);
	return rc ? rc : body_number(body, "rate", 1, 1000000, &order->rate, err);
}

static void on_found(void *arg, int rc, uint64_t sessions, const struct error *err)
{
	struct request *request = arg;
	json_t *reply = NULL;

	if (!rc) {
		reply = reply_done(request, model_find_service(&request->daemon->model, request->variable[0]),
				   "closing %" PRIu64 " session%s of version %s of %s", sessions, sessions == 1 ? "" : "s",
				   request->variable[1], request->variable[0]);
		json_object_set_new(reply, "sessions", json_integer((json_int_t)sessions));
	}
	request_finish(request, rc, reply, err);
}

static void start_closing(struct request *request, const struct change *change)
{
	const struct version *version = service_find_version(change->after, request->variable[1]);
	struct closer_order order = {
	    .purpose = request->dry_run ? CLOSER_COUNT : CLOSER_EVICT,
	    .service = change->after->id,
	    .version = version->id,
	    .cutoff = version->eviction.cutoff,
	    .rate = version->eviction.rate,
	    .found = on_found,
	    .arg = request,
	};

	request_defer(request);
	closer_start(request->daemon->closer, &order);
}

/* How many they are is known only when they are found; that row is the keeper's. */
static void tell_eviction(struct request *request, const struct change *change, const struct eviction_order *order)
{
	char age[DURATION_TEXT_SIZE];

	note_tell(request->note, "closing sessions of version %s of %s%s%s", request->variable[1], change->after->name,
		  order->older_than.ms ? " that are older than " : "",
		  order->older_than.ms ? duration_format(order->older_than, age) : "");
}

int handle_evict(struct request *request, json_t **reply, struct error *err)
{
	struct eviction_order order = {0};
	struct change change;
	int rc = change_begin(&change, request->daemon, request->variable[0], err);

	(void)reply;
	if (rc)
		return rc;
	rc = read_eviction(request->body, &order, err);
	rc = rc ? rc : command_evict(change.after, request->variable[1], order.older_than, order.rate, instant_now(), err);
	if (!rc)
		tell_eviction(request, &change, &order);
	rc = rc ? rc : change_commit(&change, request->dry_run, err);
	if (!rc)
		start_closing(request, &change);
	change_end(&change);
	return rc;
}
