/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One pin: its first word, which changes in one compare-and-swap, and what is small about the rest. The states and arrows are
 * drawn in headers/rainbow/maps.h.
 */
#ifndef RAINBOW_BPF_PIN_H
#define RAINBOW_BPF_PIN_H

#include "maps.h"

static __always_inline int pin_is_live(enum rainbow_pin_state state)
{
	return state == RAINBOW_PIN_LIVE || state == RAINBOW_PIN_HALF_CLIENT || state == RAINBOW_PIN_HALF_SERVER;
}

/* No CPU is making it, or giving its place back. */
static __always_inline int pin_is_settled(enum rainbow_pin_state state)
{
	return state != RAINBOW_PIN_FREE && state != RAINBOW_PIN_SETUP && state != RAINBOW_PIN_FREED;
}

/* The first word of a pin. */
struct pin_head {
	enum rainbow_pin_state state;
	__u16 version;
	__u16 backend;
};

static __always_inline struct pin_head pin_head(const struct rainbow_pin *pin)
{
	__u64 word = *(const volatile __u64 *)pin;
	struct pin_head head;

	__builtin_memcpy(&head, &word, sizeof(head));
	return head;
}

/* 1 for the one caller that made the change; `from` is then what it was, version and backend too. */
static __always_inline int pin_replace(struct rainbow_pin *pin, const struct pin_head *from, const struct pin_head *to)
{
	__u64 before, after;

	__builtin_memcpy(&before, from, sizeof(before));
	__builtin_memcpy(&after, to, sizeof(after));
	return __sync_val_compare_and_swap((__u64 *)pin, before, after) == before;
}

static __always_inline int pin_move(struct rainbow_pin *pin, const struct pin_head *from, enum rainbow_pin_state to)
{
	struct pin_head next = *from;

	next.state = to;
	return pin_replace(pin, from, &next);
}

/* All but its first word and its flows. */
static __always_inline void pin_fill(struct rainbow_pin *pin, const struct rainbow_pin *from)
{
	pin->opened = from->opened;
	pin->last_seen = from->last_seen;
	pin->client = from->client;
	pin->server = from->server;
	pin->client_window = from->client_window;
	pin->server_window = from->server_window;
	pin->hop = from->hop;
	pin->client_scale = from->client_scale;
	pin->server_scale = from->server_scale;
	pin->kind = from->kind;
	pin->told = from->told;
	pin->asked = from->asked;
}

/* --- who has spoken (bpf/turn.h), in the flows of a session or flow -------------------------------------------------------- */

static __always_inline enum rainbow_phase pin_phase(__u32 flows)
{
	return (enum rainbow_phase)((flows & RAINBOW_FLOWS_PHASE) >> RAINBOW_FLOWS_PHASE_SHIFT);
}

static __always_inline __u32 pin_turns(__u32 flows)
{
	return (flows & RAINBOW_FLOWS_TURNS) >> RAINBOW_FLOWS_TURNS_SHIFT;
}

static __always_inline __u32 pin_skips(__u32 flows)
{
	return (flows & RAINBOW_FLOWS_SKIPS) >> RAINBOW_FLOWS_SKIPS_SHIFT;
}

static __always_inline __u32 flows_with_phase(__u32 flows, enum rainbow_phase phase)
{
	return (flows & ~RAINBOW_FLOWS_PHASE) | phase << RAINBOW_FLOWS_PHASE_SHIFT;
}

static __always_inline int pin_flows_replace(struct rainbow_pin *pin, __u32 from, __u32 to)
{
	return __sync_val_compare_and_swap(&pin->flows, from, to) == from;
}

/* 0: another CPU has changed its flows meanwhile. */
static __always_inline int pin_enter_phase(struct rainbow_pin *pin, __u32 flows, enum rainbow_phase phase)
{
	return pin_flows_replace(pin, flows, flows_with_phase(flows, phase));
}

/* --- last seen ------------------------------------------------------------------------------------------------------------ */

#define HOP_KEEP 256 /* jiffies, a power of two: about a second (HZ 250), and never more than three */

/* What a tick that has passed changes: once in HOP_KEEP the way to the client is asked for anew. */
static __always_inline void pin_age(struct rainbow_pin *pin, __u32 last, __u32 now)
{
	__u32 flows = pin->flows;

	if ((last ^ now) & ~(HOP_KEEP - 1u))
		pin->hop = RAINBOW_HOP_UNKNOWN;
	if (pin_phase(flows) == RAINBOW_PHASE_SPOKE)
		pin_enter_phase(pin, flows, RAINBOW_PHASE_WAITS);
}

/*
 * "Last seen" is written only when it changed: a busy session's cache line is dirtied once a tick, not once a packet. Returns what it
 * was.
 */
static __always_inline __u32 pin_touch(struct rainbow_pin *pin)
{
	__u32 now = jiffies_now(), last = pin->last_seen;

	if (last == now)
		return last;
	pin_age(pin, last, now);
	pin->last_seen = now;
	return last;
}

#endif
