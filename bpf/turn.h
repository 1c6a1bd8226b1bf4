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
 * Each arrow is one compare-and-swap of the pin's flows, so a turn is counted once. Into SPOKE the time is noted first: the last
 * payload of a long request is so exact to a tick, and that of a request of one segment to a microsecond.
 */
#ifndef RAINBOW_BPF_TURN_H
#define RAINBOW_BPF_TURN_H

#include "measure.h"

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
	__u32 flows = *(volatile __u32 *)&pin->flows;
	struct timing timing;

	if (!rainbow_tcp_brings_new(pin, segment, 1))
		return 0;
	if (timing_find(&timing, flow))
		spoke_write(&timing, spoke_now());
	pin_enter_phase(pin, flows, RAINBOW_PHASE_SPOKE);
	return 0;
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

/* A turn of `us`, behind `before` others of the flow. Returns the value of way->response. */
static __always_inline int measure_turn(__u32 service_id, const struct rainbow_pin *pin, __u32 before, __u32 us)
{
	struct rainbow_signal *record = signal_get(pin->version, RAINBOW_SLOT_EVER);
	struct rainbow_service *service = service_get(service_id);
	__u32 slot;

	if (record)
		record_turn(record, before, us);
	if (!service)
		return 0;
	slot = rainbow_slot_of(cohort_now(service), pin->opened);
	record = slot != RAINBOW_SLOT_EVER && before < RAINBOW_TURNS_MAX ? signal_get(pin->version, slot) : NULL;
	if (record)
		record_turn(record, before, us);
	return service->http ? (int)slot + 1 : 0;
}

/* The backend speaks, for the first time or for the first time since the client did. Returns the value of way->response. */
static __noinline int turn_end(const struct rainbow_flow *flow, struct rainbow_pin *pin, const struct rainbow_segment *segment)
{
	__u32 flows = *(volatile __u32 *)&pin->flows, before = pin_turns(flows), next = flows, us;
	enum rainbow_phase phase = pin_phase(flows);
	struct timing timing;

	if (!rainbow_tcp_brings_new(pin, segment, 0))
		return 0;
	if (phase == RAINBOW_PHASE_QUIET || !timing_find(&timing, flow)) {
		pin_enter_phase(pin, flows, RAINBOW_PHASE_ANSWERED);
		return 0;
	}
	if (phase == RAINBOW_PHASE_ANSWERED) /* by another CPU */
		return 0;
	us = spoke_us_ago(&timing);
	if (before < RAINBOW_TURNS_MAX)
		next += 1 << RAINBOW_FLOWS_TURNS_SHIFT;
	if (!pin_flows_replace(pin, flows, flows_with_phase(next, RAINBOW_PHASE_ANSWERED)))
		return 0;
	return measure_turn(flow->service, pin, before, us);
}

#endif
