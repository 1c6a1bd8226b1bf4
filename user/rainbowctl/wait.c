// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* drain --wait: see wait.h. Asks for the status twice a second; rainbowd may come and go meanwhile. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "common/duration.h"
#include "common/error.h"
#include "rainbowctl/client.h"
#include "rainbowctl/progress.h"
#include "rainbowctl/request.h"
#include "rainbowctl/screen.h"
#include "rainbowctl/terminal.h"
#include "rainbowctl/value.h"
#include "rainbowctl/wait.h"

#define PERIOD_MS     500
#define PATIENCE_MS   60000 /* for a rainbowd that does not answer */
#define LINE_MS       2000  /* at least between two lines, where nothing can be redrawn */
#define QUIET_LINE_MS 30000 /* a line at least so often */
#define BAR_CELLS     24
#define HIDE_CURSOR   "\033[?25l"
#define SHOW_CURSOR   "\033[?25h"
#define PARTING_WORDS "\nno longer waiting; the drain goes on\n"

struct wait {
	const char *service, *label;
	const struct screen *screen;
	struct progress progress;
	int64_t began_ms, lost_ms, line_ms; /* monotonic; lost_ms 0: rainbowd answers */
	int64_t line_live;
	int64_t forced_before; /* ended by force before the wait; -1 unknown */
};

static int64_t integer_of(const json_t *json)
{
	return json_is_integer(json) ? (int64_t)json_integer_value(json) : -1;
}

static int64_t forced_of(const json_t *version)
{
	return integer_of(json_object_get(json_object_get(json_object_get(version, "sessions"), "ended"), "forced"));
}

/* ", deadline in 2h5m" into buf. */
static const char *deadline_text(const json_t *version, char *buf, size_t size)
{
	const json_t *drain = json_object_get(version, "drain");
	const char *text = json_string_value(json_object_get(drain, "deadline"));
	char left_text[DURATION_TEXT_SIZE];
	struct instant deadline;
	struct duration left;

	buf[0] = '\0';
	if (!text || instant_parse(text, &deadline, "", NULL))
		return buf;
	left.ms = (deadline.unix_ms - instant_now().unix_ms) / 1000 * 1000;
	if (left.ms > 0) {
		snprintf(buf, size, ", deadline in %s", duration_format(left, left_text));
		return buf;
	}
	left.ms = -left.ms;
	snprintf(buf, size, ", %s since %s", !strcmp(member_text(drain, "on_deadline"), "hold") ? "overdue" : "closing",
		 duration_format(left, left_text));
	return buf;
}

/* rainbowd's estimate, which knows more than we saw; else our own. */
static const char *eta_text(const struct wait *wait, const json_t *version, char buf[DURATION_TEXT_SIZE])
{
	const json_t *eta = json_object_get(json_object_get(version, "drain"), "eta_seconds");
	struct duration left = {json_is_number(eta) ? (int64_t)json_number_value(eta) * 1000
						    : progress_eta_ms(&wait->progress)};

	if (left.ms < 0)
		return "?";
	left.ms = left.ms / 1000 * 1000;
	return duration_format(left, buf);
}

static void draw_bar(const struct wait *wait)
{
	const struct screen *screen = wait->screen;
	int percent = progress_percent(&wait->progress);

	if (percent < 0)
		return;
	fputs(screen_style(screen, STYLE_GOOD), screen->out);
	for (int cell = 0; cell < BAR_CELLS; cell++) {
		if (cell == percent * BAR_CELLS / 100)
			fprintf(screen->out, "%s%s", screen_plain(screen), screen_style(screen, STYLE_DIM));
		fputs(cell < percent * BAR_CELLS / 100 ? screen_glyph(screen, "█", "#") : screen_glyph(screen, "░", "."),
		      screen->out);
	}
	fprintf(screen->out, "%s %3d %%  ", screen_plain(screen), percent);
}

/* "38 of 100 live, 4.2/min, ETA 9m, deadline in 2h5m" */
static void draw_numbers(const struct wait *wait, const json_t *version)
{
	char live[VALUE_SIZE], eta[DURATION_TEXT_SIZE], deadline[64];
	double pace = progress_pace(&wait->progress);
	FILE *out = wait->screen->out;

	fprintf(out, "%s", value_count(json_object_get(json_object_get(version, "sessions"), "live"), live));
	if (wait->progress.most >= 0)
		fprintf(out, " of %lld", (long long)wait->progress.most);
	fputs(" live, ", out);
	if (pace < 0)
		fputs("?/min", out);
	else
		fprintf(out, "%.*f/min", pace < 10 ? 1 : 0, pace);
	fprintf(out, ", ETA %s%s", eta_text(wait, version, eta), deadline_text(version, deadline, sizeof(deadline)));
}

static void draw_in_place(const struct wait *wait, const json_t *version)
{
	fprintf(wait->screen->out, "\r%s  ", wait->label);
	draw_bar(wait);
	draw_numbers(wait, version);
	fputs("\033[K", wait->screen->out);
	fflush(wait->screen->out);
}

