/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The views of the table renderer. Each draws one kind of reply; what it does not find in it, it draws as unknown. */
#ifndef RAINBOWCTL_RENDER_TABLE_H
#define RAINBOWCTL_RENDER_TABLE_H

#include <jansson.h>

struct screen;

typedef void draw_view(const json_t *reply, const struct screen *screen);

/* render_status.c */
draw_view draw_status, draw_status_detail;
/* render_lists.c */
draw_view draw_services, draw_versions, draw_steers, draw_sessions, draw_names;
/* render_history.c; draw_event: one row of the history as a line */
draw_view draw_history, draw_events, draw_event, draw_tuple_diff, draw_env;
/* render_rollout.c */
draw_view draw_rollout, draw_text;
/* render_answers.c */
draw_view draw_effect, draw_changes, draw_whois, draw_explain, draw_doctor;

#endif
