// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The records of what the kernel measured, each of which is one for each CPU: made, emptied, summed, removed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "bpf/rainbow.skel.h"
#include "rainbowd/datapath_private.h"

/* One value for each CPU, all zero. NULL: no memory. */
static __u64 *values_new(size_t size, int *cpus)
{
	*cpus = libbpf_num_possible_cpus();
	return *cpus > 0 ? calloc((size_t)*cpus, size) : NULL;
}

/* The sum of every CPU's value, all of whose members are one __u64. 0, or -errno. */
static int sum_read(int fd, uint32_t index, void *out, size_t size)
{
	int cpus, cpu, rc = 0;
	__u64 *values = values_new(size, &cpus), *sum = out;
	size_t words = size / sizeof(__u64), i;

	memset(out, 0, size);
	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(fd, &index, values))
		rc = -errno;
	for (cpu = 0; !rc && cpu < cpus; cpu++)
		for (i = 0; i < words; i++)
			sum[i] += values[(size_t)cpu * words + i];
	free(values);
	return rc;
}

static int zero_write(int fd, uint32_t index, size_t size)
{
	int cpus, rc = 0;
	__u64 *zero = values_new(size, &cpus);

	if (!zero)
		return -ENOMEM;
	if (bpf_map_update_elem(fd, &index, zero, BPF_ANY))
		rc = -errno;
	free(zero);
	return rc;
}

/* --- rainbow_signal: each record is a map of its own -------------------------------------------------------------------------- */

static int records(const struct datapath *dp)
{
	return bpf_map__fd(dp->skeleton->maps.rainbow_signal);
}

/* A descriptor, or -errno. */
static int record_open(const struct datapath *dp, uint32_t record)
{
	uint32_t id, length = sizeof(struct bpf_map_info);
	struct bpf_map_info info = {};
	int fd;

	if (bpf_map_lookup_elem(records(dp), &record, &id))
		return -errno;
	fd = bpf_map_get_fd_by_id(id);
	if (fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(fd, &info, &length) || info.value_size != sizeof(struct rainbow_signal)) {
		close(fd);
		return -EMEDIUMTYPE;
	}
	return fd;
}

int datapath_signal_read(struct datapath *dp, uint32_t record, struct rainbow_signal *out)
{
	int fd = record_open(dp, record), rc;

	memset(out, 0, sizeof(*out));
	if (fd < 0)
		return fd;
	rc = sum_read(fd, 0, out, sizeof(*out));
	close(fd);
	return rc;
}

/* In the place of what may be there. */
static int record_put(struct datapath *dp, uint32_t record)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "rainbow_record", sizeof(uint32_t), sizeof(struct rainbow_signal), 1,
				NULL);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (bpf_map_update_elem(records(dp), &record, &fd, BPF_ANY))
		rc = -errno;
	close(fd);
	return rc;
}

int datapath_signal_make(struct datapath *dp, uint32_t record)
{
	int fd = record_open(dp, record);

	if (fd < 0)
		return record_put(dp, record);
	close(fd);
	return -EEXIST;
}

int datapath_signal_empty(struct datapath *dp, uint32_t record)
{
	int fd = record_open(dp, record), rc;

	if (fd < 0)
		return record_put(dp, record);
	rc = zero_write(fd, 0, sizeof(struct rainbow_signal));
	close(fd);
	return rc;
}

void datapath_signal_remove(struct datapath *dp, uint32_t record)
{
	uint32_t id;

	if (!bpf_map_lookup_elem(records(dp), &record, &id))
		bpf_map_delete_elem(records(dp), &record);
}

/* --- rainbow_traffic ------------------------------------------------------------------------------------------------------------ */

int datapath_traffic_read(struct datapath *dp, uint32_t version, struct rainbow_traffic *out)
{
	return sum_read(bpf_map__fd(dp->skeleton->maps.rainbow_traffic), version, out, sizeof(*out));
}

int datapath_traffic_empty(struct datapath *dp, uint32_t version)
{
	return zero_write(bpf_map__fd(dp->skeleton->maps.rainbow_traffic), version, sizeof(struct rainbow_traffic));
}
