/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The life of a drain as a pure step: facts in, what to do next out. */
#ifndef RAINBOW_DRAIN_H
#define RAINBOW_DRAIN_H

#include "model.h"

/*
 * From the deadline on the remaining sessions are closed, spread over this time or at the service's pace; then, after this time once
 * more where there is a pace, the kernel closes what is left.
 */
#define DRAIN_GRACE_MS 10000

struct drain_facts {
	enum rainbow_version_state state;
	struct drain drain;
	struct instant now;
	uint64_t live;
	int64_t in_force_ms; /* for so long the drain has been in force; by no clock that can be set */
	bool pending_known;  /* a sweep that began after the drain was in force has counted them */
	uint64_t pending;    /* handshakes under way in the nursery */
	uint32_t nursery_seconds;
};

enum drain_step {
	DRAIN_STAY,   /* nothing to do now */
	DRAIN_CLOSE,  /* past the deadline: the sessions left must be closed */
	DRAIN_FINISH, /* no session is left: try the state drained */
	DRAIN_REOPEN, /* drained, but a session lives: back to draining */
};

enum drain_step drain_next(const struct drain_facts *facts);

bool drain_is_overdue(const struct drain *drain, struct instant now);
/* Is it past a deadline that closes what is left? Not so for a version that is active, again or still. */
bool drain_is_closing(enum rainbow_version_state state, const struct drain *drain, struct instant now);

/*
 * When the kernel closes what is left by itself; 0 for never. pace: sessions a second, 0: all within the grace time. With a pace, one who
 * comes after the deadline (a daemon that was dead) gets the time that those who live now need.
 */
struct instant drain_close_after(const struct drain *drain, uint32_t pace, uint64_t live, struct instant now);

#endif
