/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Step 9 in TC: socket buffers, whose checksum may be complete, verified, or yet to be made by a device (CHECKSUM_PARTIAL: veth,
 * containers, local senders). Only bpf_l4_csum_replace knows which; so every change is told to it as a delta, split into what
 * the pseudo-header sees and what it does not. Passing is TC_ACT_UNSPEC: other programs on the hook have their turn.
 */
#ifndef RAINBOW_BPF_TC_H
#define RAINBOW_BPF_TC_H

#include <linux/pkt_cls.h>
#include "write.h"

/* Linear bytes wanted where the headers are spread over fragments. */
#define TC_PULL 256

static __always_inline void *tc_data(struct __sk_buff *skb)
{
	return (void *)(long)skb->data;
}

static __always_inline void *tc_end(struct __sk_buff *skb)
{
	return (void *)(long)skb->data_end;
}

static __always_inline int tc_checksum(struct __sk_buff *skb, const struct packet *p, __u32 offset, __u16 pseudo, __u16 message)
{
	__u64 flags = p->protocol == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;

	if (pseudo && bpf_l4_csum_replace(skb, offset, 0, pseudo, flags | BPF_F_PSEUDO_HDR))
		return 0;
	if (message && bpf_l4_csum_replace(skb, offset, 0, message, flags))
		return 0;
	return 1;
}

/*
 * A device may have summed the whole packet (CHECKSUM_COMPLETE). In IPv4 the header checksum balances each change of the header;
 * the helper counts on that. In IPv6 nothing does: what the helper took off for the addresses is given back, and a changed hop
 * limit is told. No effect on other buffers. Kernel 6.16 has a flag for the first half.
 */
static __always_inline void tc_balance_ipv6(struct __sk_buff *skb, const struct packet *p, __u16 pseudo, int forwards)
{
	if (p->is_v4)
		return;
	if (forwards)
		pseudo = rainbow_delta_add(pseudo, rainbow_delta16(bpf_htons(p->ttl), bpf_htons(p->ttl - 1)));
	bpf_csum_update(skb, pseudo);
}

/* The stack knows the neighbour's MAC, and asks for it where it grows old; the routing table need not be asked again. */
static __always_inline int tc_send(const struct rainbow_hop *hop)
{
	struct bpf_redir_neigh via = {};

	if (rainbow_addr_is_v4(&hop->via)) {
		via.nh_family = AF_INET;
		via.ipv4_nh = rainbow_addr_v4(&hop->via);
	} else {
		via.nh_family = AF_INET6;
		__builtin_memcpy(via.ipv6_nh, &hop->via, 16);
	}
	return bpf_redirect_neigh(hop->ifindex, &via, sizeof(via), 0);
}

/* Dropping where a write fails (no memory for a private copy) is right: half a rewrite must not leave; the sender repeats. */
static __always_inline int tc_forward(struct __sk_buff *skb, const struct way *way, const struct leads *leads, int at_source)
{
	const struct packet *p = &way->packet;
	struct edit edit = {};

	edit_make(&edit, leads, at_source);
	if (!tc_checksum(skb, p, checksum_offset(p), edit.address_delta, edit.port_delta))
		return TC_ACT_SHOT;
	tc_balance_ipv6(skb, p, edit.address_delta, edit.forwards);
	if (!write_edit(tc_data(skb), tc_end(skb), p, &edit))
		return TC_ACT_SHOT;
	return leads->hop ? tc_send(leads->hop) : TC_ACT_UNSPEC;
}

