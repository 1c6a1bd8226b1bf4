/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A cursor over the members of a JSON object that has to be complete: each member is taken once, by its type, and at the end nothing
 * else may be left. The first that is wrong stays in err; what is taken after it is 0 or empty. For what the program itself stored.
 */
#ifndef RAINBOW_JSON_READER_H
#define RAINBOW_JSON_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include "common/duration.h"
#include "common/error.h"

#define JSON_TIME_MAX_MS (1ll << 53) /* beyond any date; far from where sums overflow */

struct json_reader {
	const json_t *object; /* what is no object has no member */
	const char *what;     /* for the sentence: "rollout" */
	struct error *err;
	size_t taken;
	int rc; /* 0, or -ERROR_BAD_INPUT */
};

/* NULL: it is missing, or something was wrong before. */
const json_t *json_take(struct json_reader *reader, const char *key);
int64_t json_take_number(struct json_reader *reader, const char *key, int64_t max);
uint32_t json_take_u32(struct json_reader *reader, const char *key);
struct instant json_take_instant(struct json_reader *reader, const char *key);
double json_take_real(struct json_reader *reader, const char *key); /* finite, from 0 up */
bool json_take_bool(struct json_reader *reader, const char *key);
void json_take_text(struct json_reader *reader, const char *key, char *to, size_t size);
/* The place of the word in the list, which ends with NULL. */
unsigned int json_take_word(struct json_reader *reader, const char *key, const char *const *words);
const json_t *json_take_array(struct json_reader *reader, const char *key, size_t max);
/* "rollout: KEY WRONG"; returns reader->rc. */
int json_reader_fail(struct json_reader *reader, const char *key, const char *wrong);
/* All has been taken; returns reader->rc. */
int json_reader_end(struct json_reader *reader);

#endif
