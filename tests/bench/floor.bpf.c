/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The floors that rainbow is measured against, and the driver before them all. BPF_PROG_TEST_RUN with repeat feeds a program
 * its own output, so the driver writes the packet anew each time, of the next session, and calls the program under test; its
 * cost is measured with an empty program behind it, and subtracted.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <rainbow/checksum.h>
#include <rainbow/select.h>
#include "tests/bench/driver.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct bench_driver driver;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} bench_xdp SEC(".maps"), bench_tc SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct rainbow_flow);
	__type(value, struct bench_session);
} bench_floor SEC(".maps");

/* --- the driver --------------------------------------------------------------------------------------------------------- */

static __always_inline __u32 next_session(void)
{
	if (!driver.random)
		return driver.next++;
	driver.seed = driver.seed * 1664525u + 1013904223u;
	return (__u32)((__u64)driver.seed * driver.sessions >> 32);
}

static __always_inline int write_packet(void *data, void *end)
{
	const struct bench_template *template;
	__u32 phase = driver.phase, session;
	__be32 *address;
	__be16 *port;
	__u64 *to = data;
	const __u64 *from;
	int i;

	if (data + BENCH_PACKET > end || phase >= BENCH_PHASES)
		return 0;
	template = &driver.template[phase];
	from = (const __u64 *)template->bytes;
#pragma unroll
	for (i = 0; i < BENCH_PACKET / 8; i++)
		to[i] = from[i];
	/* A handshake is of one session: those come one after the other. */
	session = phase == 0 ? next_session() : driver.next - 1;
	address = data + (template->address_offset & 63);
	port = data + (template->port_offset & 63);
	if ((void *)(address + 1) > end || (void *)(port + 1) > end)
		return 0;
	*address = bpf_htonl(driver.first_address + (session >> BENCH_PORTS_SHIFT));
	*port = bpf_htons(BENCH_PORT_FIRST + (session & ((1 << BENCH_PORTS_SHIFT) - 1)));
	driver.phase = phase + 1 < driver.phases ? phase + 1 : 0;
	return 1;
}

SEC("xdp")
int drive_xdp(struct xdp_md *ctx)
{
	long have = (long)ctx->data_end - (long)ctx->data;

	/* An RST was made of the last one. */
	if (have != BENCH_PACKET && bpf_xdp_adjust_tail(ctx, (int)(BENCH_PACKET - have)))
		return XDP_ABORTED;
	if (!write_packet((void *)(long)ctx->data, (void *)(long)ctx->data_end))
		return XDP_ABORTED;
	bpf_tail_call(ctx, &bench_xdp, 0);
	return XDP_ABORTED;
}

SEC("tc")
int drive_tc(struct __sk_buff *skb)
{
	if (skb->len != BENCH_PACKET && bpf_skb_change_tail(skb, BENCH_PACKET, 0))
		return TC_ACT_SHOT;
	if (!write_packet((void *)(long)skb->data, (void *)(long)skb->data_end))
		return TC_ACT_SHOT;
	bpf_tail_call(skb, &bench_tc, 0);
	return TC_ACT_SHOT;
}

/* --- empty, and the first floor ------------------------------------------------------------------------------------------ */

SEC("xdp")
int empty_xdp(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("tc")
int empty_tc(struct __sk_buff *skb)
{
	return TC_ACT_UNSPEC;
}

SEC("xdp")
int send_xdp(struct xdp_md *ctx)
{
	return XDP_TX;
}

SEC("tc")
int send_tc(struct __sk_buff *skb)
{
	return TC_ACT_REDIRECT;
}

/* --- the second floor: parse, one lookup in a preallocated hash (of a new session: an insert), rewrite ------------------------------------------------------------------------ */

struct floor_packet {
	void *ip; /* behind the Ethernet header */
	__be16 *ports;
	__sum16 *checksum;
	struct rainbow_flow flow;
	__u8 is_v4;
	__u8 is_request;
};

static __always_inline void addr_of_v4(struct rainbow_addr *addr, __be32 v4)
{
	__u32 middle = RAINBOW_V4_MIDDLE;

	__builtin_memset(addr->octet, 0, 8);
	__builtin_memcpy(addr->octet + 8, &middle, 4);
	__builtin_memcpy(addr->octet + 12, &v4, 4);
}

static __always_inline int floor_transport(struct floor_packet *p, void *l4, void *end, __u8 protocol)
{
	if (l4 + sizeof(struct tcphdr) > end)
		return 0;
	p->ports = l4;
	if (protocol == IPPROTO_TCP)
		p->checksum = &((struct tcphdr *)l4)->check;
	else if (protocol == IPPROTO_UDP)
		p->checksum = &((struct udphdr *)l4)->check;
	else
		return 0;
	p->is_request = p->ports[1] == bpf_htons(80);
	p->flow.port = bpf_ntohs(p->is_request ? p->ports[0] : p->ports[1]);
	p->flow.service = 1;
	return 1;
}

static __always_inline int floor_parse(void *data, void *end, struct floor_packet *p)
{
	struct ethhdr *eth = data;
	struct ipv6hdr *ip6 = data + sizeof(*eth);
	struct iphdr *ip = data + sizeof(*eth);

	p->ip = ip;
	if ((void *)(ip + 1) > end)
		return 0;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		if (ip->ihl != 5 || (ip->frag_off & bpf_htons(0x3fff)) || !floor_transport(p, ip + 1, end, ip->protocol))
			return 0;
		p->is_v4 = 1;
		addr_of_v4(&p->flow.client, p->is_request ? ip->saddr : ip->daddr);
		return 1;
	}
	if (eth->h_proto != bpf_htons(ETH_P_IPV6) || (void *)(ip6 + 1) > end || !floor_transport(p, ip6 + 1, end, ip6->nexthdr))
		return 0;
	__builtin_memcpy(&p->flow.client, p->is_request ? &ip6->saddr : &ip6->daddr, 16);
	return 1;
}

