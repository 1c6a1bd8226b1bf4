// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One service of a document: its own keys, versions, weights, steers. Its settings: settings_json.c. */
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include "common/document_service.h"
#include "common/settings.h"
#include "common/text.h"

#define MAX_IDLE_MS (14ll * 24 * 3600 * 1000) /* as the kernel keeps "last seen" */

const char *const document_layers[DOCUMENT_LAYERS + 1] = {"code", "model", "prompts", "tools", NULL};

static const char *const setting_keys[] = {"http", "drain", "max_versions", "on_max_versions", "gates", "rollout", NULL};
/* By the values of the enums; nobody may ask for the first. */
static const char *const affinities[] = {"none", "connection", "client", NULL};
static const char *const selections[] = {"none", "hash", "exact", NULL};
static const char *const strays[] = {"none", "reset", "drop", "pass", NULL};
static const char *const protocols[] = {"tcp", "udp", NULL};

static void *elements(const struct field *list, size_t size)
{
	void *memory = calloc(json_array_size(list->json) + 1, size);

	if (!memory)
		abort();
	return memory;
}

/* A name that must be there. */
static int take_name(const struct field *object, const char *key, const char *what, char out[RAINBOW_NAME_SIZE],
		     struct error *err)
{
	const char *text = "";
	struct field field;
	int rc = field_require(object, key, err);

	if (rc)
		return rc;
	field_member(object, key, &field);
	rc = field_text(&field, &text, err);
	rc = rc ? rc : name_check(text, what, field.path, err);
	if (!rc)
		text_copy(out, RAINBOW_NAME_SIZE, text);
	return rc;
}

/* An address that must be there, and that packets from outside can be sent to. */
static int take_address(const struct field *object, const char *what, struct endpoint *out, struct error *err)
{
	const char *unusable;
	struct field field;
	int rc = field_require(object, "address", err);

	rc = rc ? rc : field_take_endpoint(object, "address", out, err);
	if (rc)
		return rc;
	field_member(object, "address", &field);
	unusable = addr_unusable(&out->addr);
	if (unusable)
		return field_refuse(&field, err, "'%s' is %s, which packets from outside do not reach; a %s needs another",
				    json_string_value(field.json), unusable, what);
	return 0;
}

/* --- versions ------------------------------------------------------------------------------------------------------------------------ */

static int read_backend(const struct field *object, const struct document_service *service, struct document_backend *backend,
			struct error *err)
{
	static const char *const keys[] = {"address", "max_sessions", NULL};
	struct field address;
	int rc = field_check_object(object, keys, err);

	rc = rc ? rc : take_address(object, "backend", &backend->at, err);
	rc = rc ? rc : field_take_number(object, "max_sessions", 1, UINT32_MAX, &backend->max_sessions, err);
	if (!rc && addr_is_v4(&backend->at.addr) != addr_is_v4(&service->at.addr)) {
		field_member(object, "address", &address);
		return field_refuse(&address, err,
				    "is not of the address family of service %s; IPv4 and IPv6 do not mix in a service",
				    service->name);
	}
	return rc;
}

static int read_backends(const struct field *object, const struct document_service *service, struct document_version *version,
			 struct error *err)
{
	struct field list, backend;
	int rc = field_require(object, "backends", err);

	field_member(object, "backends", &list);
	rc = rc ? rc : field_check_array(&list, RAINBOW_MAX_BACKENDS_PER_VERSION, err);
	if (!rc && !json_array_size(list.json))
		rc = field_refuse(&list, err, "is empty: version %s needs at least one backend", version->label);
	if (rc)
		return rc;
	version->backends = elements(&list, sizeof(*version->backends));
	for (size_t i = 0; !rc && field_element(&list, i, &backend); i++) {
		rc = read_backend(&backend, service, &version->backends[i], err);
		version->backend_count = i + 1;
	}
	return rc;
}

static int read_layer(const struct field *tuple, size_t layer, struct document_version *version, struct error *err)
{
	struct field field;
	int rc = field_take_text(tuple, document_layers[layer], version->tuple[layer], DOCUMENT_LAYER_SIZE, err);

	field_member(tuple, document_layers[layer], &field);
	return rc ? rc : tuple_text_check(version->tuple[layer], field.path, err);
}

