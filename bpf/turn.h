/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Turns of a TCP flow: the client says something, however many segments that takes, and the backend answers. Only payload that its
 * sender had not sent before, and that its receiver takes, says anything; a packet that turns nothing costs no time stamp.
 *
 *               client                 a tick passes
 *     QUIET ---------------> SPOKE ---------------------> WAITS
 *       |                    ^ | ^                        | |
 *       | backend     client | | +-------- client --------+ |
 *       |                    | | backend: a turn            | backend: a turn
 *       +----------------> ANSWERED <-----------------------+
 *
 * Each arrow is one compare-and-swap of the pin's flows, so a turn is counted once; one that meets another CPU's (a tick that passes, a
 * pin that learns) is tried again, once. Into SPOKE the time is noted first: the last payload of a long request is so exact to a tick,
 * and that of a request of one segment to a microsecond.
 *
 * Not each turn is counted: the backend's first bytes tell whether it is a TLS handshake's, or what hides behind that (signal.h). Nor does
 * each payload end one: behind an interim response of HTTP the flow is where it was, and waits for the final one. So they are looked at
 * before the arrow, which needs the program's context: turn_due says that there is something to look at, and turn_end follows when the
 * packet is decided. In between another CPU may end the turn with the segment behind, and the bytes looked at are that one's.
 */
#ifndef RAINBOW_BPF_TURN_H
#define RAINBOW_BPF_TURN_H

#include "measure.h"

#define TURN_TRIES 2

static __always_inline __u64 spoke_now(void)
{
	return bpf_ktime_get_ns() >> 10;
}

static __always_inline void spoke_write(const struct timing *timing, __u64 at)
{
	__u32 way = timing->way;

	asm volatile("" : "+r"(way));
	timing->bucket->spoke[way & (RAINBOW_WAYS - 1)] = (__u32)at;
	timing->bucket->spoke_high[way & (RAINBOW_WAYS - 1)] = (__u8)(at >> 32);
	asm volatile("" ::: "memory");
}

/* Since the client's last payload. */
static __always_inline __u32 spoke_us_ago(const struct timing *timing)
{
	__u32 way = timing->way;
	__u64 at;

	asm volatile("" : "+r"(way));
	at = timing->bucket->spoke[way & (RAINBOW_WAYS - 1)];
	at |= (__u64)timing->bucket->spoke_high[way & (RAINBOW_WAYS - 1)] << 32;
	return clamp32(((spoke_now() - at) & 0xffffffffffull) * 1024 / 1000);
}

/* For each segment: is it worth a call? */
static __always_inline int turn_may_begin(const struct rainbow_pin *pin, const struct rainbow_segment *segment)
{
	return rainbow_config.signals && rainbow_tcp_is_new(&pin->client, segment) &&
	       pin_phase(pin->flows) != RAINBOW_PHASE_SPOKE;
}

static __always_inline int turn_may_end(const struct rainbow_pin *pin, const struct rainbow_segment *segment)
{
	return rainbow_config.signals && rainbow_tcp_is_new(&pin->server, segment) &&
	       pin_phase(pin->flows) != RAINBOW_PHASE_ANSWERED;
}

/* The client speaks, which was not known in this tick. */
static __noinline int turn_begin(const struct rainbow_flow *flow, struct rainbow_pin *pin,
				 const struct rainbow_segment *segment)
{
	struct timing timing;
	__u32 flows;
	int i;

	if (!rainbow_tcp_brings_new(pin, segment, 1))
		return 0;
	if (timing_find(&timing, flow))
		spoke_write(&timing, spoke_now());
	for (i = 0; i < TURN_TRIES; i++) {
		flows = *(volatile __u32 *)&pin->flows;
		if (pin_flows_replace(pin, flows, flows_with_phase(flows & ~RAINBOW_FLOWS_INTERIM, RAINBOW_PHASE_SPOKE)))
			return 0;
	}
	return 0;
}

/* Does the backend's payload end a turn? turn_end tells, when the packet is decided: by its first bytes, if they are the next ones. */
enum turn_due {
	TURN_NOT_DUE = 0,
	TURN_DUE,
	TURN_DUE_INSIDE, /* something was lost before it, or is said again: where its words begin is not known */
};

/* To be asked before the step. */
static __noinline int turn_due(const struct rainbow_pin *pin, const struct rainbow_segment *segment)
{
	if (!rainbow_tcp_brings_new(pin, segment, 0))
		return TURN_NOT_DUE;
	return segment->seq == pin->server.next ? TURN_DUE : TURN_DUE_INSIDE;
}

static __always_inline void record_turn(struct rainbow_signal *record, __u32 before, __u32 us)
{
	__u64 *bin = record_word(record, bin_offset(EVENT_OFFSET(turn_us), us));

	if (bin)
		++*bin;
	if (before >= RAINBOW_TURNS_MAX)
		return;
	record->turns++;
	record->turns_squared += 2 * before + 1;
	if (!before)
		record->turned++;
}

/* What the backend said first. */
struct answer {
	enum rainbow_tls tls;
	enum rainbow_http http;
	__u8 is_known;
	__u8 is_http; /* the service speaks it */
	__u8 is_interim;
};

