// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * user/rainbowd/tuple.c: which layers differ; and the environment of a version, from the tuple to what a shell, systemd and OpenTelemetry
 * read of what rainbowctl prints (user/rainbowctl/render_history.c). The texts are as hostile as a tuple may be.
 */
#include <stdlib.h>
#include <unistd.h>
#include <curl/curl.h>
#include "tests/unit/table_test.h"
#include "common/text.h"
#include "rainbowctl/render_table.h"
#include "rainbowctl/screen.h"
#include "rainbowd/tuple.h"

static void test_diff(void **state)
{
	static const struct {
		struct tuple a, b;
		const char *layers;
	} rows[] = {
	    {{"c", "m", "p", "t"}, {"c", "m", "p", "t"}, ""},
	    {{"", "", "", ""}, {"", "", "", ""}, ""},
	    {{"c", "m", "p", "t"}, {"C", "m", "p", "t"}, "code"},
	    {{"c", "m", "p", "t"}, {"c", "M", "P", "t"}, "model, prompts"},
	    {{"c", "m", "p", "t"}, {"c", "m", "p", ""}, "tools"},
	    {{"c", "m", "p", "t"}, {"", "", "", ""}, "code, model, prompts, tools"},
	    {{"c", "", "", ""}, {"", "c", "", ""}, "code, model"}, /* the same text in another layer is another tuple */
	};
	char layers[TUPLE_DIFF_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_string_equal(tuple_diff(&rows[i].a, &rows[i].b, layers), rows[i].layers);
}

static const struct tuple hostile[] = {
    {"3f9c2ab", "anthropic/claude:4", "p@7", "tools-1.2"},
    {"", "", "", ""},
    {"a b", " lead and trail ", "tab-less", "#no comment"},
    {"$HOME", "$(touch /tmp/rainbow-env-was-run)", "`id`", "${PATH}"},
    {"\"quoted\"", "it's", "back\\slash\\", "\\\"\\$\\`\\n"},
    {"a,b", "k=v", "100%41", "a+b&c;d|e>f<g"},
    {"gr\xc3\xbc\xc3\x9f", "\xf0\x9f\x8c\x88", "!!", "~root/*?[a]"},
    {"\\", "\\\\", "'", "';id;'"},
};

static void make(const struct tuple *tuple, struct service *service, struct version *version)
{
	memset(service, 0, sizeof(*service));
	memset(version, 0, sizeof(*version));
	strcpy(service->name, "chat");
	strcpy(version->label, "v2");
	version->tuple = *tuple;
}

static json_t *env_of(const struct tuple *tuple)
{
	struct service service;
	struct version version;

	make(tuple, &service, &version);
	return tuple_env(&service, &version);
}

static const char *member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "(missing)";
}

/* As an OpenTelemetry SDK does: split at commas, at the first equals sign, percent-decode what follows. */
static json_t *attributes_read(const char *attributes)
{
	char *copy = strdup(attributes), *rest = NULL;
	json_t *read = json_object();

	for (char *pair = strtok_r(copy, ",", &rest); pair; pair = strtok_r(NULL, ",", &rest)) {
		char *equals = strchr(pair, '='), *value;
		int length;

		assert_non_null(equals);
		*equals = '\0';
		value = curl_easy_unescape(NULL, equals + 1, 0, &length);
		json_object_set_new(read, pair, json_stringn(value, (size_t)length));
		curl_free(value);
	}
	free(copy);
	return read;
}

/* baggage-octet of W3C Baggage, without comma and equals sign. */
static bool is_octet(unsigned char c)
{
	return c == 0x21 || (c >= 0x23 && c <= 0x2b) || (c >= 0x2d && c <= 0x3a) || c == 0x3c || (c >= 0x3e && c <= 0x5b) ||
	       (c >= 0x5d && c <= 0x7e);
}

