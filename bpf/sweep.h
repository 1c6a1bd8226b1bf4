/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The sweep: walks all pins and the nursery, counts sessions one by one, ends idle ones, frees what has lingered, and lists
 * those that were told to die and whose ends have not heard of it, and those whose client may be gone. Deletes by the same rules as the datapath: only the winner of
 * a compare-and-swap may.
 */
#ifndef RAINBOW_BPF_SWEEP_H
#define RAINBOW_BPF_SWEEP_H

#include "ghost.h"
#include "reclaim.h"

#define FLOW_IDLE_TCP 86400 /* seconds, at least, for a flow of a client session: the session's own timeout begins behind it */
#define FLOW_IDLE_UDP 300
#define ASKS_MAX      8

/* Lists a session told to die for rainbowd to ask; at most ASKS_MAX times. */
static __always_inline void sweep_list(struct sweep_state *s, const struct rainbow_flow *key, struct rainbow_pin *pin)
{
	__u32 index = s->due;
	struct rainbow_due *due;

	if (pin->told == RAINBOW_TOLD_BOTH || pin->asked >= ASKS_MAX || index >= s->ask_limit)
		return;
	due = bpf_map_lookup_elem(&rainbow_due, &index);
	if (!due)
		return;
	pin->asked++;
	due->flow = *key;
	due->pin = *pin;
	s->due = index + 1;
}

/* Signed: it may have begun before the boot, or in a second that came after the sweep began. */
static __always_inline void sweep_age(const struct sweep_state *s, struct rainbow_census *census, __u32 opened)
{
	__s32 age = (__s32)(s->second - opened);
	__u64 bin = rainbow_signal_bin(age > 0 ? (__u32)age : 0);

	/* Always so, but the verifier can not know; and Linux 6.1 wants the very register compared that is the index. */
	asm volatile("" : "+r"(bin));
	if (bin < RAINBOW_SIGNAL_BINS)
		census->age[bin]++;
}

static __always_inline void sweep_census(const struct sweep_state *s, const struct rainbow_pin *pin)
{
	__u32 version = pin->version;
	struct rainbow_census *census = bpf_map_lookup_elem(&rainbow_census, &version);

	if (!census)
		return;
	if (pin->kind == RAINBOW_PIN_FLOW) {
		census->flows++;
		return;
	}
	census->live++;
	/* Signed: a session may be older than the boot. */
	if (!census->oldest || (__s32)pin->opened < (__s32)census->oldest)
		census->oldest = pin->opened ? pin->opened : 1;
	sweep_age(s, census, pin->opened);
}

static __always_inline void sweep_client(struct sweep_state *s, const struct rainbow_flow *key, struct rainbow_pin *client,
					 const struct rainbow_service *service)
{
	struct rainbow_version *version = version_get(client->version);
	int drains = version && version->state == RAINBOW_VERSION_DRAINING;

	if (!client_has_flows(client) &&
	    (drains || (service->idle_seconds && is_older(s, client->last_seen, service->idle_seconds))) &&
	    client_end_empty(key, client, RAINBOW_END_IDLE)) {
		s->idled++;
		return;
	}
	sweep_census(s, client);
}

static __always_inline int is_idle(const struct sweep_state *s, const struct rainbow_pin *pin,
				   const struct rainbow_service *service)
{
	__u32 seconds = service->idle_seconds;
	__u32 least = service->protocol == 17 ? FLOW_IDLE_UDP : FLOW_IDLE_TCP;

	if (pin->kind == RAINBOW_PIN_FLOW && seconds && seconds < least)
		seconds = least;
	return seconds && is_older(s, pin->last_seen, seconds);
}

static __always_inline void sweep_live(struct sweep_state *s, const struct rainbow_flow *key, struct rainbow_pin *pin)
{
	struct rainbow_service *service = service_get(key->service);

	if (!service)
		return;
	if (pin->kind == RAINBOW_PIN_CLIENT) {
		sweep_client(s, key, pin, service);
		return;
	}
	if (is_idle(s, pin, service)) {
		struct rainbow_flow own = *key;

		if (pin_kill(&own, pin, RAINBOW_END_IDLE)) {
			s->idled++;
			return;
		}
	}
	if (service->probe_idle_seconds && service->protocol == 6 && ghost_look(s, key, pin, service->probe_idle_seconds))
		return;
	sweep_census(s, pin);
}

