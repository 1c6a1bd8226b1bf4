/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a packet leaves: the answer of the kernel's routing table (bpf_fib_lookup), asked for about once a second, because
 * asking costs more than all the rest of a known session's packet. The answers, of which there are few, are in rainbow_hop;
 * backends and sessions name theirs. No answer means: the stack decides, which also resolves neighbours and sends the ICMP
 * errors that routers owe.
 */
#ifndef RAINBOW_BPF_HOP_H
#define RAINBOW_BPF_HOP_H

#include "pin.h"
#include "way.h"

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
		ask->ipv4_src = rainbow_addr_v4(from);
		ask->ipv4_dst = rainbow_addr_v4(to);
	} else {
		ask->family = AF_INET6;
		__builtin_memcpy(ask->ipv6_src, from, 16);
		__builtin_memcpy(ask->ipv6_dst, to, 16);
	}
	ask->tot_len = 1; /* asks for the route's MTU in mtu_result */
}

/*
 * The table of next hops. An entry is claimed by a compare-and-swap on `renewed`, by which an entry in use is renewed, too; so of
 * one that takes it over and one that renews it, one fails. It may be taken over when nobody has renewed it for HOP_STALE: each
 * user asks anew after HOP_KEEP, so nobody uses it then.
 */
#define HOP_STALE  (32 * HOP_KEEP)
#define HOP_PROBES 8

static __always_inline struct rainbow_hop *hop_get(__u32 id)
{
	return bpf_map_lookup_elem(&rainbow_hop, &id);
}

static __always_inline int hop_claim(struct rainbow_hop *hop, __u32 renewed, __u32 now)
{
	return __sync_val_compare_and_swap(&hop->renewed, renewed, now) == renewed;
}

static __always_inline int mac_is(const __u8 a[6], const __u8 b[6])
{
	__u32 x, y;
	__u16 v, w;

	__builtin_memcpy(&x, a, 4);
	__builtin_memcpy(&y, b, 4);
	__builtin_memcpy(&v, a + 4, 2);
	__builtin_memcpy(&w, b + 4, 2);
	return x == y && v == w;
}

/* The neighbour that the routing table named (an IPv4 route may lead over an IPv6 one). */
static __always_inline struct rainbow_addr hop_via(const struct bpf_fib_lookup *answer)
{
	__u32 middle = RAINBOW_V4_MIDDLE;
	struct rainbow_addr via = {};

	if (answer->family == AF_INET6) {
		__builtin_memcpy(&via, answer->ipv6_dst, 16);
	} else {
		__builtin_memcpy(via.octet + 8, &middle, 4);
		__builtin_memcpy(via.octet + 12, &answer->ipv4_dst, 4);
	}
	return via;
}

static __always_inline int hop_is(const struct rainbow_hop *hop, struct rainbow_addr_words via,
				  const struct bpf_fib_lookup *answer, int is_xdp)
{
	struct rainbow_addr_words have = rainbow_addr_words(&hop->via);

	return have.low == via.low && have.high == via.high && hop->ifindex == answer->ifindex &&
	       hop->mtu == answer->mtu_result && hop->is_xdp == is_xdp && mac_is(hop->mac, answer->dmac) &&
	       mac_is(hop->source_mac, answer->smac);
}

static __always_inline void hop_write(struct rainbow_hop *hop, const struct rainbow_addr *via,
				      const struct bpf_fib_lookup *answer, int is_xdp)
{
	*(volatile __u32 *)&hop->ifindex = 0;
	hop->via = *via;
	__builtin_memcpy(hop->mac, answer->dmac, 6);
	__builtin_memcpy(hop->source_mac, answer->smac, 6);
	hop->mtu = answer->mtu_result;
	hop->is_xdp = (__u8)is_xdp;
	*(volatile __u32 *)&hop->ifindex = answer->ifindex;
}

