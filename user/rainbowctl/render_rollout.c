// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A rollout: its head line, its steps drawn as a way, and a table of its gates with both arms, the interval and the samples. Of
 * `rollout status` and, for a service that has one under way, of `status`.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "common/duration.h"
#include "rainbowctl/render_scene.h"
#include "rainbowctl/render_table.h"
#include "rainbowctl/screen.h"
#include "rainbowctl/table.h"
#include "rainbowctl/value.h"

#define FIGURE_SIZE 64

/* --- figures ---------------------------------------------------------------------------------------------------------------- */

/* "117 ms", "0.4 %", "41.2"; "–" where there is none. */
static const char *figure(const struct screen *screen, const json_t *gate, const char *key, char *buf)
{
	const json_t *json = json_object_get(gate, key);
	const char *unit = member_text(gate, "unit");
	double value = json_number_value(json);

	if (!json_is_number(json))
		return screen_none(screen);
	if (!strcmp(unit, "ratio"))
		snprintf(buf, FIGURE_SIZE, "%.1f %%", value * 100);
	else if (strcmp(unit, "seconds") != 0)
		snprintf(buf, FIGURE_SIZE, "%.4g", value);
	else if (value < 1e-3)
		snprintf(buf, FIGURE_SIZE, "%.0f us", value * 1e6);
	else if (value < 10)
		snprintf(buf, FIGURE_SIZE, "%.*f ms", value < 0.1, value * 1e3);
	else
		snprintf(buf, FIGURE_SIZE, "%.1f s", value);
	return buf;
}

/* "+0.3 pp [-0.6, +1.2]" of a ratio, "x1.30 [1.22, 1.38]" of a distribution. */
static const char *interval(const struct screen *screen, const json_t *gate, char *buf)
{
	const json_t *difference = json_object_get(gate, "difference"), *low = json_object_get(gate, "low");
	const json_t *high = json_object_get(gate, "high");
	double d = json_number_value(difference), l = json_number_value(low), h = json_number_value(high);
	bool ratio = !strcmp(member_text(gate, "unit"), "ratio");

	if (!json_is_number(difference))
		return screen_none(screen);
	if (!json_is_number(low) || !json_is_number(high))
		snprintf(buf, FIGURE_SIZE, ratio ? "%+.1f pp" : "x%.2f", ratio ? d * 100 : d);
	else if (ratio)
		snprintf(buf, FIGURE_SIZE, "%+.1f pp [%+.1f, %+.1f]", d * 100, l * 100, h * 100);
	else
		snprintf(buf, FIGURE_SIZE, "x%.2f [%.2f, %.2f]", d, l, h);
	return buf;
}

/* "412 / 1,230" */
static const char *samples(const struct screen *screen, const json_t *gate, char *buf)
{
	const json_t *sessions = json_object_get(gate, "sessions");
	const json_t *candidate = json_object_get(sessions, "candidate"), *baseline = json_object_get(sessions, "baseline");

	if (!json_is_number(candidate))
		return screen_none(screen);
	if (!json_is_number(baseline))
		snprintf(buf, FIGURE_SIZE, "%.0f", json_number_value(candidate));
	else
		snprintf(buf, FIGURE_SIZE, "%.0f / %.0f", json_number_value(candidate), json_number_value(baseline));
	return buf;
}

/* --- gates ------------------------------------------------------------------------------------------------------------------ */

static void cell_verdict(struct table *table, const struct screen *screen, const json_t *gate)
{
	const char *verdict = member_text(gate, "verdict");
	const char *mark = screen_glyph(screen, "? ", "? ");
	enum style style = STYLE_PLAIN;

	if (!strcmp(verdict, "pass")) {
		mark = screen_glyph(screen, "✔ ", "+ ");
		style = STYLE_GOOD;
	} else if (!strcmp(verdict, "fail")) {
		mark = screen_glyph(screen, "✖ ", "x ");
		style = STYLE_BAD;
	} else if (!strcmp(verdict, "error")) {
		mark = screen_glyph(screen, "⚠ ", "! ");
		style = STYLE_WARN;
	}
	table_cellf(table, style, "%s%s%s", mark, verdict, json_is_true(json_object_get(gate, "shadow")) ? " (shadow)" : "");
}

