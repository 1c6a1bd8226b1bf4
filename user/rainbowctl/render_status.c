// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The view of `status`: for each service a head line, the rainbow (how the weights divide new sessions, and how the live ones
 * are divided), a table of versions; at the foot what rainbowd and the kernel say of themselves.
 */
#include <stdio.h>
#include <string.h>
#include "common/duration.h"
#include "rainbowctl/render_scene.h"
#include "rainbowctl/render_table.h"
#include "rainbowctl/screen.h"
#include "rainbowctl/table.h"
#include "rainbowctl/value.h"

#define BAR_CELLS 50

static bool is_draining(const json_t *version)
{
	return !strcmp(member_text(version, "state"), "draining");
}

/* Sessions ended for any reason, as a number; NULL if one reason is unknown. The caller's. */
static json_t *ended_total(const json_t *version)
{
	static const char *const reasons[] = {"fin", "reset_client", "reset_server", "idle", "forced", "vanished"};
	const json_t *ended = sessions_of(version, "ended");
	json_int_t total = 0;

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		const json_t *count = json_object_get(ended, reasons[i]);

		if (!json_is_integer(count))
			return NULL;
		total += json_integer_value(count);
	}
	return json_integer(total);
}

static void scene_init(struct scene *scene, const json_t *service, const struct screen *screen)
{
	const char *labels[RAINBOW_MAX_VERSIONS_PER_SERVICE];

	scene->screen = screen;
	scene->service = service;
	scene->versions = json_object_get(service, "versions");
	scene->count = json_array_size(scene->versions);
	if (scene->count > RAINBOW_MAX_VERSIONS_PER_SERVICE)
		scene->count = RAINBOW_MAX_VERSIONS_PER_SERVICE;
	for (size_t i = 0; i < scene->count; i++)
		labels[i] = member_text(json_array_get(scene->versions, i), "label");
	colours_assign(labels, scene->count, scene->colours);
}

/* What stands for a version in the bars: its colour, or without colours one of a few fills. */
static const char *fill_of(const struct scene *scene, size_t version)
{
	static const char *const utf8[] = {"█", "▒", "▓", "░"};
	static const char *const ascii[] = {"#", "=", "+", ":", "o", "%"};

	if (scene->screen->utf8)
		return scene->screen->colour ? utf8[0] : utf8[version % 4];
	return ascii[version % 6];
}

static void draw_bar(const struct scene *scene, const char *title, const double *shares)
{
	unsigned int cells[RAINBOW_MAX_VERSIONS_PER_SERVICE], width = BAR_CELLS;
	const struct screen *screen = scene->screen;

	if (screen->width && screen->width < BAR_CELLS + 8)
		width = screen->width > 20 ? (unsigned int)screen->width - 8 : 12;
	cells_divide(shares, scene->count, width, cells);
	fprintf(screen->out, "  %s%-4s%s  ", screen_style(screen, STYLE_DIM), title, screen_plain(screen));
	for (size_t i = 0; i < scene->count; i++) {
		fputs(screen_style(screen, STYLE_VERSION + scene->colours[i]), screen->out);
		for (unsigned int cell = 0; cell < cells[i]; cell++)
			fputs(fill_of(scene, i), screen->out);
	}
	fprintf(screen->out, "%s\n", screen_plain(screen));
}

/* A bar of numbers of the versions; none if one is unknown or all are 0. */
static void draw_bar_of(const struct scene *scene, const char *title, const json_t *(*number_of)(const json_t *version))
{
	double shares[RAINBOW_MAX_VERSIONS_PER_SERVICE], total = 0;

	for (size_t i = 0; i < scene->count; i++) {
		const json_t *number = number_of(json_array_get(scene->versions, i));

		if (!json_is_number(number) || json_number_value(number) < 0)
			return;
		shares[i] = json_number_value(number);
		total += shares[i];
	}
	if (total > 0)
		draw_bar(scene, title, shares);
}

static const json_t *weight_of(const json_t *version)
{
	return json_object_get(version, "weight");
}

static const json_t *live_of(const json_t *version)
{
	return sessions_of(version, "live");
}

