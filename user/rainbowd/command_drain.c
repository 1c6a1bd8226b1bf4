// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Drains and their undoing, rollbacks, evictions. */
#include <stdio.h>
#include <string.h>
#include "commands.h"
#include "drain.h"

/* A deadline counts from the start of the drain, so that an order given twice means the same as given once. */
static void set_deadline(struct drain *drain, const struct drain_order *order, const struct drain_policy *policy, bool fresh)
{
	int64_t after_ms = order->has_deadline ? order->deadline.ms : policy->deadline.ms;
	bool never = order->has_deadline ? order->never : !policy->deadline.ms;

	if (fresh)
		drain->on_deadline = policy->on_deadline;
	if (order->has_on_deadline)
		drain->on_deadline = order->on_deadline;
	if (!fresh && !order->has_deadline)
		return;
	drain->deadline.unix_ms = never ? 0 : drain->started.unix_ms + after_ms;
}

static void begin_drain(struct version *version, const struct drain_order *order, const struct drain_policy *policy,
			struct instant now)
{
	version->state = RAINBOW_VERSION_DRAINING;
	version->drain = (struct drain){.started = now};
	set_deadline(&version->drain, order, policy, true);
}

void version_begin_drain(struct version *version, const struct drain_policy *policy, struct instant now)
{
	const struct drain_order by_policy = {0};

	begin_drain(version, &by_policy, policy, now);
}

int command_drain(struct service *service, const char *label, const struct drain_order *order, const struct counts *counts,
		  struct instant now, struct error *err)
{
	struct version *version;
	int rc = service_get_version(service, label, &version, err);

	if (rc)
		return rc;
	rc = rollout_guard(service, label, err);
	if (rc)
		return rc;
	if (version->state != RAINBOW_VERSION_ACTIVE) {
		set_deadline(&version->drain, order, &service->settings.drain, false);
		return 0;
	}
	if (version->weight)
		weights_remember(service, counts);
	rc = weights_hand_over(service, version, err);
	if (rc)
		return rc;
	begin_drain(version, order, &service->settings.drain, now);
	return 0;
}

void version_end_drain(struct version *version)
{
	version->state = RAINBOW_VERSION_ACTIVE;
	version->drain = (struct drain){0};
}

int command_undrain(struct service *service, const char *label, struct error *err)
{
	struct version *version;
	int rc = service_get_version(service, label, &version, err);

	if (rc)
		return rc;
	if (version->state != RAINBOW_VERSION_ACTIVE)
		version_end_drain(version);
	return 0;
}

/* The largest share before the last change; the older version of equals. */
static int default_target(const struct service *service, struct version **target, struct error *err)
{
	const struct rollout *rollout = &service->rollout;
	struct version *best = NULL, *baseline;
	size_t i;

	/* After a rollout that went through: where it came from, whatever its last steps were. */
	*target = rollout->state == ROLLOUT_COMPLETE ? service_find_version(service, rollout->target) : NULL;
	baseline = service_find_version(service, rollout->baseline);
	if (*target && (*target)->weight == 1000 && baseline) {
		*target = baseline;
		return 0;
	}
	for (i = 0; i < service->version_count; i++) {
		struct version *version = &service->versions[i];

		if (version->previous_weight && (!best || version->previous_weight > best->previous_weight))
			best = version;
	}
	if (!best)
		return error_set(err, ERROR_PRECONDITION, "to",
				 "the weights of %s never changed, so there is nothing to go back to; say where: rainbowctl "
				 "rollback %s --to LABEL",
				 service->name, service->name);
	if (best->weight == 1000)
		return error_set(err, ERROR_PRECONDITION, "to",
				 "version %s, which had the largest share before the last change, takes all new sessions "
				 "already; say where: rainbowctl rollback %s --to LABEL",
				 best->label, service->name);
	*target = best;
	return 0;
}

