/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The way of a packet, steps 2 to 8 of the design, numbered as there: one core for all hooks. It reads the parsed packet and
 * the maps, keeps the sessions' state, and returns a verdict; it never touches the packet.
 */
#ifndef RAINBOW_BPF_DECIDE_H
#define RAINBOW_BPF_DECIDE_H

#include "choose.h"
#include "hop.h"
#include "lookup.h"
#include "reclaim.h"

static __always_inline int is_first(const struct packet *p)
{
	const __u8 all = RAINBOW_TCP_SYN | RAINBOW_TCP_ACK | RAINBOW_TCP_RST | RAINBOW_TCP_FIN;

	return p->protocol == IPPROTO_UDP || (p->segment.flags & all) == RAINBOW_TCP_SYN;
}

static __always_inline int is_reset(const struct packet *p)
{
	return p->protocol == IPPROTO_TCP && (p->segment.flags & RAINBOW_TCP_RST);
}

/* A session that was told to die answers TCP with RST; a datagram, or an RST itself, has no answer. */
static __always_inline void decide_closed(struct way *way)
{
	if (way->packet.protocol == IPPROTO_TCP && !is_reset(&way->packet))
		way->verdict = VERDICT_CLOSED_RESET;
	else
		way->verdict = VERDICT_CLOSED_DROP;
}

/* The same, and notes on the pin which end has been told: not the one whose RST may be a stranger's. */
static __always_inline void decide_killed(struct way *way, struct rainbow_pin *pin, __u8 told)
{
	decide_closed(way);
	if (way->verdict == VERDICT_CLOSED_RESET)
		pin->told |= told;
}

static __always_inline void decide_to_backend(void *ctx, struct way *way, enum verdict verdict, __u32 id)
{
	struct rainbow_backend *backend = backend_get(id);

	way->verdict = verdict;
	way->backend = id;
	if (backend)
		hop_use(ctx, way, &backend->hop, &way->packet.source, &backend->address);
}

/* Has the hour come at which every session of this backend's version is closed? Holds with rainbowd dead, too. */
static __always_inline int is_overdue(const struct rainbow_backend *backend)
{
	__u64 after = backend->close_after;

	return after && bpf_jiffies64() >= after;
}

/* --- replies ----------------------------------------------------------------------------------------------------------- */

/* Can this hook send the reply to the client? At egress it is on its way already. */
static __always_inline int can_reply(void *ctx, struct way *way, struct rainbow_hop *hop)
{
	struct rainbow_service *service;

	if (way->place == PLACE_EGRESS)
		return 1;
	service = service_get(way->service);
	return service && hop_use(ctx, way, hop, &service->address, &way->packet.target);
}

/* Does this TCP segment from the backend belong to the handshake in the nursery? Notes what it tells. */
static __always_inline int nursling_step_server(const struct rainbow_flow *flow, struct rainbow_nursling *n, const struct packet *p)
{
	const struct rainbow_segment *s = &p->segment;
	__u32 end = s->seq + s->length + !!(s->flags & RAINBOW_TCP_FIN);

	/* It acknowledges our SYN, or (RFC 7413) data that came with it. */
	if (!(s->flags & RAINBOW_TCP_ACK) || s->ack - n->client_isn - 1 > 65535)
		return 0;
	if (s->flags & RAINBOW_TCP_RST) { /* nobody listens there */
		bpf_map_delete_elem(&rainbow_nursery, flow);
		return 1;
	}
	if (s->flags & RAINBOW_TCP_SYN) {
		n->server_isn = s->seq;
		n->server_next = s->seq + 1;
		n->server_edge = s->ack + p->window;
		n->server_scale = p->scale;
		n->state = RAINBOW_NURSERY_ANSWERED;
		return 1;
	}
	if (n->state != RAINBOW_NURSERY_ANSWERED || !rainbow_seq_within(s->seq, n->server_isn, n->server_next))
		return 0;
	if (rainbow_seq_before(n->server_next, end))
		n->server_next = end;
	return 1;
}

/* 1 where the nursery had the answer. */
static __noinline int decide_reply_nursery(void *ctx, struct way *way, const struct rainbow_flow *flow)
{
	struct rainbow_nursling *n = bpf_map_lookup_elem(&rainbow_nursery, flow);
	struct rainbow_hop hop = {};

	if (!n || n->backend != way->backend)
		return 0;
	if (n->state == RAINBOW_NURSERY_REFUSED) {
		decide_closed(way);
		return 1;
	}
	if (!can_reply(ctx, way, &hop)) {
		way->verdict = VERDICT_PASS_BY_STACK;
		return 1;
	}
	if (way->packet.protocol == IPPROTO_UDP)
		n->state = RAINBOW_NURSERY_ANSWERED;
	else if (!nursling_step_server(flow, n, &way->packet))
		return 0;
	way->verdict = VERDICT_HANDSHAKE_REPLY;
	return 1;
}

