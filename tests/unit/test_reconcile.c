// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* user/rainbowd/reconcile.c, difference.c, export.c: from what is and a document to what differs, or why not. */
#include <netinet/in.h>
#include <stdlib.h>
#include "tests/unit/table_test.h"
#include "common/text.h"
#include "rainbowd/commands.h"
#include "rainbowd/difference.h"
#include "rainbowd/export.h"
#include "rainbowd/reconcile.h"

static const struct instant now = {.unix_ms = 1700000000000ll};
static struct counts counts;
static uint32_t next_id;

static struct endpoint at(const char *text)
{
	struct endpoint endpoint;

	assert_int_equal(endpoint_parse(text, &endpoint, "", NULL), 0);
	return endpoint;
}

static void give_ids(struct service *service)
{
	for (size_t i = 0; i < service->version_count; i++) {
		struct version *version = &service->versions[i];

		version->id = version->id ? version->id : ++next_id;
		for (size_t j = 0; j < version->backend_count; j++)
			version->backends[j].id = version->backends[j].id ? version->backends[j].id : ++next_id;
	}
}

static void add_version(struct service *service, const char *label, uint32_t weight, const char *backend, const char *model)
{
	struct version version = {.state = RAINBOW_VERSION_ACTIVE, .weight = weight};

	text_copy(version.label, sizeof(version.label), label);
	text_copy(version.tuple.model, sizeof(version.tuple.model), model);
	version_append_backend(service_append_version(service, &version), &(struct backend){.at = at(backend)});
	give_ids(service);
}

/* chat on 10.0.0.1:80 with v1 (100 %, model m1) and v2; and a steer to v2. */
static struct model *make_model(void)
{
	struct model *model = calloc(1, sizeof(*model));
	struct service *chat = service_new();
	struct steer steer = {0};

	next_id = 0;
	memset(&counts, 0, sizeof(counts));
	text_copy(chat->name, sizeof(chat->name), "chat");
	chat->id = 1;
	chat->at = at("10.0.0.1:80");
	chat->protocol = IPPROTO_TCP;
	chat->affinity = RAINBOW_AFFINITY_CONNECTION;
	chat->selection = RAINBOW_SELECTION_HASH;
	chat->stray = RAINBOW_STRAY_RESET;
	chat->idle_timeout.ms = 86400000;
	chat->probe_idle.ms = 900000;
	chat->client_prefix = 64;
	add_version(chat, "v1", 1000, "10.2.1.2:8080", "m1");
	add_version(chat, "v2", 0, "10.2.2.2:8080", "m2");
	assert_int_equal(cidr_parse("10.9.0.0/16", &steer.range, "", NULL), 0);
	steer.version = service_find_version(chat, "v2")->id;
	service_append_steer(chat, &steer);
	model_replace(model, NULL, chat);
	return model;
}

static void free_model(struct model *model)
{
	model_fini(model);
	free(model);
}

/* As handle_apply.c does it; the lines go into `text`, joined by " | ". */
static int plan(struct model *model, const json_t *json, char *text, size_t size, struct error *err)
{
	struct document document;
	int rc = document_read(json, &document, err);
	json_t *changes = json_array(), *change;
	size_t i, length = 0;

	text[0] = '\0';
	for (i = 0; !rc && i < document.service_count; i++) {
		struct service *before = model_find_service(model, document.services[i].name);
		struct service *after = before ? service_clone(before) : service_new();
		struct reconcile order = {model, &document.services[i], i, &counts, now};
		bool start = false;

		rc = reconcile_open(&order, after, err);
		give_ids(after);
		rc = rc ? rc : reconcile_close(&order, after, err);
		rc = rc ? rc : reconcile_rollout(&order, after, &start, err);
		if (!rc)
			difference_append(before, after, &counts, changes);
		if (start)
			difference_append_line(changes, after->name, "start %s", document.services[i].target);
		service_free(after);
	}
	json_array_foreach(changes, i, change)
	{
		length += (size_t)snprintf(text + length, size - length, "%s%s", i ? " | " : "",
					   json_string_value(json_object_get(change, "change")));
	}
	json_decref(changes);
	document_fini(&document);
	return rc;
}

static json_t *load(const char *text)
{
	json_error_t where;
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &where);

	row_assert(json, text, "the row itself is no JSON: %s", where.text);
	return json;
}

