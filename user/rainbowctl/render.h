/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Showing replies. A renderer draws any reply of the API: the table renderer for people (one view for each kind of reply),
 * the JSON renderer for programs, which prints what the API said. What is unknown (null) is drawn as "?" or "–", never as 0.
 */
#ifndef RAINBOWCTL_RENDER_H
#define RAINBOWCTL_RENDER_H

#include <jansson.h>

struct screen;
struct error;

enum view {
	VIEW_NONE = 0,
	VIEW_EFFECT,  /* of a change: one line */
	VIEW_CHANGES, /* of a document: a line each, and the effect */
	VIEW_STATUS,
	VIEW_STATUS_DETAIL, /* one service: backends and ends too */
	VIEW_SERVICES,
	VIEW_VERSIONS,
	VIEW_STEERS,
	VIEW_SESSIONS,
	VIEW_WHOIS,
	VIEW_EXPLAIN,
	VIEW_DOCTOR,
	VIEW_HISTORY,
	VIEW_EVENTS, /* the same, the oldest first, a line each */
	VIEW_TUPLE_DIFF,
	VIEW_ENV,
	VIEW_ROLLOUT,
	VIEW_TEXT,  /* as the reply's "text" has it */
	VIEW_NAMES, /* for completion: one word per line */
	VIEW_COUNT,
};

struct renderer {
	const char *name;
	void (*draw)(enum view view, const json_t *reply, const struct screen *screen);
	/* One error, on stderr. place: what it is about, like "rainbowctl drain: --deadline". */
	void (*error)(const struct error *err, const char *place);
};

extern const struct renderer table_renderer, json_renderer;

#endif
