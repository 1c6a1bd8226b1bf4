// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Opening and closing the kernel side: the pin directory, the maps in it, the programs, the arrays mapped into this process.
 * What is done with them then: datapath_maps.c, hooks.c, barrier.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "bpf/rainbow.skel.h"
#include "common/log.h"
#include "rainbowd/adopt.h"
#include "rainbowd/datapath_private.h"
#include "rainbowd/migrate.h"

#ifndef RAINBOW_RELEASE
#define RAINBOW_RELEASE "unknown"
#endif

#define NURSERY_SECONDS   60
#define LINGER_SECONDS    10
#define TOMBSTONE_SECONDS 60

/* Lines shown of a message of many: the verifier says what it minds at the end. */
#define LOG_LINES_MAX 40

/* --- libbpf's messages -------------------------------------------------------------------------------------------------- */

static __thread bool hushed; /* the sweep's thread has its own */

void datapath_hush(bool hush)
{
	hushed = hush;
}

static const char *last_lines(const char *text, int lines)
{
	const char *at = text + strlen(text);

	while (at > text && lines) {
		at--;
		if (*at == '\n' && at[1])
			lines--;
	}
	return lines ? text : at + 1;
}

static void lines_log(enum log_level level, const char *text)
{
	const char *line = last_lines(text, LOG_LINES_MAX);

	while (*line) {
		int length = (int)strcspn(line, "\n");

		if (length)
			log_line(level, "libbpf", "%.*s", length, line);
		line += length + (line[length] == '\n');
	}
}

static int libbpf_says(enum libbpf_print_level level, const char *format, va_list args)
{
	char *text;

	if (level == LIBBPF_DEBUG || vasprintf(&text, format, args) < 0)
		return 0;
	lines_log(level == LIBBPF_WARN && !hushed ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, text);
	free(text);
	return 0;
}

void datapath_bridge_log(void)
{
	libbpf_set_print(libbpf_says);
}

/* --- the mapped arrays -------------------------------------------------------------------------------------------------- */

static int array_open(struct mapping *m, const struct bpf_map *map, struct error *err)
{
	int rc = mapping_open(m, bpf_map__fd(map), bpf_map__value_size(map), bpf_map__max_entries(map), PROT_READ | PROT_WRITE);

	return rc ? error_set(err, ERROR_INTERNAL, NULL, "%s can not be mapped: %s", bpf_map__name(map), strerror(-rc)) : 0;
}

static int mappings_open(struct datapath *dp, struct error *err)
{
	const struct {
		struct mapping *mapping;
		const struct bpf_map *map;
	} arrays[] = {
	    {&dp->meta, dp->skeleton->maps.rainbow_meta},       {&dp->lookup, dp->skeleton->maps.rainbow_lookup},
	    {&dp->service, dp->skeleton->maps.rainbow_service}, {&dp->version, dp->skeleton->maps.rainbow_version},
	    {&dp->member, dp->skeleton->maps.rainbow_member},   {&dp->wheel, dp->skeleton->maps.rainbow_wheel},
	    {&dp->backend, dp->skeleton->maps.rainbow_backend}, {&dp->census, dp->skeleton->maps.rainbow_census},
	    {&dp->due, dp->skeleton->maps.rainbow_due},         {&dp->hop, dp->skeleton->maps.rainbow_hop},
	};
	size_t i;
	int rc = 0;

	for (i = 0; !rc && i < sizeof(arrays) / sizeof(arrays[0]); i++)
		rc = array_open(arrays[i].mapping, arrays[i].map, err);
	return rc;
}

