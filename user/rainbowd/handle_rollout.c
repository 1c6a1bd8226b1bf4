// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Rollouts: starting one, what a person may order of it, and how it is shown. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "commands.h"
#include "common/text.h"
#include "handlers.h"
#include "pilot.h"
#include "show_rollout.h"

static int put_in_force(struct request *request, struct change *change, int rc, json_t **reply, struct error *err)
{
	rc = rc ? rc : change_commit(change, request->dry_run, err);
	change_end(change);
	if (rc) {
		json_decref(*reply);
		*reply = NULL;
	}
	return rc;
}

/* --- starting --------------------------------------------------------------------------------------------------------------- */

struct start_body {
	struct rollout_start order;
	struct rollout_plan plan;
};

static int read_on_new_target(const json_t *body, struct rollout_plan *plan, struct error *err)
{
	static const char *const words[] = {"supersede", "queue", "reject"};
	const char *word;
	size_t i;
	int rc = body_string(body, "on_new_target", false, &word, err);

	if (rc || !word)
		return rc;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i], word) == 0) {
			plan->on_new_target = (enum on_new_target)i;
			return 0;
		}
	}
	return error_set(err, ERROR_BAD_INPUT, "on_new_target",
			 "unknown word %.40s for on_new_target; there is supersede, queue, reject", word);
}

/* "steps" as text, "5,25,50,100"; "hold" for the steps that name none. */
static int read_plan(const json_t *body, const struct service *service, struct start_body *out, struct error *err)
{
	struct duration hold = service->settings.plan.stages[0].hold;
	const char *steps;
	bool has_hold;
	size_t i;
	int rc = body_string(body, "steps", false, &steps, err);

	out->plan = service->settings.plan;
	rc = rc ? rc : body_duration(body, "hold", &has_hold, &hold, err);
	rc = rc ? rc : read_on_new_target(body, &out->plan, err);
	if (rc)
		return rc;
	if (steps)
		rc = rollout_plan_parse(steps, hold, "steps", &out->plan, err);
	else if (has_hold)
		for (i = 0; i < out->plan.stage_count; i++)
			out->plan.stages[i].hold = hold;
	out->order.plan = &out->plan;
	return rc;
}

static int read_start(const json_t *body, const struct service *service, struct start_body *out, struct error *err)
{
	static const char *const keys[] = {"target", "baseline", "steps", "hold", "on_new_target", "gates", NULL};
	const json_t *gates = json_object_get(body, "gates");
	int rc = body_check_keys(body, keys, err);

	rc = rc ? rc : body_string(body, "target", true, &out->order.target, err);
	rc = rc ? rc : body_string(body, "baseline", false, &out->order.baseline, err);
	if (!rc && gates && !json_is_boolean(gates))
		rc = error_set(err, ERROR_BAD_INPUT, "gates",
			       "\"gates\" must be true, or false for a rollout that nothing judges");
	out->order.without_gates = json_is_false(gates);
	return rc ? rc : read_plan(body, service, out, err);
}

/* What an operator should know before he goes to bed. */
static json_t *warnings_of(struct daemon *daemon, const struct service *service)
{
	json_t *list = json_array();

	if (service->rollout.without_gates)
		json_array_append_new(list,
				      json_string("without gates: each step goes on when its hold is over, whatever happens"));
	else if (!settings_judge_quality(&service->settings))
		json_array_append_new(list, json_string("no quality gate: only transport is judged (latency, resets, failed "
							"connections), not whether answers are good"));
	if (service->rollout.plan.stage_count > 1)
		show_advice(daemon, service, list);
	return list;
}

/* "; rollout 1 to v2 is superseded: v2 drains" */
static const char *superseded_text(const struct rollout *was, char *text, size_t size)
{
	if (!rollout_is_active(was))
		return "";
	snprintf(text, size, "; rollout %" PRIu64 " to %s is superseded: %s drains%s%s%s", was->number, was->target,
		 was->target, was->queued[0] ? ", and " : "", was->queued, was->queued[0] ? " does not wait any more" : "");
	return text;
}

static json_t *reply_start(const struct request *request, const struct change *change, bool queued)
{
	const struct service *service = change->after;
	const struct rollout *rollout = &service->rollout;
	char percent[16], superseded[192];
	json_t *reply;

	if (queued) {
		reply = reply_done(request, service, "the rollout of %s to %s waits for the end of rollout %" PRIu64 " to %s",
				   service->name, rollout->queued, rollout->number, rollout->target);
		json_object_set_new(reply, "queued", json_true());
		return reply;
	}
	reply =
	    reply_done(request, service, "rollout %" PRIu64 " of %s from %s to %s began: %s takes %s %% of new sessions%s%s%s",
		       rollout->number, service->name, rollout->baseline, rollout->target, rollout->target,
		       percent_format(rollout->plan.stages[0].weight, percent), rollout->changed[0] ? "; changed: " : "",
		       rollout->changed, superseded_text(&change->before->rollout, superseded, sizeof(superseded)));
	json_object_set_new(reply, "rollout", show_rollout(request->daemon, service));
	json_object_set_new(reply, "warnings", warnings_of(request->daemon, service));
	return reply;
}

