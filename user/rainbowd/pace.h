/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How fast sessions are closed by force: evenly over the grace time, oldest first, each at a random moment within its own turn,
 * so that the clients do not all come back in step. Pure: time and randomness are arguments.
 */
#ifndef RAINBOW_PACE_H
#define RAINBOW_PACE_H

#include <stdint.h>

#define PACE_SLOWEST 100 /* sessions a second at least, when no rate was asked for */

struct pace {
	int64_t started_ms;
	uint64_t rate; /* sessions a second, never 0 */
};

/* rate 0: as fast as `count` sessions need to be closed within grace_ms, and at least PACE_SLOWEST. */
struct pace pace_begin(uint64_t count, uint32_t rate, int64_t grace_ms, int64_t now_ms);

/* When the n-th session (from 0) is to be closed. Never decreases with n, whatever `random` is. */
int64_t pace_due_ms(const struct pace *pace, uint64_t n, uint32_t random);

#endif
