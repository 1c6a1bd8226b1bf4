// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See migrate.h. Field by field, so that a layout that changes shows here. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <rainbow/lookup.h>
#include <rainbow/tcp.h>
#include "bpf/rainbow.skel.h"
#include "common/log.h"
#include "rainbowd/adopt.h"
#include "rainbowd/attach.h"
#include "rainbowd/datapath_private.h"
#include "rainbowd/migrate.h"
#include "rainbowd/pin_walk.h"
#include "rainbowd/schema_v1.h"
#include "rainbowd/takeover.h"

#define OLD_NAME ADOPT_OLD_NAME
#define STEP(i)  for (i = 0; i < sizeof(steps) / sizeof(steps[0]) && !rc; i++)

/* --- where -------------------------------------------------------------------------------------------------------------- */

/* "/sys/fs/bpf/rainbow/v2": the schema at its end, and the length of what comes before; 0: it is named otherwise. */
static unsigned int schema_of_path(const char *path, int *parent)
{
	const char *slash = strrchr(path, '/');
	unsigned int schema;
	int length = 0;

	*parent = (int)(slash - path);
	if (sscanf(slash, "/v%u%n", &schema, &length) != 1 || slash[length])
		return 0;
	return schema;
}

static bool is_versioned(const struct pin_dir *dir)
{
	int parent;

	return schema_of_path(dir->path, &parent) == RAINBOW_SCHEMA;
}

static void old_path(const struct pin_dir *dir, char buf[PIN_PATH_SIZE])
{
	int parent;

	if (schema_of_path(dir->path, &parent) == RAINBOW_SCHEMA)
		snprintf(buf, PIN_PATH_SIZE, "%.*s/" OLD_NAME, parent, dir->path);
	else
		snprintf(buf, PIN_PATH_SIZE, "%s/" OLD_NAME, dir->path);
}

struct moving {
	const struct pin_dir *dir;
	bool meta; /* its turn is last: it says that there is something to move */
	int error;
};

static void move_pin(const char *name, void *arg)
{
	struct moving *moving = arg;
	char from[PIN_PATH_SIZE], to[PIN_PATH_SIZE], old[PIN_PATH_SIZE];

	if (!strcmp(name, OLD_NAME) || !strcmp(name, "rainbow_meta") != moving->meta)
		return;
	old_path(moving->dir, old);
	if (snprintf(to, sizeof(to), "%s/%s", old, name) >= (int)sizeof(to) ||
	    rename(pin_dir_path(moving->dir, name, from), to))
		moving->error = errno;
}

/* A set of schema 1 in the directory that is to be ours. */
static int move_away(const struct pin_dir *dir, struct error *err)
{
	struct moving moving = {.dir = dir};
	char old[PIN_PATH_SIZE];
	int rc;

	old_path(dir, old);
	if (mkdir(old, 0700) && errno != EEXIST)
		return error_set(err, ERROR_PRECONDITION, "pin-dir", "%s can not be made: %s", old, strerror(errno));
	rc = pin_dir_each(dir, move_pin, &moving, err);
	moving.meta = true;
	if (!rc && !moving.error)
		rc = pin_dir_each(dir, move_pin, &moving, err);
	if (!rc && moving.error)
		rc = error_set(err, ERROR_INTERNAL, "pin-dir", "the maps of schema 1 can not be moved to %s: %s", old,
			       strerror(moving.error));
	return rc;
}

/* `at`: where it lies now. Afterwards sessions go on opening until the hooks are switched: takeover.c finds room for those too. */
static int refuse_small(const struct pin_dir *at, uint32_t pins, struct error *err)
{
	struct rainbow_meta_v1 meta;

	if (!pins || adopt_meta_read(at, &meta, sizeof(meta)) || meta.pins <= pins)
		return 0;
	return takeover_refuse_small(pins, meta.pins, err);
}

/* The old set in the directory that is to be ours goes where it lies otherwise. */
static int same_find(struct datapath *dp, uint32_t pins, struct error *err)
{
	uint32_t schema = 0;
	int rc;

	if (is_versioned(&dp->dir) || adopt_schema(&dp->dir, &schema) || schema != RAINBOW_SCHEMA_V1)
		return 0;
	rc = refuse_small(&dp->dir, pins, err);
	return rc ? rc : move_away(&dp->dir, err);
}

static void link_unpin(const char *name, void *arg)
{
	if (attach_name_parse(name))
		pin_dir_unlink(arg, name);
}

