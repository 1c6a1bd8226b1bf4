// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* user/common/duration.c: durations and instants from hostile text, and back. */
#include "tests/unit/table_test.h"
#include "common/duration.h"
#include "common/error.h"

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* 0: refused */
		const char *complaint;
	} rows[] = {
	    {"500ms", 500, NULL},
	    {"30s", 30000, NULL},
	    {"15m", 900000, NULL},
	    {"2h", 7200000, NULL},
	    {"7d", 604800000, NULL},
	    {"1h30m", 5400000, NULL},
	    {"1d2h3m4s5ms", 93784005, NULL},
	    {"90m", 5400000, NULL},
	    {"3650d", 315360000000, NULL},
	    {"", 0, "write 30s"},
	    {"10", 0, "a number needs a unit"},
	    {"1h30", 0, "a number needs a unit"},
	    {"h", 0, "write 30s"},
	    {"-5m", 0, "without a sign"},
	    {"+5m", 0, "without a sign"},
	    {"1.5h", 0, "no fractions"},
	    {"0s", 0, "longer than zero"},
	    {"0h0m", 0, "longer than zero"},
	    {"5w", 0, "the units are"},
	    {"5min", 0, "the units are"},
	    {"5S", 0, "the units are"},
	    {"30m1h", 0, "from large to small"},
	    {"1h1h", 0, "from large to small"},
	    {"1h 30m", 0, "write 30s"},
	    {" 1h", 0, "write 30s"},
	    {"1h ", 0, "write 30s"},
	    {"5 m", 0, "the units are"},
	    {"3651d", 0, "at most 3650d"},
	    {"3650d1ms", 0, "at most 3650d"},
	    {"9223372036854775807ms", 0, "at most 3650d"},
	    {"99999999999999999999999999999d", 0, "at most 3650d"},
	    {"none", 0, "write 30s"},
	    {"\xc2\xb5s", 0, "write 30s"},
	    {"5\xc2\xb5s", 0, "the units are"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct duration duration = {4711};
		struct error err = {ERROR_NONE};
		int rc = duration_parse(rows[i].text, &duration, "--deadline", &err);

		if (rows[i].ms) {
			row_assert(!rc && duration.ms == rows[i].ms, rows[i].text, "gave %d, %lld", rc, (long long)duration.ms);
			continue;
		}
		row_assert(rc == -ERROR_BAD_INPUT && duration.ms == 4711, rows[i].text, "returned %d", rc);
		row_assert(strstr(err.message, rows[i].complaint), rows[i].text, "said: %s", err.message);
	}
}

static void test_format(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
	    {0, "0s"},        {1, "1ms"},         {250, "250ms"},          {1000, "1s"},      {1500, "1s"},
	    {61000, "1m1s"},  {3600000, "1h"},    {7500000, "2h5m"},       {7501000, "2h5m"}, {97200000, "1d3h"},
	    {86400001, "1d"}, {86405000, "1d5s"}, {315360000000, "3650d"}, {-30000, "-30s"},  {INT64_MIN, "-106751991167d7h"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char buf[DURATION_TEXT_SIZE];

		row_assert(!strcmp(duration_format((struct duration){rows[i].ms}, buf), rows[i].text), rows[i].text, "gave %s",
			   buf);
	}
}

static void test_instant(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* 0: refused */
	} rows[] = {
	    {"2026-11-23T09:00:00Z", 1795424400000},
	    {"1970-01-01T00:00:01Z", 1000},
	    {"2024-02-29T23:59:59Z", 1709251199000},
	    {"2026-02-29T00:00:00Z", 0},
	    {"2026-13-01T00:00:00Z", 0},
	    {"2026-00-01T00:00:00Z", 0},
	    {"2026-11-23T24:00:00Z", 0},
	    {"2026-11-23T09:60:00Z", 0},
	    {"2026-11-23T09:00:60Z", 0},
	    {"1969-12-31T23:59:59Z", 0},
	    {"1970-01-01T00:00:00Z", 0},
	    {"2026-11-23 09:00:00Z", 0},
	    {"2026-11-23T09:00:00", 0},
	    {"2026-11-23T09:00:00z", 0},
	    {"2026-11-23T09:00:00+00:00", 0},
	    {"2026-11-23T09:00:00Zx", 0},
	    {"2026-11-23", 0},
	    {"26-11-23T09:00:00Z", 0},
	    {"", 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct instant instant = {4711};
		char buf[INSTANT_TEXT_SIZE];
		int rc = instant_parse(rows[i].text, &instant, "at", NULL);

		row_assert(rc == (rows[i].ms ? 0 : -ERROR_BAD_INPUT), rows[i].text, "returned %d", rc);
		row_assert(instant.unix_ms == (rows[i].ms ? rows[i].ms : 4711), rows[i].text, "gave %lld",
			   (long long)instant.unix_ms);
		if (rows[i].ms)
			assert_string_equal(instant_format(instant, buf), rows[i].text);
	}
}

static void test_none(void **state)
{
	char buf[INSTANT_TEXT_SIZE] = "x";

	(void)state;
	assert_string_equal(instant_format((struct instant){0}, buf), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_format),
	    cmocka_unit_test(test_instant),
	    cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
