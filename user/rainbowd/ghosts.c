// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See ghosts.h. A queue that the sweep fills and a timer works off. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <event2/event.h>
#include "common/log.h"
#include "ghosts.h"
#include "probe.h"

#define ASKS_A_SECOND 1000
#define TICK_MS       10
#define QUEUE         3072 /* of RAINBOW_DUE: the rest is always free for sessions told to die */
#define OLDEST_MS     5000 /* an ask that comes later than this is none */

struct waiting {
	struct rainbow_due due;
	int64_t listed_ms;
};

struct ghosts {
	struct daemon *daemon;
	struct event *tick;
	struct waiting queue[QUEUE];
	uint32_t first, count;
	int64_t paced_us; /* until when the pace is used up */
	bool complained;
};

static void complain(struct ghosts *ghosts, const char *what, const char *why)
{
	if (!ghosts->complained)
		log_warn("ghosts", "%s: %s; idle sessions stay until their clients can be asked", what, why);
	ghosts->complained = true;
}

static void ask(struct ghosts *ghosts, const struct rainbow_due *due)
{
	struct datapath *dp = ghosts->daemon->datapath;
	struct rainbow_asked asked = {.flow = due->flow, .last_seen = due->pin.last_seen};
	struct error err;
	int rc = probe_ask_client(ghosts->daemon->probe, &due->flow, &due->pin, datapath_service(dp, due->flow.service));

	if (rc)
		complain(ghosts, "a client can not be asked", strerror(-rc));
	else if (datapath_count_asked(dp, &asked, &err))
		complain(ghosts, "an ask can not be counted", err.message);
	else
		ghosts->complained = false;
}

static void schedule(struct ghosts *ghosts)
{
	const struct timeval after = {.tv_usec = TICK_MS * 1000};

	if (ghosts->count && !evtimer_pending(ghosts->tick, NULL))
		evtimer_add(ghosts->tick, &after);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct ghosts *ghosts = arg;
	int64_t now_ms = monotonic_ms(), now_us = now_ms * 1000;

	(void)fd;
	(void)what;
	/* What was not used of the pace is not saved up: no burst after a pause. */
	if (ghosts->paced_us < now_us - 2 * TICK_MS * 1000)
		ghosts->paced_us = now_us - 2 * TICK_MS * 1000;
	while (ghosts->count && ghosts->paced_us < now_us) {
		const struct waiting *next = &ghosts->queue[ghosts->first];

		if (now_ms - next->listed_ms <= OLDEST_MS) {
			ask(ghosts, &next->due);
			ghosts->paced_us += 1000000 / ASKS_A_SECOND;
		}
		ghosts->first = (ghosts->first + 1) % QUEUE;
		ghosts->count--;
	}
	schedule(ghosts);
}

uint32_t ghosts_limit(const struct ghosts *ghosts, int64_t pause_ms)
{
	int64_t limit = ASKS_A_SECOND * pause_ms / 1000, room = QUEUE - ghosts->count;

	if (!ghosts->daemon->probe)
		return 0;
	return (uint32_t)(limit < room ? limit : room);
}

void ghosts_take(struct ghosts *ghosts, const struct rainbow_due *due, uint32_t count, int64_t listed_ms)
{
	uint32_t i;

	for (i = 0; i < count && ghosts->count < QUEUE; i++) {
		if (due[i].pin.state == RAINBOW_PIN_KILLED)
			continue;
		ghosts->queue[(ghosts->first + ghosts->count++) % QUEUE] = (struct waiting){due[i], listed_ms};
	}
	schedule(ghosts);
}

int ghosts_new(struct ghosts **out, struct daemon *daemon, struct error *err)
{
	struct ghosts *ghosts = calloc(1, sizeof(*ghosts));

	if (!ghosts)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	ghosts->daemon = daemon;
	ghosts->tick = evtimer_new(daemon->base, on_tick, ghosts);
	*out = ghosts;
	return 0;
}

void ghosts_free(struct ghosts *ghosts)
{
	if (!ghosts)
		return;
	event_free(ghosts->tick);
	free(ghosts);
}
