// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See takeover.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "bpf/rainbow.skel.h"
#include "common/duration.h"
#include "common/log.h"
#include "rainbowd/adopt.h"
#include "rainbowd/datapath_private.h"
#include "rainbowd/migrate.h"
#include "rainbowd/pin_walk.h"
#include "rainbowd/takeover.h"

/* The maps that hold pins, whose size is --max-sessions. */
static const char *const replaced[] = {"rainbow_table", "rainbow_pin"};
#define REPLACED (sizeof(replaced) / sizeof(replaced[0]))

bool takeover_replaces(const char *map)
{
	size_t i;

	for (i = 0; i < REPLACED; i++)
		if (!strcmp(map, replaced[i]))
			return true;
	return false;
}

const char *takeover_next_name(const char *map, char buf[TAKEOVER_NAME_SIZE])
{
	snprintf(buf, TAKEOVER_NAME_SIZE, "rainbow_next_%s", map + strlen("rainbow_"));
	return buf;
}

static enum rainbow_hold hold_of(struct datapath *dp)
{
	return __atomic_load_n(&datapath_meta(dp)->hold, __ATOMIC_ACQUIRE);
}

static void hold_set(struct datapath *dp, enum rainbow_hold hold)
{
	__atomic_store_n(&datapath_meta(dp)->hold, hold, __ATOMIC_SEQ_CST);
}

/* --- looking ------------------------------------------------------------------------------------------------------------ */

static void next_unpin(const struct datapath *dp)
{
	char name[TAKEOVER_NAME_SIZE];
	size_t i;

	for (i = 0; i < REPLACED; i++)
		pin_dir_unlink(&dp->dir, takeover_next_name(replaced[i], name));
}

int takeover_look(const struct datapath *dp, struct error *err)
{
	struct rainbow_meta meta;
	int rc = adopt_meta_read(&dp->dir, &meta, sizeof(meta));

	if (rc)
		return error_set(err, ERROR_INTERNAL, "pin-dir", "rainbow_meta in %s can not be read: %s", dp->dir.path,
				 strerror(-rc));
	if (meta.hold == RAINBOW_HOLD_NONE)
		next_unpin(dp);
	return 0;
}

static int next_pin(struct datapath *dp, struct error *err)
{
	char name[TAKEOVER_NAME_SIZE], path[PIN_PATH_SIZE];
	size_t i;

	for (i = 0; i < REPLACED; i++) {
		const struct bpf_map *map = bpf_object__find_map_by_name(dp->skeleton->obj, replaced[i]);

		if (bpf_obj_pin(bpf_map__fd(map), pin_dir_path(&dp->dir, takeover_next_name(replaced[i], name), path)))
			return error_set(err, ERROR_INTERNAL, "pin-dir", "%s can not be pinned: %s", path, strerror(errno));
	}
	return 0;
}

/* Before the hold, which would make sessions wait for nothing. Sessions go on opening until then: hold_resize looks again. */
static int resize_begin(struct datapath *dp, uint32_t pins, struct error *err)
{
	struct rainbow_meta *meta = datapath_meta(dp);

	if (meta->pins > pins)
		return takeover_refuse_small(pins, meta->pins, err);
	dp->takeover = TAKEOVER_RESIZE;
	meta->next_limit = pins;
	return next_pin(dp, err);
}

int takeover_begin(struct datapath *dp, uint32_t pins, struct error *err)
{
	if (dp->migrates) {
		dp->takeover = TAKEOVER_MIGRATE;
		datapath_meta(dp)->next_limit = datapath_meta(dp)->pin_limit;
		return 0;
	}
	if (dp->resizes)
		return resize_begin(dp, pins, err);
	if (dp->resumes)
		dp->takeover = TAKEOVER_RESIZE;
	return 0;
}

/* --- holding ------------------------------------------------------------------------------------------------------------ */

int takeover_refuse_small(uint32_t wanted, uint64_t pins, struct error *err)
{
	return error_set(err, ERROR_PRECONDITION, "max-sessions",
			 "--max-sessions %u is too few: %" PRIu64 " sessions are there (those that ended a moment ago "
			 "included); ask for more, or wait until enough have ended",
			 wanted, pins);
}

static void resize_undo(struct datapath *dp)
{
	hold_set(dp, RAINBOW_HOLD_NONE);
	next_unpin(dp);
	dp->takeover = TAKEOVER_NONE;
}

