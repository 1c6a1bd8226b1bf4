/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When will the last of the sessions that live now have ended? From the durations of those of the service that have ended, on the
 * condition that each one that lives has lived so long already. Pure. Histograms: milliseconds in the bins of headers/rainbow/signal.h.
 * Sessions that last longer than the service has been measured are in no histogram of ends: early on, the answer is too short.
 */
#ifndef RAINBOW_ETA_H
#define RAINBOW_ETA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <rainbow/signal.h>

#define ETA_ENDS_MIN 30 /* with fewer observed ends nothing is said */

enum eta_basis {
	ETA_BY_DURATIONS = 0,
	ETA_FEW_ENDS,  /* fewer than ETA_ENDS_MIN */
	ETA_TOO_OLD,   /* a session that lives is older than all that were seen to end */
	ETA_UNCOUNTED, /* no sweep since the drain began has told the ages yet */
	ETA_CLOSING,   /* what is left is being closed */
};

/* Without durations to go by, what is not -1 is the deadline alone. */
struct eta {
	enum eta_basis basis;
	int64_t median_ms; /* with even odds all have ended by then; -1: unknown */
	int64_t p90_ms;    /* ... with 9 in 10 */
};

/* Counts a session of that age; a negative one is 0. */
void eta_add_age(uint64_t ages[RAINBOW_SIGNAL_BINS], int64_t age_ms);
/* Counts the sessions of a sweep: rainbow_census.age, which is in seconds. */
void eta_add_census(uint64_t ages[RAINBOW_SIGNAL_BINS], const uint32_t seconds[RAINBOW_SIGNAL_BINS]);
/* "durations", "few_ends", "too_old", "uncounted", "closing". */
const char *eta_basis_name(enum eta_basis basis);
/* closes_ms: in so long what is left will be closed by force (then neither figure is later); -1: never. */
struct eta eta_of(const uint64_t durations[RAINBOW_SIGNAL_BINS], const uint64_t ages[RAINBOW_SIGNAL_BINS], int64_t closes_ms);
/* By which duration such a part (0 to 1) of the sessions had ended; -1: fewer than ETA_ENDS_MIN ended. */
int64_t eta_duration_ms(const uint64_t durations[RAINBOW_SIGNAL_BINS], double part);
/*
 * One sentence when sessions are so short that versions need not live side by side: it says which and what to do instead. False: there
 * is nothing to say.
 */
bool eta_advice(const uint64_t durations[RAINBOW_SIGNAL_BINS], const char *service, char *text, size_t size);

#endif
