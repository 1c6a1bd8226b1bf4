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

/*
 * Global functions, verified once each, that are given only the number of the pin in rainbow_due: they need the flow on their own
 * stack, as a key. In one function with the loop they are too much for the verifier.
 */

static __always_inline int due_read(__u32 index, struct rainbow_flow *flow, struct rainbow_pin *pin)
{
	struct rainbow_due *due = bpf_map_lookup_elem(&rainbow_due, &index);

	if (!due)
		return 0;
	*flow = due->flow;
	*pin = due->pin;
	return 1;
}

/* Also the key of the session of the client whose flow this is. */
static __always_inline int due_read_of_client(__u32 index, struct rainbow_flow *flow, struct rainbow_pin *pin,
					      struct rainbow_flow *client)
{
	struct rainbow_service *service;

	if (!due_read(index, flow, pin))
		return 0;
	service = service_get(flow->service);
	if (!service)
		return 0;
	client_key(client, flow, service);
	return 1;
}

/* A session, counted before it can be found, as in session_open; but a backend's limit is for new ones. */
static __always_inline int restore_counted(const struct rainbow_flow *flow, struct rainbow_pin *pin)
{
	struct rainbow_backend *backend = backend_get(pin->backend);
	int opened;

	if (!backend || !version_get(pin->version))
		return OPENED_NO_PLACE;
	__sync_fetch_and_add(&backend->live, 1);
	count_open(pin->version, 1);
	opened = pin_insert(flow, pin);
	if (opened == OPENED) {
		measure_opened(flow, pin);
		return OPENED;
	}
	count_open(pin->version, -1);
	__sync_fetch_and_add(&backend->live, -1);
	return opened;
}

__noinline int restore_session(__u32 index)
{
	struct rainbow_flow flow;
	struct rainbow_pin pin;

	if (!due_read(index, &flow, &pin))
		return OPENED_NO_PLACE;
	if (pin.kind != RAINBOW_PIN_CLIENT)
		pin.flows |= RAINBOW_FLOWS_UNHEARD;
	return restore_counted(&flow, &pin);
}

/* The session of the client whose flow this is. */
__noinline int restore_client_of(__u32 index)
{
	struct rainbow_flow flow, key;
	struct rainbow_pin pin;

	if (!due_read_of_client(index, &flow, &pin, &key))
		return OPENED_NO_PLACE;
	pin.state = RAINBOW_PIN_LIVE;
	pin.kind = RAINBOW_PIN_CLIENT;
	pin.flows = 0;
	return restore_counted(&key, &pin);
}

/* Joins its client's session. Where the snapshot has none (it was taken while sessions came and went) the flow begins it. */
__noinline int restore_flow(__u32 index)
{
	struct rainbow_flow flow, key;
	struct rainbow_pin *client;
	struct rainbow_pin pin;
	__u32 stale;
	int opened;

	if (!due_read_of_client(index, &flow, &pin, &key))
		return OPENED_NO_PLACE;
	client = pin_find(&key);
	if (!client) {
		restore_client_of(index);
		client = pin_find(&key);
	}
	stale = pin.flows & RAINBOW_FLOWS_STALE;
	if (!client || !client_is_live(client) || is_elsewhere(client, &pin) || !client_count(client, &pin))
		return OPENED_NO_PLACE;
	pin.flows |= stale | RAINBOW_FLOWS_UNHEARD;
	opened = pin_insert(&flow, &pin);
	if (opened != OPENED)
		client_uncount(client, pin.flows & RAINBOW_FLOWS_INCARNATION);
	return opened;
}

/* Counted already. Of a pin that was put back before, and has lived on since, the later state is right. */
__noinline int restore_as_is(__u32 index)
{
	struct rainbow_flow flow;
	struct rainbow_pin pin;
	int opened;

	if (!due_read(index, &flow, &pin))
		return OPENED_NO_PLACE;
	if (pin_find(&flow))
		return OPENED_ALREADY;
	/* The time of a turn under way is not carried over, and what ends it not heard. */
	if (pin.kind != RAINBOW_PIN_CLIENT &&
	    (pin_phase(pin.flows) == RAINBOW_PHASE_SPOKE || pin_phase(pin.flows) == RAINBOW_PHASE_WAITS))
		pin.flows |= RAINBOW_FLOWS_UNHEARD;
	opened = pin_insert(&flow, &pin);
	if (opened == OPENED && rainbow_config.signals)
		note_opened(&flow, 0);
	return opened;
}

static __always_inline int restore_one(__u32 index, int counted)
{
	struct rainbow_due *due = bpf_map_lookup_elem(&rainbow_due, &index);

	if (!due)
		return OPENED_NO_PLACE;
	if (!counted)
		return restore_as_is(index);
	return due->pin.kind == RAINBOW_PIN_FLOW ? restore_flow(index) : restore_session(index);
}

/* bpf_loop callback. */
static long restore_step(__u32 i, struct restore_state *s)
{
	int opened = restore_one(i, s->counted);

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
