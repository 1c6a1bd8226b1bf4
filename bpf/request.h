/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Step 4: packets to a service. Those of a session follow its pin; the rest is the nursery's. */
#ifndef RAINBOW_BPF_REQUEST_H
#define RAINBOW_BPF_REQUEST_H

#include "nursery.h"

/* A request of a live session. */
static __always_inline void follow_request(struct way *way, const struct rainbow_flow *flow, struct rainbow_pin *pin)
{
	struct rainbow_backend *backend = backend_get(pin->backend);

	if (backend && is_overdue(backend) && pin_kill(flow, pin, RAINBOW_END_FORCED)) {
		decide_killed(way, pin, RAINBOW_TOLD_CLIENT);
		return;
	}
	pin_follow_client(flow, pin, &way->packet);
	decide_to_backend(way, VERDICT_REQUEST, pin->backend);
}

/* A live pin is followed: 1. */
static __always_inline int decide_request_pinned(struct way *way, const struct rainbow_flow *flow, struct rainbow_pin *pin)
{
	if (!pin || !pin_is_live(pin->state))
		return 0;
	follow_request(way, flow, pin);
	return 1;
}

/*
 * A pin that has ended: a first packet starts over (0); others are late, or told that it is over (1), unless they belong to a new
 * session's handshake.
 */
static __always_inline int decide_request_ended(struct way *way, struct rainbow_pin *pin)
{
	enum rainbow_pin_state state = pin->state;
	struct packet *p = &way->packet;

	if (state == RAINBOW_PIN_KILLED && p->protocol == IPPROTO_UDP) {
		/* Datagrams have no RST: silence for as long as the tombstone stands, so that the end is noticed. */
		way->verdict = VERDICT_CLOSED_DROP;
		return 1;
	}
	if (is_first(p))
		return 0;
	if (state == RAINBOW_PIN_KILLED) {
		decide_killed(way, pin, RAINBOW_TOLD_CLIENT);
		return 1;
	}
	if (state != RAINBOW_PIN_CLOSING)
		return 0;
	pin_touch(pin);
	decide_to_backend(way, VERDICT_REQUEST, pin->backend);
	return 1;
}

/* Steps 4 to 8. The nursery before an ended pin: a new session may have begun over the same flow. */
__noinline int decide_request(struct way *way)
{
	struct rainbow_service *service;
	struct rainbow_flow flow;
	struct rainbow_pin *pin;

	if (!way)
		return 0;
	flow_make(&flow, &way->packet.source, way->packet.source_port, way->service);
	pin = pin_find(&flow);
	service = service_get(way->service);
	if (decide_request_pinned(way, &flow, pin) || !service)
		return 0;
	if (is_held()) {
		way->verdict = VERDICT_HELD;
		return 0;
	}
	if (decide_request_nursery(way, &flow))
		return 0;
	if (pin && decide_request_ended(way, pin))
		return 0;
	/* Neither new nor a stray if another CPU promoted the flow between the two looks. A SYN is new whatever came before. */
	if (!is_first(&way->packet) || way->packet.protocol == IPPROTO_UDP) {
		pin = pin_find(&flow);
		if (decide_request_pinned(way, &flow, pin))
			return 0;
	}
	if (is_first(&way->packet))
		way->verdict = VERDICT_NEW;
	else
		decide_stray(way, service);
	return 0;
}

#endif
