/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The nursery as user space reads it, and fills it while no kernel program does. Private to the files that talk to libbpf, and to tests. */
#ifndef RAINBOW_NURSERY_MAP_H
#define RAINBOW_NURSERY_MAP_H

#include <rainbow/nursery.h>

struct nursery {
	struct rainbow_nursery_bucket *buckets; /* NULL: not open */
	uint32_t count;
	__u64 secret[RAINBOW_TABLE_SECRET];
};

/* Maps it; the descriptor stays the caller's. 0 or -errno. */
int nursery_open(struct nursery *nursery, int fd, uint32_t buckets, const __u64 secret[RAINBOW_TABLE_SECRET]);
void nursery_close(struct nursery *nursery);

/* 0, -ENOENT, or -EAGAIN: it changes all the time. */
int nursery_find(const struct nursery *nursery, const struct rainbow_flow *flow, struct rainbow_nursling *out);
/* In place of what the flow has there. 0, or -ENOSPC where its bucket is full. */
int nursery_put(const struct nursery *nursery, const struct rainbow_flow *flow, const struct rainbow_nursling *nursling);

#endif
