// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Versions and their backends: list, add, remove. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "commands.h"
#include "common/text.h"
#include "handlers.h"

static json_t *json_backends(const struct version *version)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < version->backend_count; i++) {
		const struct backend *backend = &version->backends[i];

		json_array_append_new(list, json_pack("{s:o, s:o, s:b}", "address", json_endpoint(&backend->at), "max_sessions",
						      json_unless(!backend->max_sessions, json_integer(backend->max_sessions)),
						      "leaving", (int)backend->leaving));
	}
	return list;
}

static json_t *json_version(const struct daemon *daemon, const struct service *service, const struct version *version)
{
	const struct rainbow_version *entry = datapath_version(daemon->datapath, version->id);

	return json_pack("{s:s, s:s, s:s, s:o, s:I, s:o, s:o, s:o, s:o}", "service", service->name, "label", version->label,
			 "state", version_state_name(version->state), "weight", json_percent(version->weight), "live",
			 (json_int_t)entry->live, "created", json_instant(version->created), "quarantine",
			 json_text(version->quarantine), "tuple", json_tuple(&version->tuple), "backends",
			 json_backends(version));
}

static void list_versions(const struct daemon *daemon, const struct service *service, json_t *list)
{
	size_t i;

	for (i = 0; i < service->version_count; i++)
		json_array_append_new(list, json_version(daemon, service, &service->versions[i]));
}

int handle_version_list(struct request *request, json_t **reply, struct error *err)
{
	const struct model *model = &request->daemon->model;
	const char *only = request_query(request, "service");
	json_t *list = json_array();
	struct service *service;
	size_t i;

	if (only && model_get_service(model, only, &service, err)) {
		json_decref(list);
		return -(int)err->code;
	}
	for (i = 0; i < model->count; i++)
		if (!only || model->services[i] == service)
			list_versions(request->daemon, model->services[i], list);
	*reply = json_pack("{s:o}", "versions", list);
	return 0;
}

static int read_backend(const json_t *object, struct backend *backend, struct error *err)
{
	static const char *const keys[] = {"address", "max_sessions", NULL};
	const char *address = NULL;
	int rc;

	if (!json_is_object(object))
		return error_set(err, ERROR_BAD_INPUT, "backends", "a backend is written {\"address\":\"10.0.0.2:80\"}");
	rc = body_check_keys(object, keys, err);
	rc = rc ? rc : body_string(object, "address", true, &address, err);
	rc = rc ? rc : endpoint_parse(address, &backend->at, "address", err);
	return rc ? rc : body_number(object, "max_sessions", 1, UINT32_MAX, &backend->max_sessions, err);
}

static int read_backends(const json_t *body, struct version *order, struct error *err)
{
	json_t *list = json_object_get(body, "backends"), *object;
	size_t i;
	int rc = 0;

	if (!json_is_array(list))
		return error_set(err, ERROR_BAD_INPUT, "backends",
				 "\"backends\" is missing: a list of at least one {\"address\":\"10.0.0.2:80\"}");
	if (json_array_size(list) > RAINBOW_MAX_BACKENDS_PER_VERSION)
		return error_set(err, ERROR_BAD_INPUT, "backends", "%zu backends are given; a version can have %d",
				 json_array_size(list), RAINBOW_MAX_BACKENDS_PER_VERSION);
	json_array_foreach(list, i, object)
	{
		struct backend backend = {0};

		rc = read_backend(object, &backend, err);
		if (rc)
			return rc;
		version_append_backend(order, &backend);
	}
	return 0;
}

static int read_tuple_text(const json_t *object, const char *key, char *out, struct error *err)
{
	const char *text;
	int rc = body_string(object, key, false, &text, err);

	if (rc || !text)
		return rc;
	rc = tuple_text_check(text, key, err);
	if (!rc && !text_copy(out, TUPLE_TEXT_SIZE, text))
		rc = error_set(err, ERROR_BAD_INPUT, key, "\"%s\" is longer than %d bytes", key, TUPLE_TEXT_SIZE - 1);
	return rc;
}

static int read_tuple(const json_t *body, struct tuple *tuple, struct error *err)
{
	static const char *const keys[] = {"code", "model", "prompts", "tools", NULL};
	json_t *object = json_object_get(body, "tuple");
	int rc;

	if (!object || json_is_null(object))
		return 0;
	if (!json_is_object(object))
		return error_set(err, ERROR_BAD_INPUT, "tuple", "\"tuple\" must be an object with code, model, prompts, tools");
	rc = body_check_keys(object, keys, err);
	rc = rc ? rc : read_tuple_text(object, "code", tuple->code, err);
	rc = rc ? rc : read_tuple_text(object, "model", tuple->model, err);
	rc = rc ? rc : read_tuple_text(object, "prompts", tuple->prompts, err);
	return rc ? rc : read_tuple_text(object, "tools", tuple->tools, err);
}