#define CHAT(members) "{\"rainbow\":1,\"services\":[{\"name\":\"chat\",\"address\":\"10.0.0.1:80\"" members "}]}"
#define V1            "{\"label\":\"v1\",\"tuple\":{\"model\":\"m1\"},\"backends\":[{\"address\":\"10.2.1.2:8080\"}]}"
#define V2            "{\"label\":\"v2\",\"backends\":[{\"address\":\"10.2.2.2:8080\"}]}"
#define V3            "{\"label\":\"v3\",\"backends\":[{\"address\":\"10.2.3.2:8080\"},{\"address\":\"10.2.3.3:8080\"}]}"

static void set_live(struct model *model)
{
	counts.live[model->services[0]->versions[1].id] = 2; /* v2 */
}

static void set_v1_drained(struct model *model)
{
	model->services[0]->versions[0].weight = 0;
	model->services[0]->versions[0].state = RAINBOW_VERSION_DRAINED;
	model->services[0]->versions[1].weight = 1000;
}

static void set_rollout(struct model *model)
{
	struct rollout *rollout = &model->services[0]->rollout;

	rollout->state = ROLLOUT_HELD;
	text_copy(rollout->target, sizeof(rollout->target), "v2");
	text_copy(rollout->baseline, sizeof(rollout->baseline), "v1");
}

static void set_rolled_back(struct model *model)
{
	set_rollout(model);
	model->services[0]->rollout.state = ROLLOUT_ROLLED_BACK;
	text_copy(model->services[0]->versions[1].quarantine, QUARANTINE_SIZE, "gate slow failed");
}

static void set_target_all(struct model *model)
{
	model->services[0]->versions[0].weight = 0;
	model->services[0]->versions[1].weight = 1000;
}