/*
 * Once nothing opens any more, what there is must fit. Also where a killed rainbowd began the hold: it may not have come to look.
 * Pins do not rise under the hold, so where there are too many it has not, and no hook is switched yet.
 */
static int hold_resize(struct datapath *dp, struct error *err)
{
	struct rainbow_meta *meta = datapath_meta(dp);
	bool too_many;
	int rc;

	if (hold_of(dp) > RAINBOW_HOLD_SWITCHING)
		return 0;
	hold_set(dp, RAINBOW_HOLD_SWITCHING);
	rc = datapath_barrier(dp, err);
	too_many = !rc && meta->pins > meta->next_limit;
	if (too_many && !dp->resumes)
		rc = takeover_refuse_small(meta->next_limit, meta->pins, err);
	else if (too_many)
		rc = error_set(err, ERROR_PRECONDITION, "max-sessions",
			       "an earlier rainbowd was killed while it tried --max-sessions %u, too few for the %" PRIu64
			       " sessions that are there; that is undone and none is lost: start rainbowd again",
			       meta->next_limit, (uint64_t)meta->pins);
	if (too_many || (rc && !dp->resumes))
		resize_undo(dp);
	return rc;
}

int datapath_hold(struct datapath *dp, struct error *err)
{
	dp->held_ms = monotonic_ms();
	if (dp->resumes)
		log_warn("datapath",
			 "an earlier rainbowd was killed while it carried sessions over into a table for %u; this "
			 "one goes on with it",
			 datapath_meta(dp)->next_limit);
	if (dp->takeover == TAKEOVER_RESIZE)
		return hold_resize(dp, err);
	return dp->takeover == TAKEOVER_MIGRATE ? migrate_links(dp, err) : 0;
}

void datapath_hold_undo(struct datapath *dp)
{
	struct error err;

	if (dp->switched) { /* there is no way back to the old table */
		if (datapath_take_over(dp, &err))
			log_error("datapath", "%s", err.message);
		return;
	}
	/* A killed rainbowd may have switched some. */
	if (dp->takeover == TAKEOVER_RESIZE && !dp->resumes && hold_of(dp) == RAINBOW_HOLD_SWITCHING)
		resize_undo(dp);
}

/* --- copying ------------------------------------------------------------------------------------------------------------ */

static bool batch_flush(struct takeover_batch *batch)
{
	struct rainbow_restore sum;

	batch->rc = datapath_restore(batch->dp, batch->due, batch->count, false, &sum, batch->err);
	batch->put += sum.restored;
	batch->there += sum.there;
	batch->full += sum.full + sum.dropped;
	batch->count = 0;
	return !batch->rc;
}

bool takeover_put(struct takeover_batch *batch, const struct rainbow_due *due)
{
	enum rainbow_pin_state state = due->pin.state;

	/* In between two states or dead: nobody misses them. */
	if (state == RAINBOW_PIN_FREE || state == RAINBOW_PIN_SETUP || state == RAINBOW_PIN_DEAD || state == RAINBOW_PIN_FREED)
		return true;
	if ((due->pin.kind == RAINBOW_PIN_CLIENT) != batch->clients)
		return true;
	batch->due[batch->count++] = *due;
	return batch->count < RAINBOW_DUE || batch_flush(batch);
}

static bool copy_pin(const struct rainbow_flow *flow, const struct rainbow_pin *pin, void *arg)
{
	const struct rainbow_due due = {.flow = *flow, .pin = *pin};

	return takeover_put(arg, &due);
}

/* By the names that the old table still has. It is walked, never searched: rainbow_meta speaks of the new one. 0, or -errno. */
static int copy_table(struct datapath *dp, struct takeover_batch *batch)
{
	const struct rainbow_meta *meta = datapath_meta(dp);
	int table = adopt_map_open(&dp->dir, "rainbow_table"), overflow = adopt_map_open(&dp->dir, "rainbow_pin");
	struct bpf_map_info info = {0};
	uint32_t length = sizeof(info);
	struct pin_table old = {0};
	int rc = table < 0 ? table : overflow < 0 ? overflow : 0;

	if (!rc)
		rc = bpf_obj_get_info_by_fd(table, &info, &length) ? -errno : 0;
	if (!rc)
		rc = pin_table_open(&old, table, info.max_entries, meta->table_secret, overflow);
	if (!rc)
		rc = pin_table_each(&old, copy_pin, batch);
	pin_table_close(&old);
	if (table >= 0)
		close(table);
	if (overflow >= 0)
		close(overflow);
	return rc;
}

