// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* user/common/document.c and document_service.c: what is refused without asking rainbowd, and at which path. */
#include <jansson.h>
#include "tests/unit/table_test.h"
#include "common/document.h"

#define ONE(members)     "{\"rainbow\":1,\"services\":[{\"name\":\"chat\",\"address\":\"10.0.0.1:80\"," members "}]}"
#define V(label, port)   "{\"label\":\"" label "\",\"backends\":[{\"address\":\"10.2.0.1:" port "\"}]}"
#define TWO(members)     ONE("\"versions\":[" V("v1", "1") "," V("v2", "2") "]," members)
#define VERSION(members) ONE("\"versions\":[{\"label\":\"v1\"," members "}]")

static const struct {
	const char *json, *field, *complaint;
} refusals[] = {
    {"[]", "", "must be an object"},
    {"{}", "rainbow", "missing"},
    {"{\"rainbow\":2,\"services\":[]}", "rainbow", "must be 1"},
    {"{\"rainbow\":1.0,\"services\":[]}", "rainbow", "must be 1"},
    {"{\"rainbow\":1}", "services", "missing"},
    {"{\"rainbow\":1,\"servces\":[]}", "servces", "did you mean services?"},
    {"{\"rainbow\":1,\"services\":{}}", "services", "must be a list"},
    {"{\"rainbow\":1,\"services\":[null]}", "services[0]", "must be an object"},
    {"{\"rainbow\":1,\"services\":[{}]}", "services[0].name", "missing"},
    {"{\"rainbow\":1,\"services\":[{\"name\":\"a b\"}]}", "services[0].name", "character 2"},
    {"{\"rainbow\":1,\"services\":[{\"name\":\"a\"}]}", "services[0].address", "missing"},
    {"{\"rainbow\":1,\"services\":[{\"name\":\"a\",\"address\":\"10.0.0.1\"}]}", "services[0].address", "port is missing"},
    {"{\"rainbow\":1,\"services\":[{\"name\":\"a\",\"address\":\"127.0.0.1:80\"}]}", "services[0].address", "loopback"},
    {ONE("\"weigths\":{}"), "services[0].weigths", "did you mean weights?"},
    {ONE("\"protocol\":\"sctp\""), "services[0].protocol", "none of tcp, udp"},
    {ONE("\"affinity\":\"none\""), "services[0].affinity", "none of connection, client"},
    {ONE("\"selection\":\"best\""), "services[0].selection", "none of hash, exact"},
    {ONE("\"stray\":\"eat\""), "services[0].stray", "none of reset, drop, pass"},
    {ONE("\"client_prefix\":129"), "services[0].client_prefix", "1 to 128"},
    {ONE("\"idle_timeout\":\"15d\""), "services[0].idle_timeout", "1s to 14d"},
    {ONE("\"idle_timeout\":\"none\""), "services[0].idle_timeout", "not a duration"},
    {ONE("\"probe_idle\":\"10ms\""), "services[0].probe_idle", "1s to 14d"},
    {ONE("\"probe_idle\":\"5m\",\"protocol\":\"udp\""), "services[0].probe_idle", "datagrams"},
    {ONE("\"drain\":{\"dedline\":\"5h\"}"), "services[0].drain.dedline", "did you mean deadline?"},
    {ONE("\"gates\":[{\"name\":\"g\",\"source\":\"push\"},{\"name\":\"h\",\"source\":\"push\",\"margin\":-1}]"),
     "services[0].gates[1].margin", "0 to 100"},
    {ONE("\"rollout\":{\"targt\":\"v2\"}"), "services[0].rollout.targt", "did you mean target?"},
    {ONE("\"rollout\":{\"steps\":[]}"), "services[0].rollout.steps", "no step"},
    {ONE("\"versions\":{}"), "services[0].versions", "must be a list"},
    {ONE("\"versions\":[{\"backends\":[]}]"), "services[0].versions[0].label", "missing"},
    {VERSION("\"tuple\":{}"), "services[0].versions[0].backends", "missing"},
    {VERSION("\"backends\":[]"), "services[0].versions[0].backends", "version v1 needs at least one backend"},
    {VERSION("\"tuple\":{\"modle\":\"x\"}"), "services[0].versions[0].tuple.modle", "did you mean model?"},
    {VERSION("\"tuple\":{\"model\":5}"), "services[0].versions[0].tuple.model", "must be a text"},
    {VERSION("\"tuple\":{\"model\":\"a\\nb\"}"), "services[0].versions[0].tuple.model", "control character"},
    {VERSION("\"backends\":[{}]"), "services[0].versions[0].backends[0].address", "missing"},
    {VERSION("\"backends\":[{\"address\":\"[fd00::1]:80\"}]"), "services[0].versions[0].backends[0].address", "address family"},
    {VERSION("\"backends\":[{\"address\":\"10.2.0.1:80\",\"max_sessions\":0}]"),
     "services[0].versions[0].backends[0].max_sessions", "from 1"},
    {VERSION("\"backends\":[{\"address\":\"10.2.0.1:80\"},{\"address\":\"10.2.0.1:80\"}]"),
     "services[0].versions[0].backends[1].address", "named by services[0].versions[0].backends[0].address"},
    {VERSION("\"backends\":[{\"address\":\"10.0.0.1:80\"}]"), "services[0].versions[0].backends[0].address",
     "named by services[0].address"},
    {ONE("\"versions\":[" V("v1", "1") "," V("v1", "2") "]"), "services[0].versions[1].label", "there already"},
    {ONE("\"versions\":[" V("v1", "1") "," V("v2", "1") "]"), "services[0].versions[1].backends[0].address", "named by"},
    {"{\"rainbow\":1,\"services\":[{\"name\":\"a\",\"address\":\"10.0.0.1:80\"},{\"name\":\"a\",\"address\":\"10.0.0.2:80\"}]}",
     "services[1].name", "there already"},
    {"{\"rainbow\":1,\"services\":[{\"name\":\"a\",\"address\":\"10.0.0.1:80\"},{\"name\":\"b\",\"address\":\"10.0.0.1:80\"}]}",
     "services[1].address", "10.0.0.1:80/tcp is named by services[0].address"},
    {TWO("\"weights\":{}"), "services[0].weights", "must be an object"},
    {TWO("\"weights\":[]"), "services[0].weights", "must be an object"},
    {TWO("\"weights\":{\"v1\":95}"), "services[0].weights", "the sum is 95"},
    {TWO("\"weights\":{\"v1\":95,\"v2\":5.1}"), "services[0].weights", "the sum is 100.1"},
    {TWO("\"weights\":{\"v1\":null,\"v2\":null}"), "services[0].weights", "only one"},
    {TWO("\"weights\":{\"v1\":95.55,\"v2\":null}"), "services[0].weights.v1", "steps of 0.1"},
    {TWO("\"weights\":{\"v1\":\"95\",\"v2\":null}"), "services[0].weights.v1", "number of percent"},
    {TWO("\"weights\":{\"v3\":100}"), "services[0].weights.v3", "no version v3"},
    {TWO("\"weights\":{\"v1\":100},\"rollout\":{\"target\":\"v2\"}"), "services[0].weights", "sets the weights itself"},
    {TWO("\"rollout\":{\"target\":\"v3\"}"), "services[0].rollout.target", "no version v3"},
    {TWO("\"rollout\":{\"target\":2}"), "services[0].rollout.target", "must be a text"},
    {TWO("\"steers\":[{\"version\":\"v1\"}]"), "services[0].steers[0].range", "missing"},
    {TWO("\"steers\":[{\"range\":\"10.9.0.1/16\",\"version\":\"v1\"}]"), "services[0].steers[0].range",
     "did you mean 10.9.0.0/16"},
    {TWO("\"steers\":[{\"range\":\"fd00::/64\",\"version\":\"v1\"}]"), "services[0].steers[0].range", "address family"},
    {TWO("\"steers\":[{\"range\":\"10.9.0.0/16\",\"version\":\"v9\"}]"), "services[0].steers[0].version", "no version v9"},
    {TWO("\"steers\":[{\"range\":\"10.9.0.0/16\",\"version\":\"v1\"},{\"range\":\"10.9.0.0/16\",\"version\":\"v2\"}]"),
     "services[0].steers[1].range", "there already"},
};

