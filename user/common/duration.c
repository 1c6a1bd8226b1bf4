// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Durations and instants as text and back, and the program's two clock readings: see duration.h. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "common/duration.h"
#include "common/error.h"

#define DURATION_MAX_MS (3650LL * 24 * 3600 * 1000)

static const struct unit {
	const char *name;
	int64_t ms;
} units[] = {
    {"d", 24 * 3600 * 1000LL}, {"h", 3600 * 1000LL}, {"m", 60 * 1000LL}, {"s", 1000}, {"ms", 1},
};

#define UNITS (sizeof(units) / sizeof(units[0]))

static size_t letters(const char *at)
{
	return strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

/* The unit whose name is exactly the letters at `at`, or UNITS. */
static size_t unit_find(const char *at)
{
	size_t length = letters(at);

	for (size_t i = 0; i < UNITS; i++)
		if (strlen(units[i].name) == length && !strncmp(units[i].name, at, length))
			return i;
	return UNITS;
}

static int bad(const char *text, const char *why, const char *field, struct error *err)
{
	return error_set(err, ERROR_BAD_INPUT, field, "'%s' is not a duration: %s", text, why);
}

/* One number with its unit at *at, which it advances; *next_unit: the largest unit that may still come. NULL, or what is wrong. */
static const char *take_part(const char **at, size_t *next_unit, int64_t *ms)
{
	int64_t number = 0;
	size_t unit;

	if (**at < '0' || **at > '9')
		return "write 30s, 15m, 2h or 7d";
	for (; **at >= '0' && **at <= '9'; (*at)++) {
		number = number * 10 + (**at - '0');
		if (number > DURATION_MAX_MS)
			return "at most 3650d";
	}
	if (**at == '.')
		return "no fractions; write 1h30m for an hour and a half";
	if (!**at)
		return "a number needs a unit: ms, s, m, h or d";
	unit = unit_find(*at);
	if (unit == UNITS)
		return "the units are ms, s, m, h and d";
	if (unit < *next_unit)
		return "units go from large to small, each once, like 1h30m";
	if (number > DURATION_MAX_MS / units[unit].ms)
		return "at most 3650d";
	*ms = number * units[unit].ms;
	*next_unit = unit + 1;
	*at += letters(*at);
	return NULL;
}

int duration_parse(const char *text, struct duration *out, const char *field, struct error *err)
{
	const char *at = text, *wrong;
	size_t next_unit = 0;
	int64_t part, total = 0;

	if (*text == '-' || *text == '+')
		return bad(text, "write it without a sign, like 30s, 15m, 2h or 7d", field, err);
	do {
		wrong = take_part(&at, &next_unit, &part);
		if (wrong)
			return bad(text, wrong, field, err);
		total += part;
	} while (*at);
	if (total > DURATION_MAX_MS)
		return bad(text, "at most 3650d", field, err);
	if (!total)
		return bad(text, "it must be longer than zero", field, err);
	out->ms = total;
	return 0;
}

const char *duration_format(struct duration d, char buf[DURATION_TEXT_SIZE])
{
	bool negative = d.ms < 0;
	uint64_t rest = negative ? -(uint64_t)d.ms : (uint64_t)d.ms;
	size_t length, shown = 0;

	length = (size_t)snprintf(buf, DURATION_TEXT_SIZE, "%s", negative ? "-" : "");
	for (size_t i = 0; i < UNITS && shown < 2; i++) {
		uint64_t number = rest / (uint64_t)units[i].ms;

		if (!number || (units[i].ms == 1 && shown)) /* beside seconds, milliseconds are noise */
			continue;
		rest %= (uint64_t)units[i].ms;
		length += (size_t)snprintf(buf + length, DURATION_TEXT_SIZE - length, "%llu%s", (unsigned long long)number,
					   units[i].name);
		shown++;
	}
	if (!shown)
		snprintf(buf, DURATION_TEXT_SIZE, "0s");
	return buf;
}

const char *duration_exact(struct duration d, char buf[DURATION_TEXT_SIZE])
{
	uint64_t rest = d.ms > 0 ? (uint64_t)d.ms : 0;
	size_t length = 0;

	snprintf(buf, DURATION_TEXT_SIZE, "none");
	for (size_t i = 0; i < UNITS && rest; i++) {
		uint64_t number = rest / (uint64_t)units[i].ms;

		if (!number)
			continue;
		rest %= (uint64_t)units[i].ms;
		length += (size_t)snprintf(buf + length, DURATION_TEXT_SIZE - length, "%llu%s", (unsigned long long)number,
					   units[i].name);
	}
	return buf;
}

const char *instant_format(struct instant t, char buf[INSTANT_TEXT_SIZE])
{
	time_t seconds = (time_t)(t.unix_ms / 1000);
	struct tm tm;

	buf[0] = '\0';
	if (t.unix_ms && gmtime_r(&seconds, &tm))
		strftime(buf, INSTANT_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return buf;
}

/* The digits that the 'd's of the shape stand for, the rest literally; fields[n] is the n-th group of digits. */
static bool match_shape(const char *text, const char *shape, int *fields)
{
	int value = 0;

	for (; *shape; shape++, text++) {
		if (*shape != 'd') {
			if (*text != *shape)
				return false;
			continue;
		}
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (*text - '0');
		if (shape[1] != 'd') {
			*fields++ = value;
			value = 0;
		}
	}
	return !*text;
}

int instant_parse(const char *text, struct instant *out, const char *field, struct error *err)
{
	char again[INSTANT_TEXT_SIZE];
	struct instant instant;
	int part[6];
	struct tm tm = {0};

	if (!match_shape(text, "dddd-dd-ddTdd:dd:ddZ", part))
		return error_set(err, ERROR_BAD_INPUT, field, "'%s' is not a time: write it like 2026-11-23T09:00:00Z", text);
	tm.tm_year = part[0] - 1900;
	tm.tm_mon = part[1] - 1;
	tm.tm_mday = part[2];
	tm.tm_hour = part[3];
	tm.tm_min = part[4];
	tm.tm_sec = part[5];
	instant.unix_ms = (int64_t)timegm(&tm) * 1000;
	/* timegm() turns 30 February into 2 March: what does not come back the same was no date. */
	if (instant.unix_ms <= 0 || strcmp(instant_format(instant, again), text))
		return error_set(err, ERROR_BAD_INPUT, field, "'%s' is no date and time after 1970", text);
	*out = instant;
	return 0;
}

static int64_t clock_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct instant instant_now(void)
{
	return (struct instant){clock_ms(CLOCK_REALTIME)};
}

int64_t monotonic_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t monotonic_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}
