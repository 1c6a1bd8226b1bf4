/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* See table.h; the rules are those of headers/rainbow/table.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "tests/bpf/table.h"

static struct rainbow_bucket *bucket_of(const struct pin_table *table, uint64_t hash)
{
	return &table->buckets[rainbow_table_bucket(hash, table->count)];
}

static struct rainbow_way *way_of(struct rainbow_bucket *bucket, uint64_t hash, const struct rainbow_flow *flow,
				  uint32_t *index)
{
	uint64_t ways = rainbow_ways_of(bucket->control, rainbow_table_tag(hash));

	for (; ways; ways &= ways - 1) {
		*index = rainbow_way_first(ways);
		if (rainbow_flow_is(&bucket->way[*index].flow, flow))
			return &bucket->way[*index];
	}
	return NULL;
}

static int overflow_put(const struct pin_table *table, struct rainbow_bucket *bucket, const struct rainbow_flow *flow,
			const struct rainbow_pin *pin)
{
	if (!bpf_map_update_elem(table->overflow_fd, flow, pin, BPF_EXIST))
		return 0;
	if (rainbow_overflow_of(bucket->control) == RAINBOW_OVERFLOW_MAX)
		return -ENOSPC;
	if (bpf_map_update_elem(table->overflow_fd, flow, pin, BPF_NOEXIST))
		return errno == E2BIG ? -ENOSPC : -errno;
	bucket->control += RAINBOW_OVERFLOW_ONE;
	return 0;
}

int table_put(const struct pin_table *table, const struct rainbow_flow *flow, const struct rainbow_pin *pin)
{
	uint64_t hash = rainbow_table_hash(table->secret, flow), tag = rainbow_table_tag(hash), free;
	struct rainbow_bucket *bucket = bucket_of(table, hash);
	uint32_t index;
	struct rainbow_way *way = way_of(bucket, hash, flow, &index);

	free = rainbow_ways_of(bucket->control, 0);
	if (!way && (rainbow_overflow_of(bucket->control) || !free ||
		     __builtin_popcountll(rainbow_ways_of(bucket->control, tag)) >= RAINBOW_SAME_TAGS))
		return overflow_put(table, bucket, flow, pin);
	if (!way) {
		index = rainbow_way_first(free);
		bucket->control |= rainbow_way_tag(index, tag);
		way = &bucket->way[index];
		way->flow = *flow;
	}
	way->pin = *pin;
	return 0;
}

int table_remove(const struct pin_table *table, const struct rainbow_flow *flow)
{
	uint64_t hash = rainbow_table_hash(table->secret, flow);
	struct rainbow_bucket *bucket = bucket_of(table, hash);
	uint32_t index;
	struct rainbow_way *way = way_of(bucket, hash, flow, &index);

	if (!way) {
		if (bpf_map_delete_elem(table->overflow_fd, flow))
			return -errno;
		bucket->control -= RAINBOW_OVERFLOW_ONE;
		return 0;
	}
	memset(way, 0, sizeof(*way));
	bucket->control &= ~rainbow_way_tag(index, RAINBOW_TAG_MASK);
	return 0;
}

void table_clear(const struct pin_table *table)
{
	struct rainbow_flow flow;

	memset(table->buckets, 0, table->count * sizeof(*table->buckets));
	while (!bpf_map_get_next_key(table->overflow_fd, NULL, &flow))
		bpf_map_delete_elem(table->overflow_fd, &flow);
}

static int open_pinned(const char *dir, const char *name)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

int table_open_pinned(struct pin_table *table, const char *dir)
{
	int meta_fd = open_pinned(dir, "rainbow_meta"), table_fd = open_pinned(dir, "rainbow_table");
	int overflow_fd = open_pinned(dir, "rainbow_pin"), rc = -ENOENT;
	struct rainbow_meta meta = {0};
	uint32_t index = 0;

	if (meta_fd >= 0 && table_fd >= 0 && overflow_fd >= 0)
		rc = bpf_map_lookup_elem(meta_fd, &index, &meta) ? -errno : 0;
	if (!rc)
		rc = pin_table_open(table, table_fd, meta.buckets, meta.table_secret, overflow_fd);
	if (rc)
		close(overflow_fd);
	close(table_fd);
	close(meta_fd);
	return rc;
}

void table_let_go(struct pin_table *table)
{
	close(table->overflow_fd);
	pin_table_close(table);
}
