// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* drain --wait, and wait: see wait.h. Asks for the status twice a second; rainbowd may come and go meanwhile. */
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
#define PARTING_WORDS "\nno longer waiting; rainbowd goes on\n"

struct wait {
	const char *service, *label; /* label: of the version, or of the service whose rollout it is */
	const struct screen *screen;
	struct progress progress;
	int64_t began_ms, lost_ms, line_ms; /* monotonic; lost_ms 0: rainbowd answers */
	int64_t line_live;
	int64_t forced_before; /* ended by force before the wait; -1 unknown */
	bool seen;             /* the version, once */
	json_int_t rollout;    /* its number; 0: none was seen yet */
	char told[96];         /* of the rollout, last */
	/* One reading. 1: go on; 0: reached; negative: the wait has failed. */
	int (*judge)(struct wait *wait, const json_t *status, struct error *err);
	const char *goes_on; /* "the drain" */
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

/* rainbowd's estimate, which knows more than we saw; else the pace that we saw, going on. */
static const char *eta_text(const struct wait *wait, const json_t *version, char buf[VALUE_SIZE])
{
	const json_t *drain = json_object_get(version, "drain");
	struct duration left = {progress_eta_ms(&wait->progress)};
	char pace[DURATION_TEXT_SIZE];

	if (json_is_number(json_object_get(drain, "eta_seconds")))
		return value_eta(drain, buf);
	if (left.ms < 0)
		return "?";
	left.ms = left.ms / 1000 * 1000;
	snprintf(buf, VALUE_SIZE, "%s at this pace", duration_format(left, pace));
	return buf;
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

/* "38 of 100 live, 4.2/min, ETA ~9m (9 in 10: 14m), deadline in 2h5m" */
static void draw_numbers(const struct wait *wait, const json_t *version)
{
	char live[VALUE_SIZE], eta[VALUE_SIZE], deadline[64];
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
	bool in_place = wait->screen->tty;

	fprintf(wait->screen->out, "%s%s%s rainbowd does not answer; %s, waiting%s", in_place ? "\r" : "", wait->label,
		in_place ? " " : ":", wait->goes_on, in_place ? "\033[K" : "\n");
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

static const json_t *versions_of(const struct wait *wait, const json_t *status)
{
	return json_object_get(find(json_object_get(status, "services"), "name", wait->service), "versions");
}

/* It went away, or was never there: then as rainbowd says it of other commands. */
static int refuse_label(const struct wait *wait, const json_t *versions, struct error *err)
{
	char known[256] = "";
	const json_t *version;
	size_t i, length = 0;

	if (wait->seen)
		return error_set(err, ERROR_NOT_FOUND, "", "version %s of %s was removed while waiting", wait->label,
				 wait->service);
	json_array_foreach(versions, i, version)
	{
		const char *label = member_text(version, "label");

		if (length + strlen(label) + sizeof(", and 99 more") > sizeof(known))
			break;
		length += (size_t)snprintf(known + length, sizeof(known) - length, "%s%s", length ? ", " : "", label);
	}
	if (i < json_array_size(versions))
		snprintf(known + length, sizeof(known) - length, " and %zu more", json_array_size(versions) - i);
	if (!length)
		return error_set(err, ERROR_NOT_FOUND, "", "service %s has no version yet", wait->service);
	return error_set(err, ERROR_NOT_FOUND, "", "service %s has no version %s; it has: %s", wait->service, wait->label,
			 known);
}

static int judge_drain(struct wait *wait, const json_t *status, struct error *err)
{
	const json_t *versions = versions_of(wait, status), *version = find(versions, "label", wait->label);
	int64_t live = integer_of(json_object_get(json_object_get(version, "sessions"), "live"));
	const char *state = member_text(version, "state");
	bool first = !wait->seen;

	if (!version)
		return refuse_label(wait, versions, err);
	wait->seen = true;
	if (first)
		wait->forced_before = forced_of(version);
	if (live >= 0)
		progress_add(&wait->progress, monotonic_ms(), live);
	if (!strcmp(state, "drained")) {
		draw_end(wait, version);
		return 0;
	}
	if (!strcmp(state, "active") && first)
		return error_set(err, ERROR_PRECONDITION, "",
				 "version %s of %s is active, it does not drain: rainbowctl drain %s %s", wait->label,
				 wait->service, wait->service, wait->label);
	if (!strcmp(state, "active"))
		return error_set(err, ERROR_PRECONDITION, "", "version %s of %s was made active again while waiting",
				 wait->label, wait->service);
	if (wait->screen->tty)
		draw_in_place(wait, version);
	else
		draw_line(wait, version);
	return 1;
}

/* A line when it says something new. */
static void tell_rollout(struct wait *wait, const json_t *rollout)
{
	const json_t *step = json_object_get(rollout, "step");
	char now[sizeof(wait->told)];

	snprintf(now, sizeof(now), "rollout %lld to %.31s is %.16s", (long long)wait->rollout, member_text(rollout, "target"),
		 member_text(rollout, "state"));
	if (json_is_integer(step))
		snprintf(now + strlen(now), sizeof(now) - strlen(now), ", step %lld", (long long)json_integer_value(step));
	if (!strcmp(now, wait->told))
		return;
	memcpy(wait->told, now, sizeof(now));
	fprintf(wait->screen->out, "%s%s: %s\n", wait->screen->tty ? "\r\033[K" : "", wait->service, now);
	fflush(wait->screen->out);
}

static int judge_rollout(struct wait *wait, const json_t *status, struct error *err)
{
	const json_t *service = find(json_object_get(status, "services"), "name", wait->service);
	const json_t *rollout = json_object_get(service, "rollout");
	json_int_t number = json_integer_value(json_object_get(rollout, "number"));
	const char *state = member_text(rollout, "state");

	if (!service)
		return error_set(err, ERROR_NOT_FOUND, "", "service %s was removed while waiting", wait->service);
	if (!number)
		return error_set(err, ERROR_PRECONDITION, "", "service %s has no rollout to wait for", wait->service);
	if (wait->rollout && number != wait->rollout)
		return error_set(err, ERROR_PRECONDITION, "", "rollout %lld of %s was superseded by rollout %lld, to %s",
				 (long long)wait->rollout, wait->service, (long long)number, member_text(rollout, "target"));
	wait->rollout = number;
	tell_rollout(wait, rollout);
	if (!strcmp(state, "complete"))
		return 0;
	if (strcmp(state, "rolled_back"))
		return 1;
	return error_set(err, ERROR_PRECONDITION, "", "rollout %lld of %s to %s was rolled back%s%s", (long long)number,
			 wait->service, member_text(rollout, "target"),
			 json_is_string(json_object_get(rollout, "reason")) ? ": " : "",
			 json_is_string(json_object_get(rollout, "reason")) ? member_text(rollout, "reason") : "");
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
	rc = wait->judge(wait, status, err);
	json_decref(status);
	return rc;
}

static int give_up(struct duration timeout, struct error *err)
{
	char text[DURATION_TEXT_SIZE];

	return error_set(err, ERROR_TIMED_OUT, "", "not reached within %s; rainbowd goes on", duration_format(timeout, text));
}

static int run(struct wait *wait, struct client *client, struct duration timeout, struct error *err)
{
	const struct timespec pause = {.tv_nsec = PERIOD_MS * 1000000L};
	const struct screen *screen = wait->screen;
	struct request request;
	int rc;

	wait->began_ms = monotonic_ms();
	progress_init(&wait->progress);
	request_begin(&request, "GET", "/v1/status");
	request_query(&request, "service", wait->service);
	fflush(screen->out);
	if (screen->tty)
		terminal_take(HIDE_CURSOR, SHOW_CURSOR, PARTING_WORDS);
	while ((rc = look(wait, client, &request, err)) > 0) {
		if (timeout.ms && monotonic_ms() - wait->began_ms >= timeout.ms) {
			rc = give_up(timeout, err);
			break;
		}
		nanosleep(&pause, NULL);
	}
	if (screen->tty && rc)
		fputs("\r\033[K", screen->out);
	fflush(screen->out);
	terminal_release();
	request_fini(&request);
	return rc;
}

int wait_for_drain(struct client *client, const char *service, const char *label, struct duration timeout,
		   const struct screen *screen, struct error *err)
{
	struct wait wait = {.service = service,
			    .label = label,
			    .screen = screen,
			    .judge = judge_drain,
			    .goes_on = "the drain goes on without it"};

	return run(&wait, client, timeout, err);
}

int wait_for_rollout(struct client *client, const char *service, struct duration timeout, const struct screen *screen,
		     struct error *err)
{
	struct wait wait = {.service = service,
			    .label = service,
			    .screen = screen,
			    .judge = judge_rollout,
			    .goes_on = "the rollout waits for it"};

	return run(&wait, client, timeout, err);
}
