// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* How rainbowctl draws: unknown is never 0, columns align by display width, bars divide exactly, no escape from a reply gets through. */
#include <locale.h>
#include <stdlib.h>
#include "tests/unit/table_test.h"
#include "common/error.h"
#include "rainbowctl/progress.h"
#include "rainbowctl/render.h"
#include "rainbowctl/screen.h"
#include "rainbowctl/value.h"

/* What the renderer draws of a reply, on a screen of this width without colour. The caller's. */
static char *drawn(enum view view, const char *reply_text, int width, bool utf8)
{
	struct screen screen = {.utf8 = utf8, .width = width};
	json_t *reply = json_loads(reply_text, 0, NULL);
	char *text = NULL;
	size_t size;

	assert_non_null(reply);
	screen.out = open_memstream(&text, &size);
	table_renderer.draw(view, reply, &screen);
	fclose(screen.out);
	json_decref(reply);
	return text;
}

#define VERSION(label, live, ended)                                                                                            \
	"{\"label\":\"" label "\",\"state\":\"active\",\"weight\":50,\"share_of_new\":null,\"sessions\":{\"live\":" live       \
	",\"closing\":0,\"opened\":7,\"ended\":" ended ",\"refused\":0},\"oldest_seconds\":null,\"drain\":null,\"tuple\":{},"  \
	"\"backends\":[{\"address\":\"10.0.0.2\",\"port\":80,\"healthy\":null,\"live\":null,\"max_sessions\":null}]}"

#define STATUS(versions)                                                                                                       \
	"{\"services\":[{\"name\":\"a\",\"address\":\"10.0.0.1\",\"port\":80,\"protocol\":\"tcp\",\"mode\":\"nat\","           \
	"\"affinity\":"                                                                                                        \
	"\"connection\",\"selection\":\"hash\",\"generation\":3,\"versions\":[" versions "]}],\"count_drift\":null}"

#define NO_ENDS "{\"fin\":0,\"reset_client\":0,\"reset_server\":0,\"idle\":0,\"forced\":0,\"vanished\":0}"

/* The line of the text that begins (after blanks) so. */
static const char *line_of(const char *text, const char *beginning)
{
	static char line[512];

	while (*text) {
		size_t length = strcspn(text, "\n");
		const char *at = text + strspn(text, " ");

		if (!strncmp(at, beginning, strlen(beginning))) {
			snprintf(line, sizeof(line), "%.*s", (int)length, text);
			return line;
		}
		text += length + (text[length] == '\n');
	}
	return "";
}

static void test_unknown_is_not_zero(void **state)
{
	char *text = drawn(VIEW_STATUS_DETAIL, STATUS(VERSION("v1", "null", "null")), 0, false);

	(void)state;
	/*                                        VERSION STATE WEIGHT OF-NEW LIVE CLOSING OPENED ENDED FORCED REFUSED OLDEST */
	assert_string_equal(line_of(text, "#  v1"),
			    "  #  v1       active    50 %       -     ?        0       7      ?       ?        0       "
			    "?         1");
	assert_string_equal(line_of(text, "10.0.0.2:80"), "  10.0.0.2:80  v1       ?           ?    -");
	assert_non_null(strstr(text, "drift ?"));
	free(text);
}

static void test_zero_is_zero(void **state)
{
	char *text = drawn(VIEW_STATUS, STATUS(VERSION("v1", "0", NO_ENDS)), 0, false);

	(void)state;
	assert_string_equal(line_of(text, "#  v1"),
			    "  #  v1       active    50 %       -     0        0       7      0       0        0       "
			    "-         1");
	free(text);
}

#define DRAINING(label, eta, p90, duty)                                                                                        \
	"{\"label\":\"" label "\",\"state\":\"draining\",\"weight\":0,\"sessions\":{\"live\":3},\"drain\":{\"deadline\":null," \
	"\"eta_seconds\":" eta ",\"eta_p90_seconds\":" p90 ",\"duties\":{\"on_warn\":" duty                                    \
	",\"warn_backends\":null,\"on_drained\":{\"outcome\":\"open\",\"tries\":0,\"tried\":null,\"why\":null}}}}"