/* The pin of a session that has ended: late packets, and a new session's handshake over the same flow. */
static __always_inline void decide_reply_ended(void *ctx, struct way *way, const struct rainbow_flow *flow, struct rainbow_pin *pin)
{
	enum rainbow_pin_state state = pin->state;

	if (decide_reply_nursery(ctx, way, flow))
		return;
	way->ifindex = 0;
	if (state == RAINBOW_PIN_KILLED) {
		decide_killed(way, pin, RAINBOW_TOLD_SERVER);
	} else if (state == RAINBOW_PIN_CLOSING) {
		if (!can_reply(ctx, way, &pin->hop)) {
			way->verdict = VERDICT_PASS_BY_STACK;
			return;
		}
		pin_touch(pin);
		way->verdict = VERDICT_REPLY;
	}
}

/* A reply of a live session. */
static __always_inline void follow_reply(void *ctx, struct way *way, const struct rainbow_flow *flow, struct rainbow_pin *pin,
					 const struct rainbow_backend *backend)
{
	struct packet *p = &way->packet;

	if (is_overdue(backend) && pin_kill(flow, pin, RAINBOW_END_FORCED)) {
		decide_killed(way, pin, RAINBOW_TOLD_SERVER);
		return;
	}
	if (!can_reply(ctx, way, &pin->hop)) {
		way->verdict = VERDICT_PASS_BY_STACK;
		return;
	}
	pin_touch(pin);
	if (p->protocol == IPPROTO_TCP)
		pin_step_server(flow, pin, &p->segment, p->window);
	way->verdict = VERDICT_REPLY;
}

/* A live pin is followed: 1. */
static __always_inline int decide_reply_pinned(void *ctx, struct way *way, const struct rainbow_flow *flow, struct rainbow_pin *pin,
					       const struct rainbow_backend *backend)
{
	if (!pin || pin->backend != way->backend || !pin_is_live(pin->state))
		return 0;
	follow_reply(ctx, way, flow, pin, backend);
	return 1;
}

/* Step 2: from a backend. Without a session it is the backend's own traffic, and not ours. */
static __noinline int decide_reply(void *ctx, struct way *way)
{
	struct rainbow_backend *backend = backend_get(way->backend);
	struct rainbow_flow flow = {.client = way->packet.target, .port = way->packet.target_port};
	struct rainbow_pin *pin;

	if (!backend)
		return 0;
	flow.service = way->service = backend->service;
	pin = bpf_map_lookup_elem(&rainbow_pin, &flow);
	if (decide_reply_pinned(ctx, way, &flow, pin, backend))
		return 0;
	if (pin && pin->backend == way->backend) {
		decide_reply_ended(ctx, way, &flow, pin);
		return 0;
	}
	if (decide_reply_nursery(ctx, way, &flow))
		return 0;
	/* Another CPU may have promoted the flow between the two looks. */
	way->ifindex = 0;
	pin = bpf_map_lookup_elem(&rainbow_pin, &flow);
	decide_reply_pinned(ctx, way, &flow, pin, backend);
	return 0;
}

/* --- requests ---------------------------------------------------------------------------------------------------------- */

/* Step 6. Never an RST against an RST (RFC 9293, 3.10.7.1). */
static __always_inline void decide_stray(struct way *way, const struct rainbow_service *service)
{
	if (service->stray == RAINBOW_STRAY_PASS)
		way->verdict = VERDICT_STRAY_PASS;
	else if (service->stray == RAINBOW_STRAY_DROP || way->packet.protocol != IPPROTO_TCP || is_reset(&way->packet))
		way->verdict = VERDICT_STRAY_DROP;
	else
		way->verdict = VERDICT_STRAY_RESET;
}

static __always_inline int nursling_is_fresh(const struct rainbow_nursling *n)
{
	struct rainbow_meta *meta = meta_get();

	return meta && jiffies_now() - n->began <= meta->nursery_seconds * meta->hz;
}

/*
 * What a client was given with its first packet: those that follow before that handshake is proven get the same. Of two first
 * packets at once, the later one takes over the earlier one's choice.
 */
