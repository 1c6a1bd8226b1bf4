/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A roll of sessions, gathered from a walk over the pins and sorted oldest first. Pure but for its memory. */
#ifndef RAINBOW_ROLL_H
#define RAINBOW_ROLL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <rainbow/maps.h>

struct roll_entry {
	struct rainbow_flow flow;
	enum rainbow_pin_state state;
	enum rainbow_pin_kind kind;
	uint16_t version;
	uint16_t backend;
	uint32_t opened;    /* CLOCK_MONOTONIC seconds */
	uint32_t last_seen; /* jiffies, low 32 bits */
	uint32_t flows;
};

struct roll_filter {
	uint32_t service;     /* 0: any */
	uint32_t version;     /* 0: any */
	bool limit_opened;    /* only those opened at or before opened_until */
	int64_t opened_until; /* CLOCK_MONOTONIC seconds */
	bool live_only;       /* else those that closed a moment ago too */
	bool flows;           /* also the single flows of client sessions, however young */
};

struct roll {
	struct roll_filter filter;
	size_t limit; /* keep the oldest so many; 0: all */
	struct roll_entry *entries;
	size_t count;
	size_t room;
	uint64_t sessions; /* that matched, kept or not; flows of client sessions are none */
};

bool pin_state_is_live(enum rainbow_pin_state state);
/* "live", "half-closed", "closing", "killed"; NULL for a pin that is no session any more. */
const char *pin_state_name(enum rainbow_pin_state state);

/* False: out of memory. */
bool roll_offer(struct roll *roll, const struct rainbow_flow *flow, const struct rainbow_pin *pin);
/* Sorts: oldest first; a client session before its flows, so that none joins while it is closed. Cuts to the limit. */
void roll_finish(struct roll *roll);
void roll_fini(struct roll *roll);

#endif
