/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* events -f: the history as it grows. */
#ifndef RAINBOWCTL_FOLLOW_H
#define RAINBOWCTL_FOLLOW_H

#include <jansson.h>

struct client;
struct error;
struct renderer;
struct screen;

/*
 * Draws each row that comes after those of `seen` (a reply of /v1/history), until Ctrl-C or until the screen takes no more. A rainbowd
 * that goes is waited for, and asked for what came since. service NULL: of all. Returns only with an error, or 0 when the screen is gone.
 */
int follow_events(struct client *client, const char *service, const json_t *seen, const struct renderer *renderer,
		  const struct screen *screen, struct error *err);

#endif
