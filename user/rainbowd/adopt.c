// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Looking at, taking over, pinning and clearing the maps in the pin directory: see adopt.h. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <rainbow/maps.h>
#include <rainbow/nursery.h>
#include "rainbowd/adopt.h"
#include "rainbowd/pin_dir.h"
#include "rainbowd/takeover.h"

#define META       "rainbow_meta"
#define MAP_PREFIX "rainbow_"

static int map_info(int fd, struct bpf_map_info *info)
{
	uint32_t length = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return bpf_obj_get_info_by_fd(fd, info, &length) ? -errno : 0;
}

/* A link or program pinned under a map's name answers with another structure, in which the name is not found. */
static bool is_map_named(int fd, const char *name)
{
	struct bpf_map_info info;

	return !map_info(fd, &info) && !strncmp(info.name, name, sizeof(info.name) - 1);
}

int adopt_map_open(const struct pin_dir *dir, const char *name)
{
	char path[PIN_PATH_SIZE];
	int fd = bpf_obj_get(pin_dir_path(dir, name, path));

	if (fd < 0)
		return -errno;
	if (!is_map_named(fd, name)) {
		close(fd);
		return -EMEDIUMTYPE;
	}
	return fd;
}

uint32_t adopt_map_id(const struct pin_dir *dir, const char *name)
{
	int fd = adopt_map_open(dir, name);
	struct bpf_map_info info;
	uint32_t id = 0;

	if (fd < 0)
		return 0;
	if (!map_info(fd, &info))
		id = info.id;
	close(fd);
	return id;
}

/* Reads or stores the first word of rainbow_meta, which is the schema in every schema. */
static int schema_access(const struct pin_dir *dir, uint32_t *schema, bool store)
{
	int fd = adopt_map_open(dir, META);
	struct bpf_map_info info;
	uint32_t index = 0;
	uint32_t *value = NULL;
	int rc = fd;

	if (fd < 0)
		return rc;
	rc = map_info(fd, &info);
	if (!rc && (info.type != BPF_MAP_TYPE_ARRAY || info.value_size < sizeof(*schema) || info.key_size != sizeof(index)))
		rc = -EMEDIUMTYPE;
	if (!rc)
		value = calloc(1, info.value_size);
	if (!rc && !value)
		rc = -ENOMEM;
	if (!rc && bpf_map_lookup_elem(fd, &index, value))
		rc = -errno;
	if (!rc && store) {
		*value = *schema;
		if (bpf_map_update_elem(fd, &index, value, BPF_ANY))
			rc = -errno;
	} else if (!rc) {
		*schema = *value;
	}
	free(value);
	close(fd);
	return rc;
}

int adopt_schema(const struct pin_dir *dir, uint32_t *schema)
{
	return schema_access(dir, schema, false);
}

static bool is_link_name(const char *name)
{
	return !strncmp(name, "xdp_", 4) || !strncmp(name, "ingress_", 8) || !strncmp(name, "egress_", 7);
}

struct listing {
	size_t ours;
	char foreign[64];
};

static void name_sort(const char *name, void *arg)
{
	struct listing *listing = arg;

	if (!strncmp(name, MAP_PREFIX, strlen(MAP_PREFIX)) || is_link_name(name))
		listing->ours++;
	else if (strcmp(name, ADOPT_OLD_NAME) != 0)
		strncpy(listing->foreign, name, sizeof(listing->foreign) - 1);
}

/* In rainbow_table there is a session if any bucket's control word says so; what can not be read may hold some. */
static bool holds_sessions(const struct pin_dir *dir)
{
	int fd = adopt_map_open(dir, "rainbow_table");
	struct rainbow_bucket bucket;
	struct bpf_map_info info;
	bool holds = false;
	uint32_t i;

	if (fd < 0)
		return fd == -EMEDIUMTYPE;
	if (map_info(fd, &info) || info.value_size != sizeof(bucket))
		holds = true;
	for (i = 0; !holds && i < info.max_entries; i++)
		holds = bpf_map_lookup_elem(fd, &i, &bucket) || bucket.control;
	close(fd);
	return holds;
}

static int look_without_meta(const struct pin_dir *dir, enum adopt_found *found, struct error *err)
{
	struct listing listing = {};
	int rc = pin_dir_each(dir, name_sort, &listing, err);

	if (rc)
		return rc;
	if (listing.foreign[0])
		return error_set(err, ERROR_PRECONDITION, "pin-dir",
				 "%s holds \"%s\", which is not rainbow's; use another --pin-dir", dir->path, listing.foreign);
	if (listing.ours && holds_sessions(dir))
		return error_set(
		    err, ERROR_PRECONDITION, "pin-dir",
		    "%s holds sessions (rainbow_table) but no rainbow_meta to say what they are; they are left alone. To end "
		    "them: rainbowd --detach --pin-dir %s",
		    dir->path, dir->path);
	*found = listing.ours ? ADOPT_HALF : ADOPT_NOTHING;
	return 0;
}

