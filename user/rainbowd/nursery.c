/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* See nursery.h; the rules are those of headers/rainbow/nursery.h. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include "rainbowd/nursery.h"

#define LOOKS 16

int nursery_open(struct nursery *nursery, int fd, uint32_t buckets, const __u64 secret[RAINBOW_TABLE_SECRET])
{
	void *base = mmap(NULL, buckets * sizeof(struct rainbow_nursery_bucket), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (base == MAP_FAILED)
		return -errno;
	*nursery = (struct nursery){.buckets = base, .count = buckets};
	memcpy(nursery->secret, secret, sizeof(nursery->secret));
	return 0;
}

void nursery_close(struct nursery *nursery)
{
	if (nursery->buckets)
		munmap(nursery->buckets, nursery->count * sizeof(struct rainbow_nursery_bucket));
	nursery->buckets = NULL;
}

/* The index of the flow's cot, or RAINBOW_COTS. */
static uint32_t cot_of(const struct rainbow_nursery_bucket *bucket, uint64_t hash, const struct rainbow_flow *flow)
{
	uint64_t cots = rainbow_ways_of(bucket->tags, rainbow_table_tag(hash));

	for (; cots; cots &= cots - 1)
		if (rainbow_flow_is(&bucket->cot[rainbow_way_first(cots)].flow, flow))
			return rainbow_way_first(cots);
	return RAINBOW_COTS;
}

int nursery_find(const struct nursery *nursery, const struct rainbow_flow *flow, struct rainbow_nursling *out)
{
	uint64_t hash = rainbow_table_hash(nursery->secret, flow);
	const struct rainbow_nursery_bucket *bucket = &nursery->buckets[rainbow_table_bucket(hash, nursery->count)];
	struct rainbow_nursery_bucket copy;
	uint32_t cot;
	int looks;

	for (looks = 0; looks < LOOKS; looks++) {
		uint32_t turn = __atomic_load_n(&bucket->turn, __ATOMIC_ACQUIRE);

		memcpy(&copy, bucket, sizeof(copy));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (rainbow_turn_is_odd(turn) || __atomic_load_n(&bucket->turn, __ATOMIC_RELAXED) != turn)
			continue;
		cot = cot_of(&copy, hash, flow);
		if (cot == RAINBOW_COTS)
			return -ENOENT;
		*out = copy.cot[cot].nursling;
		return 0;
	}
	return -EAGAIN;
}

int nursery_put(const struct nursery *nursery, const struct rainbow_flow *flow, const struct rainbow_nursling *nursling)
{
	uint64_t hash = rainbow_table_hash(nursery->secret, flow), tag = rainbow_table_tag(hash);
	struct rainbow_nursery_bucket *bucket = &nursery->buckets[rainbow_table_bucket(hash, nursery->count)];
	uint64_t empty = rainbow_ways_of(bucket->tags, 0);
	uint32_t cot = cot_of(bucket, hash, flow);

	if (cot == RAINBOW_COTS) {
		if (!empty || __builtin_popcountll(rainbow_ways_of(bucket->tags, tag)) >= RAINBOW_SAME_TAGS)
			return -ENOSPC;
		cot = rainbow_way_first(empty);
	}
	bucket->cot[cot] = (struct rainbow_cot){.nursling = *nursling, .flow = *flow};
	bucket->written[cot] = bucket->turn;
	bucket->turn += 2;
	bucket->tags = rainbow_nursery_tags(bucket->tags, cot, tag);
	return 0;
}
