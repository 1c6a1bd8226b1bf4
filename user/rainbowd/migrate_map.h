/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One map of schema 1, for the files that read it. Private to migrate_*.c. */
#ifndef RAINBOW_MIGRATE_MAP_H
#define RAINBOW_MIGRATE_MAP_H

#include <stdint.h>
#include "common/error.h"

struct bpf_map_info;
struct datapath;

/* The old map of this name, with values of that size; its descriptor, or a negative error code. */
int migrate_map(struct datapath *dp, const char *name, uint32_t value_size, struct bpf_map_info *info, struct error *err);
/* It is not what schema 1 says, because of `why`. */
int migrate_refuse(struct datapath *dp, const char *name, const char *why, struct error *err);

#endif