static int copy_old(struct datapath *dp, struct takeover_batch *batch, bool clients)
{
	batch->clients = clients;
	return dp->takeover == TAKEOVER_MIGRATE ? migrate_pins(dp, batch) : copy_table(dp, batch);
}

static int copy_pins(struct datapath *dp, struct error *err)
{
	struct takeover_batch batch = {.dp = dp, .err = err, .due = calloc(RAINBOW_DUE, sizeof(*batch.due))};
	int rc;

	if (!batch.due)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	rc = copy_old(dp, &batch, true);
	if (!rc && !batch.rc)
		rc = copy_old(dp, &batch, false);
	if (!rc && !batch.rc && batch.count)
		batch_flush(&batch);
	free(batch.due);
	if (batch.rc)
		return batch.rc;
	if (rc)
		return error_set(err, ERROR_INTERNAL, "pin-dir", "the old table of sessions can not be read: %s",
				 strerror(-rc));
	if (batch.full)
		log_error("datapath", "%" PRIu64 " sessions found no room in the new table and are lost", batch.full);
	log_info("datapath",
		 "%" PRIu64 " pins carried over%s into a table for %u; packets were held for %" PRId64 " ms at most",
		 batch.put + batch.there, dp->takeover == TAKEOVER_MIGRATE ? " from schema 1" : "",
		 datapath_meta(dp)->next_limit, monotonic_ms() - dp->held_ms);
	return 0;
}

/*
 * Nothing is in the new table: the kernel counts what comes. From here on no program looks for anything in the old one. No limit
 * while pins are put in: in a migration sessions opened until the hooks were switched, and the table has more places than its limit.
 */
static int copy_begin(struct datapath *dp, struct error *err)
{
	struct rainbow_meta *meta = datapath_meta(dp);
	int rc = 0;

	if (dp->takeover == TAKEOVER_MIGRATE)
		rc = migrate_counters(dp, err);
	if (!rc && dp->takeover == TAKEOVER_MIGRATE)
		rc = migrate_handshakes(dp, err);
	if (rc)
		return rc;
	__atomic_store_n(&meta->pins, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&meta->overflowed, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&meta->pin_limit, UINT32_MAX, __ATOMIC_RELEASE);
	__atomic_store_n(&meta->buckets, dp->pins.count, __ATOMIC_RELEASE);
	hold_set(dp, RAINBOW_HOLD_COPYING);
	return 0;
}

/* A rename takes the place of what had the name, in one step. */
static int swap_names(struct datapath *dp, struct error *err)
{
	char name[TAKEOVER_NAME_SIZE], from[PIN_PATH_SIZE], to[PIN_PATH_SIZE];
	size_t i;

	for (i = 0; i < REPLACED; i++) {
		pin_dir_path(&dp->dir, takeover_next_name(replaced[i], name), from);
		if (rename(from, pin_dir_path(&dp->dir, replaced[i], to)) && errno != ENOENT)
			return error_set(err, ERROR_INTERNAL, "pin-dir", "%s can not be renamed: %s", from, strerror(errno));
	}
	return 0;
}

static int carry_over(struct datapath *dp, struct error *err)
{
	int rc = datapath_barrier(dp, err);

	if (!rc && hold_of(dp) == RAINBOW_HOLD_SWITCHING)
		rc = copy_begin(dp, err);
	if (!rc && hold_of(dp) == RAINBOW_HOLD_COPYING) {
		rc = copy_pins(dp, err);
		if (!rc)
			hold_set(dp, RAINBOW_HOLD_SWAPPING);
	}
	if (!rc)
		rc = dp->takeover == TAKEOVER_MIGRATE ? migrate_end(dp, err) : swap_names(dp, err);
	if (rc)
		return rc;
	__atomic_store_n(&datapath_meta(dp)->pin_limit, datapath_meta(dp)->next_limit, __ATOMIC_RELEASE);
	hold_set(dp, RAINBOW_HOLD_NONE);
	dp->takeover = TAKEOVER_NONE;
	return 0;
}

/* Before all others on this host: sessions wait for it. */
int datapath_take_over(struct datapath *dp, struct error *err)
{
	int rc, usual = getpriority(PRIO_PROCESS, 0);

	if (dp->takeover == TAKEOVER_NONE)
		return 0;
	setpriority(PRIO_PROCESS, 0, -20);
	rc = carry_over(dp, err);
	setpriority(PRIO_PROCESS, 0, usual);
	return rc;
}
