/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* See pin_table.h. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <bpf/bpf.h>
#include "rainbowd/pin_table.h"
#include "rainbowd/pin_walk.h"

#define LOOKS 4

int pin_table_open(struct pin_table *table, int table_fd, uint32_t buckets, const __u64 secret[RAINBOW_TABLE_SECRET],
		   int overflow_fd)
{
	void *base = mmap(NULL, buckets * sizeof(struct rainbow_bucket), PROT_READ | PROT_WRITE, MAP_SHARED, table_fd, 0);

	if (base == MAP_FAILED)
		return -errno;
	*table = (struct pin_table){.buckets = base, .count = buckets, .overflow_fd = overflow_fd};
	memcpy(table->secret, secret, sizeof(table->secret));
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

struct showing {
	bool (*each)(const struct rainbow_flow *flow, const struct rainbow_pin *pin, void *arg);
	void *arg;
};

static bool overflow_show(const struct rainbow_flow *flow, const void *pin, void *arg)
{
	const struct showing *showing = arg;

	return showing->each(flow, pin, showing->arg);
}

int pin_table_each(const struct pin_table *table,
		   bool (*each)(const struct rainbow_flow *flow, const struct rainbow_pin *pin, void *arg), void *arg)
{
	struct showing showing = {.each = each, .arg = arg};
	uint32_t i;

	for (i = 0; i < table->count; i++)
		if (bucket_show(&table->buckets[i], each, arg))
			return 0;
	return pin_walk(table->overflow_fd, sizeof(struct rainbow_pin), overflow_show, &showing);
}