static void test_drain(void **state)
{
	static const char *const lines[] = {
	    "v2: on_warn failed (try 2): exit code 3; it is called again",
	    "v3: on_warn failed (try 4): no answer; it is given up",
	};
	char *text = drawn(
	    VIEW_STATUS,
	    STATUS(DRAINING(
		"v1", "14400", "32400",
		"{\"outcome\":\"done\",\"tries\":1,\"tried\":\"x\",\"why\":null}") "," DRAINING("v2", "60", "60",
												"{\"outcome\":\"open\","
												"\"tries\":2,\"tried\":"
												"\"x\",\"why\":\"exit code "
												"3\"}") "," DRAINING("v3",
														     "null",
														     "null",
														     "{\"ou"
														     "tcome"
														     "\":"
														     "\"giv"
														     "en_"
														     "up\","
														     "\"tri"
														     "es\":"
														     "4,"
														     "\"tri"
														     "ed\":"
														     "\"x\""
														     ",\"wh"
														     "y\":"
														     "\"no "
														     "answe"
														     "r\""
														     "}")),
	    0, false);

	(void)state;
	assert_non_null(strstr(line_of(text, "#  v1"), " never     ~4h (9 in 10: 9h) "));
	assert_non_null(strstr(line_of(text, "=  v2"), " ~1m "));
	assert_non_null(strstr(line_of(text, "+  v3"), "  ? "));
	for (size_t i = 0; i < COUNT(lines); i++)
		assert_non_null(strstr(text, lines[i]));
	assert_string_equal(line_of(text, "v1: "), "");
	free(text);
}

