// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See difference.h. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/text.h"
#include "difference.h"

#define LINE_SIZE  512
#define VALUE_SIZE 160 /* of a setting, shown */
#define PATH_SIZE  96

void difference_append_line(json_t *list, const char *service, const char *format, ...)
{
	char line[LINE_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	text_clean(line); /* it may have been cut within a character */
	json_array_append_new(list, json_pack("{s:s, s:s}", "service", service, "change", line));
}

/* --- settings: as they are printed ---------------------------------------------------------------------------------------------------- */

static void show_steps(const json_t *steps, char text[VALUE_SIZE])
{
	size_t length = 0, i;
	const json_t *step;

	text[0] = '\0';
	json_array_foreach(steps, i, step)
	{
		if (length < VALUE_SIZE)
			length += (size_t)snprintf(text + length, VALUE_SIZE - length, "%s%g:%s", i ? "," : "",
						   json_number_value(json_object_get(step, "weight")),
						   json_string_value(json_object_get(step, "hold")));
	}
}

static const char *show(const json_t *value, char text[VALUE_SIZE])
{
	char *dumped;

	if (!value || json_is_string(value)) {
		snprintf(text, VALUE_SIZE, "%s", value ? json_string_value(value) : "none");
	} else if (json_is_array(value) && json_object_get(json_array_get(value, 0), "weight")) {
		show_steps(value, text);
	} else if (json_is_array(value)) {
		snprintf(text, VALUE_SIZE, "%zu of its own", json_array_size(value));
	} else {
		dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(12));
		snprintf(text, VALUE_SIZE, "%s", dumped ? dumped : "?");
		free(dumped);
	}
	return text;
}

struct differing {
	const char *service;
	json_t *list;
};

static void compare(const struct differing *to, const char *path, const json_t *before, const json_t *after);

static void compare_member(const struct differing *to, const char *path, const char *key, const json_t *before,
			   const json_t *after)
{
	char longer[PATH_SIZE];

	snprintf(longer, sizeof(longer), "%s%s%s", path, path[0] ? "." : "", key);
	compare(to, longer, json_object_get(before, key), json_object_get(after, key));
}

static void compare_objects(const struct differing *to, const char *path, const json_t *before, const json_t *after)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)before, key, value) compare_member(to, path, key, before, after);
	json_object_foreach((json_t *)after, key, value)
	{
		if (!json_object_get(before, key))
			compare_member(to, path, key, before, after);
	}
}

static const json_t *find_gate(const json_t *gates, const char *name)
{
	const json_t *gate;
	size_t i;

	json_array_foreach(gates, i, gate)
	{
		if (!strcmp(json_string_value(json_object_get(gate, "name")), name))
			return gate;
	}
	return NULL;
}

static void compare_gates(const struct differing *to, const json_t *before, const json_t *after)
{
	size_t before_count = json_array_size(to->list), i;
	const json_t *gate;
	char path[PATH_SIZE];

	json_array_foreach(after, i, gate)
	{
		const char *name = json_string_value(json_object_get(gate, "name"));
		const json_t *was = find_gate(before, name);

		snprintf(path, sizeof(path), "gates.%s", name);
		if (was)
			compare(to, path, was, gate);
		else
			difference_append_line(to->list, to->service, "+ gate %s of %s", name, to->service);
	}
	json_array_foreach(before, i, gate)
	{
		const char *name = json_string_value(json_object_get(gate, "name"));

		if (!find_gate(after, name))
			difference_append_line(to->list, to->service, "- gate %s of %s", name, to->service);
	}
	if (json_array_size(to->list) == before_count)
		difference_append_line(to->list, to->service, "~ %s the order of its gates", to->service);
}

static void compare(const struct differing *to, const char *path, const json_t *before, const json_t *after)
{
	char from[VALUE_SIZE], into[VALUE_SIZE];

	if (before && after && json_equal(before, after))
		return;
	if (json_is_object(before) && json_is_object(after))
		compare_objects(to, path, before, after);
	else if (!strcmp(path, "gates") && json_is_array(before) && json_is_array(after))
		compare_gates(to, before, after);
	else
		difference_append_line(to->list, to->service, "~ %s %s %s -> %s", to->service, path, show(before, from),
				       show(after, into));
}

void difference_append_settings(const char *service, const struct settings *before, const struct settings *after, json_t *list)
{
	const struct differing to = {service, list};
	json_t *was = settings_print(before), *is = settings_print(after);

	compare(&to, "", was, is);
	json_decref(was);
	json_decref(is);
}

/* --- the service ---------------------------------------------------------------------------------------------------------------------- */

static void compare_idle(const struct service *before, const struct service *after, json_t *list)
{
	char from[DURATION_TEXT_SIZE], into[DURATION_TEXT_SIZE];

	if (before->idle_timeout.ms != after->idle_timeout.ms)
		difference_append_line(list, after->name, "~ %s idle_timeout %s -> %s", after->name,
				       duration_exact(before->idle_timeout, from), duration_exact(after->idle_timeout, into));
	if (before->probe_idle.ms != after->probe_idle.ms)
		difference_append_line(list, after->name, "~ %s probe_idle %s -> %s", after->name,
				       duration_exact(before->probe_idle, from), duration_exact(after->probe_idle, into));
}

/* --- versions ------------------------------------------------------------------------------------------------------------------------ */

static const char *sessions(uint64_t count, char buf[48])
{
	snprintf(buf, 48, "%" PRIu64 " live session%s", count, count == 1 ? "" : "s");
	return buf;
}

