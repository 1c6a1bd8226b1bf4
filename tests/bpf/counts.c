/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counting sessions in every way there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "tests/bpf/counts.h"

#define VERSIONS 3
#define BACKENDS 6

struct walk {
	uint64_t live[VERSIONS + 1];
	uint64_t closing[VERSIONS + 1];
	uint64_t at_backend[BACKENDS + 1];
};

static void walk_pin(const struct rainbow_flow *flow, const struct rainbow_pin *pin, void *arg)
{
	struct walk *walk = arg;

	(void)flow;
	if (pin->kind == RAINBOW_PIN_FLOW || pin->version > VERSIONS || pin->backend > BACKENDS)
		return;
	if (pin->state == RAINBOW_PIN_LIVE || pin->state == RAINBOW_PIN_HALF_CLIENT || pin->state == RAINBOW_PIN_HALF_SERVER) {
		walk->live[pin->version]++;
		walk->at_backend[pin->backend]++;
	} else if (pin->state == RAINBOW_PIN_CLOSING || pin->state == RAINBOW_PIN_KILLED) {
		walk->closing[pin->version]++;
	}
}

static void same(const char *what, uint32_t id, uint64_t a, uint64_t b)
{
	if (a != b)
		fail_msg("%u: %s: %lu and %lu", id, what, (unsigned long)a, (unsigned long)b);
}

void counts_check(struct world *world)
{
	struct rainbow_sweep sweep = world_sweep(world, 0);
	struct walk walk = {};
	uint64_t entries = world_pins_each(world, walk_pin, &walk);
	uint32_t id;

	for (id = 1; id <= VERSIONS; id++) {
		const struct rainbow_version *version = &world->version[id];

		same("live and the walk", id, version->live, walk.live[id]);
		same("closing and the walk", id, version->closing, walk.closing[id]);
		/* What the sweep idled it found before it counted. */
		same("live and the census", id, version->live, world->census[id].live);
		same("opened and live + ended", id, version->opened,
		     version->live + version->ended_fin + version->ended_reset_client + version->ended_reset_server +
			 version->ended_idle + version->ended_forced + version->ended_vanished);
	}
	for (id = 1; id <= BACKENDS; id++)
		same("a backend's live and the walk", id, world->backend[id].live, walk.at_backend[id]);
	same("meta.pins and the walk", 0, world->meta->pins, entries);
	same("entries seen by the sweep, less those freed", 0, sweep.entries - sweep.freed, entries);
}

uint32_t counts_any(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)*seed * below >> 32);
}

const char *counts_any_word(uint32_t *seed)
{
	static const char *const words[] = {
	    "syn",     "synack", "ack",     "syn synack ack", "syn synack ack", "syn-other synack-other ack-other",
	    "data",    "sdata",  "fin",     "sfin",           "fin-after",      "sfin-after",
	    "rst",     "srst",   "rst-far", "ack-high",       "kill",           "syn-other",
	    "srefuse",
	};

	return words[counts_any(seed, sizeof(words) / sizeof(*words))];
}
