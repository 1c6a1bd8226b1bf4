/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* drain --wait, and wait: following a drain or a rollout to its end. */
#ifndef RAINBOWCTL_WAIT_H
#define RAINBOWCTL_WAIT_H

#include "common/duration.h"

struct client;
struct error;
struct screen;

/* What `wait --for` says. */
struct wait_order {
	const char *drained; /* points into the text; NULL: the rollout is to be complete */
};

int wait_order_parse(const char *text, struct wait_order *order, struct error *err);

/*
 * Draws the progress on the screen (a bar redrawn in place on a terminal, lines elsewhere) until the version is drained: 0. A
 * rainbowd that does not answer is waited for, for a minute each time. -ERROR_NOT_FOUND: service or version were removed;
 * -ERROR_PRECONDITION: it was made active again; -ERROR_TIMED_OUT: after `timeout` (0: never). Ctrl-C ends the waiting, not the drain.
 */
int wait_for_drain(struct client *client, const char *service, const char *label, struct duration timeout,
		   const struct screen *screen, struct error *err);
/* Likewise, until the service's rollout is complete. -ERROR_PRECONDITION: there is none, or it ended otherwise. */
int wait_for_rollout(struct client *client, const char *service, struct duration timeout, const struct screen *screen,
		     struct error *err);

#endif
