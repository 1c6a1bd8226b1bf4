// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See entries.h. */
#include <string.h>
#include <rainbow/checksum.h>
#include "common/text.h"
#include "entries.h"

/* In one piece, and after all that was stored before it: a program on another CPU reads along. */
#define STORE(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELEASE)

void entry_write_service(struct datapath *dp, const struct service *service)
{
	struct rainbow_service *entry = datapath_service(dp, service->id);

	text_copy(entry->name, sizeof(entry->name), service->name);
	entry->address = service->at.addr;
	STORE(entry->port, service->at.port);
	STORE(entry->protocol, service->protocol);
	STORE(entry->affinity, service->affinity);
	STORE(entry->selection, service->selection);
	STORE(entry->stray, service->stray);
	STORE(entry->idle_seconds, (uint32_t)((service->idle_timeout.ms + 999) / 1000));
	STORE(entry->probe_idle_seconds, (uint32_t)((service->probe_idle.ms + 999) / 1000));
	STORE(entry->client_prefix, service->client_prefix);
	STORE(entry->http, (uint32_t)service->settings.http);
	STORE(entry->steers, (uint32_t)service->steer_count);
}

void entry_use_service(struct datapath *dp, uint32_t id)
{
	STORE(datapath_service(dp, id)->in_use, 1u);
}

void entry_write_version(struct datapath *dp, const struct service *service, const struct version *version)
{
	struct rainbow_version *entry = datapath_version(dp, version->id);

	text_copy(entry->label, sizeof(entry->label), version->label);
	STORE(entry->service, service->id);
	STORE(entry->weight_permille, version->weight);
	STORE(entry->deadline, (uint64_t)(version->drain.deadline.unix_ms + 999) / 1000);
}

void entry_set_state(struct datapath *dp, uint32_t version, enum rainbow_version_state state)
{
	STORE(datapath_version(dp, version)->state, state);
}

/* Ids first, then their number. A reader meanwhile may meet one twice or not at all, never one that is not a backend's. */
void entry_write_members(struct datapath *dp, uint32_t id, const struct version *version)
{
	struct rainbow_member *entry = datapath_member(dp, id);
	uint32_t count = 0;
	size_t i;

	for (i = 0; version && i < version->backend_count; i++)
		if (!version->backends[i].leaving)
			STORE(entry->backend[count++], (uint16_t)version->backends[i].id);
	STORE(entry->count, count);
}

/* The state last: until then nothing chooses it. */
void entry_write_backend(struct datapath *dp, const struct service *service, const struct version *version,
			 const struct backend *backend)
{
	struct rainbow_backend *entry = datapath_backend(dp, backend->id);

	/* It served another one that drained: that deadline is not of this one's sessions. */
	if (entry->version != version->id)
		STORE(entry->close_after, 0ull);
	entry->address = backend->at.addr;
	STORE(entry->port, backend->at.port);
	STORE(entry->protocol, service->protocol);
	STORE(entry->service, service->id);
	STORE(entry->version, version->id);
	STORE(entry->healthy, 1u);
	STORE(entry->max_sessions, backend->max_sessions);
	STORE(entry->address_delta, rainbow_delta_addr(&service->at.addr, &backend->at.addr));
	STORE(entry->port_delta, rainbow_delta16(rainbow_be16(service->at.port), rainbow_be16(backend->at.port)));
	STORE(entry->state, backend->leaving ? RAINBOW_BACKEND_LEAVING : RAINBOW_BACKEND_ACTIVE);
}

void entry_leave_backend(struct datapath *dp, uint32_t id)
{
	STORE(datapath_backend(dp, id)->state, RAINBOW_BACKEND_LEAVING);
}

void entry_set_close_after(struct datapath *dp, uint32_t version, uint64_t jiffies)
{
	uint32_t id;

	for (id = 1; id <= RAINBOW_MAX_BACKENDS; id++) {
		struct rainbow_backend *entry = datapath_backend(dp, id);

		if (entry->version == version && entry->close_after != jiffies)
			STORE(entry->close_after, jiffies);
	}
}

void entry_turn_wheel(struct datapath *dp, const struct service *service)
{
	struct rainbow_service *entry = datapath_service(dp, service->id);
	uint32_t spare = !(entry->wheel & 1);
	const struct rainbow_wheel *in_force = datapath_wheel(dp, service->id, !spare);
	struct rainbow_wheel *next = datapath_wheel(dp, service->id, spare);

	if (in_force->generation == service->generation &&
	    memcmp(in_force->slot, service->wheel, sizeof(service->wheel)) == 0 && entry->generation == service->generation)
		return;
	memcpy(next->slot, service->wheel, sizeof(service->wheel));
	STORE(next->generation, service->generation);
	STORE(entry->wheel, spare);
	STORE(entry->generation, service->generation);
}

void entry_clear_service(struct datapath *dp, uint32_t id)
{
	STORE(datapath_service(dp, id)->in_use, 0u);
	memset(datapath_service(dp, id), 0, sizeof(struct rainbow_service));
	memset(datapath_wheel(dp, id, 0), 0, sizeof(struct rainbow_wheel));
	memset(datapath_wheel(dp, id, 1), 0, sizeof(struct rainbow_wheel));
}

void entry_clear_version(struct datapath *dp, uint32_t id)
{
	memset(datapath_version(dp, id), 0, sizeof(struct rainbow_version));
	memset(datapath_member(dp, id), 0, sizeof(struct rainbow_member));
	memset(datapath_census(dp, id), 0, sizeof(struct rainbow_census));
}

void entry_clear_backend(struct datapath *dp, uint32_t id)
{
	STORE(datapath_backend(dp, id)->state, RAINBOW_BACKEND_NONE);
	memset(datapath_backend(dp, id), 0, sizeof(struct rainbow_backend));
}