static int read_tuple(const struct field *object, struct document_version *version, struct error *err)
{
	struct field tuple;
	int rc;

	version->tuple_given = field_member(object, "tuple", &tuple);
	if (!version->tuple_given)
		return 0;
	rc = field_check_object(&tuple, document_layers, err);
	for (size_t i = 0; !rc && i < DOCUMENT_LAYERS; i++)
		rc = read_layer(&tuple, i, version, err);
	return rc;
}

static int read_version(const struct field *object, const struct document_service *service, struct document_version *version,
			struct error *err)
{
	static const char *const keys[] = {"label", "tuple", "backends", NULL};
	struct field label;
	int rc = field_check_object(object, keys, err);

	rc = rc ? rc : take_name(object, "label", "version", version->label, err);
	field_member(object, "label", &label);
	if (!rc && document_find_version(service, version->label) != version)
		rc = field_refuse(&label, err, "version %s is there already", version->label);
	rc = rc ? rc : read_tuple(object, version, err);
	return rc ? rc : read_backends(object, service, version, err);
}

static int read_versions(const struct field *object, struct document_service *service, struct error *err)
{
	struct field list, version;
	int rc;

	service->versions_given = field_member(object, "versions", &list);
	if (!service->versions_given)
		return 0;
	rc = field_check_array(&list, RAINBOW_MAX_VERSIONS_PER_SERVICE, err);
	if (rc)
		return rc;
	service->versions = elements(&list, sizeof(*service->versions));
	for (size_t i = 0; !rc && field_element(&list, i, &version); i++) {
		service->version_count = i + 1;
		rc = read_version(&version, service, &service->versions[i], err);
	}
	return rc;
}

/* A version that is named, if the document lists them; else rainbowd knows. */
static int check_known(const struct field *field, const struct document_service *service, const char *label, struct error *err)
{
	const char *labels[RAINBOW_MAX_VERSIONS_PER_SERVICE + 1] = {NULL}, *nearest;

	if (!service->versions_given || document_find_version(service, label))
		return 0;
	for (size_t i = 0; i < service->version_count; i++)
		labels[i] = service->versions[i].label;
	nearest = text_nearest(label, labels);
	if (nearest)
		return field_refuse(field, err, "service %s has no version %s here; did you mean %s?", service->name, label,
				    nearest);
	return field_refuse(field, err, "service %s has no version %s here", service->name, label);
}

/* --- weights and steers --------------------------------------------------------------------------------------------------------------- */

static int read_weight(const struct field *field, const char *label, const struct document_service *service,
		       struct document_weight *weight, struct error *err)
{
	int rc = name_check(label, "version", field->path, err);

	rc = rc ? rc : check_known(field, service, label, err);
	if (rc)
		return rc;
	text_copy(weight->label, sizeof(weight->label), label);
	weight->rest = json_is_null(field->json);
	return weight->rest ? 0 : field_permille(field, &weight->permille, err);
}

static int check_sum(const struct field *weights, const struct document_service *service, struct error *err)
{
	uint32_t sum = 0, rests = 0;
	char text[16];

	for (size_t i = 0; i < service->weight_count; i++) {
		sum += service->weights[i].permille;
		rests += service->weights[i].rest;
	}
	if (rests > 1)
		return field_refuse(weights, err, "%u versions take the rest (null); only one can", rests);
	if (sum > 1000 || (sum < 1000 && !rests))
		return field_refuse(weights, err, "the sum is %s, not 100; null gives a version the rest",
				    percent_format(sum, text));
	return 0;
}

