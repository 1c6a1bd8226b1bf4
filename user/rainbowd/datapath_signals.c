// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The records of what the kernel measured, each of which is one for each CPU: made, emptied, summed, removed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "bpf/rainbow.skel.h"
#include "rainbowd/datapath_private.h"

/* One value for each CPU, all zero. NULL: no memory. */
static uint64_t *values_new(size_t size, int *cpus)
{
	*cpus = libbpf_num_possible_cpus();
	return *cpus > 0 ? calloc((size_t)*cpus, size) : NULL;
}

/* The sum of every CPU's value, all of whose members are one __u64. 0, or -errno. */
static int sum_read(const struct bpf_map *map, uint32_t key, void *out, size_t size)
{
	int cpus, cpu, rc = 0;
	uint64_t *values = values_new(size, &cpus), *sum = out;
	size_t words = size / sizeof(uint64_t), i;

	memset(out, 0, size);
	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(bpf_map__fd(map), &key, values))
		rc = -errno;
	for (cpu = 0; !rc && cpu < cpus; cpu++)
		for (i = 0; i < words; i++)
			sum[i] += values[(size_t)cpu * words + i];
	free(values);
	return rc;
}

static int zero_write(const struct bpf_map *map, uint32_t key, size_t size, uint64_t flags)
{
	int cpus, rc = 0;
	uint64_t *zero = values_new(size, &cpus);

	if (!zero)
		return -ENOMEM;
	if (bpf_map_update_elem(bpf_map__fd(map), &key, zero, flags))
		rc = -errno;
	free(zero);
	return rc;
}

int datapath_signal_read(struct datapath *dp, uint32_t key, struct rainbow_signal *out)
{
	return sum_read(dp->skeleton->maps.rainbow_signal, key, out, sizeof(*out));
}

int datapath_signal_make(struct datapath *dp, uint32_t key)
{
	return zero_write(dp->skeleton->maps.rainbow_signal, key, sizeof(struct rainbow_signal), BPF_NOEXIST);
}

int datapath_signal_empty(struct datapath *dp, uint32_t key)
{
	return zero_write(dp->skeleton->maps.rainbow_signal, key, sizeof(struct rainbow_signal), BPF_ANY);
}

void datapath_signal_remove(struct datapath *dp, uint32_t key)
{
	bpf_map_delete_elem(bpf_map__fd(dp->skeleton->maps.rainbow_signal), &key);
}

int datapath_traffic_read(struct datapath *dp, uint32_t version, struct rainbow_traffic *out)
{
	return sum_read(dp->skeleton->maps.rainbow_traffic, version, out, sizeof(*out));
}

int datapath_traffic_empty(struct datapath *dp, uint32_t version)
{
	return zero_write(dp->skeleton->maps.rainbow_traffic, version, sizeof(struct rainbow_traffic), BPF_ANY);
}