static void draw_line(struct wait *wait, const json_t *version)
{
	int64_t now = monotonic_ms(), silence = now - wait->line_ms;

	if (wait->line_ms && silence < (wait->line_live == wait->progress.live ? QUIET_LINE_MS : LINE_MS))
		return;
	wait->line_ms = now;
	wait->line_live = wait->progress.live;
	fprintf(wait->screen->out, "%s: ", wait->label);
	draw_numbers(wait, version);
	fputc('\n', wait->screen->out);
	fflush(wait->screen->out);
}

static void draw_lost(const struct wait *wait)
{
	static const char sentence[] = "rainbowd does not answer; the drain goes on without it, waiting";

	if (wait->screen->tty)
		fprintf(wait->screen->out, "\r%s  %s\033[K", wait->label, sentence);
	else
		fprintf(wait->screen->out, "%s: %s\n", wait->label, sentence);
	fflush(wait->screen->out);
}

static void draw_end(const struct wait *wait, const json_t *version)
{
	struct duration took = {(monotonic_ms() - wait->began_ms) / 1000 * 1000};
	int64_t forced = forced_of(version);
	char text[DURATION_TEXT_SIZE];
	FILE *out = wait->screen->out;

	fprintf(out, "%s%s is drained", wait->screen->tty ? "\r\033[K" : "", wait->label);
	if (wait->progress.most > 0)
		fprintf(out, ": %lld sessions ended in %s", (long long)wait->progress.most, duration_format(took, text));
	if (wait->progress.most > 0 && forced >= 0 && wait->forced_before >= 0)
		fprintf(out, ", %lld of them closed by force", (long long)(forced - wait->forced_before));
	fputc('\n', out);
}

/* The element of the list whose member is this text, or NULL. */
static const json_t *find(const json_t *list, const char *key, const char *text)
{
	const json_t *element;
	size_t i;

	json_array_foreach(list, i, element)
	{
		if (!strcmp(member_text(element, key), text))
			return element;
	}
	return NULL;
}

static const json_t *find_version(const struct wait *wait, const json_t *status)
{
	const json_t *service = find(json_object_get(status, "services"), "name", wait->service);

	return find(json_object_get(service, "versions"), "label", wait->label);
}

/* One reading. 1: go on; 0: drained; negative: the wait has failed. */
static int judge(struct wait *wait, const json_t *status, struct error *err)
{
	const json_t *version = find_version(wait, status);
	int64_t live = integer_of(json_object_get(json_object_get(version, "sessions"), "live"));
	const char *state = member_text(version, "state");

	if (!version)
		return error_set(err, ERROR_NOT_FOUND, "", "version %s of %s was removed while waiting", wait->label,
				 wait->service);
	if (wait->progress.most < 0)
		wait->forced_before = forced_of(version);
	if (live >= 0)
		progress_add(&wait->progress, monotonic_ms(), live);
	if (!strcmp(state, "drained")) {
		draw_end(wait, version);
		return 0;
	}
	if (!strcmp(state, "active"))
		return error_set(err, ERROR_PRECONDITION, "", "version %s of %s was made active again while waiting",
				 wait->label, wait->service);
	if (wait->screen->tty)
		draw_in_place(wait, version);
	else
		draw_line(wait, version);
	return 1;
}

/* 1: it may come back; else the error. */
static int be_patient(struct wait *wait, const struct error *err)
{
	if (!wait->lost_ms) {
		wait->lost_ms = monotonic_ms();
		draw_lost(wait);
	}
	return monotonic_ms() - wait->lost_ms > PATIENCE_MS ? -(int)err->code : 1;
}

static int look(struct wait *wait, struct client *client, const struct request *request, struct error *err)
{
	json_t *status = NULL;
	int rc = client_send(client, request, &status, err);

	if (rc == -ERROR_UNREACHABLE)
		return be_patient(wait, err);
	if (rc)
		return rc;
	if (wait->lost_ms)
		wait->line_ms = 0; /* it is back: say so by a line */
	wait->lost_ms = 0;
	rc = judge(wait, status, err);
	json_decref(status);
	return rc;
}

int wait_for_drain(struct client *client, const char *service, const char *label, const struct screen *screen,
		   struct error *err)
{
	struct wait wait = {.service = service, .label = label, .screen = screen, .began_ms = monotonic_ms()};
	const struct timespec pause = {.tv_nsec = PERIOD_MS * 1000000L};
	struct request request;
	int rc;

	progress_init(&wait.progress);
	request_begin(&request, "GET", "/v1/status");
	request_query(&request, "service", service);
	fflush(screen->out);
	if (screen->tty)
		terminal_take(HIDE_CURSOR, SHOW_CURSOR, PARTING_WORDS);
	while ((rc = look(&wait, client, &request, err)) > 0)
		nanosleep(&pause, NULL);
	if (screen->tty && rc)
		fputs("\r\033[K", screen->out);
	fflush(screen->out);
	terminal_release();
	request_fini(&request);
	return rc;
}