static int find_target(const struct service *service, const struct rollback_order *order, struct version **target,
		       struct error *err)
{
	if (order->to)
		return service_get_version(service, order->to, target, err);
	if (rollout_is_active(&service->rollout))
		return service_get_version(service, service->rollout.baseline, target, err);
	return default_target(service, target, err);
}

static void leave_behind(struct version *version, const struct rollback_order *order, const struct drain_policy *policy)
{
	struct drain_order drain = {.has_deadline = order->sessions == ROLLBACK_RESET};

	if (order->sessions != ROLLBACK_KEEP)
		begin_drain(version, &drain, policy, order->now);
	version->weight = 0;
}

static const char *reason_of(const struct rollback_order *order)
{
	return order->reason[0] ? order->reason : "rollback was ordered";
}

/* A rollout that is under way ends as by `rollout abort`; and what waits behind it would take the way back away again. */
static int abort_rollout(struct service *service, const struct rollback_order *order, const struct counts *counts,
			 struct error *err)
{
	const struct rollout *rollout = &service->rollout;
	const struct rollout_order abort = {.verb = ROLLOUT_ABORT, .reason = reason_of(order), .now = order->now};

	command_rollout_unqueue(service);
	if (!rollout_is_active(rollout))
		return 0;
	if (order->to && strcmp(order->to, rollout->target) == 0)
		return error_set(err, ERROR_PRECONDITION, "to",
				 "version %s is what rollout %llu of %s brings in, so it is no way back; to give it all new "
				 "sessions: rainbowctl rollout promote %s --full",
				 order->to, (unsigned long long)rollout->number, service->name, service->name);
	return command_rollout_order(service, &abort, counts, err);
}

/* Is this the way back from a rollout that was complete? Then somebody has judged what it brought in. */
static void quarantine_target(struct service *service, const struct version *to, const struct rollback_order *order)
{
	const struct rollout *rollout = &service->rollout;
	struct version *left = service_find_version(service, rollout->target);
	char why[ROLLOUT_REASON_SIZE];

	if (rollout->state != ROLLOUT_COMPLETE || strcmp(to->label, rollout->baseline) != 0 || !left || !left->weight ||
	    left->quarantine[0])
		return;
	snprintf(why, sizeof(why), "complete, then rolled back by hand: %s", reason_of(order));
	command_rollout_quarantine(left, rollout, why);
}

int command_rollback(struct service *service, const struct rollback_order *order, const struct counts *counts,
		     struct version **target, struct error *err)
{
	bool loses[RAINBOW_MAX_VERSIONS_PER_SERVICE] = {false};
	int rc = find_target(service, order, target, err);
	size_t i;

	for (i = 0; i < service->version_count; i++)
		loses[i] = service->versions[i].weight != 0; /* also where the abort takes it away */
	rc = rc ? rc : abort_rollout(service, order, counts, err);
	if (rc)
		return rc;
	if (!version_active_backends(*target))
		return error_set(err, ERROR_PRECONDITION, "to",
				 "version %s has no backend; add one first: rainbowctl backend add %s %s ADDR:PORT",
				 (*target)->label, service->name, (*target)->label);
	quarantine_target(service, *target, order);
	if ((*target)->weight != 1000)
		weights_remember(service, counts);
	for (i = 0; i < service->version_count; i++)
		if (loses[i] && &service->versions[i] != *target)
			leave_behind(&service->versions[i], order, &service->settings.drain);
	if ((*target)->state != RAINBOW_VERSION_ACTIVE)
		version_end_drain(*target);
	(*target)->weight = 1000;
	return 0;
}

int command_evict(struct service *service, const char *label, struct duration older_than, uint32_t rate, struct instant now,
		  struct error *err)
{
	/* Pins know the second in which they began; so that none is closed too early, one more. */
	struct instant cutoff = {.unix_ms = now.unix_ms - (older_than.ms ? older_than.ms + 1000 : 0)};
	struct version *version;
	int rc = service_get_version(service, label, &version, err);

	if (rc)
		return rc;
	version->eviction = (struct eviction){.asked = now, .cutoff = cutoff, .rate = rate};
	return 0;
}