static json_t *load(const char *text)
{
	json_error_t where;
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &where);

	row_assert(json, text, "the row itself is no JSON: %s", where.text);
	return json;
}

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refusals); i++) {
		struct error err = {ERROR_NONE};
		json_t *json = load(refusals[i].json);
		int rc = document_check(json, &err);

		row_assert(rc == -ERROR_BAD_INPUT, refusals[i].json, "returned %d", rc);
		row_assert(!strcmp(err.field, refusals[i].field), refusals[i].json, "at %s: %s", err.field, err.message);
		row_assert(strstr(err.message, refusals[i].complaint), refusals[i].json, "said: %s", err.message);
		json_decref(json);
	}
}

static void test_good(void **state)
{
	static const char *const documents[] = {
	    "{\"rainbow\":1,\"services\":[]}",
	    ONE("\"protocol\":\"tcp\""),
	    ONE("\"probe_idle\":\"none\",\"protocol\":\"udp\""),
	    ONE("\"probe_idle\":\"0\""),
	    ONE("\"weights\":{\"v1\":95,\"v2\":5}"), /* of versions that rainbowd knows */
	    ONE("\"versions\":[]"),
	    TWO("\"max_versions\":1"), /* one of them may be drained */
	    ONE("\"max_versions\":1"),
	    TWO("\"weights\":{\"v1\":33.3,\"v2\":66.7}"),
	    TWO("\"rollout\":{\"target\":\"v2\",\"steps\":[{\"weight\":100}]}"),
	    TWO("\"steers\":[{\"range\":\"10.9.0.0/16\",\"version\":\"v1\"}]"),
	    /* the same address, another protocol */
	    "{\"rainbow\":1,\"services\":[{\"name\":\"a\",\"address\":\"10.0.0.1:80\"},{\"name\":\"b\",\"address\":\"10.0.0.1:"
	    "80\","
	    "\"protocol\":\"udp\"}]}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(documents); i++) {
		struct error err = {ERROR_NONE};
		json_t *json = load(documents[i]);

		row_assert(!document_check(json, &err), documents[i], "%s: %s", err.field, err.message);
		json_decref(json);
	}
}