static int read_weights(const struct field *object, struct document_service *service, struct error *err)
{
	struct field weights, field;
	const char *label;
	json_t *value;

	if (!field_member(object, "weights", &weights))
		return 0;
	if (service->target[0])
		return field_refuse(&weights, err,
				    "a rollout (rollout.target) sets the weights itself; leave one of the two out");
	if (!json_object_size(weights.json))
		return field_refuse(&weights, err, "must be an object of percentages, like {v1: 95, v2: 5}");
	if (json_object_size(weights.json) > RAINBOW_MAX_VERSIONS_PER_SERVICE)
		return field_refuse(&weights, err, "names %zu versions; a service can have %d", json_object_size(weights.json),
				    RAINBOW_MAX_VERSIONS_PER_SERVICE);
	service->weights = calloc(json_object_size(weights.json), sizeof(*service->weights));
	if (!service->weights)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	json_object_foreach((json_t *)weights.json, label, value)
	{
		int rc;

		field_member(&weights, label, &field);
		rc = read_weight(&field, label, service, &service->weights[service->weight_count++], err);
		if (rc)
			return rc;
	}
	return check_sum(&weights, service, err);
}

static int read_steer(const struct field *object, const struct document_service *service, struct document_steer *steer,
		      struct error *err)
{
	static const char *const keys[] = {"range", "version", NULL};
	const char *text = "";
	struct field range, version;
	int rc = field_check_object(object, keys, err);

	rc = rc ? rc : field_require(object, "range", err);
	field_member(object, "range", &range);
	field_member(object, "version", &version);
	rc = rc ? rc : field_text(&range, &text, err);
	rc = rc ? rc : cidr_parse(text, &steer->range, range.path, err);
	if (!rc && addr_is_v4(&steer->range.addr) != addr_is_v4(&service->at.addr))
		rc = field_refuse(&range, err, "is not of the address family of service %s", service->name);
	rc = rc ? rc : take_name(object, "version", "version", steer->version, err);
	return rc ? rc : check_known(&version, service, steer->version, err);
}

static int check_range(const struct field *object, const struct document_service *service, size_t index, struct error *err)
{
	const struct cidr *range = &service->steers[index].range;
	struct field field;

	field_member(object, "range", &field);
	for (size_t i = 0; i < index; i++)
		if (service->steers[i].range.bits == range->bits && addr_equal(&service->steers[i].range.addr, &range->addr))
			return field_refuse(&field, err, "is there already, as element %zu", i);
	return 0;
}

static int read_steers(const struct field *object, struct document_service *service, struct error *err)
{
	struct field list, steer;
	int rc;

	service->steers_given = field_member(object, "steers", &list);
	if (!service->steers_given)
		return 0;
	rc = field_check_array(&list, RAINBOW_MAX_STEERS, err);
	if (rc)
		return rc;
	service->steers = elements(&list, sizeof(*service->steers));
	for (size_t i = 0; !rc && field_element(&list, i, &steer); i++) {
		rc = read_steer(&steer, service, &service->steers[i], err);
		rc = rc ? rc : check_range(&steer, service, i, err);
		service->steer_count = i + 1;
	}
	return rc;
}

/* --- settings, and what is left ------------------------------------------------------------------------------------------------------- */

/* Names a version of this document; "" if it is not given. */
static int take_label(const struct field *rollout, const char *key, const struct document_service *service,
		      char out[RAINBOW_NAME_SIZE], struct error *err)
{
	struct field label;
	int rc;

	if (!field_member(rollout, key, &label))
		return 0;
	rc = take_name(rollout, key, "version", out, err);
	return rc ? rc : check_known(&label, service, out, err);
}

/* rollout.target and rollout.baseline are no settings. */
static int take_target(const struct field *object, struct document_service *service, struct error *err)
{
	static const char *const keys[] = {"steps", "on_new_target", "target", "baseline", NULL};
	struct field rollout, baseline;
	json_t *rest;
	int rc;

	if (!field_member(object, "rollout", &rollout))
		return 0;
	rc = field_check_object(&rollout, keys, err);
	rc = rc ? rc : take_label(&rollout, "target", service, service->target, err);
	rc = rc ? rc : take_label(&rollout, "baseline", service, service->baseline, err);
	if (!rc && service->baseline[0] && (!service->target[0] || !strcmp(service->target, service->baseline))) {
		field_member(&rollout, "baseline", &baseline);
		rc = field_refuse(&baseline, err, "it is what another version, the target, is compared with");
	}
	if (rc || !service->target[0])
		return rc;
	rest = json_copy((json_t *)rollout.json);
	json_object_del(rest, "target");
	json_object_del(rest, "baseline");
	json_object_set_new(service->settings, "rollout", rest);
	return rc;
}

