/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Step 9, the bytes: what XDP and TC write alike once each has seen to the transport checksum in its own way. Offsets come from
 * struct packet and are masked, because the verifier asks for a bound on what is added to a packet pointer.
 */
#ifndef RAINBOW_BPF_WRITE_H
#define RAINBOW_BPF_WRITE_H

#include <linux/bpf.h>
#include <rainbow/checksum.h>
#include "decide.h"

/* One end of a packet becomes another address:port: a request's target the backend, a reply's source the service. */
struct edit {
	struct rainbow_addr addr;
	__u16 port;
	__u16 address_delta;
	__u16 port_delta;
	__u8 at_source;
	__u8 forwards; /* we forward it, so the TTL is ours to lower */
};

static __always_inline void edit_make(struct edit *edit, const struct leads *leads, int at_source)
{
	const struct rainbow_backend *backend = leads->backend;

	edit->at_source = (__u8)at_source;
	edit->forwards = leads->hop != NULL;
	if (at_source) {
		edit->addr = leads->service->address;
		edit->port = leads->service->port;
		edit->address_delta = rainbow_delta_reverse(backend->address_delta);
		edit->port_delta = rainbow_delta_reverse(backend->port_delta);
	} else {
		edit->addr = backend->address;
		edit->port = backend->port;
		edit->address_delta = backend->address_delta;
		edit->port_delta = backend->port_delta;
	}
}

/* What the long way has noted by numbers. 1 where it is all there. */
static __always_inline int leads_find(struct leads *leads, const struct way *way)
{
	leads->service = service_get(way->service);
	leads->backend = backend_get(way->backend);
	leads->hop = way->hop ? hop_get(way->hop) : NULL;
	return leads->service && leads->backend;
}

/* `size` bytes at `offset`, or NULL. The barrier keeps the compiler from computing the pointer anew behind the check. */
static __always_inline void *bytes_at(void *data, void *data_end, __u32 offset, __u32 size)
{
	void *at = data + (offset & OFFSET_MASK);

	asm volatile("" : "+r"(at));
	return at + size > data_end ? NULL : at;
}

static __always_inline void delta_apply(__u16 *checksum, __u32 delta)
{
	*checksum = rainbow_checksum_update(*checksum, delta);
}

static __always_inline void write_ipv4(struct iphdr *ip, const struct edit *edit)
{
	__u32 delta = edit->address_delta;

	*(edit->at_source ? &ip->saddr : &ip->daddr) = rainbow_addr_v4(&edit->addr);
	if (edit->forwards) { /* only above 1, so that the upper byte of its word falls by one (RFC 1141) */
		ip->ttl--;
		delta += rainbow_delta16(bpf_htons(0x100), 0);
	}
	delta_apply(&ip->check, delta);
}

/* Addresses, TTL, IP checksum and port. The transport checksum is the caller's. */
static __always_inline int write_edit(void *data, void *data_end, const struct packet *p, const struct edit *edit)
{
	__be16 *port = bytes_at(data, data_end, p->l4 + (edit->at_source ? 0 : 2), 2);

	if (!port)
		return 0;
	if (p->is_v4) {
		struct iphdr *ip = bytes_at(data, data_end, p->l3, sizeof(*ip));

		if (!ip)
			return 0;
		write_ipv4(ip, edit);
	} else {
		struct ipv6hdr *ip = bytes_at(data, data_end, p->l3, sizeof(*ip));

		if (!ip)
			return 0;
		__builtin_memcpy(edit->at_source ? &ip->saddr : &ip->daddr, &edit->addr, 16);
		if (edit->forwards)
			ip->hop_limit--;
	}
	*port = bpf_htons(edit->port);
	return 1;
}

static __always_inline __u32 checksum_offset(const struct packet *p)
{
	return p->l4 + (p->protocol == IPPROTO_TCP ? __builtin_offsetof(struct tcphdr, check)
						   : __builtin_offsetof(struct udphdr, check));
}

/* --- ICMP errors -------------------------------------------------------------------------------------------------------- */

/*
 * An error about a reply (request to the backend): outer target and quoted source become the backend. An error about a request
 * (reply to the client): the quoted target becomes the service, and so does the outer source if the backend sent the error.
 * edit->at_source names the outer end; the quoted one is the opposite.
 */
static __always_inline int error_outer_changes(const struct packet *p, const struct edit *edit)
{
	return !edit->at_source || p->outer_is_backend;
}

static __always_inline int write_error_ipv4(void *data, void *data_end, const struct packet *p, const struct edit *edit)
{
	struct iphdr *outer = bytes_at(data, data_end, p->l3, sizeof(*outer));
	struct iphdr *inner = bytes_at(data, data_end, p->inner_l3, sizeof(*inner));

	if (!outer || !inner)
		return 0;
	if (error_outer_changes(p, edit)) {
		*(edit->at_source ? &outer->saddr : &outer->daddr) = rainbow_addr_v4(&edit->addr);
		delta_apply(&outer->check, edit->address_delta);
	}
	*(edit->at_source ? &inner->daddr : &inner->saddr) = rainbow_addr_v4(&edit->addr);
	delta_apply(&inner->check, edit->address_delta);
	return 1;
}

static __always_inline int write_error_ipv6(void *data, void *data_end, const struct packet *p, const struct edit *edit)
{
	struct ipv6hdr *outer = bytes_at(data, data_end, p->l3, sizeof(*outer));
	struct ipv6hdr *inner = bytes_at(data, data_end, p->inner_l3, sizeof(*inner));

	if (!outer || !inner)
		return 0;
	if (error_outer_changes(p, edit))
		__builtin_memcpy(edit->at_source ? &outer->saddr : &outer->daddr, &edit->addr, 16);
	__builtin_memcpy(edit->at_source ? &inner->daddr : &inner->saddr, &edit->addr, 16);
	return 1;
}

