// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Drains and their undoing, rollbacks, evictions. */
#include <string.h>
#include "commands.h"
#include "drain.h"

/* A deadline counts from the start of the drain, so that an order given twice means the same as given once. */
static void set_deadline(struct drain *drain, const struct drain_order *order, bool fresh)
{
	int64_t after_ms = order->has_deadline ? order->deadline.ms : DRAIN_DEFAULT_DEADLINE_MS;

	if (order->has_on_deadline)
		drain->on_deadline = order->on_deadline;
	if (!fresh && !order->has_deadline)
		return;
	drain->deadline.unix_ms = order->has_deadline && order->never ? 0 : drain->started.unix_ms + after_ms;
}

static void begin_drain(struct version *version, const struct drain_order *order, struct instant now)
{
	version->state = RAINBOW_VERSION_DRAINING;
	version->drain = (struct drain){.started = now};
	set_deadline(&version->drain, order, true);
}

int command_drain(struct service *service, const char *label, const struct drain_order *order, const struct counts *counts,
		  struct instant now, struct error *err)
{
	struct version *version;
	int rc = service_get_version(service, label, &version, err);

	if (rc)
		return rc;
	if (version->state != RAINBOW_VERSION_ACTIVE) {
		set_deadline(&version->drain, order, false);
		return 0;
	}
	if (version->weight)
		weights_remember(service, counts);
	rc = weights_hand_over(service, version, err);
	if (rc)
		return rc;
	begin_drain(version, order, now);
	return 0;
}

static void end_drain(struct version *version)
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
		end_drain(version);
	return 0;
}

/* The largest share before the last change; the older version of equals. */
static int default_target(const struct service *service, struct version **target, struct error *err)
{
	struct version *best = NULL;
	size_t i;

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

static void leave_behind(struct version *version, enum rollback_sessions sessions, struct instant now)
{
	struct drain_order order = {.has_deadline = sessions == ROLLBACK_RESET};

	if (version->weight && sessions != ROLLBACK_KEEP)
		begin_drain(version, &order, now);
	version->weight = 0;
}

int command_rollback(struct service *service, const char *to, enum rollback_sessions sessions, const struct counts *counts,
		     struct instant now, struct version **target, struct error *err)
{
	int rc = to ? service_get_version(service, to, target, err) : default_target(service, target, err);
	size_t i;

	if (rc)
		return rc;
	if (!version_active_backends(*target))
		return error_set(err, ERROR_PRECONDITION, "to",
				 "version %s has no backend; add one first: rainbowctl backend add %s %s ADDR:PORT",
				 (*target)->label, service->name, (*target)->label);
	if ((*target)->weight != 1000)
		weights_remember(service, counts);
	for (i = 0; i < service->version_count; i++)
		if (&service->versions[i] != *target)
			leave_behind(&service->versions[i], sessions, now);
	if ((*target)->state != RAINBOW_VERSION_ACTIVE)
		end_drain(*target);
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