/* A reply of another release, or of something else: drawn as unknown, without harm. */
static void test_strange_replies(void **state)
{
	static const char *const replies[] = {
	    "{}",
	    "{\"services\":null}",
	    "{\"services\":[null,1,\"x\",[],{}]}",
	    "{\"services\":[{\"versions\":[null,1,{}]}]}",
	    "{\"services\":{\"a\":1},\"versions\":3,\"steers\":[1],\"sessions\":[{}],\"checks\":[{}],\"truncated\":true}",
	    "{\"versions\":[{\"tuple\":3,\"backends\":[null]}],\"steers\":[{}],\"daemon\":{\"hooks\":[{}],\"pins\":[]}}",
	    "{\"done\":3,\"took_ms\":\"x\",\"generation\":\"y\"}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(replies); i++)
		for (enum view view = VIEW_NONE; view < VIEW_COUNT; view++)
			free(drawn(view, replies[i], 40, true));
}

static void test_escapes_stay_out(void **state)
{
	static const char reply[] = "{\"done\":\"a\\u001b[2Jb\",\"took_ms\":1.84,\"generation\":null,\"dry_run\":true}";
	char *text = drawn(VIEW_EFFECT, reply, 0, true);

	(void)state;
	assert_string_equal(text, "dry run, nothing is changed: a?[2Jb (1.8 ms)\n");
	free(text);
	text = drawn(VIEW_STEERS, "{\"steers\":[{\"service\":\"a\\u001b]0;x\\u0007\",\"range\":\"r\",\"version\":\"v\"}]}", 0,
		     true);
	assert_null(strchr(text, '\033'));
	free(text);
}

static void test_changes(void **state)
{
	char *text = drawn(
	    VIEW_CHANGES,
	    "{\"done\":\"2 changes\",\"took_ms\":2.5,\"generation\":null,\"dry_run\":false,\"changes\":[{\"service\":"
	    "\"a\",\"change\":\"+ version v\\u001b[2J of a\"},{\"service\":\"a\",\"change\":\"~ a http false -> true\"}]}",
	    0, true);

	(void)state;
	assert_string_equal(text, "+ version v?[2J of a\n~ a http false -> true\n2 changes (2.5 ms)\n");
	free(text);
}

static void test_alignment(void **state)
{
	static const char reply[] = "{\"steers\":[{\"service\":\"\u65e5\u672c\",\"range\":\"r1\",\"version\":\"v\"},"
				    "{\"service\":\"e\u0301t\u00e9-long\",\"range\":\"r2\",\"version\":\"v\"}]}";
	char *text = drawn(VIEW_STEERS, reply, 0, true);

	(void)state;
	assert_string_equal(text, "SERVICE   RANGE  VERSION\n"
				  "\u65e5\u672c      r1     v\n"
				  "e\u0301t\u00e9-long  r2     v\n");
	free(text);
}

/* On a narrow terminal nothing but the last column is cut, and no line is longer than it. */
static void test_narrow(void **state)
{
	(void)state;
	for (int width = 60; width < 140; width += 7) {
		char *text =
		    drawn(VIEW_STATUS, STATUS(VERSION("v1", "5210", NO_ENDS) "," VERSION("v2", "12", NO_ENDS)), width, true);
		const char *rest = strstr(text, "VERSION");

		assert_non_null(rest);
		assert_non_null(strstr(rest, "5,210"));
		for (; *rest && *rest != '\n';) {
			char line[1024];
			size_t length = strcspn(rest, "\n");

			snprintf(line, sizeof(line), "%.*s", (int)length, rest);
			assert_true(text_width(line) <= (size_t)width);
			rest += length + 1;
		}
		free(text);
	}
}

static void test_values(void **state)
{
	static const struct {
		const char *json, *count, *percent, *seconds;
	} rows[] = {
	    {"null", "?", "?", "?"},
	    {"\"5\"", "?", "?", "?"},
	    {"0", "0", "0 %", "0s"},
	    {"5", "5", "5 %", "5s"},
	    {"999", "999", "999 %", "16m39s"},
	    {"1000", "1,000", "1000 %", "16m40s"},
	    {"1234567", "1,234,567", "1234567 %", "14d6h"},
	    {"12.5", "?", "12.5 %", "12s"},
	    {"0.01", "?", "<0.1 %", "0s"},
	    {"33.333333", "?", "33.3 %", "33s"},
	    {"99.99", "?", "100 %", "1m39s"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		json_t *json = json_loads(rows[i].json, JSON_DECODE_ANY, NULL);
		char buf[VALUE_SIZE];

		row_assert(!strcmp(value_count(json, buf), rows[i].count), rows[i].json, "count %s", value_count(json, buf));
		row_assert(!strcmp(value_percent(json, buf), rows[i].percent), rows[i].json, "percent %s",
			   value_percent(json, buf));
		row_assert(!strcmp(value_seconds(json, buf), rows[i].seconds), rows[i].json, "seconds %s",
			   value_seconds(json, buf));
		json_decref(json);
	}
}

static void test_cells(void **state)
{
	static const struct {
		const char *what;
		double shares[4];
		unsigned int width, cells[4];
	} rows[] = {
	    {"even", {50, 50}, 10, {5, 5}},
	    {"a small one is seen", {99.9, 0.1}, 50, {49, 1}},
	    {"none is not", {100, 0}, 50, {50, 0}},
	    {"thirds", {1, 1, 1}, 10, {4, 3, 3}},
	    {"nothing", {0, 0}, 10, {0, 0}},
	    {"too narrow", {1, 1, 1}, 2, {1, 1, 0}},
	    {"large numbers", {5210, 412, 3}, 50, {46, 3, 1}},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		unsigned int cells[4];

		cells_divide(rows[i].shares, 4, rows[i].width, cells);
		for (size_t j = 0; j < 4; j++)
			row_assert(cells[j] == rows[i].cells[j], rows[i].what, "cells %u %u %u %u", cells[0], cells[1],
				   cells[2], cells[3]);
	}
}

static void test_colours(void **state)
{
	const char *three[] = {"v1", "v2", "v3"}, *two[] = {"v2", "v3"}, *same[SCREEN_VERSION_COLOURS + 1];
	unsigned int a[3], b[2], many[SCREEN_VERSION_COLOURS + 1];
	unsigned int seen = 0;

	(void)state;
	colours_assign(three, 3, a);
	colours_assign(two, 2, b);
	assert_int_equal(a[1], b[0]); /* the same when v1 is gone */
	assert_int_equal(a[2], b[1]);
	assert_true(a[0] != a[1] && a[1] != a[2] && a[0] != a[2]);
	for (size_t i = 0; i < COUNT(same); i++)
		same[i] = "x";
	colours_assign(same, COUNT(same), many);
	for (size_t i = 0; i < SCREEN_VERSION_COLOURS; i++)
		seen |= 1u << many[i];
	assert_int_equal(seen, (1u << SCREEN_VERSION_COLOURS) - 1);
}

static void test_progress(void **state)
{
	struct progress progress;

	(void)state;
	progress_init(&progress);
	assert_int_equal(progress_percent(&progress), -1);
	assert_true(progress_pace(&progress) < 0);
	assert_int_equal(progress_eta_ms(&progress), -1);
	/* One session ends each second. */
	for (int second = 0; second <= 50; second++)
		progress_add(&progress, second * 1000, 100 - second);
	assert_int_equal(progress_percent(&progress), 50);
	assert_int_equal((int)progress_pace(&progress), 60);
	assert_int_equal(progress_eta_ms(&progress), 50000);
	/* Then none: the pace forgets what is longer ago than the window, and there is no end in sight. */
	for (int second = 51; second <= 200; second++)
		progress_add(&progress, second * 1000, 50);
	assert_int_equal((int)progress_pace(&progress), 0);
	assert_int_equal(progress_eta_ms(&progress), -1);
	progress_add(&progress, 201000, 0);
	assert_int_equal(progress_percent(&progress), 100);
	/* It began empty. */
	progress_init(&progress);
	progress_add(&progress, 0, 0);
	assert_int_equal(progress_percent(&progress), 100);
	/* Many readings close together do not push out the old ones. */
	progress_init(&progress);
	for (int i = 0; i <= 10000; i++)
		progress_add(&progress, i, 10000 - i);
	assert_int_equal((int)progress_pace(&progress), 60000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_unknown_is_not_zero),
	    cmocka_unit_test(test_zero_is_zero),
	    cmocka_unit_test(test_drain),
	    cmocka_unit_test(test_strange_replies),
	    cmocka_unit_test(test_escapes_stay_out),
	    cmocka_unit_test(test_changes),
	    cmocka_unit_test(test_alignment),
	    cmocka_unit_test(test_narrow),
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_cells),
	    cmocka_unit_test(test_colours),
	    cmocka_unit_test(test_progress),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
