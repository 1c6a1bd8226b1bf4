/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Pins that rainbowd puts back: from a snapshot after a reboot (counted as the datapath would count them), or from another table
 * while rainbow_meta.hold is set (their sessions are counted already). They come by rainbow_due, RAINBOW_DUE at a time.
 */
#ifndef RAINBOW_BPF_RESTORE_H
#define RAINBOW_BPF_RESTORE_H

#include "session.h"

struct restore_state {
	__u32 counted;
	__u32 restored;
	__u32 there;
	__u32 full;
	__u32 dropped;
};

/* A session, counted before it can be found, as in session_open; but a backend's limit is for new ones. */
static __always_inline int restore_counted(const struct rainbow_flow *flow, const struct rainbow_pin *pin)
{
	struct rainbow_backend *backend = backend_get(pin->backend);
	int opened;

	if (!backend || !version_get(pin->version))
		return OPENED_NO_PLACE;
	__sync_fetch_and_add(&backend->live, 1);
	count_open(pin->version, 1);
	opened = pin_insert(flow, pin);
	if (opened == OPENED)
		return OPENED;
	count_open(pin->version, -1);
	__sync_fetch_and_add(&backend->live, -1);
	return opened;
}

/* Joins its client's session. Where the snapshot has none (it was taken while sessions came and went) the flow begins it. */
static __noinline int restore_flow(const struct rainbow_flow *flow, struct rainbow_pin *pin)
{
	struct rainbow_service *service = service_get(flow->service);
	__u32 stale = pin->flows & RAINBOW_FLOWS_STALE;
	struct rainbow_pin *client;
	struct rainbow_flow key;
	int opened;

	if (!service)
		return OPENED_NO_PLACE;
	client_key(&key, flow, service);
	client = bpf_map_lookup_elem(&rainbow_pin, &key);
	if (!client) {
		struct rainbow_pin fresh = *pin;

		fresh.state = RAINBOW_PIN_LIVE;
		fresh.kind = RAINBOW_PIN_CLIENT;
		fresh.flows = 0;
		restore_counted(&key, &fresh);
		client = bpf_map_lookup_elem(&rainbow_pin, &key);
	}
	if (!client || !client_is_live(client) || is_elsewhere(client, pin) || !client_count(client, pin))
		return OPENED_NO_PLACE;
	pin->flows |= stale;
	opened = pin_insert(flow, pin);
	if (opened != OPENED)
		client_uncount(client, pin->flows & RAINBOW_FLOWS_INCARNATION);
	return opened;
}

/* Of a pin that was put back before, and has lived on since, the later state is right. */
static __always_inline int restore_uncounted(const struct rainbow_flow *flow, const struct rainbow_pin *pin)
{
	if (bpf_map_lookup_elem(&rainbow_pin, flow))
		return OPENED_ALREADY;
	return pin_insert(flow, pin);
}

/* bpf_loop callback. */
static long restore_step(__u32 i, struct restore_state *s)
{
	struct rainbow_due *due = bpf_map_lookup_elem(&rainbow_due, &i);
	struct rainbow_flow flow;
	struct rainbow_pin pin;
	int opened;

	if (!due)
		return 1;
	flow = due->flow;
	pin = due->pin;
	if (!s->counted)
		opened = restore_uncounted(&flow, &pin);
	else if (pin.kind == RAINBOW_PIN_FLOW)
		opened = restore_flow(&flow, &pin);
	else
		opened = restore_counted(&flow, &pin);
	if (opened == OPENED)
		s->restored++;
	else if (opened == OPENED_ALREADY)
		s->there++;
	else if (opened == OPENED_FULL)
		s->full++;
	else
		s->dropped++;
	return 0;
}

static __always_inline int restore_all(struct rainbow_restore *order)
{
	struct restore_state s = {.counted = order->counted};
	__u32 count = order->count;

	if (count > RAINBOW_DUE)
		return -1;
	bpf_loop(count, restore_step, &s, 0);
	order->restored = s.restored;
	order->there = s.there;
	order->full = s.full;
	order->dropped = s.dropped;
	return 0;
}

#endif
