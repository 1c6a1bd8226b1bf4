// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The eye of the lab: answers what a test asks of agents, of rainbowd and of pinned maps, filtered by libjq. One process for a
 * whole test, since a test looks hundreds of times: each `bpftool | jq` in a shell costs it three forks and jq its builtins.
 *
 *   eye QUESTIONS ANSWERS          the paths of two FIFOs; ends with its parent
 *
 * A question is a line of fields parted by US (0x1f): ID, FORM, NAME, FILTER, then the place: `agent PATH COMMAND`, `api SOCKET
 * PATH`, `map PIN`. FORM: r is jq -r, c is jq -c, e is jq -e without output. NAME is the filter's $name. An answer is
 * "ID CODE TEXT" and a zero byte; CODE: 0 seen, 1 seen to be otherwise (FORM e, or the agent refuses), 2 nothing there, with why.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include <jq.h>

#include "tests/lab/eye.h"

#define FIELDS   7
#define COMPILED 64

enum { ID, FORM, NAME, FILTER, PLACE, FIRST, SECOND };

struct filter {
	char *text;
	jq_state *jq;
};

static struct filter filters[COMPILED]; /* those asked for lately: to compile one takes 30 ms, for the builtins */
static unsigned int next_filter;

jv eye_nothing(const char *format, ...)
{
	char text[300];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return jv_invalid_with_msg(jv_string(text));
}

/* --- filters ----------------------------------------------------------------------------------------------------------- */

static void keep_message(void *message, jv error)
{
	jv *kept = message;

	jv_free(*kept);
	*kept = jq_format_error(error);
}

static jq_state *filter_compile(const char *text, jv *message)
{
	size_t size = strlen(text) + sizeof(".[0] as $name | .[1] | ");
	char *program = malloc(size);
	jq_state *jq = program ? jq_init() : NULL;

	if (jq) {
		snprintf(program, size, ".[0] as $name | .[1] | %s", text);
		jq_set_error_cb(jq, keep_message, message);
		if (!jq_compile(jq, program))
			jq_teardown(&jq);
		else
			jq_set_error_cb(jq, NULL, NULL);
	}
	free(program);
	return jq;
}

static jq_state *filter_get(const char *text, jv *message)
{
	struct filter *filter;
	unsigned int i;

	for (i = 0; i < COMPILED; i++) {
		if (filters[i].text && !strcmp(filters[i].text, text))
			return filters[i].jq;
	}
	filter = &filters[next_filter];
	next_filter = (next_filter + 1) % COMPILED;
	free(filter->text);
	filter->text = NULL;
	if (filter->jq)
		jq_teardown(&filter->jq);
	filter->jq = filter_compile(text, message);
	if (filter->jq)
		filter->text = strdup(text);
	return filter->jq;
}

/* --- answers ----------------------------------------------------------------------------------------------------------- */

static void answer_begin(const char *id, int code)
{
	printf("%s %d ", id, code);
}

static void answer_end(void)
{
	putchar('\0');
	fflush(stdout);
}

static void answer_nothing(const char *id, jv message)
{
	answer_begin(id, 2);
	if (jv_get_kind(message) == JV_KIND_STRING)
		printf("%s\n", jv_string_value(message));
	answer_end();
	jv_free(message);
}

static void print_value(jv value, int raw)
{
	if (raw && jv_get_kind(value) == JV_KIND_STRING) {
		fwrite(jv_string_value(value), 1, (size_t)jv_string_length_bytes(jv_copy(value)), stdout);
		jv_free(value);
	} else {
		jv_dumpf(value, stdout, raw ? JV_PRINT_PRETTY | JV_PRINT_INDENT_FLAGS(2) : 0); /* as jq does */
	}
	putchar('\n');
}

static int is_true(jv value)
{
	jv_kind kind = jv_get_kind(value);

	jv_free(value);
	return kind != JV_KIND_NULL && kind != JV_KIND_FALSE;
}

/* The output is collected first, since its code leads it. */
static void answer_seen(const char *id, char form, jq_state *jq, jv seen, const char *name)
{
	jv results = jv_array(), result, last = jv_null();
	int code, i;

	jq_start(jq, JV_ARRAY(jv_string(name), seen), 0);
	while (jv_is_valid(result = jq_next(jq))) {
		jv_free(last);
		last = jv_copy(result);
		results = jv_array_append(results, result);
	}
	code = form == 'e' && !is_true(jv_copy(last)) ? 1 : 0;
	jv_free(last);
	if (jv_invalid_has_msg(jv_copy(result))) {
		jv_free(results);
		answer_nothing(id, jv_invalid_get_msg(result));
		return;
	}
	jv_free(result);
	answer_begin(id, code);
	for (i = 0; form != 'e' && i < jv_array_length(jv_copy(results)); i++)
		print_value(jv_array_get(jv_copy(results), i), form == 'r');
	jv_free(results);
	answer_end();
}

static jv look(char *field[FIELDS])
{
	if (!strcmp(field[PLACE], "map") && field[FIRST])
		return eye_map(field[FIRST]);
	if (!strcmp(field[PLACE], "agent") && field[SECOND])
		return eye_agent(field[FIRST], field[SECOND]);
	if (!strcmp(field[PLACE], "api") && field[SECOND])
		return eye_api(field[FIRST], field[SECOND]);
	return eye_nothing("the eye knows no place \"%s\"", field[PLACE]);
}

static int is_refusal(const char *place, jv seen)
{
	int is =
	    !strcmp(place, "agent") && jv_get_kind(seen) == JV_KIND_OBJECT && jv_object_has(jv_copy(seen), jv_string("error"));

	jv_free(seen);
	return is;
}

static void question_answer(char *line)
{
	char *field[FIELDS] = {NULL};
	jv seen, message = jv_null();
	jq_state *jq;
	int i;

	for (i = 0; i < FIELDS && line; i++)
		field[i] = strsep(&line, "\x1f");
	if (!field[PLACE]) {
		answer_nothing(field[ID], jv_string("a question without a place"));
		return;
	}
	jq = filter_get(field[FILTER], &message);
	if (!jq) {
		answer_nothing(field[ID], message);
		return;
	}
	jv_free(message);
	seen = look(field);
	if (is_refusal(field[PLACE], jv_copy(seen))) {
		answer_begin(field[ID], 1);
		print_value(seen, 0);
		answer_end();
	} else if (jv_is_valid(seen))
		answer_seen(field[ID], field[FORM][0], jq, seen, field[NAME]);
	else
		answer_nothing(field[ID], jv_invalid_get_msg(seen));
}

int main(int argc, char **argv)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t length;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGINT, SIG_IGN); /* of the terminal: the test's cleanup still looks */
	signal(SIGPIPE, SIG_IGN);
	if (argc != 3 || !freopen(argv[1], "r", stdin) || !freopen(argv[2], "w", stdout)) {
		fprintf(stderr, "eye: takes the paths of two FIFOs\n");
		return 2;
	}
	while ((length = getline(&line, &size, stdin)) > 0) {
		if (line[length - 1] == '\n')
			line[length - 1] = '\0';
		question_answer(line);
	}
	free(line);
	return 0;
}
