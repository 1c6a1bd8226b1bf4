// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * See sources.h. When the step or the gate changes an inquiry is dropped, and what is under way is cancelled with it: a late answer finds
 * nobody. How an inquiry asks: inquiry.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/log.h"
#include "common/text.h"
#include "fetch.h"
#include "hook.h"
#include "inquiry.h"
#include "model.h"
#include "samples.h"

#define DEFAULT_INTERVAL_MS 30000
#define DEFAULT_TIMEOUT_MS  10000
#define PUSHED_EVERY_MS     1000
#define PUSHED_AGES_MS      10000 /* nothing new came, but it may have become stale */

/* --- steps and inquiries --------------------------------------------------------------------------------------------------------- */

static struct step step_of(const struct service *service)
{
	return (struct step){
	    .rollout = service->rollout.number,
	    .step = service->rollout.step,
	    .began = sample_step_of(service).began,
	};
}

static bool step_is(const struct step *a, const struct step *b)
{
	return a->rollout == b->rollout && a->step == b->step && a->began.unix_ms == b->began.unix_ms;
}

static void inquiry_drop(struct inquiry *inquiry)
{
	struct sources *sources = inquiry->sources;
	size_t i;

	for (i = 0; i < PROMETHEUS_PARTS; i++)
		fetch_cancel(sources->fetch, &inquiry->parts[i]);
	hook_cancel(sources->hook, inquiry);
	TAILQ_REMOVE(&sources->inquiries, inquiry, entry);
	free(inquiry->bins);
	free(inquiry);
}

static void drop_all(struct sources *sources, const char *service)
{
	struct inquiry *inquiry, *next;

	for (inquiry = TAILQ_FIRST(&sources->inquiries); inquiry; inquiry = next) {
		next = TAILQ_NEXT(inquiry, entry);
		if (strcmp(inquiry->service, service) == 0)
			inquiry_drop(inquiry);
	}
}

static struct inquiry *inquiry_find(struct sources *sources, const char *service, const char *gate)
{
	struct inquiry *inquiry;

	TAILQ_FOREACH(inquiry, &sources->inquiries, entry)
	if (strcmp(inquiry->service, service) == 0 && strcmp(inquiry->gate.name, gate) == 0)
		return inquiry;
	return NULL;
}

/* That of this gate in this step; a new one if there is none, or one of another. NULL without memory. */
static struct inquiry *inquiry_of(struct sources *sources, const struct service *service, const struct gate *gate)
{
	struct inquiry *inquiry = inquiry_find(sources, service->name, gate->name);
	struct step step = step_of(service);
	size_t i;

	/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): where only padding differs it is asked once more, no harm */
	if (inquiry && step_is(&inquiry->step, &step) && memcmp(&inquiry->gate, gate, sizeof(*gate)) == 0)
		return inquiry;
	if (inquiry)
		inquiry_drop(inquiry);
	inquiry = calloc(1, sizeof(*inquiry));
	if (!inquiry)
		return NULL;
	inquiry->sources = sources;
	text_copy(inquiry->service, sizeof(inquiry->service), service->name);
	inquiry->step = step;
	inquiry->gate = *gate;
	for (i = 0; i < PROMETHEUS_PARTS; i++)
		inquiry->parts[i].inquiry = inquiry;
	TAILQ_INSERT_TAIL(&sources->inquiries, inquiry, entry);
	return inquiry;
}

/* --- when ------------------------------------------------------------------------------------------------------------------------ */

static int64_t interval_ms(const struct gate *gate)
{
	return gate->interval.ms > 0 ? gate->interval.ms : DEFAULT_INTERVAL_MS;
}

/* The clock may be set back: then it is due, too. */
static bool has_passed(struct instant since, struct instant now, int64_t ms)
{
	return !since.unix_ms || now.unix_ms < since.unix_ms || now.unix_ms - since.unix_ms >= ms;
}

static void ask_if_due(struct sources *sources, const struct service *service, const struct gate *gate, struct instant now)
{
	struct inquiry *inquiry = inquiry_of(sources, service, gate);

	if (!inquiry || inquiry->under_way || !has_passed(inquiry->asking, now, interval_ms(gate)))
		return;
	inquiry->asking = now;
	if (gate->source == GATE_SOURCE_PROMETHEUS)
		inquiry_ask_prometheus(inquiry, service, now);
	else
		inquiry_ask_hook(inquiry, service);
}

static bool is_asked(const struct gate *gate)
{
	return gate->source == GATE_SOURCE_PROMETHEUS || gate->source == GATE_SOURCE_WEBHOOK ||
	       gate->source == GATE_SOURCE_COMMAND;
}

static struct watch *watch_find(struct sources *sources, const char *service)
{
	struct watch *watch;

	TAILQ_FOREACH(watch, &sources->watches, entry)
	if (strcmp(watch->service, service) == 0)
		return watch;
	return NULL;
}