static __noinline int tc_forward_error(struct __sk_buff *skb, const struct way *way, int at_source)
{
	const struct packet *p = &way->packet;
	struct edit edit = {};
	__u16 message, pseudo;
	struct leads leads;

	if (!leads_find(&leads, way))
		return TC_ACT_SHOT;
	edit_make(&edit, &leads, at_source);
	message = error_message_delta(p, &edit);
	pseudo = error_pseudo_delta(p, &edit);
	if ((pseudo && bpf_l4_csum_replace(skb, p->l4 + 2, 0, pseudo, BPF_F_PSEUDO_HDR)) ||
	    (message && bpf_l4_csum_replace(skb, p->l4 + 2, 0, message, 0)))
		return TC_ACT_SHOT;
	tc_balance_ipv6(skb, p, pseudo, 0);
	return write_error(tc_data(skb), tc_end(skb), p, &edit) ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

/*
 * The checksum of the RST is told as two deltas as well. The first, on the pseudo-header, is that of the shorter length. The
 * second is whatever leads from the field as it is then to the checksum wanted; a buffer whose checksum is yet to be made
 * takes the first and, rightly, not the second.
 */
static __always_inline int tc_reset_checksum(struct __sk_buff *skb, const struct packet *p, __u16 checksum)
{
	__u16 length = rainbow_delta16(bpf_htons((__u16)p->l4_length), bpf_htons(sizeof(struct tcphdr)));
	struct tcphdr *tcp = bytes_at(tc_data(skb), tc_end(skb), p->l4, sizeof(*tcp));
	__u16 then;

	if (!tcp)
		return 0;
	then = rainbow_checksum_update(tcp->check, length);
	return tc_checksum(skb, p, checksum_offset(p), length, rainbow_delta16((__u16)~then, (__u16)~checksum));
}

/*
 * At ingress the RST goes back out. At egress its addressee is on the other side of this host: it is sent in again as though it
 * came from where the packet was going, and the stack routes it there.
 */
static __noinline int tc_reset(struct __sk_buff *skb, const struct way *way)
{
	const struct packet *p = &way->packet;
	__u16 checksum;

	if (p->protocol != IPPROTO_TCP || bpf_skb_change_tail(skb, p->l4 + sizeof(struct tcphdr), 0) ||
	    !write_reset(tc_data(skb), tc_end(skb), p, &checksum) || !tc_reset_checksum(skb, p, checksum))
		return TC_ACT_SHOT;
	return bpf_redirect(skb->ifindex, way->place == PLACE_EGRESS ? BPF_F_INGRESS : 0);
}

__noinline int tc_forward_found(struct __sk_buff *skb, const struct way *way)
{
	struct leads leads;

	if (!way || !leads_find(&leads, way))
		return TC_ACT_SHOT;
	if (way->verdict == VERDICT_REPLY || way->verdict == VERDICT_HANDSHAKE_REPLY)
		return tc_forward(skb, way, &leads, 1);
	return tc_forward(skb, way, &leads, 0);
}

static __always_inline int tc_act(struct __sk_buff *skb, const struct way *way)
{
	switch (way->verdict) {
	case VERDICT_REQUEST:
	case VERDICT_HANDSHAKE_REQUEST:
	case VERDICT_REPLY:
	case VERDICT_HANDSHAKE_REPLY:
		return tc_forward_found(skb, way);
	case VERDICT_ERROR_REQUEST:
		return tc_forward_error(skb, way, 0);
	case VERDICT_ERROR_REPLY:
		return tc_forward_error(skb, way, 1);
	case VERDICT_CLOSED_RESET:
	case VERDICT_STRAY_RESET:
	case VERDICT_REFUSED_TABLE:
	case VERDICT_REFUSED_BACKENDS:
	case VERDICT_REFUSED_VERSION:
		return tc_reset(skb, way);
	case VERDICT_CLOSED_DROP: /* its session is over and datagrams have no RST */
	case VERDICT_STRAY_DROP:  /* the operator's policy, or an RST */
	case VERDICT_RETRY:       /* the sender repeats it, when the entry is settled */
	case VERDICT_HELD:        /* ... when the pins have been carried over */
		return TC_ACT_SHOT;
	default:
		return TC_ACT_UNSPEC;
	}
}

#endif
