/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Requests of flows that are not pinned: new ones (steps 7 and 8), those whose handshake is under way or proven (step 5), and
 * strays (step 6).
 */
#ifndef RAINBOW_BPF_NURSERY_H
#define RAINBOW_BPF_NURSERY_H

#include "choose.h"
#include "reclaim.h"
#include "verdict.h"

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

/* The nursling of a first packet `p`; NULL: the choice for all flows of a client. */
static __always_inline void nursling_begin(struct rainbow_nursling *n, const struct packet *p, const struct choice *choice)
{
	__builtin_memset(n, 0, sizeof(*n));
	n->state = p ? RAINBOW_NURSERY_ASKED : RAINBOW_NURSERY_CHOICE;
	n->version = (__u16)choice->version;
	n->backend = (__u16)choice->backend;
	n->began = jiffies_now();
	n->client_isn = p ? p->segment.seq : 0;
	n->client_scale = p ? p->scale : RAINBOW_SCALE_NONE;
	n->asked_ns = p && rainbow_config.signals ? bpf_ktime_get_ns() : 0;
	n->server_scale = RAINBOW_SCALE_NONE;
}

static __always_inline void measure_asked(const struct rainbow_flow *flow, const struct choice *choice, __u64 asked_ns)
{
	measure_handshake(flow->service, choice->version, asked_ns, HANDSHAKE_ASKED);
	if (choice->joins)
		measure_handshake(flow->service, choice->version, asked_ns, HANDSHAKE_JOINED);
}

/*
 * Enters what was chosen; `choice` is then what holds: of two that enter the same flow at once the later follows the earlier. In
 * place of a client's choice that holds no more. 0: another CPU was taken away while it changes the bucket.
 */
static __noinline int nursery_enter(const struct rainbow_flow *flow, const struct packet *p, struct choice *choice)
{
	enum cot_found found;
	struct cot cot;
	int i;

#pragma unroll
	for (i = 0; i < COT_TRIES; i++) {
		found = cot_find(flow, &cot);
		if (found == COT_FOUND && (p || choice_holds(&cot.nursling))) {
			choice->version = cot.nursling.version;
			choice->backend = cot.nursling.backend;
			choice->joins |= !p;
			return 1;
		}
		nursling_begin(&cot.nursling, p, choice);
		if (found == COT_BUSY || !cot_put(flow, &cot))
			continue;
		if (p && rainbow_config.signals)
			measure_asked(flow, choice, cot.nursling.asked_ns);
		return 1;
	}
	return 0;
}

/* What a client was given with its first packet: those that follow before that handshake is proven get the same. */
static __always_inline int nursery_agree(const struct rainbow_flow *flow, const struct rainbow_service *service,
					 struct choice *choice)
{
	struct rainbow_flow key;

	client_key(&key, flow, service);
	return nursery_enter(&key, NULL, choice);
}

/* Steps 7 and 8. */
__noinline int decide_new(struct way *way)
{
	struct rainbow_service *service;
	struct choice choice = {};
	struct rainbow_flow flow;

	if (!way)
		return 0;
	service = service_get(way->service);
	if (!service)
		return 0;
	flow_make(&flow, &way->packet.source, way->packet.source_port, way->service);
	choose_version(&flow, &choice);
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
	decide_retry(way);
	if (service->affinity == RAINBOW_AFFINITY_CLIENT && !choice.joins && !choice.steered &&
	    !nursery_agree(&flow, service, &choice))
		return 0;
	if (nursery_enter(&flow, &way->packet, &choice))
		decide_to_backend(way, VERDICT_HANDSHAKE_REQUEST, choice.backend);
	return 0;
}

/* The pin of a proven handshake. */
static __always_inline void pin_begin(struct rainbow_pin *pin, const struct rainbow_nursling *n, const struct packet *p)
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
	if (n->server_next != n->server_isn + 1) /* the backend did not wait for the proof */
		pin->flows = RAINBOW_FLOWS_UNHEARD;
	/* Scaling is in force only where both sides offered it (RFC 7323, 2.2). */
	pin->client_scale = scaled ? n->client_scale : 0;
	pin->server_scale = scaled ? n->server_scale : 0;
	pin->client.next = p->segment.seq;
	pin->client.ack = n->server_isn + 1;
	pin->client_window = p->segment.window;
	pin->server.next = n->server_next;
	pin->server.ack = n->client_isn + 1;
	pin->server_window = rainbow_window(pin->server.ack, n->server_edge, pin->server_scale);
	if (!pin->server_window && n->server_edge != pin->server.ack) /* less than a unit is not nothing */
		pin->server_window = 1;
}

static __always_inline int version_keeps(__u32 id)
{
	struct rainbow_version *version = version_get(id);

	return version && (version->state == RAINBOW_VERSION_ACTIVE || version->state == RAINBOW_VERSION_DRAINING);
}

/* From the nursery to a pin: enum opened. */
static __noinline int promote(const struct rainbow_flow *flow, const struct rainbow_nursling *n, const struct packet *p)
{
	struct rainbow_service *service;
	struct rainbow_pin pin = {};
	__u32 said;
	int opened;

	service = service_get(flow->service);
	if (!service || !version_keeps(n->version))
		return OPENED_NO_VERSION;
	pin_begin(&pin, n, p);
	if (service->affinity != RAINBOW_AFFINITY_CLIENT)
		return session_open(flow, &pin);
	said = pin.flows;
	opened = client_join(flow, service, &pin);
	if (opened != OPENED)
		return opened;
	pin.flows |= said;
	opened = pin_insert(flow, &pin);
	if (opened != OPENED)
		client_leave(flow, &pin, RAINBOW_END_FORCED);
	return opened;
}

