// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The world's records of what is measured: made as rainbowd makes them, and summed over CPUs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "bpf/rainbow.skel.h"
#include "tests/bpf/world.h"

static void must(int error, const char *what)
{
	if (!error)
		return;
	fprintf(stderr, "world: %s: %s\n", what, strerror(errno));
	abort();
}

static void zero_write(int fd, uint32_t index, size_t size)
{
	void *zero = calloc((size_t)libbpf_num_possible_cpus(), size);

	must(bpf_map_update_elem(fd, &index, zero, 0), "a record");
	free(zero);
}

static void sum_read(int fd, uint32_t index, void *out, size_t size)
{
	size_t words = size / sizeof(__u64), i;
	int cpus = libbpf_num_possible_cpus(), cpu;
	__u64 *values = calloc((size_t)cpus, size);

	must(bpf_map_lookup_elem(fd, &index, values), "a record");
	memset(out, 0, size);
	for (cpu = 0; cpu < cpus; cpu++)
		for (i = 0; i < words; i++)
			((__u64 *)out)[i] += values[(size_t)cpu * words + i];
	free(values);
}

static int records(const struct world *world)
{
	return bpf_map__fd(world->bpf->maps.rainbow_signal);
}

/* -1: there is none. */
static int record_open(const struct world *world, uint32_t record)
{
	uint32_t id;
	int fd;

	if (bpf_map_lookup_elem(records(world), &record, &id))
		return -1;
	fd = bpf_map_get_fd_by_id(id);
	must(fd < 0, "a record");
	return fd;
}

/* In place, where it is there: the kernel waits for a grace period where one is put in. */
void world_add_signal(struct world *world, uint32_t version, uint32_t slot)
{
	uint32_t record = rainbow_record(version, slot);
	int fd = record_open(world, record);

	if (slot == RAINBOW_SLOT_EVER)
		zero_write(bpf_map__fd(world->bpf->maps.rainbow_traffic), version, sizeof(struct rainbow_traffic));
	if (fd >= 0) {
		zero_write(fd, 0, sizeof(struct rainbow_signal));
	} else {
		fd = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "record", sizeof(uint32_t), sizeof(struct rainbow_signal), 1,
				    NULL);
		must(fd < 0 || bpf_map_update_elem(records(world), &record, &fd, 0), "a record");
	}
	close(fd);
}

void world_remove_signal(struct world *world, uint32_t version, uint32_t slot)
{
	uint32_t record = rainbow_record(version, slot);

	must(bpf_map_delete_elem(records(world), &record), "a record");
}

void world_begin_cohort(struct world *world, uint32_t service, uint32_t began)
{
	struct rainbow_cohort *cohort = &world->service[service].cohort;
	uint32_t version;

	cohort->number++;
	for (version = 1; version <= RAINBOW_MAX_VERSIONS; version++)
		if (world->version[version].service == service)
			world_add_signal(world, version, rainbow_cohort_slot(cohort->number));
	cohort->began = began;
}

uint32_t world_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)now.tv_sec;
}

struct rainbow_signal world_signal(struct world *world, uint32_t version, uint32_t slot)
{
	int fd = record_open(world, rainbow_record(version, slot));
	struct rainbow_signal signal = {};

	if (fd < 0)
		return signal;
	sum_read(fd, 0, &signal, sizeof(signal));
	close(fd);
	return signal;
}

struct rainbow_traffic world_traffic(struct world *world, uint32_t version)
{
	struct rainbow_traffic traffic;

	sum_read(bpf_map__fd(world->bpf->maps.rainbow_traffic), version, &traffic, sizeof(traffic));
	return traffic;
}
