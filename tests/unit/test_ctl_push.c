// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* user/rainbowctl/push.c: lines become batches, and the answers one. client_send is the test's: it takes what a rainbowd would get. */
#include <stdlib.h>
#include "tests/unit/table_test.h"
#include "common/error.h"
#include "rainbowctl/client.h"
#include "rainbowctl/command.h"
#include "rainbowctl/push.h"

static struct {
	size_t requests, samples;
	size_t fails_at;   /* this request, from 1; 0: none */
	const char *field; /* then */
	bool dry_run;
	size_t unused; /* of each request */
	const char *gate;
	char last[64]; /* the last session */
} sent;

int client_send(struct client *client, const struct request *request, json_t **reply, struct error *err)
{
	const json_t *list = json_object_get(request->body, "samples");
	size_t count = json_array_size(list);

	(void)client;
	sent.requests++;
	if (sent.requests == sent.fails_at)
		return error_set(err, ERROR_BAD_INPUT, sent.field, "%s", *sent.field ? "samples[1]: no good" : "no good");
	assert_string_equal(json_string_value(json_object_get(request->body, "gate")), "accuracy");
	assert_in_range(count, 1, 1000);
	sent.samples += count;
	snprintf(sent.last, sizeof(sent.last), "%s",
		 json_string_value(json_object_get(json_array_get(list, count - 1), "session")));
	*reply = json_pack("{s:s, s:f, s:n, s:b, s:I, s:i, s:I, s:o}", "done", "x", "took_ms", 1.0, "generation", "dry_run",
			   (int)sent.dry_run, "accepted", (json_int_t)(count - 1 - sent.unused), "known", 1, "unused",
			   (json_int_t)sent.unused, "unused_why",
			   sent.unused ? json_sprintf("cause %s", sent.requests < 3 ? "one" : "two") : json_null());
	return 0;
}

static int push(const char *text, size_t length, json_t **reply, struct error *err)
{
	struct request request = {.method = "POST", .body = json_pack("{s:s, s:s}", "gate", "accuracy", "version", "v2")};
	FILE *in = fmemopen((void *)text, length, "r");
	int rc;

	*reply = NULL;
	memset(err, 0, sizeof(*err));
	rc = push_lines(NULL, &request, in, reply, err);
	assert_int_equal(json_object_size(request.body), 2); /* as it was */
	json_decref(request.body);
	fclose(in);
	return rc;
}

static json_int_t count_of(const json_t *reply, const char *key)
{
	return json_integer_value(json_object_get(reply, key));
}

static void test_batches(void **state)
{
	static const size_t counts[][2] = {{1, 1}, {999, 1}, {1000, 1}, {1001, 2}, {2500, 3}}; /* lines, requests */
	char *text = malloc(2500 * 40);
	struct error err;
	json_t *reply;

	(void)state;
	for (size_t i = 0; i < COUNT(counts); i++) {
		size_t length = 0;

		for (size_t n = 0; n < counts[i][0]; n++)
			length += (size_t)sprintf(text + length, "{\"session\": \"s%zu\", \"ok\": true}%s", n,
						  n + 1 < counts[i][0] ? "\n" : "");
		memset(&sent, 0, sizeof(sent));
		assert_int_equal(push(text, length, &reply, &err), 0);
		assert_int_equal(sent.requests, counts[i][1]);
		assert_int_equal(sent.samples, counts[i][0]);
		assert_int_equal(atol(sent.last + 1), counts[i][0] - 1);
		assert_int_equal(count_of(reply, "accepted"), counts[i][0] - counts[i][1]);
		assert_int_equal(count_of(reply, "known"), counts[i][1]);
		assert_non_null(strstr(json_string_value(json_object_get(reply, "done")), " read: "));
		json_decref(reply);
	}
	free(text);
}

