// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See field.h. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "common/field.h"
#include "common/text.h"

void field_begin(struct field *field, const json_t *json, const char *place)
{
	size_t length = strlen(place);

	field->json = json;
	snprintf(field->path, sizeof(field->path), "%.*s", (int)(length && place[length - 1] == '.' ? length - 1 : length),
		 place);
}

/* What does not fit is cut off. `out` may be `field`. */
static void set_path(struct field *out, const struct field *field, const char *rest)
{
	size_t length = strlen(field->path);

	memmove(out->path, field->path, length);
	snprintf(out->path + length, sizeof(out->path) - length, "%s", rest);
}

bool field_member(const struct field *object, const char *key, struct field *out)
{
	const json_t *json = json_object_get(object->json, key);
	char rest[FIELD_PATH_SIZE];

	snprintf(rest, sizeof(rest), "%s%s", object->path[0] ? "." : "", key);
	set_path(out, object, rest);
	out->json = json;
	return json;
}

bool field_element(const struct field *array, size_t index, struct field *out)
{
	const json_t *json = json_array_get(array->json, index);
	char rest[32];

	snprintf(rest, sizeof(rest), "[%zu]", index);
	set_path(out, array, rest);
	out->json = json;
	return json;
}

#undef field_refuse /* see field.h */
int field_refuse(const struct field *field, struct error *err, const char *format, ...)
{
	char message[sizeof(err->message)];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	return error_set(err, ERROR_BAD_INPUT, field->path, "%s", message);
}

static bool is_listed(const char *const *list, const char *word)
{
	for (; *list; list++)
		if (!strcmp(*list, word))
			return true;
	return false;
}

static int refuse_key(const struct field *object, const char *key, const char *const *keys, struct error *err)
{
	const char *nearest = text_nearest(key, keys);
	struct field field;

	field_member(object, key, &field);
	if (nearest)
		return field_refuse(&field, err, FIELD_UNKNOWN "; did you mean %s?", nearest);
	return field_refuse(&field, err, FIELD_UNKNOWN);
}

int field_check_object(const struct field *field, const char *const *keys, struct error *err)
{
	const char *key;
	json_t *value;

	if (!json_is_object(field->json))
		return field_refuse(field, err, "must be an object: keys with their values");
	json_object_foreach((json_t *)field->json, key, value)
	{
		if (!is_listed(keys, key))
			return refuse_key(field, key, keys, err);
	}
	return 0;
}

int field_check_array(const struct field *field, size_t most, struct error *err)
{
	if (!json_is_array(field->json))
		return field_refuse(field, err, "must be a list");
	if (json_array_size(field->json) > most)
		return field_refuse(field, err, "has %zu elements; there can be %zu", json_array_size(field->json), most);
	return 0;
}

int field_require(const struct field *object, const char *key, struct error *err)
{
	struct field field;

	return field_member(object, key, &field) ? 0 : field_refuse(&field, err, "is missing");
}

int field_text(const struct field *field, const char **out, struct error *err)
{
	if (json_is_null(field->json))
		return field_refuse(field, err, "has no value: give one, or leave the key out");
	if (!json_is_string(field->json))
		return field_refuse(field, err, "must be a text");
	if (strlen(json_string_value(field->json)) != json_string_length(field->json))
		return field_refuse(field, err, "holds a NUL character");
	*out = json_string_value(field->json);
	return 0;
}

int field_take_bool(const struct field *object, const char *key, bool *out, struct error *err)
{
	struct field field;

	if (!field_member(object, key, &field))
		return 0;
	if (!json_is_boolean(field.json))
		return field_refuse(&field, err, "must be true or false");
	*out = json_is_true(field.json);
	return 0;
}

int field_take_number(const struct field *object, const char *key, uint32_t min, uint32_t max, uint32_t *out, struct error *err)
{
	struct field field;

	if (!field_member(object, key, &field))
		return 0;
	if (!json_is_integer(field.json) || json_integer_value(field.json) < (json_int_t)min ||
	    json_integer_value(field.json) > (json_int_t)max)
		return field_refuse(&field, err, "must be a whole number from %u to %u", min, max);
	*out = (uint32_t)json_integer_value(field.json);
	return 0;
}

