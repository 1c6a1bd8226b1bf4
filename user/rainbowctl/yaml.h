/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * YAML as JSON, with the place of each value; and JSON as YAML. A strict part of YAML is read, in which a text can mean one thing
 * only: one document of at most 1 MiB, 16 levels deep; no anchors, aliases, tags, no key twice. Typed are unquoted true, false, null
 * and numbers as JSON writes them, and these only where the reader of the document wants no text. JSON is YAML too.
 */
#ifndef RAINBOWCTL_YAML_H
#define RAINBOWCTL_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <jansson.h>

#define YAML_SIZE_MAX  (1 << 20)
#define YAML_DEPTH_MAX 16

struct error;
struct yaml_place;

struct yaml_at {
	unsigned int line, column; /* from 1; of characters, not bytes */
};

struct yaml {
	json_t *json;
	struct yaml_place *places; /* in the order of the text; the first is the document itself */
	size_t place_count;
	struct yaml_at wrong; /* where it could not be read */
};

/*
 * wants_text: whether a text is expected at this path ("services[0].name"). 0, or -ERROR_BAD_INPUT with err and yaml->wrong. Finish
 * with yaml_fini in any case.
 */
int yaml_read(const char *bytes, size_t size, bool (*wants_text)(const char *path), struct yaml *yaml, struct error *err);
void yaml_fini(struct yaml *yaml);
/* Where the key or element of this path is; of one that is not there: where it is missing. */
struct yaml_at yaml_find(const struct yaml *yaml, const char *path);
/* Takes the member at this path out of yaml->json; its place stays known. False: there is no such member. */
bool yaml_remove(struct yaml *yaml, const char *path);

/* 0, or -ERROR_INTERNAL. */
int yaml_print(const json_t *json, FILE *out, struct error *err);

#endif
