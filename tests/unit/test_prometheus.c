// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* user/rainbowd/prometheus.c: what may be put into a query, and what each answer of the API means, as tables. */
#include <math.h>
#include <stdlib.h>
#include "tests/unit/table_test.h"
#include "rainbowd/prometheus.h"

static void test_fill(void **state)
{
	static const struct {
		const char *query, *version, *filled; /* NULL: refused, with `refusal` in the message */
		const char *refusal;
	} rows[] = {
	    {"up", "v2", "up", NULL},
	    {"e{v=\"$version\"}[$window]", "v2", "e{v=\"v2\"}[90s]", NULL},
	    {"$version$version", "v2", "v2v2", NULL},
	    {"$service/$baseline", "v2", "agent/v1", NULL},
	    {"{v=~\"$version.*\"}", "1.2-rc_3", "{v=~\"1.2-rc_3.*\"}", NULL},
	    {"{v=~\".*$$\"}", "v2", "{v=~\".*$\"}", NULL},
	    {"$$version", "v2", "$version", NULL},
	    {"", "v2", "", NULL},
	    {"{v=\"$version\"}", "v2\"} or vector(0) #", NULL, "$version is 'v2\"}"},
	    {"{v=\"$version\"}", "v 2", NULL, "only letters"},
	    {"{v=\"$version\"}", "v2\n", NULL, "only letters"},
	    {"{v=\"$version\"}", "v\xc3\xa4", NULL, "only letters"},
	    {"{v=\"$version\"}", "v{2}", NULL, "only letters"},
	    {"{v=\"$version\"}", "$baseline", NULL, "only letters"},
	    {"{v=\"$version\"}", "", NULL, "only letters"},
	    {"$versions", "v2", NULL, "unknown variable $versions"},
	    {"$Version", "v2", NULL, "unknown variable $Version"},
	    {"${version}", "v2", NULL, "$ stands alone"},
	    {"{v=~\"v2$\"}", "v2", NULL, "$ stands alone"},
	    {"$", "v2", NULL, "$ stands alone"},
	};
	char out[PROMETHEUS_QUERY_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct prometheus_names names = {rows[i].version, "v1", "agent", {89001}};
		struct error err = {0};
		int rc = prometheus_fill(rows[i].query, &names, out, &err);

		if (rows[i].filled)
			row_assert(rc == 0 && strcmp(out, rows[i].filled) == 0, rows[i].query, "%d, %s, %s", rc, out,
				   err.message);
		else
			row_assert(rc == -ERROR_BAD_INPUT && strstr(err.message, rows[i].refusal), rows[i].query, "%d, %s, %s",
				   rc, out, err.message);
	}
}

/* A value that no variable of the query takes may be anything: nobody is injected. */
static void test_only_what_is_used_is_checked(void **state)
{
	const struct prometheus_names names = {"v2", "odd label", "agent", {1}};
	char out[PROMETHEUS_QUERY_SIZE];
	struct error err;

	(void)state;
	assert_int_equal(prometheus_fill("$version[$window]", &names, out, &err), 0);
	assert_string_equal(out, "v2[1s]");
	assert_int_equal(prometheus_fill("$baseline", &names, out, &err), -ERROR_BAD_INPUT);
}

static void test_fill_has_a_bound(void **state)
{
	const struct prometheus_names names = {"v2345678901234567890123456789", "v1", "agent", {0}};
	char query[SETTINGS_QUERY_SIZE] = "", out[PROMETHEUS_QUERY_SIZE + 16], just[PROMETHEUS_QUERY_SIZE + 1];
	struct error err;

	(void)state;
	while (strlen(query) + strlen("$version") < sizeof(query))
		strcat(query, "$version");
	assert_int_equal(prometheus_fill(query, &names, out, &err), 0);
	memset(just, 'x', sizeof(just));
	just[sizeof(just) - 1] = '\0';
	assert_int_equal(prometheus_fill(just, &names, out, &err), -ERROR_BAD_INPUT);
	just[sizeof(just) - 2] = '\0';
	assert_int_equal(prometheus_fill(just, &names, out, &err), 0);
	memcpy(just, "$version ", strlen("$version ")); /* ... which is longer than its name */
	assert_int_equal(prometheus_fill(just, &names, out, &err), -ERROR_BAD_INPUT);
	assert_non_null(strstr(err.message, "longer than"));
}