static void draw_head(const struct scene *scene)
{
	const struct screen *screen = scene->screen;
	const char *dot = screen_glyph(screen, " · ", " | ");
	char buf[VALUE_SIZE], text[512], safe[512];

	fprintf(screen->out, "%s%s%s  ", screen_style(screen, STYLE_BOLD),
		text_shown(screen, member_text(scene->service, "name"), safe, sizeof(safe)), screen_plain(screen));
	snprintf(text, sizeof(text), "%s/%s  ", value_endpoint(scene->service, buf), member_text(scene->service, "protocol"));
	fputs(text_shown(screen, text, safe, sizeof(safe)), screen->out);
	snprintf(text, sizeof(text), "%s%saffinity %s%sselection %s%sgeneration %s", member_text(scene->service, "mode"), dot,
		 member_text(scene->service, "affinity"), dot, member_text(scene->service, "selection"), dot,
		 value_count(json_object_get(scene->service, "generation"), buf));
	fprintf(screen->out, "%s%s%s\n", screen_style(screen, STYLE_DIM), text_shown(screen, text, safe, sizeof(safe)),
		screen_plain(screen));
}

/* "  locked by uid 0 since 2026-11-26T09:00:00Z: why" */
static void draw_lock(const struct scene *scene)
{
	const json_t *lock = json_object_get(scene->service, "lock"), *uid = json_object_get(lock, "uid");
	const struct screen *screen = scene->screen;
	char text[512], safe[512], who[VALUE_SIZE];

	if (!json_is_object(lock))
		return;
	snprintf(text, sizeof(text), "locked by %s since %s: %s", value_user(uid, who), member_text(lock, "since"),
		 member_text(lock, "reason"));
	fprintf(screen->out, "  %s%s%s\n", screen_style(screen, STYLE_WARN), text_shown(screen, text, safe, sizeof(safe)),
		screen_plain(screen));
}

static void draw_quarantine(const struct scene *scene)
{
	const struct screen *screen = scene->screen;
	char text[512], safe[512];

	for (size_t i = 0; i < scene->count; i++) {
		const json_t *version = json_array_get(scene->versions, i), *why = json_object_get(version, "quarantine");

		if (!json_is_string(why))
			continue;
		snprintf(text, sizeof(text), "%s is in quarantine: %s", member_text(version, "label"), value_text(why));
		fprintf(screen->out, "  %s%s%s\n", screen_style(screen, STYLE_WARN),
			text_shown(screen, text, safe, sizeof(safe)), screen_plain(screen));
	}
}

/* "v1: on_warn failed (try 2): no answer; it is called again" */
static void draw_duty(const struct screen *screen, const json_t *version, const char *name, const json_t *duty)
{
	bool given_up = !strcmp(member_text(duty, "outcome"), "given_up");
	const json_t *why = json_object_get(duty, "why");
	char text[512], safe[512], tries[VALUE_SIZE];

	if (!json_is_string(why))
		return;
	snprintf(text, sizeof(text), "%s: %s failed (try %s): %s; %s", member_text(version, "label"), name,
		 value_count(json_object_get(duty, "tries"), tries), value_text(why),
		 given_up ? "it is given up" : "it is called again");
	fprintf(screen->out, "  %s%s%s\n", screen_style(screen, given_up ? STYLE_BAD : STYLE_WARN),
		text_shown(screen, text, safe, sizeof(safe)), screen_plain(screen));
}

static void draw_duties(const struct scene *scene)
{
	for (size_t i = 0; i < scene->count; i++) {
		const json_t *version = json_array_get(scene->versions, i);
		json_t *duties = json_object_get(json_object_get(version, "drain"), "duties"), *duty;
		const char *name;

		json_object_foreach(duties, name, duty) draw_duty(scene->screen, version, name, duty);
	}
}

static void cell_state(struct table *table, const struct screen *screen, const json_t *version)
{
	const char *state = member_text(version, "state");

	if (!strcmp(state, "active"))
		table_cellf(table, STYLE_GOOD, "%s%s", screen_glyph(screen, "● ", ""), state);
	else if (!strcmp(state, "draining"))
		table_cellf(table, STYLE_WARN, "%s%s", screen_glyph(screen, "◐ ", ""), state);
	else
		table_cellf(table, STYLE_DIM, "%s%s", !strcmp(state, "drained") ? screen_glyph(screen, "○ ", "") : "", state);
}