static const struct {
	void (*set)(struct model *model);
	const char *json, *lines;
} plans[] = {
    {NULL, CHAT(""), ""},
    {NULL, CHAT(",\"versions\":[" V1 "," V2 "],\"weights\":{\"v1\":100}"), ""},
    {NULL, CHAT(",\"idle_timeout\":\"1h30m10s\",\"probe_idle\":\"none\""),
     "~ chat idle_timeout 1d -> 1h30m10s | ~ chat probe_idle 15m -> none"},
    {NULL, CHAT(",\"drain\":{\"deadline\":\"12h\",\"pace\":\"50/s\"}"),
     "~ chat drain.deadline 1d -> 12h | ~ chat drain.pace none -> 50/s"},
    {NULL, CHAT(",\"rollout\":{\"steps\":[{\"weight\":12.5,\"hold\":\"5m\"},{\"weight\":100}]}"),
     "~ chat rollout.steps 5:10m,25:10m,50:10m,100:10m -> 12.5:5m,100:10m"},
    {NULL, CHAT(",\"gates\":[]"), "~ chat gates default -> 0 of its own"},
    {NULL, CHAT(",\"versions\":[" V1 "," V2 "," V3 "]"), "+ version v3 of chat with 2 backends"},
    {NULL, CHAT(",\"weights\":{\"v1\":null,\"v2\":12.5}"),
     "~ chat weight of v1 100 % -> 87.5 % | ~ chat weight of v2 0 % -> 12.5 %"},
    /* what is not named goes, where it has no session: its steer with it */
    {NULL, CHAT(",\"versions\":[" V1 "]"), "- version v2 of chat | - steer 10.9.0.0/16 of chat"},
    {set_live, CHAT(",\"versions\":[" V1 "]"), "~ version v2 of chat active -> draining: 2 live sessions, deadline 1d"},
    {set_live, CHAT(",\"versions\":[" V1 "],\"drain\":{\"deadline\":\"none\"}"),
     "~ chat drain.deadline 1d -> none | ~ version v2 of chat active -> draining: 2 live sessions, deadline none"},
    {set_v1_drained, CHAT(",\"versions\":[" V2 "]"), "- version v1 of chat"},
    /* a quarantine does not, but its backends do: others may get these addresses */
    {set_rolled_back, CHAT(",\"versions\":[" V1 "]"),
     "- backend 10.2.2.2:8080 of version v2 of chat, which keeps its 0 live sessions to their end | "
     "~ version v2 of chat active -> draining: 0 live sessions, deadline 1d"},
    /* those on their way out are no hindrance to a lower limit */
    {set_v1_drained, CHAT(",\"max_versions\":1"), "~ chat max_versions 8 -> 1"},
    {set_live, CHAT(",\"versions\":[" V1 "],\"max_versions\":1"),
     "~ chat max_versions 8 -> 1 | ~ version v2 of chat active -> draining: 2 live sessions, deadline 1d"},
    {NULL, CHAT(",\"versions\":[" V2 "],\"weights\":{\"v2\":100}"), "~ chat weight of v2 0 % -> 100 % | - version v1 of chat"},
    /* a share brings a drained version back */
    {set_v1_drained, CHAT(",\"weights\":{\"v1\":100}"),
     "~ version v1 of chat drained -> active | ~ chat weight of v1 0 % -> 100 % | ~ chat weight of v2 100 % -> 0 %"},
    {NULL, CHAT(",\"versions\":[{\"label\":\"v1\",\"backends\":[{\"address\":\"10.2.1.3:80\",\"max_sessions\":5}]}," V2 "]"),
     "+ backend 10.2.1.3:80 of version v1 of chat | - backend 10.2.1.2:8080 of version v1 of chat, which keeps its 0 live "
     "sessions to "
     "their end"},
    {NULL, CHAT(",\"versions\":[{\"label\":\"v1\",\"backends\":[{\"address\":\"10.2.1.2:8080\",\"max_sessions\":5}]}," V2 "]"),
     "~ backend 10.2.1.2:8080 of version v1 of chat max_sessions 0 -> 5"},
    {NULL, CHAT(",\"steers\":[{\"range\":\"10.9.0.0/16\",\"version\":\"v1\"},{\"range\":\"10.8.0.0/16\",\"version\":\"v2\"}]"),
     "~ steer 10.9.0.0/16 of chat v2 -> v1 | + steer 10.8.0.0/16 of chat to v2"},
    {NULL, CHAT(",\"steers\":[]"), "- steer 10.9.0.0/16 of chat"},
    {NULL, CHAT(",\"versions\":[" V1 "," V2 "," V3 "],\"steers\":[{\"range\":\"10.9.0.0/16\",\"version\":\"v3\"}]"),
     "+ version v3 of chat with 2 backends | ~ steer 10.9.0.0/16 of chat v2 -> v3"},
    {NULL, CHAT(",\"rollout\":{\"target\":\"v2\"}"), "start v2"},
    {NULL, CHAT(",\"rollout\":{\"target\":\"v1\"}"), ""}, /* it has 100 % */
    {set_rollout, CHAT(",\"rollout\":{\"target\":\"v2\"}"), ""},
    {set_rollout, CHAT(",\"weights\":{\"v1\":100}"), ""}, /* as they are */
    {set_rollout, CHAT(",\"versions\":[" V1 "," V2 "," V3 "],\"rollout\":{\"target\":\"v3\"}"),
     "+ version v3 of chat with 2 backends | start v3"},
    /* As exported in the middle of a rollout: the target is not proven on another host, either. */
    {NULL,
     "{\"rainbow\":1,\"services\":[{\"name\":\"web\",\"address\":\"10.0.0.2:80\",\"versions\":["
     "{\"label\":\"a\",\"backends\":[{\"address\":\"10.4.0.1:1\"}]},{\"label\":\"b\",\"backends\":[{\"address\":\"10.4.0.2:1\"}"
     "]}],"
     "\"rollout\":{\"target\":\"b\",\"baseline\":\"a\"}}]}",
     "+ service web on 10.0.0.2:80/tcp | + version a of web with 1 backend | + version b of web with 1 backend | "
     "~ web weight of a 0 % -> 100 % | start b"},
    {set_target_all, CHAT(",\"rollout\":{\"target\":\"v2\"}"), ""},
    {NULL,
     "{\"rainbow\":1,\"services\":[{\"name\":\"web\",\"address\":\"10.0.0.2:80\",\"protocol\":\"udp\",\"http\":true,"
     "\"versions\":["
     "{\"label\":\"a\",\"backends\":[{\"address\":\"10.4.0.1:1\"}]},{\"label\":\"b\",\"backends\":[{\"address\":\"10.4.0.2:1\"}"
     "]}],"
     "\"rollout\":{\"target\":\"b\"},\"steers\":[{\"range\":\"10.0.0.0/8\",\"version\":\"b\"}]}]}",
     "+ service web on 10.0.0.2:80/udp | ~ web http false -> true | + version a of web with 1 backend | + version b of web "
     "with 1 "
     "backend | ~ web weight of b 0 % -> 100 % | + steer 10.0.0.0/8 of web to b"},
};

