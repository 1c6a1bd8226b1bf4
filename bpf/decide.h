/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The way of a packet, steps 2 to 8 of the design, numbered as there: one core for all hooks. It reads the parsed packet and
 * the maps, keeps the sessions' state, and returns a verdict; it never touches the packet.
 */
#ifndef RAINBOW_BPF_DECIDE_H
#define RAINBOW_BPF_DECIDE_H

#include "lookup.h"
#include "reply.h"
#include "request.h"

/* --- ICMP errors (RFC 5508, 4) ------------------------------------------------------------------------------------------ */

/*
 * About a reply of ours, addressed to the service: on to the backend. About a request, addressed to the client: it quotes the
 * backend, which the client does not know. The latter is translated where it leaves towards the client, as the stack
 * would drop a packet that comes in with an address of this host as its source.
 */
__noinline int decide_error(struct way *way)
{
	struct rainbow_flow flow = {};
	struct packet *p;
	struct rainbow_backend *backend;
	struct rainbow_pin *pin;
	__u32 id;

	if (!way)
		return 0;
	p = &way->packet;
	if (way->place == PLACE_EGRESS) {
		id = lookup_find(&p->target, p->target_port, p->protocol, RAINBOW_LOOKUP_BACKEND);
		backend = backend_get(id);
		if (!id || !backend)
			return 0;
		flow.client = p->source;
		flow.port = p->source_port;
		flow.service = (__u16)backend->service;
	} else {
		id = lookup_find(&p->source, p->source_port, p->protocol, RAINBOW_LOOKUP_SERVICE);
		if (!id)
			return 0;
		flow.client = p->target;
		flow.port = p->target_port;
		flow.service = (__u16)id;
	}
	pin = pin_find(&flow);
	if (!pin || !pin_is_live(pin->state) || (way->place == PLACE_EGRESS && pin->backend != id))
		return 0;
	way->service = flow.service;
	way->backend = pin->backend;
	way->verdict = way->place == PLACE_EGRESS ? VERDICT_ERROR_REPLY : VERDICT_ERROR_REQUEST;
	return 0;
}

/* --- the way ------------------------------------------------------------------------------------------------------------ */

/*
 * Steps 2 to 4 for a packet of a live session, which nearly every packet of ours is: inlined into the programs. 0: not such a
 * one, decide() begins anew.
 */
static __always_inline int decide_known(void *ctx, struct way *way)
{
	struct packet *p = &way->packet;
	struct rainbow_backend *backend;
	struct rainbow_flow flow;

	way->backend = lookup_find(&p->source, p->source_port, p->protocol, RAINBOW_LOOKUP_BACKEND);
	if (way->backend) {
		backend = backend_get(way->backend);
		if (!backend)
			return 0;
		way->service = backend->service;
		flow_make(&flow, &p->target, p->target_port, way->service);
		return decide_reply_pinned(ctx, way, &flow, pin_find_first(&flow), backend);
	}
	if (way->place == PLACE_EGRESS)
		return 1;
	way->service = lookup_find(&p->target, p->target_port, p->protocol, RAINBOW_LOOKUP_SERVICE);
	if (!way->service)
		return 1;
	flow_make(&flow, &p->source, p->source_port, way->service);
	return decide_request_pinned(ctx, way, &flow, pin_find_first(&flow));
}

/*
 * Steps 1 to 3 for all others: whose packet is it? way->backend or way->service says so, and decide_reply or decide_request goes on
 * from there; neither: the verdict stands.
 */
__noinline int decide_whose(struct way *way)
{
	struct packet *p;

	if (!way)
		return 0;
	p = &way->packet;
	way->backend = way->service = 0;
	/* 1 */
	if (way->parsed == PARSED_FRAGMENT)
		way->verdict = VERDICT_PASS_FRAGMENT;
	else if (way->parsed != PARSED_FLOW && way->parsed != PARSED_ERROR)
		way->verdict = VERDICT_PASS_UNPARSED;
	if (way->parsed != PARSED_FLOW)
		return 0;
	/* 2 */
	way->backend = lookup_find(&p->source, p->source_port, p->protocol, RAINBOW_LOOKUP_BACKEND);
	/* 3: a packet that leaves is on its way already, whomever it is for */
	if (!way->backend && way->place != PLACE_EGRESS)
		way->service = lookup_find(&p->target, p->target_port, p->protocol, RAINBOW_LOOKUP_SERVICE);
	return 0;
}

#endif
