// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See apply.h. The steps are numbered as in apply_steps. */
#include <inttypes.h>
#include <rainbow/lookup.h>
#include "apply.h"
#include "common/log.h"
#include "drain.h"
#include "entries.h"
#include "signals.h"

static const struct version *version_before(const struct service *before, uint32_t id)
{
	return before ? service_find_version_id(before, id) : NULL;
}

static bool backend_is_same(const struct backend *a, const struct backend *b)
{
	return a && a->leaving == b->leaving && a->max_sessions == b->max_sessions;
}

/* 1. Backends that are new or changed, each before anything names it. */
static int open_backends(struct datapath *dp, const struct service *service, const struct version *was,
			 const struct version *version, bool *changed, struct error *err)
{
	size_t i;
	int rc;

	for (i = 0; i < version->backend_count; i++) {
		const struct backend *backend = &version->backends[i];
		const struct backend *old = was ? version_find_backend_id(was, backend->id) : NULL;

		if (backend_is_same(old, backend))
			continue;
		*changed = true;
		entry_write_backend(dp, service, version, backend);
		if (old)
			continue;
		rc = datapath_lookup_add(dp, &backend->at.addr, backend->at.port, service->protocol, RAINBOW_LOOKUP_BACKEND,
					 backend->id, err);
		if (rc)
			return rc;
	}
	return 0;
}

/* A version that can not be measured is served all the same. */
static void measure_version(struct datapath *dp, const struct version *version)
{
	struct error err;

	if (signals_add(dp, version->id, &err))
		log_warn("apply", "version %s is not measured: %s", version->label, err.message);
}

/* 2. Versions; those that take new sessions are open before a wheel or steer names them. */
static int open_versions(struct datapath *dp, const struct service *before, const struct service *after, struct error *err)
{
	size_t i;
	int rc;

	for (i = 0; i < after->version_count; i++) {
		const struct version *version = &after->versions[i];
		const struct version *was = version_before(before, version->id);
		bool changed = !was || was->backend_count != version->backend_count;

		rc = open_backends(dp, after, was, version, &changed, err);
		if (rc)
			return rc;
		if (!was)
			measure_version(dp, version);
		entry_write_version(dp, after, version);
		if (changed)
			entry_write_members(dp, version->id, version);
		if (version->state != RAINBOW_VERSION_ACTIVE)
			continue;
		if (!was || was->state != RAINBOW_VERSION_ACTIVE)
			entry_set_close_after(dp, version->id, 0);
		entry_set_state(dp, version->id, RAINBOW_VERSION_ACTIVE);
	}
	return 0;
}

static bool steer_is_same(const struct service *before, const struct steer *steer)
{
	const struct steer *was = before ? service_find_steer(before, &steer->range) : NULL;

	return was && was->version == steer->version;
}

/* 3. Steers that are new or lead elsewhere. */
static int open_steers(struct datapath *dp, const struct service *before, const struct service *after, struct error *err)
{
	size_t i;
	int rc;

	for (i = 0; i < after->steer_count; i++) {
		const struct steer *steer = &after->steers[i];

		if (steer_is_same(before, steer))
			continue;
		rc = datapath_steer_set(dp, after->id, &steer->range, steer->version, err);
		if (rc)
			return rc;
	}
	return 0;
}

/* 4. The service itself, its wheel in one store, and last the entry by which packets find it. */
static int open_service(struct datapath *dp, const struct service *before, const struct service *after, struct error *err)
{
	entry_write_service(dp, after);
	entry_turn_wheel(dp, after);
	if (before)
		return 0;
	entry_use_service(dp, after->id);
	return datapath_lookup_add(dp, &after->at.addr, after->at.port, after->protocol, RAINBOW_LOOKUP_SERVICE, after->id,
				   err);
}

static void close_steers(struct datapath *dp, const struct service *before, const struct service *after)
{
	size_t i;

	for (i = 0; i < before->steer_count; i++)
		if (!after || !service_find_steer(after, &before->steers[i].range))
			datapath_steer_remove(dp, before->id, &before->steers[i].range);
}

/* Backends that are in `was` and no more in `now` (NULL: none is). They stay findable until no pin holds them. */
static void close_backends(struct datapath *dp, const struct version *was, const struct version *now)
{
	size_t i;

	for (i = 0; i < was->backend_count; i++)
		if (!now || !version_find_backend_id(now, was->backends[i].id))
			entry_leave_backend(dp, was->backends[i].id);
}

