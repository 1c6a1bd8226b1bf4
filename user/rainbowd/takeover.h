/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Carrying the pins over into a new table while sessions run: because --max-sessions asks for another size, or because the maps
 * are of an older schema (migrate.h). Private to the files that talk to libbpf.
 *
 *   datapath_open       the new table and programs on it are made; rainbow_next_{table,pin} keep it across a kill -9
 *   datapath_hold       hold = SWITCHING: no session opens any more
 *   datapath_attach...  hook after hook, in one step each, from the old programs to the new
 *   datapath_take_over  barrier: nobody uses the old table. hold = COPYING: pin after pin into the new table, from where its
 *                       session goes on at once; hold = SWAPPING: rainbow_next_* take the names, what is old goes; NONE
 *
 * The hold drops packets that find no live pin, so a session waits from the switch of its hook until its pin is copied, and new
 * ones until all are. A rainbowd killed in between is continued by the next one at the step that `hold` names: old pins are put
 * only where the new table has none, and no pin leaves the new table while the hold lasts.
 */
#ifndef RAINBOW_TAKEOVER_H
#define RAINBOW_TAKEOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/error.h"

struct bpf_map;
struct datapath;
struct pin_dir;
struct rainbow_due;

enum takeover_kind {
	TAKEOVER_NONE,
	TAKEOVER_RESIZE,
	TAKEOVER_MIGRATE,
};

/* Maps whose entries follow from --max-sessions are replaced by a resize. */
bool takeover_replaces(const char *map);
/* Under this name the new map is pinned until it takes the old one's place. Returns buf. */
#define TAKEOVER_NAME_SIZE 32
const char *takeover_next_name(const char *map, char buf[TAKEOVER_NAME_SIZE]);

/* What an adopted set says of a resize that was under way: its new table is ours to use. One that never got to the hold is removed. */
int takeover_look(const struct datapath *dp, struct error *err);
/* After loading: pins the new table, which is for `pins`, where it is one. */
int takeover_begin(struct datapath *dp, uint32_t pins, struct error *err);

int takeover_refuse_small(uint32_t wanted, uint64_t pins, struct error *err);

/*
 * Pins to be put in, gathered so that one run of the program takes many. The old table is walked twice, for the sessions of clients
 * first: a flow goes on as soon as it is put in, and if it ends it must find its client, whose count of flows would stay too high.
 */
struct takeover_batch {
	struct datapath *dp;
	bool clients; /* the walk for these, not that for all others */
	struct rainbow_due *due;
	uint32_t count;
	uint64_t put, there, full;
	int rc;
	struct error *err;
};
bool takeover_put(struct takeover_batch *batch, const struct rainbow_due *due);

#endif
