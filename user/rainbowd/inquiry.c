// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Asking Prometheus, webhooks and commands for one inquiry, and making one evidence of what they answer. */
#include <stdio.h>
#include <string.h>
#include "common/text.h"
#include "fetch.h"
#include "hook.h"
#include "inquiry.h"
#include "request.h"

void inquiry_take_answer(struct inquiry *inquiry, const struct gate_evidence *evidence)
{
	inquiry->evidence = *evidence;
	inquiry->asked = inquiry->asking;
	inquiry->answer = ++inquiry->sources->answers;
}

/* --- Prometheus ------------------------------------------------------------------------------------------------------------------ */

static void part_ended(struct inquiry *inquiry)
{
	struct prometheus_value values[PROMETHEUS_PARTS];
	struct gate_evidence evidence;
	size_t i;

	if (--inquiry->under_way)
		return;
	for (i = 0; i < PROMETHEUS_PARTS; i++)
		values[i] = inquiry->parts[i].value;
	prometheus_evidence(values, inquiry_has_samples_query(inquiry), &evidence);
	inquiry_take_answer(inquiry, &evidence);
}

static void part_fails(struct part *part, const char *reason)
{
	part->value.verdict = GATE_ERROR;
	snprintf(part->value.reason, sizeof(part->value.reason), "%.*s", (int)sizeof(part->value.reason) - 1, reason);
	text_clean(part->value.reason);
	part_ended(part->inquiry);
}

static void on_part(const struct fetch_answer *answer, void *arg)
{
	struct part *part = arg;
	char reason[GATE_REASON_SIZE];

	if (answer->outcome == FETCH_CANCELLED)
		return;
	if (answer->outcome != FETCH_ANSWERED) {
		part_fails(part, answer->reason);
	} else if (answer->redirect) {
		snprintf(reason, sizeof(reason), "HTTP %d, give that URL instead: %.180s", answer->status, answer->redirect);
		part_fails(part, reason);
	} else {
		prometheus_read(answer->status, answer->body, answer->length, &part->value);
		part_ended(part->inquiry);
	}
}

static int ask_url(struct part *part, const char *query, const struct prometheus_names *names, struct error *err)
{
	const struct gate *gate = &part->inquiry->gate;
	char filled[PROMETHEUS_QUERY_SIZE], url[PROMETHEUS_URL_SIZE];
	const struct fetch_question question = {
	    .url = url, .token_file = gate->token_file, .ca_file = gate->ca_file, .timeout = gate->timeout};
	int rc = prometheus_fill(query, names, filled, err);

	rc = rc ? rc : prometheus_url(gate->url, filled, url, err);
	if (!rc && fetch_ask(part->inquiry->sources->fetch, &question, on_part, part))
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	return rc;
}

static void ask_part(struct inquiry *inquiry, enum prometheus_part which, const struct service *service, struct instant now)
{
	const struct gate *gate = &inquiry->gate;
	const struct rollout *rollout = &service->rollout;
	bool is_candidate = which == PROMETHEUS_CANDIDATE || which == PROMETHEUS_CANDIDATE_SAMPLES;
	struct duration step = {now.unix_ms - rollout->step_began.unix_ms};
	const struct prometheus_names names = {
	    .version = is_candidate ? rollout->target : rollout->baseline,
	    .baseline = rollout->baseline,
	    .service = service->name,
	    /* What was before the step is not its doing. */
	    .window = gate->window.ms && gate->window.ms < step.ms ? gate->window : step,
	};
	struct error err;

	if (ask_url(&inquiry->parts[which], which < PROMETHEUS_CANDIDATE_SAMPLES ? gate->query : gate->samples_query, &names,
		    &err))
		part_fails(&inquiry->parts[which], err.message);
}

void inquiry_ask_prometheus(struct inquiry *inquiry, const struct service *service, struct instant now)
{
	size_t i, count = inquiry_has_samples_query(inquiry) ? PROMETHEUS_PARTS : PROMETHEUS_CANDIDATE_SAMPLES;

	inquiry->under_way = count;
	for (i = 0; i < count; i++)
		ask_part(inquiry, (enum prometheus_part)i, service, now);
}

/* --- webhooks and commands ------------------------------------------------------------------------------------------------------- */

static void on_hook(const struct hook_result *result, void *arg)
{
	struct inquiry *inquiry = arg;
	struct gate_evidence evidence;

	if (result->outcome == HOOK_CANCELLED)
		return;
	inquiry->under_way = 0;
	hook_evidence(result, &evidence);
	inquiry_take_answer(inquiry, &evidence);
}

static json_t *facts_of(const struct gate *gate, const struct service *service)
{
	const struct rollout *rollout = &service->rollout;

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:i, s:i, s:o}", "event", "gate", "gate", gate->name, "service",
			 service->name, "version", rollout->target, "candidate", rollout->target, "baseline", rollout->baseline,
			 "rollout", (json_int_t)rollout->number, "step", (int)rollout->step + 1, "steps",
			 (int)rollout->plan.stage_count, "weight", json_percent(rollout->plan.stages[rollout->step].weight));
}

void inquiry_ask_hook(struct inquiry *inquiry, const struct service *service)
{
	const struct gate *gate = &inquiry->gate;
	json_t *facts = facts_of(gate, service);
	const struct hook_order order = {
	    .place = gate->source == GATE_SOURCE_WEBHOOK ? gate->url : gate->command,
	    .facts = facts,
	    .token_file = gate->token_file,
	    .ca_file = gate->ca_file,
	    .timeout = gate->timeout,
	};

	inquiry->under_way = 1;
	if (!facts || hook_run(inquiry->sources->hook, &order, on_hook, inquiry))
		on_hook(&(struct hook_result){.outcome = HOOK_FAILED, .reason = "out of memory"}, inquiry);
	json_decref(facts);
}
