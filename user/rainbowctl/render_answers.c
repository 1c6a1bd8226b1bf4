// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Views of single answers: the effect of a change, whois, explain, doctor. */
#include <stdio.h>
#include <string.h>
#include "rainbowctl/render_table.h"
#include "rainbowctl/screen.h"
#include "rainbowctl/table.h"
#include "rainbowctl/value.h"

/* Text from a reply, safe for the terminal; static, for one use at a time. */
static const char *shown(const struct screen *screen, const char *text)
{
	static char buf[2048];

	return text_shown(screen, text, buf, sizeof(buf));
}

static void draw_warnings(const json_t *reply, const struct screen *screen)
{
	const json_t *warning;
	size_t i;

	json_array_foreach(json_object_get(reply, "warnings"), i, warning)
	{
		fprintf(screen->out, "%swarning:%s %s\n", screen_style(screen, STYLE_WARN), screen_plain(screen),
			shown(screen, value_text(warning)));
	}
}

void draw_effect(const json_t *reply, const struct screen *screen)
{
	const json_t *took = json_object_get(reply, "took_ms"), *generation = json_object_get(reply, "generation");

	if (json_is_true(json_object_get(reply, "dry_run")))
		fprintf(screen->out, "dry run, nothing is changed: ");
	fputs(shown(screen, member_text(reply, "done")), screen->out);
	fputs(screen_style(screen, STYLE_DIM), screen->out);
	if (json_is_number(took))
		fprintf(screen->out, " (%.*f ms", json_number_value(took) < 10 ? 1 : 0, json_number_value(took));
	else
		fprintf(screen->out, " (? ms");
	if (json_is_integer(generation))
		fprintf(screen->out, ", generation %lld", (long long)json_integer_value(generation));
	fprintf(screen->out, ")%s\n", screen_plain(screen));
	draw_warnings(reply, screen);
}

static enum style change_style(const char *change)
{
	return *change == '+' ? STYLE_GOOD : *change == '-' ? STYLE_BAD : *change == '~' ? STYLE_WARN : STYLE_BOLD;
}

void draw_changes(const json_t *reply, const struct screen *screen)
{
	const json_t *change;
	size_t i;

	json_array_foreach(json_object_get(reply, "changes"), i, change)
	{
		const char *line = member_text(change, "change");

		fprintf(screen->out, "%s%s%s\n", screen_style(screen, change_style(line)), shown(screen, line),
			screen_plain(screen));
	}
	draw_effect(reply, screen);
}

void draw_whois(const json_t *reply, const struct screen *screen)
{
	static const struct column columns[] = {
	    {"SERVICE"},
	    {"VERSION"},
	    {"BACKEND"},
	    {"STATE"},
	    {"AGE", .right = true},
	    {"IDLE", .right = true},
	    {"TUPLE (code, model, prompts, tools)", .optional = true},
	    {NULL},
	};
	struct table *table = table_new(columns, screen);
	char buf[VALUE_SIZE], tuple[600];
	const json_t *session;
	size_t i;

	fprintf(screen->out, "%s\n", shown(screen, member_text(reply, "client")));
	json_array_foreach(json_object_get(reply, "sessions"), i, session)
	{
		table_cell(table, STYLE_PLAIN, member_text(session, "service"));
		table_cell(table, STYLE_BOLD, member_text(session, "version"));
		table_cell(table, STYLE_PLAIN, value_endpoint(json_object_get(session, "backend"), buf));
		table_cell(table, STYLE_PLAIN, member_text(session, "state"));
		table_cell(table, STYLE_PLAIN, value_seconds(json_object_get(session, "age_seconds"), buf));
		table_cell(table, STYLE_PLAIN, value_seconds(json_object_get(session, "idle_seconds"), buf));
		table_cell(table, STYLE_PLAIN, value_tuple(screen, json_object_get(session, "tuple"), tuple, sizeof(tuple)));
	}
	table_print(table, 2);
	table_free(table);
}

