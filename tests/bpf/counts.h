/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All ways of counting sessions, and that they agree: the versions' counters, the backends', the sweep's census, a walk of ours. */
#ifndef RAINBOW_TEST_COUNTS_H
#define RAINBOW_TEST_COUNTS_H

#include "tests/bpf/scene.h"

/* Sweeps, and fails the running cmocka test where two counts differ. Nothing may move meanwhile. */
void counts_check(struct world *world);

/* A number below `below`, from the seed; and any word for scene_play. */
uint32_t counts_any(uint32_t *seed, uint32_t below);
const char *counts_any_word(uint32_t *seed);

#endif