static void remove_version(struct datapath *dp, const struct version *version)
{
	datapath_version(dp, version->id)->weight_permille = 0;
	entry_set_state(dp, version->id, RAINBOW_VERSION_DRAINED);
	entry_write_members(dp, version->id, NULL);
	close_backends(dp, version, NULL);
}

static uint64_t jiffies_of(const struct rainbow_clock *clock, uint32_t hz, struct instant at, struct instant now)
{
	int64_t ahead = (at.unix_ms - now.unix_ms) * (int64_t)hz / 1000;

	if (!at.unix_ms)
		return 0;
	return ahead > 0 ? clock->jiffies + (uint64_t)ahead : clock->jiffies;
}

/* The deadline as the kernel keeps it, also if we die. */
static int set_deadline(struct datapath *dp, const struct service *service, const struct version *version, struct error *err)
{
	uint64_t live = __atomic_load_n(&datapath_version(dp, version->id)->live, __ATOMIC_ACQUIRE);
	struct instant now = instant_now(), at = drain_close_after(&version->drain, service->settings.drain.pace, live, now);
	struct rainbow_clock clock;
	int rc = datapath_clock(dp, &clock, err);

	if (rc)
		return rc;
	entry_set_close_after(dp, version->id, jiffies_of(&clock, datapath_meta(dp)->hz, at, now));
	return 0;
}

static bool drain_is_same(const struct version *was, const struct version *version)
{
	return was && was->state == version->state && was->drain.deadline.unix_ms == version->drain.deadline.unix_ms &&
	       was->drain.on_deadline == version->drain.on_deadline;
}

/* When the kernel closes what is left depends on it. */
static bool pace_is_same(const struct service *before, const struct service *after)
{
	return before && before->settings.drain.pace == after->settings.drain.pace;
}

/* 6. What takes no more new sessions, once no wheel in use names it. */
static int close_versions(struct datapath *dp, const struct service *before, const struct service *after, struct error *err)
{
	size_t i;
	int rc;

	for (i = 0; before && i < before->version_count; i++) {
		const struct version *now = after ? service_find_version_id(after, before->versions[i].id) : NULL;

		if (now)
			close_backends(dp, &before->versions[i], now);
		else
			remove_version(dp, &before->versions[i]);
	}
	for (i = 0; after && i < after->version_count; i++) {
		const struct version *version = &after->versions[i];

		if (version->state == RAINBOW_VERSION_ACTIVE ||
		    (pace_is_same(before, after) && drain_is_same(version_before(before, version->id), version)))
			continue;
		entry_set_state(dp, version->id, version->state);
		rc = set_deadline(dp, after, version, err);
		if (rc)
			return rc;
	}
	return 0;
}

/* 7. Nobody may have slipped into what is closed for good. */
static int check_empty(struct datapath *dp, const struct service *before, const struct service *after, struct error *err)
{
	size_t i;

	for (i = 0; before && i < before->version_count; i++) {
		const struct version *was = &before->versions[i];
		const struct version *now = after ? service_find_version_id(after, was->id) : NULL;
		uint64_t live = __atomic_load_n(&datapath_version(dp, was->id)->live, __ATOMIC_ACQUIRE);

		if (live && (!now || (now->state == RAINBOW_VERSION_DRAINED && was->state != RAINBOW_VERSION_DRAINED)))
			return error_set(err, ERROR_PRECONDITION, "version",
					 "version %s has %" PRIu64 " live session%s; drain it first: rainbowctl drain %s %s",
					 was->label, live, live == 1 ? "" : "s", before->name, was->label);
	}
	return 0;
}

static bool closes_something(const struct service *before, const struct service *after)
{
	size_t i;

	if (!before)
		return true;
	if (!after || before->steer_count || before->version_count != after->version_count || !pace_is_same(before, after))
		return true;
	for (i = 0; i < after->version_count; i++)
		if (before->versions[i].backend_count != after->versions[i].backend_count ||
		    !drain_is_same(&before->versions[i], &after->versions[i]))
			return true;
	return false;
}