static void test_values(void **state)
{
	struct document document;
	struct error err;
	json_t *json =
	    load(TWO("\"http\":true,\"rollout\":{\"target\":\"v2\",\"on_new_target\":\"queue\"},\"idle_timeout\":\"1h\""));
	const struct document_service *service;

	(void)state;
	assert_int_equal(document_read(json, &document, &err), 0);
	assert_int_equal(document.service_count, 1);
	service = &document.services[0];
	assert_string_equal(service->target, "v2");
	assert_int_equal(service->version_count, 2);
	assert_int_equal(service->versions[1].backends[0].at.port, 2);
	assert_true(service->idle_timeout_given && !service->probe_idle_given && !service->steers_given);
	assert_int_equal(service->idle_timeout.ms, 3600000);
	assert_int_equal(json_object_size(service->settings), 2);
	assert_null(json_object_get(json_object_get(service->settings, "rollout"), "target"));
	/* and the document itself is as it was */
	assert_non_null(
	    json_object_get(json_object_get(json_array_get(json_object_get(json, "services"), 0), "rollout"), "target"));
	document_fini(&document);
	json_decref(json);
}

static void test_wants_text(void **state)
{
	(void)state;
	assert_true(document_wants_text("services[0].versions[1].label"));
	assert_true(document_wants_text("services[0].versions[1].tuple.code"));
	assert_true(document_wants_text("services[0].drain.deadline"));
	assert_false(document_wants_text("services[0].weights.v1"));
	assert_false(document_wants_text("services[0].weights.v1.label"));
	assert_false(document_wants_text("services[0].gates[1].margin"));
	assert_false(document_wants_text("services[0].rollout.steps[0].weight"));
	assert_false(document_wants_text("rainbow"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_good),
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_wants_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
