// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What schema 1 keeps beside sessions: see migrate.h. Field by field, so that a layout that changes shows here. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <rainbow/lookup.h>
#include "bpf/rainbow.skel.h"
#include "rainbowd/datapath_private.h"
#include "rainbowd/migrate.h"
#include "rainbowd/migrate_map.h"
#include "rainbowd/schema_v1.h"

/* --- entry by entry ------------------------------------------------------------------------------------------------- */

static void convert_meta(struct datapath *dp, uint32_t id, const void *old)
{
	const struct rainbow_meta_v1 *was = old;
	struct rainbow_meta *is = datapath_meta(dp);

	(void)id;
	memcpy(is->hash_secret, was->hash_secret, sizeof(is->hash_secret));
	is->swept = was->swept;
}

static void count_service(struct datapath *dp, uint32_t id, const void *old)
{
	const struct rainbow_service_v1 *was = old;
	struct rainbow_service *is = datapath_service(dp, id);

	is->cursor = was->cursor;
	is->refused_no_version = was->refused_no_version;
}

static void convert_service(struct datapath *dp, uint32_t id, const void *old)
{
	const struct rainbow_service_v1 *was = old;
	struct rainbow_service *is = datapath_service(dp, id);

	memset(is, 0, sizeof(*is));
	memcpy(is->name, was->name, sizeof(is->name));
	is->address = was->address;
	is->port = was->port;
	is->protocol = was->protocol;
	is->affinity = was->affinity;
	is->selection = was->selection;
	is->stray = was->stray;
	is->wheel = was->wheel;
	is->generation = was->generation;
	is->idle_seconds = was->idle_seconds;
	is->client_prefix = was->client_prefix;
	is->steers = was->steers;
	is->in_use = was->in_use;
	/* probe_idle_seconds is the database's to say, before a hook is attached. */
	count_service(dp, id, old);
}

static void count_version(struct datapath *dp, uint32_t id, const void *old)
{
	const struct rainbow_version_v1 *was = old;
	struct rainbow_version *is = datapath_version(dp, id);

	is->live = was->live;
	is->closing = was->closing;
	is->opened = was->opened;
	is->ended_fin = was->ended_fin;
	is->ended_reset_client = was->ended_reset_client;
	is->ended_reset_server = was->ended_reset_server;
	is->ended_idle = was->ended_idle;
	is->ended_forced = was->ended_forced;
	is->refused = was->refused;
	is->chosen = was->chosen;
}

static void convert_version(struct datapath *dp, uint32_t id, const void *old)
{
	const struct rainbow_version_v1 *was = old;
	struct rainbow_version *is = datapath_version(dp, id);

	memset(is, 0, sizeof(*is));
	memcpy(is->label, was->label, sizeof(is->label));
	is->state = was->state;
	is->service = was->service;
	is->weight_permille = was->weight_permille;
	is->deadline = was->deadline;
	count_version(dp, id, old);
}

static void convert_member(struct datapath *dp, uint32_t id, const void *old)
{
	const struct rainbow_member_v1 *was = old;
	struct rainbow_member *is = datapath_member(dp, id);

	_Static_assert(sizeof(is->backend) == sizeof(was->backend), "the same in both schemas");
	is->count = was->count;
	memcpy(is->backend, was->backend, sizeof(is->backend));
}

static void convert_wheel(struct datapath *dp, uint32_t id, const void *old)
{
	const struct rainbow_wheel_v1 *was = old;
	struct rainbow_wheel *is = datapath_wheel(dp, id / 2, id % 2);

	_Static_assert(sizeof(is->slot) == sizeof(was->slot), "the same in both schemas");
	is->generation = was->generation;
	memcpy(is->slot, was->slot, sizeof(is->slot));
}

static void count_backend(struct datapath *dp, uint32_t id, const void *old)
{
	const struct rainbow_backend_v1 *was = old;

	datapath_backend(dp, id)->live = was->live;
}

/* The way to it is asked for anew. */
static void convert_backend(struct datapath *dp, uint32_t id, const void *old)
{
	const struct rainbow_backend_v1 *was = old;
	struct rainbow_backend *is = datapath_backend(dp, id);

	memset(is, 0, sizeof(*is));
	is->address = was->address;
	is->port = was->port;
	is->protocol = was->protocol;
	is->state = was->state;
	is->service = was->service;
	is->version = was->version;
	is->healthy = was->healthy;
	is->max_sessions = was->max_sessions;
	is->address_delta = was->address_delta;
	is->port_delta = was->port_delta;
	is->close_after = was->close_after;
	count_backend(dp, id, old);
}

static void convert_lookup(struct datapath *dp, uint32_t id, const void *old)
{
	_Static_assert(sizeof(struct rainbow_lookup) == sizeof(struct rainbow_lookup_v1), "the same in both schemas");
	memcpy(mapping_at(&dp->lookup, id), old, sizeof(struct rainbow_lookup));
}

/* --- array by array ------------------------------------------------------------------------------------------------- */

struct step {
	const char *name;
	uint32_t value_size, limit;
	void (*convert)(struct datapath *dp, uint32_t id, const void *was);
};

