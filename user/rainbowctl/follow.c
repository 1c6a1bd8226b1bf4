// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See follow.h. Server-sent events are lines: "id: 7", "data: {...}", "event: gap", and an empty one that ends an event. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "common/error.h"
#include "rainbowctl/client.h"
#include "rainbowctl/follow.h"
#include "rainbowctl/render.h"
#include "rainbowctl/render_table.h"
#include "rainbowctl/request.h"
#include "rainbowctl/screen.h"
#include "rainbowctl/value.h"

#define LINE_MAX_SIZE (1 << 20)
#define AGAIN_MS      300

struct follow {
	const struct renderer *renderer;
	const struct screen *screen;
	int64_t last; /* id of the last row drawn, or passed over */
	char *line;   /* what came of the present one */
	size_t length, room;
	bool gap; /* the event under way is none of the history */
	bool lost;
};

static void draw_row(struct follow *follow, const char *data)
{
	json_t *row = json_loads(data, 0, NULL);
	int64_t id = (int64_t)json_integer_value(json_object_get(row, "id"));

	/* What the server sends twice is not drawn twice. */
	if (row && id > follow->last) {
		follow->last = id;
		if (follow->renderer == &json_renderer)
			fprintf(follow->screen->out, "%s\n", data);
		else
			draw_event(row, follow->screen);
		fflush(follow->screen->out);
	}
	json_decref(row);
}

static void tell_gap(struct follow *follow, const char *data)
{
	json_t *gap = json_loads(data, 0, NULL);
	int64_t from = (int64_t)json_integer_value(json_object_get(gap, "from"));
	int64_t to = (int64_t)json_integer_value(json_object_get(gap, "to"));

	fprintf(stderr, "rainbowctl events: rows %lld to %lld are not there any more\n", (long long)from, (long long)to);
	follow->last = from == follow->last + 1 ? to : from - 1; /* trimmed; or a database that began anew */
	json_decref(gap);
}

static void take_line(struct follow *follow)
{
	const char *line = follow->line;

	if (!strncmp(line, "data: ", 6) && follow->gap)
		tell_gap(follow, line + 6);
	else if (!strncmp(line, "data: ", 6))
		draw_row(follow, line + 6);
	else if (!strcmp(line, "event: gap"))
		follow->gap = true;
	else if (!*line)
		follow->gap = false;
}

static bool make_room(struct follow *follow)
{
	size_t room = follow->room ? follow->room * 2 : 4096;
	char *grown;

	if (follow->length + 1 < follow->room)
		return true;
	grown = room <= LINE_MAX_SIZE ? realloc(follow->line, room) : NULL;
	if (!grown)
		return false;
	follow->line = grown;
	follow->room = room;
	return true;
}

/* False ends the transfer. */
static bool take(void *context, const char *data, size_t length)
{
	struct follow *follow = context;

	if (follow->lost)
		fprintf(stderr, "rainbowctl events: rainbowd answers again\n");
	follow->lost = false;
	for (size_t i = 0; i < length; i++) {
		if (!make_room(follow))
			return false;
		follow->line[follow->length] = data[i] == '\n' ? '\0' : data[i];
		if (data[i] != '\n') {
			follow->length++;
			continue;
		}
		take_line(follow);
		follow->length = 0;
	}
	return !ferror(follow->screen->out);
}

static int stream(struct follow *follow, struct client *client, const char *service, struct error *err)
{
	struct request request;
	char after[24];

	follow->length = 0; /* what was cut off comes again */
	follow->gap = false;
	snprintf(after, sizeof(after), "%lld", (long long)follow->last);
	request_begin(&request, "GET", "/v1/events");
	request_query(&request, "service", service);
	request_query(&request, "after", after);
	return client_stream(client, &request, take, follow, err);
}

int follow_events(struct client *client, const char *service, const json_t *seen, const struct renderer *renderer,
		  const struct screen *screen, struct error *err)
{
	const struct timespec pause = {.tv_nsec = AGAIN_MS * 1000000L};
	struct follow follow = {.renderer = renderer, .screen = screen};
	int rc = 0;

	follow.last = (int64_t)json_integer_value(json_object_get(seen, "newest"));
	fflush(screen->out); /* what was drawn before: the next row may be far away */
	while (!ferror(screen->out)) {
		rc = stream(&follow, client, service, err);
		if (rc && rc != -ERROR_UNREACHABLE)
			break;
		if (rc && !follow.lost)
			fprintf(stderr, "rainbowctl events: rainbowd does not answer; waiting for it\n");
		follow.lost = follow.lost || rc;
		nanosleep(&pause, NULL);
	}
	free(follow.line);
	return ferror(screen->out) ? 0 : rc;
}
