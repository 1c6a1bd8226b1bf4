// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See change.h. */
#include <string.h>
#include "apply.h"
#include "change.h"
#include "commands.h"
#include "common/log.h"
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

int change_begin(struct change *change, struct daemon *daemon, const char *name, struct error *err)
{
	int rc;

	memset(change, 0, sizeof(*change));
	change->daemon = daemon;
	change->owned = true;
	if (!name) {
		change->after = service_new();
		return 0;
	}
	rc = model_get_service(&daemon->model, name, &change->before, err);
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

static int give_id(struct ids *ids, enum id_kind kind, uint32_t *id, struct error *err)
{
	if (*id)
		return 0;
	*id = ids_take(ids, kind);
	if (*id)
		return 0;
	return error_set(err, ERROR_PRECONDITION, NULL,
			 "all ids are in use, or wait for the last packets of something removed; try again in two minutes");
}

static int give_ids(struct ids *ids, struct service *service, struct error *err)
{
	int rc = give_id(ids, ID_SERVICE, &service->id, err);
	size_t i, j;

	for (i = 0; !rc && i < service->version_count; i++) {
		struct version *version = &service->versions[i];

		rc = give_id(ids, ID_VERSION, &version->id, err);
		for (j = 0; !rc && j < version->backend_count; j++)
			rc = give_id(ids, ID_BACKEND, &version->backends[j].id, err);
	}
	return rc;
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

static void free_id(struct ids *ids, enum id_kind kind, uint32_t id, int64_t now_ms)
{
	(void)now_ms;
	ids_free(ids, kind, id);
}

static int put_in_force(struct change *change, struct error *err)
{
	struct daemon *daemon = change->daemon;
	struct error undo;
	int rc = apply_service(daemon->datapath, change->before, change->after, err);

	if (rc)
		return rc;
	rc = store_save(daemon->store, change->before, change->after, err);
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

int change_commit(struct change *change, bool dry_run, struct error *err)
{
	struct ids *ids = &change->daemon->ids;
	int rc = change->after ? give_ids(ids, change->after, err) : 0;

	if (!rc && service_weights_differ(change))
		turn_wheel(change->after);
	if (rc || dry_run) {
		each_gone(ids, change->after, change->before, free_id, 0);
		return rc;
	}
	rc = put_in_force(change, err);
	if (rc) {
		each_gone(ids, change->after, change->before, ids_retire, monotonic_ms());
		return rc;
	}
	each_gone(ids, change->before, change->after, ids_retire, monotonic_ms());
	model_replace(&change->daemon->model, change->before, change->after);
	change->before = NULL;
	change->owned = false;
	return 0;
}

void change_end(struct change *change)
{
	if (change->owned)
		service_free(change->after);
	change->after = NULL;
}
