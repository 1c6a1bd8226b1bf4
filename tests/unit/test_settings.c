// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* user/common/settings_json.c and settings_gate.c: what is read as what, what is refused and at which path, and the way back. */
#include <stdlib.h>
#include <jansson.h>
#include "tests/unit/table_test.h"
#include "common/error.h"
#include "common/settings.h"

#define LONG_100       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PROM           "\"name\":\"g\",\"source\":\"prometheus\",\"url\":\"http://p:9090\",\"query\":\"up\""
#define GATE(members)  "{\"gates\":[{" members "}]}"
#define STEPS(members) "{\"rollout\":{\"steps\":[" members "]}}"
#define DRAIN(members) "{\"drain\":{" members "}}"

static json_t *load(const char *text)
{
	json_error_t where;
	json_t *json = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &where);

	row_assert(json, text, "the row itself is no JSON: %s", where.text);
	return json;
}

static const struct {
	const char *json, *field, *complaint;
} refusals[] = {
    {"[]", "s[0]", "must be an object"},
    {"{\"drian\":{}}", "s[0].drian", "unknown key; did you mean drain?"},
    {"{\"insecure\":true}", "s[0].insecure", "unknown key"},
    {"{\"http\":\"yes\"}", "s[0].http", "true or false"},
    {"{\"http\":null}", "s[0].http", "true or false"},
    {"{\"max_versions\":0}", "s[0].max_versions", "from 1 to 64"},
    {"{\"max_versions\":65}", "s[0].max_versions", "from 1 to 64"},
    {"{\"max_versions\":8.0}", "s[0].max_versions", "whole number"},
    {"{\"max_versions\":\"8\"}", "s[0].max_versions", "whole number"},
    {"{\"max_versions\":9223372036854775807}", "s[0].max_versions", "from 1 to 64"},
    {"{\"on_max_versions\":\"rejct\"}", "s[0].on_max_versions", "did you mean reject?"},
    {"{\"drain\":[]}", "s[0].drain", "must be an object"},
    {DRAIN("\"dedline\":\"5h\""), "s[0].drain.dedline", "did you mean deadline?"},
    {DRAIN("\"deadline\":5"), "s[0].drain.deadline", "needs a unit"},
    {DRAIN("\"deadline\":\"5\""), "s[0].drain.deadline", "needs a unit"},
    {DRAIN("\"deadline\":\"0s\""), "s[0].drain.deadline", "longer than zero"},
    {DRAIN("\"deadline\":null"), "s[0].drain.deadline", "has no value"},
    {DRAIN("\"deadline\":\"never\""), "s[0].drain.deadline", "not a duration"},
    {DRAIN("\"on_deadline\":\"cry\""), "s[0].drain.on_deadline", "none of reset, hold"},
    {DRAIN("\"deadline\":\"1h\",\"warn_before\":\"1h\""), "s[0].drain.warn_before", "shorter than the deadline"},
    {DRAIN("\"deadline\":\"none\",\"warn_before\":\"1h\""), "s[0].drain.warn_before", "without a deadline"},
    {DRAIN("\"warn_before\":\"25h\""), "s[0].drain.warn_before", "shorter than the deadline"}, /* the default's */
    {DRAIN("\"on_warn\":\"http://h/w\""), "s[0].drain.on_warn", "warn_before"},
    {DRAIN("\"warn_backends\":\"/w\""), "s[0].drain.warn_backends", "warn_before"},
    {DRAIN("\"pace\":50"), "s[0].drain.pace", "needs a unit"},
    {DRAIN("\"pace\":\"50\""), "s[0].drain.pace", "not a pace"},
    {DRAIN("\"pace\":\"0/s\""), "s[0].drain.pace", "not a pace"},
    {DRAIN("\"pace\":\"/s\""), "s[0].drain.pace", "not a pace"},
    {DRAIN("\"pace\":\"1000001/s\""), "s[0].drain.pace", "not a pace"},
    {DRAIN("\"pace\":\"50/m\""), "s[0].drain.pace", "not a pace"},
    {DRAIN("\"on_drained\":\"bin/x\""), "s[0].drain.on_drained", "neither a URL"},
    {DRAIN("\"on_drained\":\"ftp://h/x\""), "s[0].drain.on_drained", "neither a URL"},
    {DRAIN("\"on_drained\":\"http://\""), "s[0].drain.on_drained", "has no host"},
    {DRAIN("\"on_drained\":\"http://a:b@h/\""), "s[0].drain.on_drained", "name or password"},
    {DRAIN("\"on_drained\":\"http://h/a b\""), "s[0].drain.on_drained", "blank"},
    {DRAIN("\"on_drained\":\"/x\\u0000y\""), "s[0].drain.on_drained", "NUL"},
    {DRAIN("\"on_drained\":\"/x\\u001b[31m\""), "s[0].drain.on_drained", "control character"},
    {DRAIN("\"on_drained\":\"/" LONG_100 LONG_100 LONG_100 "\""), "s[0].drain.on_drained", "too long"},
    {DRAIN("\"warn_before\":\"1h\",\"warn_backends\":\"http://h/\""), "s[0].drain.warn_backends", "must be a path"},

    {STEPS(""), "s[0].rollout.steps", "no step"},
    {STEPS("{\"weight\":50}"), "s[0].rollout.steps[0].weight", "last step must be 100"},
    {STEPS("{\"weight\":0},{\"weight\":100}"), "s[0].rollout.steps[0].weight", "above 0"},
    {STEPS("{\"weight\":50},{\"weight\":50},{\"weight\":100}"), "s[0].rollout.steps[1].weight", "does not rise"},
    {STEPS("{\"weight\":50},{\"weight\":5},{\"weight\":100}"), "s[0].rollout.steps[1].weight", "does not rise"},
    {STEPS("{\"weight\":100},{\"weight\":100}"), "s[0].rollout.steps[1].weight", "does not rise"},
    {STEPS("{\"weight\":12.55},{\"weight\":100}"), "s[0].rollout.steps[0].weight", "steps of 0.1"},
    {STEPS("{\"weight\":-1}"), "s[0].rollout.steps[0].weight", "from 0 to 100"},
    {STEPS("{\"weight\":1e308}"), "s[0].rollout.steps[0].weight", "from 0 to 100"},
    {STEPS("{\"weight\":\"5\"}"), "s[0].rollout.steps[0].weight", "number of percent"},
    {STEPS("{\"hold\":\"5m\"}"), "s[0].rollout.steps[0].weight", "missing"},
    {STEPS("{\"weight\":100,\"hold\":10}"), "s[0].rollout.steps[0].hold", "needs a unit"},
    {STEPS("{\"weight\":100,\"holt\":\"1s\"}"), "s[0].rollout.steps[0].holt", "did you mean hold?"},
    {STEPS("5,100"), "s[0].rollout.steps[0]", "must be an object"},
    {STEPS("1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21"), "s[0].rollout.steps", "there can be 20"},
    {"{\"rollout\":{\"on_new_target\":\"wait\"}}", "s[0].rollout.on_new_target", "none of supersede, queue, reject"},
    {"{\"rollout\":{\"target\":\"v2\"}}", "s[0].rollout.target", "unknown key"},

    {"{\"gates\":{}}", "s[0].gates", "must be a list"},
    {"{\"gates\":null}", "s[0].gates", "must be a list"},
    {"{\"gates\":[5]}", "s[0].gates[0]", "must be an object"},
    {GATE(""), "s[0].gates[0].name", "missing"},
    {GATE("\"name\":\"a b\",\"source\":\"push\""), "s[0].gates[0].name", "character 2"},
    {GATE("\"name\":\"g\""), "s[0].gates[0].source", "missing"},
    {GATE("\"name\":\"g\",\"source\":\"none\""), "s[0].gates[0].source", "none of kernel"},
    {GATE("\"name\":\"g\",\"source\":\"prometeus\""), "s[0].gates[0].source", "did you mean prometheus?"},
    {GATE("\"name\":\"g\",\"source\":\"kernel\""), "s[0].gates[0].signal", "needs it"},
    {GATE("\"name\":\"g\",\"source\":\"kernel\",\"signal\":\"none\""), "s[0].gates[0].signal", "none of turn_latency"},
    {GATE("\"name\":\"g\",\"source\":\"kernel\",\"signal\":\"resets\",\"url\":\"http://h\""), "s[0].gates[0].url",
     "takes no url"},
    {GATE("\"name\":\"g\",\"source\":\"kernel\",\"signal\":\"resets\",\"better\":\"higher\""), "s[0].gates[0].better",
     "takes no"},
    {GATE("\"name\":\"g\",\"source\":\"kernel\",\"signal\":\"resets\",\"quantile\":0.5"), "s[0].gates[0].quantile",
     "distribution"},
    {GATE("\"name\":\"g\",\"source\":\"kernel\",\"signal\":\"turn_latency\",\"quantile\":1"), "s[0].gates[0].quantile",
     "0.999"},
    {GATE("\"name\":\"g\",\"source\":\"kernel\",\"signal\":\"turn_latency\",\"hard_max\":250"), "s[0].gates[0].hard_max",
     "unit"},
    {GATE("\"name\":\"g\",\"source\":\"kernel\",\"signal\":\"resets\",\"hard_max\":101"), "s[0].gates[0].hard_max", "0 to 100"},
    {GATE("\"name\":\"g\",\"source\":\"kernel\",\"signal\":\"http_errors\""), "s[0].gates[0].signal", "http: true"},
    {GATE("\"name\":\"g\",\"source\":\"push\",\"margin\":-1"), "s[0].gates[0].margin", "0 to 100"},
    {GATE("\"name\":\"g\",\"source\":\"push\",\"margin\":\"5%\""), "s[0].gates[0].margin", "must be a number"},
    {GATE("\"name\":\"g\",\"source\":\"push\",\"margin\":1e300"), "s[0].gates[0].margin", "0 to 100"},
    {GATE("\"name\":\"g\",\"source\":\"push\",\"kind\":\"value\""), "s[0].gates[0].kind", "none of ratio, distribution"},
    {GATE("\"name\":\"g\",\"source\":\"push\",\"kind\":\"distribution\",\"hard_max\":1e16"), "s[0].gates[0].hard_max", "1e+15"},
    {GATE("\"name\":\"g\",\"source\":\"push\",\"min_samples\":0"), "s[0].gates[0].min_samples", "from 1"},
    {GATE("\"name\":\"g\",\"source\":\"push\",\"interval\":\"30s\""), "s[0].gates[0].interval", "takes no interval"},
    {GATE("\"name\":\"g\",\"source\":\"push\",\"stale_after\":\"2d\""), "s[0].gates[0].stale_after", "1s to 1d"},
    {GATE("\"name\":\"g\",\"source\":\"push\",\"shadow\":1"), "s[0].gates[0].shadow", "true or false"},
    {GATE("\"name\":\"g\",\"source\":\"prometheus\",\"query\":\"up\""), "s[0].gates[0].url", "needs it"},
    {GATE("\"name\":\"g\",\"source\":\"prometheus\",\"url\":\"http://p\""), "s[0].gates[0].query", "needs it"},
    {GATE("\"name\":\"g\",\"source\":\"prometheus\",\"url\":\"p:9090\",\"query\":\"up\""), "s[0].gates[0].url",
     "must begin with http"},
    {GATE(PROM ",\"ca_file\":\"ca.pem\""), "s[0].gates[0].ca_file", "absolute path"},
    {GATE(PROM ",\"token_file\":\"~/t\""), "s[0].gates[0].token_file", "absolute path"},
    {GATE(PROM ",\"timeout\":\"31s\""), "s[0].gates[0].timeout", "longer than the interval"},
    {GATE(PROM ",\"timeout\":\"50ms\""), "s[0].gates[0].timeout", "from 100ms"},
    {GATE(PROM ",\"insecure\":true"), "s[0].gates[0].insecure", "unknown key"},
    {GATE(PROM ",\"samples_query\":\"x{v=\\\"$verion\\\"}\""), "s[0].gates[0].samples_query", "$verion is unknown"},
    {GATE(PROM ",\"samples_query\":\"$versions\""), "s[0].gates[0].samples_query", "$versions is unknown"},
    {GATE(PROM ",\"samples_query\":\"${version}\""), "s[0].gates[0].samples_query", "a literal $ is $$"},
    {GATE(PROM ",\"samples_query\":\"a $\""), "s[0].gates[0].samples_query", "a literal $ is $$"},
    {GATE(PROM ",\"samples_query\":\"$$$\""), "s[0].gates[0].samples_query", "a literal $ is $$"},
    {GATE(PROM ",\"samples_query\":\" \""), "s[0].gates[0].samples_query", "is empty"},
    {GATE("\"name\":\"g\",\"source\":\"webhook\""), "s[0].gates[0].url", "needs it"},
    {GATE("\"name\":\"g\",\"source\":\"webhook\",\"url\":\"http://h\",\"margin\":1"), "s[0].gates[0].margin",
     "takes no margin"},
    {GATE("\"name\":\"g\",\"source\":\"command\""), "s[0].gates[0].command", "needs it"},
    {GATE("\"name\":\"g\",\"source\":\"command\",\"command\":\"judge\""), "s[0].gates[0].command", "absolute path"},
    {"{\"gates\":[{\"name\":\"g\",\"source\":\"push\"},{\"name\":\"g\",\"source\":\"push\"}]}", "s[0].gates[1].name",
     "there already"},
};

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refusals); i++) {
		struct error err = {ERROR_NONE};
		json_t *json = load(refusals[i].json);
		struct settings settings, untouched;
		int rc;

		settings_init(&settings);
		settings_init(&untouched);
		rc = settings_read(json, "s[0].", &settings, &err);
		row_assert(rc == -ERROR_BAD_INPUT, refusals[i].json, "returned %d", rc);
		row_assert(!strcmp(err.field, refusals[i].field), refusals[i].json, "at %s: %s", err.field, err.message);
		row_assert(strstr(err.message, refusals[i].complaint), refusals[i].json, "said: %s", err.message);
		row_assert(settings_equal(&settings, &untouched) && !settings.gates, refusals[i].json, "changed the settings");
		settings_fini(&settings);
		json_decref(json);
	}
}

