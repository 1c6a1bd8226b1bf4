/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The one open datapath of a test on the ground (ground.h); closed and removed behind each test, also where that failed. */
#ifndef RAINBOW_TESTS_OPENED_H
#define RAINBOW_TESTS_OPENED_H

#include <stdbool.h>
#include <stdint.h>
#include "rainbowd/datapath.h"

extern struct datapath *opened; /* NULL: none */

/* With room for so many pins (0: as many as there are), and its maps marked as whole. *adopted as in datapath_open; NULL is allowed. */
int opened_try(uint32_t pins, bool *adopted, struct error *err);
/* Likewise; fails the test if it fails. */
struct datapath *opened_make(uint32_t pins);
void opened_close(void);
/* A teardown. */
int opened_remove(void **state);

#endif
