// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Services: list, add, set, remove. */
#include <netinet/in.h>
#include <string.h>
#include "commands.h"
#include "common/text.h"
#include "difference.h"
#include "handlers.h"
#include "sources.h"
#include "version_room.h"

static json_t *json_service(const struct service *service)
{
	char address[ADDR_TEXT_SIZE], idle[DURATION_TEXT_SIZE], probe[DURATION_TEXT_SIZE];

	return json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:o, s:I, s:o}", "name", service->name,
			 "address", addr_format(&service->at.addr, address), "port", (int)service->at.port, "protocol",
			 protocol_name(service->protocol), "mode", "nat", "affinity", affinity_name(service->affinity),
			 "selection", selection_name(service->selection), "stray", stray_name(service->stray), "idle_timeout",
			 duration_format(service->idle_timeout, idle), "probe_idle",
			 service->probe_idle.ms ? duration_format(service->probe_idle, probe) : "0", "client_prefix",
			 (json_int_t)service->client_prefix, "generation", (json_int_t)service->generation, "lock",
			 json_lock(&service->lock), "versions", (json_int_t)service->version_count, "settings",
			 settings_print(&service->settings));
}

int handle_service_list(struct request *request, json_t **reply, struct error *err)
{
	const struct model *model = &request->daemon->model;
	json_t *list = json_array();
	size_t i;

	(void)err;
	for (i = 0; i < model->count; i++)
		json_array_append_new(list, json_service(model->services[i]));
	*reply = json_pack("{s:o}", "services", list);
	return 0;
}

/* One word of a list of words; *out stays 0, the default, if it is not given. */
static int read_word(const json_t *body, const char *key, const char *words, unsigned int (*parse)(const char *text),
		     unsigned int *out, struct error *err)
{
	const char *text;
	int rc = body_string(body, key, false, &text, err);

	if (rc || !text)
		return rc;
	*out = parse(text);
	return *out ? 0 : error_set(err, ERROR_BAD_INPUT, key, "unknown %s %.40s; there is %s", key, text, words);
}

static unsigned int parse_protocol(const char *text)
{
	return protocol_parse(text);
}

static unsigned int parse_affinity(const char *text)
{
	return affinity_parse(text);
}

static unsigned int parse_selection(const char *text)
{
	return selection_parse(text);
}

static unsigned int parse_stray(const char *text)
{
	return stray_parse(text);
}

static int read_words(const json_t *body, struct service *service, struct error *err)
{
	unsigned int protocol = 0, affinity = 0, selection = 0, stray = 0;
	int rc = read_word(body, "protocol", "tcp, udp", parse_protocol, &protocol, err);

	rc = rc ? rc : read_word(body, "affinity", "connection, client", parse_affinity, &affinity, err);
	rc = rc ? rc : read_word(body, "selection", "hash, exact", parse_selection, &selection, err);
	rc = rc ? rc : read_word(body, "stray", "reset, drop, pass", parse_stray, &stray, err);
	service->protocol = (uint8_t)(protocol ? protocol : protocol_parse("tcp"));
	service->affinity = (enum rainbow_affinity)affinity;
	service->selection = (enum rainbow_selection)selection;
	service->stray = (enum rainbow_stray)stray;
	return rc;
}

/* A duration, or "0": clients are not asked. */
static int read_probe(const json_t *body, bool *given, struct duration *out, struct error *err)
{
	const char *text;
	int rc = body_string(body, "probe_idle", false, &text, err);

	*given = !rc && text;
	if (!*given || strcmp(text, "0"))
		return rc ? rc : body_duration(body, "probe_idle", given, out, err);
	*out = (struct duration){0};
	return 0;
}

static int read_service(const json_t *body, struct service *service, struct error *err)
{
	static const char *const keys[] = {"name",         "address",    "protocol",      "affinity", "selection", "stray",
					   "idle_timeout", "probe_idle", "client_prefix", "http",     NULL};
	const json_t *http = json_object_get(body, "http");
	const char *name = NULL, *address = NULL;
	bool idle_given, probe_given;
	int rc = body_check_keys(body, keys, err);

	rc = rc ? rc : body_string(body, "name", true, &name, err);
	rc = rc ? rc : name_check(name, "service", "name", err);
	rc = rc ? rc : body_string(body, "address", true, &address, err);
	rc = rc ? rc : endpoint_parse(address, &service->at, "address", err);
	rc = rc ? rc : read_words(body, service, err);
	service->probe_idle.ms = service->protocol == IPPROTO_TCP ? DEFAULT_PROBE_IDLE_MS : 0;
	rc = rc ? rc : body_duration(body, "idle_timeout", &idle_given, &service->idle_timeout, err);
	rc = rc ? rc : read_probe(body, &probe_given, &service->probe_idle, err);
	rc = rc ? rc : body_number(body, "client_prefix", 1, 128, &service->client_prefix, err);
	if (!rc)
		text_copy(service->name, sizeof(service->name), name);
	if (!rc && http && !json_is_boolean(http))
		rc = error_set(err, ERROR_BAD_INPUT, "http", "\"http\" must be true or false");
	service->settings.http = json_is_true(http);
	return rc;
}

