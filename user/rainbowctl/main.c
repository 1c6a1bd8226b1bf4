// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rainbowctl: steers rainbowd through its API and shows what it says. A command line is parsed into an invocation (command.h),
 * sent (client.h) and shown (render.h). The exit code is the kind of the error (common/error.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "common/duration.h"
#include "common/error.h"
#include "rainbowctl/client.h"
#include "rainbowctl/command.h"
#include "rainbowctl/completion.h"
#include "rainbowctl/push.h"
#include "rainbowctl/follow.h"
#include "rainbowctl/declare.h"
#include "rainbowctl/screen.h"
#include "rainbowctl/usage.h"
#include "rainbowctl/value.h"
#include "rainbowctl/wait.h"
#include "rainbowctl/watch.h"

#define DEFAULT_SOCKET     "/run/rainbow/rainbow.sock"
#define DETACH_PATIENCE_MS 10000

static const struct renderer *renderer_of(const struct words *words)
{
	const char *output = words->option[OPTION_OUTPUT];

	return output && !strcmp(output, json_renderer.name) ? &json_renderer : &table_renderer;
}

/* What rainbowd or the way to it had to say; its sentences name the object themselves. */
static int report(const struct invocation *invocation, const struct error *err)
{
	char place[64];

	snprintf(place, sizeof(place), "rainbowctl %s", invocation->command->name);
	fflush(stdout);
	renderer_of(&invocation->words)->error(err, place);
	return err->code;
}

/* What was wrong with the command line: where, and how it should be. */
static int report_usage(const struct invocation *invocation, const struct error *err)
{
	const struct renderer *renderer = renderer_of(&invocation->words);
	const struct command *command = invocation->command;
	char place[160];

	snprintf(place, sizeof(place), "rainbowctl%s%s%s%s", command ? " " : "", command ? command->name : "",
		 *err->field ? ": " : "", err->field);
	renderer->error(err, place);
	if (command && renderer == &table_renderer) {
		fputs("usage: ", stderr);
		usage_line(stderr, command);
		fputc('\n', stderr);
	}
	return err->code;
}

static const char *socket_path(const struct words *words)
{
	const char *path = words->option[OPTION_SOCKET];

	if (!path)
		path = getenv("RAINBOW_SOCKET");
	return path && *path ? path : DEFAULT_SOCKET;
}

/* "12 live sessions", or that their number is not known; into buf. */
static const char *count_live(struct client *client, char *buf, size_t size, struct error *err)
{
	struct request request;
	json_t *status = NULL, *service, *version;
	json_int_t total = 0;
	size_t i, j;

	request_begin(&request, "GET", "/v1/status");
	if (client_send(client, &request, &status, err))
		return NULL;
	snprintf(buf, size, "an unknown number of live sessions");
	json_array_foreach(json_object_get(status, "services"), i, service)
	{
		json_array_foreach(json_object_get(service, "versions"), j, version)
		{
			const json_t *live = json_object_get(json_object_get(version, "sessions"), "live");

			if (!json_is_integer(live))
				goto out;
			total += json_integer_value(live);
		}
	}
	snprintf(buf, size, "%lld live sessions", (long long)total);
out:
	json_decref(status);
	return buf;
}

/* detach asks, unless told --yes: 0 to go on. */
static int confirm(struct client *client, const struct words *words, struct error *err)
{
	char answer[16], sessions[64];

	if (words_has(words, OPTION_YES) || words_has(words, OPTION_DRY_RUN))
		return 0;
	if (!isatty(STDIN_FILENO))
		return error_set(err, ERROR_BAD_INPUT, "--yes", "stdin is no terminal to ask at: give --yes to detach");
	if (!count_live(client, sessions, sizeof(sessions), err))
		return -(int)err->code;
	fprintf(stderr, "This removes rainbow's hooks and maps from this host; %s lose their way. Go on? [y/N] ", sessions);
	if (fgets(answer, sizeof(answer), stdin) && (!strcasecmp(answer, "y\n") || !strcasecmp(answer, "yes\n")))
		return 0;
	return error_set(err, ERROR_PRECONDITION, "", "not confirmed: nothing is changed");
}

/* rainbowd answers first and then removes itself: done is when nobody answers any more. */
static int await_detached(struct client *client, json_t *reply, struct error *err)
{
	const struct timespec pause = {.tv_nsec = 20000000};
	int64_t began = monotonic_ms();
	struct request request;

	request_begin(&request, "GET", "/v1/services");
	while (monotonic_ms() - began < DETACH_PATIENCE_MS) {
		json_t *answer = NULL;
		struct error lost;
		int rc = client_send(client, &request, &answer, &lost);

		json_decref(answer);
		if (rc == -ERROR_UNREACHABLE) {
			json_object_set_new(reply, "took_ms", json_integer(monotonic_ms() - began));
			return 0;
		}
		nanosleep(&pause, NULL);
	}
	return error_set(err, ERROR_INTERNAL, "", "rainbowd still answers %d s after it was told to detach: see its log",
			 DETACH_PATIENCE_MS / 1000);
}

static bool any_check_failed(const json_t *reply)
{
	const json_t *check;
	size_t i;

	json_array_foreach(json_object_get(reply, "checks"), i, check)
	{
		if (!strcmp(member_text(check, "verdict"), "fail"))
			return true;
	}
	return false;
}

/* With one service there is room for more of it. */
static enum view view_of(const struct invocation *invocation)
{
	enum view view = invocation->command->view;

	return view == VIEW_STATUS && invocation->words.argument_count ? VIEW_STATUS_DETAIL : view;
}

/* What goes on after the reply was drawn. */
static int follow(struct client *client, const struct invocation *invocation, const json_t *reply,
		  const struct renderer *renderer, const struct screen *screen, struct error *err)
{
	const struct words *words = &invocation->words;
	struct screen side;

	if (words_has(words, OPTION_FOLLOW))
		return follow_events(client, words->argument_count ? words->arguments[0] : NULL, reply, renderer, screen, err);
	if (!words_has(words, OPTION_WAIT) || words_has(words, OPTION_DRY_RUN))
		return 0;
	if (renderer == &json_renderer) { /* stdout is for the reply alone */
		screen_init(&side, stderr, words_has(words, OPTION_ASCII));
		screen = &side;
	}
	return wait_for_drain(client, words->arguments[0], words->arguments[1], (struct duration){0}, screen, err);
}

/* wait: its words were checked by its builder. */
static int run_wait(struct client *client, const struct words *words, const struct screen *screen, struct error *err)
{
	struct duration timeout = {0};
	struct wait_order order;

	wait_order_parse(words->option[OPTION_FOR], &order, NULL);
	if (words_has(words, OPTION_TIMEOUT))
		duration_parse(words->option[OPTION_TIMEOUT], &timeout, "", NULL);
	if (order.drained)
		return wait_for_drain(client, words->arguments[0], order.drained, timeout, screen, err);
	return wait_for_rollout(client, words->arguments[0], timeout, screen, err);
}

static int run(const struct invocation *invocation, struct client *client, struct error *err)
{
	const struct words *words = &invocation->words;
	const struct renderer *renderer = renderer_of(words);
	bool is_detach = !strcmp(invocation->command->name, "detach");
	json_t *reply = NULL;
	struct screen screen;
	int rc;

	screen_init(&screen, stdout, words_has(words, OPTION_ASCII));
	if (words_has(words, OPTION_WATCH))
		return watch_run(client, &invocation->request, view_of(invocation), renderer, &screen, err);
	if (words_has(words, OPTION_FOR)) {
		screen_init(&screen, renderer == &json_renderer ? stderr : stdout, words_has(words, OPTION_ASCII));
		return run_wait(client, words, &screen, err);
	}
	rc = is_detach ? confirm(client, words, err) : 0;
	if (!rc && push_is_meant(invocation))
		rc = push_lines(client, &invocation->request, stdin, &reply, err);
	else if (!rc)
		rc = client_send(client, &invocation->request, &reply, err);
	if (!rc && is_detach && !words_has(words, OPTION_DRY_RUN))
		rc = await_detached(client, reply, err);
	if (rc)
		goto out;
	renderer->draw(view_of(invocation), reply, &screen);
	if (any_check_failed(reply))
		rc = -ERROR_PRECONDITION;
	else
		rc = follow(client, invocation, reply, renderer, &screen, err);
out:
	json_decref(reply);
	return rc;
}

static int run_local(const struct invocation *invocation)
{
	if (invocation->release)
		printf("rainbowctl %s\n", RAINBOW_RELEASE);
	else if (invocation->help_topic && invocation->command)
		usage_command(stdout, invocation->command);
	else if (invocation->help_topic)
		usage_overview(stdout, invocation->help_topic);
	else
		completion_print(stdout);
	return 0;
}

static int run_remote(const struct invocation *invocation)
{
	struct error err = {ERROR_NONE};
	struct client *client = client_new(socket_path(&invocation->words), &err);
	int rc = client ? run(invocation, client, &err) : -(int)err.code;

	client_free(client);
	/* doctor fails without an error: what failed is in the reply. */
	return rc && err.code ? report(invocation, &err) : -rc;
}

static int run_invocation(int argc, char *const *argv, struct invocation *invocation)
{
	struct error err = {ERROR_NONE};

	if (invocation_parse(argc, argv, invocation, &err))
		return report_usage(invocation, &err);
	if (invocation->release || invocation->help_topic)
		return run_local(invocation);
	if (declare_takes(invocation->command))
		return declare_run(invocation, renderer_of(&invocation->words), socket_path(&invocation->words));
	if (invocation->command->kind == COMMAND_LOCAL)
		return run_local(invocation);
	return run_remote(invocation);
}

int main(int argc, char **argv)
{
	struct invocation invocation;
	int code = run_invocation(argc - 1, argv + 1, &invocation);

	invocation_fini(&invocation);
	if (fflush(stdout) || ferror(stdout)) {
		fputs("rainbowctl: stdout can not be written\n", stderr);
		return code ? code : ERROR_INTERNAL;
	}
	return code;
}
