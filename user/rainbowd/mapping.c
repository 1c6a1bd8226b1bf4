// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See mapping.h. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>
#include "rainbowd/mapping.h"

int mapping_open(struct mapping *m, int map, uint32_t value_size, uint32_t entries, int protection)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *base;

	m->stride = (value_size + 7u) & ~7u;
	m->entries = entries;
	m->length = (m->stride * entries + page - 1) & ~(page - 1);
	base = mmap(NULL, m->length, protection, MAP_SHARED, map, 0);
	if (base == MAP_FAILED)
		return -errno;
	m->base = base;
	return 0;
}

void mapping_close(struct mapping *m)
{
	if (m->base)
		munmap(m->base, m->length);
	m->base = NULL;
}

void *mapping_at(const struct mapping *m, uint32_t index)
{
	return index < m->entries ? m->base + index * m->stride : NULL;
}
