// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* user/rainbowctl/yaml.c and yaml_print.c: what is read as what, what is refused and where, and that what is printed reads the same. */
#include <stdlib.h>
#include "tests/unit/table_test.h"
#include "common/document.h"
#include "common/error.h"
#include "rainbowctl/yaml.h"

static const struct {
	const char *yaml, *json;
} readings[] = {
    {"a: b", "{\"a\":\"b\"}"},
    {"a: 'true'\nb: \"5\"", "{\"a\":\"true\",\"b\":\"5\"}"},
    {"weight: 5\nmargin: 2.5\nhard_max: -1e3", "{\"weight\":5,\"margin\":2.5,\"hard_max\":-1000.0}"},
    {"http: true\nshadow: false", "{\"http\":true,\"shadow\":false}"},
    {"http: yes\nshadow: True", "{\"http\":\"yes\",\"shadow\":\"True\"}"},
    {"weight: 0123\nmargin: .5\nquantile: 0x10", "{\"weight\":\"0123\",\"margin\":\".5\",\"quantile\":\"0x10\"}"},
    /* where a text is wanted, it is what is written */
    {"code: 12e4567\nlabel: 0123\nname: 5\nmodel: true",
     "{\"code\":\"12e4567\",\"label\":\"0123\",\"name\":\"5\",\"model\":\"true\"}"},
    {"services:\n- weights: {v1.2: 95, v2: null}", "{\"services\":[{\"weights\":{\"v1.2\":95,\"v2\":null}}]}"},
    {"a:\nb: null\nc: ~", "{\"a\":null,\"b\":null,\"c\":\"~\"}"},
    {"q: |\n  one\n  two\n", "{\"q\":\"one\\ntwo\\n\"}"},
    {"{\"a\": [\"b\", {\"weight\": 1}]}", "{\"a\":[\"b\",{\"weight\":1}]}"},
    {"{\n\t\"a\":\t\"b\"\n}", "{\"a\":\"b\"}"},
    {"a: [b, c] # why\r\nd: {}\r\n", "{\"a\":[\"b\",\"c\"],\"d\":{}}"},
    {"a: caf\xc3\xa9", "{\"a\":\"caf\xc3\xa9\"}"},
    {"--- \na: b\n...\n", "{\"a\":\"b\"}"},
};

static void test_readings(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(readings); i++) {
		struct error err = {ERROR_NONE};
		struct yaml yaml;
		int rc = yaml_read(readings[i].yaml, strlen(readings[i].yaml), document_wants_text, &yaml, &err);
		char *text = json_dumps(yaml.json, JSON_COMPACT);

		row_assert(!rc, readings[i].yaml, "refused: %s", err.message);
		row_assert(!strcmp(text, readings[i].json), readings[i].yaml, "gave %s", text);
		free(text);
		yaml_fini(&yaml);
	}
}

#define DEEP16      "[[[[[[[[[[[[[[[["
#define BYTES(text) text, sizeof(text) - 1