/* True: since the last look the service is in another step, or this is the first look since a start. */
static bool step_changed(struct sources *sources, const struct service *service)
{
	struct watch *watch = watch_find(sources, service->name);
	struct step step = step_of(service);
	bool changed = !watch || !step_is(&watch->step, &step);

	if (!watch) {
		watch = calloc(1, sizeof(*watch));
		if (!watch)
			return true;
		text_copy(watch->service, sizeof(watch->service), service->name);
		TAILQ_INSERT_TAIL(&sources->watches, watch, entry);
	}
	watch->step = step;
	return changed;
}

static void clean_up(struct sources *sources, const struct sample_step *step)
{
	struct error err;

	drop_all(sources, step->service);
	if (samples_keep(sources->samples, step, &err))
		log_error("sources", "%s", err.message);
}

void sources_poll(struct sources *sources, const struct service *service, struct instant now)
{
	struct gate defaults[SETTINGS_GATES_MAX];
	struct sample_step step = sample_step_of(service);
	size_t i, count;
	const struct gate *gates = settings_gates(&service->settings, defaults, &count);

	if (step_changed(sources, service))
		clean_up(sources, &step);
	if (!step.began.unix_ms)
		return;
	for (i = 0; i < count; i++)
		if (is_asked(&gates[i]))
			ask_if_due(sources, service, &gates[i], now);
}

void sources_forget(struct sources *sources, const char *service)
{
	struct watch *watch = watch_find(sources, service);

	clean_up(sources, &(struct sample_step){.service = service, .candidate = "", .baseline = ""});
	if (!watch)
		return;
	TAILQ_REMOVE(&sources->watches, watch, entry);
	free(watch);
}

/* --- evidence -------------------------------------------------------------------------------------------------------------------- */

/* 100,000 samples are read in 0.13 s, in which the loop stands still: the more there are, the more rarely. */
static int64_t pushed_every_ms(const struct inquiry *inquiry, uint64_t revision)
{
	double sessions = inquiry->evidence.candidate.sessions + inquiry->evidence.baseline.sessions;

	return (inquiry->revision == revision ? PUSHED_AGES_MS : PUSHED_EVERY_MS) + (int64_t)sessions / 10;
}

static void read_pushed(struct inquiry *inquiry, const struct service *service, struct instant now)
{
	struct sample_step step = sample_step_of(service);
	uint64_t revision = samples_revision(inquiry->sources->samples);
	struct sample_evidence evidence;

	if (!has_passed(inquiry->asking, now, pushed_every_ms(inquiry, revision)))
		return;
	inquiry->asking = now;
	samples_evidence(inquiry->sources->samples, &step, &inquiry->gate, now, &evidence);
	free(inquiry->bins);
	inquiry->bins = evidence.bins;
	inquiry->revision = revision;
	inquiry_take_answer(inquiry, &evidence.evidence);
}

static void say_stale(const struct inquiry *inquiry, struct instant now, struct gate_evidence *out)
{
	const struct gate *gate = &inquiry->gate;
	int64_t age_ms = now.unix_ms - inquiry->asked.unix_ms;
	int64_t timeout_ms = gate->timeout.ms > 0 ? gate->timeout.ms : DEFAULT_TIMEOUT_MS;
	char age[DURATION_TEXT_SIZE];

	if (age_ms <= 3 * interval_ms(gate) + timeout_ms)
		return;
	memset(out, 0, sizeof(*out));
	out->source = GATE_INCONCLUSIVE;
	snprintf(out->reason, sizeof(out->reason), "stale: the last answer is %s old",
		 duration_format((struct duration){age_ms}, age));
}

void sources_evidence(struct sources *sources, const struct service *service, const struct gate *gate, struct instant now,
		      struct source_evidence *out)
{
	struct inquiry *inquiry = inquiry_of(sources, service, gate);

	memset(out, 0, sizeof(*out));
	if (inquiry && gate->source == GATE_SOURCE_PUSH)
		read_pushed(inquiry, service, now);
	if (!inquiry || !inquiry->asked.unix_ms) {
		snprintf(out->evidence.reason, sizeof(out->evidence.reason), "no answer yet");
		return;
	}
	out->evidence = inquiry->evidence;
	out->asked = inquiry->asked;
	out->answer = inquiry->answer;
	out->sessions_missing = gate->source == GATE_SOURCE_PROMETHEUS && !inquiry_has_samples_query(inquiry);
	if (gate->source != GATE_SOURCE_PUSH)
		say_stale(inquiry, now, &out->evidence);
}

/* --- beginning and end ----------------------------------------------------------------------------------------------------------- */

int sources_new(struct sources **out, struct fetch *fetch, struct hook *hook, struct samples *samples, struct error *err)
{
	struct sources *sources = calloc(1, sizeof(*sources));

	if (!sources)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	sources->fetch = fetch;
	sources->hook = hook;
	sources->samples = samples;
	TAILQ_INIT(&sources->inquiries);
	TAILQ_INIT(&sources->watches);
	*out = sources;
	return 0;
}

void sources_free(struct sources *sources)
{
	struct inquiry *inquiry;
	struct watch *watch;

	if (!sources)
		return;
	while ((inquiry = TAILQ_FIRST(&sources->inquiries)))
		inquiry_drop(inquiry);
	while ((watch = TAILQ_FIRST(&sources->watches))) {
		TAILQ_REMOVE(&sources->watches, watch, entry);
		free(watch);
	}
	free(sources);
}
