/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sessions in bulk: map batches, 64 K at a time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <rainbow/select.h>
#include "tests/bench/driver.h"
#include "tests/bench/population.h"

#define BATCH 65536u

struct rainbow_flow population_flow(const struct rainbow_flow *first, uint32_t i)
{
	struct rainbow_flow flow = *first;
	uint32_t last;

	memcpy(&last, flow.client.octet + 12, 4);
	last = rainbow_be32(rainbow_be32(last) + (i >> BENCH_PORTS_SHIFT));
	memcpy(flow.client.octet + 12, &last, 4);
	flow.port = (uint16_t)(BENCH_PORT_FIRST + (i & ((1u << BENCH_PORTS_SHIFT) - 1)));
	return flow;
}

/* value NULL: removes. */
static int batch(int fd, const struct rainbow_flow *first, uint32_t from, uint32_t count, const void *values)
{
	struct rainbow_flow *keys = calloc(count, sizeof(*keys));
	uint32_t i, done = count;
	int error;

	if (!keys)
		return -ENOMEM;
	for (i = 0; i < count; i++)
		keys[i] = population_flow(first, from + i);
	error = values ? bpf_map_update_batch(fd, keys, values, &done, NULL) : bpf_map_delete_batch(fd, keys, &done, NULL);
	free(keys);
	return error ? -errno : 0;
}

int population_add(int fd, const struct rainbow_flow *first, uint32_t count, const void *value, size_t value_size)
{
	uint32_t i, part = count < BATCH ? count : BATCH;
	uint8_t *values = malloc((size_t)part * value_size);
	int error = 0;

	if (!values)
		return -ENOMEM;
	for (i = 0; i < part; i++)
		memcpy(values + (size_t)i * value_size, value, value_size);
	for (i = 0; i < count && !error; i += part)
		error = batch(fd, first, i, count - i < part ? count - i : part, values);
	free(values);
	return error;
}

int population_remove(int fd, const struct rainbow_flow *first, uint32_t count)
{
	uint32_t i;
	int error = 0;

	for (i = 0; i < count && !error; i += BATCH)
		error = batch(fd, first, i, count - i < BATCH ? count - i : BATCH, NULL);
	return error;
}

int population_pin(const struct pin_table *table, const struct rainbow_flow *first, uint32_t count,
		   const struct rainbow_pin *pin)
{
	uint32_t i;
	int error = 0;

	for (i = 0; i < count && !error; i++) {
		struct rainbow_flow flow = population_flow(first, i);

		error = table_put(table, &flow, pin);
	}
	return error;
}

/* --- the maps of a running rainbowd -------------------------------------------------------------------------------------- */

static int open_pinned(const char *dir, const char *name)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		fprintf(stderr, "bench: %s: %s\n", path, strerror(errno));
	return fd;
}

/* The array's first `size` bytes, shared with the kernel side; NULL with the reason printed. */
static void *map_pinned(const char *dir, const char *name, size_t size)
{
	int fd = open_pinned(dir, name);
	void *memory;

	if (fd < 0)
		return NULL;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (memory != MAP_FAILED)
		return memory;
	fprintf(stderr, "bench: %s/%s: %s\n", dir, name, strerror(errno));
	return NULL;
}

/* A session of now: jiffies begin five minutes before their first wrap (INITIAL_JIFFIES) and count on with the clock. */
static struct rainbow_pin pin_live(uint32_t version, uint32_t backend, uint32_t hz)
{
	struct timespec now;
	uint32_t jiffies;

	clock_gettime(CLOCK_MONOTONIC, &now);
	jiffies = (uint32_t)(((uint64_t)now.tv_sec - 300) * hz + (uint64_t)now.tv_nsec * hz / 1000000000);
	return (struct rainbow_pin){
	    .state = RAINBOW_PIN_LIVE,
	    .version = (uint16_t)version,
	    .backend = (uint16_t)backend,
	    .opened = (uint32_t)now.tv_sec,
	    .last_seen = jiffies,
	    .kind = RAINBOW_PIN_SESSION,
	};
}

static int fill(const char *dir, uint32_t service, uint32_t version, uint32_t backend, uint32_t count)
{
	struct rainbow_flow first = {.client = {{[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 9}}, .service = (uint16_t)service};
	struct rainbow_version *versions = map_pinned(dir, "rainbow_version", (version + 1) * sizeof(*versions));
	struct rainbow_backend *backends = map_pinned(dir, "rainbow_backend", (backend + 1) * sizeof(*backends));
	struct rainbow_meta *meta = map_pinned(dir, "rainbow_meta", sizeof(*meta));
	struct pin_table table;
	struct rainbow_pin pin;
	int error = table_open_pinned(&table, dir);

	if (!versions || !backends || !meta || error)
		return 1;
	pin = pin_live(version, backend, meta->hz);
	error = population_pin(&table, &first, count, &pin);
	if (error) {
		fprintf(stderr, "bench: filling: %s\n", strerror(-error));
		return 1;
	}
	__atomic_fetch_add(&meta->pins, count, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&backends[backend].live, count, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&versions[version].live, count, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&versions[version].opened, count, __ATOMIC_SEQ_CST);
	return 0;
}

int population_fill(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: bench fill PIN_DIR SERVICE VERSION BACKEND COUNT\n");
		return 1;
	}
	return fill(argv[0], (uint32_t)atoi(argv[1]), (uint32_t)atoi(argv[2]), (uint32_t)atoi(argv[3]),
		    (uint32_t)atoi(argv[4]));
}

/* --- memory -------------------------------------------------------------------------------------------------------------- */

static uint64_t find_number(const char *path, const char *key)
{
	FILE *file = fopen(path, "r");
	unsigned long long number = 0;
	char line[256];

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)))
			number = strtoull(line + strlen(key), NULL, 10);
	fclose(file);
	return number;
}

uint64_t map_memory(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	return find_number(path, "memlock:");
}

uint64_t memory_available(void)
{
	return find_number("/proc/meminfo", "MemAvailable:") * 1024;
}