static int read_version(const json_t *body, struct version *order, struct error *err)
{
	static const char *const keys[] = {"label", "backends", "tuple", NULL};
	const char *label = NULL;
	int rc = body_check_keys(body, keys, err);

	rc = rc ? rc : body_string(body, "label", true, &label, err);
	rc = rc ? rc : name_check(label, "version", "label", err);
	rc = rc ? rc : read_tuple(body, &order->tuple, err);
	rc = rc ? rc : read_backends(body, order, err);
	if (!rc)
		text_copy(order->label, sizeof(order->label), label);
	return rc;
}

int handle_version_add(struct request *request, json_t **reply, struct error *err)
{
	struct version order = {0};
	struct change change;
	char percent[16];
	int rc = change_begin(&change, request->daemon, request->variable[0], err);

	if (rc)
		return rc;
	rc = read_version(request->body, &order, err);
	rc = rc ? rc : command_version_add(&request->daemon->model, change.after, &order, &change.counts, instant_now(), err);
	text_copy(request->note->version, sizeof(request->note->version), order.label);
	if (!rc)
		*reply = reply_done(request, change.after,
				    "version %s added to %s with %zu backend%s; it takes %s %% of new sessions", order.label,
				    change.after->name, order.backend_count, order.backend_count == 1 ? "" : "s",
				    percent_format(service_find_version(change.after, order.label)->weight, percent));
	rc = rc ? rc : change_commit(&change, request->dry_run, err);
	change_end(&change);
	free(order.backends);
	return rc;
}

int handle_version_remove(struct request *request, json_t **reply, struct error *err)
{
	struct change change;
	char tail[64] = "";
	size_t steers_before, steers;
	int rc = change_begin(&change, request->daemon, request->variable[0], err);

	if (rc)
		return rc;
	steers_before = change.after->steer_count;
	rc = command_version_remove(change.after, request->variable[1], &change.counts, err);
	if (!rc) {
		steers = steers_before - change.after->steer_count;
		if (steers)
			snprintf(tail, sizeof(tail), ", and with it %zu steer%s to it", steers, steers == 1 ? "" : "s");
		*reply = reply_done(request, change.after, "version %s of %s removed%s", request->variable[1],
				    change.after->name, tail);
		json_object_set_new(*reply, "steers", json_integer((json_int_t)steers));
	}
	rc = rc ? rc : change_commit(&change, request->dry_run, err);
	change_end(&change);
	return rc;
}

int handle_backend_add(struct request *request, json_t **reply, struct error *err)
{
	char address[ADDR_TEXT_SIZE];
	struct backend order = {0};
	struct change change;
	int rc = change_begin(&change, request->daemon, request->variable[0], err);

	if (rc)
		return rc;
	rc = read_backend(request->body, &order, err);
	rc = rc ? rc : command_backend_add(&request->daemon->model, change.after, request->variable[1], &order, err);
	if (!rc)
		*reply = reply_done(request, change.after, "backend %s added to version %s of %s",
				    endpoint_format(&order.at.addr, order.at.port, address), request->variable[1],
				    change.after->name);
	rc = rc ? rc : change_commit(&change, request->dry_run, err);
	change_end(&change);
	return rc;
}

int handle_backend_remove(struct request *request, json_t **reply, struct error *err)
{
	char address[ADDR_TEXT_SIZE], tail[96] = "";
	struct endpoint at;
	struct change change;
	uint64_t stay = 0;
	int rc = change_begin(&change, request->daemon, request->variable[0], err);

	if (rc)
		return rc;
	rc = endpoint_parse(request->variable[2], &at, "backend", err);
	rc = rc ? rc : command_backend_remove(change.after, request->variable[1], &at, &change.counts, &stay, err);
	if (stay)
		snprintf(tail, sizeof(tail), "; %" PRIu64 " live session%s stay%s on it to the end", stay, stay == 1 ? "" : "s",
			 stay == 1 ? "s" : "");
	if (!rc) {
		*reply =
		    reply_done(request, change.after, "backend %s removed from version %s of %s%s",
			       endpoint_format(&at.addr, at.port, address), request->variable[1], change.after->name, tail);
		json_object_set_new(*reply, "stay", json_integer((json_int_t)stay));
	}
	rc = rc ? rc : change_commit(&change, request->dry_run, err);
	change_end(&change);
	return rc;
}
