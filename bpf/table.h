/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The pin table: finding the pin of a flow, and giving a flow a place. Its rules, and why no flow is in it twice, are in
 * headers/rainbow/table.h. A place is given back only by the sweep and by reclaim(), for pins whose change to FREED they won.
 */
#ifndef RAINBOW_BPF_TABLE_H
#define RAINBOW_BPF_TABLE_H

#include <rainbow/table.h>
#include "maps.h"
#include "pin.h"

/* The key of a flow. Port and service in one store: the kernel hashes them as one word, and a load over two stores waits. */
static __always_inline void flow_make(struct rainbow_flow *flow, const struct rainbow_addr *client, __u16 port, __u32 service)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	__u32 rest = service << 16 | port;
#else
	__u32 rest = (__u32)port << 16 | (service & 0xffff);
#endif

	flow->client = *client;
	__builtin_memcpy(&flow->port, &rest, sizeof(rest));
}

/* Where a flow belongs. */
struct spot {
	struct rainbow_bucket *bucket; /* NULL only where there is no table */
	__u64 tag;
};

static __always_inline void spot_find(struct spot *spot, const struct rainbow_flow *flow)
{
	struct rainbow_meta *meta = meta_get();
	__u64 hash;
	__u32 index;

	spot->bucket = NULL;
	if (!meta)
		return;
	hash = rainbow_table_hash(meta->table_secret, flow);
	spot->tag = rainbow_table_tag(hash);
	index = rainbow_table_bucket(hash, meta->buckets);
	spot->bucket = bpf_map_lookup_elem(&rainbow_table, &index);
}

static __always_inline __u64 bucket_control(const struct rainbow_bucket *bucket)
{
	return *(const volatile __u64 *)&bucket->control;
}

static __always_inline struct rainbow_way *way_get(struct rainbow_bucket *bucket, __u32 index)
{
	/* The verifier wants to see the bound. */
	asm volatile("" : "+r"(index));
	return &bucket->way[index & (RAINBOW_WAYS - 1)];
}

/*
 * Is this the flow's pin? The state is read before the key: a way whose pin is settled keeps its key for a second more, at
 * least (see DEAD), so the key read then is that pin's.
 */
static __always_inline int way_is(const struct rainbow_way *way, const struct rainbow_flow *flow)
{
	enum rainbow_pin_state state = *(const volatile enum rainbow_pin_state *)&way->pin.state;

	return state != RAINBOW_PIN_FREE && state != RAINBOW_PIN_FREED && rainbow_flow_is(&way->flow, flow);
}

/* The pin where nearly every one is: in the first way with its tag. NULL: pin_find tells. */
static __always_inline struct rainbow_pin *pin_find_first(const struct rainbow_flow *flow)
{
	struct rainbow_way *way;
	struct spot spot;
	__u64 ways;

	spot_find(&spot, flow);
	if (!spot.bucket)
		return NULL;
	ways = rainbow_ways_of(bucket_control(spot.bucket), spot.tag);
	if (!ways)
		return NULL;
	way = way_get(spot.bucket, rainbow_way_first(ways));
	return way_is(way, flow) ? &way->pin : NULL;
}

/* What there is of a flow in its bucket, as `control` names the ways. */
struct found {
	struct rainbow_pin *pin;
	__u8 unsettled; /* none, but some CPU is at work on a way with its tag */
	__u8 crowded;   /* none, and its tag has no more room here */
};

static __always_inline struct found bucket_find(const struct spot *spot, __u64 control, const struct rainbow_flow *flow)
{
	__u64 ways = rainbow_ways_of(control, spot->tag);
	struct found found = {};
	int i;

	for (i = 0; i < RAINBOW_SAME_TAGS; i++) {
		struct rainbow_way *way;

		if (!ways)
			return found;
		way = way_get(spot->bucket, rainbow_way_first(ways));
		if (way_is(way, flow)) {
			found.pin = &way->pin;
			return found;
		}
		found.unsettled |= !pin_is_settled(way->pin.state);
		ways &= ways - 1;
	}
	found.crowded = 1;
	return found;
}

/* The flow's pin, or NULL. `flow` lies on the stack (before Linux 6.2 a map helper takes its key from nowhere else). */
static __noinline struct rainbow_pin *pin_find(const struct rainbow_flow *flow)
{
	struct found found;
	struct spot spot;
	__u64 control;

	spot_find(&spot, flow);
	if (!spot.bucket)
		return NULL;
	control = bucket_control(spot.bucket);
	found = bucket_find(&spot, control, flow);
	if (found.pin || !rainbow_overflow_of(control))
		return found.pin;
	return bpf_map_lookup_elem(&rainbow_pin, flow);
}

static __always_inline int control_replace(struct rainbow_bucket *bucket, __u64 from, __u64 to)
{
	return __sync_val_compare_and_swap(&bucket->control, from, to) == from;
}

