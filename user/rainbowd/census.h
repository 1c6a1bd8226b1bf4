/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel counts, read back: a sweep every second or so (20 times its own duration at least) in the worker's thread, and
 * what follows from it: ages, drift. What no sweep has told yet is unknown, never 0.
 */
#ifndef RAINBOW_CENSUS_H
#define RAINBOW_CENSUS_H

#include "daemon.h"

struct census;

/* Called in the loop after each sweep, with the sessions whose ends have to be asked. */
typedef void (*census_listener)(struct daemon *daemon, const struct rainbow_due *due, uint32_t count);

int census_new(struct census **out, struct daemon *daemon, census_listener listener, struct error *err);
void census_free(struct census *census);
/* Starts a sweep if one is due. To be called every now and then. */
void census_tick(struct census *census, int64_t now_ms);
/* The next sweep is wanted soon. */
void census_hurry(struct census *census);

/* NULL before the first sweep. */
const struct rainbow_census *census_of(const struct census *census, uint32_t version);
/* CLOCK_MONOTONIC when the last complete sweep began; 0: there was none. */
int64_t census_began_ms(const struct census *census);
/* False: unknown. Only what two sweeps in a row have found. */
bool census_drift(const struct census *census, uint64_t *drift);
/* How long the last sweep took; -1: unknown. */
int64_t census_duration_ms(const struct census *census);
/* The counters' sum of ended sessions, now. */
uint64_t census_count_ended(const struct rainbow_version *version);

#endif
