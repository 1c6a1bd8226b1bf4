/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is drawn of one service in `status`, between render_status.c and render_detail.c. */
#ifndef RAINBOWCTL_RENDER_SCENE_H
#define RAINBOWCTL_RENDER_SCENE_H

#include <stdbool.h>
#include <jansson.h>
#include <rainbow/types.h>

struct screen;

struct scene {
	const struct screen *screen;
	const json_t *service;
	const json_t *versions;
	size_t count;
	unsigned int colours[RAINBOW_MAX_VERSIONS_PER_SERVICE];
};

/* A member of a version's "sessions". */
static inline const json_t *sessions_of(const json_t *version, const char *key)
{
	return json_object_get(json_object_get(version, "sessions"), key);
}

/* render_rollout.c: the rollout under way, in detail also the last one. */
void scene_draw_rollout(const struct scene *scene, bool detail);
/* render_detail.c: backends, why sessions ended, packets. */
void scene_draw_detail(const struct scene *scene);

#endif