/* From now on the session, and after it the weights, speak for this client. */
static __noinline int nursery_forget_choice(const struct rainbow_flow *flow)
{
	struct rainbow_service *service = service_get(flow->service);
	struct rainbow_flow key;

	if (!service || service->affinity != RAINBOW_AFFINITY_CLIENT)
		return 0;
	client_key(&key, flow, service);
	return nursery_forget(&key);
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

/*
 * A first packet with another number, while a handshake is under way: another attempt of the client, or a stranger's. The backend
 * tells which, as it does on a live session: it goes on with the first and answers this one with a challenge, which an honest
 * client answers with the RST that makes way for it (RFC 9293, 3.5.1); or it knows nothing of the first, and answers this one.
 * 1: it is worth noting.
 */
static __always_inline int nursling_hear_again(struct rainbow_nursling *n, const struct packet *p)
{
	if (p->protocol == IPPROTO_UDP) { /* one-way streams stay together, too, while their entry is not churned out */
		__u32 before = n->began;

		n->began = jiffies_now();
		return n->began != before;
	}
	if (n->state != RAINBOW_NURSERY_ASKED || p->segment.seq == n->client_isn || p->segment.seq == n->server_isn)
		return 0;
	n->server_isn = p->segment.seq;
	return 1;
}

/* Is this a new attempt, for which a new choice is due? */
static __always_inline int is_another_attempt(const struct rainbow_nursling *n, const struct packet *p)
{
	return is_first(p) && (!nursling_is_fresh(n) || !version_keeps(n->version) ||
			       (n->state == RAINBOW_NURSERY_REFUSED && p->segment.seq != n->client_isn));
}

/* A flow that waits in the nursery. 0: the packet is none of its handshake's. */
static __always_inline int decide_nursling(struct way *way, const struct rainbow_flow *flow, struct cot *cot)
{
	struct rainbow_nursling *n = &cot->nursling;
	struct packet *p = &way->packet;

	if (is_another_attempt(n, p))
		return cot_empty(cot) ? 0 : decide_retry(way);
	if (n->state == RAINBOW_NURSERY_REFUSED) {
		decide_closed(way);
		return 1;
	}
	if (is_proof(n, p)) {
		way->verdict = VERDICT_PROOF;
		return 1;
	}
	if (is_first(p)) {
		if (nursling_hear_again(n, p) && !cot_put(flow, cot) && p->protocol == IPPROTO_TCP)
			return decide_retry(way);
		decide_to_backend(way, VERDICT_HANDSHAKE_REQUEST, n->backend);
		return 1;
	}
	/* The client gave up (a port scanner, a timeout): the backend hears it. Only the exact number ends it (RFC 5961, 3.2). */
	if (is_reset(p) && p->segment.seq - n->client_isn - 1 <= 65535) {
		if (p->segment.seq == n->client_isn + 1 && !nursery_forget(flow))
			return decide_retry(way); /* the backend goes on answering, and so the client refusing */
		decide_to_backend(way, VERDICT_HANDSHAKE_REQUEST, n->backend);
		return 1;
	}
	return 0;
}

/* The backend believes in this session: its next packet is answered, too. */
__noinline int nursery_refuse(const struct rainbow_flow *flow)
{
	enum cot_found found;
	struct cot cot;
	int i;

	if (!flow)
		return 0;
#pragma unroll
	for (i = 0; i < COT_TRIES; i++) {
		found = cot_find(flow, &cot);
		cot.nursling.state = RAINBOW_NURSERY_REFUSED;
		if (found == COT_NONE || (found == COT_FOUND && cot_put(flow, &cot)))
			return 1;
	}
	return 0;
}

static __always_inline void decide_refused(struct way *way, __u32 version, int opened)
{
	count_refused(version);
	way->verdict = opened == OPENED_FULL       ? VERDICT_REFUSED_TABLE
		       : opened == OPENED_NO_PLACE ? VERDICT_REFUSED_BACKENDS
						   : VERDICT_REFUSED_VERSION;
}

/* The handshake is proven. By itself, as decide_new is, so that it does not stack up on the question whether it is. */
__noinline int decide_promotion(struct way *way)
{
	struct rainbow_flow flow;
	int opened = OPENED_RETRY;
	struct rainbow_pin *pin;
	struct cot cot;

	if (!way)
		return 0;
	flow_make(&flow, &way->packet.source, way->packet.source_port, way->service);
	if (cot_find(&flow, &cot) == COT_FOUND && is_proof(&cot.nursling, &way->packet))
		opened = promote(&flow, &cot.nursling, &way->packet);
	if (opened == OPENED_RETRY && session_await(&flow))
		opened = OPENED_ALREADY;
	if (opened > OPENED_RETRY) {
		nursery_refuse(&flow);
		decide_refused(way, cot.nursling.version, opened);
		reclaim();
		return 0;
	}
	reclaim();
	if (opened == OPENED_RETRY)
		return decide_retry(way);
	nursery_forget(&flow);
	nursery_forget_choice(&flow);
	pin = pin_find(&flow);
	if (!pin)
		return decide_retry(way);
	pin_follow_client(&flow, pin, &way->packet);
	decide_to_backend(way, VERDICT_REQUEST, pin->backend);
	return 0;
}

/* Step 5. 1 where the nursery had the answer. */
static __always_inline int decide_request_nursery(struct way *way, const struct rainbow_flow *flow)
{
	struct cot cot;

	switch (cot_find(flow, &cot)) {
	case COT_NONE:
		return 0;
	case COT_FOUND:
		return decide_nursling(way, flow, &cot);
	default:
		return decide_retry(way);
	}
}

#endif
