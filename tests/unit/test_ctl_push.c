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
	size_t fails_at; /* this request, from 1; 0: none */
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
		return error_set(err, ERROR_BAD_INPUT, "samples[1].ok", "samples[1]: no good");
	assert_string_equal(json_string_value(json_object_get(request->body, "gate")), "accuracy");
	assert_in_range(count, 1, 1000);
	sent.samples += count;
	snprintf(sent.last, sizeof(sent.last), "%s",
		 json_string_value(json_object_get(json_array_get(list, count - 1), "session")));
	*reply = json_pack("{s:s, s:f, s:n, s:b, s:I, s:i, s:i}", "done", "x", "took_ms", 1.0, "generation", "dry_run", 0,
			   "accepted", (json_int_t)count - 1, "known", 1, "unused", 0);
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
		assert_non_null(strstr(json_string_value(json_object_get(reply, "done")), "lines read"));
		json_decref(reply);
	}
	memset(&sent, 0, sizeof(sent));
	sent.fails_at = 2;
	assert_int_equal(push(text, strlen(text), &reply, &err), -ERROR_BAD_INPUT);
	assert_string_equal(err.message, "lines 1001 to 2000 of stdin: samples[1]: no good");
	free(text);
}

static void test_bad_lines(void **state)
{
	static const struct {
		const char *text, *message;
		size_t requests;
	} rows[] = {
	    {"\n", "stdin holds no sample", 0},
	    {"\n \t\r\n\n", "stdin holds no sample", 0},
	    {"{\"session\":\"a\",\"ok\":true}\n\nnonsense\n", "line 3 of stdin is no JSON object", 0},
	    {"{\"session\":\"a\",\"session\":\"b\"}\n", "line 1 of stdin", 0},
	};
	struct error err;
	json_t *reply;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		memset(&sent, 0, sizeof(sent));
		row_assert(push(rows[i].text, strlen(rows[i].text), &reply, &err) == -ERROR_BAD_INPUT, rows[i].text, "%s",
			   err.message);
		row_assert(strstr(err.message, rows[i].message) && !reply, rows[i].text, "%s", err.message);
		assert_int_equal(sent.requests, rows[i].requests);
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
	    cmocka_unit_test(test_when_it_is_meant),
	};

	return cmocka_run_group_tests_name("ctl_push", tests, NULL, NULL);
}