static void test_url(void **state)
{
	static const struct {
		const char *base, *query, *url; /* NULL: refused */
	} rows[] = {
	    {"http://p:9090", "up", "http://p:9090/api/v1/query?query=up"},
	    {"http://p:9090/", "up", "http://p:9090/api/v1/query?query=up"},
	    {"https://p/prometheus//", "a+b", "https://p/prometheus/api/v1/query?query=a%2Bb"},
	    {"http://p", "a{b=\"c\"}&x=\xc3\xa4 #", "http://p/api/v1/query?query=a%7Bb%3D%22c%22%7D%26x%3D%C3%A4%20%23"},
	    {"http://p/?tenant=1", "up", NULL},
	    {"http://p#x", "up", NULL},
	};
	char out[PROMETHEUS_URL_SIZE];
	struct error err;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int rc = prometheus_url(rows[i].base, rows[i].query, out, &err);

		if (rows[i].url)
			row_assert(rc == 0 && strcmp(out, rows[i].url) == 0, rows[i].base, "%s", out);
		else
			row_assert(rc == -ERROR_BAD_INPUT, rows[i].base, "%s", out);
	}
}

#define VECTOR(result) "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[" result "]}}"
#define SERIES(value)  "{\"metric\":{\"v\":\"x\"},\"value\":[1435781451.781,\"" value "\"]}"
#define SCALAR(value)  "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[1435781451,\"" value "\"]}}"

static void test_read(void **state)
{
	static const struct {
		int status;
		const char *body;
		enum gate_verdict verdict;
		double value;
		const char *reason; /* in it */
	} rows[] = {
	    {200, VECTOR(SERIES("0.25")), GATE_PASS, 0.25, ""},
	    {200, VECTOR(SERIES("-3e-5")), GATE_PASS, -3e-5, ""},
	    {200, SCALAR("42"), GATE_PASS, 42, ""},
	    {200, "{\"warnings\":[\"slow\"],\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[1,\"0\"]}}",
	     GATE_PASS, 0, ""},
	    /* nothing that could be judged */
	    {200, VECTOR(""), GATE_INCONCLUSIVE, 0, "no series"},
	    {200, VECTOR(SERIES("NaN")), GATE_INCONCLUSIVE, 0, "NaN"},
	    {200, SCALAR("NaN"), GATE_INCONCLUSIVE, 0, "NaN"},
	    {200, VECTOR(SERIES("+Inf")), GATE_INCONCLUSIVE, 0, "+Inf"},
	    {200, VECTOR(SERIES("-Inf")), GATE_INCONCLUSIVE, 0, "-Inf"},
	    {200, VECTOR(SERIES("1") "," SERIES("2")), GATE_INCONCLUSIVE, 0, "2 series"},
	    /* errors, which are never a failure of the gate */
	    {200, "{\"status\":\"error\",\"errorType\":\"timeout\",\"error\":\"query timed out\"}", GATE_ERROR, 0,
	     "query timed out"},
	    {400, "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"parse error: unclosed\"}", GATE_ERROR, 0,
	     "400, bad_data: parse error"},
	    {503, "overloaded\nmore", GATE_ERROR, 0, "HTTP 503: overloaded"},
	    {500, VECTOR(SERIES("0.25")), GATE_ERROR, 0, "HTTP 500"},
	    {204, "", GATE_ERROR, 0, "HTTP 204"},
	    {401, "\x1b[31mno", GATE_ERROR, 0, "HTTP 401: ?[31mno"},
	    {200, "<html>", GATE_ERROR, 0, "no JSON"},
	    {200, "", GATE_ERROR, 0, "no JSON"},
	    {200, "[]", GATE_ERROR, 0, "does not say"},
	    {200, "{}", GATE_ERROR, 0, "does not say"},
	    {200, "{\"status\":\"success\"}", GATE_ERROR, 0, "type ''"},
	    {200, "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[]}}", GATE_ERROR, 0,
	     "range of time"},
	    {200, "{\"status\":\"success\",\"data\":{\"resultType\":\"string\",\"result\":[1,\"1\"]}}", GATE_ERROR, 0,
	     "'string'"},
	    {200, "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":{}}}", GATE_ERROR, 0,
	     "not even none"},
	    {200, VECTOR("{\"metric\":{},\"histogram\":[1,{}]}"), GATE_ERROR, 0, "histogram"},
	    {200, VECTOR(SERIES("0.25x")), GATE_ERROR, 0, "0.25x"},
	    {200, VECTOR(SERIES("")), GATE_ERROR, 0, "no number"},
	    {200, VECTOR("{\"value\":[1,2]}"), GATE_ERROR, 0, "no number"},
	    {200, VECTOR("{\"value\":{}}"), GATE_ERROR, 0, "no number"},
	    {200, VECTOR("7"), GATE_ERROR, 0, "histogram"},
	};
	struct prometheus_value value;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		prometheus_read(rows[i].status, rows[i].body, strlen(rows[i].body), &value);
		row_assert(value.verdict == rows[i].verdict, rows[i].body, "verdict %d: %s", (int)value.verdict, value.reason);
		row_assert(value.verdict != GATE_PASS || fabs(value.value - rows[i].value) < 1e-12, rows[i].body, "%g",
			   value.value);
		row_assert(strstr(value.reason, rows[i].reason), rows[i].body, "%s", value.reason);
		row_assert((value.verdict == GATE_PASS) == !value.reason[0], rows[i].body, "%s", value.reason);
	}
}

