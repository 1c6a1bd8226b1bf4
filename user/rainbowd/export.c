// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * See export.h. Keys come in the order in which people write them. A version without backends is left out: no host would take it, and
 * reconcile.c leaves it as it is.
 */
#include "common/document.h"
#include "export.h"
#include "request.h"

static json_t *export_backends(const struct version *version)
{
	json_t *list = json_array();

	for (size_t i = 0; i < version->backend_count; i++) {
		const struct backend *backend = &version->backends[i];
		json_t *object;

		if (backend->leaving)
			continue;
		object = json_pack("{s:o}", "address", json_endpoint(&backend->at));
		if (backend->max_sessions)
			json_object_set_new(object, "max_sessions", json_integer(backend->max_sessions));
		json_array_append_new(list, object);
	}
	return list;
}

static json_t *export_tuple(const struct tuple *tuple)
{
	const char *const layers[DOCUMENT_LAYERS] = {tuple->code, tuple->model, tuple->prompts, tuple->tools};
	json_t *object = json_object();

	for (size_t i = 0; i < DOCUMENT_LAYERS; i++)
		if (layers[i][0])
			json_object_set_new(object, document_layers[i], json_string(layers[i]));
	return object;
}

static json_t *export_versions(const struct service *service)
{
	json_t *list = json_array();

	for (size_t i = 0; i < service->version_count; i++) {
		const struct version *version = &service->versions[i];
		json_t *object, *tuple;

		if (!version_active_backends(version))
			continue;
		object = json_pack("{s:s}", "label", version->label);
		tuple = export_tuple(&version->tuple);
		if (json_object_size(tuple))
			json_object_set(object, "tuple", tuple);
		json_decref(tuple);
		json_object_set_new(object, "backends", export_backends(version));
		json_array_append_new(list, object);
	}
	return list;
}

static json_t *export_weights(const struct service *service)
{
	json_t *object = json_object();

	for (size_t i = 0; i < service->version_count; i++)
		if (service->versions[i].weight)
			json_object_set_new(object, service->versions[i].label, json_percent(service->versions[i].weight));
	return object;
}

static json_t *export_steers(const struct service *service)
{
	char range[ADDR_TEXT_SIZE];
	json_t *list = json_array();

	for (size_t i = 0; i < service->steer_count; i++) {
		const struct version *version = service_find_version_id(service, service->steers[i].version);

		if (version_active_backends(version))
			json_array_append_new(list,
					      json_pack("{s:s, s:s}", "range", cidr_format(&service->steers[i].range, range),
							"version", version->label));
	}
	return list;
}

static json_t *export_fixed(const struct service *service)
{
	char at[ADDR_TEXT_SIZE], idle[DURATION_TEXT_SIZE], probe[DURATION_TEXT_SIZE];

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "name", service->name, "address",
			 endpoint_format(&service->at.addr, service->at.port, at), "protocol", protocol_name(service->protocol),
			 "affinity", affinity_name(service->affinity), "selection", selection_name(service->selection), "stray",
			 stray_name(service->stray), "idle_timeout", duration_exact(service->idle_timeout, idle), "probe_idle",
			 duration_exact(service->probe_idle, probe), "client_prefix", (json_int_t)service->client_prefix);
}

/* While a rollout is under way its target stands for the weights, which it sets. */
static json_t *export_service(const struct service *service)
{
	bool under_way = rollout_is_active(&service->rollout);
	json_t *object = export_fixed(service), *settings = settings_print(&service->settings), *weights;

	if (under_way)
		json_object_update_new(
		    json_object_get(settings, "rollout"),
		    json_pack("{s:s, s:s}", "target", service->rollout.target, "baseline", service->rollout.baseline));
	json_object_update(object, settings);
	json_decref(settings);
	json_object_set_new(object, "versions", export_versions(service));
	weights = export_weights(service);
	if (!under_way && json_object_size(weights))
		json_object_set(object, "weights", weights);
	json_decref(weights);
	json_object_set_new(object, "steers", export_steers(service));
	return object;
}

json_t *export_document(const struct model *model, const struct service *only)
{
	json_t *list = json_array();

	for (size_t i = 0; i < model->count; i++)
		if (!only || model->services[i] == only)
			json_array_append_new(list, export_service(model->services[i]));
	return json_pack("{s:i, s:o}", "rainbow", DOCUMENT_FORMAT, "services", list);
}
