// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Bad weather at the egress of a link (clsact): packets are lost, doubled, or sent a detour on which they are overtaken. Own code and
 * not netem, since many kernels for virtual machines come without sch_netem. The detour is a veth pair named detour0 and detour1,
 * slowed by a tbf; what comes out of detour1 goes on by the link, without weather this time.
 *
 * A lost packet is "stolen", not "shot": the sender must not hear of it. Of a SYN-ACK that it could not send (NET_XMIT_DROP), Linux
 * forgets the whole handshake (net/ipv4/inet_connection_sock.c, reqsk_timer_handler), as it never does for loss in a network.
 *
 *   tc filter add dev LINK egress bpf da obj weather.bpf.o sec weather/drizzle     (or weather/storm)
 *   tc filter add dev detour1 ingress bpf da obj weather.bpf.o sec weather/detour
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#define DETOUR_INDEX 900         /* of detour0: the chaos makes it with this index */
#define MARK_LINK    0x77000000u /* with the link's index: has had its weather */
#define MARK_OF(skb) (MARK_LINK | ((skb)->ifindex & 0xffff))

struct weather {
	__u32 lost, doubled, detoured; /* in 1,000 packets */
};

static __always_inline int weather_have(struct __sk_buff *skb, const struct weather *weather)
{
	__u32 dice = bpf_get_prandom_u32() % 1000;

	if ((skb->mark & 0xff000000u) == MARK_LINK)
		return TC_ACT_OK;
	if (dice < weather->lost)
		return TC_ACT_STOLEN;
	dice -= weather->lost;
	skb->mark = MARK_OF(skb);
	if (dice < weather->doubled) {
		bpf_clone_redirect(skb, skb->ifindex, 0);
		return TC_ACT_OK;
	}
	dice -= weather->doubled;
	if (dice < weather->detoured)
		return bpf_redirect(DETOUR_INDEX, 0);
	return TC_ACT_OK;
}

SEC("weather/drizzle")
int drizzle(struct __sk_buff *skb)
{
	static const struct weather weather = {.lost = 20, .doubled = 20, .detoured = 50};

	return weather_have(skb, &weather);
}

SEC("weather/storm")
int storm(struct __sk_buff *skb)
{
	static const struct weather weather = {.lost = 200, .doubled = 50, .detoured = 100};

	return weather_have(skb, &weather);
}

SEC("weather/detour")
int detour(struct __sk_buff *skb)
{
	return bpf_redirect(skb->mark & 0xffff, 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
