// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See change.h. */
#include <string.h>
#include "apply.h"
#include "change.h"
#include "closer.h"
#include "commands.h"
#include "common/log.h"
#include "common/text.h"
#include "events.h"
#include "give.h"
#include "pilot.h"
#include "signals.h"
#include "store.h"
#include "wheel.h"

static void read_counts(struct change *change)
{
	struct datapath *dp = change->daemon->datapath;
	size_t i, j;

	for (i = 0; i < change->before->version_count; i++) {
		const struct version *version = &change->before->versions[i];
		const struct rainbow_version *entry = datapath_version(dp, version->id);

		change->counts.live[version->id] = __atomic_load_n(&entry->live, __ATOMIC_RELAXED);
		change->counts.opened[version->id] = __atomic_load_n(&entry->opened, __ATOMIC_RELAXED);
		for (j = 0; j < version->backend_count; j++) {
			uint32_t id = version->backends[j].id;

			change->counts.backend_live[id] = __atomic_load_n(&datapath_backend(dp, id)->live, __ATOMIC_RELAXED);
		}
	}
}

static int check_generation(const struct change *change, struct error *err)
{
	const struct service *service = change->before;

	if (!change->note || change->note->if_generation < 0 || change->note->if_generation == service->generation)
		return 0;
	return error_set(
	    err, ERROR_CONFLICT, "if_generation",
	    "service %s is at generation %u, not at %lld as this command expects; see what has changed: rainbowctl "
	    "history %s",
	    service->name, service->generation, (long long)change->note->if_generation, service->name);
}

int change_begin(struct change *change, struct daemon *daemon, const char *name, struct error *err)
{
	int rc;

	memset(change, 0, sizeof(*change));
	change->daemon = daemon;
	change->owned = true;
	change->note = daemon->asking;
	if (!name) {
		change->after = service_new();
		return 0;
	}
	rc = model_get_service(&daemon->model, name, &change->before, err);
	rc = rc ? rc : check_generation(change, err);
	if (rc)
		return rc;
	change->after = service_clone(change->before);
	read_counts(change);
	return 0;
}

void change_remove(struct change *change)
{
	service_free(change->after);
	change->after = NULL;
}

static void turn_wheel(struct service *service)
{
	struct wheel_share shares[RAINBOW_MAX_VERSIONS_PER_SERVICE];
	uint16_t before[RAINBOW_WHEEL_SLOTS];
	size_t i, count = 0;

	for (i = 0; i < service->version_count; i++)
		if (service->versions[i].weight)
			shares[count++] =
			    (struct wheel_share){(uint16_t)service->versions[i].id, (uint16_t)service->versions[i].weight};
	memcpy(before, service->wheel, sizeof(before));
	if (service->selection == RAINBOW_SELECTION_EXACT)
		wheel_fill_exact(shares, count, service->wheel);
	else
		wheel_fill_hash(shares, count, before, service->wheel);
	if (memcmp(before, service->wheel, sizeof(before)) != 0)
		service->generation++;
}

typedef void (*id_act)(struct ids *ids, enum id_kind kind, uint32_t id, int64_t now_ms);

/* Calls act for the ids that are in `a` and not in `b` (NULL: none is). */
static void each_gone(struct ids *ids, const struct service *a, const struct service *b, id_act act, int64_t now_ms)
{
	size_t i, j;

	if (!a)
		return;
	if (!b && a->id)
		act(ids, ID_SERVICE, a->id, now_ms);
	for (i = 0; i < a->version_count; i++) {
		const struct version *was = &a->versions[i];
		const struct version *now = b ? service_find_version_id(b, was->id) : NULL;

		if (!now && was->id)
			act(ids, ID_VERSION, was->id, now_ms);
		for (j = 0; j < was->backend_count; j++)
			if (was->backends[j].id && !(now && version_find_backend_id(now, was->backends[j].id)))
				act(ids, ID_BACKEND, was->backends[j].id, now_ms);
	}
}

/* One that was taken up is retired still. */
static void give_back(struct ids *ids, enum id_kind kind, uint32_t id, int64_t now_ms)
{
	(void)now_ms;
	if (!ids_is_retired(ids, kind, id))
		ids_free(ids, kind, id);
}

static void hold(struct ids *ids, enum id_kind kind, uint32_t id, int64_t now_ms)
{
	(void)now_ms;
	ids_hold(ids, kind, id);
}

