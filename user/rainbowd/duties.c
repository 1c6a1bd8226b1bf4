// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See duties.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include "census.h"
#include "change.h"
#include "common/log.h"
#include "common/text.h"
#include "duties.h"
#include "history.h"
#include "hook.h"
#include "request.h"

#define RETRY_MS 5000 /* after something that could not be stored */

/* One try of one duty: a hook, or a POST to each backend. It is there until its outcome is stored: what was called is not called again. */
struct errand {
	LIST_ENTRY(errand) link;
	struct duties *duties;
	char service[RAINBOW_NAME_SIZE];
	uint32_t version; /* id */
	struct duty_order order;
	size_t pending;       /* hooks that have not ended */
	struct instant ended; /* when the last of them did */
	bool cancelled;       /* rainbowd stops: it is made again after the next start */
	char why[DUTY_WHY_SIZE];
};

struct duties {
	struct daemon *daemon;
	int64_t patient_until_ms; /* nothing is done before: the database refused */
	LIST_HEAD(, errand) errands;
};

static bool is_under_way(const struct duties *duties, uint32_t version, enum duty duty)
{
	const struct errand *errand;

	LIST_FOREACH(errand, &duties->errands, link)
	if (errand->version == version && errand->order.duty == duty)
		return true;
	return false;
}

/* --- the end of a try --------------------------------------------------------------------------------------------------- */

static const char *const outcomes[] = {
    [DUTY_OPEN] = "failed, and is tried again", [DUTY_DONE] = "is done", [DUTY_GIVEN_UP] = "failed, and is given up"};

static void set_note(struct note *note, const struct errand *errand, const struct service *service,
		     const struct version *version, enum duty_outcome outcome)
{
	note_of_rainbowd(note, duty_name(errand->order.duty), service, version->label, "%s for version %s of %s %s (try %u)",
			 duty_name(errand->order.duty), version->label, service->name, outcomes[outcome], errand->order.number);
	if (errand->why[0])
		snprintf(note->outcome, sizeof(note->outcome), "failed: %s", errand->why);
}

/* A database that is locked keeps the loop waiting: not with each tick. */
static void be_patient(struct duties *duties, const struct error *err)
{
	log_error("duties", "%s", err->message);
	duties->patient_until_ms = monotonic_ms() + RETRY_MS;
}

/* False: it has to be tried again. What is about something that was removed meanwhile is nobody's any more. */
static bool store_end(struct errand *errand)
{
	struct daemon *daemon = errand->duties->daemon;
	struct version *version;
	struct change change;
	struct note note;
	struct error err;
	enum duty_outcome outcome;
	int rc = 0;

	if (change_begin(&change, daemon, errand->service, &err))
		return true;
	version = service_find_version_id(change.after, errand->version);
	if (version) {
		outcome = drain_duty_end(&version->duty, &errand->order, errand->why[0] ? errand->why : NULL, errand->ended);
		set_note(&note, errand, change.after, version, outcome);
		change.note = &note;
		note.began_us = monotonic_us();
		rc = change_commit(&change, false, &err);
		if (rc)
			be_patient(errand->duties, &err);
		else if (errand->why[0])
			log_warn("duties", "%s: %s", note.sentence, errand->why);
		note_fini(&note);
	}
	change_end(&change);
	return rc == 0;
}

static void errand_free(struct errand *errand)
{
	LIST_REMOVE(errand, link);
	free(errand);
}

static void on_hook_done(const struct hook_result *result, void *arg)
{
	struct errand *errand = arg;

	errand->cancelled = errand->cancelled || result->outcome == HOOK_CANCELLED;
	if (result->outcome != HOOK_OK && !errand->why[0])
		text_copy(errand->why, sizeof(errand->why), result->reason[0] ? result->reason : "no answer");
	if (--errand->pending)
		return;
	errand->ended = instant_now();
	if (errand->cancelled || store_end(errand))
		errand_free(errand);
}

/* One whose outcome could not be stored when it ended. True if it could now. */
static bool store_late(struct duties *duties)
{
	struct errand *errand;

	LIST_FOREACH(errand, &duties->errands, link)
	if (!errand->pending)
		break;
	if (!errand || !store_end(errand))
		return false;
	errand_free(errand);
	return true;
}

/* --- a try -------------------------------------------------------------------------------------------------------------- */

static const char *const events[] = {
    [DUTY_WARN] = "drain_deadline_near", [DUTY_WARN_BACKENDS] = "drain_deadline_near", [DUTY_DRAINED] = "drained"};

