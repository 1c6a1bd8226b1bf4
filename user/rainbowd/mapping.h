/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An array map as the kernel programs see it. Private to the files that talk to libbpf. */
#ifndef RAINBOW_MAPPING_H
#define RAINBOW_MAPPING_H

#include <stddef.h>
#include <stdint.h>

/* Its elements lie 8-byte aligned, so stride may exceed the value's size. */
struct mapping {
	uint8_t *base;
	size_t stride;
	size_t length;
	uint32_t entries;
};

/* `protection`: PROT_READ, PROT_WRITE. 0, or -errno. */
int mapping_open(struct mapping *m, int map, uint32_t value_size, uint32_t entries, int protection);
/* One that was never opened, all 0, is allowed. */
void mapping_close(struct mapping *m);
/* NULL past its end. */
void *mapping_at(const struct mapping *m, uint32_t index);

#endif
