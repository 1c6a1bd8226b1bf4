/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From the maps of schema 1 (schema_v1.h) to ours, with sessions running; and what other schemas there are. migrate.c has the set as
 * a whole, migrate_arrays.c and migrate_pins.c what is in it; the order of things is takeover.h's. Private to the files that talk to
 * libbpf.
 *
 * Where the old set lies: with a pin directory that ends in our schema, /v2, in its sibling /v1. With any other, in that directory
 * itself, from where it is moved into its subdirectory v1 (links and maps go on whatever they are called). A sibling of a newer
 * schema is refused. What stays in the sibling v1 is a rainbow_meta that names our schema: an older rainbowd refuses that, and
 * does not put a second router beside this one.
 */
#ifndef RAINBOW_MIGRATE_H
#define RAINBOW_MIGRATE_H

#include "common/error.h"

struct datapath;
struct pin_dir;
struct takeover_batch;

/* dp->dir is open. Takes the old directory too, so that no older rainbowd starts meanwhile. Fewer `pins` (0: any) than there are: refused. */
int migrate_find(struct datapath *dp, uint32_t pins, struct error *err);
/* Room for so many pins has the old set. */
uint32_t migrate_pin_limit(const struct datapath *dp);
/* What is not a pin, into the new, mapped arrays. */
int migrate_arrays(struct datapath *dp, struct error *err);
/* The links of the old set get a name in our directory as well, where attaching finds them. */
int migrate_links(struct datapath *dp, struct error *err);
/* Nobody uses the old maps any more: what they counted last, the handshakes under way, and sessions. */
int migrate_counters(struct datapath *dp, struct error *err);
int migrate_handshakes(struct datapath *dp, struct error *err);
/* 0, or -errno. */
int migrate_pins(struct datapath *dp, struct takeover_batch *batch);
/* Removes the old set. */
int migrate_end(struct datapath *dp, struct error *err);

/* Leaves the mark in the sibling v1. */
void migrate_mark(struct datapath *dp);
/* Ends what lies beside dir: an old set with its hooks, or the mark. */
int migrate_remove(const struct pin_dir *dir, struct error *err);

#endif