static void test_evidence(void **state)
{
#define GOOD(number)                                                                                                           \
	{                                                                                                                      \
		GATE_PASS, number, ""                                                                                          \
	}
#define EMPTY                                                                                                                  \
	{                                                                                                                      \
		GATE_INCONCLUSIVE, 0, "empty"                                                                                  \
	}
#define BROKEN                                                                                                                 \
	{                                                                                                                      \
		GATE_ERROR, 0, "broken"                                                                                        \
	}
	static const struct {
		const char *name;
		bool with_samples;
		struct prometheus_value parts[PROMETHEUS_PARTS];
		enum gate_verdict source;
		const char *reason;
	} rows[] = {
	    {"all there", true, {GOOD(1), GOOD(2), GOOD(30), GOOD(40)}, GATE_PASS, ""},
	    {"no samples asked for", false, {GOOD(1), GOOD(2), EMPTY, BROKEN}, GATE_PASS, ""},
	    {"candidate empty", false, {EMPTY, GOOD(2)}, GATE_INCONCLUSIVE, "candidate: empty"},
	    {"baseline empty", false, {GOOD(1), EMPTY}, GATE_INCONCLUSIVE, "baseline: empty"},
	    {"samples empty", true, {GOOD(1), GOOD(2), GOOD(3), EMPTY}, GATE_INCONCLUSIVE, "baseline's samples: empty"},
	    {"an error goes first", true, {EMPTY, GOOD(2), BROKEN, GOOD(4)}, GATE_ERROR, "candidate's samples: broken"},
	    {"less than none", true, {GOOD(1), GOOD(2), GOOD(-1), GOOD(4)}, GATE_ERROR, "no number of samples"},
	    {"a value may be negative", true, {GOOD(-1), GOOD(-2), GOOD(3), GOOD(4)}, GATE_PASS, ""},
	};
	struct gate_evidence evidence;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		prometheus_evidence(rows[i].parts, rows[i].with_samples, &evidence);
		row_assert(evidence.source == rows[i].source, rows[i].name, "%d", (int)evidence.source);
		row_assert(strstr(evidence.reason, rows[i].reason), rows[i].name, "%s", evidence.reason);
	}
	prometheus_evidence(rows[0].parts, true, &evidence);
	assert_true(evidence.candidate.value == 1 && evidence.baseline.value == 2);
	assert_true(evidence.candidate.sessions == 30 && evidence.baseline.sessions == 40);
	prometheus_evidence(rows[0].parts, false, &evidence);
	assert_true(evidence.candidate.sessions == 0 && evidence.baseline.sessions == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_fill),
	    cmocka_unit_test(test_only_what_is_used_is_checked),
	    cmocka_unit_test(test_fill_has_a_bound),
	    cmocka_unit_test(test_url),
	    cmocka_unit_test(test_read),
	    cmocka_unit_test(test_evidence),
	};

	return cmocka_run_group_tests_name("prometheus", tests, NULL, NULL);
}
