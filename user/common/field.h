/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading a document that may hold anything. A field is a value and the path to it; what is wrong is told with that path
 * ("services[0].drain.deadline") in err->field. All field_take_* leave *out as it is where the object has no such key; null is not
 * "no such key" but an error: whoever leaves a value out in YAML has forgotten it.
 */
#ifndef RAINBOW_FIELD_H
#define RAINBOW_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include "common/addr.h"
#include "common/duration.h"
#include "common/error.h"

#define FIELD_PATH_SIZE sizeof(((struct error *)0)->field)
#define FIELD_UNKNOWN   "unknown key" /* so the sentence about one begins */

struct field {
	const json_t *json; /* borrowed */
	char path[FIELD_PATH_SIZE];
};

/* place: "", or a path that may end in a dot. */
void field_begin(struct field *field, const json_t *json, const char *place);
/* False: the object has no such key. *out is usable in errors in any case. */
bool field_member(const struct field *object, const char *key, struct field *out);
/* False: the array has no such element. */
bool field_element(const struct field *array, size_t index, struct field *out);

int field_refuse(const struct field *field, struct error *err, const char *format, ...) __attribute__((format(printf, 3, 4)));
#ifdef __clang_analyzer__ /* as error_set */
#define field_refuse(...) (field_refuse(__VA_ARGS__), -1)
#endif
/* It must be an object with no other keys than these (NULL-terminated); the nearest one is suggested. */
int field_check_object(const struct field *field, const char *const *keys, struct error *err);
/* It must be an array of at most so many elements. */
int field_check_array(const struct field *field, size_t most, struct error *err);
int field_require(const struct field *object, const char *key, struct error *err);
/* The field itself as text: *out borrowed. */
int field_text(const struct field *field, const char **out, struct error *err);

int field_take_bool(const struct field *object, const char *key, bool *out, struct error *err);
int field_take_number(const struct field *object, const char *key, uint32_t min, uint32_t max, uint32_t *out,
		      struct error *err);
int field_take_real(const struct field *object, const char *key, double min, double max, double *out, struct error *err);
/* A percentage with at most one decimal, in permille. */
int field_permille(const struct field *field, uint32_t *out, struct error *err);
/* Text of less than `size` bytes, UTF-8 without control characters. */
int field_take_text(const struct field *object, const char *key, char *out, size_t size, struct error *err);
/* none: "none" is allowed, and is 0. */
int field_take_duration(const struct field *object, const char *key, bool none, struct duration *out, struct error *err);
/* One of the words (NULL-terminated, from `first` on); *out becomes its index. */
int field_take_word(const struct field *object, const char *key, const char *const *words, unsigned int first,
		    unsigned int *out, struct error *err);
int field_take_endpoint(const struct field *object, const char *key, struct endpoint *out, struct error *err);

#endif