int handle_rollout_start(struct request *request, json_t **reply, struct error *err)
{
	struct start_body start = {.order.reason = request->note->reason};
	struct change change;
	bool queued = false;
	int rc = change_begin(&change, request->daemon, request->variable[0], err);

	if (rc)
		return rc;
	rc = read_start(request->body, change.after, &start, err);
	rc = rc ? rc : command_rollout_start(change.after, &start.order, &change.counts, instant_now(), &queued, err);
	if (!rc) {
		text_copy(request->note->version, sizeof(request->note->version), start.order.target);
		*reply = reply_start(request, &change, queued);
	}
	return put_in_force(request, &change, rc, reply, err);
}

/* --- orders ----------------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum rollout_verb verb;
} verbs[] = {{"pause", ROLLOUT_PAUSE},
	     {"resume", ROLLOUT_RESUME},
	     {"promote", ROLLOUT_PROMOTE},
	     {"abort", ROLLOUT_ABORT},
	     {"retry", ROLLOUT_RETRY}};

static int read_order(const struct request *request, struct rollout_order *order, struct error *err)
{
	static const char *const keys[] = {"full", "from_step", NULL};
	const json_t *full = json_object_get(request->body, "full");
	size_t i;
	int rc = body_check_keys(request->body, keys, err);

	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, request->variable[1]) == 0)
			break;
	if (!rc && i == sizeof(verbs) / sizeof(verbs[0]))
		rc = error_set(err, ERROR_NOT_FOUND, "path",
			       "a rollout can not be told to %.40s; there is pause, resume, promote, abort, retry",
			       request->variable[1]);
	if (rc)
		return rc;
	order->verb = verbs[i].verb;
	snprintf(request->note->verb, sizeof(request->note->verb), "rollout %s", request->variable[1]);
	if (full && !json_is_boolean(full))
		return error_set(err, ERROR_BAD_INPUT, "full", "\"full\" must be true or false");
	order->full = json_is_true(full);
	if (order->verb != ROLLOUT_PROMOTE && json_object_size(request->body))
		return error_set(err, ERROR_BAD_INPUT, "full", "only promote takes full and from_step");
	return body_number(request->body, "from_step", 1, SETTINGS_STEPS_MAX, &order->from_step, err);
}

static json_t *reply_order(const struct request *request, const struct change *change, enum rollout_verb verb)
{
	const struct service *service = change->after;
	const struct rollout *rollout = &service->rollout;
	char percent[16];
	json_t *reply;

	if (verb == ROLLOUT_ABORT)
		reply = reply_done(request, service,
				   "rollout %" PRIu64 " of %s is aborted: all new sessions go to %s; %s drains, in quarantine",
				   rollout->number, service->name, rollout->baseline, rollout->target);
	else if (rollout->state == ROLLOUT_COMPLETE)
		reply = reply_done(request, service, "rollout %" PRIu64 " of %s is complete: all new sessions go to %s",
				   rollout->number, service->name, rollout->target);
	else
		reply = reply_done(request, service, "rollout %" PRIu64 " of %s to %s is %s at step %u of %zu, %s %%",
				   rollout->number, service->name, rollout->target, rollout_state_name(rollout->state),
				   rollout->step + 1, rollout->plan.stage_count,
				   percent_format(rollout->plan.stages[rollout->step].weight, percent));
	json_object_set_new(reply, "rollout", show_rollout(request->daemon, service));
	return reply;
}

int handle_rollout_order(struct request *request, json_t **reply, struct error *err)
{
	struct rollout_order order = {.reason = request->note->reason, .now = instant_now()};
	struct change change;
	int rc = change_begin(&change, request->daemon, request->variable[0], err);

	if (rc)
		return rc;
	text_copy(change.after->rollout.reason, ROLLOUT_REASON_SIZE, pilot_reason(request->daemon->pilot, change.before));
	rc = read_order(request, &order, err);
	rc = rc ? rc : command_rollout_order(change.after, &order, &change.counts, err);
	if (!rc) {
		text_copy(request->note->version, sizeof(request->note->version), change.after->rollout.target);
		*reply = reply_order(request, &change, order.verb);
	}
	return put_in_force(request, &change, rc, reply, err);
}

/* --- looking ---------------------------------------------------------------------------------------------------------------- */

int handle_rollout_show(struct request *request, json_t **reply, struct error *err)
{
	struct service *service;
	int rc = model_get_service(&request->daemon->model, request->variable[0], &service, err);

	if (rc)
		return rc;
	*reply = json_pack("{s:s, s:o}", "service", service->name, "rollout", show_rollout(request->daemon, service));
	return 0;
}

int handle_gate_explain(struct request *request, json_t **reply, struct error *err)
{
	struct service *service;
	char *text = NULL;
	int rc = model_get_service(&request->daemon->model, request->variable[0], &service, err);

	rc = rc ? rc : pilot_explain(request->daemon->pilot, service, request->variable[1], &text, err);
	if (rc)
		return rc;
	*reply = json_pack("{s:s, s:s, s:s}", "service", service->name, "gate", request->variable[1], "text", text);
	free(text);
	return 0;
}