/* The time of the last step, the commit itself, can not be in what it commits. */
static int note_took(struct change *change, struct error *err)
{
	struct note *note = change->note;

	if (!note || !note->began_us)
		return 0;
	note->took_us = monotonic_us() - note->began_us;
	return store_note_took(change->daemon->store, note, err);
}

/* The rows are written before the maps: a database that is locked or full refuses while nothing has happened yet. */
static int put_in_force(struct change *change, struct error *err)
{
	struct daemon *daemon = change->daemon;
	struct error undo;
	int rc = apply_service(daemon->datapath, change->before, change->after, err);

	if (rc) {
		store_abandon(daemon->store);
		return rc;
	}
	rc = note_took(change, err);
	if (rc)
		store_abandon(daemon->store);
	rc = rc ? rc : store_commit(daemon->store, err);
	if (rc && apply_undo(daemon->datapath, change->before, change->after, &undo))
		log_error("change", "could not put the maps back: %s; SIGHUP tries again", undo.message);
	return rc;
}

static bool service_weights_differ(const struct change *change)
{
	if (!change->after)
		return false;
	return change->before ? weights_differ(change->before, change->after) : change->after->version_count > 0;
}

void change_turn(struct change *change)
{
	if (service_weights_differ(change))
		turn_wheel(change->after);
}

static bool begins_step(const struct change *change)
{
	const struct rollout *was = change->before ? &change->before->rollout : NULL;
	const struct rollout *is = change->after ? &change->after->rollout : NULL;

	return is && rollout_is_active(is) && !(was && was->number == is->number && was->step == is->step);
}

/* What the history will say of it. */
static void fill_note(struct change *change)
{
	const struct service *service = change->after ? change->after : change->before;
	struct note *note = change->note;

	if (!note)
		return;
	note->generation = change->after ? change->after->generation : 0;
	text_copy(note->service, sizeof(note->service), service->name);
	note_difference(note, change->before, change->after);
}

/* All that can refuse before a map is touched. */
static int prepare(struct change *change, bool dry_run, struct error *err)
{
	struct daemon *daemon = change->daemon;
	int rc = 0;

	if (change->after)
		rc = give_ids(daemon->datapath, &daemon->ids, change->after, monotonic_ms(), err);
	change_turn(change);
	if (!rc && begins_step(change))
		change->after->rollout.cohort = signals_next_cohort(daemon->datapath, change->after->id);
	if (!rc)
		fill_note(change);
	if (rc || dry_run)
		return rc;
	return store_stage(daemon->store, change->before, change->after, change->note, err);
}

/* From now on no handshake begins in them. */
static void note_drains(const struct service *before, struct service *after, int64_t now_ms)
{
	size_t i;

	for (i = 0; after && i < after->version_count; i++) {
		struct version *version = &after->versions[i];
		const struct version *was = before ? service_find_version_id(before, version->id) : NULL;

		if (version->state == RAINBOW_VERSION_DRAINING && (!was || was->state == RAINBOW_VERSION_ACTIVE))
			version->drain.in_force_ms = now_ms;
	}
}

static void settle(struct change *change)
{
	struct ids *ids = &change->daemon->ids;
	int64_t now_ms = monotonic_ms();
	bool begins = begins_step(change);

	note_drains(change->before, change->after, now_ms);
	each_gone(ids, change->before, change->after, ids_retire, now_ms);
	each_gone(ids, change->after, change->before, hold, now_ms);
	model_replace(&change->daemon->model, change->before, change->after);
	change->before = NULL;
	change->owned = false;
	closer_review(change->daemon->closer);
	events_poke(change->daemon->events);
	if (begins)
		pilot_begin_step(change->daemon->pilot, change->after);
}

int change_commit(struct change *change, bool dry_run, struct error *err)
{
	struct ids *ids = &change->daemon->ids;
	int rc = prepare(change, dry_run, err);

	if (rc || dry_run) {
		each_gone(ids, change->after, change->before, give_back, 0);
		return rc;
	}
	rc = put_in_force(change, err);
	if (rc && change->note)
		change->note->id = 0; /* it went with the transaction */
	if (rc)
		each_gone(ids, change->after, change->before, ids_retire, monotonic_ms());
	else
		settle(change);
	return rc;
}

void change_end(struct change *change)
{
	if (change->owned)
		service_free(change->after);
	change->after = NULL;
}