/* The entries that lie in both, id by id. */
static int step_take(struct datapath *dp, const struct step *step, struct error *err)
{
	struct bpf_map_info info;
	struct mapping old = {0};
	int fd = migrate_map(dp, step->name, step->value_size, &info, err);
	uint32_t id;
	int rc;

	if (fd < 0)
		return fd;
	rc = mapping_open(&old, fd, info.value_size, info.max_entries, PROT_READ);
	close(fd);
	if (rc)
		return migrate_refuse(dp, step->name, "it can not be mapped", err);
	for (id = 0; id < step->limit && id < old.entries; id++)
		step->convert(dp, id, mapping_at(&old, id));
	mapping_close(&old);
	return 0;
}

static int steps_take(struct datapath *dp, const struct step *steps, size_t count, struct error *err)
{
	size_t i;
	int rc = 0;

	for (i = 0; i < count && !rc; i++)
		rc = step_take(dp, &steps[i], err);
	return rc;
}

int migrate_counters(struct datapath *dp, struct error *err)
{
	static const struct step steps[] = {
	    {"rainbow_service", sizeof(struct rainbow_service_v1), RAINBOW_MAX_SERVICES + 1, count_service},
	    {"rainbow_version", sizeof(struct rainbow_version_v1), RAINBOW_MAX_VERSIONS + 1, count_version},
	    {"rainbow_backend", sizeof(struct rainbow_backend_v1), RAINBOW_MAX_BACKENDS + 1, count_backend},
	};

	return steps_take(dp, steps, sizeof(steps) / sizeof(steps[0]), err);
}

/* The members of version 1 are the first ones of ours, all of them counters. */
static int convert_packets(struct datapath *dp, struct error *err)
{
	int cpus = libbpf_num_possible_cpus(), cpu, fd, to = bpf_map__fd(dp->skeleton->maps.rainbow_packets);
	struct rainbow_packets_v1 *was = calloc(cpus > 0 ? (size_t)cpus : 1, sizeof(*was));
	struct rainbow_packets *is = calloc(cpus > 0 ? (size_t)cpus : 1, sizeof(*is));
	struct bpf_map_info info;
	uint32_t id;

	_Static_assert(offsetof(struct rainbow_packets, dropped_retry) == offsetof(struct rainbow_packets_v1, dropped_retry),
		       "what was counted in schema 1 comes first");
	fd = was && is && cpus > 0 ? migrate_map(dp, "rainbow_packets", sizeof(*was), &info, err)
				   : error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	for (id = 0; fd >= 0 && id <= RAINBOW_MAX_SERVICES; id++) {
		if (bpf_map_lookup_elem(fd, &id, was))
			continue;
		for (cpu = 0; cpu < cpus; cpu++)
			memcpy(&is[cpu], &was[cpu], sizeof(was[cpu]));
		bpf_map_update_elem(to, &id, is, BPF_ANY);
	}
	if (fd >= 0)
		close(fd);
	free(was);
	free(is);
	return fd < 0 ? fd : 0;
}

static int convert_hooks(struct datapath *dp, struct error *err)
{
	int fd, to = bpf_map__fd(dp->skeleton->maps.rainbow_hook);
	uint32_t key, *before = NULL;
	struct rainbow_hook_v1 was;
	struct bpf_map_info info;
	size_t i;

	fd = migrate_map(dp, "rainbow_hook", sizeof(was), &info, err);
	for (i = 0; fd >= 0 && i < RAINBOW_MAX_HOOKS && !bpf_map_get_next_key(fd, before, &key); i++) {
		struct rainbow_hook is = {0};

		before = &key;
		if (bpf_map_lookup_elem(fd, &key, &was))
			continue;
		memcpy(is.name, was.name, sizeof(is.name));
		memcpy(is.mac, was.mac, sizeof(is.mac));
		is.kind = was.kind;
		bpf_map_update_elem(to, &key, &is, BPF_ANY);
	}
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

int migrate_arrays(struct datapath *dp, struct error *err)
{
	static const struct step steps[] = {
	    {"rainbow_meta", sizeof(struct rainbow_meta_v1), 1, convert_meta},
	    {"rainbow_service", sizeof(struct rainbow_service_v1), RAINBOW_MAX_SERVICES + 1, convert_service},
	    {"rainbow_version", sizeof(struct rainbow_version_v1), RAINBOW_MAX_VERSIONS + 1, convert_version},
	    {"rainbow_member", sizeof(struct rainbow_member_v1), RAINBOW_MAX_VERSIONS + 1, convert_member},
	    {"rainbow_wheel", sizeof(struct rainbow_wheel_v1), 2 * (RAINBOW_MAX_SERVICES + 1), convert_wheel},
	    {"rainbow_backend", sizeof(struct rainbow_backend_v1), RAINBOW_MAX_BACKENDS + 1, convert_backend},
	    {"rainbow_lookup", sizeof(struct rainbow_lookup_v1), RAINBOW_LOOKUP_SLOTS, convert_lookup},
	};
	int rc = steps_take(dp, steps, sizeof(steps) / sizeof(steps[0]), err);

	rc = rc ? rc : convert_packets(dp, err);
	return rc ? rc : convert_hooks(dp, err);
}