static void test_attributes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(hostile); i++) {
		json_t *env = env_of(&hostile[i]), *read;
		const char *text = member(env, "OTEL_RESOURCE_ATTRIBUTES");

		for (const char *c = text; *c; c++)
			row_assert(is_octet((unsigned char)*c) || *c == ',' || *c == '=', text, "character %zu",
				   (size_t)(c - text));
		read = attributes_read(text);
		assert_string_equal(member(read, "service.name"), "chat");
		assert_string_equal(member(read, "service.version"), "v2");
		for (size_t j = 0; j < TUPLE_LAYERS; j++) {
			const char *layer = tuple_layer(&hostile[i], j);
			char key[40];

			snprintf(key, sizeof(key), "rainbow.version.%s", tuple_layers[j]);
			row_assert(!strcmp(member(read, key), *layer ? layer : "(missing)"), text, "%s is '%s'", key,
				   member(read, key));
		}
		json_decref(read);
		json_decref(env);
	}
}

/* The longest there can be. */
static void test_longest(void **state)
{
	struct service service;
	struct version version;
	struct tuple tuple;
	json_t *env;

	(void)state;
	memset(&tuple, ',', sizeof(tuple));
	tuple.code[TUPLE_TEXT_SIZE - 1] = tuple.model[TUPLE_TEXT_SIZE - 1] = '\0';
	tuple.prompts[TUPLE_TEXT_SIZE - 1] = tuple.tools[TUPLE_TEXT_SIZE - 1] = '\0';
	make(&tuple, &service, &version);
	memset(service.name, 'a', sizeof(service.name) - 1);
	memset(version.label, 'b', sizeof(version.label) - 1);
	env = tuple_env(&service, &version);
	assert_true(strlen(member(env, "OTEL_RESOURCE_ATTRIBUTES")) > 4 * 3 * 128);
	json_decref(env);
}

static void print_env(const json_t *env, const char *path)
{
	struct screen screen;
	json_t *reply = json_pack("{s:O}", "env", env);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	screen_init(&screen, file, false);
	draw_env(reply, &screen);
	fclose(file);
	json_decref(reply);
}

/* What a process sees that a shell starts after `command`: exactly the environment, and nothing was run. */
static void expect_shell(const json_t *env, const char *shell, const char *command, const char *path)
{
	char line[300], seen[8192];
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)env, name, value)
	{
		size_t length;
		FILE *pipe;

		snprintf(line, sizeof(line), "%s -c 'set -a; %s; set +a; printenv %s'", shell, command, name);
		setenv("FILE", path, 1);
		pipe = popen(line, "r");
		length = fread(seen, 1, sizeof(seen) - 1, pipe);
		seen[length] = '\0';
		assert_int_equal(pclose(pipe), 0);
		assert_true(length > 0);
		seen[length - 1] = '\0'; /* the newline */
		row_assert(!strcmp(seen, json_string_value(value)), name, "%s %s: '%s', wanted '%s'", shell, command, seen,
			   json_string_value(value));
	}
}

/* One line as systemd's EnvironmentFile= takes it: in double quotes a backslash goes before one of four, and stays before others. */
static void expect_systemd(const json_t *env, const char *path)
{
	char line[8192];
	FILE *file = fopen(path, "r");
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)env, name, value)
	{
		char *at, read[4096], *out = read;

		assert_non_null(fgets(line, sizeof(line), file));
		at = strchr(line, '=');
		*at++ = '\0';
		assert_string_equal(line, name);
		assert_int_equal(*at++, '"');
		for (; *at && *at != '"'; at++) {
			if (*at == '\\' && strchr("\"\\`$", at[1]))
				at++;
			*out++ = *at;
		}
		*out = '\0';
		assert_string_equal(at, "\"\n");
		assert_string_equal(read, json_string_value(value));
	}
	assert_null(fgets(line, sizeof(line), file));
	fclose(file);
}

static void test_printed(void **state)
{
	char path[] = "/tmp/rainbow-env-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	unlink("/tmp/rainbow-env-was-run");
	for (size_t i = 0; i < COUNT(hostile); i++) {
		json_t *env = env_of(&hostile[i]);

		print_env(env, path);
		expect_systemd(env, path);
		expect_shell(env, "sh", ". \"$FILE\"", path);
		expect_shell(env, "bash", "eval \"$(cat \"$FILE\")\"", path);
		json_decref(env);
	}
	assert_int_equal(access("/tmp/rainbow-env-was-run", F_OK), -1);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_diff),
	    cmocka_unit_test(test_attributes),
	    cmocka_unit_test(test_longest),
	    cmocka_unit_test(test_printed),
	};

	return cmocka_run_group_tests_name("tuple", tests, NULL, NULL);
}
