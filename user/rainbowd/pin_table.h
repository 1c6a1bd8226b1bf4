/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The pin table as user space reads it: rainbow_table, mapped, and its overflow rainbow_pin. Private to the files that talk to
 * libbpf, and to tests. The kernel programs change it meanwhile; a pin is shown as it was at one moment.
 */
#ifndef RAINBOW_PIN_TABLE_H
#define RAINBOW_PIN_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <rainbow/table.h>

struct pin_table {
	struct rainbow_bucket *buckets; /* NULL: not open */
	uint32_t count;
	__u64 secret[RAINBOW_TABLE_SECRET];
	int overflow_fd;
};

/* Maps the table; the descriptors stay the caller's. 0 or -errno. */
int pin_table_open(struct pin_table *table, int table_fd, uint32_t buckets, const __u64 secret[RAINBOW_TABLE_SECRET],
		   int overflow_fd);
void pin_table_close(struct pin_table *table);

/* 0 or -ENOENT. */
int pin_table_find(const struct pin_table *table, const struct rainbow_flow *flow, struct rainbow_pin *out);
/* Shows every pin until `each` returns false. Pins that come and go meanwhile may be missed. 0 or -errno. */
int pin_table_each(const struct pin_table *table,
		   bool (*each)(const struct rainbow_flow *flow, const struct rainbow_pin *pin, void *arg), void *arg);

#endif
