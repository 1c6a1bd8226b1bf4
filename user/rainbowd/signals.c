// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See signals.h. */
#include <errno.h>
#include <string.h>
#include <time.h>
#include "rainbowd/datapath.h"
#include "rainbowd/signals.h"

#define NS_PER_SECOND 1000000000ull
/* A cohort is to be in force everywhere before the first session that may belong to it. That takes 6 ms; more on a busy machine. */
#define COHORT_AHEAD_NS 100000000ull
#define COHORT_TRIES    10

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

/* --- reading ------------------------------------------------------------------------------------------------------------ */

static struct rainbow_cohort cohort_of(struct datapath *dp, uint32_t service)
{
	uint64_t word = __atomic_load_n((const uint64_t *)&datapath_service(dp, service)->cohort, __ATOMIC_ACQUIRE);
	struct rainbow_cohort cohort;

	memcpy(&cohort, &word, sizeof(cohort));
	return cohort;
}

int signals_read(struct datapath *dp, uint32_t service, uint32_t version, enum signal_scope scope, struct rainbow_signal *out,
		 struct error *err)
{
	struct rainbow_cohort cohort = cohort_of(dp, service);
	uint32_t slot = scope == SIGNAL_EVER ? RAINBOW_SLOT_EVER : rainbow_cohort_slot(cohort.number);
	int rc =
	    scope == SIGNAL_COHORT && !cohort.number ? -ENOENT : datapath_signal_read(dp, rainbow_record(version, slot), out);

	if (rc == -ENOENT)
		return error_set(err, ERROR_NOT_FOUND, "version", "nothing is measured of version %u%s", version,
				 scope == SIGNAL_COHORT ? " in the present cohort" : "");
	return rc ? error_set(err, ERROR_INTERNAL, NULL, "rainbow_signal can not be read: %s", strerror(-rc)) : 0;
}

int signals_traffic(struct datapath *dp, uint32_t version, struct rainbow_traffic *out, struct error *err)
{
	int rc = datapath_traffic_read(dp, version, out);

	return rc ? error_set(err, ERROR_INTERNAL, NULL, "rainbow_traffic can not be read: %s", strerror(-rc)) : 0;
}

/* --- records ------------------------------------------------------------------------------------------------------------ */

static int refuse_record(int rc, struct error *err)
{
	return error_set(err, ERROR_INTERNAL, NULL, "no record to measure into: %s", strerror(-rc));
}

int signals_add(struct datapath *dp, uint32_t version, struct error *err)
{
	int rc = datapath_signal_make(dp, rainbow_record(version, RAINBOW_SLOT_EVER));

	if (rc == -EEXIST)
		return 0;
	rc = rc ? rc : datapath_traffic_empty(dp, version);
	return rc ? refuse_record(rc, err) : 0;
}

void signals_remove(struct datapath *dp, uint32_t version)
{
	uint32_t slot;

	for (slot = RAINBOW_SLOT_EVER; slot < RAINBOW_SLOTS; slot++)
		datapath_signal_remove(dp, rainbow_record(version, slot));
	datapath_traffic_empty(dp, version);
}

/* --- cohorts ------------------------------------------------------------------------------------------------------------- */

static bool is_listed(const uint32_t *versions, size_t count, uint32_t id)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (versions[i] == id)
			return true;
	return false;
}

/* Records of this slot for these versions, all zero, and for no other of the service. */
static int slot_empty(struct datapath *dp, uint32_t service, uint32_t slot, const uint32_t *versions, size_t count,
		      struct error *err)
{
	uint32_t id;
	size_t i;
	int rc = 0;

	for (id = 1; id <= RAINBOW_MAX_VERSIONS; id++)
		if (datapath_version(dp, id)->service == service && !is_listed(versions, count, id))
			datapath_signal_remove(dp, rainbow_record(id, slot));
	for (i = 0; !rc && i < count; i++)
		rc = datapath_signal_empty(dp, rainbow_record(versions[i], slot));
	return rc ? refuse_record(rc, err) : 0;
}

/* 0 is no cohort's number; the parity goes on. */
static uint32_t number_next(uint32_t number)
{
	return number == UINT32_MAX ? 2 : number + 1;
}

static void cohort_store(struct datapath *dp, uint32_t service, struct rainbow_cohort cohort)
{
	uint64_t word;

	memcpy(&word, &cohort, sizeof(word));
	__atomic_store_n((uint64_t *)&datapath_service(dp, service)->cohort, word, __ATOMIC_RELEASE);
}

/*
 * The slot that is not in force is emptied: nobody has written into it since the barrier of the cohort in force. Then both words change
 * at once. *late: the first session that belongs to it may have opened before every CPU knew.
 */
static int cohort_begin(struct datapath *dp, uint32_t service, const uint32_t *versions, size_t count, bool *late,
			struct error *err)
{
	struct rainbow_cohort cohort = {.number = number_next(cohort_of(dp, service).number)};
	int rc = slot_empty(dp, service, rainbow_cohort_slot(cohort.number), versions, count, err);

	if (rc)
		return rc;
	cohort.began = (uint32_t)((now_ns() + COHORT_AHEAD_NS) / NS_PER_SECOND);
	cohort_store(dp, service, cohort);
	rc = datapath_barrier(dp, err);
	*late = now_ns() / NS_PER_SECOND > cohort.began;
	return rc;
}

int signals_begin_cohort(struct datapath *dp, uint32_t service, const uint32_t *versions, size_t count, struct error *err)
{
	bool late = true;
	int tries, rc = 0;

	for (tries = 0; !rc && late && tries < COHORT_TRIES; tries++)
		rc = cohort_begin(dp, service, versions, count, &late, err);
	if (!rc && late)
		rc = error_set(err, ERROR_INTERNAL, NULL,
			       "a cohort could not begin: this machine took a tenth of a second for what takes 6 ms, %d times",
			       COHORT_TRIES);
	return rc;
}

uint32_t signals_cohort(struct datapath *dp, uint32_t service)
{
	return cohort_of(dp, service).number;
}

uint32_t signals_next_cohort(struct datapath *dp, uint32_t service)
{
	return number_next(signals_cohort(dp, service));
}