static int apply_steps(struct datapath *dp, const struct service *before, const struct service *after, struct error *err)
{
	int rc = 0;

	if (after) {
		rc = open_versions(dp, before, after, err);
		rc = rc ? rc : open_steers(dp, before, after, err);
		rc = rc ? rc : open_service(dp, before, after, err);
		/* 5. From here on nobody follows the old wheel. */
		rc = rc ? rc : datapath_barrier(dp, err);
	}
	if (rc || !closes_something(before, after))
		return rc;
	if (before)
		close_steers(dp, before, after);
	rc = close_versions(dp, before, after, err);
	return rc ? rc : datapath_barrier(dp, err);
}

/* 8. Last, the packets of a removed service are not ours any more: until here a session might have slipped in and live on. */
static int forget_service(struct datapath *dp, const struct service *service, struct error *err)
{
	datapath_lookup_remove(dp, &service->at.addr, service->at.port, service->protocol);
	return datapath_barrier(dp, err);
}

int apply_undo(struct datapath *dp, const struct service *before, const struct service *after, struct error *err)
{
	int rc = apply_steps(dp, after, before, err);

	return rc || before ? rc : forget_service(dp, after, err);
}

int apply_service(struct datapath *dp, const struct service *before, const struct service *after, struct error *err)
{
	struct error undo;
	int rc = apply_steps(dp, before, after, err);

	rc = rc ? rc : check_empty(dp, before, after, err);
	if (!rc && !after)
		rc = forget_service(dp, before, err);
	if (rc && apply_undo(dp, before, after, &undo))
		log_error("apply", "could not restore service %s: %s; SIGHUP tries again", before ? before->name : after->name,
			  undo.message);
	return rc;
}

int apply_deadlines(struct datapath *dp, const struct model *model, struct error *err)
{
	size_t i, j;
	int rc = 0;

	for (i = 0; i < model->count; i++)
		for (j = 0; !rc && j < model->services[i]->version_count; j++)
			if (model->services[i]->versions[j].state != RAINBOW_VERSION_ACTIVE)
				rc = set_deadline(dp, model->services[i], &model->services[i]->versions[j], err);
	return rc;
}

/* --- at start ------------------------------------------------------------------------------------------------------------ */

static void hold_service(struct ids *ids, const struct service *service)
{
	size_t i, j;

	ids_hold(ids, ID_SERVICE, service->id);
	for (i = 0; i < service->version_count; i++) {
		ids_hold(ids, ID_VERSION, service->versions[i].id);
		for (j = 0; j < service->versions[i].backend_count; j++)
			ids_hold(ids, ID_BACKEND, service->versions[i].backends[j].id);
	}
}

/* What the maps know and the model does not: what a command left that was killed before it was committed. */
static void retire_strangers(struct datapath *dp, struct ids *ids, int64_t now_ms)
{
	uint32_t id;

	for (id = 1; id <= RAINBOW_MAX_SERVICES; id++)
		if (datapath_service(dp, id)->in_use && !ids->taken[ID_SERVICE][id])
			ids_retire(ids, ID_SERVICE, id, now_ms);
	for (id = 1; id <= RAINBOW_MAX_VERSIONS; id++)
		if (datapath_version(dp, id)->service && !ids->taken[ID_VERSION][id])
			ids_retire(ids, ID_VERSION, id, now_ms);
	for (id = 1; id <= RAINBOW_MAX_BACKENDS; id++)
		if (datapath_backend(dp, id)->state != RAINBOW_BACKEND_NONE && !ids->taken[ID_BACKEND][id])
			ids_retire(ids, ID_BACKEND, id, now_ms);
}

/* Live sessions there go on; new ones can not come, as no lookup, wheel or steer leads there any more. */
static void close_retired(struct datapath *dp, const struct ids *ids)
{
	uint32_t id;

	for (id = 1; id <= RAINBOW_MAX_VERSIONS; id++) {
		if (!ids_is_retired(ids, ID_VERSION, id))
			continue;
		datapath_version(dp, id)->weight_permille = 0;
		if (datapath_version(dp, id)->state == RAINBOW_VERSION_ACTIVE)
			entry_set_state(dp, id, RAINBOW_VERSION_DRAINING);
		entry_write_members(dp, id, NULL);
	}
	for (id = 1; id <= RAINBOW_MAX_BACKENDS; id++)
		if (ids_is_retired(ids, ID_BACKEND, id))
			entry_leave_backend(dp, id);
}

struct lookup_walk {
	struct datapath *dp;
	const struct ids *ids;
};