int handle_service_add(struct request *request, json_t **reply, struct error *err)
{
	char address[ADDR_TEXT_SIZE];
	struct change change;
	int rc = change_begin(&change, request->daemon, NULL, err);

	rc = rc ? rc : read_service(request->body, change.after, err);
	rc = rc ? rc : command_service_add(&request->daemon->model, change.after, err);
	if (!rc)
		*reply = reply_done(request, change.after, "service %s on %s/%s added; it has no version yet",
				    change.after->name, endpoint_format(&change.after->at.addr, change.after->at.port, address),
				    protocol_name(change.after->protocol));
	rc = rc ? rc : change_commit(&change, request->dry_run, err);
	change_end(&change);
	return rc;
}

static int read_order(const json_t *body, struct service_order *order, struct error *err)
{
	int rc = body_duration(body, "idle_timeout", &order->has_idle_timeout, &order->idle_timeout, err);

	return rc ? rc : read_probe(body, &order->has_probe_idle, &order->probe_idle, err);
}

/* Two keys are the service's own; the others are settings. */
static int set_service(const json_t *body, struct service *service, struct error *err)
{
	static const char *const keys[] = {"idle_timeout",    "probe_idle", "http",    "drain", "max_versions",
					   "on_max_versions", "gates",      "rollout", NULL};
	uint32_t max_versions = service->settings.max_versions;
	struct service_order order = {0};
	json_t *rest = json_copy((json_t *)body);
	int rc = body_check_keys(body, keys, err);

	rc = rc ? rc : read_order(body, &order, err);
	json_object_del(rest, "idle_timeout");
	json_object_del(rest, "probe_idle");
	if (!rc && (order.has_idle_timeout || order.has_probe_idle || !json_object_size(rest)))
		rc = command_service_set(service, &order, err);
	rc = rc ? rc : command_settings_read(service, rest, "", err);
	rc = rc ? rc : version_room_check(service, max_versions, err);
	json_decref(rest);
	return rc;
}

/* The idle times, if they were given; else what differs. */
static json_t *reply_set(const struct request *request, const struct service *before, const struct service *after)
{
	char idle[DURATION_TEXT_SIZE], probe[DURATION_TEXT_SIZE];
	json_t *changes = json_array(), *reply;

	difference_append_settings(after->name, &before->settings, &after->settings, changes);
	if (json_object_get(request->body, "idle_timeout") || json_object_get(request->body, "probe_idle"))
		reply =
		    reply_done(request, after, "sessions of %s end after %s without a packet; %s%s", after->name,
			       duration_format(after->idle_timeout, idle),
			       after->probe_idle.ms ? "their clients are asked after " : "their clients are not asked before",
			       after->probe_idle.ms ? duration_format(after->probe_idle, probe) : "");
	else
		reply = reply_done(request, after, "settings of %s: %zu change%s", after->name, json_array_size(changes),
				   json_array_size(changes) == 1 ? "" : "s");
	json_object_set_new(reply, "changes", changes);
	return reply;
}

int handle_service_set(struct request *request, json_t **reply, struct error *err)
{
	struct change change;
	int rc = change_begin(&change, request->daemon, request->variable[0], err);
	struct service *before;

	if (rc)
		return rc;
	before = service_clone(change.before);
	rc = set_service(request->body, change.after, err);
	if (!rc)
		*reply = reply_set(request, before, change.after);
	rc = rc ? rc : change_commit(&change, request->dry_run, err);
	change_end(&change);
	service_free(before);
	return rc;
}

int handle_service_remove(struct request *request, json_t **reply, struct error *err)
{
	static const char *const keys[] = {NULL};
	struct change change;
	int rc = body_check_keys(request->body, keys, err);

	rc = rc ? rc : change_begin(&change, request->daemon, request->variable[0], err);
	if (rc)
		return rc;
	rc = command_service_remove(change.before, &change.counts, err);
	change_remove(&change);
	if (!rc)
		*reply = reply_done(request, NULL, "service %s removed", request->variable[0]);
	rc = rc ? rc : change_commit(&change, request->dry_run, err);
	change_end(&change);
	if (!rc && !request->dry_run)
		sources_forget(request->daemon->sources, request->variable[0]);
	return rc;
}
