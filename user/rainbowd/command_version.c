// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Adding and removing versions and backends. */
#include <inttypes.h>
#include <string.h>
#include "commands.h"
#include "common/text.h"
#include "tuple.h"
#include "version_room.h"

static size_t count_versions(const struct model *model)
{
	size_t i, count = 0;

	for (i = 0; i < model->count; i++)
		count += model->services[i]->version_count;
	return count;
}

static size_t count_backends(const struct model *model)
{
	size_t i, j, count = 0;

	for (i = 0; i < model->count; i++)
		for (j = 0; j < model->services[i]->version_count; j++)
			count += model->services[i]->versions[j].backend_count;
	return count;
}

/* Can this endpoint be a backend of this service, as far as the address itself goes? */
static int check_backend_address(const struct service *service, const struct endpoint *at, const char *text, struct error *err)
{
	const char *unusable = addr_unusable(&at->addr);

	if (unusable)
		return error_set(
		    err, ERROR_BAD_INPUT, "backend",
		    "backend %s is %s: packets from outside can not be sent there; give an address of a network interface",
		    text, unusable);
	if (addr_is_v4(&at->addr) != addr_is_v4(&service->at.addr))
		return error_set(err, ERROR_BAD_INPUT, "backend",
				 "backend %s is not of the address family of service %s; IPv4 and IPv6 do not mix in a service",
				 text, service->name);
	return 0;
}

static int check_backend_free(const struct model *model, const struct service *service, const struct endpoint *at,
			      const char *text, struct error *err)
{
	const struct version *version;
	const struct backend *backend;
	const struct service *owner = model_find_endpoint(model, at, service->protocol, &version, &backend);

	if (owner && backend)
		return error_set(
		    err, ERROR_CONFLICT, "backend",
		    "backend %s/%s belongs to version %s of service %s%s; a backend serves one version: take it from "
		    "there first, rainbowctl backend rm %s %s %s",
		    text, protocol_name(service->protocol), version->label, owner->name,
		    backend->leaving ? " until its last session has ended" : "", owner->name, version->label, text);
	if (owner)
		return error_set(err, ERROR_CONFLICT, "backend",
				 "%s/%s is the address of service %s itself; a backend needs another", text,
				 protocol_name(service->protocol), owner->name);
	return 0;
}

static int check_backend(const struct model *model, const struct service *service, const struct endpoint *at, struct error *err)
{
	char text[ADDR_TEXT_SIZE];
	int rc = check_backend_address(service, at, endpoint_format(&at->addr, at->port, text), err);

	return rc ? rc : check_backend_free(model, service, at, text, err);
}

static int check_backends(const struct model *model, const struct service *service, const struct version *order,
			  struct error *err)
{
	char text[ADDR_TEXT_SIZE];
	size_t i;
	int rc;

	if (!order->backend_count)
		return error_set(err, ERROR_BAD_INPUT, "backends", "version %s needs at least one backend", order->label);
	if (order->backend_count > RAINBOW_MAX_BACKENDS_PER_VERSION)
		return error_set(err, ERROR_BAD_INPUT, "backends", "version %s has %zu backends; the most there can be is %d",
				 order->label, order->backend_count, RAINBOW_MAX_BACKENDS_PER_VERSION);
	for (i = 0; i < order->backend_count; i++) {
		const struct backend *backend = &order->backends[i];

		if (version_find_backend(order, &backend->at) != backend)
			return error_set(err, ERROR_BAD_INPUT, "backends", "backend %s is named twice",
					 endpoint_format(&backend->at.addr, backend->at.port, text));
		rc = check_backend(model, service, &backend->at, err);
		if (rc)
			return rc;
	}
	if (count_backends(model) + order->backend_count > RAINBOW_MAX_BACKENDS)
		return error_set(err, ERROR_PRECONDITION, "backends", "there can be %d backends in all; remove some first",
				 RAINBOW_MAX_BACKENDS);
	return 0;
}

static int check_version_room(const struct model *model, const struct service *service, struct error *err)
{
	if (service->version_count >= RAINBOW_MAX_VERSIONS_PER_SERVICE)
		return error_set(
		    err, ERROR_PRECONDITION, "label",
		    "service %s has %d versions, the most there can be; remove one first: rainbowctl version rm %s LABEL",
		    service->name, RAINBOW_MAX_VERSIONS_PER_SERVICE, service->name);
	if (count_versions(model) >= RAINBOW_MAX_VERSIONS)
		return error_set(err, ERROR_PRECONDITION, "label",
				 "there are %d versions, the most there can be; remove one first", RAINBOW_MAX_VERSIONS);
	return 0;
}

static int check_tuple(const struct tuple *tuple, struct error *err)
{
	int rc = tuple_text_check(tuple->code, "code", err);

	rc = rc ? rc : tuple_text_check(tuple->model, "model", err);
	rc = rc ? rc : tuple_text_check(tuple->prompts, "prompts", err);
	return rc ? rc : tuple_text_check(tuple->tools, "tools", err);
}

/* A label stands for one tuple for ever. */
static int refuse_known(const struct service *service, const struct version *version, const struct tuple *tuple,
			struct error *err)
{
	char layers[TUPLE_DIFF_SIZE];

	tuple_diff(&version->tuple, tuple, layers);
	if (*layers)
		return error_set(err, ERROR_CONFLICT, "label",
				 "version %s of %s exists with another tuple (%s); a version is immutable: give the new one "
				 "another label",
				 version->label, service->name, layers);
	return error_set(err, ERROR_CONFLICT, "label",
			 "version %s of service %s exists already, with this very tuple; rainbowctl version list %s shows it",
			 version->label, service->name, service->name);
}

