/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An XDP program that lets everything pass, for the far end of a veth where rainbow runs as native XDP. What XDP_TX sends
 * into a veth waits in the peer's ring until the peer is woken, and the kernel wakes a peer for that only if it has an XDP
 * program (veth_xdp_flush asks for xdp_prog; GRO, and with it NAPI, is enough for XDP_REDIRECT alone).
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int lab_pass(struct xdp_md *packet)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