/* Of a draining version: "in 2h5m", "overdue 3m", "none". */
static void cell_deadline(struct table *table, const struct screen *screen, const json_t *version)
{
	const json_t *drain = json_object_get(version, "drain");
	const char *text = json_string_value(json_object_get(drain, "deadline"));
	char buf[DURATION_TEXT_SIZE];
	struct instant deadline;
	struct duration left;

	if (!is_draining(version) || !json_is_object(drain)) {
		table_cell(table, STYLE_PLAIN, screen_none(screen));
		return;
	}
	if (!text || instant_parse(text, &deadline, "", NULL)) {
		table_cell(table, STYLE_PLAIN, text ? "?" : "never");
		return;
	}
	left.ms = deadline.unix_ms - instant_now().unix_ms;
	if (left.ms >= 0) {
		left.ms = left.ms >= 1000 ? left.ms / 1000 * 1000 : 0;
		table_cellf(table, STYLE_PLAIN, "in %s", duration_format(left, buf));
	} else {
		left.ms = -left.ms;
		table_cellf(table, STYLE_BAD, "overdue %s", duration_format(left, buf));
	}
}

static void cell_eta(struct table *table, const struct screen *screen, const json_t *version)
{
	char buf[VALUE_SIZE];

	table_cell(table, STYLE_PLAIN,
		   is_draining(version) ? value_eta(json_object_get(version, "drain"), buf) : screen_none(screen));
}

/* null is "there is none" where there is nothing to have it of, and unknown elsewhere. */
static const char *seconds_or_none(const struct screen *screen, const json_t *seconds, const json_t *live, char *buf)
{
	if (value_unknown(seconds) && json_is_integer(live) && !json_integer_value(live))
		return screen_none(screen);
	return value_seconds(seconds, buf);
}

static void version_row(struct table *table, const struct scene *scene, size_t i)
{
	const json_t *version = json_array_get(scene->versions, i), *live = live_of(version);
	const json_t *share = json_object_get(version, "share_of_new");
	const struct screen *screen = scene->screen;
	enum style own = STYLE_VERSION + scene->colours[i];
	json_t *ended = ended_total(version);
	char buf[VALUE_SIZE], tuple[600];
	bool active = !strcmp(member_text(version, "state"), "active");

	table_cell(table, own, screen->colour ? screen_glyph(screen, "■", "#") : fill_of(scene, i));
	table_cell(table, own, member_text(version, "label"));
	cell_state(table, screen, version);
	table_cell(table, STYLE_PLAIN, active ? value_percent(weight_of(version), buf) : screen_none(screen));
	table_cell(table, STYLE_PLAIN, value_unknown(share) ? screen_none(screen) : value_percent(share, buf));
	table_cell(table, STYLE_BOLD, value_count(live, buf));
	table_cell(table, STYLE_PLAIN, value_count(sessions_of(version, "closing"), buf));
	table_cell(table, STYLE_PLAIN, value_count(sessions_of(version, "opened"), buf));
	table_cell(table, STYLE_PLAIN, value_count(ended, buf));
	table_cell(table, STYLE_PLAIN, value_count(json_object_get(sessions_of(version, "ended"), "forced"), buf));
	table_cell(table, STYLE_PLAIN, value_count(sessions_of(version, "refused"), buf));
	table_cell(table, STYLE_PLAIN, seconds_or_none(screen, json_object_get(version, "oldest_seconds"), live, buf));
	cell_deadline(table, screen, version);
	cell_eta(table, screen, version);
	table_cellf(table, STYLE_PLAIN, "%zu", member_size(version, "backends"));
	table_cell(table, STYLE_DIM, value_tuple(screen, json_object_get(version, "tuple"), tuple, sizeof(tuple)));
	json_decref(ended);
}

