/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Writing into the pin table by hand, where no kernel program does meanwhile. */
#ifndef RAINBOW_TEST_TABLE_H
#define RAINBOW_TEST_TABLE_H

#include "rainbowd/pin_table.h"

/* Puts a pin under its flow, over the one that is there; the caller counts it. 0 or -errno (-ENOSPC: the overflow is full). */
int table_put(const struct pin_table *table, const struct rainbow_flow *flow, const struct rainbow_pin *pin);
/* Removes it; 0, or -ENOENT. */
int table_remove(const struct pin_table *table, const struct rainbow_flow *flow);
void table_clear(const struct pin_table *table);

/* The table that a rainbowd has pinned in `dir`. 0 or -errno. table_let_go ends it. */
int table_open_pinned(struct pin_table *table, const char *dir);
void table_let_go(struct pin_table *table);

#endif