static void test_plans(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(plans); i++) {
		struct model *model = make_model();
		struct error err = {ERROR_NONE};
		json_t *json = load(plans[i].json);
		char lines[1000];

		if (plans[i].set)
			plans[i].set(model);
		row_assert(!plan(model, json, lines, sizeof(lines), &err), plans[i].json, "%s: %s", err.field, err.message);
		row_assert(!strcmp(lines, plans[i].lines), plans[i].json, "gave: %s", lines);
		json_decref(json);
		free_model(model);
	}
}

static const struct {
	void (*set)(struct model *model);
	const char *json;
	enum error_code code;
	const char *field, *complaint;
} refusals[] = {
    {NULL, CHAT(",\"protocol\":\"udp\""), ERROR_CONFLICT, "services[0].protocol", "is tcp, not udp"},
    {NULL, CHAT(",\"affinity\":\"client\""), ERROR_CONFLICT, "services[0].affinity", "fixed"},
    {NULL, CHAT(",\"selection\":\"exact\""), ERROR_CONFLICT, "services[0].selection", "fixed"},
    {NULL, CHAT(",\"stray\":\"drop\""), ERROR_CONFLICT, "services[0].stray", "fixed"},
    {NULL, CHAT(",\"client_prefix\":56"), ERROR_CONFLICT, "services[0].client_prefix", "is 64, not 56"},
    {NULL, "{\"rainbow\":1,\"services\":[{\"name\":\"chat\",\"address\":\"10.0.0.9:80\"}]}", ERROR_CONFLICT,
     "services[0].address", "10.0.0.1:80, not 10.0.0.9:80"},
    {NULL, "{\"rainbow\":1,\"services\":[{\"name\":\"web\",\"address\":\"10.2.1.2:8080\"}]}", ERROR_CONFLICT,
     "services[0].address", "is a backend of version v1"},
    {NULL,
     CHAT(",\"versions\":[{\"label\":\"v1\",\"tuple\":{\"model\":\"m9\",\"tools\":\"t\"},\"backends\":[{\"address\":\"10.2.1.2:"
	  "8080\"}]}]"),
     ERROR_CONFLICT, "services[0].versions[0].tuple", "another tuple: model, tools"},
    {NULL, CHAT(",\"versions\":[{\"label\":\"v1\",\"tuple\":{},\"backends\":[{\"address\":\"10.2.1.2:8080\"}]}]"),
     ERROR_CONFLICT, "services[0].versions[0].tuple", "another tuple: model"},
    {NULL, CHAT(",\"max_versions\":1"), ERROR_PRECONDITION, "services[0].max_versions",
     "has 2 active versions, more than a max_versions of 1; drain some first: rainbowctl drain chat LABEL"},
    {NULL, CHAT(",\"versions\":[" V2 "," V3 "],\"max_versions\":2"), ERROR_PRECONDITION, "services[0].versions[1]",
     "has 2 versions that are not drained"},
    /* a backend that serves another version */
    {NULL, CHAT(",\"versions\":[" V1 ",{\"label\":\"v3\",\"backends\":[{\"address\":\"10.2.2.2:8080\"}]}]"), ERROR_CONFLICT,
     "services[0].versions[1]", "belongs to version v2"},
    {NULL, CHAT(",\"versions\":[" V2 "]"), ERROR_PRECONDITION, "services[0].versions", "takes all new sessions"},
    {NULL, CHAT(",\"weights\":{\"v7\":100}"), ERROR_NOT_FOUND, "services[0].weights", "no version v7"},
    {NULL, CHAT(",\"steers\":[{\"range\":\"10.0.0.0/8\",\"version\":\"v7\"}]"), ERROR_NOT_FOUND, "services[0].steers[0]",
     "no version v7"},
    {NULL, CHAT(",\"rollout\":{\"target\":\"v7\"}"), ERROR_NOT_FOUND, "services[0].rollout.target", "no version v7"},
    {NULL, CHAT(",\"rollout\":{\"target\":\"v2\",\"baseline\":\"v7\"}"), ERROR_NOT_FOUND, "services[0].rollout.baseline",
     "no version v7"},
    {set_rolled_back, CHAT(",\"rollout\":{\"target\":\"v2\"}"), ERROR_PRECONDITION, "services[0].rollout.target",
     "in quarantine: gate slow failed"},
    {set_rollout, CHAT(",\"weights\":{\"v2\":100}"), ERROR_PRECONDITION, "services[0].weights", "is under way"},
    {set_rollout, CHAT(",\"versions\":[" V1 "]"), ERROR_PRECONDITION, "services[0].versions", "under way"},
    {set_rollout, CHAT(",\"versions\":[" V1 "," V2 "," V3 "],\"rollout\":{\"target\":\"v3\",\"on_new_target\":\"reject\"}"),
     ERROR_PRECONDITION, "services[0].rollout.target", "on_new_target is reject"},
};

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refusals); i++) {
		struct model *model = make_model();
		struct error err = {ERROR_NONE};
		json_t *json = load(refusals[i].json);
		char lines[1000];
		int rc;

		if (refusals[i].set)
			refusals[i].set(model);
		rc = plan(model, json, lines, sizeof(lines), &err);
		row_assert(rc == -(int)refusals[i].code, refusals[i].json, "returned %d: %s", rc, err.message);
		row_assert(!strcmp(err.field, refusals[i].field), refusals[i].json, "at %s: %s", err.field, err.message);
		row_assert(strstr(err.message, refusals[i].complaint), refusals[i].json, "said: %s", err.message);
		json_decref(json);
		free_model(model);
	}
}