/* The index of the next hop that was answered, entered if it is new. BY_STACK where there is no room: it goes slowly, and right. */
__noinline int hop_enter(const struct bpf_fib_lookup *answer, int is_xdp)
{
	__u32 start, now = jiffies_now() ?: 1;
	struct rainbow_addr_words words;
	struct rainbow_addr via;
	int i;

	_Static_assert(RAINBOW_HOPS == 1 << 10, "the search begins at one of 10 bits");
	if (!answer)
		return RAINBOW_HOP_BY_STACK;
	via = hop_via(answer);
	words = rainbow_addr_words(&via);
	start = (__u32)(((words.low ^ words.high ^ answer->ifindex) * 0x9e3779b97f4a7c15ull) >> 54);
	for (i = 0; i < HOP_PROBES; i++) {
		__u32 id = (start + i) & (RAINBOW_HOPS - 1);
		struct rainbow_hop *hop = hop_get(id);
		__u32 renewed;

		if (!hop)
			break;
		if (!id) /* nobody's */
			continue;
		renewed = *(volatile __u32 *)&hop->renewed;
		if (renewed && hop_is(hop, words, answer, is_xdp)) {
			if (now - renewed < HOP_KEEP || hop_claim(hop, renewed, now))
				return (int)id;
			break;
		}
		if (renewed && now - renewed < HOP_STALE)
			continue;
		if (!hop_claim(hop, renewed, now))
			break;
		hop_write(hop, &via, answer, is_xdp);
		return (int)id;
	}
	return RAINBOW_HOP_BY_STACK;
}

/* XDP can send only where a driver takes frames: out of the NIC the packet came in by, or another one with native XDP. */
static __always_inline int hop_takes_xdp(__u32 ifindex)
{
	struct rainbow_hook *hook = bpf_map_lookup_elem(&rainbow_hook, &ifindex);

	return hook && hook->kind == RAINBOW_HOOK_XDP;
}

/* Asks the routing table. A neighbour that is not known yet is the stack's to resolve, and asked for again with the next packet. */
static __noinline __u16 hop_ask(void *ctx, __u32 ingress, const struct rainbow_addr *from, const struct rainbow_addr *to)
{
	struct bpf_fib_lookup ask = {.ifindex = ingress};
	long answer;

	hop_question(&ask, from, to);
	answer = bpf_fib_lookup(ctx, &ask, sizeof(ask), 0);
	if (answer != BPF_FIB_LKUP_RET_SUCCESS)
		return answer == BPF_FIB_LKUP_RET_NO_NEIGH ? RAINBOW_HOP_UNKNOWN : RAINBOW_HOP_BY_STACK;
	return (__u16)hop_enter(&ask, hop_takes_xdp(ask.ifindex));
}

/* Where a session's replies leave; pin_touch forgets it once in a while. */
static __always_inline __u16 hop_of_client(void *ctx, const struct way *way, __u16 *hop, const struct rainbow_addr *from)
{
	if (*hop == RAINBOW_HOP_UNKNOWN)
		*hop = hop_ask(ctx, way->ingress, from, &way->packet.target);
	return *hop;
}

/* Where requests to a backend leave. One CPU asks, the others go on with what is there, if it is not too old. */
static __always_inline __u16 hop_of_backend(void *ctx, const struct way *way, struct rainbow_backend *backend)
{
	__u32 now = jiffies_now(), asked = backend->hop_asked;
	__u16 hop = backend->hop;

	if (hop != RAINBOW_HOP_UNKNOWN &&
	    (now - asked < HOP_KEEP ||
	     (now - asked < HOP_STALE / 2 && __sync_val_compare_and_swap(&backend->hop_asked, asked, now) != asked)))
		return hop;
	hop = hop_ask(ctx, way->ingress, &way->packet.source, &backend->address);
	backend->hop = hop;
	backend->hop_asked = now;
	return hop;
}

/* Of the packet, or of the longest piece that an aggregate will be cut into. */
static __always_inline __u32 length_on_wire(const struct packet *p)
{
	__u32 headers = p->protocol == IPPROTO_TCP ? p->l3_length - p->segment.length : p->l4 - p->l3 + sizeof(struct udphdr);

	return p->piece ? p->piece + headers : p->l3_length;
}

/* The next hop, if the packet can be sent by it; NULL: the stack decides. */
static __always_inline const struct rainbow_hop *hop_if_usable(const struct way *way, __u16 id)
{
	const struct packet *p = &way->packet;
	const struct rainbow_hop *hop;
	__u32 ifindex;

	if (id == RAINBOW_HOP_UNKNOWN || id == RAINBOW_HOP_BY_STACK || p->tagged || p->ttl <= 1)
		return NULL;
	hop = hop_get(id);
	if (!hop)
		return NULL;
	ifindex = hop->ifindex;
	if (!ifindex || length_on_wire(p) > hop->mtu)
		return NULL;
	return way->place == PLACE_XDP && ifindex != way->ingress && !hop->is_xdp ? NULL : hop;
}

/* The same, noted on the way: 1 where it can. */
static __always_inline int hop_use(struct way *way, __u16 id)
{
	if (!hop_if_usable(way, id))
		return 0;
	way->hop = id;
	return 1;
}

#endif