/* So many lines, after an empty one; the one of this number (0: none) is another. */
static char *make_lines(size_t count, size_t other, const char *line)
{
	char *text = malloc(count * 40 + strlen(line) + 2), *at = text;

	at += sprintf(at, "\n");
	for (size_t n = 2; n < count + 2; n++)
		at += n == other ? sprintf(at, "%s\n", line) : sprintf(at, "{\"session\": \"s%zu\", \"ok\": true}\n", n);
	return text;
}

/* What rainbowd alone can know: by the line's number, and with what is counted by then. */
static void test_refused_by_rainbowd(void **state)
{
	static const struct {
		size_t fails_at;
		const char *field;
		bool dry_run;
		const char *message;
	} rows[] = {
	    {1, "samples[1].ok", false, "line 3 of stdin: no good"},
	    {1, "", false, "no good"},
	    {3, "samples[1].ok", false,
	     "line 2003 of stdin: no good; lines 1 to 2001 are counted already; pushing them again does no harm"},
	    {2, "", false, "no good; lines 1 to 1001 are counted already; pushing them again does no harm"},
	    {2, "samples[1].ok", true, "line 1003 of stdin: no good"},
	};
	char *text = make_lines(2500, 0, "");
	struct error err;
	json_t *reply;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		memset(&sent, 0, sizeof(sent));
		sent.fails_at = rows[i].fails_at;
		sent.field = rows[i].field;
		sent.dry_run = rows[i].dry_run;
		assert_int_equal(push(text, strlen(text), &reply, &err), -ERROR_BAD_INPUT);
		assert_string_equal(err.message, rows[i].message);
	}
	free(text);
}

static void test_why_of_no_use(void **state)
{
	char *text = make_lines(2500, 0, "");
	struct error err;
	json_t *reply;

	(void)state;
	memset(&sent, 0, sizeof(sent));
	sent.unused = 7;
	assert_int_equal(push(text, strlen(text), &reply, &err), 0);
	assert_string_equal(json_string_value(json_object_get(reply, "done")),
			    "2501 lines read: 2476 accepted, 3 known, 21 of no use: cause one (14), cause two (7)");
	json_decref(reply);
	sent.requests = 0;
	text[1000] = '\0';
	assert_int_equal(push(text, strrchr(text, '\n') - text, &reply, &err), 0);
	assert_non_null(strstr(json_string_value(json_object_get(reply, "done")), " 7 of no use: cause one"));
	assert_string_equal(json_string_value(json_object_get(reply, "unused_why")), "cause one");
	json_decref(reply);
	free(text);
}

/* The last line of many: nothing is sent. */
static void test_all_are_checked_first(void **state)
{
	char *text = make_lines(2500, 2501, "{\"session\": \"x\", \"ok\": 1}");
	struct error err;
	json_t *reply;

	(void)state;
	memset(&sent, 0, sizeof(sent));
	assert_int_equal(push(text, strlen(text), &reply, &err), -ERROR_BAD_INPUT);
	assert_string_equal(err.message, "line 2501 of stdin: ok: must be true or false; nothing is sent");
	assert_int_equal(sent.requests, 0);
	free(text);
}

static void test_bounds(void **state)
{
	char *text = make_lines(PUSH_SAMPLES_MAX, 0, ""), *more = make_lines(PUSH_SAMPLES_MAX + 1, 0, ""),
	     line[PUSH_LINE_MAX + 3];
	struct error err;
	json_t *reply;

	(void)state;
	memset(&sent, 0, sizeof(sent));
	assert_int_equal(push(text, strlen(text), &reply, &err), 0);
	assert_int_equal(sent.samples, PUSH_SAMPLES_MAX);
	json_decref(reply);
	assert_int_equal(push(more, strlen(more), &reply, &err), -ERROR_BAD_INPUT);
	assert_non_null(strstr(err.message, "line 100002 of stdin: there are more than 100000 samples"));
	free(text);
	free(more);

	memset(line, ' ', sizeof(line));
	memcpy(line, "{\"session\":\"a\",\"ok\":true}", 25); // NOLINT(bugprone-not-null-terminated-result): it is no string
	line[PUSH_LINE_MAX] = '\n';
	assert_int_equal(push(line, PUSH_LINE_MAX + 1, &reply, &err), 0);
	json_decref(reply);
	line[PUSH_LINE_MAX] = ' ';
	assert_int_equal(push(line, sizeof(line), &reply, &err), -ERROR_BAD_INPUT);
	assert_string_equal(err.message, "line 1 of stdin: is longer than 4096 bytes; nothing is sent");
	assert_int_equal(push("{\"session\":\"a\0b\"}", 19, &reply, &err), -ERROR_BAD_INPUT);
}

