/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Step 2: packets from a backend. Those of a session go on to the client; others are the backend's own traffic. */
#ifndef RAINBOW_BPF_REPLY_H
#define RAINBOW_BPF_REPLY_H

#include "cot.h"
#include "verdict.h"

/* Can this hook send the reply to the client? At egress it is on its way already. */
static __always_inline int can_reply(void *ctx, struct way *way, __u16 *hop)
{
	struct rainbow_service *service;

	if (way->place == PLACE_EGRESS)
		return 1;
	service = service_get(way->service);
	return service && hop_use(way, hop_of_client(ctx, way, hop, &service->address));
}

enum heard {
	HEARD_NOTHING, /* the segment is none of the handshake's */
	HEARD_AGAIN,   /* it is, and tells nothing new */
	HEARD_MORE,
	HEARD_REFUSAL, /* nobody listens there */
};

/* What a TCP segment from the backend tells of the handshake in the nursery; notes it. */
static __always_inline enum heard nursling_hear_server(struct rainbow_nursling *n, const struct packet *p)
{
	const struct rainbow_segment *s = &p->segment;
	__u32 end = s->seq + s->length + !!(s->flags & RAINBOW_TCP_FIN);

	if (!(s->flags & RAINBOW_TCP_ACK))
		return HEARD_NOTHING;
	if (n->state == RAINBOW_NURSERY_ASKED && n->server_isn && s->ack == n->server_isn + 1)
		n->client_isn = n->server_isn; /* the attempt that the backend has taken up */
	/* It acknowledges our SYN, or (RFC 7413) data that came with it. */
	if (s->ack - n->client_isn - 1 > 65535)
		return HEARD_NOTHING;
	if (s->flags & RAINBOW_TCP_RST)
		return s->ack == n->client_isn + 1 ? HEARD_REFUSAL : HEARD_AGAIN;
	if (s->flags & RAINBOW_TCP_SYN) {
		n->server_isn = s->seq;
		n->server_next = s->seq + 1;
		n->server_edge = s->ack + s->window; /* not scaled yet (RFC 7323, 2.2) */
		n->server_scale = p->scale;
		n->state = RAINBOW_NURSERY_ANSWERED;
		return HEARD_MORE;
	}
	if (n->state != RAINBOW_NURSERY_ANSWERED || !rainbow_seq_within(s->seq, n->server_isn, n->server_next))
		return HEARD_NOTHING;
	if (!rainbow_seq_before(n->server_next, end))
		return HEARD_AGAIN;
	n->server_next = end;
	return HEARD_MORE;
}

static __always_inline enum heard nursling_hear_reply(struct rainbow_nursling *n, const struct packet *p)
{
	if (p->protocol == IPPROTO_TCP)
		return nursling_hear_server(n, p);
	if (n->state == RAINBOW_NURSERY_ANSWERED)
		return HEARD_AGAIN;
	n->state = RAINBOW_NURSERY_ANSWERED;
	return HEARD_MORE;
}

/*
 * A reply of a flow in the nursery, which this hook can send. Looks anew: meanwhile the flow may have begun again, elsewhere. By
 * itself, so that it does not stack up on the question where to.
 */
static __noinline int nursery_hear_reply(struct way *way, const struct rainbow_flow *flow)
{
	struct rainbow_nursling *n;
	enum rainbow_nursery_state state;
	enum cot_found found;
	enum heard heard;
	struct cot cot;
	int i;

	way->verdict = VERDICT_HANDSHAKE_REPLY;
	n = &cot.nursling;
#pragma unroll
	for (i = 0; i < COT_TRIES; i++) {
		found = cot_find(flow, &cot);
		if (found == COT_BUSY)
			continue;
		if (found == COT_FOUND && (n->backend != way->backend || n->state == RAINBOW_NURSERY_REFUSED))
			break;
		state = n->state;
		heard = found == COT_NONE ? HEARD_NOTHING : nursling_hear_reply(n, &way->packet);
		if (heard == HEARD_NOTHING) {
			way->verdict = VERDICT_PASS_NOT_OURS;
			return 0;
		}
		if (heard == HEARD_AGAIN)
			return 1;
		if (!(heard == HEARD_MORE ? cot_put(flow, &cot) : cot_empty(&cot)))
			continue;
		if (rainbow_config.signals && state == RAINBOW_NURSERY_ASKED)
			measure_handshake(flow->service, n->version, n->asked_ns,
					  heard == HEARD_MORE ? HANDSHAKE_ANSWERED : HANDSHAKE_REFUSED);
		return 1;
	}
	return decide_retry(way);
}

