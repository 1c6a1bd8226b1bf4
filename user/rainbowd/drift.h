/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Does the kernel's running count agree with a count one by one? The sweep takes its time, and sessions come and go
 * meanwhile, so what it counted may lie anywhere between the count before less those that ended since and the count before plus
 * those that opened since. Only what lies outside is drift. Pure.
 */
#ifndef RAINBOW_DRIFT_H
#define RAINBOW_DRIFT_H

#include <stdint.h>

/* A version's counters at one moment. */
struct drift_reading {
	uint64_t live;
	uint64_t opened;
	uint64_t ended; /* by whatever reason */
};

uint64_t drift_of(const struct drift_reading *before, const struct drift_reading *after, uint64_t recount);

#endif
