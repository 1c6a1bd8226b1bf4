/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What holds after each step, whatever the step was. A breach is told on stderr and aborts. */
#ifndef RAINBOW_FUZZ_INVARIANTS_H
#define RAINBOW_FUZZ_INVARIANTS_H

#include "tests/fuzz/town.h"

/* Nothing is remembered of sessions; each day begins so. */
void invariants_begin(void);
/* Of the maps: counts (P3), live pins that did not move (P1). */
void invariants_check_maps(void);
/* Of a packet: one verdict, an action that is one, bytes that are untouched (P7) or whose checksums hold. Call before it runs, and
 * after. */
void invariants_before_packet(const struct step *step);
void invariants_check_packet(const struct step *step, int action, const struct frame *out);

#endif