int field_take_real(const struct field *object, const char *key, double min, double max, double *out, struct error *err)
{
	struct field field;
	double value;

	if (!field_member(object, key, &field))
		return 0;
	value = json_number_value(field.json);
	if (!json_is_number(field.json) || !(value >= min && value <= max)) /* NaN is in no range */
		return field_refuse(&field, err, "must be a number from %g to %g", min, max);
	*out = value;
	return 0;
}

int field_permille(const struct field *field, uint32_t *out, struct error *err)
{
	double tenths = json_number_value(field->json) * 10;

	if (!json_is_number(field->json) || !(tenths >= 0 && tenths <= 1000))
		return field_refuse(field, err, "must be a number of percent, from 0 to 100");
	if (fabs(tenths - round(tenths)) > 1e-6)
		return field_refuse(field, err, "is too fine: percentages go in steps of 0.1");
	*out = (uint32_t)lround(tenths);
	return 0;
}

static int check_characters(const struct field *field, const char *text, struct error *err)
{
	for (const char *at = text; *at;) {
		uint32_t code_point;
		size_t length = text_character(at, &code_point);

		if (!length)
			return field_refuse(field, err, "byte %zu is not UTF-8", (size_t)(at - text) + 1);
		/* Queries may go over several lines. */
		if (text_is_control(code_point) && code_point != '\n' && code_point != '\t')
			return field_refuse(field, err, "byte %zu begins a control character", (size_t)(at - text) + 1);
		at += length;
	}
	return 0;
}

int field_take_text(const struct field *object, const char *key, char *out, size_t size, struct error *err)
{
	const char *text = "";
	struct field field;
	int rc;

	if (!field_member(object, key, &field))
		return 0;
	rc = field_text(&field, &text, err);
	rc = rc ? rc : check_characters(&field, text, err);
	if (rc)
		return rc;
	if (strlen(text) >= size)
		return field_refuse(&field, err, "is too long: %zu bytes, at most %zu fit", strlen(text), size - 1);
	text_copy(out, size, text);
	return 0;
}

int field_take_duration(const struct field *object, const char *key, bool none, struct duration *out, struct error *err)
{
	const char *text = "";
	struct field field;
	int rc;

	if (!field_member(object, key, &field))
		return 0;
	if (json_is_number(field.json))
		return field_refuse(&field, err, "needs a unit: write it like 30s, 15m, 2h or 7d%s", none ? ", or none" : "");
	rc = field_text(&field, &text, err);
	if (rc)
		return rc;
	if (none && !strcmp(text, "none")) {
		out->ms = 0;
		return 0;
	}
	return duration_parse(text, out, field.path, err);
}

static const char *list_words(const char *const *words, char *buf, size_t size)
{
	size_t length = 0;

	buf[0] = '\0';
	for (; *words && length < size; words++)
		length += (size_t)snprintf(buf + length, size - length, "%s%s", length ? ", " : "", *words);
	return buf;
}

int field_take_word(const struct field *object, const char *key, const char *const *words, unsigned int first,
		    unsigned int *out, struct error *err)
{
	const char *text = "", *nearest;
	struct field field;
	char all[160];
	int rc;

	if (!field_member(object, key, &field))
		return 0;
	rc = field_text(&field, &text, err);
	if (rc)
		return rc;
	for (unsigned int i = first; words[i]; i++) {
		if (!strcmp(words[i], text)) {
			*out = i;
			return 0;
		}
	}
	list_words(words + first, all, sizeof(all));
	nearest = text_nearest(text, words + first);
	if (nearest)
		return field_refuse(&field, err, "'%.40s' is none of %s; did you mean %s?", text, all, nearest);
	return field_refuse(&field, err, "'%.40s' is none of %s", text, all);
}

int field_take_endpoint(const struct field *object, const char *key, struct endpoint *out, struct error *err)
{
	const char *text = "";
	struct field field;
	int rc;

	if (!field_member(object, key, &field))
		return 0;
	rc = field_text(&field, &text, err);
	return rc ? rc : endpoint_parse(text, out, field.path, err);
}
