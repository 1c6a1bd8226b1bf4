// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Views that are one table: services, versions, steers, sessions; and plain names for completion. */
#include <stdio.h>
#include <string.h>
#include "rainbowctl/render_table.h"
#include "rainbowctl/screen.h"
#include "rainbowctl/table.h"
#include "rainbowctl/value.h"

static void finish(struct table *table)
{
	table_print(table, 0);
	table_free(table);
}

static bool is_empty(const json_t *reply, const char *key, const char *hint, const struct screen *screen)
{
	if (member_size(reply, key))
		return false;
	fprintf(screen->out, "%s\n", hint);
	return true;
}

/* A duration that is a text or a number of seconds. */
static const char *duration_of(const json_t *json, char *buf)
{
	return json_is_string(json) ? json_string_value(json) : value_seconds(json, buf);
}

void draw_services(const json_t *reply, const struct screen *screen)
{
	static const struct column columns[] = {
	    {"NAME"},
	    {"ADDRESS"},
	    {"PROTOCOL"},
	    {"MODE"},
	    {"AFFINITY"},
	    {"SELECTION"},
	    {"STRAY"},
	    {"IDLE", .right = true},
	    {"PROBE", .right = true},
	    {"VERSIONS", .right = true},
	    {"GENERATION", .right = true},
	    {NULL},
	};
	struct table *table;
	const json_t *service;
	char buf[VALUE_SIZE];
	size_t i;

	if (is_empty(reply, "services", "no services yet: make one with rainbowctl service add NAME ADDR:PORT", screen))
		return;
	table = table_new(columns, screen);
	json_array_foreach(json_object_get(reply, "services"), i, service)
	{
		table_cell(table, STYLE_BOLD, member_text(service, "name"));
		table_cell(table, STYLE_PLAIN, value_endpoint(service, buf));
		table_cell(table, STYLE_PLAIN, member_text(service, "protocol"));
		table_cell(table, STYLE_PLAIN, member_text(service, "mode"));
		table_cell(table, STYLE_PLAIN, member_text(service, "affinity"));
		table_cell(table, STYLE_PLAIN, member_text(service, "selection"));
		table_cell(table, STYLE_PLAIN, member_text(service, "stray"));
		table_cell(table, STYLE_PLAIN, duration_of(json_object_get(service, "idle_timeout"), buf));
		table_cell(table, STYLE_PLAIN, duration_of(json_object_get(service, "probe_idle"), buf));
		table_cell(table, STYLE_PLAIN, value_count(json_object_get(service, "versions"), buf));
		table_cell(table, STYLE_PLAIN, value_count(json_object_get(service, "generation"), buf));
	}
	finish(table);
}

/* "10.0.0.2:80, 10.0.0.3:80 (max 500)" */
static const char *backends_text(const json_t *version, char *out, size_t size)
{
	const json_t *backend;
	size_t length = 0, i;

	out[0] = '\0';
	json_array_foreach(json_object_get(version, "backends"), i, backend)
	{
		const json_t *max = json_object_get(backend, "max_sessions");
		const char *leaving = json_is_true(json_object_get(backend, "leaving")) ? " (leaving)" : "";
		char buf[VALUE_SIZE], limit[VALUE_SIZE] = "";

		if (json_is_integer(max) && json_integer_value(max) > 0)
			snprintf(limit, sizeof(limit), " (max %lld)", (long long)json_integer_value(max));
		if (length < size)
			length += (size_t)snprintf(out + length, size - length, "%s%s%s%s", i ? ", " : "",
						   value_endpoint(backend, buf), limit, leaving);
	}
	return out;
}

static const char *quarantine_of(const json_t *version)
{
	const char *why = json_string_value(json_object_get(version, "quarantine"));

	return why ? why : "";
}