static __noinline int nursery_agree(const struct rainbow_flow *flow, const struct rainbow_service *service, struct choice *choice)
{
	struct rainbow_nursling fresh = {
		.state = RAINBOW_NURSERY_CHOICE,
		.version = (__u16)choice->version,
		.backend = (__u16)choice->backend,
		.began = jiffies_now(),
	};
	struct rainbow_nursling *agreed;
	struct rainbow_flow key;

	client_key(&key, flow, service);
	if (!bpf_map_update_elem(&rainbow_nursery, &key, &fresh, BPF_NOEXIST))
		return 0;
	agreed = bpf_map_lookup_elem(&rainbow_nursery, &key);
	if (!agreed)
		return 0;
	choice->version = agreed->version;
	choice->backend = agreed->backend;
	return 1;
}

/* Step 8. NOEXIST: of two copies of a first packet the later follows the earlier. */
static __always_inline void nursery_enter(const struct rainbow_flow *flow, const struct packet *p, const struct choice *choice)
{
	struct rainbow_nursling fresh = {
		.state = RAINBOW_NURSERY_ASKED,
		.version = (__u16)choice->version,
		.backend = (__u16)choice->backend,
		.began = jiffies_now(),
		.client_isn = p->segment.seq,
		.client_scale = p->scale,
		.server_scale = RAINBOW_SCALE_NONE,
	};

	bpf_map_update_elem(&rainbow_nursery, flow, &fresh, BPF_NOEXIST);
}

/* Steps 7 and 8. */
static __noinline int decide_new(void *ctx, struct way *way, const struct rainbow_flow *flow)
{
	struct rainbow_service *service = service_get(flow->service);
	struct choice choice = {};
	struct rainbow_nursling *n;

	if (!service)
		return 0;
	choose_version(flow, &choice);
	if (!choice.version) {
		__sync_fetch_and_add(&service->refused_no_version, 1);
		way->verdict = VERDICT_REFUSED_VERSION;
		return 0;
	}
	if (!choice.backend)
		choice.backend = choose_backend(choice.version, choice.hash);
	if (!choice.backend) {
		count_refused(choice.version);
		way->verdict = VERDICT_REFUSED_BACKENDS;
		return 0;
	}
	count_chosen(choice.version);
	if (service->affinity == RAINBOW_AFFINITY_CLIENT && !choice.joins && !choice.steered)
		nursery_agree(flow, service, &choice);
	nursery_enter(flow, &way->packet, &choice);
	n = bpf_map_lookup_elem(&rainbow_nursery, flow);
	decide_to_backend(ctx, way, VERDICT_HANDSHAKE_REQUEST, n ? n->backend : choice.backend);
	return 0;
}

/* The pin of a proven handshake. */
static __always_inline void pin_fill(struct rainbow_pin *pin, const struct rainbow_nursling *n, const struct packet *p)
{
	int scaled = n->client_scale != RAINBOW_SCALE_NONE && n->server_scale != RAINBOW_SCALE_NONE;

	pin->state = RAINBOW_PIN_LIVE;
	pin->version = n->version;
	pin->backend = n->backend;
	pin->opened = (__u32)(bpf_ktime_get_coarse_ns() / 1000000000ull);
	pin->last_seen = jiffies_now();
	pin->kind = RAINBOW_PIN_SESSION;
	if (p->protocol != IPPROTO_TCP)
		return;
	/* Scaling is in force only where both sides offered it (RFC 7323, 2.2). */
	pin->client_scale = scaled ? n->client_scale : 0;
	pin->server_scale = scaled ? n->server_scale : 0;
	pin->client.next = p->segment.seq;
	pin->client.ack = n->server_isn + 1;
	pin->client.edge = p->segment.ack + ((__u32)p->window << (pin->client_scale & 15));
	pin->server.next = n->server_next;
	pin->server.ack = n->client_isn + 1;
	pin->server.edge = n->server_edge;
}

static __always_inline int version_keeps(__u32 id)
{
	struct rainbow_version *version = version_get(id);

	return version && (version->state == RAINBOW_VERSION_ACTIVE || version->state == RAINBOW_VERSION_DRAINING);
}

