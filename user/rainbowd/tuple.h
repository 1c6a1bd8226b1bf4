/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A version's tuple compared, and told to the version's own processes. Pure. */
#ifndef RAINBOW_TUPLE_H
#define RAINBOW_TUPLE_H

#include <jansson.h>
#include "model.h"

#define TUPLE_DIFF_SIZE 40

#define TUPLE_LAYERS 4
extern const char *const tuple_layers[TUPLE_LAYERS]; /* "code", "model", "prompts", "tools" */
const char *tuple_layer(const struct tuple *tuple, size_t layer);

/* The layers that differ: "model, prompts"; "" if none does. Returns buf. */
const char *tuple_diff(const struct tuple *a, const struct tuple *b, char buf[TUPLE_DIFF_SIZE]);
/*
 * The environment of the version's processes, as an object of strings: RAINBOW_SERVICE, RAINBOW_VERSION, RAINBOW_TUPLE_CODE and so on
 * ("" where the tuple says nothing), OTEL_RESOURCE_ATTRIBUTES.
 */
json_t *tuple_env(const struct service *service, const struct version *version);

#endif
