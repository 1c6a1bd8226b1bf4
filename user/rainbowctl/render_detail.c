// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What `status` shows more of where it shows one service: backends, why sessions ended, packets. */
#include <stdio.h>
#include <string.h>
#include "rainbowctl/render_scene.h"
#include "rainbowctl/screen.h"
#include "rainbowctl/table.h"
#include "rainbowctl/value.h"

static const char *health_of(const json_t *backend)
{
	const json_t *healthy = json_object_get(backend, "healthy");

	return json_is_true(healthy) ? "yes" : json_is_false(healthy) ? "no" : "?";
}

static void draw_backends(const struct scene *scene)
{
	static const struct column columns[] = {
	    {"BACKEND"}, {"VERSION"}, {"HEALTHY"}, {"LIVE", .right = true}, {"MAX", .right = true}, {"STATE", .optional = true},
	    {NULL},
	};
	struct table *table = table_new(columns, scene->screen);
	char buf[VALUE_SIZE];

	for (size_t i = 0; i < scene->count; i++) {
		const json_t *version = json_array_get(scene->versions, i), *backend;
		size_t j;

		json_array_foreach(json_object_get(version, "backends"), j, backend)
		{
			const json_t *max = json_object_get(backend, "max_sessions");

			table_cell(table, STYLE_PLAIN, value_endpoint(backend, buf));
			table_cell(table, STYLE_VERSION + scene->colours[i], member_text(version, "label"));
			table_cell(table, STYLE_PLAIN, health_of(backend));
			table_cell(table, STYLE_PLAIN, value_count(json_object_get(backend, "live"), buf));
			table_cell(table, STYLE_PLAIN,
				   json_is_integer(max) ? value_count(max, buf) : screen_none(scene->screen));
			table_cell(table, STYLE_WARN, json_is_true(json_object_get(backend, "leaving")) ? "leaving" : "");
		}
	}
	table_print(table, 2);
	table_free(table);
}

static void draw_ends(const struct scene *scene)
{
	static const struct column columns[] = {
	    {"ENDED BY"},
	    {"FIN", .right = true},
	    {"CLIENT RESET", .right = true},
	    {"SERVER RESET", .right = true},
	    {"IDLE", .right = true},
	    {"FORCED", .right = true},
	    {"VANISHED", .right = true},
	    {NULL},
	};
	static const char *const reasons[] = {"fin", "reset_client", "reset_server", "idle", "forced", "vanished"};
	struct table *table = table_new(columns, scene->screen);
	char buf[VALUE_SIZE];

	for (size_t i = 0; i < scene->count; i++) {
		const json_t *version = json_array_get(scene->versions, i);

		table_cell(table, STYLE_VERSION + scene->colours[i], member_text(version, "label"));
		for (size_t j = 0; j < sizeof(reasons) / sizeof(reasons[0]); j++)
			table_cell(table, STYLE_PLAIN,
				   value_count(json_object_get(sessions_of(version, "ended"), reasons[j]), buf));
	}
	table_print(table, 2);
	table_free(table);
}

/* The service's packet counters, by the names that the API gives them. */
static void draw_packets(const struct scene *scene)
{
	static const struct column columns[] = {{"PACKETS"}, {"COUNT", .right = true}, {NULL}};
	struct table *table = table_new(columns, scene->screen);
	json_t *packets = json_object_get(scene->service, "packets"), *count;
	const char *key;

	json_object_foreach(packets, key, count)
	{
		char name[64], buf[VALUE_SIZE];

		snprintf(name, sizeof(name), "%s", key);
		for (char *c = strchr(name, '_'); c; c = strchr(c, '_'))
			*c = ' ';
		table_cell(table, STYLE_PLAIN, name);
		table_cell(table, STYLE_PLAIN, value_count(count, buf));
	}
	if (json_object_size(packets)) {
		fputc('\n', scene->screen->out);
		table_print(table, 2);
	}
	table_free(table);
}

void scene_draw_detail(const struct scene *scene)
{
	fputc('\n', scene->screen->out);
	draw_backends(scene);
	fputc('\n', scene->screen->out);
	draw_ends(scene);
	draw_packets(scene);
}