static __always_inline void sweep_killed(struct sweep_state *s, const struct rainbow_flow *key, struct rainbow_pin *pin)
{
	struct rainbow_service *service = service_get(key->service);

	if (is_older(s, pin->last_seen, s->tombstone))
		sweep_bury(s, pin, RAINBOW_PIN_KILLED);
	else if (service && service->protocol == 6 && pin->kind != RAINBOW_PIN_CLIENT)
		sweep_list(s, key, pin);
}

/* Returns whether the caller is to give its place back. */
__noinline int sweep_pin(const struct rainbow_flow *key, struct rainbow_pin *pin, struct sweep_state *s)
{
	struct rainbow_census *census;
	enum rainbow_pin_state state;
	int free = 0;
	__u32 version;

	if (!key || !pin || !s)
		return 0;
	state = pin->state;
	version = pin->version;
	if (state == RAINBOW_PIN_FREE) /* just being claimed */
		return 0;
	s->entries++;
	if (pin_is_live(state)) {
		sweep_live(s, key, pin);
		return 0;
	}
	if (state == RAINBOW_PIN_CLOSING && is_older(s, pin->last_seen, s->linger))
		sweep_bury(s, pin, state);
	else if (state == RAINBOW_PIN_KILLED)
		sweep_killed(s, key, pin);
	else if (state == RAINBOW_PIN_DEAD)
		free = sweep_free(s, pin);
	/* Whoever holds the version's id, though its session is over: ids are not given away while this rises. */
	census = bpf_map_lookup_elem(&rainbow_census, &version);
	if (census)
		census->closing++;
	return free;
}

/* bpf_for_each_map_elem callback. */
static long sweep_bucket(struct bpf_map *map, const __u32 *index, struct rainbow_bucket *bucket, struct sweep_state *s)
{
	__u32 i;

	for (i = 0; i < RAINBOW_WAYS; i++)
		if (way_is_taken(bucket, i) && sweep_pin(&bucket->way[i].flow, &bucket->way[i].pin, s))
			way_free(bucket, i);
	return 0;
}

/* bpf_for_each_map_elem callback. */
static long sweep_overflow(struct bpf_map *map, const struct rainbow_flow *flow, struct rainbow_pin *pin, struct sweep_state *s)
{
	struct rainbow_flow own = *flow;

	if (sweep_pin(&own, pin, s))
		overflow_free(&own);
	return 0;
}

static __always_inline void sweep_nursling(const struct sweep_state *s, const struct rainbow_nursling *n)
{
	__u32 version = n->version;
	struct rainbow_census *census = bpf_map_lookup_elem(&rainbow_census, &version);

	if (census && n->state != RAINBOW_NURSERY_CHOICE && !is_older(s, n->began, s->nursery))
		census->pending++;
}

/* bpf_for_each_map_elem callback. */
static long sweep_nursery(struct bpf_map *map, const __u32 *index, struct rainbow_nursery_bucket *bucket, struct sweep_state *s)
{
	__u64 empty = rainbow_ways_of(bucket->tags, 0);
	__u32 i;

	for (i = 0; i < RAINBOW_COTS; i++)
		if (!(empty & rainbow_way_tag(i, 1 << (RAINBOW_TAG_BITS - 1))))
			sweep_nursling(s, &bucket->cot[i].nursling);
	return 0;
}

static __always_inline int sweep_all(struct rainbow_sweep *out)
{
	struct sweep_state s = {.ask_limit = out->ask_limit, .ghost_limit = out->ghost_limit};
	struct rainbow_meta *meta = meta_get();

	if (!meta)
		return -1;
	out->jiffies = bpf_jiffies64();
	meta->swept = out->jiffies;
	sweep_begin(&s, meta);
	s.second = (__u32)(bpf_ktime_get_ns() / 1000000000);
	s.since =
	    out->previous && out->jiffies - out->previous < 0xffffffff ? (__u32)(out->jiffies - out->previous) : 0xffffffff;
	bpf_for_each_map_elem(&rainbow_table, sweep_bucket, &s, 0);
	bpf_for_each_map_elem(&rainbow_pin, sweep_overflow, &s, 0);
	bpf_for_each_map_elem(&rainbow_nursery, sweep_nursery, &s, 0);
	out->due = s.due;
	out->entries = s.entries;
	out->freed = s.freed;
	out->idled = s.idled;
	out->ghosts = s.ghosts;
	out->vanished = s.vanished;
	return 0;
}

#endif
