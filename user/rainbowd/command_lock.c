// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Locks of services, quarantine of versions. */
#include <stdio.h>
#include <string.h>
#include "commands.h"
#include "common/text.h"

/* "uid 1000 since 2026-11-26T09:00:00Z (why)" */
static const char *holder_of(const struct lock *lock, char *text, size_t size)
{
	char since[INSTANT_TEXT_SIZE];

	snprintf(text, size, "uid %u since %s (%s)", lock->uid, instant_format(lock->since, since), lock->reason);
	return text;
}

int service_check_unlocked(const struct service *service, struct error *err)
{
	char holder[300];

	if (!service->lock.since.unix_ms)
		return 0;
	return error_set(err, ERROR_CONFLICT, "service",
			 "service %s is locked by %s against automation and applies; ask there, or: rainbowctl unlock %s",
			 service->name, holder_of(&service->lock, holder, sizeof(holder)), service->name);
}

int command_lock(struct service *service, uint32_t uid, const char *reason, struct instant now, struct error *err)
{
	char holder[300];

	if (!*reason)
		return error_set(err, ERROR_BAD_INPUT, "reason", "a lock needs a reason, for whoever meets it");
	if (service->lock.since.unix_ms)
		return error_set(err, ERROR_CONFLICT, "service",
				 "service %s is locked already, by %s; take it over by unlocking it first", service->name,
				 holder_of(&service->lock, holder, sizeof(holder)));
	service->lock = (struct lock){.since = now, .uid = uid};
	text_copy(service->lock.reason, sizeof(service->lock.reason), reason);
	return 0;
}

void command_unlock(struct service *service)
{
	service->lock = (struct lock){0};
}

int command_quarantine(struct service *service, const char *label, const char *reason, const struct counts *counts,
		       struct instant now, struct error *err)
{
	const struct rollout_order abort = {.verb = ROLLOUT_ABORT, .reason = reason, .now = now};
	struct version *version;
	int rc = service_get_version(service, label, &version, err);

	if (rc)
		return rc;
	if (!*reason)
		return error_set(err, ERROR_BAD_INPUT, "reason", "a quarantine needs a reason, for whoever meets it");
	if (version->quarantine[0])
		return error_set(err, ERROR_CONFLICT, "version", "version %s of %s is in quarantine already (%s)", label,
				 service->name, version->quarantine);
	text_copy(version->quarantine, sizeof(version->quarantine), reason);
	if (!rollout_is_active(&service->rollout) || strcmp(label, service->rollout.target) != 0)
		return 0;
	return command_rollout_order(service, &abort, counts, err);
}

int command_unquarantine(struct service *service, const char *label, struct error *err)
{
	struct version *version;
	int rc = service_get_version(service, label, &version, err);

	if (!rc)
		version->quarantine[0] = '\0';
	return rc;
}