static const char *const documents[] = {
    "{}",
    "{\"http\":true,\"max_versions\":3,\"on_max_versions\":\"force_oldest\"}",
    DRAIN("\"deadline\":\"none\",\"on_deadline\":\"hold\",\"pace\":\"50/s\",\"keep_warm\":\"1h2m3s4ms\""),
    DRAIN("\"warn_before\":\"30m\",\"on_warn\":\"https://h.example/warn?x=1\",\"warn_backends\":\"/drain\",\"on_drained\":\"/"
	  "bin/x\""),
    STEPS("{\"weight\":0.1,\"hold\":\"90s\"},{\"weight\":12.5},{\"weight\":100,\"hold\":\"1s\"}"),
    "{\"gates\":[]}",
    "{\"gates\":[{\"name\":\"a\",\"source\":\"kernel\",\"signal\":\"turn_latency\",\"margin\":29,\"quantile\":0.95,\"hard_"
    "max\":\"1500ms\"},"
    "{\"name\":\"b\",\"source\":\"kernel\",\"signal\":\"resets\",\"margin\":0.7,\"hard_max\":5.5,\"min_samples\":20},"
    "{\"name\":\"c\",\"source\":\"push\",\"better\":\"higher\",\"margin\":2,\"shadow\":true,\"stale_after\":\"1h\"},"
    "{\"name\":\"d\",\"source\":\"push\",\"kind\":\"distribution\",\"hard_max\":-0.25},"
    "{\"name\":\"e\",\"source\":\"webhook\",\"url\":\"http://h/x\",\"interval\":\"1m\"},"
    "{\"name\":\"f\",\"source\":\"command\",\"command\":\"/usr/bin/judge\",\"timeout\":\"1s\"},"
    "{" PROM ",\"window\":\"5m\",\"ca_file\":\"/etc/ca.pem\",\"token_file\":\"/etc/t\","
    "\"samples_query\":\"x{v=\\\"$version\\\",b=\\\"$baseline\\\"}[$window]\\n$service$$\"}]}",
    "{\"http\":true,\"gates\":[{\"name\":\"h\",\"source\":\"kernel\",\"signal\":\"http_errors\"}]}",
};

