/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* See pin_table.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <bpf/bpf.h>
#include "rainbowd/pin_table.h"

#define BATCH     4096 /* pins a system call */
#define BATCH_MAX (1u << 20)
#define LOOKS     4

int pin_table_open(struct pin_table *table, int table_fd, uint32_t buckets, const __u64 secret[2], int overflow_fd)
{
	void *base = mmap(NULL, buckets * sizeof(struct rainbow_bucket), PROT_READ | PROT_WRITE, MAP_SHARED, table_fd, 0);

	if (base == MAP_FAILED)
		return -errno;
	*table =
	    (struct pin_table){.buckets = base, .count = buckets, .secret = {secret[0], secret[1]}, .overflow_fd = overflow_fd};
	return 0;
}

void pin_table_close(struct pin_table *table)
{
	if (table->buckets)
		munmap(table->buckets, table->count * sizeof(struct rainbow_bucket));
	table->buckets = NULL;
}

/* --- in rainbow_table --------------------------------------------------------------------------------------------------- */

static uint64_t head_of(const struct rainbow_pin *pin)
{
	return __atomic_load_n((const uint64_t *)pin, __ATOMIC_ACQUIRE);
}

static bool is_settled(enum rainbow_pin_state state)
{
	return state != RAINBOW_PIN_FREE && state != RAINBOW_PIN_SETUP && state != RAINBOW_PIN_FREED;
}

/* A copy of the way between two looks at which its first word was the same. False: no flow's pin is there (yet). */
static bool way_read(const struct rainbow_way *way, struct rainbow_way *out)
{
	int looks;

	for (looks = 0; looks < LOOKS; looks++) {
		uint64_t head = head_of(&way->pin);

		memcpy(out, way, sizeof(*out));
		memcpy(&out->pin, &head, sizeof(head));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (head_of(&way->pin) == head)
			break;
	}
	return is_settled(out->pin.state);
}

static uint64_t control_of(const struct rainbow_bucket *bucket)
{
	return __atomic_load_n(&bucket->control, __ATOMIC_ACQUIRE);
}

int pin_table_find(const struct pin_table *table, const struct rainbow_flow *flow, struct rainbow_pin *out)
{
	uint64_t hash = rainbow_table_hash(table->secret, flow);
	const struct rainbow_bucket *bucket = &table->buckets[rainbow_table_bucket(hash, table->count)];
	uint64_t control = control_of(bucket), ways = rainbow_ways_of(control, rainbow_table_tag(hash));
	struct rainbow_way way;

	for (; ways; ways &= ways - 1) {
		if (!way_read(&bucket->way[rainbow_way_first(ways)], &way) || !rainbow_flow_is(&way.flow, flow))
			continue;
		*out = way.pin;
		return 0;
	}
	if (!rainbow_overflow_of(control))
		return -ENOENT;
	return bpf_map_lookup_elem(table->overflow_fd, flow, out) ? -errno : 0;
}

/* 0, or 1 to end. */
static int bucket_show(const struct rainbow_bucket *bucket,
		       bool (*each)(const struct rainbow_flow *flow, const struct rainbow_pin *pin, void *arg), void *arg)
{
	uint64_t control = control_of(bucket);
	struct rainbow_way way;
	uint32_t i;

	for (i = 0; i < RAINBOW_WAYS && control; i++)
		if (control & rainbow_way_tag(i, RAINBOW_TAG_MASK) && way_read(&bucket->way[i], &way) &&
		    !each(&way.flow, &way.pin, arg))
			return 1;
	return 0;
}

/* --- in rainbow_pin ----------------------------------------------------------------------------------------------------- */

struct batch {
	struct rainbow_flow *flows;
	struct rainbow_pin *pins;
	uint32_t room;
	uint32_t count;
	uint32_t place; /* where the next one begins */
	bool begun;
};

static void batch_free(struct batch *batch)
{
	free(batch->flows);
	free(batch->pins);
}

static int batch_grow(struct batch *batch)
{
	uint32_t room = batch->room ? 2 * batch->room : BATCH;

	if (room > BATCH_MAX)
		return -ENOSPC;
	batch_free(batch);
	batch->flows = calloc(room, sizeof(*batch->flows));
	batch->pins = calloc(room, sizeof(*batch->pins));
	batch->room = room;
	return batch->flows && batch->pins ? 0 : -ENOMEM;
}

/* 0: there is more; 1: that was the last; -errno. One hash bucket is never split, so a batch may be too small for it. */
static int batch_next(struct batch *batch, int fd)
{
	int rc;

	do {
		uint32_t next = 0;

		batch->count = batch->room;
		rc = bpf_map_lookup_batch(fd, batch->begun ? &batch->place : NULL, &next, batch->flows, batch->pins,
					  &batch->count, NULL)
			 ? -errno
			 : 0;
		if (!rc || rc == -ENOENT) {
			batch->place = next;
			batch->begun = true;
			return rc == -ENOENT;
		}
	} while (rc == -ENOSPC && !(rc = batch_grow(batch)));
	return rc;
}

static bool batch_show(const struct batch *batch,
		       bool (*each)(const struct rainbow_flow *flow, const struct rainbow_pin *pin, void *arg), void *arg)
{
	uint32_t i;

	for (i = 0; i < batch->count; i++)
		if (!each(&batch->flows[i], &batch->pins[i], arg))
			return false;
	return true;
}

static int overflow_each(int fd, bool (*each)(const struct rainbow_flow *flow, const struct rainbow_pin *pin, void *arg),
			 void *arg)
{
	struct batch batch = {};
	int rc = batch_grow(&batch);

	while (!rc) {
		rc = batch_next(&batch, fd);
		if (rc >= 0 && !batch_show(&batch, each, arg))
			rc = 1;
	}
	batch_free(&batch);
	return rc < 0 ? rc : 0;
}

int pin_table_each(const struct pin_table *table,
		   bool (*each)(const struct rainbow_flow *flow, const struct rainbow_pin *pin, void *arg), void *arg)
{
	uint32_t i;

	for (i = 0; i < table->count; i++)
		if (bucket_show(&table->buckets[i], each, arg))
			return 0;
	return overflow_each(table->overflow_fd, each, arg);
}
