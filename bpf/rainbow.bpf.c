/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel programs of rainbow. Two hooks read a packet, ask one core what becomes of it, count it, and do it: XDP and TC
 * differ only in how they read, write and send. The syscall programs are run by rainbowd.
 *
 *   packet.h  1    bytes to a packet          session.h   sessions open, end, are counted
 *   decide.h  2-8  a packet to a verdict:     choose.h    7: a new session's version and backend
 *     reply.h   2    from a backend           hop.h       where a packet leaves
 *     request.h 4    to a service             sweep.h     what time does to sessions
 *     nursery.h 5-8  not pinned (yet)         ghost.h     clients that vanished
 *       cot.h        where such a flow waits
 *   write.h   9    bytes, for both hooks      reclaim.h   ended pins make room
 *   xdp.h tc.h 9   a verdict to an action     restore.h   pins put back
 *   measure.h      what versions are judged   lookup.h    whose address:port is this
 *     turn.h         by: turns, too           count.h     packets are counted
 */
#include "maps.h"
#include "packet.h"
#include "decide.h"
#include "count.h"
#include "xdp.h"
#include "tc.h"
#include "sweep.h"
#include "restore.h"

#define PACKET_OTHERHOST 3 /* linux/if_packet.h */

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/*
 * Each program has a straight way for what nearly every packet is, all inline, and leaves the rest to global functions: the
 * verifier walks those once, for any packet and any way, instead of once for each path that leads there. They can not take
 * packet pointers; so they take the context.
 */
__noinline int xdp_parse_network(struct xdp_md *ctx, struct way *way)
{
	void *data = xdp_data(ctx), *end = xdp_end(ctx);

	return way ? packet_parse_network(data, end, end - data, &way->packet) : PARSED_NOT;
}

__noinline int xdp_parse_transport(struct xdp_md *ctx, struct way *way)
{
	return way ? packet_parse_transport(xdp_data(ctx), xdp_end(ctx), &way->packet) : PARSED_NOT;
}

__noinline int xdp_reply(struct xdp_md *ctx, struct way *way)
{
	return way ? decide_reply(ctx, way) : 0;
}

__noinline int xdp_lead(struct xdp_md *ctx, struct way *way)
{
	if (way)
		lead_to_backend(ctx, way);
	return 0;
}

#define LINE_ROOM 16 /* a power of two that RAINBOW_LINE fits in */

/* How many of its first bytes are looked at. It has one at least; the verifier wants to see both bounds. */
static __always_inline __u32 line_size(const struct packet *p)
{
	__u32 last = (p->segment.length < RAINBOW_LINE ? p->segment.length : RAINBOW_LINE) - 1;

	asm volatile("" : "+r"(last));
	return (last & (LINE_ROOM - 1)) + 1;
}

__noinline int xdp_hear_answer(struct xdp_md *ctx, const struct way *way)
{
	__u8 line[LINE_ROOM] = {};

	if (!way)
		return 0;
	return turn_end(way, line,
			way->answers == TURN_DUE &&
			    !bpf_xdp_load_bytes(ctx, payload_offset(&way->packet), line, line_size(&way->packet)));
}

static __always_inline void xdp_decide(struct xdp_md *ctx, struct way *way)
{
	if (way->parsed == PARSED_ERROR)
		decide_error(way);
	else if (way->backend)
		xdp_reply(ctx, way);
	else if (way->service)
		decide_request(way);
	if (way->verdict == VERDICT_NEW)
		decide_new(way);
	else if (way->verdict == VERDICT_PROOF)
		decide_promotion(way);
	if (way->verdict == VERDICT_REQUEST || way->verdict == VERDICT_HANDSHAKE_REQUEST)
		xdp_lead(ctx, way);
}

/* Everything but a plain packet of a live session. Whose a plain one is has been found out. */
static __always_inline int xdp_long_way(struct xdp_md *ctx, struct way *way, int is_plain)
{
	if (!is_plain) {
		way->packet = (struct packet){};
		way->parsed = xdp_parse_network(ctx, way);
		if (way->parsed == PARSED_FLOW)
			way->parsed = xdp_parse_transport(ctx, way);
		decide_whose(way);
	}
	xdp_decide(ctx, way);
	count_packet(way);
	if (way->answers)
		xdp_hear_answer(ctx, way);
	return xdp_act(ctx, way);
}

SEC("xdp")
int rainbow_xdp(struct xdp_md *ctx)
{
	struct way way = {.place = PLACE_XDP, .ingress = ctx->ingress_ifindex};
	void *data = xdp_data(ctx), *end = xdp_end(ctx);
	struct leads leads = {}; /* else the compiler may spill what was never written, which the verifier refuses */

	if (!packet_parse_plain(data, end, end - data, &way.packet))
		return xdp_long_way(ctx, &way, 0);
	switch (decide_known(ctx, &way, &leads)) {
	case KNOWN_REQUEST:
		count_as(way.service, VERDICT_REQUEST);
		count_traffic(leads.backend, &way.packet, 0);
		return xdp_forward(ctx, &way, &leads, 0);
	case KNOWN_REPLY:
		count_as(way.service, VERDICT_REPLY);
		count_traffic(leads.backend, &way.packet, 1);
		if (way.answers)
			xdp_hear_answer(ctx, &way);
		return xdp_forward(ctx, &way, &leads, 1);
	case KNOWN_JUDGED:
		count_packet(&way);
		return XDP_PASS;
	default:
		return xdp_long_way(ctx, &way, 1);
	}
}