/* What is read, printed and read again is the same. */
static void test_round_trip(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(documents); i++) {
		struct error err = {ERROR_NONE};
		struct settings settings, again;
		json_t *json = load(documents[i]), *printed;

		settings_init(&settings);
		settings_init(&again);
		row_assert(!settings_read(json, "", &settings, &err), documents[i], "%s: %s", err.field, err.message);
		printed = settings_print(&settings);
		row_assert(printed, documents[i], "is not printed");
		row_assert(!settings_read(printed, "", &again, &err), documents[i], "%s: %s", err.field, err.message);
		row_assert(settings_equal(&settings, &again), documents[i], "reads as another");
		row_assert(settings.gate_count == again.gate_count &&
			       !memcmp(settings.gates ?: &(struct gate){0}, again.gates ?: &(struct gate){0},
				       settings.gate_count * sizeof(*settings.gates)),
			   documents[i], "has other gates");
		json_decref(printed);
		json_decref(json);
		settings_fini(&settings);
		settings_fini(&again);
	}
}

static void read_into(struct settings *settings, const char *text)
{
	struct error err = {ERROR_NONE};
	json_t *json = load(text);

	row_assert(!settings_read(json, "", settings, &err), text, "%s: %s", err.field, err.message);
	json_decref(json);
}