/* "v2": 2; 0: a directory's name that says no schema. */
static unsigned long schema_of_name(const char *name)
{
	if (name[0] != 'v' || strspn(name + 1, "0123456789") != strlen(name + 1))
		return 0;
	return strtoul(name + 1, NULL, 10);
}

/* Two rainbowd of different schema on the same hooks would tear the sessions of the first apart. */
int adopt_refuse_newer(const struct pin_dir *dir, struct error *err)
{
	char above[PIN_DIR_PATH_SIZE], meta[PIN_DIR_PATH_SIZE + NAME_MAX + sizeof("//" META)];
	const struct dirent *entry;
	char *own;
	DIR *listing;
	int rc = 0;

	strcpy(above, dir->path);
	own = strrchr(above, '/');
	*own++ = '\0';
	listing = schema_of_name(own) ? opendir(above) : NULL;
	while (listing && !rc && (entry = readdir(listing))) {
		snprintf(meta, sizeof(meta), "%s/%s/" META, above, entry->d_name);
		if (schema_of_name(entry->d_name) > RAINBOW_SCHEMA && !access(meta, F_OK))
			rc =
			    error_set(err, ERROR_PRECONDITION, "pin-dir",
				      "a rainbowd of a newer schema has its maps, and sessions, in %s/%s; they are left alone. "
				      "Run that one; or end them first: rainbowd --detach --pin-dir %s/%s",
				      above, entry->d_name, above, entry->d_name);
	}
	if (listing)
		closedir(listing);
	return rc;
}

int adopt_look(const struct pin_dir *dir, enum adopt_found *found, struct error *err)
{
	uint32_t schema = 0;
	int rc;

	if (!pin_dir_has(dir, META))
		return look_without_meta(dir, found, err);
	rc = schema_access(dir, &schema, false);
	if (rc)
		return error_set(err, ERROR_PRECONDITION, "pin-dir",
				 "%s/" META " can not be read as rainbow's (%s); it is left alone. Use another --pin-dir",
				 dir->path, strerror(-rc));
	if (schema && schema != RAINBOW_SCHEMA)
		return error_set(
		    err, ERROR_PRECONDITION, "pin-dir",
		    "the maps in %s are of schema %u, this rainbowd knows %u; they are left alone. Run the rainbowd that made "
		    "them, or another --pin-dir",
		    dir->path, schema, RAINBOW_SCHEMA);
	*found = schema ? ADOPT_WHOLE : ADOPT_HALF;
	return 0;
}

/* Is its number of entries configured? */
static bool is_sized(const char *name)
{
	return takeover_replaces(name) || !strcmp(name, "rainbow_nursery");
}

int adopt_meta_read(const struct pin_dir *dir, void *meta, size_t size)
{
	int fd = adopt_map_open(dir, META), rc = 0;
	struct bpf_map_info info;
	uint32_t index = 0;

	if (fd < 0)
		return fd;
	rc = map_info(fd, &info);
	if (!rc && info.value_size != size)
		rc = -EMEDIUMTYPE;
	if (!rc && bpf_map_lookup_elem(fd, &index, meta))
		rc = -errno;
	close(fd);
	return rc;
}

static int nursery_refused(const struct pin_dir *dir, uint32_t have, struct error *err)
{
	return error_set(err, ERROR_PRECONDITION, "nursery",
			 "rainbow_nursery in %s has room for %u and can not be resized while it serves; start with %u (or "
			 "without the option), "
			 "or end it first: rainbowd --detach --pin-dir %s",
			 dir->path, have, have, dir->path);
}

