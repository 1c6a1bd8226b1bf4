/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The two ways of datapath_barrier, apart for tests and measurements. 0 or -errno. */
#ifndef RAINBOW_BARRIER_H
#define RAINBOW_BARRIER_H

#include <stdbool.h>

int barrier_by_visit(void);
int barrier_by_rcu(void);

/* Whether a visit is a barrier here, and possible. */
bool barrier_can_visit(void);

#endif