static void test_values(void **state)
{
	struct settings settings;

	(void)state;
	settings_init(&settings);
	read_into(&settings, documents[1]);
	read_into(&settings, documents[6]);
	assert_int_equal(settings.max_versions, 3); /* what is not named stays */
	assert_int_equal(settings.on_max_versions, ON_MAX_FORCE_OLDEST);
	assert_int_equal(settings.gate_count, 7);
	assert_true(settings.gates_given);
	assert_int_equal(settings.gates[0].kind, GATE_KIND_DISTRIBUTION);
	assert_true(settings.gates[0].margin == 0.29);
	assert_true(settings.gates[0].hard_max == 1500000); /* microseconds */
	assert_int_equal(settings.gates[0].min_samples, 50);
	assert_int_equal(settings.gates[1].kind, GATE_KIND_RATIO);
	assert_true(settings.gates[1].margin == 0.7 / 100 && settings.gates[1].hard_max == 0.055);
	assert_int_equal(settings.gates[2].better, GATE_HIGHER);
	assert_int_equal(settings.gates[2].stale_after.ms, 3600000);
	assert_true(settings.gates[3].margin == 0.2 && settings.gates[3].quantile == 0.5 &&
		    settings.gates[3].hard_max == -0.25);
	assert_int_equal(settings.gates[3].stale_after.ms, 15 * 60000);
	assert_int_equal(settings.gates[4].kind, GATE_KIND_ANSWER);
	assert_int_equal(settings.gates[4].timeout.ms, 10000);
	assert_int_equal(settings.gates[6].kind, GATE_KIND_VALUE);
	assert_int_equal(settings.gates[6].interval.ms, 30000);
	read_into(&settings, documents[4]);
	assert_int_equal(settings.plan.stage_count, 3);
	assert_int_equal(settings.plan.stages[0].weight, 1);
	assert_int_equal(settings.plan.stages[1].weight, 125);
	assert_int_equal(settings.plan.stages[1].hold.ms, 600000);
	assert_int_equal(settings.gate_count, 7); /* what is not named stays */
	read_into(&settings, "{\"gates\":\"default\"}");
	assert_false(settings.gates_given);
	assert_int_equal(settings.gate_count, 0);
	settings_fini(&settings);
}

/* A key is judged with those that stood there before. */
static void test_across(void **state)
{
	static const struct {
		const char *before, *json, *field;
	} rows[] = {
	    {DRAIN("\"warn_before\":\"2h\""), DRAIN("\"deadline\":\"1h\""), "drain.deadline"},
	    {DRAIN("\"warn_before\":\"2h\""), DRAIN("\"deadline\":\"none\""), "drain.deadline"},
	    {DRAIN("\"warn_before\":\"2h\",\"on_warn\":\"/w\""), DRAIN("\"warn_before\":\"none\""), "drain.warn_before"},
	    {"{\"http\":true,\"gates\":[{\"name\":\"h\",\"source\":\"kernel\",\"signal\":\"http_errors\"}]}",
	     "{\"http\":false}", "http"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct error err = {ERROR_NONE};
		struct settings settings;
		json_t *json = load(rows[i].json);

		settings_init(&settings);
		read_into(&settings, rows[i].before);
		row_assert(settings_read(json, "", &settings, &err) == -ERROR_BAD_INPUT, rows[i].json, "was taken");
		row_assert(!strcmp(err.field, rows[i].field), rows[i].json, "at %s", err.field);
		settings_fini(&settings);
		json_decref(json);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_across),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
