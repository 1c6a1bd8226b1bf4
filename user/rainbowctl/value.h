/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Members of a reply as text for people. json may be NULL (the member is missing) or null: both are unknown, "?". All return
 * buf, which holds VALUE_SIZE bytes, or a constant.
 */
#ifndef RAINBOWCTL_VALUE_H
#define RAINBOWCTL_VALUE_H

#include <stdbool.h>
#include <jansson.h>

#define VALUE_SIZE 192

struct screen;

/* "5,210" */
const char *value_count(const json_t *json, char *buf);
/* A number of percent: "12.5 %" */
const char *value_percent(const json_t *json, char *buf);
/* A number of seconds: "2h5m" */
const char *value_seconds(const json_t *json, char *buf);
/* When a drain is over: "~4h (9 in 10: 9h)"; "?" while rainbowd can not tell. */
const char *value_eta(const json_t *drain, char *buf);
/* A string as it is. */
const char *value_text(const json_t *json);
/* "10.0.0.1:80", "[2001:db8::1]:80" from a string, or from an object with address and perhaps port. */
const char *value_endpoint(const json_t *json, char *buf);
/* code, model, prompts and tools of a version's tuple in one text; "–" if it has none. size: of buf. */
const char *value_tuple(const struct screen *screen, const json_t *tuple, char *buf, size_t size);

/* A uid as its user's name, or "uid 1000" where it has none. */
const char *value_user(const json_t *uid, char *buf);

/* True for a missing member and for null. */
bool value_unknown(const json_t *json);
/* The text of a member. */
const char *member_text(const json_t *object, const char *key);
/* The elements of a member that is an array; 0 if it is none. */
size_t member_size(const json_t *object, const char *key);

#endif
