// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Errors: see error.h. Messages quote what a stranger typed, so this is the place that makes them safe to print on a
 * terminal and to put into JSON: control characters and broken UTF-8 become '?'.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "common/error.h"
#include "common/text.h"

static const struct error_kind {
	enum error_code code;
	const char *name;
	int http_status;
} kinds[] = {
    {ERROR_INTERNAL, "internal", 500},   {ERROR_BAD_INPUT, "bad_input", 400},       {ERROR_NOT_FOUND, "not_found", 404},
    {ERROR_CONFLICT, "conflict", 409},   {ERROR_PRECONDITION, "precondition", 412}, {ERROR_UNREACHABLE, "unreachable", 503},
    {ERROR_TIMED_OUT, "timed_out", 504},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

#undef error_set /* see error.h */
int error_set(struct error *err, enum error_code code, const char *field, const char *format, ...)
{
	va_list args;

	if (!err)
		return -(int)code;
	err->code = code;
	snprintf(err->field, sizeof(err->field), "%s", field ? field : "");
	va_start(args, format);
	vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	text_clean(err->field);
	text_clean(err->message);
	return -(int)code;
}

const char *error_code_name(enum error_code code)
{
	for (size_t i = 0; i < KINDS; i++)
		if (kinds[i].code == code)
			return kinds[i].name;
	return "none";
}

enum error_code error_code_parse(const char *name)
{
	for (size_t i = 0; name && i < KINDS; i++)
		if (!strcmp(kinds[i].name, name))
			return kinds[i].code;
	return ERROR_NONE;
}

int error_http_status(enum error_code code)
{
	for (size_t i = 0; i < KINDS; i++)
		if (kinds[i].code == code)
			return kinds[i].http_status;
	return 200;
}
