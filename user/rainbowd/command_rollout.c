// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Rollouts as they change a service: starting one, and carrying out what the machine (rollout.c) has decided. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include "commands.h"
#include "common/text.h"
#include "tuple.h"

/* --- starting ----------------------------------------------------------------------------------------------------------- */

static int check_target(const struct service *service, const struct version *target, struct error *err)
{
	if (target->quarantine[0])
		return error_set(err, ERROR_PRECONDITION, "target",
				 "version %s is in quarantine: %s; to allow it again: rainbowctl version unquarantine %s %s",
				 target->label, target->quarantine, service->name, target->label);
	if (!version_active_backends(target))
		return error_set(err, ERROR_PRECONDITION, "target",
				 "version %s has no backend; add one first: rainbowctl backend add %s %s ADDR:PORT",
				 target->label, service->name, target->label);
	if (target->weight == 1000)
		return error_set(err, ERROR_PRECONDITION, "target", "version %s takes all new sessions of %s already",
				 target->label, service->name);
	return 0;
}

/* The one version beside the target that has a share; where there are several, a person has to say which is compared with. */
static int default_baseline(const struct service *service, const struct version *target, struct version **out,
			    struct error *err)
{
	struct version *found = NULL;
	size_t i;

	for (i = 0; i < service->version_count; i++) {
		struct version *version = &service->versions[i];

		if (version == target || !version->weight)
			continue;
		if (found)
			return error_set(
			    err, ERROR_PRECONDITION, "baseline",
			    "versions %s and %s both take new sessions of %s; say which one %s is compared with, and "
			    "takes what %s does not: --baseline %s (in a document: rollout.baseline)",
			    found->label, version->label, service->name, target->label, target->label, found->label);
		found = version;
	}
	if (!found)
		return error_set(err, ERROR_PRECONDITION, "baseline", "no other version of %s takes new sessions",
				 service->name);
	*out = found;
	return 0;
}

static int find_baseline(const struct service *service, const char *label, const struct version *target, struct version **out,
			 struct error *err)
{
	int rc;

	if (!label)
		return default_baseline(service, target, out, err);
	rc = service_get_version(service, label, out, err);
	if (rc)
		return rc;
	if (*out == target)
		return error_set(err, ERROR_BAD_INPUT, "baseline", "version %s can not be compared with itself", label);
	if ((*out)->state != RAINBOW_VERSION_ACTIVE || !version_active_backends(*out))
		return error_set(err, ERROR_PRECONDITION, "baseline", "version %s is %s%s: it can not take what %s does not",
				 label, version_state_name((*out)->state),
				 version_active_backends(*out) ? "" : " and has no backend", target->label);
	return 0;
}

static void set_weights(struct service *service, const struct version *target, const struct version *baseline, uint32_t weight,
			const struct counts *counts)
{
	size_t i;

	weights_remember(service, counts);
	for (i = 0; i < service->version_count; i++) {
		struct version *version = &service->versions[i];

		// NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a service with a baseline has versions
		version->weight = version == target ? weight : version == baseline ? 1000 - weight : 0;
	}
}

static void keep_order(struct rollout *rollout, const struct rollout_start *order, const struct rollout_plan *plan)
{
	text_copy(rollout->queued_baseline, sizeof(rollout->queued_baseline), order->baseline ? order->baseline : "");
	rollout->queued_plan = *plan;
	rollout->queued_without_gates = order->without_gates;
}

void command_rollout_unqueue(struct service *service)
{
	struct rollout *rollout = &service->rollout;

	rollout->queued[0] = rollout->queued_baseline[0] = '\0';
	rollout->queued_without_gates = false;
	memset(&rollout->queued_plan, 0, sizeof(rollout->queued_plan));
}

/* The target that gives way: its sessions live on, and drain. */
static void leave_superseded(struct service *service, const char *label, struct instant now)
{
	struct version *version = service_find_version(service, label);

	if (version && version->state == RAINBOW_VERSION_ACTIVE && !version->weight)
		version_begin_drain(version, &service->settings.drain, now);
}

/* Nothing is raised without evidence, unless a person says so. */
static int check_gates(const struct service *service, bool without_gates, struct error *err)
{
	struct gate *defaults = calloc(SETTINGS_GATES_MAX, sizeof(*defaults));
	const struct gate *gates;
	size_t i, count, deciding = 0;

	if (!defaults)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	gates = settings_gates(&service->settings, defaults, &count);
	for (i = 0; i < count; i++)
		deciding += !gates[i].shadow && !(service->protocol == IPPROTO_UDP && gates[i].source == GATE_SOURCE_KERNEL);
	free(defaults);
	if (deciding || without_gates)
		return 0;
	return error_set(
	    err, ERROR_PRECONDITION, "gates",
	    "service %s has no gate that could judge %s; lay some down (rainbowctl apply -f), or say --no-gates: then each "
	    "step goes on when its hold is over",
	    service->name, service->protocol == IPPROTO_UDP ? "UDP sessions" : "a rollout");
}

