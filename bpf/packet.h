/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Step 1 of the way of a packet: from bytes to what the decision needs. A cursor walks the headers; each helper checks bounds,
 * moves on, and returns NULL where the packet ends too early. Reads only.
 */
#ifndef RAINBOW_BPF_PACKET_H
#define RAINBOW_BPF_PACKET_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <rainbow/lookup.h>
#include <rainbow/select.h>
#include <rainbow/tcp.h>

/* ICMP (RFC 792) and ICMPv6 (RFC 4443) errors; linux/icmp.h would bring in libc. */
#define ICMP_DEST_UNREACH   3
#define ICMP_TIME_EXCEEDED  11
#define ICMP_PARAMETERPROB  12
#define ICMPV6_DEST_UNREACH 1
#define ICMPV6_PARAMPROB    4

struct icmp_header {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__u32 rest;
};

/* A transport header that ends further in than this is not followed; writers mask offsets by it, which tells the verifier. */
#define OFFSET_MASK       0x1ff
#define EXTENSION_HEADERS 6

enum parsed {
	PARSED_FLOW,     /* a TCP segment or UDP datagram */
	PARSED_ERROR,    /* an ICMP error about one: addresses and ports are those of the packet it quotes */
	PARSED_NOT,      /* another protocol, or malformed */
	PARSED_FRAGMENT, /* ports are missing, or the rest of the packet is */
	PARSED_SHORT,    /* the headers go on behind data_end */
};

struct packet {
	struct rainbow_addr source;
	struct rainbow_addr target;
	__u16 source_port; /* host order */
	__u16 target_port;
	__u16 l3; /* offsets from the Ethernet header */
	__u16 l4;
	__u16 inner_l3; /* of the packet that an ICMP error quotes */
	__u16 inner_l4;
	__u32 l3_length; /* bytes of the IP packet */
	__u32 l4_length; /* bytes behind the IP headers */
	__u32 piece;     /* of an aggregate (GRO, GSO): payload bytes of each of its segments; filled by the reader. Else 0. */
	__u8 protocol;   /* IPPROTO_TCP or IPPROTO_UDP */
	__u8 is_v4;
	__u8 tagged; /* VLAN tags, in the frame or beside it */
	__u8 ttl;
	__u8 scale;                     /* TCP window scale option of a SYN, or RAINBOW_SCALE_NONE */
	__u8 outer_is_backend;          /* ICMP error: its sender is the target of the quoted packet */
	struct rainbow_segment segment; /* TCP */
};

/* Of a TCP segment. */
static __always_inline __u32 payload_offset(const struct packet *p)
{
	return p->l3 + p->l3_length - p->segment.length;
}

struct cursor {
	void *data;
	void *end;
	void *pos;
};

static __always_inline void *cursor_take(struct cursor *c, __u32 size)
{
	void *header = c->pos;

	if (header + size > c->end)
		return NULL;
	c->pos = header + size;
	return header;
}

/* Are the next `size` bytes beyond what writers can reach? */
static __always_inline int cursor_is_far(const struct cursor *c, __u32 size)
{
	return (__u32)(c->pos - c->data) + size > OFFSET_MASK;
}

static __always_inline __u16 cursor_offset(const struct cursor *c)
{
	return (__u16)(c->pos - c->data);
}

struct vlan_header {
	__be16 tci;
	__be16 protocol;
};

static __always_inline int is_vlan(__be16 protocol)
{
	return protocol == bpf_htons(ETH_P_8021Q) || protocol == bpf_htons(ETH_P_8021AD);
}

/* Up to two tags. Returns the protocol behind them, 0 where the frame ends. */
static __always_inline __be16 parse_ethernet(struct cursor *c, struct packet *p)
{
	struct ethhdr *eth = cursor_take(c, sizeof(*eth));
	struct vlan_header *vlan;
	__be16 protocol;
	int i;

	if (!eth)
		return 0;
	protocol = eth->h_proto;
#pragma unroll
	for (i = 0; i < 2; i++) {
		if (!is_vlan(protocol))
			break;
		vlan = cursor_take(c, sizeof(*vlan));
		if (!vlan)
			return 0;
		protocol = vlan->protocol;
		p->tagged = 1;
	}
	return protocol;
}