/* From the nursery to a pin: enum opened. */
__noinline int promote(const struct rainbow_flow *of, const struct rainbow_nursling *n, const struct packet *p)
{
	struct rainbow_service *service;
	struct rainbow_pin pin = {};
	struct rainbow_flow own;
	const struct rainbow_flow *flow = &own;
	int opened;

	if (!of || !n || !p)
		return OPENED_RETRY;
	own = *of;
	service = service_get(flow->service);
	if (!service || !version_keeps(n->version))
		return OPENED_NO_VERSION;
	pin_fill(&pin, n, p);
	if (service->affinity != RAINBOW_AFFINITY_CLIENT)
		return session_open(flow, &pin);
	opened = client_join(flow, service, &pin);
	if (opened != OPENED)
		return opened;
	opened = pin_insert(flow, &pin);
	if (opened != OPENED)
		client_leave(flow, &pin, RAINBOW_END_FORCED);
	return opened;
}

/* Does this packet of the client prove the handshake? TCP: it acknowledges what only the backend could have said. */
static __always_inline int is_proof(const struct rainbow_nursling *n, const struct packet *p)
{
	const struct rainbow_segment *s = &p->segment;

	/* An old one may name ids that have been given away since. */
	if (n->state != RAINBOW_NURSERY_ANSWERED || !nursling_is_fresh(n))
		return 0;
	if (p->protocol == IPPROTO_UDP)
		return 1;
	return (s->flags & (RAINBOW_TCP_ACK | RAINBOW_TCP_SYN | RAINBOW_TCP_RST)) == RAINBOW_TCP_ACK &&
	       rainbow_seq_within(s->ack, n->server_isn + 1, n->server_next) && s->seq - n->client_isn - 1 <= 65535;
}

static __always_inline void decide_promotion(void *ctx, struct way *way, const struct rainbow_flow *flow, struct rainbow_nursling *n)
{
	__u32 backend = n->backend, version = n->version;
	struct packet *p = &way->packet;
	struct rainbow_pin *pin;
	int opened = promote(flow, n, p);

	reclaim();
	if (opened == OPENED_RETRY) {
		way->verdict = VERDICT_RETRY;
		return;
	}
	if (opened != OPENED && opened != OPENED_ALREADY) {
		/* The backend believes in this session: its next packet is answered, too. */
		n->state = RAINBOW_NURSERY_REFUSED;
		count_refused(version);
		way->verdict = opened == OPENED_FULL	   ? VERDICT_REFUSED_TABLE :
			       opened == OPENED_NO_PLACE ? VERDICT_REFUSED_BACKENDS :
							   VERDICT_REFUSED_VERSION;
		return;
	}
	bpf_map_delete_elem(&rainbow_nursery, flow);
	pin = bpf_map_lookup_elem(&rainbow_pin, flow);
	if (pin && p->protocol == IPPROTO_TCP)
		pin_step_client(flow, pin, &p->segment, p->window);
	decide_to_backend(ctx, way, VERDICT_REQUEST, backend);
}

/* Step 5. 1 where the nursery had the answer. */
static __noinline int decide_request_nursery(void *ctx, struct way *way, const struct rainbow_flow *flow)
{
	struct rainbow_nursling *n = bpf_map_lookup_elem(&rainbow_nursery, flow);
	struct packet *p = &way->packet;

	if (!n)
		return 0;
	if (is_first(p) && (!nursling_is_fresh(n) || !version_keeps(n->version) ||
			    (p->protocol == IPPROTO_TCP && p->segment.seq != n->client_isn))) {
		bpf_map_delete_elem(&rainbow_nursery, flow); /* another attempt, and so a new choice */
		return 0;
	}
	if (n->state == RAINBOW_NURSERY_REFUSED) {
		decide_closed(way);
		return 1;
	}
	if (is_proof(n, p)) {
		decide_promotion(ctx, way, flow, n);
		return 1;
	}
	if (is_first(p)) {
		if (p->protocol == IPPROTO_UDP) /* one-way streams stay together, too, while their entry is not churned out */
			n->began = jiffies_now();
		decide_to_backend(ctx, way, VERDICT_HANDSHAKE_REQUEST, n->backend);
		return 1;
	}
	/* The client gave up (a port scanner, a timeout): the backend hears it. */
	if (is_reset(p) && p->segment.seq - n->client_isn - 1 <= 65535) {
		decide_to_backend(ctx, way, VERDICT_HANDSHAKE_REQUEST, n->backend);
		bpf_map_delete_elem(&rainbow_nursery, flow);
		return 1;
	}
	return 0;
}