int command_rollout_start(struct service *service, const struct rollout_start *order, const struct counts *counts,
			  struct instant now, bool *queued, struct error *err)
{
	const struct rollout_plan *plan = order->plan ? order->plan : &service->settings.plan;
	struct rollout *rollout = &service->rollout;
	bool gives_way = rollout_is_active(rollout);
	struct version *target, *baseline = NULL;
	char superseded[ROLLOUT_LABEL_SIZE], kept[ROLLOUT_LABEL_SIZE], changed[TUPLE_DIFF_SIZE];
	enum rollout_action action;
	int rc = service_get_version(service, order->target, &target, err);

	rc = rc ? rc : check_target(service, target, err);
	rc = rc ? rc : check_gates(service, order->without_gates, err);
	rc = rc ? rc : rollout_offer(rollout, service->name, target->label, plan->on_new_target, &action, err);
	*queued = !rc && action == ROLLOUT_NOTE;
	if (*queued)
		keep_order(rollout, order, plan);
	if (rc || *queued)
		return rc;
	if (gives_way && order->baseline && !strcmp(order->baseline, rollout->target))
		return error_set(
		    err, ERROR_CONFLICT, "baseline",
		    "version %s is what rollout %llu of %s brings in, and not proven; leave the baseline out (it is %s "
		    "then), or first: rainbowctl rollout promote %s --full",
		    order->baseline, (unsigned long long)rollout->number, service->name, rollout->baseline, service->name);
	text_copy(superseded, sizeof(superseded), gives_way ? rollout->target : "");
	text_copy(kept, sizeof(kept), gives_way ? rollout->baseline : "");
	rc = find_baseline(service, order->baseline || !gives_way ? order->baseline : kept, target, &baseline, err);
	if (rc)
		return rc;
	if (target->state != RAINBOW_VERSION_ACTIVE)
		version_end_drain(target);
	rollout_begin(rollout, target->label, baseline->label, plan, order->without_gates, order->reason, now);
	text_copy(rollout->changed, sizeof(rollout->changed), tuple_diff(&baseline->tuple, &target->tuple, changed));
	set_weights(service, target, baseline, plan->stages[0].weight, counts);
	leave_superseded(service, superseded, now);
	return 0;
}

/* --- carrying out --------------------------------------------------------------------------------------------------------- */

void command_rollout_quarantine(struct version *target, const struct rollout *rollout, const char *why)
{
	snprintf(target->quarantine, sizeof(target->quarantine), "rollout %llu: %.220s", (unsigned long long)rollout->number,
		 why);
	text_clean(target->quarantine);
}

static void roll_back(struct service *service, struct version *target, struct version *baseline, const struct counts *counts,
		      struct instant now)
{
	const struct rollout *rollout = &service->rollout;

	if (baseline->state != RAINBOW_VERSION_ACTIVE)
		version_end_drain(baseline);
	set_weights(service, NULL, baseline, 0, counts);
	if (!target)
		return;
	if (target->state == RAINBOW_VERSION_ACTIVE)
		version_begin_drain(target, &service->settings.drain, now);
	if (!target->quarantine[0]) /* else a person has said already why */
		command_rollout_quarantine(target, rollout, rollout->reason);
}

int command_rollout_do(struct service *service, enum rollout_action action, const struct counts *counts, struct instant now,
		       struct error *err)
{
	const struct rollout *rollout = &service->rollout;
	struct version *target = service_find_version(service, rollout->target);
	struct version *baseline = service_find_version(service, rollout->baseline);

	if (action == ROLLOUT_STAY || action == ROLLOUT_NOTE)
		return 0;
	if (!baseline || (action == ROLLOUT_SET && !target))
		return error_set(err, ERROR_PRECONDITION, "rollout", "version %s of %s is gone: rollout %llu can not go on",
				 baseline ? rollout->target : rollout->baseline, service->name,
				 (unsigned long long)rollout->number);
	if (action == ROLLOUT_SET)
		set_weights(service, target, baseline, rollout->plan.stages[rollout->step].weight, counts);
	else if (action == ROLLOUT_ROLL_BACK)
		roll_back(service, target, baseline, counts, now);
	else if (baseline->state == RAINBOW_VERSION_ACTIVE && !baseline->weight)
		version_begin_drain(baseline, &service->settings.drain, now);
	return 0;
}

