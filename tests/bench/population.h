/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Any number of sessions at once, for measuring: in the pin table, and in the floor's map. Session i as in driver.h. */
#ifndef RAINBOW_BENCH_POPULATION_H
#define RAINBOW_BENCH_POPULATION_H

#include <stddef.h>
#include <stdint.h>
#include <rainbow/maps.h>
#include "tests/bpf/table.h"

/* Key of session i: the last four bytes of `first`'s client and the port count on. */
struct rainbow_flow population_flow(const struct rainbow_flow *first, uint32_t i);

/* `count` entries, all with the same value, or their removal. 0 or -errno. */
int population_add(int map_fd, const struct rainbow_flow *first, uint32_t count, const void *value, size_t value_size);
int population_remove(int map_fd, const struct rainbow_flow *first, uint32_t count);

/* The same for the pin table. */
int population_pin(const struct pin_table *table, const struct rainbow_flow *first, uint32_t count,
		   const struct rainbow_pin *pin);

/*
 * Fills the pinned maps of a running rainbowd with live sessions of the service's version: `bench fill PIN_DIR SERVICE VERSION
 * BACKEND COUNT` (ids). 0, or 1 with the reason printed.
 */
int population_fill(int argc, char **argv);

/* Bytes that the kernel says the map takes (fdinfo), 0 unknown; and MemAvailable, in bytes. */
uint64_t map_memory(int map_fd);
uint64_t memory_available(void);

#endif
