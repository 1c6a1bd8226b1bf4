/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Between gate.c (in which order), gate_judge.c (figures to verdict) and gate_text.c (figures to words); for nobody else. */
#ifndef RAINBOW_GATE_PARTS_H
#define RAINBOW_GATE_PARTS_H

#include "gate.h"

#define GATE_ALPHA_PASS    0.05  /* one-sided, at each look: that a candidate just beyond the margin passes */
#define GATE_ALPHA_SPLIT   0.001 /* a share off by more is no chance */
#define GATE_EFFECT_LEAST  0.56  /* A12 of a small effect (Vargha and Delaney 2000): less is nobody's trouble, however sure */
#define GATE_EVENTS_LEAST  3     /* fewer prove nothing beside a hard bound; as many, with none expected, are no chance (5 %) */
#define GATE_HARD_SESSIONS 20
#define GATE_ANSWERS       3 /* VALUE: in a row */
#define GATE_TEXT_SIZE     32

/* NULL, or why the sizes of the samples are none. */
const char *gate_sizes_wrong(const struct gate *gate, const struct gate_evidence *evidence, struct gate_finding *finding);
/* Fills the figures as far as they go; NULL, or why they can not be compared. Needs sizes. */
const char *gate_measure(const struct gate *gate, const struct gate_evidence *evidence, struct gate_finding *finding);

bool gate_is_beyond_hard_max(const struct gate *gate, const struct gate_evidence *evidence, const struct gate_finding *finding);
/* Events where the baseline has none, though at the candidate's rate it had to have some. */
bool gate_is_new_trouble(const struct gate *gate, const struct gate_evidence *evidence);
bool gate_is_within(const struct gate *gate, const struct gate_evidence *evidence, const struct gate_finding *finding);
enum gate_verdict gate_judge(const struct gate *gate, const struct gate_evidence *evidence, const struct gate_finding *finding);

/* The margin as a bound: of the difference (RATIO), of the ratio of quantiles, of the candidate's value. */
double gate_bound(const struct gate *gate, const struct gate_finding *finding);
double gate_quantile(const struct gate *gate);

/* finding->reason from the figures; `lead` says what is the matter, `next` what comes, or "". */
void gate_tell(const struct gate *gate, struct gate_finding *finding, const char *lead, const char *next);
/* The gate's name and a sentence. */
void gate_say(const struct gate *gate, struct gate_finding *finding, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A figure with its unit, and a number of sessions with its thousands parted. Return text. */
const char *gate_figure(const struct gate *gate, double value, char text[GATE_TEXT_SIZE]);
const char *gate_sessions(double sessions, char text[GATE_TEXT_SIZE]);
const char *gate_worse(const struct gate *gate);                               /* "slower", "worse" */
const char *gate_measured(const struct gate *gate, char text[GATE_TEXT_SIZE]); /* "median ", "p95 ", "" */

#endif