static void draw_table_of_versions(const struct scene *scene)
{
	static const struct column columns[] = {
	    {""},
	    {"VERSION"},
	    {"STATE"},
	    {"WEIGHT", .right = true},
	    {"OF NEW", .right = true, .spare = 2},
	    {"LIVE", .right = true},
	    {"CLOSING", .right = true, .spare = 6},
	    {"OPENED", .right = true, .spare = 3},
	    {"ENDED", .right = true, .spare = 4},
	    {"FORCED", .right = true, .spare = 5},
	    {"REFUSED", .right = true, .spare = 5},
	    {"OLDEST", .right = true, .spare = 1},
	    {"DEADLINE", .optional = true},
	    {"ETA", .right = true, .optional = true},
	    {"BACKENDS", .right = true, .spare = 7},
	    {"TUPLE (code, model, prompts, tools)", .optional = true},
	};
	/* All of TABLE_COLUMNS: no end mark is needed. */
	_Static_assert(sizeof(columns) / sizeof(columns[0]) == TABLE_COLUMNS, "the list needs its end mark");
	struct table *table = table_new(columns, scene->screen);

	for (size_t i = 0; i < scene->count; i++)
		version_row(table, scene, i);
	table_print(table, 2);
	table_free(table);
}

static void draw_service(const struct scene *scene, bool detail)
{
	draw_head(scene);
	draw_lock(scene);
	if (!scene->count) {
		fprintf(scene->screen->out, "  no version yet: rainbowctl version add %s LABEL --backend ADDR:PORT\n",
			member_text(scene->service, "name"));
		return;
	}
	scene_draw_rollout(scene, detail);
	draw_bar_of(scene, "new", weight_of);
	draw_bar_of(scene, "live", live_of);
	draw_table_of_versions(scene);
	draw_quarantine(scene);
	draw_duties(scene);
}

static void draw_hooks(const json_t *daemon, const struct screen *screen)
{
	const json_t *hook;
	char safe[VALUE_SIZE];
	size_t i;

	json_array_foreach(json_object_get(daemon, "hooks"), i, hook)
	{
		bool attached = json_is_true(json_object_get(hook, "attached"));

		fprintf(screen->out, "%s%s ", i ? ", " : "  hooks ",
			text_shown(screen, member_text(hook, "interface"), safe, sizeof(safe)));
		fputs(text_shown(screen, member_text(hook, "kind"), safe, sizeof(safe)), screen->out);
		if (!attached)
			fprintf(screen->out, " %snot attached%s", screen_style(screen, STYLE_BAD), screen_plain(screen));
	}
}

/* "hooks eth0 tc  pins 5,210 of 262,144  drift 0  rainbowd 0.1.0" */
static void draw_foot(const json_t *reply, const struct screen *screen)
{
	const json_t *daemon = json_object_get(reply, "daemon"), *drift = json_object_get(reply, "count_drift");
	const json_t *pins = json_object_get(daemon, "pins");
	char buf[VALUE_SIZE], safe[VALUE_SIZE];
	bool drifts = json_is_number(drift) && json_number_value(drift) > 0;

	draw_hooks(daemon, screen);
	if (daemon) {
		fprintf(screen->out, "  pins %s", value_count(json_object_get(pins, "used"), buf));
		fprintf(screen->out, " of %s", value_count(json_object_get(pins, "limit"), buf));
	}
	fprintf(screen->out, "  drift %s%s%s", drifts ? screen_style(screen, STYLE_BAD) : "", value_count(drift, buf),
		drifts ? screen_plain(screen) : "");
	if (daemon)
		fprintf(screen->out, "  rainbowd %s", text_shown(screen, member_text(daemon, "version"), safe, sizeof(safe)));
	fputc('\n', screen->out);
}

static void draw(const json_t *reply, const struct screen *screen, bool detail)
{
	struct scene scene;
	const json_t *service;
	size_t i;

	if (!member_size(reply, "services"))
		fprintf(screen->out, "no services yet: make one with rainbowctl service add NAME ADDR:PORT\n");
	json_array_foreach(json_object_get(reply, "services"), i, service)
	{
		scene_init(&scene, service, screen);
		draw_service(&scene, detail);
		if (detail && scene.count) {
			scene_draw_detail(&scene);
		}
		fputc('\n', screen->out);
	}
	draw_foot(reply, screen);
}

void draw_status(const json_t *reply, const struct screen *screen)
{
	draw(reply, screen, false);
}

void draw_status_detail(const json_t *reply, const struct screen *screen)
{
	draw(reply, screen, true);
}