static const struct {
	const char *yaml;
	size_t size;
	unsigned int line, column;
	const char *complaint;
} refusals[] = {
    {BYTES("a: b\n\tc: d\n"), 2, 1, "a tab"},
    {BYTES("a:\n  b: c\n\td: e\n"), 3, 1, "a tab"},
    {BYTES("a: &x b\n"), 1, 4, "an anchor"},
    {BYTES("a: &x [b]\n"), 1, 4, "an anchor"},
    {BYTES("a:\n  b: *x\n"), 2, 6, "an alias"},
    {BYTES("a: !!str 5\n"), 1, 4, "a tag"},
    {BYTES("a: !own {b: c}\n"), 1, 4, "a tag"},
    {BYTES("a: b\n---\nc: d\n"), 2, 1, "a second document"},
    {BYTES("a: b\nc: d\na: e\n"), 3, 1, "the key a is there twice, first in line 1"},
    {BYTES("x:\n- {b: c, b: d}\n"), 2, 10, "the key b is there twice, first in line 2"},
    {BYTES("{\"a\": 1, \"a\": 2}"), 1, 10, "the key a is there twice"},
    {BYTES("1: b\n"), 1, 1, "the key 1 is no text"},
    {BYTES("a: {true: b}\n"), 1, 5, "the key true is no text"},
    {BYTES("? [a]\n: b\n"), 1, 3, "a key must be a text"},
    {BYTES("\"\": b\n"), 1, 1, "a key is empty"},
    {BYTES("a: b\n  c: d\n"), 2, 4, "mapping values are not allowed"},
    {BYTES("a: [b\n"), 2, 1, "did not find expected"},
    {BYTES("a: \"b\n"), 2, 1, "unexpected end"},
    {BYTES(""), 1, 1, "nothing in it"},
    {BYTES("# nothing\n"), 2, 1, "nothing in it"},
    {BYTES("a: b\0c\n"), 1, 5, "a NUL character"},
    {BYTES("a: \"b\\0c\"\n"), 1, 4, "a NUL character"},
    {BYTES("\"a\\0b\": c\n"), 1, 1, "a NUL character"},
    {BYTES("a: b\nb: \xff\n"), 2, 4, "not UTF-8"},
    {BYTES("b: \xc3\n"), 1, 4, "not UTF-8"},
    {BYTES("caf\xc3\xa9: \x1b[31m\n"), 1, 7, "control character U+001B"},
    {BYTES("a: \xe2\x80\xae"
	   "b\n"),
     1, 4, "control character U+202E"},
    {BYTES("\xff\xfe"
	   "a\0:\0"),
     1, 1, "not UTF-8"},
    {BYTES("weight: 123456789012345678901\n"), 1, 9, "out of range"},
    {BYTES("weight: 1e999\n"), 1, 9, "out of range"},
    {BYTES("a: " DEEP16 "]]]]]]]]]]]]]]]]\n"), 1, 19, "more than 16 levels"},
};

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refusals); i++) {
		struct error err = {ERROR_NONE};
		struct yaml yaml;
		int rc = yaml_read(refusals[i].yaml, refusals[i].size, document_wants_text, &yaml, &err);

		row_assert(rc == -ERROR_BAD_INPUT, refusals[i].yaml, "returned %d", rc);
		row_assert(strstr(err.message, refusals[i].complaint), refusals[i].yaml, "said: %s", err.message);
		row_assert(yaml.wrong.line == refusals[i].line && yaml.wrong.column == refusals[i].column, refusals[i].yaml,
			   "at %u:%u", yaml.wrong.line, yaml.wrong.column);
		row_assert(!yaml.json, refusals[i].yaml, "left a document");
		yaml_fini(&yaml);
	}
}

static void test_size(void **state)
{
	size_t size = YAML_SIZE_MAX + 1;
	char *text = malloc(size);
	struct error err;
	struct yaml yaml;

	(void)state;
	memset(text, '#', size);
	memcpy(text, "a: b\n", strlen("a: b\n")); // NOLINT(bugprone-not-null-terminated-result): it is no string
	assert_int_equal(yaml_read(text, size, document_wants_text, &yaml, &err), -ERROR_BAD_INPUT);
	assert_non_null(strstr(err.message, "1 MiB"));
	yaml_fini(&yaml);
	assert_int_equal(yaml_read(text, size - 1, document_wants_text, &yaml, &err), 0);
	yaml_fini(&yaml);
	free(text);
}

static void test_places(void **state)
{
	static const char text[] = "rainbow: 1\n"
				   "services:\n"
				   "- name: chat\n"
				   "  drain:\n"
				   "    dedline: 5h\n"
				   "  weights: {v1.2: 95,\n"
				   "            v2: 5}\n"
				   "-   name: other\n";
	static const struct {
		const char *path;
		unsigned int line, column;
	} rows[] = {
	    {"rainbow", 1, 1},
	    {"services", 2, 1},
	    {"services[0]", 3, 3},
	    {"services[0].drain.dedline", 5, 5},
	    {"services[0].weights.v1.2", 6, 13},
	    {"services[0].weights.v2", 7, 13},
	    {"services[1].name", 8, 5},
	    {"services[1].address", 8, 5}, /* missing: where its object is */
	    {"services[0].drain.pace", 4, 3},
	    {"", 1, 1},
	    {"nothing.like[3].that", 1, 1},
	};
	struct error err;
	struct yaml yaml;

	(void)state;
	assert_int_equal(yaml_read(text, sizeof(text) - 1, document_wants_text, &yaml, &err), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct yaml_at at = yaml_find(&yaml, rows[i].path);

		row_assert(at.line == rows[i].line && at.column == rows[i].column, rows[i].path, "at %u:%u", at.line,
			   at.column);
	}
	assert_true(yaml_remove(&yaml, "services[0].drain.dedline"));
	assert_false(yaml_remove(&yaml, "services[0].drain.dedline")); /* it is gone, and known still */
	assert_int_equal(yaml_find(&yaml, "services[0].drain.dedline").line, 5);
	assert_false(yaml_remove(&yaml, "services[0]"));
	yaml_fini(&yaml);
}

