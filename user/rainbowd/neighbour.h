/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Keeps the kernel's neighbour entries of backends true. What XDP sends does not use them as the stack's own packets would, so
 * nothing asks a neighbour that has gone stale whether it still has that address: a backend with a new MAC would never be found.
 */
#ifndef RAINBOW_NEIGHBOUR_H
#define RAINBOW_NEIGHBOUR_H

#include "datapath.h"

#define NEIGHBOUR_ROUND 50 /* calls */

/* Zero at first. */
struct neighbour_round {
	uint32_t place; /* backends done */
	bool wanted;    /* a hook is XDP */
};

/* Tells the kernel that the next hops of some of the backends are in use; those of all with so many calls. */
void neighbours_use(struct datapath *dp, struct neighbour_round *round);

#endif
