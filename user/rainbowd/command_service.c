// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Adding, changing and removing services. */
#include <inttypes.h>
#include <netinet/in.h>
#include "commands.h"
#include "common/text.h"

static int64_t default_idle_ms(const struct service *service)
{
	if (service->affinity == RAINBOW_AFFINITY_CLIENT)
		return DEFAULT_IDLE_CLIENT_MS;
	return service->protocol == IPPROTO_UDP ? DEFAULT_IDLE_UDP_MS : DEFAULT_IDLE_TCP_MS;
}

static void fill_defaults(struct service *service)
{
	if (!service->affinity)
		service->affinity = RAINBOW_AFFINITY_CONNECTION;
	if (!service->selection)
		service->selection = RAINBOW_SELECTION_HASH;
	if (!service->stray)
		service->stray = RAINBOW_STRAY_RESET;
	if (!service->idle_timeout.ms)
		service->idle_timeout.ms = default_idle_ms(service);
	if (!service->client_prefix)
		service->client_prefix = DEFAULT_CLIENT_PREFIX;
}

static int check_idle(const struct service *service, struct error *err)
{
	if (service->idle_timeout.ms < 1000)
		return error_set(err, ERROR_BAD_INPUT, "idle_timeout", "the idle timeout must be at least 1s");
	if (service->idle_timeout.ms > MAX_IDLE_MS)
		return error_set(err, ERROR_BAD_INPUT, "idle_timeout", "the idle timeout must be at most 14d");
	return 0;
}

static int check_probe(const struct service *service, struct error *err)
{
	if (!service->probe_idle.ms)
		return 0;
	if (service->protocol != IPPROTO_TCP)
		return error_set(err, ERROR_BAD_INPUT, "probe_idle",
				 "clients of a udp service can not be asked: datagrams owe no answer; leave it out, or give 0");
	if (service->probe_idle.ms < 1000)
		return error_set(err, ERROR_BAD_INPUT, "probe_idle", "the idle time before a probe must be at least 1s, or 0");
	if (service->probe_idle.ms > MAX_IDLE_MS)
		return error_set(err, ERROR_BAD_INPUT, "probe_idle", "the idle time before a probe must be at most 14d");
	return 0;
}

static int check_address(const struct model *model, const struct service *service, struct error *err)
{
	const char *unusable = addr_unusable(&service->at.addr);
	char text[ADDR_TEXT_SIZE];
	const struct service *other;
	const struct version *version;
	const struct backend *backend;

	endpoint_format(&service->at.addr, service->at.port, text);
	if (unusable)
		return error_set(err, ERROR_BAD_INPUT, "address",
				 "%s is %s; a service needs one that clients can dial from outside", text, unusable);
	other = model_find_endpoint(model, &service->at, service->protocol, &version, &backend);
	if (other && backend)
		return error_set(err, ERROR_CONFLICT, "address",
				 "%s/%s is a backend of version %s of service %s; choose another address or port", text,
				 protocol_name(service->protocol), version->label, other->name);
	if (other)
		return error_set(err, ERROR_CONFLICT, "address",
				 "%s/%s is the address of service %s already; choose another address or port", text,
				 protocol_name(service->protocol), other->name);
	return 0;
}

int command_service_add(const struct model *model, struct service *service, struct error *err)
{
	int rc = name_check(service->name, "service", "name", err);

	if (rc)
		return rc;
	if (model_find_service(model, service->name))
		return error_set(err, ERROR_CONFLICT, "name", "service %s exists already; rainbowctl service list shows it",
				 service->name);
	if (model->count >= RAINBOW_MAX_SERVICES)
		return error_set(err, ERROR_PRECONDITION, "name",
				 "there are %d services, the most there can be; remove one first", RAINBOW_MAX_SERVICES);
	fill_defaults(service);
	rc = check_idle(service, err);
	rc = rc ? rc : check_probe(service, err);
	return rc ? rc : check_address(model, service, err);
}

int command_service_set(struct service *service, const struct service_order *order, struct error *err)
{
	int rc;

	if (!order->has_idle_timeout && !order->has_probe_idle)
		return error_set(err, ERROR_BAD_INPUT, NULL, "nothing to set: give idle_timeout or probe_idle");
	if (order->has_idle_timeout)
		service->idle_timeout = order->idle_timeout;
	if (order->has_probe_idle)
		service->probe_idle = order->probe_idle;
	rc = check_idle(service, err);
	return rc ? rc : check_probe(service, err);
}

int command_service_remove(const struct service *service, const struct counts *counts, struct error *err)
{
	uint64_t live = 0;
	size_t i;

	for (i = 0; i < service->version_count; i++)
		live += counts->live[service->versions[i].id];
	if (live)
		return error_set(err, ERROR_PRECONDITION, "service",
				 "service %s has %" PRIu64
				 " live session%s; wait for their end, or close them: rainbowctl evict %s LABEL",
				 service->name, live, live == 1 ? "" : "s", service->name);
	return 0;
}