static int shape_check(const struct pin_dir *dir, const struct bpf_map *map, const struct bpf_map_info *have, struct error *err)
{
	const struct {
		const char *what;
		uint32_t have, know;
	} facts[] = {
	    {"type", have->type, bpf_map__type(map)},
	    {"key size", have->key_size, bpf_map__key_size(map)},
	    {"value size", have->value_size, bpf_map__value_size(map)},
	    {"flags", have->map_flags, bpf_map__map_flags(map)},
	    {"size", have->max_entries, is_sized(bpf_map__name(map)) ? have->max_entries : bpf_map__max_entries(map)},
	};
	size_t i;

	for (i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
		if (facts[i].have != facts[i].know)
			return error_set(
			    err, ERROR_PRECONDITION, "pin-dir",
			    "%s in %s has %s %u where this rainbowd knows %u; it is left alone. Run the rainbowd that made it, "
			    "or another --pin-dir",
			    bpf_map__name(map), dir->path, facts[i].what, facts[i].have, facts[i].know);
	return 0;
}

/* Under which name: that of the new table, where one is being carried over into. */
static const char *pinned_name(const struct pin_dir *dir, const char *name, const struct adopt_sizes *sizes,
			       char buf[TAKEOVER_NAME_SIZE])
{
	if (sizes->resumes && takeover_replaces(name) && pin_dir_has(dir, takeover_next_name(name, buf)))
		return buf;
	return name;
}

static int map_open_named(const struct pin_dir *dir, const char *name, const struct adopt_sizes *sizes)
{
	char path[PIN_PATH_SIZE], next[TAKEOVER_NAME_SIZE];
	int fd = bpf_obj_get(pin_dir_path(dir, pinned_name(dir, name, sizes, next), path));

	if (fd < 0)
		return -errno;
	if (!is_map_named(fd, name)) {
		close(fd);
		return -EMEDIUMTYPE;
	}
	return fd;
}

static int map_adopt(const struct pin_dir *dir, struct bpf_map *map, const struct adopt_sizes *sizes, struct error *err)
{
	const char *name = bpf_map__name(map);
	struct bpf_map_info info;
	int fd = map_open_named(dir, name, sizes);
	int rc;

	if (fd < 0)
		return error_set(
		    err, ERROR_PRECONDITION, "pin-dir",
		    "%s in %s can not be opened (%s), yet the others are there; they are left alone. To end them: rainbowd "
		    "--detach --pin-dir %s",
		    name, dir->path, strerror(-fd), dir->path);
	rc = map_info(fd, &info);
	if (rc)
		rc = error_set(err, ERROR_INTERNAL, "pin-dir", "%s in %s: %s", name, dir->path, strerror(-rc));
	if (!rc)
		rc = shape_check(dir, map, &info, err);
	if (!rc && sizes->nursery && !strcmp(name, "rainbow_nursery") &&
	    rainbow_nursery_buckets(sizes->nursery) != info.max_entries)
		rc = nursery_refused(dir, rainbow_nursery_room(info.max_entries), err);
	/* A table that gets another size is left to be made. */
	if (!rc && !(sizes->resizes && takeover_replaces(name)) && bpf_map__reuse_fd(map, fd))
		rc = error_set(err, ERROR_INTERNAL, "pin-dir", "%s in %s can not be taken over: %s", name, dir->path,
			       strerror(errno));
	close(fd);
	return rc;
}

int adopt_maps(const struct pin_dir *dir, struct bpf_object *object, struct adopt_sizes *sizes, struct error *err)
{
	struct rainbow_meta meta;
	struct bpf_map *map;
	int rc = adopt_meta_read(dir, &meta, sizeof(meta));

	if (rc)
		return error_set(err, ERROR_INTERNAL, "pin-dir", META " in %s can not be read: %s", dir->path, strerror(-rc));
	sizes->resumes = meta.hold != RAINBOW_HOLD_NONE;
	sizes->resizes = !sizes->resumes && sizes->pins && sizes->pins != meta.pin_limit;
	bpf_object__for_each_map(map, object)
	{
		if (bpf_map__is_internal(map))
			continue;
		rc = map_adopt(dir, map, sizes, err);
		if (rc)
			break;
	}
	return rc;
}

int adopt_pin(const struct pin_dir *dir, struct bpf_object *object, struct error *err)
{
	char path[PIN_PATH_SIZE];
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		if (bpf_map__is_internal(map))
			continue;
		if (bpf_obj_pin(bpf_map__fd(map), pin_dir_path(dir, bpf_map__name(map), path)))
			return error_set(err, ERROR_INTERNAL, "pin-dir", "%s can not be pinned: %s", path, strerror(errno));
	}
	return 0;
}

static void map_unpin(const char *name, void *arg)
{
	if (!strncmp(name, MAP_PREFIX, strlen(MAP_PREFIX)) && strcmp(name, META))
		pin_dir_unlink(arg, name);
}

int adopt_clear(const struct pin_dir *dir, struct error *err)
{
	uint32_t half = 0;
	int rc;

	schema_access(dir, &half, true); /* not there: half made, or somebody removed it */
	rc = pin_dir_each(dir, map_unpin, (void *)dir, err);
	if (!rc && pin_dir_unlink(dir, META))
		rc =
		    error_set(err, ERROR_INTERNAL, "pin-dir", "%s/" META " can not be removed: %s", dir->path, strerror(errno));
	return rc;
}