/* In as few stores as its alignment allows: a load over stores that are smaller waits for them. */
static __always_inline void addr_from_v4(struct rainbow_addr *addr, __be32 v4)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	__u64 low = (__u64)v4 << 32 | RAINBOW_V4_MIDDLE;
#else
	__u64 low = (__u64)RAINBOW_V4_MIDDLE << 32 | v4;
#endif
	__u64 high = 0;

	__builtin_memcpy(addr, &high, 8);
	__builtin_memcpy(__builtin_assume_aligned(addr->octet + 8, 4), &low, 8);
}

/* The IPv4 header; *protocol is what follows it. `quoted`: inside an ICMP error, cut short by right. */
static __always_inline enum parsed parse_ipv4(struct cursor *c, struct packet *p, __u32 room, __u8 *protocol, int quoted)
{
	struct iphdr *ip = cursor_take(c, sizeof(*ip));
	__u32 header, length;

	if (!ip)
		return PARSED_SHORT;
	header = ip->ihl * 4;
	if (ip->version != 4 || header < sizeof(*ip))
		return PARSED_NOT;
	if (ip->frag_off & bpf_htons(0x3fff))
		return PARSED_FRAGMENT;
	if (!cursor_take(c, header - sizeof(*ip)))
		return PARSED_SHORT;
	addr_from_v4(&p->source, ip->saddr);
	addr_from_v4(&p->target, ip->daddr);
	*protocol = ip->protocol;
	if (quoted)
		return PARSED_FLOW;
	length = bpf_ntohs(ip->tot_len);
	if (!length && p->piece) /* beyond 64 KiB (BIG TCP) */
		length = room;
	if (length < header || length > room)
		return PARSED_NOT;
	p->is_v4 = 1;
	p->ttl = ip->ttl;
	p->l3_length = length;
	p->l4_length = length - header;
	return PARSED_FLOW;
}

struct extension_header {
	__u8 next;
	__u8 length; /* in units of 8 bytes, less one */
};

static __always_inline enum parsed parse_ipv6(struct cursor *c, struct packet *p, __u32 room, __u8 *protocol, int quoted)
{
	struct ipv6hdr *ip = cursor_take(c, sizeof(*ip));
	__u32 length, extensions = 0;
	__u8 next;
	int i;

	if (!ip)
		return PARSED_SHORT;
	if (ip->version != 6)
		return PARSED_NOT;
	__builtin_memcpy(&p->source, &ip->saddr, 16);
	__builtin_memcpy(&p->target, &ip->daddr, 16);
	next = ip->nexthdr;
#pragma unroll
	for (i = 0; i < EXTENSION_HEADERS; i++) {
		struct extension_header *extension;
		__u32 size;

		if (next == IPPROTO_FRAGMENT)
			return PARSED_FRAGMENT;
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS)
			break;
		extension = cursor_take(c, sizeof(*extension));
		if (!extension)
			return PARSED_SHORT;
		next = extension->next;
		size = (extension->length & 0x1f) * 8 + 8; /* longer ones (over 256 bytes) are not followed */
		if (extension->length > 0x1f)
			return PARSED_NOT;
		if (!cursor_take(c, size - sizeof(*extension)))
			return PARSED_SHORT;
		extensions += size;
	}
	*protocol = next;
	if (quoted)
		return PARSED_FLOW;
	length = bpf_ntohs(ip->payload_len);
	if (!length && p->piece) /* beyond 64 KiB (BIG TCP, as a jumbogram of RFC 2675) */
		length = room - sizeof(*ip);
	if (length + sizeof(*ip) > room || length < extensions)
		return PARSED_NOT;
	p->ttl = ip->hop_limit;
	p->l3_length = length + sizeof(*ip);
	p->l4_length = length - extensions;
	return PARSED_FLOW;
}

/*
 * The window scale option (RFC 7323, 2.2) of a SYN. Real stacks put it among the first six options; the loop is short for the
 * verifier, which walks it for each way through the programs.
 */
