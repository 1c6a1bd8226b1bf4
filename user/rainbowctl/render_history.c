// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Views of the history, and of what versions are made of. */
#include <stdio.h>
#include <string.h>
#include "rainbowctl/render_table.h"
#include "rainbowctl/screen.h"
#include "rainbowctl/table.h"
#include "rainbowctl/value.h"

/* A person, or what acted unasked: rainbowd. */
static const char *who(const json_t *row, char *buf)
{
	const json_t *uid = json_object_get(row, "uid");

	return json_is_integer(uid) ? value_user(uid, buf) : member_text(row, "actor");
}

static const char *why(const json_t *row)
{
	const char *reason = json_string_value(json_object_get(row, "reason"));

	return reason ? reason : "";
}

static bool is_ok(const json_t *row)
{
	return !strcmp(member_text(row, "outcome"), "ok");
}

void draw_history(const json_t *reply, const struct screen *screen)
{
	static const struct column columns[] = {{"AT"}, {"WHO"}, {"WHAT"}, {"WHY", .optional = true}, {"OUTCOME"}, {NULL}};
	struct table *table;
	char buf[VALUE_SIZE];
	const json_t *row;
	size_t i;

	if (!member_size(reply, "history")) {
		fprintf(screen->out, "no history yet\n");
		return;
	}
	table = table_new(columns, screen);
	json_array_foreach(json_object_get(reply, "history"), i, row)
	{
		table_cell(table, STYLE_DIM, member_text(row, "at"));
		table_cell(table, STYLE_PLAIN, who(row, buf));
		table_cell(table, STYLE_PLAIN, member_text(row, "sentence"));
		table_cell(table, STYLE_PLAIN, why(row));
		table_cell(table, is_ok(row) ? STYLE_GOOD : STYLE_BAD, member_text(row, "outcome"));
	}
	table_print(table, 0);
	table_free(table);
}

/* "2026-11-26T09:00:00Z alice: new sessions of chat: v1 100 % (why: the canary is fine)" */
void draw_event(const json_t *row, const struct screen *screen)
{
	char text[2048], safe[4096], buf[VALUE_SIZE];

	snprintf(text, sizeof(text), "%s: %s%s%s%s", who(row, buf), member_text(row, "sentence"), *why(row) ? " (why: " : "",
		 why(row), *why(row) ? ")" : "");
	fprintf(screen->out, "%s%s%s ", screen_style(screen, STYLE_DIM), member_text(row, "at"), screen_plain(screen));
	fputs(text_shown(screen, text, safe, sizeof(safe)), screen->out);
	if (!is_ok(row))
		fprintf(screen->out, " %srefused, %s%s", screen_style(screen, STYLE_BAD),
			text_shown(screen, member_text(row, "outcome"), safe, sizeof(safe)), screen_plain(screen));
	fputc('\n', screen->out);
}

void draw_events(const json_t *reply, const struct screen *screen)
{
	const json_t *rows = json_object_get(reply, "history");
	size_t i = json_array_size(rows);

	while (i-- > 0)
		draw_event(json_array_get(rows, i), screen);
}

void draw_tuple_diff(const json_t *reply, const struct screen *screen)
{
	const struct column columns[] = {{"LAYER"}, {member_text(reply, "a")}, {member_text(reply, "b")}, {NULL}};
	struct table *table = table_new(columns, screen);
	const json_t *layer;
	char safe[256];
	size_t i;

	json_array_foreach(json_object_get(reply, "layers"), i, layer)
	{
		const char *a = json_string_value(json_object_get(layer, "a")),
			   *b = json_string_value(json_object_get(layer, "b"));
		enum style style = json_is_true(json_object_get(layer, "differs")) ? STYLE_WARN : STYLE_PLAIN;

		table_cell(table, style, member_text(layer, "layer"));
		table_cell(table, style, a ? a : screen_none(screen));
		table_cell(table, style, b ? b : screen_none(screen));
	}
	table_print(table, 0);
	table_free(table);
	fprintf(screen->out, "%s\n", text_shown(screen, member_text(reply, "sentence"), safe, sizeof(safe)));
}

/*
 * In double quotes, with a backslash before what POSIX says is special there; systemd's EnvironmentFile= takes away those four and no
 * other. Not made safe for a terminal: a program reads it, and the texts were checked when the version was added.
 */
void draw_env(const json_t *reply, const struct screen *screen)
{
	json_t *env = json_object_get(reply, "env"), *value;
	const char *name;

	json_object_foreach(env, name, value)
	{
		const char *at = value_text(value);

		fprintf(screen->out, "%s=\"", name);
		for (; *at; at++) {
			if (strchr("\"\\`$", *at))
				fputc('\\', screen->out);
			fputc(*at, screen->out);
		}
		fputs("\"\n", screen->out);
	}
}