/* The one that is tried again has been draining since it was rolled back; its baseline must still be what new sessions get. */
static int prepare_retry(struct service *service, struct error *err)
{
	struct version *target, *baseline;
	int rc = service_get_version(service, service->rollout.target, &target, err);

	rc = rc ? rc : check_target(service, target, err);
	rc = rc ? rc : check_gates(service, service->rollout.without_gates, err);
	rc = rc ? rc : find_baseline(service, service->rollout.baseline, target, &baseline, err);
	if (!rc && target->state != RAINBOW_VERSION_ACTIVE)
		version_end_drain(target);
	if (rc || baseline->weight)
		return rc;
	return error_set(
	    err, ERROR_PRECONDITION, "baseline",
	    "version %s, which %s was compared with, takes no new sessions any more; begin anew with what takes them "
	    "now: rainbowctl rollout start %s %s",
	    baseline->label, target->label, service->name, target->label);
}

int command_rollout_order(struct service *service, const struct rollout_order *order, const struct counts *counts,
			  struct error *err)
{
	enum rollout_action action = ROLLOUT_STAY;
	int rc = 0;

	if (order->verb == ROLLOUT_RETRY && service->rollout.state == ROLLOUT_ROLLED_BACK)
		rc = prepare_retry(service, err);
	rc = rc ? rc : rollout_command(&service->rollout, service->name, order, &action, err);
	return rc ? rc : command_rollout_do(service, action, counts, order->now, err);
}

/* --- gates that change meanwhile -------------------------------------------------------------------------------------------- */

static bool gates_equal(const struct gate *a, const struct gate *b)
{
	struct settings one, other;

	settings_init(&one);
	settings_init(&other);
	one.gates_given = other.gates_given = true;
	one.gate_count = other.gate_count = 1;
	one.gates = (struct gate *)a;
	other.gates = (struct gate *)b;
	return settings_equal(&one, &other);
}

/* The place that this gate has among the old ones; -1: it is new. */
static int old_place(const struct gate *old, size_t old_count, const struct gate *gate)
{
	size_t i;

	for (i = 0; i < old_count; i++)
		if (gates_equal(&old[i], gate))
			return (int)i;
	return -1;
}

/* Between sets of gates: the rollout's memory and numbers are still those of the old ones. */
static void carry_memory(struct rollout *rollout, const struct gate *old, size_t old_count, const struct gate *gates,
			 size_t count)
{
	struct gate_memory memory[SETTINGS_GATES_MAX];
	uint32_t ids[SETTINGS_GATES_MAX], laid = rollout->gates_laid;
	size_t i;

	memset(memory, 0, sizeof(memory));
	memcpy(ids, rollout->gate_ids, sizeof(ids));
	for (i = 0; i < count; i++) {
		int place = old_place(old, old_count, &gates[i]);

		ids[i] = place < 0 ? ++laid : rollout->gate_ids[place];
		if (place >= 0)
			memory[i] = rollout->memory[place];
	}
	// NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): a service holds its rollout
	memcpy(rollout->memory, memory, sizeof(memory));
	if (memcmp(ids, rollout->gate_ids, sizeof(ids)) == 0)
		return;
	memcpy(rollout->gate_ids, ids, sizeof(ids));
	rollout->gates_laid = laid + 1;
}

int command_settings_read(struct service *service, const json_t *object, const char *place, struct error *err)
{
	struct gate *defaults = calloc(2 * SETTINGS_GATES_MAX, sizeof(*defaults));
	struct settings before;
	const struct gate *old, *gates;
	size_t old_count, count;
	int rc;

	if (!defaults || settings_copy(&before, &service->settings)) {
		free(defaults);
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	}
	rc = settings_read(object, place, &service->settings, err);
	if (!rc) {
		old = settings_gates(&before, defaults, &old_count);
		gates = settings_gates(&service->settings, defaults + SETTINGS_GATES_MAX, &count);
		carry_memory(&service->rollout, old, old_count, gates, count);
	}
	settings_fini(&before);
	free(defaults);
	return rc;
}

/* --- what others may not do meanwhile ------------------------------------------------------------------------------------- */

int rollout_guard(const struct service *service, const char *label, struct error *err)
{
	const struct rollout *rollout = &service->rollout;

	if (!rollout_is_active(rollout))
		return 0;
	if (label && strcmp(label, rollout->target) != 0 && strcmp(label, rollout->baseline) != 0)
		return 0;
	return error_set(
	    err, ERROR_PRECONDITION, label ? "version" : "weights",
	    "rollout %llu of %s from %s to %s is under way and sets the weights; end it first: rainbowctl rollout abort %s, or "
	    "rainbowctl rollout promote %s --full",
	    (unsigned long long)rollout->number, service->name, rollout->baseline, rollout->target, service->name,
	    service->name);
}