static int read_settings(const struct field *object, struct document_service *service, struct error *err)
{
	struct settings settings;
	int rc;

	service->settings = json_object();
	for (size_t i = 0; setting_keys[i]; i++) {
		json_t *value = json_object_get(object->json, setting_keys[i]);

		if (value)
			json_object_set(service->settings, setting_keys[i], value);
	}
	rc = take_target(object, service, err);
	settings_init(&settings);
	rc = rc ? rc : settings_read(service->settings, object->path, &settings, err);
	settings_fini(&settings);
	return rc;
}

static int read_words(const struct field *object, struct document_service *service, struct error *err)
{
	unsigned int affinity = 0, selection = 0, stray = 0, protocol = 0;
	struct field field;
	int rc = field_take_word(object, "protocol", protocols, 0, &protocol, err);

	rc = rc ? rc : field_take_word(object, "affinity", affinities, 1, &affinity, err);
	rc = rc ? rc : field_take_word(object, "selection", selections, 1, &selection, err);
	rc = rc ? rc : field_take_word(object, "stray", strays, 1, &stray, err);
	if (field_member(object, "protocol", &field))
		service->protocol = protocol ? IPPROTO_UDP : IPPROTO_TCP;
	service->affinity = (enum rainbow_affinity)affinity;
	service->selection = (enum rainbow_selection)selection;
	service->stray = (enum rainbow_stray)stray;
	return rc ? rc : field_take_number(object, "client_prefix", 1, 128, &service->client_prefix, err);
}

static int take_idle(const struct field *object, const char *key, bool none, bool *given, struct duration *out,
		     struct error *err)
{
	struct field field;
	int rc;

	*given = field_member(object, key, &field);
	if (*given && none && json_is_string(field.json) && !strcmp(json_string_value(field.json), "0"))
		return 0; /* as `service add` has it */
	rc = field_take_duration(object, key, none, out, err);
	if (!rc && *given && out->ms && (out->ms < 1000 || out->ms > MAX_IDLE_MS))
		rc = field_refuse(&field, err, "must be from 1s to 14d");
	return rc;
}

static int read_idle(const struct field *object, struct document_service *service, struct error *err)
{
	struct field field;
	int rc = take_idle(object, "idle_timeout", false, &service->idle_timeout_given, &service->idle_timeout, err);

	rc = rc ? rc : take_idle(object, "probe_idle", true, &service->probe_idle_given, &service->probe_idle, err);
	if (!rc && service->probe_idle.ms && service->protocol == IPPROTO_UDP) {
		field_member(object, "probe_idle", &field);
		rc = field_refuse(&field, err, "clients of a udp service can not be asked: datagrams owe no answer");
	}
	return rc;
}

int document_service_read(const struct field *object, struct document_service *service, struct error *err)
{
	static const char *const keys[] = {
	    "name",          "address", "protocol", "affinity",     "selection",       "stray", "idle_timeout", "probe_idle",
	    "client_prefix", "http",    "drain",    "max_versions", "on_max_versions", "gates", "rollout",      "versions",
	    "weights",       "steers",  NULL};
	int rc = field_check_object(object, keys, err);

	rc = rc ? rc : take_name(object, "name", "service", service->name, err);
	rc = rc ? rc : take_address(object, "service", &service->at, err);
	rc = rc ? rc : read_words(object, service, err);
	rc = rc ? rc : read_idle(object, service, err);
	rc = rc ? rc : read_versions(object, service, err);
	rc = rc ? rc : read_settings(object, service, err);
	rc = rc ? rc : read_weights(object, service, err);
	return rc ? rc : read_steers(object, service, err);
}

void document_service_fini(struct document_service *service)
{
	for (size_t i = 0; i < service->version_count; i++)
		free(service->versions[i].backends);
	free(service->versions);
	free(service->weights);
	free(service->steers);
	json_decref(service->settings);
}
