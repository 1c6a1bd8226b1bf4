/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading a hash of pins from outside, whatever the size of its values: a batch dump. Keys are struct rainbow_flow in every
 * schema so far. Private to the files that talk to libbpf.
 */
#ifndef RAINBOW_PIN_WALK_H
#define RAINBOW_PIN_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <rainbow/maps.h>

/* Shows every entry until `each` returns false. 0, or -errno. Entries that come and go meanwhile may be missed. */
int pin_walk(int map, size_t value_size, bool (*each)(const struct rainbow_flow *flow, const void *pin, void *arg), void *arg);

#endif
