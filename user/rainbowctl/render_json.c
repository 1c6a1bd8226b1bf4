// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The renderer for programs: the API's reply, as it came; of events each row, a line. */
#include <stdio.h>
#include "common/error.h"
#include "rainbowctl/render.h"
#include "rainbowctl/screen.h"

#define DIGITS JSON_REAL_PRECISION(15) /* 33.3 stays 33.3 */

static void draw(enum view view, const json_t *reply, const struct screen *screen)
{
	const json_t *rows = json_object_get(reply, "history");
	size_t i = json_array_size(rows);

	while (view == VIEW_EVENTS && i-- > 0) {
		json_dumpf(json_array_get(rows, i), screen->out, DIGITS | JSON_COMPACT);
		fputc('\n', screen->out);
	}
	if (view == VIEW_EVENTS)
		return;
	json_dumpf(reply, screen->out, DIGITS | (screen->tty ? JSON_INDENT(2) : JSON_COMPACT));
	fputc('\n', screen->out);
}

static void error(const struct error *err, const char *place)
{
	json_t *json = json_pack("{s:{s:s,s:s,s:s}}", "error", "code", error_code_name(err->code), "message", err->message,
				 "field", err->field);

	(void)place;
	json_dumpf(json, stderr, JSON_COMPACT);
	fputc('\n', stderr);
	json_decref(json);
}

const struct renderer json_renderer = {"json", draw, error};
