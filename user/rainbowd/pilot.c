// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See pilot.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <event2/event.h>
#include "apply.h"
#include "change.h"
#include "commands.h"
#include "common/log.h"
#include "common/text.h"
#include "history.h"
#include "look.h"
#include "pilot.h"
#include "signals.h"
#include "sources.h"

#define RETRY_MS       1000  /* after a database that refused */
#define QUEUE_RETRY_MS 10000 /* ... what waits anyway */

struct pilot {
	struct daemon *daemon;
	int64_t patient_until_ms; /* monotonic: the database refused */
	struct event *tick;
	struct track tracks[RAINBOW_MAX_SERVICES + 1]; /* by service */
};

/* --- cohorts -------------------------------------------------------------------------------------------------------------- */

static int begin_cohort(struct daemon *daemon, const struct service *service, struct error *err)
{
	const struct version *candidate = service_find_version(service, service->rollout.target);
	const struct version *baseline = service_find_version(service, service->rollout.baseline);
	uint32_t versions[2];
	size_t count = 0;

	if (candidate)
		versions[count++] = candidate->id;
	if (baseline)
		versions[count++] = baseline->id;
	return signals_begin_cohort(daemon->datapath, service->id, versions, count, err);
}

void pilot_begin_step(struct pilot *pilot, const struct service *service)
{
	struct track *track = &pilot->tracks[service->id];
	struct error err;

	track_begin(track, &service->rollout);
	track->is_void = begin_cohort(pilot->daemon, service, &err);
	track->has_cohort = !track->is_void;
	if (track->is_void)
		log_error("pilot", "%s; it is tried again", err.message);
}

/* After a start: did this step's cohort begin? Not so after a reboot, and where we were killed before it could. */
static bool cohort_is_of_step(const struct look *look)
{
	struct datapath *dp = look->daemon->datapath;
	uint32_t number = signals_cohort(dp, look->service->id);
	struct rainbow_signal signal;

	return number && (int32_t)(number - look->service->rollout.cohort) >= 0 &&
	       signals_read(dp, look->service->id, look->candidate->id, SIGNAL_COHORT, &signal, NULL) == 0;
}

/* True where a cohort had to begin in the middle of the step. */
static bool ensure_cohort(struct look *look, struct rollout *rollout)
{
	struct track *track = look->track;
	struct error err;

	if (track->has_cohort)
		return false;
	track->has_cohort = !track->is_void && cohort_is_of_step(look);
	if (track->has_cohort)
		return false;
	track->is_void = begin_cohort(look->daemon, look->service, &err);
	track->has_cohort = !track->is_void;
	if (track->is_void) {
		log_error("pilot", "%s", err.message);
		look->unread = true; /* what there is is of another cohort */
		return false;
	}
	rollout->cohort = signals_cohort(look->daemon->datapath, look->service->id);
	return true;
}

/* What gates remember of a cohort that is gone. The looks stay: they have spent their part of alpha. */
static void forget_cohort(const struct look *look, struct rollout *rollout)
{
	size_t i;

	for (i = 0; i < look->gate_count; i++) {
		if (look->gates[i].source != GATE_SOURCE_KERNEL)
			continue;
		rollout->memory[i].verdict = GATE_INCONCLUSIVE;
		rollout->memory[i].looked_at = 0;
	}
}

/* --- carrying out --------------------------------------------------------------------------------------------------------- */

/* What the history is told; looks that were spent are stored without a word. */
static void tell(struct note *note, const struct look *look, const struct rollout *rollout, enum rollout_action action)
{
	static const char *const verbs[] = {[ROLLOUT_NOTE] = "rollout state",
					    [ROLLOUT_SET] = "rollout step",
					    [ROLLOUT_FINISH] = "rollout complete",
					    [ROLLOUT_ROLL_BACK] = "rollout roll back"};
	const struct service *service = look->service;
	char percent[16];

	note_of_rainbowd(note, verbs[action], service, rollout->target, "rollout %" PRIu64 " of %s to %s is %s",
			 rollout->number, service->name, rollout->target, rollout_state_name(rollout->state));
	if (action == ROLLOUT_SET)
		note_tell(note, "rollout %" PRIu64 " of %s to %s goes to step %u, %s %%", rollout->number, service->name,
			  rollout->target, rollout->step + 1,
			  percent_format(rollout->plan.stages[rollout->step].weight, percent));
	else if (action == ROLLOUT_ROLL_BACK)
		note_tell(note, "rollout %" PRIu64 " of %s to %s is rolled back: all new sessions go to %s", rollout->number,
			  service->name, rollout->target, rollout->baseline);
	snprintf(note->reason, sizeof(note->reason), "%.*s", NOTE_REASON_MAX, rollout->reason);
	text_clean(note->reason);
}

/*
 * A database that refuses (a full disk) must not keep new sessions on a version that has failed: the kernel is told at once. It is
 * stored, and shown, as soon as the database takes it.
 */