/* By the service's own limit. */
static int make_room(struct service *service, const struct counts *counts, struct instant now, struct error *err)
{
	uint32_t forced = 0;
	int rc = version_room(service, counts, now, &forced, err);

	if (!rc && forced)
		version_force(service_find_version_id(service, forced), now);
	return rc;
}

int command_version_add(const struct model *model, struct service *service, const struct version *order,
			const struct counts *counts, struct instant now, struct error *err)
{
	struct version fresh = {.state = RAINBOW_VERSION_ACTIVE, .created = now, .tuple = order->tuple};
	struct version *version;
	size_t i;
	int rc = name_check(order->label, "version", "label", err);

	if (rc)
		return rc;
	version = service_find_version(service, order->label);
	if (version)
		return refuse_known(service, version, &order->tuple, err);
	rc = check_tuple(&order->tuple, err);
	rc = rc ? rc : check_version_room(model, service, err);
	rc = rc ? rc : make_room(service, counts, now, err);
	rc = rc ? rc : check_backends(model, service, order, err);
	if (rc)
		return rc;
	text_copy(fresh.label, sizeof(fresh.label), order->label);
	fresh.weight = service->version_count ? 0 : 1000;
	version = service_append_version(service, &fresh);
	for (i = 0; i < order->backend_count; i++)
		version_append_backend(version, &order->backends[i]);
	return 0;
}

static void remove_steers_to(struct service *service, uint32_t version)
{
	size_t i = service->steer_count;

	while (i-- > 0)
		if (service->steers[i].version == version)
			service_remove_steer(service, &service->steers[i]);
}

int command_version_remove(struct service *service, const char *label, const struct counts *counts, struct error *err)
{
	struct version *version;
	char percent[16];
	int rc = service_get_version(service, label, &version, err);

	if (rc)
		return rc;
	rc = rollout_guard(service, label, err);
	if (rc)
		return rc;
	if (version->weight == 1000)
		return error_set(err, ERROR_PRECONDITION, "version",
				 "version %s takes all new sessions of %s; give another one a share first: rainbowctl "
				 "set-weight %s OTHER=100",
				 label, service->name, service->name);
	if (version->weight)
		return error_set(err, ERROR_PRECONDITION, "version",
				 "version %s takes %s %% of new sessions; drain it first: rainbowctl drain %s %s", label,
				 percent_format(version->weight, percent), service->name, label);
	if (version->quarantine[0])
		return error_set(err, ERROR_PRECONDITION, "version",
				 "version %s is in quarantine, which would go with it: %s; if it may: rainbowctl version "
				 "unquarantine %s %s",
				 label, version->quarantine, service->name, label);
	if (counts->live[version->id])
		return error_set(err, ERROR_PRECONDITION, "version",
				 "version %s has %" PRIu64 " live session%s; drain it first: rainbowctl drain %s %s", label,
				 counts->live[version->id], counts->live[version->id] == 1 ? "" : "s", service->name, label);
	remove_steers_to(service, version->id);
	service_remove_version(service, version);
	return 0;
}

int command_backend_add(const struct model *model, struct service *service, const char *label, const struct backend *order,
			struct error *err)
{
	char text[ADDR_TEXT_SIZE];
	struct version *version;
	struct backend *present;
	int rc = service_get_version(service, label, &version, err);

	if (rc)
		return rc;
	present = version_find_backend(version, &order->at);
	if (present && present->leaving) {
		present->leaving = false;
		present->max_sessions = order->max_sessions;
		return 0;
	}
	if (present)
		return error_set(err, ERROR_CONFLICT, "address", "version %s has backend %s already", label,
				 endpoint_format(&order->at.addr, order->at.port, text));
	if (version->backend_count >= RAINBOW_MAX_BACKENDS_PER_VERSION)
		return error_set(err, ERROR_PRECONDITION, "address",
				 "version %s has %d backends, the most there can be; remove one first", label,
				 RAINBOW_MAX_BACKENDS_PER_VERSION);
	if (count_backends(model) >= RAINBOW_MAX_BACKENDS)
		return error_set(err, ERROR_PRECONDITION, "address",
				 "there are %d backends, the most there can be; remove one first", RAINBOW_MAX_BACKENDS);
	rc = check_backend(model, service, &order->at, err);
	if (rc)
		return rc;
	version_append_backend(version, order);
	return 0;
}

int command_backend_remove(struct service *service, const char *label, const struct endpoint *at, const struct counts *counts,
			   uint64_t *stay, struct error *err)
{
	char text[ADDR_TEXT_SIZE];
	struct version *version;
	struct backend *backend;
	int rc = service_get_version(service, label, &version, err);

	if (rc)
		return rc;
	backend = version_find_backend(version, at);
	if (!backend)
		return error_set(err, ERROR_NOT_FOUND, "backend",
				 "version %s of service %s has no backend %s; rainbowctl version list %s shows those it has",
				 label, service->name, endpoint_format(&at->addr, at->port, text), service->name);
	*stay = counts->backend_live[backend->id];
	if (backend->leaving)
		return 0;
	if (version->weight && version_active_backends(version) == 1)
		return error_set(
		    err, ERROR_PRECONDITION, "backend",
		    "%s is the last backend of version %s, which has a share; add another backend or drain the version first",
		    endpoint_format(&at->addr, at->port, text), label);
	/* The baseline of a rollout at 100 % has no share, and gets all of it when that is rolled back. */
	rc = version_active_backends(version) == 1 ? rollout_guard(service, label, err) : 0;
	if (rc)
		return rc;
	if (*stay)
		backend->leaving = true;
	else
		version_remove_backend(version, backend);
	return 0;
}
