// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The renderer for people: one view for each kind of reply. */
#include <stdio.h>
#include "common/error.h"
#include "rainbowctl/render.h"
#include "rainbowctl/render_table.h"

static void draw(enum view view, const json_t *reply, const struct screen *screen)
{
	static draw_view *const views[VIEW_COUNT] = {
	    [VIEW_EFFECT] = draw_effect,         [VIEW_STATUS] = draw_status,     [VIEW_STATUS_DETAIL] = draw_status_detail,
	    [VIEW_SERVICES] = draw_services,     [VIEW_VERSIONS] = draw_versions, [VIEW_STEERS] = draw_steers,
	    [VIEW_SESSIONS] = draw_sessions,     [VIEW_WHOIS] = draw_whois,       [VIEW_EXPLAIN] = draw_explain,
	    [VIEW_DOCTOR] = draw_doctor,         [VIEW_HISTORY] = draw_history,   [VIEW_EVENTS] = draw_events,
	    [VIEW_TUPLE_DIFF] = draw_tuple_diff, [VIEW_ENV] = draw_env,           [VIEW_NAMES] = draw_names,
	    [VIEW_CHANGES] = draw_changes,       [VIEW_ROLLOUT] = draw_rollout,   [VIEW_TEXT] = draw_text,
	};

	if (views[view])
		views[view](reply, screen);
}

static void error(const struct error *err, const char *place)
{
	fprintf(stderr, "%s: %s\n", place, err->message);
}

const struct renderer table_renderer = {"table", draw, error};
