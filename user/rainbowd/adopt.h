/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Maps that an earlier rainbowd left in the pin directory: whether they are ours to use, and taking them over. Private to the
 * files that talk to libbpf.
 *
 * A set of maps is whole once rainbow_meta.schema says so: it is stored last when the set is made and filled, and cleared first
 * when it is removed. So what a kill -9 leaves in between is known for what it is, and finishing it harms nobody.
 */
#ifndef RAINBOW_ADOPT_H
#define RAINBOW_ADOPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/error.h"

struct bpf_object;
struct pin_dir;

enum adopt_found {
	ADOPT_NOTHING,
	ADOPT_HALF,  /* half made or half removed: to be cleared */
	ADOPT_WHOLE, /* of our schema */
};

/* Anything else (another schema, maps that are not rainbow's, sessions without their rainbow_meta) is refused and left alone. */
int adopt_look(const struct pin_dir *dir, enum adopt_found *found, struct error *err);
/* Likewise a set of a newer schema in a directory beside ours ("v3" beside "v2"). */
int adopt_refuse_newer(const struct pin_dir *dir, struct error *err);
/* A set of an older schema may lie in this subdirectory: see migrate.h. */
#define ADOPT_OLD_NAME "v1"
/* rainbow_meta's first word, which is the schema in every schema. 0, or -errno. */
int adopt_schema(const struct pin_dir *dir, uint32_t *schema);

/* rainbow_meta as it is pinned, which must be of this size. 0, or -errno. */
int adopt_meta_read(const struct pin_dir *dir, void *meta, size_t size);

/* What is wanted of the sizes (0: any), and what comes of it. */
struct adopt_sizes {
	uint32_t pins, nursery;
	bool resumes; /* out: pins were being carried over; where that is into a new table, it is taken */
	bool resizes; /* out: the table of pins gets another size, and is left to be made */
};
/* Makes an opened, unloaded object use the pinned maps. */
int adopt_maps(const struct pin_dir *dir, struct bpf_object *object, struct adopt_sizes *sizes, struct error *err);
/* Pins the maps of a loaded object. */
int adopt_pin(const struct pin_dir *dir, struct bpf_object *object, struct error *err);
/* Unpins every map, rainbow_meta last and with its schema cleared first. */
int adopt_clear(const struct pin_dir *dir, struct error *err);

/* A pinned map, or -errno (-EMEDIUMTYPE: what is pinned there is no map of this name). */
int adopt_map_open(const struct pin_dir *dir, const char *name);
/* Its id, or 0. */
uint32_t adopt_map_id(const struct pin_dir *dir, const char *name);

#endif