/* Its links go on under their names in our directory. */
static int old_remove(struct datapath *dp, struct error *err)
{
	int rc = pin_dir_each(&dp->old, link_unpin, &dp->old, err);

	rc = rc ? rc : adopt_clear(&dp->old, err);
	if (!rc && !is_versioned(&dp->dir))
		rmdir(dp->old.path);
	return rc;
}

int migrate_find(struct datapath *dp, uint32_t pins, struct error *err)
{
	uint32_t schema = 0;
	char path[PIN_PATH_SIZE];
	int rc = same_find(dp, pins, err);

	if (rc)
		return rc;
	old_path(&dp->dir, path);
	rc = pin_dir_open(&dp->old, path, false, err);
	if (rc == -ERROR_NOT_FOUND)
		return 0;
	if (rc)
		return rc;
	if (!pin_dir_has(&dp->old, "rainbow_meta"))
		return 0;
	rc = adopt_schema(&dp->old, &schema);
	if (!rc && !schema) /* half made by an older rainbowd, or half removed by one of ours: attached to nothing */
		return old_remove(dp, err);
	/* Ours: the mark. */
	if (rc || (schema != RAINBOW_SCHEMA_V1 && schema != RAINBOW_SCHEMA))
		return error_set(
		    err, ERROR_PRECONDITION, "pin-dir",
		    "the maps in %s are of no schema that this rainbowd knows (1 and %u); they are left alone. Run "
		    "the rainbowd that made them; or end them first: rainbowd --detach --pin-dir %s",
		    dp->old.path, RAINBOW_SCHEMA, dp->old.path);
	dp->migrates = schema == RAINBOW_SCHEMA_V1;
	if (!dp->migrates)
		return 0;
	dp->lookup_id_before = adopt_map_id(&dp->old, "rainbow_lookup");
	/* Once the new table is there, its size is decided. */
	return pin_dir_has(&dp->dir, "rainbow_meta") ? 0 : refuse_small(&dp->old, pins, err);
}

uint32_t migrate_pin_limit(const struct datapath *dp)
{
	int fd = adopt_map_open(&dp->old, "rainbow_pin");
	struct bpf_map_info info = {0};
	uint32_t length = sizeof(info);
	bool known = fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &length) && info.max_entries;

	if (fd >= 0)
		close(fd);
	return known ? info.max_entries : RAINBOW_DEFAULT_PINS;
}

/* --- arrays ------------------------------------------------------------------------------------------------------------- */

struct old_array {
	const uint8_t *base;
	size_t stride, length;
	uint32_t entries;
};

static int old_refuse(struct datapath *dp, const char *name, const char *why, struct error *err)
{
	return error_set(err, ERROR_PRECONDITION, "pin-dir",
			 "%s in %s is not as schema 1 has it (%s); it is left alone. To end it: rainbowd --detach --pin-dir %s",
			 name, dp->old.path, why, dp->dir.path);
}

/* The old map of this name, with values of that size; its descriptor, or a negative error code. */
static int old_map(struct datapath *dp, const char *name, uint32_t value_size, struct bpf_map_info *info, struct error *err)
{
	uint32_t length = sizeof(*info);
	int fd = adopt_map_open(&dp->old, name);

	memset(info, 0, sizeof(*info));
	if (fd < 0)
		return old_refuse(dp, name, strerror(-fd), err);
	if (bpf_obj_get_info_by_fd(fd, info, &length) || info->value_size != value_size) {
		close(fd);
		return old_refuse(dp, name, "its values have another size", err);
	}
	return fd;
}

