/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Making room: pins that have ended leave the table when they have lingered, in two steps (see the states in
 * headers/rainbow/maps.h). The sweep does it for rainbowd, once a second; where rainbowd is dead and the table fills up, the
 * datapath does it by itself. Only the winner of a compare-and-swap may delete.
 */
#ifndef RAINBOW_BPF_RECLAIM_H
#define RAINBOW_BPF_RECLAIM_H

#include "session.h"

struct bpf_map; /* what the callbacks are handed; opaque */

/* No pointers in it: it is handed to functions that the verifier looks at by themselves. */
struct sweep_state {
	__u32 now;
	__u32 hz;
	__u32 linger;
	__u32 tombstone;
	__u32 nursery;
	__u32 ask_limit;
	__u32 due;
	__u32 buried; /* pins that died */
	__u32 freed;  /* ... and whose places were given back */
	__u32 idled;
	__u32 ghosts;
	__u32 ghost_limit;
	__u32 vanished;
	__u32 since;  /* jiffies since the sweep before */
	__u32 second; /* CLOCK_MONOTONIC; the sweep alone knows it */
	__u32 reserved;
	__u64 entries;
};

static __always_inline int is_older(const struct sweep_state *s, __u32 since, __u32 seconds)
{
	return (__s32)(s->now - since) >= 0 && s->now - since > seconds * s->hz;
}

static __always_inline void sweep_bury(struct sweep_state *s, struct rainbow_pin *pin, enum rainbow_pin_state from)
{
	struct pin_head head = pin_head(pin);

	if (head.state != from || !pin_move(pin, &head, RAINBOW_PIN_DEAD))
		return;
	pin->last_seen = s->now;
	s->buried++;
	if (pin->kind != RAINBOW_PIN_FLOW)
		count_closing(head.version, -1);
}

/* A second after it died nobody can hold it any more. 1: it is the caller's to give its place back. */
static __always_inline int sweep_free(struct sweep_state *s, struct rainbow_pin *pin)
{
	struct rainbow_meta *meta = meta_get();
	struct pin_head head = pin_head(pin);

	if (!is_older(s, pin->last_seen, 1) || head.state != RAINBOW_PIN_DEAD || !pin_move(pin, &head, RAINBOW_PIN_FREED))
		return 0;
	if (meta)
		__sync_fetch_and_add(&meta->pins, -1);
	s->freed++;
	return 1;
}

static __always_inline void sweep_begin(struct sweep_state *s, const struct rainbow_meta *meta)
{
	s->now = jiffies_now();
	s->hz = meta->hz;
	s->linger = meta->linger_seconds;
	s->tombstone = meta->tombstone_seconds;
	s->nursery = meta->nursery_seconds;
}

#define RECLAIM_MANY 16384

/* Returns whether the caller is to give its place back. */
__noinline int reclaim_pin(struct rainbow_pin *pin, struct sweep_state *s)
{
	enum rainbow_pin_state state;

	if (!pin || !s)
		return 0;
	state = pin->state;
	if (state == RAINBOW_PIN_CLOSING && is_older(s, pin->last_seen, s->linger))
		sweep_bury(s, pin, state);
	else if (state == RAINBOW_PIN_KILLED && is_older(s, pin->last_seen, s->tombstone))
		sweep_bury(s, pin, state);
	else if (state == RAINBOW_PIN_DEAD)
		return sweep_free(s, pin);
	return 0;
}

/* bpf_for_each_map_elem callback. */
static long reclaim_bucket(struct bpf_map *map, const __u32 *index, struct rainbow_bucket *bucket, struct sweep_state *s)
{
	__u32 i;

	for (i = 0; i < RAINBOW_WAYS; i++)
		if (way_is_taken(bucket, i) && reclaim_pin(&bucket->way[i].pin, s))
			way_free(bucket, i);
	return s->buried + s->freed >= RECLAIM_MANY;
}

/* bpf_for_each_map_elem callback. */
static long reclaim_overflow(struct bpf_map *map, const struct rainbow_flow *flow, struct rainbow_pin *pin,
			     struct sweep_state *s)
{
	struct rainbow_flow own = *flow;

	if (reclaim_pin(pin, s))
		overflow_free(&own);
	return s->buried + s->freed >= RECLAIM_MANY;
}

#define RECLAIM_PAUSE 8 /* seconds without a sweep that tell that rainbowd is dead: a million pins are swept every five */
#define RECLAIM_SOON  2 /* ... until the second step */

static __always_inline int is_nearly_full(const struct rainbow_meta *meta)
{
	return meta->pins >= meta->pin_limit - meta->pin_limit / 16;
}

/*
 * Called where a session opens. The walk ends when it has found enough, which in a table full of ended sessions takes a few
 * milliseconds; only in one full of live ones it is as long as a sweep. It is in the middle of a packet's way: which is why it
 * is done only where there is no other hand to do it, and hardly ever.
 */
static __noinline int reclaim(void)
{
	struct rainbow_meta *meta = meta_get();
	struct sweep_state s = {};
	__u64 now, swept;

	if (!meta || !is_nearly_full(meta))
		return 0;
	now = bpf_jiffies64();
	swept = meta->swept;
	if (now - swept < RECLAIM_PAUSE * meta->hz || __sync_val_compare_and_swap(&meta->swept, swept, now) != swept)
		return 0;
	sweep_begin(&s, meta);
	bpf_for_each_map_elem(&rainbow_table, reclaim_bucket, &s, 0);
	bpf_for_each_map_elem(&rainbow_pin, reclaim_overflow, &s, 0);
	if (s.buried || s.freed)
		meta->swept = now - (RECLAIM_PAUSE - RECLAIM_SOON) * meta->hz;
	return 0;
}

#endif
