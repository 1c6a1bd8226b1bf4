// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See version_room.h. */
#include <stdio.h>
#include <string.h>
#include "drain.h"
#include "version_room.h"

#define LIST_SIZE 224 /* of the draining versions; the sentence around it fits into an error too */
#define ENTRY_MAX 64

static bool is_forced(const struct version *version, struct instant now)
{
	return drain_is_closing(version->state, &version->drain, now);
}

/* Those that are not drained; without those that are being closed, if these have made room already. */
static size_t count_versions(const struct service *service, bool without_forced, struct instant now)
{
	size_t i, count = 0;

	for (i = 0; i < service->version_count; i++) {
		const struct version *version = &service->versions[i];

		count += version->state != RAINBOW_VERSION_DRAINED && !(without_forced && is_forced(version, now));
	}
	return count;
}

static bool can_be_forced(const struct version *version, struct instant now)
{
	return version->state == RAINBOW_VERSION_DRAINING && !version->weight && !is_forced(version, now);
}

/* The one that has been draining the longest; the older one of equals. */
static const struct version *find_oldest(const struct service *service, struct instant now)
{
	const struct version *oldest = NULL;
	size_t i;

	for (i = 0; i < service->version_count; i++) {
		const struct version *version = &service->versions[i];

		if (can_be_forced(version, now) && (!oldest || version->drain.started.unix_ms < oldest->drain.started.unix_ms))
			oldest = version;
	}
	return oldest;
}

static void say_version(const struct version *version, const struct counts *counts, char entry[ENTRY_MAX])
{
	if (counts)
		snprintf(entry, ENTRY_MAX, "%s (%llu live)", version->label, (unsigned long long)counts->live[version->id]);
	else
		snprintf(entry, ENTRY_MAX, "%s (live unknown)", version->label);
}

/* "v1 (3 live), v2 (0 live) and 4 more"; how many there are. */
static size_t list_draining(const struct service *service, const struct counts *counts, char list[LIST_SIZE])
{
	size_t i, length = 0, count = 0, left_out = 0;
	char entry[ENTRY_MAX];

	list[0] = '\0';
	for (i = 0; i < service->version_count; i++) {
		if (service->versions[i].state != RAINBOW_VERSION_DRAINING)
			continue;
		say_version(&service->versions[i], counts, entry);
		left_out += left_out || length + strlen(entry) + 24 > LIST_SIZE;
		if (!left_out)
			length += (size_t)snprintf(list + length, LIST_SIZE - length, "%s%s", count ? ", " : "", entry);
		count++;
	}
	if (left_out)
		snprintf(list + length, LIST_SIZE - length, " and %zu more", left_out);
	return count;
}

static int refuse(const struct service *service, const struct counts *counts, size_t count, struct error *err)
{
	const char *are = count == 1 ? " that is" : "s that are";
	char list[LIST_SIZE];

	if (!list_draining(service, counts, list))
		return error_set(err, ERROR_PRECONDITION, "label",
				 "service %s has %zu version%s not drained, its max_versions is %u, and none is draining; "
				 "drain one first: rainbowctl drain %s LABEL",
				 service->name, count, are, service->settings.max_versions, service->name);
	return error_set(err, ERROR_PRECONDITION, "label",
			 "service %s has %zu version%s not drained, its max_versions is %u; draining: %s; wait for one, or "
			 "end it: rainbowctl evict %s LABEL",
			 service->name, count, are, service->settings.max_versions, list, service->name);
}

int version_room(const struct service *service, const struct counts *counts, struct instant now, uint32_t *forced,
		 struct error *err)
{
	bool force = service->settings.on_max_versions == ON_MAX_FORCE_OLDEST;
	size_t count = count_versions(service, force, now);
	const struct version *oldest;

	*forced = 0;
	if (count < service->settings.max_versions)
		return 0;
	oldest = force ? find_oldest(service, now) : NULL;
	if (!oldest)
		return refuse(service, counts, count, err);
	*forced = oldest->id;
	return 0;
}

int version_room_check(const struct service *service, uint32_t before, struct error *err)
{
	size_t i, active = 0;

	for (i = 0; i < service->version_count; i++)
		active += service->versions[i].state == RAINBOW_VERSION_ACTIVE;
	if (active <= service->settings.max_versions || service->settings.max_versions >= before)
		return 0;
	return error_set(
	    err, ERROR_PRECONDITION, "max_versions",
	    "service %s has %zu active versions, more than a max_versions of %u; drain some first: rainbowctl drain "
	    "%s LABEL",
	    service->name, active, service->settings.max_versions, service->name);
}

void version_force(struct version *version, struct instant now)
{
	version->drain.deadline = now;
	version->drain.on_deadline = ON_DEADLINE_RESET;
}