/* A service's lookup goes as soon as the service is removed, a backend's only with its id: late packets need it. */
static void remove_stale_lookup(const struct rainbow_lookup *entry, void *arg)
{
	struct lookup_walk *walk = arg;
	enum id_kind kind = rainbow_lookup_kind(entry->word) == RAINBOW_LOOKUP_SERVICE ? ID_SERVICE : ID_BACKEND;
	uint32_t id = rainbow_lookup_id(entry->word);
	bool known = id && id <= ids_limit(kind) && walk->ids->taken[kind][id];

	if (known && !(kind == ID_SERVICE && ids_is_retired(walk->ids, kind, id)))
		return;
	datapath_lookup_remove(walk->dp, &entry->addr, (uint16_t)entry->word, (uint8_t)(entry->word >> 16));
}

static void remove_stale_lookups(struct datapath *dp, const struct ids *ids)
{
	struct lookup_walk walk = {dp, ids};

	datapath_lookup_each(dp, remove_stale_lookup, &walk);
}

struct steer_walk {
	struct datapath *dp;
	const struct model *model;
};

static void remove_stale_steer(uint32_t service, const struct cidr *range, void *arg)
{
	struct steer_walk *walk = arg;
	size_t i;

	for (i = 0; i < walk->model->count; i++)
		if (walk->model->services[i]->id == service && service_find_steer(walk->model->services[i], range))
			return;
	datapath_steer_remove(walk->dp, service, range);
}

int apply_reconcile(struct datapath *dp, const struct model *model, struct ids *ids, int64_t now_ms, struct error *err)
{
	struct steer_walk steers = {dp, model};
	size_t i;
	int rc;

	for (i = 0; i < model->count; i++)
		hold_service(ids, model->services[i]);
	retire_strangers(dp, ids, now_ms);
	remove_stale_lookups(dp, ids);
	rc = datapath_steer_each(dp, remove_stale_steer, &steers, err);
	for (i = 0; !rc && i < model->count; i++)
		rc = apply_steps(dp, NULL, model->services[i], err);
	rc = rc ? rc : datapath_barrier(dp, err);
	if (rc)
		return rc;
	close_retired(dp, ids);
	return datapath_barrier(dp, err);
}

static void clear_entry(struct datapath *dp, enum id_kind kind, uint32_t id)
{
	if (kind == ID_SERVICE) {
		entry_clear_service(dp, id);
	} else if (kind == ID_VERSION) {
		entry_clear_version(dp, id);
		signals_remove(dp, id);
	} else {
		entry_clear_backend(dp, id);
	}
}

/* A version that has a live session is never ripe, whatever the walk met. */
static unsigned int mark_ripe(struct datapath *dp, struct ids *ids, const struct ids_seen *seen, int64_t walk_ms,
			      int64_t nursery_ms, struct ids_seen *ripe)
{
	unsigned int count = 0;
	uint32_t kind, id;

	for (kind = 0; kind < ID_KINDS; kind++) {
		for (id = 1; id <= ids_limit(kind); id++) {
			bool live = kind == ID_VERSION && datapath_version(dp, id)->live;

			ripe->id[kind][id] = !live && ids_is_ripe(ids, kind, id, seen, walk_ms, nursery_ms);
			count += ripe->id[kind][id];
		}
	}
	return count;
}

/* The lookups go before the entries they lead to. */
unsigned int apply_release(struct datapath *dp, struct ids *ids, const struct ids_seen *seen, int64_t walk_ms,
			   int64_t nursery_ms)
{
	struct ids_seen ripe = {0};
	unsigned int count = mark_ripe(dp, ids, seen, walk_ms, nursery_ms, &ripe);
	struct error err;
	uint32_t kind, id;

	if (!count)
		return 0;
	for (kind = 0; kind < ID_KINDS; kind++)
		for (id = 1; id <= ids_limit(kind); id++)
			if (ripe.id[kind][id])
				ids_free(ids, kind, id);
	remove_stale_lookups(dp, ids);
	if (datapath_barrier(dp, &err))
		log_warn("apply", "%s", err.message);
	for (kind = 0; kind < ID_KINDS; kind++)
		for (id = 1; id <= ids_limit(kind); id++)
			if (ripe.id[kind][id])
				clear_entry(dp, kind, id);
	return count;
}