static int old_open(struct datapath *dp, const char *name, uint32_t value_size, struct old_array *array, struct error *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct bpf_map_info info;
	int fd = old_map(dp, name, value_size, &info, err);
	void *base;

	array->base = NULL;
	if (fd < 0)
		return fd;
	array->stride = (value_size + 7u) & ~7u;
	array->entries = info.max_entries;
	array->length = (array->stride * array->entries + page - 1) & ~(page - 1);
	base = mmap(NULL, array->length, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (base == MAP_FAILED)
		return old_refuse(dp, name, "it can not be mapped", err);
	array->base = base;
	return 0;
}

static void old_close(struct old_array *array)
{
	if (array->base)
		munmap((void *)(uintptr_t)array->base, array->length);
	array->base = NULL;
}

static const void *old_entry(const struct old_array *array, uint32_t index)
{
	return index < array->entries ? array->base + index * array->stride : NULL;
}

/* Those that lie in both, id by id. */
static int each_entry(struct datapath *dp, const char *name, uint32_t value_size, uint32_t limit,
		      void (*convert)(struct datapath *dp, uint32_t id, const void *was), struct error *err)
{
	struct old_array array;
	uint32_t id;
	int rc = old_open(dp, name, value_size, &array, err);

	for (id = 0; !rc && id < limit && id < array.entries; id++)
		convert(dp, id, old_entry(&array, id));
	old_close(&array);
	return rc;
}

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
	memcpy(dp->lookup.base + id * dp->lookup.stride, old, sizeof(struct rainbow_lookup));
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
	fd = was && is && cpus > 0 ? old_map(dp, "rainbow_packets", sizeof(*was), &info, err)
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

	fd = old_map(dp, "rainbow_hook", sizeof(was), &info, err);
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
	const struct {
		const char *name;
		uint32_t value_size, limit;
		void (*convert)(struct datapath *dp, uint32_t id, const void *was);
	} steps[] = {
	    {"rainbow_meta", sizeof(struct rainbow_meta_v1), 1, convert_meta},
	    {"rainbow_service", sizeof(struct rainbow_service_v1), RAINBOW_MAX_SERVICES + 1, convert_service},
	    {"rainbow_version", sizeof(struct rainbow_version_v1), RAINBOW_MAX_VERSIONS + 1, convert_version},
	    {"rainbow_member", sizeof(struct rainbow_member_v1), RAINBOW_MAX_VERSIONS + 1, convert_member},
	    {"rainbow_wheel", sizeof(struct rainbow_wheel_v1), 2 * (RAINBOW_MAX_SERVICES + 1), convert_wheel},
	    {"rainbow_backend", sizeof(struct rainbow_backend_v1), RAINBOW_MAX_BACKENDS + 1, convert_backend},
	    {"rainbow_lookup", sizeof(struct rainbow_lookup_v1), RAINBOW_LOOKUP_SLOTS, convert_lookup},
	};
	size_t i;
	int rc = 0;

	STEP(i)
	rc = each_entry(dp, steps[i].name, steps[i].value_size, steps[i].limit, steps[i].convert, err);
	rc = rc ? rc : convert_packets(dp, err);
	return rc ? rc : convert_hooks(dp, err);
}

/* --- hooks -------------------------------------------------------------------------------------------------------------- */

struct linking {
	struct datapath *dp;
	int error;
};

static void link_share(const char *name, void *arg)
{
	struct linking *linking = arg;
	char path[PIN_PATH_SIZE];
	int fd;

	if (!attach_name_parse(name) || pin_dir_has(&linking->dp->dir, name))
		return;
	fd = bpf_obj_get(pin_dir_path(&linking->dp->old, name, path));
	if (fd < 0 || bpf_obj_pin(fd, pin_dir_path(&linking->dp->dir, name, path)))
		linking->error = errno;
	if (fd >= 0)
		close(fd);
}

int migrate_links(struct datapath *dp, struct error *err)
{
	struct linking linking = {.dp = dp};
	int rc = pin_dir_each(&dp->old, link_share, &linking, err);

	if (!rc && linking.error)
		rc = error_set(err, ERROR_INTERNAL, "pin-dir",
			       "a hook pinned in %s can not be taken over: %s; it goes on serving", dp->old.path,
			       strerror(linking.error));
	return rc;
}

/* --- what runs ---------------------------------------------------------------------------------------------------------- */

static bool convert_nursling(const struct rainbow_flow *flow, const void *old, void *arg)
{
	const struct rainbow_nursling_v1 *was = old;
	const struct rainbow_nursling is = {
	    .state = was->state,
	    .version = was->version,
	    .backend = was->backend,
	    .began = was->began,
	    .client_isn = was->client_isn,
	    .server_isn = was->server_isn,
	    .server_next = was->server_next,
	    .server_edge = was->server_edge,
	    .client_scale = was->client_scale,
	    .server_scale = was->server_scale,
	};

	nursery_put(arg, flow, &is);
	return true;
}

