// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* user/common/text.c and error.c: names, percentages, numbers, UTF-8, the nearest word; with hostile input. */
#include "tests/unit/table_test.h"
#include "common/error.h"
#include "common/text.h"

#define LONG_31 "a234567890123456789012345678901"
#define LONG_32 LONG_31 "2"

static void test_name(void **state)
{
	static const struct {
		const char *text, *complaint; /* NULL: good */
	} rows[] = {
	    {"a", NULL},
	    {"v1", NULL},
	    {"9f0e", NULL},
	    {"Research-Agent_2.0", NULL},
	    {LONG_31, NULL},
	    {"", "empty"},
	    {LONG_32, "32 characters: at most 31"},
	    {"-v1", "begin with a letter or digit"},
	    {".hidden", "begin with a letter or digit"},
	    {"../etc", "begin with a letter or digit"},
	    {"a/b", "character 2"},
	    {"a b", "character 2"},
	    {"a=5", "character 2"},
	    {"a\n", "character 2"},
	    {"a\xc3\xa9", "character 2"},
	    {"a%2f", "character 2"},
	    {"a;drop", "character 2"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct error err = {ERROR_NONE};
		int rc = name_check(rows[i].text, "version", "LABEL", &err);

		row_assert(rc == (rows[i].complaint ? -ERROR_BAD_INPUT : 0), rows[i].text, "returned %d", rc);
		if (rows[i].complaint) {
			row_assert(strstr(err.message, rows[i].complaint), rows[i].text, "said: %s", err.message);
			assert_string_equal(err.field, "LABEL");
		}
	}
}

static void test_percent(void **state)
{
	static const struct {
		const char *text;
		int permille; /* -1: refused */
		const char *complaint;
	} rows[] = {
	    {"0", 0, NULL},
	    {"5", 50, NULL},
	    {"5%", 50, NULL},
	    {"12.5", 125, NULL},
	    {"12.5%", 125, NULL},
	    {"0.1", 1, NULL},
	    {"99.9", 999, NULL},
	    {"100", 1000, NULL},
	    {"100.0", 1000, NULL},
	    {"007", 70, NULL},
	    {"", -1, "not a percentage"},
	    {"%", -1, "not a percentage"},
	    {".", -1, "not a percentage"},
	    {".5", -1, "not a percentage"},
	    {"5.", -1, "a digit must follow"},
	    {"5.%", -1, "a digit must follow"},
	    {"12.55", -1, "steps of 0.1"},
	    {"0.10", -1, "steps of 0.1"},
	    {"100.1", -1, "out of range"},
	    {"101", -1, "out of range"},
	    {"4294967297", -1, "out of range"},
	    {"18446744073709551617", -1, "out of range"},
	    {"99999999999999999999999999", -1, "out of range"},
	    {"-5", -1, "negative"},
	    {"+5", -1, "not a percentage"},
	    {" 5", -1, "not a percentage"},
	    {"5 ", -1, "not a percentage"},
	    {"5%%", -1, "not a percentage"},
	    {"5e1", -1, "not a percentage"},
	    {"0x5", -1, "not a percentage"},
	    {"nan", -1, "not a percentage"},
	    {"inf", -1, "not a percentage"},
	    {"5,5", -1, "not a percentage"},
	    {"\xd9\xa5", -1, "not a percentage"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct error err = {ERROR_NONE};
		uint32_t permille = 4711;
		int rc = percent_parse(rows[i].text, &permille, "weight", &err);

		if (rows[i].permille >= 0) {
			row_assert(!rc && permille == (uint32_t)rows[i].permille, rows[i].text, "gave %d, %u", rc, permille);
			continue;
		}
		row_assert(rc == -ERROR_BAD_INPUT && permille == 4711, rows[i].text, "gave %d, %u", rc, permille);
		row_assert(strstr(err.message, rows[i].complaint), rows[i].text, "said: %s", err.message);
	}
}

/* Every weight there is comes back the same. */
static void test_percent_round_trip(void **state)
{
	(void)state;
	for (uint32_t permille = 0; permille <= 1000; permille++) {
		uint32_t again;
		char text[16];

		assert_int_equal(percent_parse(percent_format(permille, text), &again, "", NULL), 0);
		assert_int_equal(again, permille);
	}
}

static void test_number(void **state)
{
	static const struct {
		const char *text;
		uint64_t min, max;
		bool good;
		uint64_t value;
	} rows[] = {
	    {"0", 0, 0, true, 0},
	    {"1", 1, 65535, true, 1},
	    {"65535", 1, 65535, true, 65535},
	    {"00080", 1, 65535, true, 80},
	    {"18446744073709551615", 0, UINT64_MAX, true, UINT64_MAX},
	    {"0", 1, 65535, false, 0},
	    {"65536", 1, 65535, false, 0},
	    {"9", 0, 5, false, 0},
	    {"18446744073709551616", 0, UINT64_MAX, false, 0},
	    {"99999999999999999999999", 0, UINT64_MAX, false, 0},
	    {"", 0, 9, false, 0},
	    {"-1", 0, 9, false, 0},
	    {"+1", 0, 9, false, 0},
	    {" 1", 0, 9, false, 0},
	    {"1 ", 0, 9, false, 0},
	    {"0x1", 0, 9, false, 0},
	    {"1.0", 0, 9, false, 0},
	    {"one", 0, 9, false, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t value = 4711;
		int rc = number_parse(rows[i].text, rows[i].min, rows[i].max, &value, "n", NULL);

		row_assert(rc == (rows[i].good ? 0 : -ERROR_BAD_INPUT), rows[i].text, "returned %d", rc);
		row_assert(value == (rows[i].good ? rows[i].value : 4711), rows[i].text, "gave %llu",
			   (unsigned long long)value);
	}
}

static void test_tuple_text(void **state)
{
	char fits[130], long_one[131];
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
	    {"", true},
	    {"sonnet-4", true},
	    {"with blanks", true},
	    {"\xe6\x97\xa5\xe6\x9c\xac", true},
	    {"\xf0\x9f\x8c\x88", true},
	    {"tab\there", false},
	    {"new\nline", false},
	    {"\033[31mred", false},
	    {"\x7f", false},
	    {"\xc2\x9b", false},         /* C1: a terminal may take it for ESC [ */
	    {"\xe2\x80\xae", false},     /* turns the text around */
	    {"\xc0\xaf", false},         /* overlong */
	    {"\xed\xa0\x80", false},     /* surrogate */
	    {"\xf4\x90\x80\x80", false}, /* beyond Unicode */
	    {"\xe2\x82", false},         /* cut off */
	    {"\xff", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int rc = tuple_text_check(rows[i].text, "code", NULL);

		row_assert(rc == (rows[i].good ? 0 : -ERROR_BAD_INPUT), rows[i].text, "(row %zu) returned %d", i, rc);
	}
	memset(fits, 'x', sizeof(fits));
	fits[128] = '\0';
	assert_int_equal(tuple_text_check(fits, "code", NULL), 0);
	memset(long_one, 'x', sizeof(long_one));
	long_one[129] = '\0';
	assert_int_equal(tuple_text_check(long_one, "code", NULL), -ERROR_BAD_INPUT);
}

static void test_nearest(void **state)
{
	static const char *const list[] = {"status", "service", "set-weight", "sessions", "drain", "undrain", "steer", NULL};
	static const struct {
		const char *word, *nearest;
	} rows[] = {
	    {"statsu", "status"},
	    {"staus", "status"},
	    {"set-weights", "set-weight"},
	    {"setweight", "set-weight"},
	    {"dran", "drain"},
	    {"drian", "drain"},
	    {"sess", "sessions"},
	    {"undrian", "undrain"},
	    {"service", "service"},
	    {"frobnicate", NULL},
	    {"x", NULL},
	    {"", NULL},
	    {"weight-of-a-very-long-word-that-goes-on-and-on", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *nearest = text_nearest(rows[i].word, list);

		row_assert(rows[i].nearest ? nearest && !strcmp(nearest, rows[i].nearest) : !nearest, rows[i].word, "gave %s",
			   nearest ? nearest : "nothing");
	}
}

static void test_clean(void **state)
{
	static const struct {
		const char *text, *clean;
	} rows[] = {
	    {"plain", "plain"},  {"\033[2J", "?[2J"}, {"a\r\nb", "a??b"},        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
	    {"cut\xc3", "cut?"}, {"\xff\xfe", "??"},  {"x\xe2\x80\xaey", "x?y"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char buf[32];

		assert_true(text_copy(buf, sizeof(buf), rows[i].text));
		text_clean(buf);
		assert_string_equal(buf, rows[i].clean);
	}
}

static void test_copy(void **state)
{
	char buf[4] = "xxx";

	(void)state;
	assert_true(text_copy(buf, sizeof(buf), "abc"));
	assert_string_equal(buf, "abc");
	assert_false(text_copy(buf, sizeof(buf), "abcd"));
	assert_string_equal(buf, "");
	assert_false(text_copy(buf, 0, ""));
}

static void test_error(void **state)
{
	char long_text[2000];
	struct error err;

	(void)state;
	assert_int_equal(error_set(&err, ERROR_CONFLICT, NULL, "%s", "x\033y"), -4);
	assert_string_equal(err.message, "x?y");
	assert_string_equal(err.field, "");
	assert_int_equal(error_set(NULL, ERROR_NOT_FOUND, "f", "x"), -3);
	for (enum error_code code = ERROR_INTERNAL; code <= ERROR_TIMED_OUT; code++)
		assert_int_equal(error_code_parse(error_code_name(code)), code);
	assert_int_equal(error_code_parse("teapot"), ERROR_NONE);
	assert_int_equal(error_code_parse(NULL), ERROR_NONE);
	assert_int_equal(error_http_status(ERROR_PRECONDITION), 412);
	/* Cut in the middle of a character: still UTF-8. */
	for (size_t i = 0; i + 3 < sizeof(long_text); i += 3)
		memcpy(long_text + i, "\xe2\x82\xac", 4);
	error_set(&err, ERROR_BAD_INPUT, long_text, "%s", long_text);
	assert_int_equal(tuple_text_check(err.message + strlen(err.message) - 4, "", NULL), 0);
	assert_true(strlen(err.field) < sizeof(err.field));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_name),   cmocka_unit_test(test_percent),    cmocka_unit_test(test_percent_round_trip),
	    cmocka_unit_test(test_number), cmocka_unit_test(test_tuple_text), cmocka_unit_test(test_nearest),
	    cmocka_unit_test(test_clean),  cmocka_unit_test(test_copy),       cmocka_unit_test(test_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