/* The state last, in one piece with version and backend: until then the way is nobody's. */
static __always_inline void way_fill(struct rainbow_way *way, const struct rainbow_flow *flow, const struct rainbow_pin *fresh)
{
	const struct pin_head free = {}, head = pin_head(fresh);

	way->flow = *flow;
	pin_fill(&way->pin, fresh);
	way->pin.flows = fresh->flows;
	pin_replace(&way->pin, &free, &head);
}

/* A way that a CPU has just claimed is taken, and its pin in no settled state. */
static __always_inline int way_is_taken(const struct rainbow_bucket *bucket, __u32 index)
{
	return (bucket_control(bucket) & rainbow_way_tag(index, RAINBOW_TAG_MASK)) != 0;
}

static __always_inline void way_free(struct rainbow_bucket *bucket, __u32 index)
{
	volatile __u64 *head = (void *)way_get(bucket, index);

	*head = 0;
	__sync_fetch_and_and(&bucket->control, ~rainbow_way_tag(index & (RAINBOW_WAYS - 1), RAINBOW_TAG_MASK));
}

static __always_inline void overflow_leave(struct rainbow_bucket *bucket, struct rainbow_meta *meta)
{
	__sync_fetch_and_add(&bucket->control, -RAINBOW_OVERFLOW_ONE);
	__sync_fetch_and_add(&meta->overflowed, -1);
}

/* Takes the flow's pin out of rainbow_pin. */
static __always_inline void overflow_free(const struct rainbow_flow *flow)
{
	struct rainbow_meta *meta = meta_get();
	struct spot spot;

	spot_find(&spot, flow);
	if (spot.bucket && meta && !bpf_map_delete_elem(&rainbow_pin, flow))
		overflow_leave(spot.bucket, meta);
}

enum placed {
	PLACED,
	PLACED_LOST, /* somebody else changed the bucket, or inserted the flow: look again */
	PLACED_FULL,
};

/* Counts one more pin, where that is not one too many. Only who has claimed a place asks: nobody is refused for one who lost. */
static __always_inline int pins_take(struct rainbow_meta *meta)
{
	if (*(const volatile __u64 *)&meta->pins >= meta->pin_limit)
		return 0;
	if (__sync_fetch_and_add(&meta->pins, 1) < meta->pin_limit)
		return 1;
	__sync_fetch_and_add(&meta->pins, -1);
	return 0;
}

static __always_inline enum placed place_in_way(const struct spot *spot, __u64 control, __u32 index, struct rainbow_meta *meta,
						const struct rainbow_flow *flow, const struct rainbow_pin *fresh)
{
	if (!control_replace(spot->bucket, control, control | rainbow_way_tag(index, spot->tag)))
		return PLACED_LOST;
	if (!pins_take(meta)) {
		way_free(spot->bucket, index);
		return PLACED_FULL;
	}
	way_fill(way_get(spot->bucket, index), flow, fresh);
	return PLACED;
}

/* In no settled state until it is counted: who looks for the flow meanwhile neither follows it nor makes another. */
static __always_inline enum placed place_in_overflow(const struct spot *spot, __u64 control, struct rainbow_meta *meta,
						     const struct rainbow_flow *flow, struct rainbow_pin *fresh)
{
	struct pin_head is = pin_head(fresh), setup = is;
	struct rainbow_pin *pin;
	int error;

	if (rainbow_overflow_of(control) == RAINBOW_OVERFLOW_MAX)
		return PLACED_FULL;
	if (!control_replace(spot->bucket, control, control + RAINBOW_OVERFLOW_ONE))
		return PLACED_LOST;
	__sync_fetch_and_add(&meta->overflowed, 1);
	setup.state = RAINBOW_PIN_SETUP;
	fresh->state = RAINBOW_PIN_SETUP;
	/* An int: before Linux 6.4 the upper half of the result is not the sign. */
	error = (int)bpf_map_update_elem(&rainbow_pin, flow, fresh, BPF_NOEXIST);
	fresh->state = is.state;
	pin = error ? NULL : bpf_map_lookup_elem(&rainbow_pin, flow);
	if (pin && pins_take(meta)) {
		pin_move(pin, &setup, is.state);
		return PLACED;
	}
	if (!error)
		bpf_map_delete_elem(&rainbow_pin, flow);
	overflow_leave(spot->bucket, meta);
	return error && error != -7 /* E2BIG */ ? PLACED_LOST : PLACED_FULL;
}

/* Gives the flow a place, if the bucket is still as `control` says. */
static __always_inline enum placed place(const struct spot *spot, __u64 control, int crowded, struct rainbow_meta *meta,
					 const struct rainbow_flow *flow, struct rainbow_pin *fresh)
{
	__u64 free = crowded ? 0 : rainbow_ways_of(control, 0);

	if (free && !rainbow_overflow_of(control))
		return place_in_way(spot, control, rainbow_way_first(free), meta, flow, fresh);
	return place_in_overflow(spot, control, meta, flow, fresh);
}

#endif