/* Behind meta_fill, which makes the secret. */
static int tables_open(struct datapath *dp, struct error *err)
{
	const struct bpf_map *table = dp->skeleton->maps.rainbow_table, *nursery = dp->skeleton->maps.rainbow_nursery;
	/* Not meta->buckets: where pins are carried over, that is still another table's. */
	int rc = pin_table_open(&dp->pins, bpf_map__fd(table), bpf_map__max_entries(table), datapath_meta(dp)->table_secret,
				bpf_map__fd(dp->skeleton->maps.rainbow_pin));

	if (rc)
		return error_set(err, ERROR_INTERNAL, NULL, "rainbow_table can not be mapped: %s", strerror(-rc));
	rc = nursery_open(&dp->nursery, bpf_map__fd(nursery), bpf_map__max_entries(nursery), datapath_meta(dp)->table_secret);
	if (rc)
		return error_set(err, ERROR_INTERNAL, NULL, "rainbow_nursery can not be mapped: %s", strerror(-rc));
	return 0;
}

static void mappings_close(struct datapath *dp)
{
	struct mapping *all[] = {&dp->meta,  &dp->lookup,  &dp->service, &dp->version, &dp->member,
				 &dp->wheel, &dp->backend, &dp->census,  &dp->due,     &dp->hop};
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		mapping_close(all[i]);
	pin_table_close(&dp->pins);
	nursery_close(&dp->nursery);
}

struct rainbow_meta *datapath_meta(struct datapath *dp)
{
	return mapping_at(&dp->meta, 0);
}

struct rainbow_service *datapath_service(struct datapath *dp, uint32_t id)
{
	return mapping_at(&dp->service, id);
}

struct rainbow_version *datapath_version(struct datapath *dp, uint32_t id)
{
	return mapping_at(&dp->version, id);
}

struct rainbow_member *datapath_member(struct datapath *dp, uint32_t version)
{
	return mapping_at(&dp->member, version);
}

struct rainbow_wheel *datapath_wheel(struct datapath *dp, uint32_t service, uint32_t which)
{
	return mapping_at(&dp->wheel, 2 * service + (which & 1));
}

struct rainbow_backend *datapath_backend(struct datapath *dp, uint32_t id)
{
	return mapping_at(&dp->backend, id);
}

struct rainbow_census *datapath_census(struct datapath *dp, uint32_t version)
{
	return mapping_at(&dp->census, version);
}

const struct rainbow_due *datapath_due(struct datapath *dp)
{
	_Static_assert(sizeof(struct rainbow_due) % 8 == 0, "an array of them must have no gaps");
	return mapping_at(&dp->due, 0);
}

/* --- opening ------------------------------------------------------------------------------------------------------------ */

static int programs_load(struct datapath *dp, struct error *err)
{
	int rc = rainbow_bpf__load(dp->skeleton);

	if (rc == -EPERM)
		return error_set(err, ERROR_PRECONDITION, NULL,
				 "the kernel lets us load no BPF programs; run rainbowd as root");
	if (rc == -ENOMEM)
		return error_set(err, ERROR_PRECONDITION, "max-sessions",
				 "there is no memory for so many sessions; ask for fewer");
	if (rc)
		return error_set(
		    err, ERROR_INTERNAL, NULL,
		    "the kernel refused rainbow's maps or programs: %s (the log says why); Linux 6.1 or newer is needed",
		    strerror(-rc));
	return 0;
}

/* For a table that is made; where it is in the place of one of schema 1, nobody's session is to be lost. */
static uint32_t pins_wanted(const struct datapath *dp, const struct datapath_config *config)
{
	if (config->pins)
		return config->pins;
	if (dp->migrates)
		return migrate_pin_limit(dp);
	return config->pins_new ? config->pins_new : RAINBOW_DEFAULT_PINS;
}

static void table_size_set(struct datapath *dp, uint32_t pins)
{
	bpf_map__set_max_entries(dp->skeleton->maps.rainbow_table, rainbow_table_buckets(pins));
	bpf_map__set_max_entries(dp->skeleton->maps.rainbow_pin, rainbow_table_overflow(pins));
}

static void sizes_set(struct datapath *dp, const struct datapath_config *config)
{
	table_size_set(dp, pins_wanted(dp, config));
	bpf_map__set_max_entries(dp->skeleton->maps.rainbow_nursery,
				 rainbow_nursery_buckets(config->nursery ? config->nursery : RAINBOW_DEFAULT_NURSERY));
}