static void lower(const struct change *change, struct track *track)
{
	struct error err;

	if (apply_service(change->daemon->datapath, change->before, change->after, &err)) {
		log_error("pilot", "%s", err.message);
		return;
	}
	if (track->is_lowered)
		return;
	track->is_lowered = true;
	log_warn("pilot", "rollout %" PRIu64 " of %s is rolled back in the kernel, and not in the database, which refuses",
		 change->after->rollout.number, change->after->name);
}

static int commit_rollback(struct change *change, struct track *track, struct error *err)
{
	int rc;

	change_turn(change); /* before the candidate closes: else its part of new sessions would be refused */
	/* A database that is known to refuse may take seconds to say so again. */
	if (track->is_stuck)
		lower(change, track);
	rc = change_commit(change, false, err);
	/* Also after each try that came as far as the maps, and put them back. */
	if (rc)
		lower(change, track);
	return rc;
}

static int carry_out(struct look *look, const struct rollout *rollout, enum rollout_action action, struct note *note,
		     struct error *err)
{
	struct change change;
	int rc = change_begin(&change, look->daemon, look->service->name, err);

	if (rc)
		return rc;
	change.note = note;
	change.after->rollout = *rollout;
	rc = command_rollout_do(change.after, action, &change.counts, instant_now(), err);
	if (!rc && action == ROLLOUT_ROLL_BACK)
		rc = commit_rollback(&change, look->track, err);
	else if (!rc)
		rc = change_commit(&change, false, err);
	change_end(&change);
	return rc;
}

/* Told once; the track is that of the step before where one begins. */
static void refused(struct pilot *pilot, struct look *look, const char *what, const struct error *err)
{
	if (!look->track->is_stuck)
		log_error("pilot", "%s: can not be done, is tried again: %s", what, err->message);
	look->track->is_stuck = true;
	pilot->patient_until_ms = monotonic_ms() + RETRY_MS;
}

/* Returns true if the model has changed: pointers into it are void. */
static bool act(struct pilot *pilot, struct look *look, const struct rollout *rollout, enum rollout_action action,
		bool remembers)
{
	bool says = action != ROLLOUT_STAY, urgent = action == ROLLOUT_ROLL_BACK && !look->track->is_lowered;
	int64_t began_us = monotonic_us();
	struct error err;
	struct note note;
	int rc;

	if (!says && !remembers)
		return false;
	/* What could not be stored is not forgotten: looks that were spent stay spent, bad answers stay counted. */
	look->track->has_memory = true;
	if (!urgent && monotonic_ms() < pilot->patient_until_ms)
		return false;
	if (says) {
		tell(&note, look, rollout, action);
		note.began_us = began_us;
	}
	rc = carry_out(look, rollout, action, says ? &note : NULL, &err);
	if (rc) {
		refused(pilot, look, says ? note.sentence : look->service->name, &err);
	} else {
		look->track->is_stuck = look->track->has_memory = false;
		if (says)
			log_info("pilot", "%s (%.1f ms): %s", note.sentence, (double)(monotonic_us() - began_us) / 1000,
				 note.reason);
	}
	if (says)
		note_fini(&note);
	return rc == 0;
}

/* What stands against it is told once: it does not wait for ever. */
static void refuse_queued(struct change *change, struct note *note, const char *target, const char *why)
{
	const struct service *service = change->before;

	change->after->rollout = service->rollout;
	command_rollout_unqueue(change->after);
	note_tell(note, "the rollout of %s to %s, which waited, does not begin: %.300s", service->name, target, why);
	log_warn("pilot", "%s", note->sentence);
}

/* The next one, where a target waits for the end of this one. It raises exposure: not while a person has locked the service. */
static bool start_queued(struct pilot *pilot, const struct service *service)
{
	const struct rollout *rollout = &service->rollout; /* valid until the change is committed */
	struct rollout_plan plan = rollout->queued_plan;
	const struct rollout_start order = {
	    .target = rollout->queued,
	    .baseline = rollout->queued_baseline[0] ? rollout->queued_baseline : NULL,
	    .plan = &plan,
	    .without_gates = rollout->queued_without_gates,
	    .reason = "it waited for the rollout before it",
	};
	struct note note;
	struct change change;
	struct error err;
	bool queued;
	int rc;

	if (rollout_is_active(rollout) || !rollout->queued[0] || service->lock.since.unix_ms ||
	    monotonic_ms() < pilot->patient_until_ms)
		return false;
	rc = change_begin(&change, pilot->daemon, service->name, &err);
	if (rc)
		return false;
	plan.on_new_target = service->settings.plan.on_new_target;
	note_of_rainbowd(&note, "rollout start", service, order.target, "the rollout of %s to %s begins, which waited",
			 service->name, order.target);
	note.began_us = monotonic_us();
	change.note = &note;
	command_rollout_unqueue(change.after);
	if (command_rollout_start(change.after, &order, &change.counts, instant_now(), &queued, &err))
		refuse_queued(&change, &note, order.target, err.message);
	rc = change_commit(&change, false, &err);
	if (rc) {
		log_error("pilot", "%s: can not be done, is tried again: %s", note.sentence, err.message);
		pilot->patient_until_ms = monotonic_ms() + QUEUE_RETRY_MS;
	}
	change_end(&change);
	note_fini(&note);
	return rc == 0;
}