static __always_inline void floor_write_ipv4(struct iphdr *ip, const struct floor_packet *p, const struct rainbow_addr *addr,
					     __u16 delta)
{
	__u16 before, after;

	__builtin_memcpy(p->is_request ? &ip->daddr : &ip->saddr, addr->octet + 12, 4);
	__builtin_memcpy(&before, &ip->ttl, 2);
	ip->ttl--;
	__builtin_memcpy(&after, &ip->ttl, 2);
	ip->check = rainbow_checksum_update(ip->check, rainbow_delta_add(delta, rainbow_delta16(before, after)));
}

static __always_inline int floor_write(struct floor_packet *p, void *end, const struct bench_session *s)
{
	const struct rainbow_addr *addr = p->is_request ? &s->backend : &s->service;
	__u16 delta = p->is_request ? s->address_delta : rainbow_delta_reverse(s->address_delta);
	struct ipv6hdr *ip6 = p->ip;

	if (p->is_v4) {
		floor_write_ipv4(p->ip, p, addr, delta);
	} else {
		if ((void *)(ip6 + 1) > end)
			return 0;
		__builtin_memcpy(p->is_request ? &ip6->daddr : &ip6->saddr, addr, 16);
		ip6->hop_limit--;
	}
	if (p->is_request)
		p->ports[1] = bpf_htons(s->backend_port);
	else
		p->ports[0] = bpf_htons(s->service_port);
	return 1;
}

static __always_inline struct bench_session *floor_session(const struct floor_packet *p)
{
	struct bench_session *session = bpf_map_lookup_elem(&bench_floor, &p->flow);

	if (session || !driver.inserts)
		return session;
	bpf_map_update_elem(&bench_floor, &p->flow, &driver.fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&bench_floor, &p->flow);
}

SEC("xdp")
int lookup_xdp(struct xdp_md *ctx)
{
	struct floor_packet p = {};
	struct bench_session *session;
	__u16 *mac;
	int i;

	if (!floor_parse((void *)(long)ctx->data, (void *)(long)ctx->data_end, &p))
		return XDP_PASS;
	session = floor_session(&p);
	if (!session)
		return XDP_PASS;
	*p.checksum =
	    rainbow_checksum_update(*p.checksum, p.is_request ? session->delta : rainbow_delta_reverse(session->delta));
	if (!floor_write(&p, (void *)(long)ctx->data_end, session))
		return XDP_DROP;
	mac = (void *)(long)ctx->data;
	if ((void *)(mac + 6) > (void *)(long)ctx->data_end)
		return XDP_DROP;
#pragma unroll
	for (i = 0; i < 6; i++)
		mac[i] = session->macs[i];
	return bpf_redirect(session->ifindex, 0);
}

/* As TC must: the transport checksum by the helper, the MACs by the stack. */
SEC("tc")
int lookup_tc(struct __sk_buff *skb)
{
	struct floor_packet p = {};
	struct bench_session *session;
	__u16 address_delta, port_delta;
	__u32 offset;

	if (!floor_parse((void *)(long)skb->data, (void *)(long)skb->data_end, &p))
		return TC_ACT_UNSPEC;
	session = floor_session(&p);
	if (!session)
		return TC_ACT_UNSPEC;
	offset = (__u32)((long)p.checksum - (long)skb->data);
	address_delta = p.is_request ? session->address_delta : rainbow_delta_reverse(session->address_delta);
	port_delta = rainbow_delta16(bpf_htons(session->service_port), bpf_htons(session->backend_port));
	port_delta = p.is_request ? port_delta : rainbow_delta_reverse(port_delta);
	if (bpf_l4_csum_replace(skb, offset, 0, address_delta, BPF_F_PSEUDO_HDR) ||
	    bpf_l4_csum_replace(skb, offset, 0, port_delta, 0))
		return TC_ACT_SHOT;
	__builtin_memset(&p, 0, sizeof(p));
	if (!floor_parse((void *)(long)skb->data, (void *)(long)skb->data_end, &p) ||
	    !floor_write(&p, (void *)(long)skb->data_end, session))
		return TC_ACT_SHOT;
	return bpf_redirect_neigh(session->ifindex, NULL, 0, 0);
}