enum nursed {
	NURSED_NOT,
	NURSED_BUSY,
	NURSED_REFUSED,
	NURSED,
};

/* Does a flow of this backend wait in the nursery? */
static __noinline enum nursed nursery_has(const struct rainbow_flow *flow, __u32 backend)
{
	enum cot_found found;
	struct cot cot;

	found = cot_find(flow, &cot);
	if (found != COT_FOUND)
		return found == COT_BUSY ? NURSED_BUSY : NURSED_NOT;
	if (cot.nursling.backend != backend)
		return NURSED_NOT;
	return cot.nursling.state == RAINBOW_NURSERY_REFUSED ? NURSED_REFUSED : NURSED;
}

/* 1 where the nursery had the answer. */
static __always_inline int decide_reply_nursery(void *ctx, struct way *way, const struct rainbow_flow *flow)
{
	enum nursed nursed = nursery_has(flow, way->backend);
	__u16 hop = RAINBOW_HOP_UNKNOWN;

	if (nursed == NURSED_NOT)
		return 0;
	/* It may be a flow's: a backend's address must not reach a client. */
	if (nursed == NURSED_BUSY)
		return decide_retry(way);
	if (nursed == NURSED_REFUSED) {
		decide_closed(way);
		return 1;
	}
	if (!can_reply(ctx, way, &hop)) {
		way->verdict = VERDICT_PASS_BY_STACK;
		return 1;
	}
	return nursery_hear_reply(way, flow);
}

/* The pin of a session that has ended: late packets. */
static __always_inline void decide_reply_ended(void *ctx, struct way *way, struct rainbow_pin *pin)
{
	enum rainbow_pin_state state = pin->state;

	if (state == RAINBOW_PIN_KILLED) {
		decide_killed(way, pin, RAINBOW_TOLD_SERVER);
	} else if (state == RAINBOW_PIN_CLOSING) {
		pin_touch(pin);
		way->verdict = can_reply(ctx, way, &pin->hop) ? VERDICT_REPLY : VERDICT_PASS_BY_STACK;
	}
}

/* A reply of a live session. */
static __always_inline void follow_reply(void *ctx, struct way *way, const struct rainbow_flow *flow, struct rainbow_pin *pin,
					 const struct rainbow_backend *backend)
{
	__u32 now = jiffies_now(), seen = pin->last_seen;

	if (is_overdue(backend) && pin_kill(flow, pin, RAINBOW_END_FORCED)) {
		decide_killed(way, pin, RAINBOW_TOLD_SERVER);
		return;
	}
	if (seen != now)
		pin_age(pin, seen, now);
	if (!can_reply(ctx, way, &pin->hop)) {
		way->verdict = VERDICT_PASS_BY_STACK; /* it is judged, and seen, where it leaves */
		return;
	}
	if (seen != now)
		pin->last_seen = now;
	if (way->packet.protocol == IPPROTO_TCP && pin_step_server(way, flow, pin) == RAINBOW_TCP_RESET)
		pin_reset(flow, pin, RAINBOW_END_RESET_SERVER, seen);
	way->verdict = VERDICT_REPLY;
}

/* A live pin is followed: 1. */
static __always_inline int decide_reply_pinned(void *ctx, struct way *way, const struct rainbow_flow *flow,
					       struct rainbow_pin *pin, const struct rainbow_backend *backend)
{
	if (!pin || pin->backend != way->backend || !pin_is_live(pin->state))
		return 0;
	follow_reply(ctx, way, flow, pin, backend);
	return 1;
}

/* Step 2: from a backend. Without a session it is the backend's own traffic, and not ours. */
static __always_inline int decide_reply(void *ctx, struct way *way)
{
	struct rainbow_backend *backend = backend_get(way->backend);
	struct rainbow_flow flow = {.client = way->packet.target, .port = way->packet.target_port};
	struct rainbow_pin *pin;

	if (!backend)
		return 0;
	flow.service = way->service = backend->service;
	pin = pin_find(&flow);
	if (decide_reply_pinned(ctx, way, &flow, pin, backend))
		return 0;
	if (is_held()) {
		way->verdict = VERDICT_HELD;
		return 0;
	}
	/* Before an ended pin: a new session's handshake over the same flow. */
	if (decide_reply_nursery(ctx, way, &flow))
		return 0;
	way->hop = 0;
	if (pin && pin->backend == way->backend) {
		decide_reply_ended(ctx, way, pin);
		return 0;
	}
	/* Another CPU may have promoted the flow between the two looks. */
	pin = pin_find(&flow);
	decide_reply_pinned(ctx, way, &flow, pin, backend);
	return 0;
}

#endif
