/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the kernel's stack would do with a packet to an address: its route and neighbour, by rtnetlink. */
#ifndef RAINBOW_ROUTE_H
#define RAINBOW_ROUTE_H

#include <stdbool.h>
#include <stdint.h>
#include <rainbow/types.h>

struct route_answer {
	bool local;       /* an address of this host */
	uint32_t ifindex; /* where it leaves */
	bool has_gateway;
	struct rainbow_addr gateway;
};

/* 0, or -errno: -ENETUNREACH and the like mean that there is no route. */
int route_get(const struct rainbow_addr *addr, struct route_answer *out);
/* The NUD_* state of the neighbour, 0 if there is no entry, or -errno. */
int neighbour_get(uint32_t ifindex, const struct rainbow_addr *addr);
/* Tells the kernel that a packet is about to go there: it makes the entry or, if that is stale, asks again. 0, or -errno. */
int neighbour_use(uint32_t ifindex, const struct rainbow_addr *addr);

#endif