/* `id` is the same for every try of the same duty, so that its receiver can tell a repeated call. */
static json_t *facts_of(const struct service *service, const struct version *version, const struct duty_order *order,
			uint64_t sessions)
{
	char id[160];

	snprintf(id, sizeof(id), "%s/%s/%s/%lld", service->name, version->label, duty_name(order->duty),
		 (long long)order->about.unix_ms);
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:o, s:s, s:s, s:s, s:s, s:i}", "event", events[order->duty], "id", id,
			 "service", service->name, "version", version->label, "sessions", (json_int_t)sessions, "deadline",
			 json_instant(version->drain.deadline), "code", version->tuple.code, "model", version->tuple.model,
			 "prompts", version->tuple.prompts, "tools", version->tuple.tools, "try", (int)order->number);
}

static void run_hook(struct errand *errand, const char *place, const json_t *facts)
{
	struct hook_order order = {.place = place, .facts = facts};

	errand->pending++;
	if (hook_run(errand->duties->daemon->hook, &order, on_hook_done, errand)) {
		errand->pending--;
		text_copy(errand->why, sizeof(errand->why), "out of memory");
	}
}

static void call_backends(struct errand *errand, const struct version *version, const char *path, const json_t *facts)
{
	char place[SETTINGS_TEXT_SIZE + ADDR_TEXT_SIZE + 16], address[ADDR_TEXT_SIZE];
	size_t i;

	for (i = 0; i < version->backend_count; i++) {
		const struct endpoint *at = &version->backends[i].at;

		snprintf(place, sizeof(place), "http://%s%s", endpoint_format(&at->addr, at->port, address), path);
		run_hook(errand, place, facts);
	}
}

static void begin(struct duties *duties, const struct service *service, const struct version *version,
		  const struct duty_order *order, uint64_t sessions)
{
	const char *hook = duty_hook(&service->settings.drain, order->duty);
	struct errand *errand = calloc(1, sizeof(*errand));
	json_t *facts = facts_of(service, version, order, sessions);

	if (!errand || !facts)
		goto out;
	errand->duties = duties;
	text_copy(errand->service, sizeof(errand->service), service->name);
	errand->version = version->id;
	errand->order = *order;
	if (order->duty == DUTY_WARN_BACKENDS)
		call_backends(errand, version, hook, facts);
	else
		run_hook(errand, hook, facts);
	if (errand->pending) {
		LIST_INSERT_HEAD(&duties->errands, errand, link);
		errand = NULL;
	}
out:
	free(errand);
	json_decref(facts);
}

/* --- the step ----------------------------------------------------------------------------------------------------------- */

static bool store_duty(struct duties *duties, const struct service *service, uint32_t id, const struct drain_duty *duty)
{
	struct version *version;
	struct change change;
	struct error err;
	int rc = change_begin(&change, duties->daemon, service->name, &err);

	if (rc)
		return false;
	version = service_find_version_id(change.after, id);
	if (version) {
		version->duty = *duty;
		rc = change_commit(&change, false, &err);
		if (rc)
			be_patient(duties, &err);
	}
	change_end(&change);
	return rc == 0;
}

bool duties_step(struct duties *duties, const struct service *service, const struct version *version)
{
	struct daemon *daemon = duties->daemon;
	struct duty_facts facts = {
	    .now = instant_now(),
	    .policy = &service->settings.drain,
	    .state = version->state,
	    .deadline = version->drain.deadline,
	    .live_known = census_of(daemon->census, version->id) != NULL,
	    .live = __atomic_load_n(&datapath_version(daemon->datapath, version->id)->live, __ATOMIC_ACQUIRE),
	};
	struct drain_duty duty = version->duty;
	struct duty_order order;
	enum duty_step step;
	bool changed = false;
	int i;

	if (monotonic_ms() < duties->patient_until_ms)
		return false;
	if (store_late(duties))
		return true;
	if (version->state == RAINBOW_VERSION_ACTIVE && !duty.drained_since.unix_ms)
		return false;
	for (i = 0; i < DUTIES; i++)
		facts.under_way[i] = is_under_way(duties, version->id, (enum duty)i);
	while ((step = drain_duty_next(&duty, &facts, &order)) != DUTY_STAY) {
		changed = changed || step == DUTY_NOTE;
		if (step != DUTY_TRY)
			continue;
		begin(duties, service, version, &order, facts.live);
		facts.under_way[order.duty] = true;
	}
	return changed && store_duty(duties, service, version->id, &duty);
}

int duties_new(struct duties **out, struct daemon *daemon, struct error *err)
{
	struct duties *duties = calloc(1, sizeof(*duties));

	if (!duties)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	duties->daemon = daemon;
	LIST_INIT(&duties->errands);
	*out = duties;
	return 0;
}

void duties_free(struct duties *duties)
{
	struct errand *errand, *next;

	for (errand = duties ? LIST_FIRST(&duties->errands) : NULL; errand; errand = next) {
		next = LIST_NEXT(errand, link);
		errand_free(errand);
	}
	free(duties);
}
