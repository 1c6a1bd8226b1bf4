// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See neighbour.h. A few backends a call, as each costs two questions to the kernel. */
#include "neighbour.h"
#include "route.h"

#define SLICE ((RAINBOW_MAX_BACKENDS + NEIGHBOUR_ROUND - 1) / NEIGHBOUR_ROUND)

static bool any_xdp(struct datapath *dp)
{
	struct hook_info hooks[RAINBOW_MAX_HOOKS];
	size_t i, count = datapath_hooks(dp, hooks, RAINBOW_MAX_HOOKS);

	for (i = 0; i < count; i++)
		if (hooks[i].hook.kind == RAINBOW_HOOK_XDP || hooks[i].hook.kind == RAINBOW_HOOK_XDP_GENERIC)
			return true;
	return false;
}

static bool is_in_use(const struct rainbow_backend *entry)
{
	return entry->state == RAINBOW_BACKEND_ACTIVE || (entry->state == RAINBOW_BACKEND_LEAVING && entry->live);
}

/* Without a route or a neighbour there is nothing to keep true; the doctor tells. */
static void use_next_hop(const struct rainbow_addr *addr)
{
	struct route_answer route;

	if (route_get(addr, &route) == 0 && !route.local && route.ifindex)
		neighbour_use(route.ifindex, route.has_gateway ? &route.gateway : addr);
}

void neighbours_use(struct datapath *dp, struct neighbour_round *round)
{
	uint32_t until = round->place + SLICE;

	if (round->place == 0)
		round->wanted = any_xdp(dp);
	for (; round->place < until && round->place < RAINBOW_MAX_BACKENDS; round->place++) {
		const struct rainbow_backend *entry = datapath_backend(dp, round->place + 1);

		if (round->wanted && is_in_use(entry))
			use_next_hop(&entry->address);
	}
	if (round->place == RAINBOW_MAX_BACKENDS)
		round->place = 0;
}
