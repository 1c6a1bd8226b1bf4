/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The one place where packets are counted, once each, as they leave: by service, and those of sessions by version. */
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

/* A packet of a session; non-atomic, as rainbow_packets is. */
static __always_inline void count_traffic(const struct rainbow_backend *backend, const struct packet *p, int is_reply)
{
	struct rainbow_traffic *traffic;
	__u32 version = backend->version;

	if (!rainbow_config.signals)
		return;
	traffic = bpf_map_lookup_elem(&rainbow_traffic, &version);
	if (!traffic)
		return;
	if (is_reply) {
		traffic->reply_packets++;
		traffic->reply_bytes += p->l3_length;
	} else {
		traffic->request_packets++;
		traffic->request_bytes += p->l3_length;
	}
}

static __always_inline void count_packet(const struct way *way)
{
	struct rainbow_backend *backend;

	count_as(way->verdict == VERDICT_PASS_NOT_OURS ? 0 : way->service, way->verdict);
	if (way->verdict != VERDICT_REQUEST && way->verdict != VERDICT_REPLY)
		return;
	backend = backend_get(way->backend);
	if (backend)
		count_traffic(backend, &way->packet, way->verdict == VERDICT_REPLY);
}

#endif