/* All but the ICMP checksum. The quoted transport checksum stays: receivers do not look at it, and it may be cut off. */
static __always_inline int write_error(void *data, void *data_end, const struct packet *p, const struct edit *edit)
{
	__be16 *port = bytes_at(data, data_end, p->inner_l4 + (edit->at_source ? 2 : 0), 2);

	if (!port)
		return 0;
	*port = bpf_htons(edit->port);
	return p->is_v4 ? write_error_ipv4(data, data_end, p, edit) : write_error_ipv6(data, data_end, p, edit);
}

/*
 * What the edit does to the ICMP checksum: by the message, and (ICMPv6 only) by the pseudo-header. In ICMPv4 the quoted
 * address and the quoted header checksum cancel out.
 */
static __always_inline __u16 error_message_delta(const struct packet *p, const struct edit *edit)
{
	return p->is_v4 ? edit->port_delta : rainbow_delta_add(edit->address_delta, edit->port_delta);
}

static __always_inline __u16 error_pseudo_delta(const struct packet *p, const struct edit *edit)
{
	return !p->is_v4 && error_outer_changes(p, edit) ? edit->address_delta : 0;
}

/* --- the answer RST ------------------------------------------------------------------------------------------------------ */

#define RESET_TTL 64

static __always_inline void swap_macs(struct ethhdr *eth)
{
	__u8 mac[6];

	__builtin_memcpy(mac, eth->h_dest, 6);
	__builtin_memcpy(eth->h_dest, eth->h_source, 6);
	__builtin_memcpy(eth->h_source, mac, 6);
}

static __always_inline void write_reset_ipv4(struct iphdr *ip, __u16 length)
{
	__be32 addr = ip->saddr;
	__u16 before, after, delta;

	ip->saddr = ip->daddr;
	ip->daddr = addr;
	delta = rainbow_delta16(ip->tot_len, bpf_htons(length));
	ip->tot_len = bpf_htons(length);
	__builtin_memcpy(&before, &ip->ttl, 2);
	ip->ttl = RESET_TTL;
	__builtin_memcpy(&after, &ip->ttl, 2);
	delta_apply(&ip->check, rainbow_delta_add(delta, rainbow_delta16(before, after)));
}

static __always_inline void write_reset_ipv6(struct ipv6hdr *ip, __u16 length)
{
	struct in6_addr addr = ip->saddr;

	ip->saddr = ip->daddr;
	ip->daddr = addr;
	ip->payload_len = bpf_htons(length);
	ip->hop_limit = RESET_TTL;
}

static __always_inline __u64 sum_words(const void *bytes, int count)
{
	const __u16 *word = bytes;
	__u64 sum = 0;
	int i;

#pragma unroll
	for (i = 0; i < count; i++)
		sum += word[i];
	return sum;
}

/*
 * Turns the packet, cut behind a TCP header without options, into the RST that its sender must accept: RFC 9293, 3.10.7.1:
 * the sequence number that the packet acknowledged, or 0 and an acknowledgment of the packet where it acknowledged none.
 * *checksum is the transport checksum, over zeroes in its field; the caller stores it.
 */
static __always_inline int write_reset(void *data, void *data_end, const struct packet *p, __u16 *checksum)
{
	struct ethhdr *eth = bytes_at(data, data_end, 0, sizeof(*eth));
	struct tcphdr *tcp = bytes_at(data, data_end, p->l4, sizeof(*tcp));
	const struct rainbow_segment *s = &p->segment;
	__u32 acked = s->seq + s->length + !!(s->flags & RAINBOW_TCP_SYN) + !!(s->flags & RAINBOW_TCP_FIN);
	__u16 length = p->l4 - p->l3 + sizeof(*tcp);
	__u16 field;
	__u64 sum;

	if (!eth || !tcp)
		return 0;
	if (p->is_v4) {
		struct iphdr *ip = bytes_at(data, data_end, p->l3, sizeof(*ip));

		if (!ip)
			return 0;
		write_reset_ipv4(ip, length);
		sum = sum_words(&ip->saddr, 4);
	} else {
		struct ipv6hdr *ip = bytes_at(data, data_end, p->l3, sizeof(*ip));

		if (!ip)
			return 0;
		write_reset_ipv6(ip, length - sizeof(*ip));
		sum = sum_words(&ip->saddr, 16);
	}
	swap_macs(eth);
	tcp->source = bpf_htons(p->target_port);
	tcp->dest = bpf_htons(p->source_port);
	tcp->seq = s->flags & RAINBOW_TCP_ACK ? bpf_htonl(s->ack) : 0;
	tcp->ack_seq = s->flags & RAINBOW_TCP_ACK ? 0 : bpf_htonl(acked);
	((__u8 *)tcp)[12] = sizeof(*tcp) / 4 << 4;
	((__u8 *)tcp)[13] = s->flags & RAINBOW_TCP_ACK ? RAINBOW_TCP_RST : RAINBOW_TCP_RST | RAINBOW_TCP_ACK;
	tcp->window = 0;
	tcp->urg_ptr = 0;

	field = tcp->check;
	tcp->check = 0;
	sum += sum_words(tcp, sizeof(*tcp) / 2) + bpf_htons(IPPROTO_TCP) + bpf_htons(sizeof(*tcp));
	tcp->check = field;
	*checksum = (__u16)~rainbow_sum_fold(sum);
	return 1;
}

#endif
