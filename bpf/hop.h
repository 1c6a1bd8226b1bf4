/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a packet leaves: the answer of the kernel's routing table (bpf_fib_lookup), kept beside the backend or the session and
 * renewed about once a second, because asking costs more than all the rest of a known session's packet. No answer means: the
 * stack decides, which also resolves neighbours and sends the ICMP errors that routers owe.
 */
#ifndef RAINBOW_BPF_HOP_H
#define RAINBOW_BPF_HOP_H

#include "maps.h"
#include "way.h"

#define HOP_KEEP 256 /* jiffies: about a second (HZ 250), and never more than three */

#ifndef AF_INET
#define AF_INET 2
#endif
#ifndef AF_INET6
#define AF_INET6 10
#endif

static __always_inline void hop_question(struct bpf_fib_lookup *ask, const struct rainbow_addr *from,
					 const struct rainbow_addr *to)
{
	if (rainbow_addr_is_v4(to)) {
		ask->family = AF_INET;
		__builtin_memcpy(&ask->ipv4_src, from->octet + 12, 4);
		__builtin_memcpy(&ask->ipv4_dst, to->octet + 12, 4);
	} else {
		ask->family = AF_INET6;
		__builtin_memcpy(ask->ipv6_src, from, 16);
		__builtin_memcpy(ask->ipv6_dst, to, 16);
	}
	ask->tot_len = 1; /* asks for the route's MTU in mtu_result */
}

/* Asks the routing table. A neighbour that is not known yet is the stack's to resolve, and asked for again with the next packet. */
static __noinline int hop_renew(void *ctx, __u32 ingress, struct rainbow_hop *hop, const struct rainbow_addr *from,
				const struct rainbow_addr *to)
{
	struct bpf_fib_lookup ask = {.ifindex = ingress};
	long answer;

	hop_question(&ask, from, to);
	answer = bpf_fib_lookup(ctx, &ask, sizeof(ask), 0);
	if (answer != BPF_FIB_LKUP_RET_SUCCESS) {
		hop->ifindex = 0;
		if (answer == BPF_FIB_LKUP_RET_NO_NEIGH)
			hop->renewed = 0;
		return 0;
	}
	__builtin_memcpy(hop->mac, ask.dmac, 6);
	hop->mtu = ask.mtu_result;
	hop->ifindex = ask.ifindex;
	return 0;
}

/* XDP can send only where a driver takes frames: out of the NIC the packet came in by, or another one with native XDP. */
static __always_inline int hop_use_xdp(struct way *way, const struct rainbow_hop *hop)
{
	__u32 ifindex = hop->ifindex;
	struct rainbow_hook *hook;

	__builtin_memcpy(way->mac, hop->mac, 6);
	if (ifindex == way->ingress)
		return 1;
	hook = bpf_map_lookup_elem(&rainbow_hook, &ifindex);
	if (!hook || hook->kind != RAINBOW_HOOK_XDP)
		return 0;
	__builtin_memcpy(way->source_mac, hook->mac, 6);
	return 1;
}

/* Of the packet, or of the longest piece that an aggregate will be cut into. */
static __always_inline __u32 length_on_wire(const struct packet *p)
{
	__u32 headers = p->protocol == IPPROTO_TCP ? p->l3_length - p->segment.length : p->l4 - p->l3 + sizeof(struct udphdr);

	return p->piece ? p->piece + headers : p->l3_length;
}

/* Sends the packet by the hop, if it can be: 1, and way->ifindex says where. `from`, `to`: its addresses as it leaves. */
static __always_inline int hop_use(void *ctx, struct way *way, struct rainbow_hop *hop, const struct rainbow_addr *from,
				   const struct rainbow_addr *to)
{
	const struct packet *p = &way->packet;
	__u32 now = jiffies_now() ?: 1;
	__u32 renewed = hop->renewed;

	if (p->tagged || p->ttl <= 1)
		return 0;
	/* One CPU renews, the others go on with what is there. */
	if ((!renewed || now - renewed >= HOP_KEEP) && __sync_val_compare_and_swap(&hop->renewed, renewed, now) == renewed)
		hop_renew(ctx, way->ingress, hop, from, to);
	if (!hop->ifindex || length_on_wire(p) > hop->mtu)
		return 0;
	if (way->place == PLACE_XDP && !hop_use_xdp(way, hop))
		return 0;
	way->ifindex = hop->ifindex;
	return 1;
}

#endif
