// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* JSON to text for people: see value.h. */
#include <math.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include "common/duration.h"
#include "rainbowctl/screen.h"
#include "rainbowctl/value.h"

static const char unknown[] = "?";

bool value_unknown(const json_t *json)
{
	return !json || json_is_null(json);
}

const char *value_count(const json_t *json, char *buf)
{
	char digits[32];
	size_t length, at = 0;

	if (!json_is_integer(json))
		return unknown;
	length = (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)json_integer_value(json));
	for (size_t i = 0; i < length; i++) {
		buf[at++] = digits[i];
		if (digits[i] != '-' && i + 1 < length && (length - i - 1) % 3 == 0)
			buf[at++] = ',';
	}
	buf[at] = '\0';
	return buf;
}

const char *value_percent(const json_t *json, char *buf)
{
	double percent;

	if (!json_is_number(json))
		return unknown;
	percent = json_number_value(json);
	/* What is not nothing is not shown as nothing. */
	if (percent > 0 && percent < 0.05)
		return "<0.1 %";
	snprintf(buf, VALUE_SIZE, fabs(percent - round(percent)) < 0.05 ? "%.0f %%" : "%.1f %%", percent);
	return buf;
}

const char *value_seconds(const json_t *json, char *buf)
{
	struct duration duration;

	if (!json_is_number(json))
		return unknown;
	duration.ms = (int64_t)json_number_value(json) * 1000;
	return duration_format(duration, buf);
}

const char *value_eta(const json_t *drain, char *buf)
{
	const json_t *median = json_object_get(drain, "eta_seconds"), *p90 = json_object_get(drain, "eta_p90_seconds");
	char even[VALUE_SIZE], most[VALUE_SIZE];

	if (!json_is_number(median))
		return unknown;
	value_seconds(median, even);
	if (!json_is_number(p90) || !strcmp(value_seconds(p90, most), even))
		snprintf(buf, VALUE_SIZE, "~%.32s", even);
	else
		snprintf(buf, VALUE_SIZE, "~%.32s (9 in 10: %.32s)", even, most);
	return buf;
}

const char *value_text(const json_t *json)
{
	return json_is_string(json) ? json_string_value(json) : unknown;
}

const char *value_endpoint(const json_t *json, char *buf)
{
	const char *address = json_string_value(json_object_get(json, "address"));
	const json_t *port = json_object_get(json, "port");

	if (json_is_string(json))
		return json_string_value(json);
	if (!address)
		return unknown;
	if (!json_is_integer(port))
		return address;
	snprintf(buf, VALUE_SIZE, strchr(address, ':') ? "[%.100s]:%d" : "%.100s:%d", address, (int)json_integer_value(port));
	return buf;
}

const char *value_tuple(const struct screen *screen, const json_t *tuple, char *buf, size_t size)
{
	static const char *const parts[] = {"code", "model", "prompts", "tools"};
	const char *between = screen_glyph(screen, " · ", " | ");
	bool any = false;
	size_t length = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && length < size; i++) {
		const char *text = json_string_value(json_object_get(tuple, parts[i]));

		any = any || (text && *text);
		length += (size_t)snprintf(buf + length, size - length, "%s%s", i ? between : "",
					   text && *text ? text : screen_none(screen));
	}
	return any ? buf : screen_none(screen);
}

const char *value_user(const json_t *uid, char *buf)
{
	const struct passwd *entry = json_is_integer(uid) ? getpwuid((uid_t)json_integer_value(uid)) : NULL;

	if (!json_is_integer(uid))
		return unknown;
	if (entry)
		snprintf(buf, VALUE_SIZE, "%.100s", entry->pw_name);
	else
		snprintf(buf, VALUE_SIZE, "uid %lld", (long long)json_integer_value(uid));
	return buf;
}

const char *member_text(const json_t *object, const char *key)
{
	return value_text(json_object_get(object, key));
}

size_t member_size(const json_t *object, const char *key)
{
	return json_array_size(json_object_get(object, key));
}