/* A request of a live session. */
static __always_inline void follow_request(void *ctx, struct way *way, const struct rainbow_flow *flow, struct rainbow_pin *pin)
{
	struct rainbow_backend *backend = backend_get(pin->backend);
	struct packet *p = &way->packet;

	if (backend && is_overdue(backend) && pin_kill(flow, pin, RAINBOW_END_FORCED)) {
		decide_killed(way, pin, RAINBOW_TOLD_CLIENT);
		return;
	}
	pin_touch(pin);
	if (p->protocol == IPPROTO_TCP)
		pin_step_client(flow, pin, &p->segment, p->window);
	decide_to_backend(ctx, way, VERDICT_REQUEST, pin->backend);
}

/* A live pin is followed: 1. */
static __always_inline int decide_request_pinned(void *ctx, struct way *way, const struct rainbow_flow *flow, struct rainbow_pin *pin)
{
	if (!pin || !pin_is_live(pin->state))
		return 0;
	follow_request(ctx, way, flow, pin);
	return 1;
}

/*
 * A pin that has ended: a first packet starts over (0); others are late, or told that it is over (1), unless they belong to a new
 * session's handshake.
 */
static __always_inline int decide_request_ended(void *ctx, struct way *way, struct rainbow_pin *pin)
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
	decide_to_backend(ctx, way, VERDICT_REQUEST, pin->backend);
	return 1;
}

/* Steps 4 to 8. The nursery before an ended pin: a new session may have begun over the same flow. */
static __always_inline void decide_request(void *ctx, struct way *way)
{
	struct rainbow_flow flow = {.client = way->packet.source, .port = way->packet.source_port, .service = (__u16)way->service};
	struct rainbow_pin *pin = bpf_map_lookup_elem(&rainbow_pin, &flow);
	struct rainbow_service *service = service_get(way->service);

	if (decide_request_pinned(ctx, way, &flow, pin) || !service)
		return;
	if (decide_request_nursery(ctx, way, &flow))
		return;
	if (pin && decide_request_ended(ctx, way, pin))
		return;
	/* Neither new nor a stray if another CPU promoted the flow between the two looks. A SYN is new whatever came before. */
	if (!is_first(&way->packet) || way->packet.protocol == IPPROTO_UDP) {
		pin = bpf_map_lookup_elem(&rainbow_pin, &flow);
		if (decide_request_pinned(ctx, way, &flow, pin))
			return;
	}
	if (is_first(&way->packet))
		decide_new(ctx, way, &flow);
	else
		decide_stray(way, service);
}

/* --- ICMP errors (RFC 5508, 4) ------------------------------------------------------------------------------------------ */

/*
 * About a reply of ours, addressed to the service: on to the backend. About a request, addressed to the client: it quotes the
 * backend, which the client does not know. The latter is translated where it leaves towards the client, as the stack
 * would drop a packet that comes in with an address of this host as its source.
 */
static __noinline int decide_error(struct way *way)
{
	struct packet *p = &way->packet;
	struct rainbow_flow flow = {};
	struct rainbow_backend *backend;
	struct rainbow_pin *pin;
	__u32 id;

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
	pin = bpf_map_lookup_elem(&rainbow_pin, &flow);
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
		return decide_reply_pinned(ctx, way, &flow, bpf_map_lookup_elem(&rainbow_pin, &flow), backend);
	}
	if (way->place == PLACE_EGRESS)
		return 1;
	way->service = lookup_find(&p->target, p->target_port, p->protocol, RAINBOW_LOOKUP_SERVICE);
	if (!way->service)
		return 1;
	flow_make(&flow, &p->source, p->source_port, way->service);
	return decide_request_pinned(ctx, way, &flow, bpf_map_lookup_elem(&rainbow_pin, &flow));
}

static __always_inline int decide(void *ctx, struct way *way)
{
	struct packet *p = &way->packet;

	/* 1 */
	if (way->parsed == PARSED_FRAGMENT)
		way->verdict = VERDICT_PASS_FRAGMENT;
	else if (way->parsed == PARSED_ERROR)
		decide_error(way);
	else if (way->parsed != PARSED_FLOW)
		way->verdict = VERDICT_PASS_UNPARSED;
	if (way->parsed != PARSED_FLOW)
		return 0;
	/* 2 */
	way->backend = lookup_find(&p->source, p->source_port, p->protocol, RAINBOW_LOOKUP_BACKEND);
	if (way->backend)
		return decide_reply(ctx, way);
	/* 3: a packet that leaves is on its way already, whomever it is for */
	if (way->place == PLACE_EGRESS)
		return 0;
	way->service = lookup_find(&p->target, p->target_port, p->protocol, RAINBOW_LOOKUP_SERVICE);
	if (way->service)
		decide_request(ctx, way); /* 4 to 8 */
	return 0;
}

#endif