/* The reason carries the gate's name for those who see it alone. */
static const char *why(const json_t *gate)
{
	const char *name = member_text(gate, "name"), *reason = member_text(gate, "reason");
	size_t length = strlen(name);

	return !strncmp(reason, name, length) && !strncmp(reason + length, ": ", 2) ? reason + length + 2 : reason;
}

static void draw_gates(const struct screen *screen, const json_t *rollout)
{
	const char *target = member_text(rollout, "target"), *baseline = member_text(rollout, "baseline");
	const struct column columns[] = {
	    {"GATE"},
	    {"VERDICT"},
	    {target, .right = true},
	    {baseline, .right = true},
	    {"DIFFERENCE", .spare = 2},
	    {"SESSIONS", .right = true},
	    {"SOURCE", .spare = 3},
	    {"WHY", .spare = 1},
	    {NULL},
	};
	struct table *table;
	const json_t *gate;
	size_t i;
	char buf[FIGURE_SIZE];

	if (!member_size(rollout, "gates"))
		return;
	table = table_new(columns, screen);
	json_array_foreach(json_object_get(rollout, "gates"), i, gate)
	{
		table_cell(table, STYLE_BOLD, member_text(gate, "name"));
		cell_verdict(table, screen, gate);
		table_cell(table, STYLE_PLAIN, figure(screen, gate, "candidate", buf));
		table_cell(table, STYLE_PLAIN, figure(screen, gate, "baseline", buf));
		table_cell(table, STYLE_PLAIN, interval(screen, gate, buf));
		table_cell(table, STYLE_PLAIN, samples(screen, gate, buf));
		table_cell(table, STYLE_DIM, member_text(gate, "source"));
		table_cell(table, STYLE_DIM, why(gate));
	}
	table_print(table, 2);
	table_free(table);
}

/* --- the way of its steps ----------------------------------------------------------------------------------------------------- */

static bool has_ended(const json_t *rollout)
{
	return !value_unknown(json_object_get(rollout, "ended"));
}

struct mark {
	enum style style;
	const char *utf8, *ascii;
};

/* place: of the step, from 1; at: where the rollout is, or ended. */
static struct mark mark_of(const json_t *rollout, size_t place, size_t at)
{
	static const struct mark done = {STYLE_GOOD, "✔", "+"}, now = {STYLE_BOLD, "◌", "*"}, failed = {STYLE_BAD, "✖", "x"},
				 to_come = {STYLE_DIM, "○", "."};
	const char *state = member_text(rollout, "state");

	if (place < at || !strcmp(state, "complete"))
		return done;
	if (place > at)
		return to_come;
	return !has_ended(rollout) ? now : !strcmp(state, "rolled_back") ? failed : to_come;
}

/* "5 % ✔ ━━ 25 % ◌ ── 50 % ○ ── 100 % ○" */
static void draw_way(const struct screen *screen, const json_t *rollout)
{
	size_t at = (size_t)json_integer_value(json_object_get(rollout, "step")), i;
	const json_t *step;
	char buf[VALUE_SIZE];

	fputs("  ", screen->out);
	json_array_foreach(json_object_get(rollout, "steps"), i, step)
	{
		struct mark mark = mark_of(rollout, i + 1, at);
		bool walked = i < at;

		fprintf(screen->out, "%s%s%s %s%s",
			i ? screen_glyph(screen, walked ? " ━━ " : " ── ", walked ? " == " : " -- ") : "",
			screen_style(screen, mark.style), value_percent(json_object_get(step, "weight"), buf),
			screen_glyph(screen, mark.utf8, mark.ascii), screen_plain(screen));
	}
	fputc('\n', screen->out);
}

/* --- the head ----------------------------------------------------------------------------------------------------------------- */

