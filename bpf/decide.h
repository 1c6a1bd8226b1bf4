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

enum known {
	KNOWN_NOT = 0, /* the long way */
	KNOWN_JUDGED,  /* the verdict stands */
	KNOWN_REQUEST, /* of a live session: `leads` tells the rest */
	KNOWN_REPLY,
};

/* Steps 2 and 4 of a reply. A reset, here as below, takes the long way. */
static __always_inline enum known decide_known_reply(void *ctx, struct way *way, struct leads *leads)
{
	struct packet *p = &way->packet;
	struct rainbow_backend *backend = backend_get(way->backend);
	struct rainbow_service *service;
	struct rainbow_flow flow;
	struct rainbow_pin *pin;
	__u32 now, seen;

	if (!backend || is_reset(p))
		return KNOWN_NOT;
	way->service = (__u16)backend->service;
	flow_make(&flow, &p->target, p->target_port, backend->service);
	pin = pin_find_first(&flow);
	if (!pin || pin->backend != way->backend || !pin_is_live(pin->state) || is_overdue(backend))
		return KNOWN_NOT;
	service = service_get(backend->service);
	if (!service)
		return KNOWN_NOT;
	now = jiffies_now();
	seen = pin->last_seen;
	if (seen != now)
		pin_age(pin, seen, now);
	leads->hop = NULL;
	if (way->place != PLACE_EGRESS) {
		leads->hop = hop_if_usable(way, hop_of_client(ctx, way, &pin->hop, &service->address));
		if (!leads->hop) { /* it is judged, and seen, where it leaves */
			way->verdict = VERDICT_PASS_BY_STACK;
			return KNOWN_JUDGED;
		}
	}
	if (seen != now)
		pin->last_seen = now;
	if (p->protocol == IPPROTO_TCP)
		pin_step_server(way, &flow, pin);
	leads->service = service;
	leads->backend = backend;
	return KNOWN_REPLY;
}

/* Steps 3 and 4 of a request. */
static __always_inline enum known decide_known_request(void *ctx, struct way *way, struct leads *leads)
{
	struct packet *p = &way->packet;
	struct rainbow_backend *backend;
	struct rainbow_flow flow;
	struct rainbow_pin *pin;

	flow_make(&flow, &p->source, p->source_port, way->service);
	pin = pin_find_first(&flow);
	if (!pin || !pin_is_live(pin->state) || is_reset(p))
		return KNOWN_NOT;
	backend = backend_get(pin->backend);
	if (!backend || is_overdue(backend))
		return KNOWN_NOT;
	pin_touch(pin);
	if (p->protocol == IPPROTO_TCP)
		pin_step_client(&flow, pin, &p->segment);
	leads->service = NULL; /* a request is not given the service's address */
	leads->backend = backend;
	leads->hop = hop_if_usable(way, hop_of_backend(ctx, way, backend));
	return KNOWN_REQUEST;
}

/* Steps 2 to 4 for a packet of a live session, which nearly every packet of ours is: inlined into the programs. */
static __always_inline enum known decide_known(void *ctx, struct way *way, struct leads *leads)
{
	struct packet *p = &way->packet;

	way->backend = (__u16)lookup_find(&p->source, p->source_port, p->protocol, RAINBOW_LOOKUP_BACKEND);
	if (way->backend)
		return decide_known_reply(ctx, way, leads);
	if (way->place == PLACE_EGRESS)
		return KNOWN_JUDGED;
	way->service = (__u16)lookup_find(&p->target, p->target_port, p->protocol, RAINBOW_LOOKUP_SERVICE);
	return way->service ? decide_known_request(ctx, way, leads) : KNOWN_JUDGED;
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
