/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The nursery's table: finding the cot of a flow, laying a nursling into it, emptying it. Its rules are in
 * headers/rainbow/nursery.h.
 */
#ifndef RAINBOW_BPF_COT_H
#define RAINBOW_BPF_COT_H

#include <rainbow/nursery.h>
#include "maps.h"

enum cot_found {
	COT_BUSY, /* another CPU was taken away while it changes the bucket: drop the packet, as a network may */
	COT_NONE, /* the flow has no cot; cot_put gives it one */
	COT_FOUND,
};

/* The cot of a flow, and a copy of what lies in it; or the one that it may have. */
struct cot {
	struct rainbow_nursling nursling;
	__u32 bucket;
	__u32 index;
	__u32 turn; /* of the bucket when it was read */
	__u32 tag;
};

static __always_inline struct rainbow_nursery_bucket *nursery_get(__u32 index)
{
	return bpf_map_lookup_elem(&rainbow_nursery, &index);
}

static __always_inline struct rainbow_cot *cot_get(struct rainbow_nursery_bucket *bucket, __u32 index)
{
	/* The verifier wants to see the bound. */
	asm volatile("" : "+r"(index));
	return &bucket->cot[index & (RAINBOW_COTS - 1)];
}

static __always_inline __u32 turn_read(const struct rainbow_nursery_bucket *bucket)
{
	__u32 turn = *(const volatile __u32 *)&bucket->turn;

	asm volatile("" ::: "memory");
	return turn;
}

/* bpf_loop callback: waits for another CPU's change, which takes it some nanoseconds. */
static long turn_step(__u32 i, __u32 *bucket)
{
	struct rainbow_nursery_bucket *own = nursery_get(*bucket);

	return !own || !rainbow_turn_is_odd(turn_read(own));
}

#define TURN_READS 8192 /* some 20 us: an interrupt's, which is the longest that a CPU is away unless it is a virtual one */

/*
 * Is the flow in the nursery? `cot` says where; if it is not, where it may lie: in an empty cot, else in the one that is longest
 * unchanged.
 */
static __always_inline int cot_search(struct rainbow_nursery_bucket *bucket, __u64 tag, const struct rainbow_flow *flow,
				      struct cot *cot)
{
	__u64 tags = *(const volatile __u64 *)&bucket->tags;
	__u64 cots = rainbow_ways_of(tags, tag), empty = rainbow_ways_of(tags, 0);
	int i;

	for (i = 0; i < RAINBOW_SAME_TAGS; i++) {
		if (!cots) {
			cot->index = empty ? rainbow_way_first(empty) : rainbow_nursery_oldest(bucket);
			return 0;
		}
		cot->index = rainbow_way_first(cots);
		if (rainbow_flow_is(&cot_get(bucket, cot->index)->flow, flow))
			return 1;
		cots &= cots - 1;
	}
	return 0; /* in the place of the last one with its tag, so that there are never more of these than are looked at */
}

#define COT_LOOKS 8

/* enum cot_found. */
__noinline int cot_find(const struct rainbow_flow *flow, struct cot *cot)
{
	struct rainbow_meta *meta = meta_get();
	struct rainbow_nursery_bucket *bucket;
	int is_there, i;
	__u32 index;
	__u64 hash;

	if (!flow || !cot || !meta)
		return COT_BUSY;
	hash = rainbow_table_hash(meta->table_secret, flow);
	index = rainbow_table_bucket(hash, meta->nursery_buckets);
	cot->bucket = index;
	cot->tag = rainbow_table_tag(hash);
	bucket = nursery_get(cot->bucket);
	if (!bucket)
		return COT_BUSY;
	for (i = 0; i < COT_LOOKS; i++) {
		cot->turn = turn_read(bucket);
		if (rainbow_turn_is_odd(cot->turn)) {
			bpf_loop(TURN_READS, turn_step, &index, 0);
			continue;
		}
		is_there = cot_search(bucket, cot->tag, flow, cot);
		if (is_there)
			cot->nursling = cot_get(bucket, cot->index)->nursling;
		asm volatile("" ::: "memory");
		if (turn_read(bucket) == cot->turn)
			return is_there ? COT_FOUND : COT_NONE;
	}
	return COT_BUSY;
}

/* The bucket, which is the caller's to write until cot_release; NULL: something in it has changed since the look. */
static __always_inline struct rainbow_nursery_bucket *cot_claim(const struct cot *cot)
{
	struct rainbow_nursery_bucket *bucket = nursery_get(cot->bucket);

	if (!bucket || __sync_val_compare_and_swap(&bucket->turn, cot->turn, cot->turn + 1) != cot->turn)
		return NULL;
	return bucket;
}

static __always_inline void cot_release(struct rainbow_nursery_bucket *bucket, const struct cot *cot)
{
	asm volatile("" ::: "memory");
	*(volatile __u32 *)&bucket->turn = cot->turn + 2;
}

/* Lays cot->nursling in. 0: something in the bucket has changed since the look. */
__noinline int cot_put(const struct rainbow_flow *flow, const struct cot *cot)
{
	struct rainbow_nursery_bucket *bucket;
	__u32 index;

	if (!flow || !cot)
		return 0;
	bucket = cot_claim(cot);
	if (!bucket)
		return 0;
	index = cot->index & (RAINBOW_COTS - 1);
	bucket->tags = rainbow_nursery_tags(bucket->tags, index, cot->tag);
	asm volatile("" : "+r"(index));
	bucket->written[index & (RAINBOW_COTS - 1)] = cot->turn;
	cot_get(bucket, index)->flow = *flow;
	cot_get(bucket, index)->nursling = cot->nursling;
	cot_release(bucket, cot);
	return 1;
}

/* Empties it; 0 as with cot_put. */
__noinline int cot_empty(const struct cot *cot)
{
	struct rainbow_nursery_bucket *bucket;

	if (!cot)
		return 0;
	bucket = cot_claim(cot);
	if (!bucket)
		return 0;
	bucket->tags = rainbow_nursery_tags(bucket->tags, cot->index & (RAINBOW_COTS - 1), 0);
	cot_get(bucket, cot->index)->nursling.state = RAINBOW_NURSERY_NONE; /* for whoever dumps the map */
	cot_release(bucket, cot);
	return 1;
}

/* Later than that it is forgotten, though it may lie there still. */
static __always_inline int nursling_is_fresh(const struct rainbow_nursling *n)
{
	struct rainbow_meta *meta = meta_get();

	return meta && jiffies_now() - n->began <= meta->nursery_seconds * meta->hz;
}

#define COT_TRIES 4 /* unrolled: Linux 6.1 refuses a loop that goes back behind a call ("back-edge") */

/* Empties the flow's cot, whatever lies in it. Returns whether it is gone. */
__noinline int nursery_forget(const struct rainbow_flow *flow)
{
	enum cot_found found;
	struct cot cot;
	int i;

	if (!flow)
		return 0;
#pragma unroll
	for (i = 0; i < COT_TRIES; i++) {
		found = cot_find(flow, &cot);
		if (found == COT_NONE || (found == COT_FOUND && cot_empty(&cot)))
			return 1;
	}
	return 0;
}

#endif
