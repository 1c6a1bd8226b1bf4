/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The one place where packets are counted: by service, once each, as they leave. */
#ifndef RAINBOW_BPF_COUNT_H
#define RAINBOW_BPF_COUNT_H

#include "decide.h"

static __always_inline __u64 *counter_of(struct rainbow_packets *packets, enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_REQUEST:
		return &packets->requests;
	case VERDICT_REPLY:
		return &packets->replies;
	case VERDICT_PASS_NOT_OURS:
		return &packets->passed_not_ours;
	case VERDICT_PASS_UNPARSED:
		return &packets->passed_unparsed;
	case VERDICT_PASS_FRAGMENT:
		return &packets->passed_fragment;
	case VERDICT_PASS_BY_STACK:
		return &packets->passed_by_stack;
	case VERDICT_HANDSHAKE_REQUEST:
	case VERDICT_HANDSHAKE_REPLY:
		return &packets->handshakes;
	case VERDICT_ERROR_REQUEST:
	case VERDICT_ERROR_REPLY:
		return &packets->icmp_errors;
	case VERDICT_CLOSED_RESET:
	case VERDICT_CLOSED_DROP:
		return &packets->closing_answered;
	case VERDICT_STRAY_RESET:
		return &packets->strays_reset;
	case VERDICT_STRAY_DROP:
		return &packets->strays_dropped;
	case VERDICT_STRAY_PASS:
		return &packets->strays_passed;
	case VERDICT_REFUSED_TABLE:
		return &packets->refused_table_full;
	case VERDICT_REFUSED_BACKENDS:
		return &packets->refused_backends_full;
	case VERDICT_REFUSED_VERSION:
		return &packets->refused_no_version;
	case VERDICT_HELD:
		return &packets->held;
	default:
		return &packets->dropped_retry;
	}
}

static __always_inline void count_as(__u32 service, enum verdict verdict)
{
	struct rainbow_packets *packets = bpf_map_lookup_elem(&rainbow_packets, &service);

	if (packets)
		++*counter_of(packets, verdict);
}

static __always_inline void count_packet(const struct way *way)
{
	count_as(way->verdict == VERDICT_PASS_NOT_OURS ? 0 : way->service, way->verdict);
}

#endif
