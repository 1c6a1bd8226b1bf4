/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What happens to handshakes and sessions is added to the records of headers/rainbow/signal.h here, each event once, by whoever won
 * it. A version without a record is not measured. The adds are atomic, as the sweep, which a packet may interrupt, ends sessions, too;
 * but for turns, which are many, and of packets alone.
 */
#ifndef RAINBOW_BPF_MEASURE_H
#define RAINBOW_BPF_MEASURE_H

#include "table.h"

#define NS_PER_SECOND 1000000000ull

/* One event: what is counted of it (offsets into the record), and what was measured. */
struct event {
	__u32 version;
	__u32 slot;      /* of the cohort that it belongs to as well; RAINBOW_SLOT_EVER: none */
	__u32 counter;   /* offset */
	__u32 histogram; /* offset; 0xffffffff: nothing was measured */
	__u32 value;
};
#define EVENT_UNMEASURED    0xffffffff
#define EVENT_OFFSET(field) __builtin_offsetof(struct rainbow_signal, field)

static __always_inline struct rainbow_signal *signal_get(__u32 version, __u32 slot)
{
	return record_get(rainbow_record(version, slot));
}

static __always_inline struct rainbow_cohort cohort_now(const struct rainbow_service *service)
{
	const void *at = &service->cohort;
	__u64 word = *(const volatile __u64 *)at;
	struct rainbow_cohort cohort;

	__builtin_memcpy(&cohort, &word, sizeof(cohort));
	return cohort;
}

/* The slot of what began in that second. */
static __always_inline __u32 slot_of(__u32 service_id, __u32 second)
{
	struct rainbow_service *service = service_get(service_id);

	return service ? rainbow_slot_of(cohort_now(service), second) : RAINBOW_SLOT_EVER;
}

/* A word of the record; NULL where there is none. The verifier wants to see the bound. */
static __always_inline __u64 *record_word(struct rainbow_signal *record, __u32 offset)
{
	asm volatile("" : "+r"(offset));
	return offset <= sizeof(*record) - sizeof(__u64) ? (void *)record + (offset & ~7u) : NULL;
}

static __always_inline void record_add(struct rainbow_signal *record, __u32 offset, __u64 value)
{
	__u64 *word = record_word(record, offset);

	if (word)
		__sync_fetch_and_add(word, value);
}

static __always_inline __u32 bin_offset(__u32 histogram, __u32 value)
{
	return histogram + rainbow_signal_bin(value) * (__u32)sizeof(__u64);
}

static __always_inline void event_add(const struct event *event, __u32 slot)
{
	struct rainbow_signal *record = signal_get(event->version, slot);

	if (!record)
		return;
	record_add(record, event->counter, 1);
	if (event->histogram != EVENT_UNMEASURED)
		record_add(record, bin_offset(event->histogram, event->value), 1);
}

/* A call: what is measured is once or twice in a session's life. */
static __noinline int event_count(const struct event *event)
{
	event_add(event, RAINBOW_SLOT_EVER);
	if (event->slot != RAINBOW_SLOT_EVER)
		event_add(event, event->slot);
	return 0;
}

static __always_inline __u32 clamp32(__u64 value)
{
	return value > 0xffffffff ? 0xffffffff : (__u32)value;
}

/* --- handshakes ---------------------------------------------------------------------------------------------------------- */

enum handshake {
	HANDSHAKE_ASKED,
	HANDSHAKE_JOINED,
	HANDSHAKE_ANSWERED,
	HANDSHAKE_REFUSED,
};

/* Where a handshake has got to; it began at asked_ns. */
__noinline int measure_handshake(__u32 service, __u32 version, __u64 asked_ns, __u32 what)
{
	struct event event = {.version = version, .histogram = EVENT_UNMEASURED};

	event.slot = slot_of(service, (__u32)(asked_ns / NS_PER_SECOND));
	if (what == HANDSHAKE_ANSWERED) {
		event.counter = EVENT_OFFSET(answered);
		event.histogram = EVENT_OFFSET(handshake_us);
		event.value = clamp32((bpf_ktime_get_ns() - asked_ns) / 1000);
	} else {
		event.counter = what == HANDSHAKE_ASKED    ? EVENT_OFFSET(asked)
				: what == HANDSHAKE_JOINED ? EVENT_OFFSET(joined)
							   : EVENT_OFFSET(refused);
	}
	return event_count(&event);
}