static enum style style_of_state(const char *state)
{
	if (!strcmp(state, "complete"))
		return STYLE_GOOD;
	if (!strcmp(state, "rolled_back"))
		return STYLE_BAD;
	return !strcmp(state, "running") ? STYLE_BOLD : STYLE_WARN;
}

static void draw_now(const struct screen *screen, const json_t *rollout)
{
	const json_t *left = json_object_get(rollout, "hold_left_seconds");
	char seconds[VALUE_SIZE], percent[VALUE_SIZE];

	fprintf(screen->out, "  step %lld of %zu, %s for %s", (long long)json_integer_value(json_object_get(rollout, "step")),
		member_size(rollout, "steps"), value_percent(json_object_get(rollout, "weight"), percent),
		value_seconds(json_object_get(rollout, "step_seconds"), seconds));
	if (json_integer_value(left) > 0)
		fprintf(screen->out, ", holds %s more", value_seconds(left, seconds));
}

static void draw_head(const struct screen *screen, const json_t *rollout)
{
	const char *state = member_text(rollout, "state"), *arrow = screen_glyph(screen, " → ", " -> ");
	char safe[1024], text[256], shown_state[32];

	snprintf(shown_state, sizeof(shown_state), "%s", state);
	for (char *at = strchr(shown_state, '_'); at; at = strchr(at, '_'))
		*at = ' ';
	snprintf(text, sizeof(text), "#%lld  %s%s%s", (long long)json_integer_value(json_object_get(rollout, "number")),
		 member_text(rollout, "baseline"), arrow, member_text(rollout, "target"));
	fprintf(screen->out, "  rollout %s  %s%s%s", text_shown(screen, text, safe, sizeof(safe)),
		screen_style(screen, style_of_state(state)), shown_state, screen_plain(screen));
	if (!has_ended(rollout))
		draw_now(screen, rollout);
	if (json_is_string(json_object_get(rollout, "changed")))
		fprintf(screen->out, "  changed: %s", text_shown(screen, member_text(rollout, "changed"), safe, sizeof(safe)));
	if (json_is_string(json_object_get(rollout, "queued")))
		fprintf(screen->out, "  next: %s", text_shown(screen, member_text(rollout, "queued"), safe, sizeof(safe)));
	fputc('\n', screen->out);
}

static void draw_reason(const struct screen *screen, const json_t *rollout)
{
	char safe[1024];

	if (json_is_string(json_object_get(rollout, "reason")))
		fprintf(screen->out, "  %s%s%s\n", screen_style(screen, STYLE_DIM),
			text_shown(screen, member_text(rollout, "reason"), safe, sizeof(safe)), screen_plain(screen));
}

static void draw(const struct screen *screen, const json_t *rollout)
{
	draw_head(screen, rollout);
	draw_way(screen, rollout);
	draw_reason(screen, rollout);
	draw_gates(screen, rollout);
}

void scene_draw_rollout(const struct scene *scene, bool detail)
{
	const json_t *rollout = json_object_get(scene->service, "rollout");

	if (json_is_object(rollout) && (detail || !has_ended(rollout)))
		draw(scene->screen, rollout);
}

void draw_rollout(const json_t *reply, const struct screen *screen)
{
	const json_t *rollout = json_object_get(reply, "rollout");
	char safe[64];

	fprintf(screen->out, "%s%s%s\n", screen_style(screen, STYLE_BOLD),
		text_shown(screen, member_text(reply, "service"), safe, sizeof(safe)), screen_plain(screen));
	if (json_is_object(rollout))
		draw(screen, rollout);
	else
		fprintf(screen->out, "  no rollout yet: rainbowctl rollout start %s LABEL\n", safe);
}

void draw_text(const json_t *reply, const struct screen *screen)
{
	const char *text = member_text(reply, "text");
	char line[1024], safe[1024];

	while (*text) {
		size_t length = strcspn(text, "\n");

		snprintf(line, sizeof(line), "%.*s", (int)length, text);
		fprintf(screen->out, "%s\n", text_shown(screen, line, safe, sizeof(safe)));
		text += length + (text[length] == '\n');
	}
}