static __noinline __u8 parse_window_scale(void *options, void *end, __u32 size)
{
	__u32 at = 0;
	int i;

	for (i = 0; i < 12; i++) {
		__u8 *option;

		if (at >= size || at > 40 - 3)
			break;
		option = options + at;
		asm volatile("" : "+r"(option));
		if ((void *)(option + 3) > end || option[0] == 0)
			break;
		if (option[0] == 3)
			return option[2] > 14 ? 14 : option[2];
		if (option[0] == 1) /* no-operation */
			at += 1;
		else if (option[1] < 2)
			break;
		else
			at += option[1];
	}
	return RAINBOW_SCALE_NONE;
}

/* `plain`: a SYN, whose options matter, is left to the other one. */
static __always_inline enum parsed parse_tcp(struct cursor *c, struct packet *p, int plain)
{
	struct tcphdr *tcp = cursor_take(c, sizeof(*tcp));
	__u32 header;

	if (!tcp)
		return PARSED_SHORT;
	header = tcp->doff * 4;
	if (header < sizeof(*tcp) || header > p->l4_length)
		return PARSED_NOT;
	p->source_port = bpf_ntohs(tcp->source);
	p->target_port = bpf_ntohs(tcp->dest);
	p->segment.window = bpf_ntohs(tcp->window);
	p->segment.seq = bpf_ntohl(tcp->seq);
	p->segment.ack = bpf_ntohl(tcp->ack_seq);
	p->segment.length = p->l4_length - header;
	p->segment.flags = ((__u8 *)tcp)[13];
	if (p->segment.flags & RAINBOW_TCP_SYN && plain)
		return PARSED_NOT;
	if (p->segment.flags & RAINBOW_TCP_SYN)
		p->scale = parse_window_scale(c->pos, c->end, header - sizeof(*tcp));
	return PARSED_FLOW;
}

static __always_inline enum parsed parse_udp(struct cursor *c, struct packet *p)
{
	struct udphdr *udp = cursor_take(c, sizeof(*udp));

	if (!udp)
		return PARSED_SHORT;
	if (bpf_ntohs(udp->len) < sizeof(*udp) || bpf_ntohs(udp->len) > p->l4_length)
		return PARSED_NOT;
	p->source_port = bpf_ntohs(udp->source);
	p->target_port = bpf_ntohs(udp->dest);
	return PARSED_FLOW;
}

static __always_inline int is_icmp_error(const struct packet *p, __u8 protocol, __u8 type)
{
	if (p->is_v4)
		return protocol == IPPROTO_ICMP &&
		       (type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB);
	return protocol == IPPROTO_ICMPV6 && type >= ICMPV6_DEST_UNREACH && type <= ICMPV6_PARAMPROB;
}

/* An ICMP error (RFC 792, RFC 4443) quotes the packet it is about: at least its first 8 bytes behind the IP header. */
static __always_inline enum parsed parse_icmp(struct cursor *c, struct packet *p, __u8 protocol)
{
	struct icmp_header *icmp = cursor_take(c, sizeof(*icmp)); /* 8 bytes in both families */
	struct rainbow_addr_words outer, inner;
	enum parsed parsed;
	__be16 *ports;
	__u8 type;

	if (!icmp)
		return PARSED_SHORT;
	type = icmp->type;
	if (!is_icmp_error(p, protocol, type))
		return PARSED_NOT;
	outer = (struct rainbow_addr_words){};
	__builtin_memcpy(&outer, &p->source, sizeof(outer));
	p->inner_l3 = cursor_offset(c);
	parsed = p->is_v4 ? parse_ipv4(c, p, 0, &p->protocol, 1) : parse_ipv6(c, p, 0, &p->protocol, 1);
	if (parsed != PARSED_FLOW)
		return parsed == PARSED_SHORT ? PARSED_SHORT : PARSED_NOT;
	if (p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP)
		return PARSED_NOT;
	if (cursor_is_far(c, 8))
		return PARSED_NOT;
	p->inner_l4 = cursor_offset(c);
	ports = cursor_take(c, 8);
	if (!ports)
		return PARSED_SHORT;
	p->source_port = bpf_ntohs(ports[0]);
	p->target_port = bpf_ntohs(ports[1]);
	__builtin_memcpy(&inner, &p->target, sizeof(inner));
	p->outer_is_backend = inner.low == outer.low && inner.high == outer.high;
	return PARSED_ERROR;
}