static uint32_t hz_read(void)
{
	struct timespec tick;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) || tick.tv_sec || tick.tv_nsec <= 0)
		return 250;
	return (uint32_t)(1000000000 / tick.tv_nsec);
}

/* What belongs to the pin table and the nursery. */
static int tables_fill(struct datapath *dp, const struct datapath_config *config, struct error *err)
{
	struct rainbow_meta *meta = datapath_meta(dp);
	int i;

	meta->pin_limit = pins_wanted(dp, config);
	meta->buckets = rainbow_table_buckets(meta->pin_limit);
	meta->nursery_buckets = bpf_map__max_entries(dp->skeleton->maps.rainbow_nursery);
	if (getrandom(meta->table_secret, sizeof(meta->table_secret), 0) != sizeof(meta->table_secret))
		return error_set(err, ERROR_INTERNAL, NULL, "no random numbers: %s", strerror(errno));
	for (i = 0; i < RAINBOW_TABLE_SECRET; i++)
		meta->table_secret[i] |= 1; /* else a flow's bits are lost in the product */
	return 0;
}

static void meta_fill(struct datapath *dp)
{
	struct rainbow_meta *meta = datapath_meta(dp);

	meta->hz = hz_read();
	meta->nursery_seconds = NURSERY_SECONDS;
	meta->linger_seconds = LINGER_SECONDS;
	meta->tombstone_seconds = TOMBSTONE_SECONDS;
	snprintf(meta->writer, sizeof(meta->writer), "rainbowd %s", RAINBOW_RELEASE);
}

static int lookup_id_read(struct datapath *dp, struct error *err)
{
	dp->lookup_id = adopt_map_id(&dp->dir, "rainbow_lookup");
	if (dp->lookup_id)
		return 0;
	return error_set(err, ERROR_INTERNAL, "pin-dir", "rainbow_lookup in %s can not be read back", dp->dir.path);
}

static int maps_adopt(struct datapath *dp, const struct datapath_config *config, struct error *err)
{
	struct adopt_sizes sizes = {.pins = config->pins, .nursery = config->nursery};
	int rc = takeover_look(dp, err);

	rc = rc ? rc : adopt_maps(&dp->dir, dp->skeleton->obj, &sizes, err);
	dp->resumes = sizes.resumes;
	dp->resizes = sizes.resizes;
	if (dp->resizes)
		table_size_set(dp, config->pins);
	return rc;
}

/* What this process writes into the arrays before the set is whole. */
static int arrays_fill(struct datapath *dp, bool adopt, struct error *err)
{
	meta_fill(dp);
	if (!dp->migrates)
		return 0;
	if (!adopt)
		datapath_meta(dp)->hold = RAINBOW_HOLD_SWITCHING;
	return datapath_meta(dp)->hold == RAINBOW_HOLD_SWITCHING ? migrate_arrays(dp, err) : 0;
}

/* See adopt.h. */
void datapath_mark_whole(struct datapath *dp)
{
	__atomic_store_n(&datapath_meta(dp)->schema, RAINBOW_SCHEMA, __ATOMIC_RELEASE);
}

/* Makes or adopts; the directory is ours. */
static int kernel_side_open(struct datapath *dp, const struct datapath_config *config, bool adopt, struct error *err)
{
	int rc = 0;

	dp->skeleton = rainbow_bpf__open();
	if (!dp->skeleton)
		return error_set(err, ERROR_INTERNAL, NULL, "the embedded BPF object can not be read: %s", strerror(errno));
	if (adopt)
		rc = maps_adopt(dp, config, err);
	else
		sizes_set(dp, config);
	if (!rc)
		rc = programs_load(dp, err);
	if (!rc)
		rc = mappings_open(dp, err);
	rc = rc ? rc : arrays_fill(dp, adopt, err);
	if (rc)
		return rc;
	if (!adopt)
		rc = tables_fill(dp, config, err);
	if (!rc)
		rc = tables_open(dp, err);
	if (!rc && !adopt)
		rc = adopt_pin(&dp->dir, dp->skeleton->obj, err);
	/* New maps are whole once the caller has filled them. */
	if (!rc && (adopt || dp->migrates))
		datapath_mark_whole(dp);
	rc = rc ? rc : takeover_begin(dp, config->pins, err);
	migrate_mark(dp);
	return rc ? rc : lookup_id_read(dp, err);
}