static void test_bad_lines(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
	    {"\n", "stdin holds no sample"},
	    {"\n \t\r\n\n", "stdin holds no sample"},
	    {"{\"session\":\"a\",\"ok\":true}\n\nnonsense\n", "line 3 of stdin: is no JSON object"},
	    {"{\"session\":\"a\",\"session\":\"b\"}\n", "line 1 of stdin"},
	    {"[]", "line 1 of stdin: must be an object"},
	    {"{\"ok\":true}", "session: is missing"},
	    {"{\"session\":7,\"ok\":true}", "session: must be a text"},
	    {"{\"session\":\"\",\"ok\":true}", "session: is empty"},
	    {"{\"session\":\"a\\nb\",\"ok\":true}", "control character"},
	    {"{\"session\":\"a\"}", "one of ok and value"},
	    {"{\"session\":\"a\",\"ok\":true,\"value\":1}", "one of ok and value"},
	    {"{\"session\":\"a\",\"ok\":1}", "ok: must be true or false"},
	    {"{\"session\":\"a\",\"value\":\"1\"}", "value: must be a number"},
	    {"{\"session\":\"a\",\"value\":1}\n{\"session\":\"b\",\"ok\":true}",
	     "line 2 of stdin: ok: the lines before have value"},
	    {"{\"session\":\"a\",\"ok\":true,\"start\":\"x\"}", "start: unknown key; did you mean started?"},
	    {"{\"session\":\"a\",\"ok\":true,\"at\":\"yesterday\"}", "line 1 of stdin: at: "},
	    {"{\"session\":\"a\",\"ok\":true,\"at\":null}\n{\"session\":\"b\",\"ok\":true,\"started\":5}",
	     "line 2 of stdin: started: must be a text"},
	};
	struct error err;
	json_t *reply;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		memset(&sent, 0, sizeof(sent));
		row_assert(push(rows[i].text, strlen(rows[i].text), &reply, &err) == -ERROR_BAD_INPUT, rows[i].text, "%s",
			   err.message);
		row_assert(strstr(err.message, rows[i].message) && !reply, rows[i].text, "%s", err.message);
		assert_int_equal(sent.requests, 0);
	}
}

static void test_when_it_is_meant(void **state)
{
	static const struct {
		const char *argv[7];
		int argc;
		bool meant;
	} rows[] = {
	    {{"gate", "push", "agent", "accuracy", "v2", "-"}, 6, true},
	    {{"gate", "push", "agent", "accuracy", "v2", "--ok", "--session=a"}, 7, false},
	    {{"status"}, 1, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct invocation invocation;
		struct error err;

		assert_int_equal(invocation_parse(rows[i].argc, (char *const *)rows[i].argv, &invocation, &err), 0);
		assert_int_equal(push_is_meant(&invocation), rows[i].meant);
		invocation_fini(&invocation);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_batches),
	    cmocka_unit_test(test_bad_lines),
	    cmocka_unit_test(test_all_are_checked_first),
	    cmocka_unit_test(test_refused_by_rainbowd),
	    cmocka_unit_test(test_why_of_no_use),
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_when_it_is_meant),
	};

	return cmocka_run_group_tests_name("ctl_push", tests, NULL, NULL);
}
