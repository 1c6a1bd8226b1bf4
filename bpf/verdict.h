/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the deciding files share: small questions about a packet, and the verdicts that more than one of them gives. */
#ifndef RAINBOW_BPF_VERDICT_H
#define RAINBOW_BPF_VERDICT_H

#include "hop.h"
#include "session.h"

static __always_inline int is_first(const struct packet *p)
{
	const __u8 all = RAINBOW_TCP_SYN | RAINBOW_TCP_ACK | RAINBOW_TCP_RST | RAINBOW_TCP_FIN;

	return p->protocol == IPPROTO_UDP || (p->segment.flags & all) == RAINBOW_TCP_SYN;
}

static __always_inline int is_reset(const struct packet *p)
{
	return p->protocol == IPPROTO_TCP && (p->segment.flags & RAINBOW_TCP_RST);
}

/* Without a live pin while pins are carried over: it may be one of a session whose turn has not come. */
static __always_inline int is_held(void)
{
	struct rainbow_meta *meta = meta_get();

	return meta && meta->hold;
}

/* A session that was told to die answers TCP with RST; a datagram, or an RST itself, has no answer. */
static __always_inline void decide_closed(struct way *way)
{
	if (way->packet.protocol == IPPROTO_TCP && !is_reset(&way->packet))
		way->verdict = VERDICT_CLOSED_RESET;
	else
		way->verdict = VERDICT_CLOSED_DROP;
}

/*
 * The same, and notes on the pin which end has heard of it: by the RST with which a stack answers a question (probe.c) about a
 * connection that it no longer has. That we sent an RST proves nothing: it may be lost, or made from a packet so old that its number is
 * refused. The answer bears the number that was in the question, which no stranger knows.
 */
static __noinline int decide_killed(struct way *way, struct rainbow_pin *pin, __u8 told)
{
	__u32 asked = told == RAINBOW_TOLD_CLIENT ? pin->server.ack : pin->client.ack;

	decide_closed(way);
	if (is_reset(&way->packet) && way->packet.segment.seq == asked)
		pin->told |= told;
	return 0;
}

/* Another CPU is at work on the same place: dropped. Its sender repeats it, but for a datagram or an RST, which a network may lose. */
static __always_inline int decide_retry(struct way *way)
{
	way->verdict = VERDICT_RETRY;
	return 1;
}

static __always_inline void decide_to_backend(struct way *way, enum verdict verdict, __u32 id)
{
	way->verdict = verdict;
	way->backend = (__u16)id;
}

/* Where a request that was decided on leaves. Behind the decision, so that the two do not stack up: see struct way. */
static __always_inline void lead_to_backend(void *ctx, struct way *way)
{
	struct rainbow_backend *backend = backend_get(way->backend);

	if (backend)
		hop_use(way, hop_of_backend(ctx, way, backend));
}

/* Has the hour come at which every session of this backend's version is closed? Holds with rainbowd dead, too. */
static __always_inline int is_overdue(const struct rainbow_backend *backend)
{
	__u64 after = backend->close_after;

	return after && bpf_jiffies64() >= after;
}

#endif