static void compare_backends(const struct service *service, const struct version *before, const struct version *after,
			     const struct counts *counts, json_t *list)
{
	char at[ADDR_TEXT_SIZE], live[48];

	for (size_t i = 0; i < after->backend_count; i++) {
		const struct backend *backend = &after->backends[i], *was = version_find_backend(before, &backend->at);
		bool was_there = was && !was->leaving;

		endpoint_format(&backend->at.addr, backend->at.port, at);
		if (!was_there && !backend->leaving)
			difference_append_line(list, service->name, "+ backend %s of version %s of %s", at, after->label,
					       service->name);
		else if (was_there && !backend->leaving && was->max_sessions != backend->max_sessions)
			difference_append_line(list, service->name, "~ backend %s of version %s of %s max_sessions %u -> %u",
					       at, after->label, service->name, was->max_sessions, backend->max_sessions);
	}
	for (size_t i = 0; i < before->backend_count; i++) {
		const struct backend *backend = &before->backends[i], *is = version_find_backend(after, &backend->at);

		if (backend->leaving || (is && !is->leaving))
			continue;
		endpoint_format(&backend->at.addr, backend->at.port, at);
		difference_append_line(list, service->name, "- backend %s of version %s of %s, which keeps its %s to their end",
				       at, after->label, service->name, sessions(counts->backend_live[backend->id], live));
	}
}

static void compare_state(const struct service *service, const struct version *before, const struct version *after,
			  const struct counts *counts, json_t *list)
{
	char live[48], deadline[DURATION_TEXT_SIZE];
	struct duration left = {after->drain.deadline.unix_ms - after->drain.started.unix_ms};

	if (before->state == after->state)
		return;
	if (after->state == RAINBOW_VERSION_DRAINING)
		difference_append_line(list, service->name, "~ version %s of %s %s -> draining: %s, deadline %s", after->label,
				       service->name, version_state_name(before->state),
				       sessions(counts->live[before->id], live),
				       after->drain.deadline.unix_ms ? duration_exact(left, deadline) : "none");
	else
		difference_append_line(list, service->name, "~ version %s of %s %s -> %s", after->label, service->name,
				       version_state_name(before->state), version_state_name(after->state));
}

static void compare_version(const struct service *before, const struct service *service, const struct version *after,
			    const struct counts *counts, json_t *list)
{
	const struct version *was = before ? service_find_version(before, after->label) : NULL;
	size_t count = version_active_backends(after);

	if (!was) {
		difference_append_line(list, service->name, "+ version %s of %s with %zu backend%s", after->label,
				       service->name, count, count == 1 ? "" : "s");
		return;
	}
	compare_backends(service, was, after, counts, list);
	compare_state(service, was, after, counts, list);
}

static void compare_weights(const struct service *before, const struct service *after, json_t *list)
{
	char from[16], into[16];

	for (size_t i = 0; i < after->version_count; i++) {
		const struct version *version = &after->versions[i];
		const struct version *was = before ? service_find_version(before, version->label) : NULL;
		uint32_t weight = was ? was->weight : 0;

		if (weight != version->weight)
			difference_append_line(list, after->name, "~ %s weight of %s %s %% -> %s %%", after->name,
					       version->label, percent_format(weight, from),
					       percent_format(version->weight, into));
	}
}

static void compare_versions(const struct service *before, const struct service *after, const struct counts *counts,
			     json_t *list)
{
	for (size_t i = 0; i < after->version_count; i++)
		compare_version(before, after, &after->versions[i], counts, list);
	compare_weights(before, after, list);
	for (size_t i = 0; before && i < before->version_count; i++)
		if (!service_find_version(after, before->versions[i].label))
			difference_append_line(list, after->name, "- version %s of %s", before->versions[i].label, after->name);
}

/* --- steers -------------------------------------------------------------------------------------------------------------------------- */

static const char *label_of(const struct service *service, uint32_t id)
{
	const struct version *version = service_find_version_id(service, id);

	return version ? version->label : "?";
}

static void compare_steers(const struct service *before, const struct service *after, json_t *list)
{
	char range[ADDR_TEXT_SIZE];

	for (size_t i = 0; i < after->steer_count; i++) {
		const struct steer *steer = &after->steers[i];
		const struct steer *was = before ? service_find_steer(before, &steer->range) : NULL;
		const char *label = label_of(after, steer->version);

		cidr_format(&steer->range, range);
		if (!was)
			difference_append_line(list, after->name, "+ steer %s of %s to %s", range, after->name, label);
		else if (was->version != steer->version)
			difference_append_line(list, after->name, "~ steer %s of %s %s -> %s", range, after->name,
					       label_of(before, was->version), label);
	}
	for (size_t i = 0; before && i < before->steer_count; i++)
		if (!service_find_steer(after, &before->steers[i].range))
			difference_append_line(list, after->name, "- steer %s of %s",
					       cidr_format(&before->steers[i].range, range), after->name);
}

void difference_append(const struct service *before, const struct service *after, const struct counts *counts, json_t *list)
{
	struct service *fresh = before ? NULL : service_new();
	char at[ADDR_TEXT_SIZE];

	if (!before)
		difference_append_line(list, after->name, "+ service %s on %s/%s", after->name,
				       endpoint_format(&after->at.addr, after->at.port, at), protocol_name(after->protocol));
	else
		compare_idle(before, after, list);
	difference_append_settings(after->name, before ? &before->settings : &fresh->settings, &after->settings, list);
	compare_versions(before, after, counts, list);
	compare_steers(before, after, list);
	service_free(fresh);
}