/* What a killed rainbowd left half made or half removed is cleared away first. */
static int remains_clear(const struct pin_dir *dir, struct error *err)
{
	int rc;

	log_warn("datapath", "%s holds maps that were not finished; they are made anew", dir->path);
	rc = hooks_clear(dir, err);
	return rc ? rc : adopt_clear(dir, err);
}

static int sets_look(struct datapath *dp, uint32_t pins, enum adopt_found *found, struct error *err)
{
	int rc = adopt_refuse_newer(&dp->dir, err);

	rc = rc ? rc : migrate_find(dp, pins, err);
	rc = rc ? rc : adopt_look(&dp->dir, found, err);
	if (!rc && *found == ADOPT_HALF)
		rc = remains_clear(&dp->dir, err);
	if (!rc && dp->migrates && *found != ADOPT_WHOLE)
		log_info("datapath", "%s holds maps of schema 1: they are migrated", dp->old.path);
	return rc;
}

int datapath_open(struct datapath **out, const struct datapath_config *config, bool *adopted, struct error *err)
{
	struct datapath *dp = calloc(1, sizeof(*dp));
	enum adopt_found found = ADOPT_NOTHING;
	int rc;

	*out = NULL;
	if (!dp)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	dp->old.fd = -1;
	datapath_bridge_log();
	rc = pin_dir_open(&dp->dir, config->pin_dir, true, err);
	rc = rc ? rc : sets_look(dp, config->pins, &found, err);
	rc = rc ? rc : kernel_side_open(dp, config, found == ADOPT_WHOLE, err);
	if (rc) {
		datapath_close(dp);
		return rc;
	}
	*adopted = found == ADOPT_WHOLE || dp->migrates;
	*out = dp;
	return 0;
}

int datapath_open_pinned(struct datapath **out, const char *pin_dir, struct error *err)
{
	const struct datapath_config config = {.pin_dir = pin_dir};
	struct datapath *dp = calloc(1, sizeof(*dp));
	enum adopt_found found = ADOPT_NOTHING;
	int rc;

	*out = NULL;
	if (!dp)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	dp->dir.fd = dp->old.fd = -1;
	datapath_bridge_log();
	rc = pin_dir_open(&dp->dir, pin_dir, false, err);
	rc = rc ? rc : adopt_look(&dp->dir, &found, err);
	if (!rc && found != ADOPT_WHOLE)
		rc = error_set(err, ERROR_NOT_FOUND, "pin-dir", "there is no whole set of maps in %s", pin_dir);
	rc = rc ? rc : kernel_side_open(dp, &config, true, err);
	if (rc) {
		datapath_close(dp);
		return rc;
	}
	*out = dp;
	return 0;
}

void datapath_close(struct datapath *dp)
{
	if (!dp)
		return;
	mappings_close(dp);
	rainbow_bpf__destroy(dp->skeleton);
	pin_dir_close(&dp->old);
	pin_dir_close(&dp->dir);
	free(dp);
}

int datapath_remove(const char *pin_dir, struct datapath *dp, struct error *err)
{
	struct pin_dir own = {.fd = -1};
	struct pin_dir *dir = dp ? &dp->dir : &own;
	int rc = 0;

	datapath_bridge_log();
	if (!dp)
		rc = pin_dir_open(dir, pin_dir, false, err);
	if (rc == -ERROR_NOT_FOUND) { /* which is what was asked for */
		if (err)
			*err = (struct error){.code = ERROR_NONE};
		return 0;
	}
	if (dp)
		pin_dir_close(&dp->old);
	if (!rc)
		rc = hooks_clear(dir, err);
	if (!rc)
		rc = adopt_clear(dir, err);
	if (!rc)
		rc = migrate_remove(dir, err);
	if (!rc)
		rc = pin_dir_remove(dir, err);
	pin_dir_close(&own);
	return rc;
}