/* --- sessions ------------------------------------------------------------------------------------------------------------ */

/* Where a flow's pin lies in rainbow_table, and what is timed of it there. */
struct timing {
	struct rainbow_bucket *bucket;
	__u32 way;
};

/* 0: it is in rainbow_pin, where nothing is timed. */
static __always_inline int timing_find(struct timing *timing, const struct rainbow_flow *flow)
{
	struct spot spot;
	__u64 ways;
	int i;

	spot_find(&spot, flow);
	if (!spot.bucket)
		return 0;
	timing->bucket = spot.bucket;
	ways = rainbow_ways_of(bucket_control(spot.bucket), spot.tag);
	for (i = 0; i < RAINBOW_SAME_TAGS && ways; i++) {
		timing->way = rainbow_way_first(ways);
		if (way_is(way_get(spot.bucket, timing->way), flow))
			return 1;
		ways &= ways - 1;
	}
	return 0;
}

static __always_inline __u16 *timing_opened(const struct timing *timing)
{
	__u32 way = timing->way;

	asm volatile("" : "+r"(way));
	return &timing->bucket->opened_ms[way & (RAINBOW_WAYS - 1)];
}

/* Since the whole second in which a session opened. */
static __always_inline __u64 ms_since(__u32 opened)
{
	return bpf_ktime_get_ns() / 1000000 - (__s64)(__s32)opened * 1000;
}

/* The exact time is noted beside the pin, which has the seconds, a tick late at most. That of a session put back is lost. */
static __always_inline void note_opened(const struct rainbow_flow *flow, __u64 ms)
{
	struct timing timing;

	if (timing_find(&timing, flow))
		*timing_opened(&timing) = ms < 1100 ? (__u16)ms : 0;
}

/* A session has opened, and its pin can be found. */
__noinline int measure_opened(const struct rainbow_flow *key, const struct rainbow_pin *pin)
{
	struct event event = {.counter = EVENT_OFFSET(opened), .histogram = EVENT_UNMEASURED};

	if (!rainbow_config.signals || !key || !pin)
		return 0;
	note_opened(key, ms_since(pin->opened));
	event.version = pin->version;
	event.slot = slot_of(key->service, pin->opened);
	return event_count(&event);
}

static __always_inline __u32 duration_ms(const struct rainbow_flow *key, const struct rainbow_pin *pin)
{
	__u64 ms = ms_since(pin->opened);
	struct timing timing;
	__u16 later;

	if (!timing_find(&timing, key))
		return clamp32(ms);
	later = *timing_opened(&timing);
	return ms > later ? clamp32(ms - later) : 0;
}

/* ... has ended, whatever the reason. */
__noinline int measure_ended(const struct rainbow_flow *key, const struct rainbow_pin *pin)
{
	struct event event = {.counter = EVENT_OFFSET(ended), .histogram = EVENT_OFFSET(duration_ms)};

	if (!rainbow_config.signals || !key || !pin)
		return 0;
	event.value = duration_ms(key, pin);
	event.version = pin->version;
	event.slot = slot_of(key->service, pin->opened);
	return event_count(&event);
}

/* ... or a flow of one, by the RST of this side. `seen`: jiffies of the packet before it. */
static __noinline int measure_reset(const struct rainbow_flow *flow, const struct rainbow_pin *pin, int from_client, __u32 seen)
{
	struct event event = {.version = pin->version, .histogram = EVENT_UNMEASURED};
	struct rainbow_meta *meta = meta_get();

	if (!rainbow_config.signals || !meta)
		return 0;
	event.counter = from_client ? EVENT_OFFSET(reset_client_early) : EVENT_OFFSET(reset_server_early);
	event.counter += rainbow_when(pin_phase(pin->flows), jiffies_now() - seen, meta->hz) * sizeof(__u64);
	event.slot = slot_of(flow->service, pin->opened);
	return event_count(&event);
}

/* --- responses ----------------------------------------------------------------------------------------------------------- */

static __always_inline int measure_response(__u32 version, __u32 slot, enum rainbow_http class)
{
	struct event event = {.version = version, .slot = slot, .histogram = EVENT_UNMEASURED};

	event.counter = EVENT_OFFSET(http_1xx) + class * sizeof(__u64);
	return event_count(&event);
}

#endif
