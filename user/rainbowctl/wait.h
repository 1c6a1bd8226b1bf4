/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* drain --wait: following a drain to its end. */
#ifndef RAINBOWCTL_WAIT_H
#define RAINBOWCTL_WAIT_H

struct client;
struct error;
struct screen;

/*
 * Draws the progress on the screen (a bar redrawn in place on a terminal, lines elsewhere) until the version is drained: 0. A
 * rainbowd that does not answer is waited for, for a minute each time. -ERROR_NOT_FOUND: service or version were removed;
 * -ERROR_PRECONDITION: it was made active again. Ctrl-C ends the waiting, not the drain.
 */
int wait_for_drain(struct client *client, const char *service, const char *label, const struct screen *screen,
		   struct error *err);

#endif
