/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Step 9 in XDP: frames as on the wire, checksums complete, so they are updated in place (RFC 1624). Frames whose sender left
 * the checksum to a device (veth and other local links with tx offload) do not belong here: `doctor` says so.
 */
#ifndef RAINBOW_BPF_XDP_H
#define RAINBOW_BPF_XDP_H

#include "write.h"

static __always_inline void *xdp_data(struct xdp_md *ctx)
{
	return (void *)(long)ctx->data;
}

static __always_inline void *xdp_end(struct xdp_md *ctx)
{
	return (void *)(long)ctx->data_end;
}

/* UDP: 0 says "no checksum" and stays; a sum that comes out as 0 is sent as all ones (RFC 768). */
static __always_inline int xdp_checksum(struct xdp_md *ctx, const struct packet *p, __u32 delta)
{
	__u16 *field = bytes_at(xdp_data(ctx), xdp_end(ctx), checksum_offset(p), 2);

	if (!field)
		return 0;
	if (p->protocol == IPPROTO_UDP && !*field)
		return 1;
	delta_apply(field, delta);
	if (p->protocol == IPPROTO_UDP && !*field)
		*field = 0xffff;
	return 1;
}

/* Both lie at even addresses. */
static __always_inline void mac_write(__u8 to[6], const __u8 from[6])
{
	__builtin_memcpy(__builtin_assume_aligned(to, 2), __builtin_assume_aligned(from, 2), 6);
}

/* Out by the NIC it came in by, or another one. */
static __always_inline int xdp_send(struct xdp_md *ctx, const struct rainbow_hop *hop, __u32 ingress)
{
	struct ethhdr *eth = bytes_at(xdp_data(ctx), xdp_end(ctx), 0, sizeof(*eth));
	__u32 ifindex = hop->ifindex;

	if (!eth)
		return XDP_DROP;
	mac_write(eth->h_source, hop->source_mac);
	mac_write(eth->h_dest, hop->mac);
	return ifindex == ingress ? XDP_TX : bpf_redirect(ifindex, 0);
}

/* Dropping where a write fails is right: half a rewrite must not leave, and the sender repeats. */
static __always_inline int xdp_forward(struct xdp_md *ctx, const struct way *way, const struct leads *leads, int at_source)
{
	struct edit edit = {};

	edit_make(&edit, leads, at_source);
	if (!xdp_checksum(ctx, &way->packet, (__u32)edit.address_delta + edit.port_delta) ||
	    !write_edit(xdp_data(ctx), xdp_end(ctx), &way->packet, &edit))
		return XDP_DROP;
	/* By the stack: addressed to us still, so that it routes it. */
	return leads->hop ? xdp_send(ctx, leads->hop, way->ingress) : XDP_PASS;
}

static __noinline int xdp_forward_error(struct xdp_md *ctx, const struct way *way)
{
	const struct packet *p = &way->packet;
	struct edit edit = {};
	struct leads leads;
	__u16 *field;

	if (!leads_find(&leads, way))
		return XDP_DROP;
	edit_make(&edit, &leads, 0);
	if (!write_error(xdp_data(ctx), xdp_end(ctx), p, &edit))
		return XDP_DROP;
	field = bytes_at(xdp_data(ctx), xdp_end(ctx), p->l4 + 2, 2);
	if (!field)
		return XDP_DROP;
	delta_apply(field, (__u32)error_message_delta(p, &edit) + error_pseudo_delta(p, &edit));
	return XDP_PASS;
}

static __noinline int xdp_reset(struct xdp_md *ctx, const struct way *way)
{
	const struct packet *p = &way->packet;
	long have = xdp_end(ctx) - xdp_data(ctx);
	struct tcphdr *tcp;
	__u16 checksum;

	if (p->protocol != IPPROTO_TCP || bpf_xdp_adjust_tail(ctx, (int)(p->l4 + sizeof(*tcp) - have)) ||
	    !write_reset(xdp_data(ctx), xdp_end(ctx), p, &checksum))
		return XDP_DROP;
	tcp = bytes_at(xdp_data(ctx), xdp_end(ctx), p->l4, sizeof(*tcp));
	if (!tcp)
		return XDP_DROP;
	tcp->check = checksum;
	return XDP_TX;
}

__noinline int xdp_forward_found(struct xdp_md *ctx, const struct way *way)
{
	struct leads leads;

	if (!way || !leads_find(&leads, way))
		return XDP_DROP;
	if (way->verdict == VERDICT_REPLY || way->verdict == VERDICT_HANDSHAKE_REPLY)
		return xdp_forward(ctx, way, &leads, 1);
	return xdp_forward(ctx, way, &leads, 0);
}

static __always_inline int xdp_act(struct xdp_md *ctx, const struct way *way)
{
	switch (way->verdict) {
	case VERDICT_REQUEST:
	case VERDICT_HANDSHAKE_REQUEST:
	case VERDICT_REPLY:
	case VERDICT_HANDSHAKE_REPLY:
		return xdp_forward_found(ctx, way);
	case VERDICT_ERROR_REQUEST:
		return xdp_forward_error(ctx, way);
	case VERDICT_CLOSED_RESET:
	case VERDICT_STRAY_RESET:
	case VERDICT_REFUSED_TABLE:
	case VERDICT_REFUSED_BACKENDS:
	case VERDICT_REFUSED_VERSION:
		return xdp_reset(ctx, way);
	case VERDICT_CLOSED_DROP: /* its session is over and datagrams have no RST */
	case VERDICT_STRAY_DROP:  /* the operator's policy, or an RST */
	case VERDICT_RETRY:       /* the sender repeats it, when the entry is settled */
	case VERDICT_HELD:        /* ... when the pins have been carried over */
		return XDP_DROP;
	default:
		return XDP_PASS;
	}
}

#endif