int migrate_counters(struct datapath *dp, struct error *err)
{
	struct bpf_map_info info;
	int rc =
	    each_entry(dp, "rainbow_service", sizeof(struct rainbow_service_v1), RAINBOW_MAX_SERVICES + 1, count_service, err);
	int from;

	rc = rc ? rc
		: each_entry(dp, "rainbow_version", sizeof(struct rainbow_version_v1), RAINBOW_MAX_VERSIONS + 1, count_version,
			     err);
	rc = rc ? rc
		: each_entry(dp, "rainbow_backend", sizeof(struct rainbow_backend_v1), RAINBOW_MAX_BACKENDS + 1, count_backend,
			     err);
	if (rc)
		return rc;
	from = old_map(dp, "rainbow_nursery", sizeof(struct rainbow_nursling_v1), &info, err);
	if (from < 0)
		return from;
	/* Handshakes that are lost are begun anew by their clients. */
	pin_walk(from, sizeof(struct rainbow_nursling_v1), convert_nursling, &dp->nursery);
	close(from);
	return 0;
}

static struct rainbow_side side_of(const struct rainbow_side_v1 *was)
{
	return (struct rainbow_side){.next = was->next, .ack = was->ack};
}

static bool convert_pin(const struct rainbow_flow *flow, const void *old, void *arg)
{
	const struct rainbow_pin_v1 *was = old;
	uint8_t client_scale = was->client_scale & 15, server_scale = was->server_scale & 15, asked = was->told >> 2;
	const struct rainbow_due due = {
	    .flow = *flow,
	    .pin = {.state = was->state,
		    .version = was->version,
		    .backend = was->backend,
		    .opened = was->opened,
		    .last_seen = was->last_seen,
		    .flows = was->flows,
		    .kind = was->kind,
		    .told = was->told & RAINBOW_TOLD_BOTH,
		    .asked = asked < 15 ? asked : 15,
		    .client_scale = client_scale,
		    .server_scale = server_scale,
		    .client_window = rainbow_window(was->client.ack, was->client.edge, client_scale),
		    .server_window = rainbow_window(was->server.ack, was->server.edge, server_scale),
		    .client = side_of(&was->client),
		    .server = side_of(&was->server)},
	};

	return takeover_put(arg, &due);
}

int migrate_pins(struct datapath *dp, struct takeover_batch *batch)
{
	struct bpf_map_info info;
	struct error err;
	int fd = old_map(dp, "rainbow_pin", sizeof(struct rainbow_pin_v1), &info, &err);
	int rc;

	if (fd < 0)
		return -EMEDIUMTYPE;
	rc = pin_walk(fd, sizeof(struct rainbow_pin_v1), convert_pin, batch);
	close(fd);
	return rc;
}

/* --- the end of the old set --------------------------------------------------------------------------------------------- */

int migrate_end(struct datapath *dp, struct error *err)
{
	int rc = old_remove(dp, err);

	if (rc)
		return rc;
	dp->migrates = false;
	dp->lookup_id_before = 0;
	migrate_mark(dp);
	return 0;
}

void migrate_mark(struct datapath *dp)
{
	struct rainbow_meta_v1 mark = {.schema = RAINBOW_SCHEMA, .writer = "see the directory v2"};
	LIBBPF_OPTS(bpf_map_create_opts, options);
	char path[PIN_PATH_SIZE];
	uint32_t index = 0;
	struct error err;
	int fd;

	if (!is_versioned(&dp->dir) || dp->migrates)
		return;
	old_path(&dp->dir, path);
	if (dp->old.fd < 0 && ((mkdir(path, 0700) && errno != EEXIST) || pin_dir_open(&dp->old, path, false, &err)))
		return;
	if (pin_dir_has(&dp->old, "rainbow_meta"))
		return;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "rainbow_meta", sizeof(index), sizeof(mark), 1, &options);
	if (fd < 0)
		return;
	if (bpf_map_update_elem(fd, &index, &mark, BPF_ANY) || bpf_obj_pin(fd, pin_dir_path(&dp->old, "rainbow_meta", path)))
		log_warn("datapath", "an older rainbowd would not see this one: no mark can be left in %s: %s", dp->old.path,
			 strerror(errno));
	close(fd);
}

int migrate_remove(const struct pin_dir *dir, struct error *err)
{
	struct pin_dir old;
	char path[PIN_PATH_SIZE];
	uint32_t schema = 0;
	int rc = 0;

	old_path(dir, path);
	if (pin_dir_open(&old, path, false, err)) /* not there; or an older rainbowd has it, whose it is then */
		return 0;
	if (!adopt_schema(&old, &schema) && schema == RAINBOW_SCHEMA_V1) {
		rc = hooks_clear(&old, err);
		rc = rc ? rc : adopt_clear(&old, err);
	} else if (schema == RAINBOW_SCHEMA) {
		pin_dir_unlink(&old, "rainbow_meta");
	}
	rmdir(old.path);
	pin_dir_close(&old);
	return rc;
}