/* What rainbowd says of a rollout that a document wants; a key that is not written is where it would be. */
static void test_places_of_rollouts(void **state)
{
	static const char text[] = "rainbow: 1\n"
				   "services:\n"
				   "- name: chat\n"
				   "  rollout: {target: v2, baseline: v1}\n"
				   "  gates: []\n"
				   "- name: other\n"
				   "  rollout:\n"
				   "    target: v2\n"
				   "- name: third\n";
	static const struct {
		const char *path;
		unsigned int line, column;
	} rows[] = {
	    {"services[0].rollout", 4, 3},
	    {"services[0].rollout.target", 4, 13},
	    {"services[0].rollout.baseline", 4, 25},
	    {"services[0].gates", 5, 3},
	    {"services[1].rollout.target", 8, 5},
	    {"services[1].rollout.baseline", 7, 3},
	    {"services[1].rollout.steps[2].weight", 7, 3},
	    {"services[1].gates", 6, 3},
	    {"services[2].rollout", 9, 3},
	    {"services[2].rollout.target", 9, 3},
	};
	struct error err;
	struct yaml yaml;

	(void)state;
	assert_int_equal(yaml_read(text, sizeof(text) - 1, document_wants_text, &yaml, &err), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct yaml_at at = yaml_find(&yaml, rows[i].path);

		row_assert(at.line == rows[i].line && at.column == rows[i].column, rows[i].path, "at %u:%u", at.line,
			   at.column);
	}
	yaml_fini(&yaml);
}

/* A key that is longer than the error's field, which is cut within a character. */
static void test_long_key(void **state)
{
	char key[200], text[300];
	struct error err;
	struct yaml yaml;

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(key); i += 2)
		memcpy(key + i, "\xc3\xa9", 3);
	snprintf(text, sizeof(text), "rainbow: 1\nservices: []\n\n%s: 5\n", key);
	assert_int_equal(yaml_read(text, strlen(text), document_wants_text, &yaml, &err), 0);
	assert_int_equal(document_check(yaml.json, &err), -ERROR_BAD_INPUT);
	assert_int_equal(yaml_find(&yaml, err.field).line, 4);
	yaml_fini(&yaml);
}

static void test_print(void **state)
{
	static const char *const documents[] = {
	    "{\"name\":\"a\",\"label\":\"1\",\"code\":\"12e4567\",\"model\":\"true\",\"prompts\":\"null\",\"tools\":\"\"}",
	    "{\"a\":\"[fd00::1]:80\",\"b\":\"10.0.0.1:80\",\"c\":\"24h\",\"d\":\"50/s\"}",
	    "{\"a\":\"10.9.0.0/16\",\"b\":\"- x: #\"}",
	    "{\"weight\":12.5,\"margin\":0.1,\"http\":true,\"max_sessions\":5}",
	    "{\"query\":\"sum(rate(x{version=\\\"$version\\\"}[5m]))\\n  / 2\\n\",\"gates\":[],\"x\":{}}",
	    "{\"services\":[{\"weights\":{\"true\":95,\"1\":5,\"v2\":null}}]}",
	    "{\"code\":\"  blanks  \",\"model\":\"caf\xc3\xa9\",\"tools\":\"~\"}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(documents); i++) {
		json_t *json = json_loads(documents[i], 0, NULL);
		struct error err = {ERROR_NONE};
		struct yaml yaml;
		char *text = NULL;
		size_t size;
		FILE *out = open_memstream(&text, &size);

		assert_non_null(json);
		assert_int_equal(yaml_print(json, out, &err), 0);
		fclose(out);
		row_assert(!yaml_read(text, size, document_wants_text, &yaml, &err), documents[i], "%s in:\n%s", err.message,
			   text);
		row_assert(json_equal(yaml.json, json), documents[i], "reads as another document:\n%s", text);
		yaml_fini(&yaml);
		free(text);
		json_decref(json);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_readings), cmocka_unit_test(test_refusals),           cmocka_unit_test(test_size),
	    cmocka_unit_test(test_places),   cmocka_unit_test(test_places_of_rollouts), cmocka_unit_test(test_long_key),
	    cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
