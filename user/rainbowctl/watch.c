// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Showing the same read again each second: see watch.h. A frame is drawn into memory and written at once, so nothing flickers. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "common/duration.h"
#include "common/error.h"
#include "rainbowctl/client.h"
#include "rainbowctl/request.h"
#include "rainbowctl/screen.h"
#include "rainbowctl/terminal.h"
#include "rainbowctl/watch.h"

#define PERIOD_MS 1000

/* Alternate screen, no cursor, no wrapping of long lines; and back. */
#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

struct watch {
	const struct request *request;
	enum view view;
	const struct renderer *renderer;
	const struct screen *screen;
	json_t *reply;      /* the last that came */
	int64_t lost_since; /* monotonic ms; 0: rainbowd answers */
};

static void draw_title(const struct watch *watch, const struct screen *screen)
{
	time_t now = (time_t)(instant_now().unix_ms / 1000);
	char clock[16] = "", since[DURATION_TEXT_SIZE];
	struct tm tm;

	if (localtime_r(&now, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	fprintf(screen->out, "%s%s  each second, Ctrl-C ends%s", screen_style(screen, STYLE_DIM), clock, screen_plain(screen));
	if (watch->lost_since) {
		struct duration lost = {(monotonic_ms() - watch->lost_since) / 1000 * 1000};

		fprintf(screen->out, "  %srainbowd does not answer since %s: this is the last picture%s",
			screen_style(screen, STYLE_BAD), duration_format(lost, since), screen_plain(screen));
	}
	fputs("\n\n", screen->out);
}

/* The picture's lines from the top, as many as there is room for, each cleared to its end. */
static void put_frame(const struct screen *screen, const char *frame)
{
	int line = 0;

	fputs("\033[H", screen->out);
	while (*frame && (!screen->height || line + 1 < screen->height)) {
		size_t length = strcspn(frame, "\n");

		fwrite(frame, 1, length, screen->out);
		fputs("\033[K\n", screen->out);
		frame += length + (frame[length] == '\n');
		line++;
	}
	fputs("\033[J", screen->out);
	fflush(screen->out);
}

static void draw_in_place(const struct watch *watch)
{
	struct screen now, canvas;
	size_t size = 0;
	char *frame = NULL;

	screen_init(&now, watch->screen->out, !watch->screen->utf8); /* it may have been resized */
	canvas = now;
	canvas.out = open_memstream(&frame, &size);
	if (!canvas.out)
		return;
	draw_title(watch, &canvas);
	watch->renderer->draw(watch->view, watch->reply, &canvas);
	fclose(canvas.out);
	put_frame(&now, frame);
	free(frame);
}

static void draw(const struct watch *watch)
{
	if (watch->screen->tty && watch->renderer == &table_renderer) {
		draw_in_place(watch);
		return;
	}
	if (watch->lost_since)
		return;
	watch->renderer->draw(watch->view, watch->reply, watch->screen);
	if (watch->renderer == &table_renderer)
		fputc('\n', watch->screen->out);
	fflush(watch->screen->out);
}

static void sleep_until(int64_t monotonic)
{
	int64_t left = monotonic - monotonic_ms();
	struct timespec pause = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};

	if (left > 0)
		nanosleep(&pause, NULL);
}

/* One more reading; an unreachable rainbowd is waited for. */
static int look(struct watch *watch, struct client *client, struct error *err)
{
	json_t *reply = NULL;
	int rc = client_send(client, watch->request, &reply, err);

	if (rc == -ERROR_UNREACHABLE && watch->reply) {
		if (!watch->lost_since)
			watch->lost_since = monotonic_ms();
		return 0;
	}
	if (rc)
		return rc;
	watch->lost_since = 0;
	json_decref(watch->reply);
	watch->reply = reply;
	return 0;
}

int watch_run(struct client *client, const struct request *request, enum view view, const struct renderer *renderer,
	      const struct screen *screen, struct error *err)
{
	struct watch watch = {request, view, renderer, screen, NULL, 0};
	int64_t next = monotonic_ms();
	int rc = look(&watch, client, err);

	if (!rc && screen->tty && renderer == &table_renderer)
		terminal_take(ENTER, LEAVE, "");
	while (!rc && !ferror(screen->out)) {
		draw(&watch);
		next += PERIOD_MS;
		if (next < monotonic_ms())
			next = monotonic_ms();
		sleep_until(next);
		rc = look(&watch, client, err);
	}
	terminal_release();
	json_decref(watch.reply);
	return rc;
}
