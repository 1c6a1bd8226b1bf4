/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Showing the same read again each second. */
#ifndef RAINBOWCTL_WATCH_H
#define RAINBOWCTL_WATCH_H

#include "rainbowctl/render.h"

struct client;
struct request;

/*
 * Until Ctrl-C: on a terminal in place on its alternate screen, else one after the other. An unreachable rainbowd at the
 * beginning is an error; later on the last picture stays, with a note, until it answers again. Returns only with an error.
 */
int watch_run(struct client *client, const struct request *request, enum view view, const struct renderer *renderer,
	      const struct screen *screen, struct error *err);

#endif