static void set_two_of_one(struct model *model)
{
	model->services[0]->settings.max_versions = 1;
}

static void set_bare(struct model *model)
{
	struct version *v2 = service_find_version(model->services[0], "v2");

	version_remove_backend(v2, v2->backends);
}

/* What is exported applies back to nothing, in each state but two; and to a host that has nothing, in each. */
static void test_export(void **state)
{
	static const struct {
		void (*set)(struct model *model);
		const char *lines;
	} rows[] = {
	    {NULL, ""},           {set_live, ""},       {set_v1_drained, ""}, {set_rollout, ""}, {set_rolled_back, ""},
	    {set_target_all, ""}, {set_two_of_one, ""}, {set_bare, ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct model *fresh = calloc(1, sizeof(*fresh));
		struct model *model = make_model();
		struct backend leaving = {.id = 77, .at = at("10.2.1.9:8080"), .leaving = true};
		struct error err = {ERROR_NONE};
		char lines[1000];
		json_t *json;

		if (rows[i].set)
			rows[i].set(model);
		version_append_backend(&model->services[0]->versions[0], &leaving);
		counts.backend_live[77] = 3;
		json = export_document(model, NULL);
		assert_int_equal(plan(model, json, lines, sizeof(lines), &err), 0);
		assert_string_equal(lines, rows[i].lines);
		row_assert(!plan(fresh, json, lines, sizeof(lines), &err), rows[i].lines, "fresh: %s: %s", err.field,
			   err.message);
		json_decref(json);
		free_model(model);
		free_model(fresh);
	}
}

/* A rollback of a new service has nowhere to go: what its versions had on the way was never in force. */
static void test_new_service(void **state)
{
	struct model *model = make_model();
	struct service *after = service_new();
	struct document document;
	struct error err;
	json_t *json =
	    load("{\"rainbow\":1,\"services\":[{\"name\":\"web\",\"address\":\"10.0.0.2:80\",\"versions\":[{\"label\":\"a\","
		 "\"backends\":[{\"address\":\"10.4.0.1:1\"}]},{\"label\":\"b\",\"backends\":[{\"address\":\"10.4.0.2:1\"}]}],"
		 "\"weights\":{\"b\":100}}]}");

	(void)state;
	assert_int_equal(document_read(json, &document, &err), 0);
	assert_int_equal(reconcile_open(&(struct reconcile){model, &document.services[0], 0, &counts, now}, after, &err), 0);
	assert_int_equal(after->versions[1].weight, 1000);
	assert_int_equal(after->versions[0].weight, 0);
	assert_int_equal(after->versions[0].previous_weight, 0);
	assert_int_equal(after->probe_idle.ms, 900000);
	document_fini(&document);
	json_decref(json);
	service_free(after);
	free_model(model);
}

static void test_lock(void **state)
{
	struct model *model = make_model();
	struct service *chat = model->services[0];
	struct error err;

	(void)state;
	assert_int_equal(service_check_unlocked(chat, &err), 0);
	chat->lock.since = now;
	chat->lock.uid = 1000;
	text_copy(chat->lock.reason, sizeof(chat->lock.reason), "incident 7");
	assert_int_equal(service_check_unlocked(chat, &err), -ERROR_CONFLICT);
	assert_string_equal(err.message, "service chat is locked by uid 1000 since 2023-11-14T22:13:20Z (incident 7) against "
					 "automation and applies; ask there, or: rainbowctl unlock chat");
	free_model(model);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_plans),       cmocka_unit_test(test_refusals), cmocka_unit_test(test_export),
	    cmocka_unit_test(test_new_service), cmocka_unit_test(test_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
