// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Where the old set lies, its links, and its end: see migrate.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "common/log.h"
#include "rainbowd/adopt.h"
#include "rainbowd/attach.h"
#include "rainbowd/datapath_private.h"
#include "rainbowd/migrate.h"
#include "rainbowd/schema_v1.h"
#include "rainbowd/takeover.h"

#define OLD_NAME ADOPT_OLD_NAME

/* --- where it lies -------------------------------------------------------------------------------------------------- */

/*
 * As much of the path as our directory and the sibling v1 share ("/sys/fs/bpf/rainbow" of "/sys/fs/bpf/rainbow/v2"); all of it where
 * it does not end in our schema.
 */
static int base_length(const struct pin_dir *dir)
{
	int length = (int)strlen(dir->path), end;
	char schema[16];

	end = snprintf(schema, sizeof(schema), "/v%d", RAINBOW_SCHEMA);
	return length > end && !strcmp(dir->path + length - end, schema) ? length - end : length;
}

static bool is_versioned(const struct pin_dir *dir)
{
	return dir->path[base_length(dir)] != '\0';
}

static void old_path(const struct pin_dir *dir, char buf[PIN_PATH_SIZE])
{
	snprintf(buf, PIN_PATH_SIZE, "%.*s/" OLD_NAME, base_length(dir), dir->path);
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

/* --- its links ------------------------------------------------------------------------------------------------------ */

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

/* --- its end -------------------------------------------------------------------------------------------------------- */

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
