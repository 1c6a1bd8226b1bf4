/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The few shapes that the JSON of replies and of the history is made of. New references. */
#ifndef RAINBOW_SHAPES_H
#define RAINBOW_SHAPES_H

#include <jansson.h>
#include "model.h"

/* 12.5 and 5, not 5.0. */
json_t *json_percent(uint32_t permille);
/* RFC 3339, or null for none. */
json_t *json_instant(struct instant at);
json_t *json_unless(bool unknown, json_t *value);
json_t *json_endpoint(const struct endpoint *at);
/* null for "". */
json_t *json_text(const char *text);
json_t *json_tuple(const struct tuple *tuple);
/* {"since", "uid", "reason"}, or null. */
json_t *json_lock(const struct lock *lock);

#endif
