// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Reading JSON that may hold anything, and the reply to a change. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "common/text.h"
#include "request.h"

static bool is_listed(const char *const *list, const char *word)
{
	for (; *list; list++)
		if (strcmp(*list, word) == 0)
			return true;
	return false;
}

int body_check_keys(const json_t *object, const char *const *keys, struct error *err)
{
	const char *key, *nearest;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
	{
		if (is_listed(keys, key))
			continue;
		nearest = text_nearest(key, keys);
		if (nearest)
			return error_set(err, ERROR_BAD_INPUT, key,
					 "unknown key \"%.60s\" in the request; did you mean \"%s\"?", key, nearest);
		return error_set(err, ERROR_BAD_INPUT, key, "unknown key \"%.60s\" in the request", key);
	}
	return 0;
}

static json_t *find(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return json_is_null(value) ? NULL : value;
}

int body_string(const json_t *object, const char *key, bool required, const char **out, struct error *err)
{
	json_t *value = find(object, key);

	*out = NULL;
	if (!value)
		return required ? error_set(err, ERROR_BAD_INPUT, key, "\"%s\" is missing", key) : 0;
	if (!json_is_string(value))
		return error_set(err, ERROR_BAD_INPUT, key, "\"%s\" must be a text in quotes", key);
	if (strlen(json_string_value(value)) != json_string_length(value))
		return error_set(err, ERROR_BAD_INPUT, key, "\"%s\" holds a NUL character", key);
	*out = json_string_value(value);
	return 0;
}

int body_duration(const json_t *object, const char *key, bool *given, struct duration *out, struct error *err)
{
	const char *text;
	int rc = body_string(object, key, false, &text, err);

	*given = !rc && text;
	return *given ? duration_parse(text, out, key, err) : rc;
}

int body_number(const json_t *object, const char *key, uint32_t min, uint32_t max, uint32_t *out, struct error *err)
{
	json_t *value = find(object, key);

	if (!value)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < (json_int_t)min ||
	    json_integer_value(value) > (json_int_t)max)
		return error_set(err, ERROR_BAD_INPUT, key, "\"%s\" must be a whole number from %u to %u", key, min, max);
	*out = (uint32_t)json_integer_value(value);
	return 0;
}

int body_percent(const json_t *value, const char *field, uint32_t *permille, struct error *err)
{
	double tenths = json_number_value(value) * 10;

	if (!json_is_number(value))
		return error_set(err, ERROR_BAD_INPUT, "weights",
				 "the weight of %.40s must be a number of percent, or null for the rest", field);
	if (!(tenths >= 0 && tenths <= 1000))
		return error_set(err, ERROR_BAD_INPUT, "weights", "the weight of %.40s must be from 0 to 100", field);
	if (fabs(tenths - round(tenths)) > 1e-6)
		return error_set(err, ERROR_BAD_INPUT, "weights", "the weight of %.40s is finer than 0.1 %%", field);
	*permille = (uint32_t)lround(tenths);
	return 0;
}

json_t *reply_done(const struct request *request, const struct service *service, const char *format, ...)
{
	json_t *generation = service && service->generation ? json_integer(service->generation) : json_null();
	char done[NOTE_SENTENCE_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(done, sizeof(done), format, args);
	va_end(args);
	text_clean(done);
	if (request->note)
		text_copy(request->note->sentence, sizeof(request->note->sentence), done);
	return json_pack("{s:s, s:f, s:o, s:b}", "done", done, "took_ms", 0.0, "generation", generation, "dry_run",
			 (int)request->dry_run);
}
