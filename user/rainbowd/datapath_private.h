/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What datapath.c, hooks.c and the files under them share; nobody else includes it. */
#ifndef RAINBOW_DATAPATH_PRIVATE_H
#define RAINBOW_DATAPATH_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "rainbowd/datapath.h"
#include "rainbowd/mapping.h"
#include "rainbowd/nursery.h"
#include "rainbowd/pin_dir.h"
#include "rainbowd/pin_table.h"
#include "rainbowd/takeover.h"

struct rainbow_bpf; /* the skeleton */

struct datapath {
	struct pin_dir dir;
	struct rainbow_bpf *skeleton;
	struct mapping meta, lookup, service, version, member, wheel, backend, census, due, hop;
	struct pin_table pins;
	struct nursery nursery;
	uint32_t lookup_id;    /* map id of rainbow_lookup */
	bool lookup_unsettled; /* an entry was removed and no barrier has passed since */
	/* While pins are carried over: takeover.h. */
	enum takeover_kind takeover;
	bool resumes;       /* a killed rainbowd had begun it */
	bool resizes;       /* the table of pins was made with another size */
	bool switched;      /* a hook that was there has our programs */
	bool migrates;      /* `old` holds a whole set of schema 1 */
	struct pin_dir old; /* where maps of schema 1 are, or the mark that keeps an older rainbowd away; fd -1: neither */
	uint32_t lookup_id_before; /* map id of its rainbow_lookup */
	int64_t held_ms;           /* CLOCK_MONOTONIC when the hold began */
};

/* Keeps libbpf's warnings out of the log while something is tried that may fail. */
void datapath_hush(bool hush);
/* libbpf's messages go to the log. */
void datapath_bridge_log(void);

/* Detaches every hook that the pins in dir tell of. */
int hooks_clear(const struct pin_dir *dir, struct error *err);

#endif
