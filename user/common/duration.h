/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Time as structs, so that units can not mix. Durations are written 500ms, 30s, 15m, 2h, 7d, and combined 1h30m; a bare
 * number is refused. Instants are RFC 3339 in UTC with seconds: 2026-11-23T09:00:00Z.
 */
#ifndef RAINBOW_DURATION_H
#define RAINBOW_DURATION_H

#include <stdint.h>

struct duration {
	int64_t ms;
};

struct instant {
	int64_t unix_ms; /* 0: none */
};

#define DURATION_TEXT_SIZE 32
#define INSTANT_TEXT_SIZE  32

struct error;

/* 0, or -ERROR_BAD_INPUT with err filled. No sign, no zero, at most 10 years. */
int duration_parse(const char *text, struct duration *out, const char *field, struct error *err);
/* The two largest units that are not zero: "2h5m", "30s", "1d3h"; under a second "250ms"; 0 is "0s". */
const char *duration_format(struct duration d, char buf[DURATION_TEXT_SIZE]);
/* All its units, so that duration_parse gives the same again: "1h2m3s". 0 is "none". */
const char *duration_exact(struct duration d, char buf[DURATION_TEXT_SIZE]);

const char *instant_format(struct instant t, char buf[INSTANT_TEXT_SIZE]);
int instant_parse(const char *text, struct instant *out, const char *field, struct error *err);

/* The only clock readings of the program; deciding code gets time as an argument. */
struct instant instant_now(void); /* CLOCK_REALTIME */
int64_t monotonic_ms(void);       /* CLOCK_MONOTONIC */
int64_t monotonic_us(void);       /* the same, for how long something took */

#endif