/* A turn of `us`, behind `before` others of the flow. A cohort's record has so many of one session, and so many responses. */
static __always_inline void measure_turn(const struct rainbow_service *service, const struct rainbow_pin *pin, __u32 before,
					 __u32 us, const struct answer *answer)
{
	__u32 slot = before < RAINBOW_TURNS_MAX ? rainbow_slot_of(cohort_now(service), pin->opened) : RAINBOW_SLOT_EVER;
	struct rainbow_signal *record = signal_get(pin->version, RAINBOW_SLOT_EVER);

	if (record)
		record_turn(record, before, us);
	record = slot != RAINBOW_SLOT_EVER ? signal_get(pin->version, slot) : NULL;
	if (record)
		record_turn(record, before, us);
	if (answer->is_http)
		measure_response(pin->version, slot, answer->http);
}

static __always_inline void answer_read(struct answer *answer, const __u8 line[RAINBOW_LINE], int is_known, __u32 length)
{
	answer->is_known = !!is_known;
	answer->tls = is_known ? rainbow_tls(line, length) : RAINBOW_TLS_NOT;
	answer->http = is_known && answer->is_http ? rainbow_http(line) : RAINBOW_HTTP_OTHER;
	answer->is_interim = is_known && answer->is_http && rainbow_http_is_interim(line);
}

/* Behind an interim response its rest may follow, or the whole of the next one's: only a response's first line ends the turn. */
static __always_inline int answer_is_none(const struct answer *answer, __u32 flows)
{
	return answer->is_http && (flows & RAINBOW_FLOWS_INTERIM) && answer->http == RAINBOW_HTTP_OTHER;
}

/* The words of a flow's first turn may be TLS's where they can not be read, and the service is not known to speak in plain. */
static __always_inline enum rainbow_tls answer_tls(const struct answer *answer, __u32 flows)
{
	return answer->is_known || answer->is_http || pin_turns(flows) ? answer->tls : RAINBOW_TLS_HELLO;
}

/* What TLS may hide behind; no doubt where a response of HTTP is read in plain. */
static __always_inline int answer_is_hidden(const struct answer *answer, enum rainbow_tls tls, __u32 flows)
{
	return tls != RAINBOW_TLS_NOT || (pin_skips(flows) && answer->http == RAINBOW_HTTP_OTHER);
}

static __always_inline __u32 flows_answered(__u32 flows, enum rainbow_tls tls, int counts)
{
	__u32 next = flows & ~(RAINBOW_FLOWS_SKIPS | RAINBOW_FLOWS_INTERIM);

	next |= rainbow_tls_skips(tls, pin_skips(flows)) << RAINBOW_FLOWS_SKIPS_SHIFT;
	if (counts && pin_turns(flows) < RAINBOW_TURNS_MAX)
		next += 1 << RAINBOW_FLOWS_TURNS_SHIFT;
	return flows_with_phase(next, RAINBOW_PHASE_ANSWERED);
}

/* The backend speaks, for the first time or for the first time since the client did. `timing` is NULL where nothing is timed. */
static __always_inline int turn_end_of(struct rainbow_pin *pin, const struct timing *timing,
				       const struct rainbow_service *service, const struct answer *answer)
{
	enum rainbow_phase phase;
	__u32 flows, us;
	int i, counts;

	for (i = 0; i < TURN_TRIES; i++) {
		enum rainbow_tls tls;

		flows = *(volatile __u32 *)&pin->flows;
		phase = pin_phase(flows);
		if (phase == RAINBOW_PHASE_ANSWERED || answer_is_none(answer, flows)) /* the former by another CPU */
			return 0;
		if (answer->is_interim && phase != RAINBOW_PHASE_QUIET) {
			if (pin_flows_replace(pin, flows, flows | RAINBOW_FLOWS_INTERIM))
				return 0;
			continue;
		}
		tls = answer_tls(answer, flows);
		counts = timing && phase != RAINBOW_PHASE_QUIET && !answer_is_hidden(answer, tls, flows);
		us = counts ? spoke_us_ago(timing) : 0;
		if (!pin_flows_replace(pin, flows, flows_answered(flows, tls, counts)))
			continue;
		if (counts)
			measure_turn(service, pin, pin_turns(flows), us, answer);
		return 0;
	}
	return 0;
}

/*
 * Of a reply for which a turn is due; `line` has its first bytes if `is_known`. Called when the packet is decided and counted, so that
 * it stacks up on nothing.
 */
static __noinline int turn_end(const struct way *way, const __u8 line[RAINBOW_LINE], int is_known)
{
	struct rainbow_service *service = service_get(way->service);
	struct rainbow_flow flow;
	struct answer answer = {};
	struct rainbow_pin *pin;
	struct timing timing;

	if (!service)
		return 0;
	flow_make(&flow, &way->packet.target, way->packet.target_port, way->service);
	answer.is_http = !!service->http;
	answer_read(&answer, line, is_known, way->packet.segment.length);
	if (timing_find(&timing, &flow))
		return turn_end_of(&way_get(timing.bucket, timing.way)->pin, &timing, service, &answer);
	pin = pin_find(&flow);
	return pin ? turn_end_of(pin, NULL, service, &answer) : 0;
}

#endif