void draw_explain(const json_t *reply, const struct screen *screen)
{
	const json_t *version = json_object_get(reply, "version"), *backend = json_object_get(reply, "backend");
	char buf[VALUE_SIZE];

	fprintf(screen->out, "a new session of %s", shown(screen, member_text(reply, "client")));
	fprintf(screen->out, " to %s", shown(screen, member_text(reply, "service")));
	if (json_is_string(version))
		fprintf(screen->out, " gets %s%s%s", screen_style(screen, STYLE_BOLD), shown(screen, value_text(version)),
			screen_plain(screen));
	else
		fprintf(screen->out, " gets no version");
	if (!value_unknown(backend))
		fprintf(screen->out, " at %s", shown(screen, value_endpoint(backend, buf)));
	fprintf(screen->out, "\n  by rule: %s", shown(screen, member_text(reply, "rule")));
	if (json_is_string(json_object_get(reply, "detail")))
		fprintf(screen->out, " (%s)", shown(screen, member_text(reply, "detail")));
	fputc('\n', screen->out);
}

static const struct verdict {
	const char *name, *utf8, *ascii;
	enum style style;
} verdicts[] = {
    {"ok", "✔", "ok  ", STYLE_GOOD},
    {"warn", "!", "warn", STYLE_WARN},
    {"fail", "✖", "FAIL", STYLE_BAD},
    {"unknown", "?", "?   ", STYLE_DIM},
};

#define VERDICTS (sizeof(verdicts) / sizeof(verdicts[0]))

static size_t verdict_find(const char *name)
{
	for (size_t i = 0; i < VERDICTS; i++)
		if (!strcmp(verdicts[i].name, name))
			return i;
	return VERDICTS - 1;
}

static void draw_check(const json_t *check, const struct verdict *verdict, const struct screen *screen)
{
	const json_t *fix = json_object_get(check, "fix"), *subject = json_object_get(check, "subject");

	fprintf(screen->out, "%s%s%s ", screen_style(screen, verdict->style),
		screen_glyph(screen, verdict->utf8, verdict->ascii), screen_plain(screen));
	fprintf(screen->out, "%s", shown(screen, member_text(check, "name")));
	if (json_is_string(subject) && *json_string_value(subject))
		fprintf(screen->out, " %s", shown(screen, json_string_value(subject)));
	fprintf(screen->out, ": %s\n", shown(screen, member_text(check, "fact")));
	if (json_is_string(fix))
		fprintf(screen->out, "    %sfix:%s %s\n", screen_style(screen, STYLE_BOLD), screen_plain(screen),
			shown(screen, json_string_value(fix)));
}

/* "tcx: no, clsact is used" */
static void draw_feature(const json_t *feature, const struct screen *screen)
{
	bool there = json_is_true(json_object_get(feature, "there"));

	fprintf(screen->out, "  %s: %s", shown(screen, member_text(feature, "name")), there ? "yes" : "no");
	if (!there)
		fprintf(screen->out, ", %s is used", shown(screen, member_text(feature, "used")));
	fputc('\n', screen->out);
}

static void draw_features(const json_t *features, const struct screen *screen)
{
	const json_t *feature;
	size_t i;

	if (!json_array_size(features))
		return;
	fprintf(screen->out, "%sthis kernel has%s\n", screen_style(screen, STYLE_BOLD), screen_plain(screen));
	json_array_foreach(features, i, feature) draw_feature(feature, screen);
}

void draw_doctor(const json_t *reply, const struct screen *screen)
{
	size_t counts[VERDICTS] = {0}, i;
	const json_t *check;

	json_array_foreach(json_object_get(reply, "checks"), i, check)
	{
		size_t verdict = verdict_find(member_text(check, "verdict"));

		counts[verdict]++;
		draw_check(check, &verdicts[verdict], screen);
	}
	draw_features(json_object_get(reply, "features"), screen);
	fprintf(screen->out, "%zu checks: %zu ok, %zu to look at, %zu failed, %zu unknown\n",
		counts[0] + counts[1] + counts[2] + counts[3], counts[0], counts[1], counts[2], counts[3]);
}