/*
 * What nearly every packet is: untagged, without IP options or extension headers, TCP but no SYN, or UDP. Inlined into the programs
 * with constant offsets; a call costs as much as the parsing (return mitigations). 0: not so, or not well-formed; ask the other two.
 */
static __always_inline int packet_parse_plain(void *data, void *data_end, __u32 length, struct packet *p)
{
	struct cursor c = {.data = data, .end = data_end, .pos = data + sizeof(struct ethhdr)};
	__u32 room = length - sizeof(struct ethhdr);
	struct ethhdr *eth = data;
	__u8 *ip = c.pos;
	enum parsed parsed;
	__u8 protocol = 0;

	if (c.pos + sizeof(struct iphdr) > data_end)
		return 0;
	p->l3 = sizeof(*eth);
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		if (ip[0] != 0x45 || parse_ipv4(&c, p, room, &protocol, 0) != PARSED_FLOW)
			return 0;
		p->l4 = sizeof(*eth) + sizeof(struct iphdr);
	} else if (eth->h_proto == bpf_htons(ETH_P_IPV6)) {
		if ((ip[6] != IPPROTO_TCP && ip[6] != IPPROTO_UDP) || parse_ipv6(&c, p, room, &protocol, 0) != PARSED_FLOW)
			return 0;
		p->l4 = sizeof(*eth) + sizeof(struct ipv6hdr);
	}
	p->protocol = protocol;
	if (protocol == IPPROTO_TCP)
		parsed = parse_tcp(&c, p, 1);
	else if (protocol == IPPROTO_UDP)
		parsed = parse_udp(&c, p);
	else
		return 0;
	return parsed == PARSED_FLOW && p->source_port && p->target_port;
}

/*
 * Any other packet, in two steps: up to the IP headers, then what is behind them. Apart, because the verifier walks the second one for
 * each way through the first otherwise. `length` is that of the whole frame, of which [data, data_end) may be only the first part.
 */
static __always_inline enum parsed packet_parse_network(void *data, void *data_end, __u32 length, struct packet *p)
{
	struct cursor c = {.data = data, .end = data_end, .pos = data};
	__be16 ethertype = parse_ethernet(&c, p);
	enum parsed parsed;

	if (!ethertype)
		return PARSED_SHORT;
	p->l3 = cursor_offset(&c);
	p->scale = RAINBOW_SCALE_NONE;
	if (ethertype == bpf_htons(ETH_P_IP))
		parsed = parse_ipv4(&c, p, length - p->l3, &p->protocol, 0);
	else if (ethertype == bpf_htons(ETH_P_IPV6))
		parsed = parse_ipv6(&c, p, length - p->l3, &p->protocol, 0);
	else
		return PARSED_NOT;
	if (parsed != PARSED_FLOW)
		return parsed;
	if (cursor_is_far(&c, sizeof(struct tcphdr)))
		return PARSED_NOT;
	p->l4 = cursor_offset(&c);
	return PARSED_FLOW;
}

/* Behind packet_parse_network, which has said where and what it is. */
static __always_inline enum parsed packet_parse_transport(void *data, void *data_end, struct packet *p)
{
	struct cursor c = {.data = data, .end = data_end, .pos = data + (p->l4 & OFFSET_MASK)};
	enum parsed parsed;

	if (p->protocol == IPPROTO_TCP)
		parsed = parse_tcp(&c, p, 0);
	else if (p->protocol == IPPROTO_UDP)
		parsed = parse_udp(&c, p);
	else
		parsed = parse_icmp(&c, p, p->protocol);
	/* Port 0 is nobody's, and the key of client sessions. */
	if (parsed <= PARSED_ERROR && (!p->source_port || !p->target_port))
		return PARSED_NOT;
	return parsed;
}

#endif
