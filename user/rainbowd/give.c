// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See give.h. */
#include <inttypes.h>
#include "give.h"

#define RELEASE_MS 15000 /* at most, from when an id may be released to when it is: the keeper's walks are so far apart */

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

/* 0: none of the retired ones is at this address. */
static uint32_t retired_backend(struct datapath *dp, const struct ids *ids, const struct endpoint *at, uint8_t protocol)
{
	uint32_t id;

	for (id = 1; id <= RAINBOW_MAX_BACKENDS; id++) {
		const struct rainbow_backend *entry = datapath_backend(dp, id);

		if (ids_is_retired(ids, ID_BACKEND, id) && entry->state != RAINBOW_BACKEND_NONE && entry->port == at->port &&
		    entry->protocol == protocol && addr_equal(&entry->address, &at->addr))
			return id;
	}
	return 0;
}

static uint32_t retired_service(struct datapath *dp, const struct ids *ids, const struct service *service)
{
	uint32_t id;

	for (id = 1; id <= RAINBOW_MAX_SERVICES; id++) {
		const struct rainbow_service *entry = datapath_service(dp, id);

		if (ids_is_retired(ids, ID_SERVICE, id) && entry->in_use && entry->port == service->at.port &&
		    entry->protocol == service->protocol && addr_equal(&entry->address, &service->at.addr))
			return id;
	}
	return 0;
}

static int refuse(struct datapath *dp, const struct ids *ids, uint32_t id, const struct endpoint *at, int64_t now_ms,
		  struct error *err)
{
	const struct rainbow_backend *entry = datapath_backend(dp, id);
	int64_t wait_ms = (int64_t)datapath_meta(dp)->nursery_seconds * 1000 + RELEASE_MS;
	const char *owner = datapath_service(dp, entry->service)->name;
	char text[ADDR_TEXT_SIZE];

	endpoint_format(&at->addr, at->port, text);
	if (entry->live)
		return error_set(err, ERROR_PRECONDITION, "backend",
				 "%s still has %" PRIu64
				 " live session%s of service %s; it is free about a minute after the last",
				 text, (uint64_t)entry->live, entry->live == 1 ? "" : "s", owner);
	wait_ms -= now_ms - ids->retired_ms[ID_BACKEND][id];
	return error_set(
	    err, ERROR_PRECONDITION, "backend",
	    "%s was a backend of service %s until a moment ago, and late packets of that may still come; try again "
	    "in %" PRId64 " seconds",
	    text, owner, wait_ms > 10000 ? wait_ms / 1000 : 10);
}

static int give_service(struct datapath *dp, struct ids *ids, struct service *service, int64_t now_ms, struct error *err)
{
	uint32_t backend;

	if (service->id)
		return 0;
	backend = retired_backend(dp, ids, &service->at, service->protocol);
	if (backend)
		return refuse(dp, ids, backend, &service->at, now_ms, err);
	service->id = retired_service(dp, ids, service);
	return give_id(ids, ID_SERVICE, &service->id, err);
}

/* Whichever version it served before: pins keep theirs, only new sessions get this one. */
static int give_backend(struct datapath *dp, struct ids *ids, const struct service *service, struct backend *backend,
			int64_t now_ms, struct error *err)
{
	if (backend->id)
		return 0;
	backend->id = retired_backend(dp, ids, &backend->at, service->protocol);
	if (backend->id && datapath_backend(dp, backend->id)->service != service->id) {
		uint32_t id = backend->id;

		backend->id = 0;
		return refuse(dp, ids, id, &backend->at, now_ms, err);
	}
	return give_id(ids, ID_BACKEND, &backend->id, err);
}

int give_ids(struct datapath *dp, struct ids *ids, struct service *service, int64_t now_ms, struct error *err)
{
	int rc = give_service(dp, ids, service, now_ms, err);
	size_t i, j;

	for (i = 0; !rc && i < service->version_count; i++) {
		struct version *version = &service->versions[i];

		rc = give_id(ids, ID_VERSION, &version->id, err);
		for (j = 0; !rc && j < version->backend_count; j++)
			rc = give_backend(dp, ids, service, &version->backends[j], now_ms, err);
	}
	return rc;
}
