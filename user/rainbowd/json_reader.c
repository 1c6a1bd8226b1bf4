// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See json_reader.h. */
#include <math.h>
#include <string.h>
#include "common/text.h"
#include "json_reader.h"

int json_reader_fail(struct json_reader *reader, const char *key, const char *wrong)
{
	reader->rc = error_set(reader->err, ERROR_BAD_INPUT, key, "%s: %s %s", reader->what, key, wrong);
	return reader->rc;
}

const json_t *json_take(struct json_reader *reader, const char *key)
{
	const json_t *value = reader->rc ? NULL : json_object_get(reader->object, key);

	if (!value && !reader->rc)
		json_reader_fail(reader, key, "is missing");
	reader->taken += value != NULL;
	return value;
}

int64_t json_take_number(struct json_reader *reader, const char *key, int64_t max)
{
	const json_t *value = json_take(reader, key);
	int64_t number = json_integer_value(value);

	if (value && (!json_is_integer(value) || number < 0 || number > max))
		json_reader_fail(reader, key, "is no whole number in its range");
	return reader->rc ? 0 : number;
}

uint32_t json_take_u32(struct json_reader *reader, const char *key)
{
	return (uint32_t)json_take_number(reader, key, UINT32_MAX);
}

struct instant json_take_instant(struct json_reader *reader, const char *key)
{
	return (struct instant){json_take_number(reader, key, JSON_TIME_MAX_MS)};
}

double json_take_real(struct json_reader *reader, const char *key)
{
	const json_t *value = json_take(reader, key);
	double number = json_number_value(value);

	if (value && (!json_is_number(value) || !isfinite(number) || number < 0))
		json_reader_fail(reader, key, "is no number from 0 up");
	return reader->rc ? 0 : number;
}

bool json_take_bool(struct json_reader *reader, const char *key)
{
	const json_t *value = json_take(reader, key);

	if (value && !json_is_boolean(value))
		json_reader_fail(reader, key, "is neither true nor false");
	return json_is_true(value);
}

void json_take_text(struct json_reader *reader, const char *key, char *to, size_t size)
{
	const json_t *value = json_take(reader, key);

	if (value && (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value) ||
		      !text_copy(to, size, json_string_value(value))))
		json_reader_fail(reader, key, "is no text that fits");
}

unsigned int json_take_word(struct json_reader *reader, const char *key, const char *const *words)
{
	const json_t *value = json_take(reader, key);
	unsigned int i;

	for (i = 0; json_is_string(value) && words[i]; i++)
		if (!strcmp(words[i], json_string_value(value)))
			return i;
	if (value)
		json_reader_fail(reader, key, "is no word that is known");
	return 0;
}

const json_t *json_take_array(struct json_reader *reader, const char *key, size_t max)
{
	const json_t *value = json_take(reader, key);

	if (value && (!json_is_array(value) || json_array_size(value) > max))
		json_reader_fail(reader, key, "is no list of a length that is allowed");
	return reader->rc ? NULL : value;
}

int json_reader_end(struct json_reader *reader)
{
	if (!reader->rc && json_object_size(reader->object) != reader->taken)
		reader->rc = error_set(reader->err, ERROR_BAD_INPUT, NULL, "%s: it has a key that is unknown", reader->what);
	return reader->rc;
}
