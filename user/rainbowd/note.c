// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See note.h. Of a service only what an operator can order is compared: not the wheel, nor what the kernel counts. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/text.h"
#include "note.h"
#include "shapes.h"
#include "store_json.h"

void note_init(struct note *note)
{
	memset(note, 0, sizeof(*note));
	note->uid = note->pid = note->if_generation = note->generation = -1;
	text_copy(note->outcome, sizeof(note->outcome), "ok");
}

void note_fini(struct note *note)
{
	free(note->before);
	free(note->after);
	note->before = note->after = NULL;
}

void note_of_rainbowd(struct note *note, const char *verb, const struct service *service, const char *version,
		      const char *format, ...)
{
	va_list args;

	note_init(note);
	text_copy(note->actor, sizeof(note->actor), NOTE_RAINBOWD);
	text_copy(note->verb, sizeof(note->verb), verb);
	text_copy(note->service, sizeof(note->service), service ? service->name : "");
	text_copy(note->version, sizeof(note->version), version ? version : "");
	va_start(args, format);
	vsnprintf(note->sentence, sizeof(note->sentence), format, args);
	va_end(args);
	text_clean(note->sentence);
}

void note_tell(struct note *note, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(note->sentence, sizeof(note->sentence), format, args);
	va_end(args);
	text_clean(note->sentence);
}

/* "2 services (chat, api)" */
static void describe_document(const json_t *services, char *text, size_t size)
{
	size_t i, count = json_array_size(services);
	size_t length = (size_t)snprintf(text, size, " of %zu service%s", count, count == 1 ? "" : "s");
	const json_t *service;

	json_array_foreach(services, i, service)
	{
		const char *name = json_string_value(json_object_get(service, "name"));

		if (length < size)
			length += (size_t)snprintf(text + length, size - length, "%s%s", i ? ", " : " (", name ? name : "?");
	}
	if (count && length < size)
		snprintf(text + length, size - length, ")");
}

/* Between two characters, and so that one sees it. */
static void cut(char *text, size_t most)
{
	static const char mark[] = "...";
	size_t length = most + 1 - sizeof(mark);

	if (strlen(text) <= most)
		return;
	while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
		length--;
	memcpy(text + length, mark, sizeof(mark));
}

void note_asked(struct note *note, const char *objects, const json_t *body)
{
	const json_t *services = json_object_get(body, "services");
	char *json = NULL, what[NOTE_SENTENCE_SIZE] = "";

	if (json_is_array(services))
		describe_document(services, what, sizeof(what));
	else if (json_object_size(body))
		json = json_dumps(body, JSON_COMPACT);
	snprintf(note->sentence, sizeof(note->sentence), "%s%s%.120s%s%.200s", note->verb, *objects ? " " : "", objects,
		 json ? " " : "", json ? json : what);
	text_clean(note->sentence);
	cut(note->sentence, NOTE_ASKED_MAX);
	free(json);
}

void note_by_peer(struct note *note, int64_t uid, int64_t pid)
{
	note->uid = uid;
	note->pid = pid;
	snprintf(note->actor, sizeof(note->actor), "uid %lld", (long long)uid);
}

int note_reason_check(const char *text, struct error *err)
{
	if (!*text)
		return error_set(err, ERROR_BAD_INPUT, "reason", "the reason is empty; say why, or leave it out");
	return line_check(text, NOTE_REASON_MAX, "reason", err);
}

void note_failed(struct note *note, const struct error *err)
{
	snprintf(note->outcome, sizeof(note->outcome), "%s: %s", error_code_name(err->code), err->message);
}

/* --- the parts of a service ------------------------------------------------------------------------------------------------- */

static json_t *print_backends(const struct version *version)
{
	json_t *backends = json_object();
	char text[ADDR_TEXT_SIZE];
	size_t i;

	for (i = 0; i < version->backend_count; i++) {
		const struct backend *backend = &version->backends[i];

		json_object_set_new(backends, endpoint_format(&backend->at.addr, backend->at.port, text),
				    json_pack("{s:o, s:b}", "max_sessions",
					      json_unless(!backend->max_sessions, json_integer(backend->max_sessions)),
					      "leaving", (int)backend->leaving));
	}
	return backends;
}

static json_t *print_version(const struct version *version)
{
	bool drains = version->state != RAINBOW_VERSION_ACTIVE;

	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "state", version_state_name(version->state), "weight",
			 json_percent(version->weight), "deadline", json_instant(version->drain.deadline), "on_deadline",
			 drains ? json_string(on_deadline_name(version->drain.on_deadline)) : json_null(), "eviction",
			 json_instant(version->eviction.asked), "quarantine", json_text(version->quarantine), "tuple",
			 json_tuple(&version->tuple), "backends", print_backends(version));
}

static json_t *print_versions(const struct service *service)
{
	json_t *versions = json_object();
	size_t i;

	for (i = 0; i < service->version_count; i++)
		json_object_set_new(versions, service->versions[i].label, print_version(&service->versions[i]));
	return versions;
}

static json_t *print_steers(const struct service *service)
{
	json_t *steers = json_object();
	char range[ADDR_TEXT_SIZE];
	size_t i;

	for (i = 0; i < service->steer_count; i++) {
		const struct version *version = service_find_version_id(service, service->steers[i].version);

		json_object_set_new(steers, cidr_format(&service->steers[i].range, range),
				    json_string(version ? version->label : "?"));
	}
	return steers;
}

static json_t *print_service(const struct service *service)
{
	char idle[DURATION_TEXT_SIZE], probe[DURATION_TEXT_SIZE];

	return json_pack("{s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:o, s:o?, s:o?, s:o, s:o}", "address",
			 json_endpoint(&service->at), "protocol", protocol_name(service->protocol), "affinity",
			 affinity_name(service->affinity), "selection", selection_name(service->selection), "stray",
			 stray_name(service->stray), "idle_timeout", duration_format(service->idle_timeout, idle), "probe_idle",
			 duration_format(service->probe_idle, probe), "client_prefix", (json_int_t)service->client_prefix,
			 "generation", (json_int_t)service->generation, "lock", json_lock(&service->lock), "settings",
			 store_json_settings(service), "rollout", store_json_rollout(service), "steers", print_steers(service),
			 "versions", print_versions(service));
}

/* Takes out of both what is the same in both. */
static void drop_equal(json_t *a, json_t *b)
{
	json_t *value, *other;
	const char *key;
	void *next;

	json_object_foreach_safe(a, next, key, value)
	{
		other = json_object_get(b, key);
		if (!other)
			continue;
		if (json_is_object(value) && json_is_object(other))
			drop_equal(value, other);
		if (!json_equal(value, other))
			continue;
		json_object_del(b, key);
		json_object_del(a, key);
	}
}

/* NULL for what holds nothing. */
static char *print(const json_t *parts)
{
	return json_object_size(parts) ? json_dumps(parts, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
}

void note_difference(struct note *note, const struct service *before, const struct service *after)
{
	json_t *was = before ? print_service(before) : NULL, *now = after ? print_service(after) : NULL;

	if (was && now)
		drop_equal(was, now);
	note_fini(note);
	note->before = print(was);
	note->after = print(now);
	json_decref(was);
	json_decref(now);
}
