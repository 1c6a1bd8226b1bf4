/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The sweep: walks all pins and the nursery, counts sessions one by one, ends idle ones, frees what has lingered, and lists
 * those that were told to die and whose ends have not heard of it. Deletes by the same rules as the datapath: only the winner of
 * a compare-and-swap may.
 */
#ifndef RAINBOW_BPF_SWEEP_H
#define RAINBOW_BPF_SWEEP_H

#include "reclaim.h"

#define FLOW_IDLE_TCP 86400 /* seconds, at least, for a flow of a client session: the session's own timeout begins behind it */
#define FLOW_IDLE_UDP 300
#define ASKS_MAX      8

/* Lists a session told to die for rainbowd to ask; at most ASKS_MAX times. */
static __always_inline void sweep_list(struct sweep_state *s, const struct rainbow_flow *key, struct rainbow_pin *pin)
{
	__u32 index = s->out->due;
	struct rainbow_due *due;

	if ((pin->told & RAINBOW_TOLD_BOTH) == RAINBOW_TOLD_BOTH || pin->told >= ASKS_MAX * RAINBOW_TOLD_ASKED ||
	    index >= s->out->ask_limit)
		return;
	due = bpf_map_lookup_elem(&rainbow_due, &index);
	if (!due)
		return;
	pin->told += RAINBOW_TOLD_ASKED;
	due->flow = *key;
	due->pin = *pin;
	s->out->due = index + 1;
}

static __always_inline void sweep_census(const struct rainbow_pin *pin)
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
}

static __always_inline void sweep_client(struct sweep_state *s, struct rainbow_pin *client,
					 const struct rainbow_service *service)
{
	struct rainbow_version *version = version_get(client->version);
	int drains = version && version->state == RAINBOW_VERSION_DRAINING;

	if (!client_has_flows(client) &&
	    (drains || (service->idle_seconds && is_older(s, client->last_seen, service->idle_seconds))) &&
	    client_end_empty(client, RAINBOW_END_IDLE)) {
		s->out->idled++;
		return;
	}
	sweep_census(client);
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
		sweep_client(s, pin, service);
		return;
	}
	if (is_idle(s, pin, service)) {
		struct rainbow_flow own = *key;

		if (pin_kill(&own, pin, RAINBOW_END_IDLE)) {
			s->out->idled++;
			return;
		}
	}
	sweep_census(pin);
}

static __always_inline void sweep_killed(struct sweep_state *s, const struct rainbow_flow *key, struct rainbow_pin *pin)
{
	struct rainbow_service *service = service_get(key->service);

	if (is_older(s, pin->last_seen, s->tombstone))
		sweep_bury(s, pin, RAINBOW_PIN_KILLED);
	else if (service && service->protocol == 6 && pin->kind != RAINBOW_PIN_CLIENT)
		sweep_list(s, key, pin);
}

/* bpf_for_each_map_elem callback. */
static long sweep_pin(struct bpf_map *map, struct rainbow_flow *key, struct rainbow_pin *pin, struct sweep_state *s)
{
	enum rainbow_pin_state state = pin->state;
	__u32 version = pin->version;
	struct rainbow_census *census;

	s->out->entries++;
	if (pin_is_live(state)) {
		sweep_live(s, key, pin);
		return 0;
	}
	if (state == RAINBOW_PIN_CLOSING && is_older(s, pin->last_seen, s->linger))
		sweep_bury(s, pin, state);
	else if (state == RAINBOW_PIN_KILLED)
		sweep_killed(s, key, pin);
	else if (state == RAINBOW_PIN_DEAD)
		sweep_free(s, key, pin);
	/* Whoever holds the version's id, though its session is over: ids are not given away while this rises. */
	census = bpf_map_lookup_elem(&rainbow_census, &version);
	if (census)
		census->closing++;
	return 0;
}

static long sweep_nursling(struct bpf_map *map, struct rainbow_flow *key, struct rainbow_nursling *n, struct sweep_state *s)
{
	__u32 version = n->version;
	struct rainbow_census *census = bpf_map_lookup_elem(&rainbow_census, &version);

	if (census && n->state != RAINBOW_NURSERY_CHOICE && !is_older(s, n->began, s->nursery))
		census->pending++;
	return 0;
}

static __always_inline int sweep_all(struct rainbow_sweep *out)
{
	struct rainbow_meta *meta = meta_get();
	struct sweep_state s = {.out = out};

	if (!meta)
		return -1;
	out->jiffies = bpf_jiffies64();
	meta->swept = out->jiffies;
	sweep_begin(&s, meta);
	bpf_for_each_map_elem(&rainbow_pin, sweep_pin, &s, 0);
	bpf_for_each_map_elem(&rainbow_nursery, sweep_nursling, &s, 0);
	return 0;
}

#endif