void draw_versions(const json_t *reply, const struct screen *screen)
{
	static const struct column columns[] = {
	    {"SERVICE"},
	    {"VERSION"},
	    {"STATE"},
	    {"WEIGHT", .right = true},
	    {"LIVE", .right = true},
	    {"CREATED", .spare = 1},
	    {"QUARANTINE", .optional = true},
	    {"TUPLE (code, model, prompts, tools)", .optional = true},
	    {"BACKENDS"},
	    {NULL},
	};
	char buf[VALUE_SIZE], text[600];
	struct table *table;
	const json_t *version;
	size_t i;

	if (is_empty(reply, "versions",
		     "no versions yet: add one with rainbowctl version add SERVICE LABEL --backend ADDR:PORT", screen))
		return;
	table = table_new(columns, screen);
	json_array_foreach(json_object_get(reply, "versions"), i, version)
	{
		table_cell(table, STYLE_PLAIN, member_text(version, "service"));
		table_cell(table, STYLE_BOLD, member_text(version, "label"));
		table_cell(table, STYLE_PLAIN, member_text(version, "state"));
		table_cell(table, STYLE_PLAIN, value_percent(json_object_get(version, "weight"), buf));
		table_cell(table, STYLE_PLAIN, value_count(json_object_get(version, "live"), buf));
		table_cell(table, STYLE_PLAIN, member_text(version, "created"));
		table_cell(table, STYLE_WARN, quarantine_of(version));
		table_cell(table, STYLE_PLAIN, value_tuple(screen, json_object_get(version, "tuple"), text, sizeof(text)));
		table_cell(table, STYLE_PLAIN, backends_text(version, text, sizeof(text)));
	}
	finish(table);
}

void draw_steers(const json_t *reply, const struct screen *screen)
{
	static const struct column columns[] = {{"SERVICE"}, {"RANGE"}, {"VERSION"}, {NULL}};
	struct table *table;
	const json_t *steer;
	size_t i;

	if (is_empty(reply, "steers", "no steers: add one with rainbowctl steer add SERVICE CIDR LABEL", screen))
		return;
	table = table_new(columns, screen);
	json_array_foreach(json_object_get(reply, "steers"), i, steer)
	{
		table_cell(table, STYLE_PLAIN, member_text(steer, "service"));
		table_cell(table, STYLE_PLAIN, member_text(steer, "range"));
		table_cell(table, STYLE_BOLD, member_text(steer, "version"));
	}
	finish(table);
}

void draw_sessions(const json_t *reply, const struct screen *screen)
{
	static const struct column columns[] = {
	    {"CLIENT"},
	    {"VERSION"},
	    {"BACKEND"},
	    {"STATE"},
	    {"AGE", .right = true},
	    {"IDLE", .right = true},
	    {"FLOWS", .right = true},
	    {NULL},
	};
	struct table *table;
	const json_t *session;
	char buf[VALUE_SIZE];
	size_t i;

	if (is_empty(reply, "sessions", "no such sessions", screen))
		return;
	table = table_new(columns, screen);
	json_array_foreach(json_object_get(reply, "sessions"), i, session)
	{
		table_cell(table, STYLE_PLAIN, value_endpoint(json_object_get(session, "client"), buf));
		table_cell(table, STYLE_BOLD, member_text(session, "version"));
		table_cell(table, STYLE_PLAIN, value_endpoint(json_object_get(session, "backend"), buf));
		table_cell(table, STYLE_PLAIN, member_text(session, "state"));
		table_cell(table, STYLE_PLAIN, value_seconds(json_object_get(session, "age_seconds"), buf));
		table_cell(table, STYLE_PLAIN, value_seconds(json_object_get(session, "idle_seconds"), buf));
		table_cell(table, STYLE_PLAIN, value_count(json_object_get(session, "flows"), buf));
	}
	finish(table);
	if (json_is_true(json_object_get(reply, "truncated")))
		fprintf(screen->out, "%zu of %s, the oldest first: --limit N shows more\n", member_size(reply, "sessions"),
			value_count(json_object_get(reply, "total"), buf));
}

void draw_names(const json_t *reply, const struct screen *screen)
{
	const char *list = json_object_get(reply, "services") ? "services" : "versions";
	const char *key = !strcmp(list, "services") ? "name" : "label";
	const json_t *object;
	size_t i;

	json_array_foreach(json_object_get(reply, list), i, object) fprintf(screen->out, "%s\n", member_text(object, key));
}