__noinline int tc_parse_network(struct __sk_buff *skb, struct way *way)
{
	return way ? packet_parse_network(tc_data(skb), tc_end(skb), skb->len, &way->packet) : PARSED_NOT;
}

__noinline int tc_parse_transport(struct __sk_buff *skb, struct way *way)
{
	return way ? packet_parse_transport(tc_data(skb), tc_end(skb), &way->packet) : PARSED_NOT;
}

__noinline int tc_reply(struct __sk_buff *skb, struct way *way)
{
	return way ? decide_reply(skb, way) : 0;
}

__noinline int tc_lead(struct __sk_buff *skb, struct way *way)
{
	if (way)
		lead_to_backend(skb, way);
	return 0;
}

__noinline int tc_hear_answer(struct __sk_buff *skb, const struct way *way)
{
	__u8 line[LINE_ROOM] = {};

	if (!way)
		return 0;
	return turn_end(way, line,
			way->answers == TURN_DUE &&
			    !bpf_skb_load_bytes(skb, payload_offset(&way->packet), line, line_size(&way->packet)));
}

static __always_inline void tc_decide(struct __sk_buff *skb, struct way *way)
{
	if (way->parsed == PARSED_ERROR)
		decide_error(way);
	else if (way->backend)
		tc_reply(skb, way);
	else if (way->service)
		decide_request(way);
	if (way->verdict == VERDICT_NEW)
		decide_new(way);
	else if (way->verdict == VERDICT_PROOF)
		decide_promotion(way);
	if (way->verdict == VERDICT_REQUEST || way->verdict == VERDICT_HANDSHAKE_REQUEST)
		tc_lead(skb, way);
}

static __always_inline void tc_parse(struct __sk_buff *skb, struct way *way)
{
	way->packet = (struct packet){.piece = skb->gso_size};
	way->parsed = tc_parse_network(skb, way);
	if (way->parsed == PARSED_FLOW)
		way->parsed = tc_parse_transport(skb, way);
}

/* Headers may lie in fragments of the buffer: those are pulled together where they are missing. */
static __always_inline void tc_parse_any(struct __sk_buff *skb, struct way *way)
{
	tc_parse(skb, way);
	if (way->parsed == PARSED_SHORT && skb->len > (__u32)(tc_end(skb) - tc_data(skb)) &&
	    !bpf_skb_pull_data(skb, skb->len < TC_PULL ? skb->len : TC_PULL))
		tc_parse(skb, way);
	way->packet.tagged |= skb->vlan_present;
}

static __always_inline int tc_long_way(struct __sk_buff *skb, struct way *way, int is_plain)
{
	if (!is_plain) {
		tc_parse_any(skb, way);
		decide_whose(way);
	}
	tc_decide(skb, way);
	count_packet(way);
	if (way->answers)
		tc_hear_answer(skb, way);
	return tc_act(skb, way);
}

static __always_inline int tc_way(struct __sk_buff *skb, enum place place)
{
	struct way way = {.place = place, .ingress = skb->ifindex};
	struct leads leads = {}; /* else the compiler may spill what was never written, which the verifier refuses */

	/* Seen only because the interface is promiscuous: another host's. */
	if (skb->pkt_type == PACKET_OTHERHOST)
		return TC_ACT_UNSPEC;
	way.packet.piece = skb->gso_size;
	way.packet.tagged = skb->vlan_present;
	if (!packet_parse_plain(tc_data(skb), tc_end(skb), skb->len, &way.packet))
		return tc_long_way(skb, &way, 0);
	switch (decide_known(skb, &way, &leads)) {
	case KNOWN_REQUEST:
		count_as(way.service, VERDICT_REQUEST);
		count_traffic(leads.backend, &way.packet, 0);
		return tc_forward(skb, &way, &leads, 0);
	case KNOWN_REPLY:
		count_as(way.service, VERDICT_REPLY);
		count_traffic(leads.backend, &way.packet, 1);
		if (way.answers)
			tc_hear_answer(skb, &way);
		return tc_forward(skb, &way, &leads, 1);
	case KNOWN_JUDGED:
		count_packet(&way);
		return TC_ACT_UNSPEC;
	default:
		return tc_long_way(skb, &way, 1);
	}
}

SEC("tc")
int rainbow_ingress(struct __sk_buff *skb)
{
	return tc_way(skb, PLACE_INGRESS);
}

/* Replies that the stack routes to a client are restored where they leave: at ingress an own address as source is a martian. */
SEC("tc")
int rainbow_egress(struct __sk_buff *skb)
{
	return tc_way(skb, PLACE_EGRESS);
}

SEC("syscall")
int rainbow_sweep(struct rainbow_sweep *sweep)
{
	return sweep_all(sweep);
}

SEC("syscall")
int rainbow_close(struct rainbow_close *order)
{
	struct rainbow_flow flow = order->flow;
	enum rainbow_end reason = order->reason;
	struct rainbow_pin *pin = pin_find(&flow);

	order->closed = 0;
	if (!pin || (order->version && order->version != pin->version))
		return 0;
	order->pin = *pin;
	order->closed = pin->kind == RAINBOW_PIN_CLIENT ? client_kill(&flow, pin, reason) : pin_kill(&flow, pin, reason);
	return 0;
}

SEC("syscall")
int rainbow_asked(struct rainbow_asked *asked)
{
	ghost_count(asked);
	return 0;
}

SEC("syscall")
int rainbow_restore(struct rainbow_restore *order)
{
	return restore_all(order);
}

SEC("syscall")
int rainbow_clock(struct rainbow_clock *clock)
{
	clock->jiffies = bpf_jiffies64();
	clock->monotonic_ns = bpf_ktime_get_ns();
	return 0;
}