static bool step_rollout(struct pilot *pilot, struct look *look, struct rollout *rollout, struct rollout_facts *facts)
{
	enum rollout_action action = ROLLOUT_STAY;
	bool remembers = look->track->has_memory;

	track_pause(look->track, rollout);
	if (remembers)
		memcpy(rollout->memory, look->track->memory, sizeof(rollout->memory));
	if (ensure_cohort(look, rollout)) {
		forget_cohort(look, rollout);
		remembers = true;
	}
	look_read(look, true);
	facts->target_closed = look_target_closed(look);
	remembers = look_judge(look, rollout, facts) || remembers;
	memcpy(look->track->memory, rollout->memory, sizeof(look->track->memory));
	track_latch(look->track, facts);
	if (facts->gates == GATE_FAIL || facts->target_closed || look_hold_is_over(look, rollout))
		action = rollout_next(rollout, facts);
	text_copy(look->track->held_for, sizeof(look->track->held_for), rollout->state == ROLLOUT_HELD ? rollout->reason : "");
	return act(pilot, look, rollout, action, remembers);
}

static bool step_service(struct pilot *pilot, const struct service *service)
{
	struct rollout_facts facts = {.now = instant_now(), .locked = service->lock.since.unix_ms != 0};
	struct rollout rollout = service->rollout;
	struct look *look;
	bool changed;

	sources_poll(pilot->daemon->sources, service, facts.now);
	if (!rollout_is_active(&rollout))
		return start_queued(pilot, service);
	look = malloc(sizeof(*look));
	if (!look)
		return false;
	changed =
	    look_init(look, pilot->daemon, &pilot->tracks[service->id], service) && step_rollout(pilot, look, &rollout, &facts);
	free(look);
	return changed;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct pilot *pilot = arg;
	const struct model *model = &pilot->daemon->model;
	size_t i;

	(void)fd;
	(void)what;
	/* A change puts another service in the place of this one, and moves none: the walk goes on. */
	for (i = 0; i < model->count; i++)
		step_service(pilot, model->services[i]);
}

/* --- for others ----------------------------------------------------------------------------------------------------------- */

bool pilot_finding(const struct pilot *pilot, const struct service *service, size_t gate, struct gate_finding *out)
{
	const struct track *track = &pilot->tracks[service->id];

	if (gate >= SETTINGS_GATES_MAX || !track_is_of(track, &service->rollout) || !track->gates[gate].found)
		return false;
	*out = track->gates[gate].finding;
	return true;
}

const char *pilot_reason(const struct pilot *pilot, const struct service *service)
{
	const struct track *track = &pilot->tracks[service->id];
	const struct rollout *rollout = &service->rollout;

	return rollout->state == ROLLOUT_HELD && track_is_of(track, rollout) && track->held_for[0] ? track->held_for
												   : rollout->reason;
}

int pilot_explain(struct pilot *pilot, const struct service *service, const char *gate, char **out, struct error *err)
{
	struct look *look;
	int rc;

	if (!service->rollout.number)
		return error_set(err, ERROR_PRECONDITION, "service",
				 "there was no rollout of %s yet; a gate judges a rollout: rainbowctl rollout start %s LABEL",
				 service->name, service->name);
	look = malloc(sizeof(*look));
	if (!look)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	if (look_init(look, pilot->daemon, &pilot->tracks[service->id], service)) {
		look_read(look, false);
		rc = look_explain(look, gate, out, err);
	} else {
		rc = error_set(err, ERROR_PRECONDITION, "service", "version %s or %s of rollout %" PRIu64 " has been removed",
			       service->rollout.target, service->rollout.baseline, service->rollout.number);
	}
	free(look);
	return rc;
}

int pilot_new(struct pilot **out, struct daemon *daemon, struct error *err)
{
	struct timeval every = {.tv_usec = LOOK_EVERY_MS * 1000};
	struct pilot *pilot = calloc(1, sizeof(*pilot));

	if (!pilot)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	pilot->daemon = daemon;
	pilot->tick = event_new(daemon->base, -1, EV_PERSIST, on_tick, pilot);
	event_add(pilot->tick, &every);
	*out = pilot;
	return 0;
}

void pilot_free(struct pilot *pilot)
{
	if (!pilot)
		return;
	event_free(pilot->tick);
	free(pilot);
}
