// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* user/rainbowd/ids.c, roll.c, explain.c: ids that may be given again, the roll of sessions, and why a client goes where it goes. */
#include <netinet/in.h>
#include <stdlib.h>
#include "tests/unit/table_test.h"
#include "common/text.h"
#include "rainbowd/explain.h"
#include "rainbowd/ids.h"
#include "rainbowd/roll.h"

/* --- ids ----------------------------------------------------------------------------------------------------------------------- */

static int make_ids(void **state)
{
	*state = calloc(1, sizeof(struct ids));
	return 0;
}

static int free_state(void **state)
{
	free(*state);
	return 0;
}

static void test_ids_go_round(void **state)
{
	struct ids *ids = *state;
	uint32_t id;

	for (id = 1; id <= RAINBOW_MAX_SERVICES; id++)
		assert_int_equal(ids_take(ids, ID_SERVICE), id);
	assert_int_equal(ids_take(ids, ID_SERVICE), 0);
	ids_free(ids, ID_SERVICE, 9);
	ids_free(ids, ID_SERVICE, 5);
	assert_int_equal(ids_take(ids, ID_SERVICE), 5);
	ids_free(ids, ID_SERVICE, 5);
	assert_int_equal(ids_take(ids, ID_SERVICE), 9);
}

static void test_ids_held_are_not_given(void **state)
{
	struct ids *ids = *state;

	ids_hold(ids, ID_VERSION, 1);
	ids_hold(ids, ID_VERSION, 3);
	assert_int_equal(ids_take(ids, ID_VERSION), 4);
	ids_hold(ids, ID_VERSION, 0);
	ids_hold(ids, ID_VERSION, RAINBOW_MAX_VERSIONS + 1);
}

static void test_ids_ripen(void **state)
{
	static const struct {
		const char *name;
		int64_t walk_ms;
		bool seen, want;
	} rows[] = {
	    {"1 too young", 60999, false, false},
	    {"2 old enough", 61001, false, true},
	    {"3 old, but a pin holds it", 999999, true, false},
	};
	struct ids *ids = *state;
	struct ids_seen *seen = calloc(1, sizeof(*seen));

	ids_hold(ids, ID_VERSION, 7);
	assert_false(ids_want_walk(ids, 999999, 60000));
	assert_false(ids_is_ripe(ids, ID_VERSION, 7, seen, 999999, 60000));
	ids_retire(ids, ID_VERSION, 7, 1000);
	assert_false(ids_want_walk(ids, 60999, 60000));
	assert_true(ids_want_walk(ids, 61001, 60000));
	for (size_t i = 0; i < COUNT(rows); i++) {
		seen->id[ID_VERSION][7] = rows[i].seen;
		row_assert(ids_is_ripe(ids, ID_VERSION, 7, seen, rows[i].walk_ms, 60000) == rows[i].want, rows[i].name,
			   "wrong");
	}
	assert_int_not_equal(ids_take(ids, ID_VERSION), 7);
	free(seen);
}

/* --- the roll of sessions -------------------------------------------------------------------------------------------------------- */

static void offer(struct roll *roll, uint16_t port, uint32_t opened, enum rainbow_pin_kind kind,
		  enum rainbow_pin_state pin_state, uint16_t version)
{
	struct rainbow_flow flow = {.port = port, .service = 1};
	struct rainbow_pin pin = {.state = pin_state, .version = version, .opened = opened, .kind = kind};

	assert_true(roll_offer(roll, &flow, &pin));
}

static void test_roll_is_oldest_first(void **state)
{
	struct roll roll = {.limit = 10};

	(void)state;
	for (unsigned int i = 0; i < 5000; i++)
		offer(&roll, (uint16_t)(i + 1), 1 + (i * 7919u) % 5000u, RAINBOW_PIN_SESSION, RAINBOW_PIN_LIVE, 1);
	roll_finish(&roll);
	assert_int_equal(roll.count, 10);
	assert_int_equal(roll.sessions, 5000);
	for (unsigned int i = 0; i < 10; i++)
		assert_int_equal(roll.entries[i].opened, i + 1);
	roll_fini(&roll);
}

static void test_roll_filters(void **state)
{
	struct roll roll = {
	    .filter = {.service = 1, .version = 2, .limit_opened = true, .opened_until = 100, .live_only = true}};

	(void)state;
	offer(&roll, 1, 100, RAINBOW_PIN_SESSION, RAINBOW_PIN_LIVE, 2);
	offer(&roll, 2, 101, RAINBOW_PIN_SESSION, RAINBOW_PIN_LIVE, 2);
	offer(&roll, 3, 50, RAINBOW_PIN_SESSION, RAINBOW_PIN_LIVE, 1);
	offer(&roll, 4, 50, RAINBOW_PIN_SESSION, RAINBOW_PIN_CLOSING, 2);
	offer(&roll, 5, 50, RAINBOW_PIN_FLOW, RAINBOW_PIN_LIVE, 2);
	offer(&roll, 6, 50, RAINBOW_PIN_SESSION, RAINBOW_PIN_HALF_SERVER, 2);
	assert_int_equal(roll.count, 2);
	roll_fini(&roll);
}

/* Closing: the client session before its flows, and flows however young. */
static void test_roll_for_closing(void **state)
{
	struct roll roll = {.filter = {.live_only = true, .flows = true, .limit_opened = true, .opened_until = 60}};

	(void)state;
	offer(&roll, 9, 70, RAINBOW_PIN_FLOW, RAINBOW_PIN_LIVE, 2);
	offer(&roll, 8, 50, RAINBOW_PIN_FLOW, RAINBOW_PIN_LIVE, 2);
	offer(&roll, 0, 50, RAINBOW_PIN_CLIENT, RAINBOW_PIN_LIVE, 2);
	roll_finish(&roll);
	assert_int_equal(roll.count, 3);
	assert_int_equal(roll.sessions, 1);
	assert_int_equal(roll.entries[0].kind, RAINBOW_PIN_CLIENT);
	assert_int_equal(roll.entries[2].flow.port, 9);
	roll_fini(&roll);
}

/* --- explain ---------------------------------------------------------------------------------------------------------------------- */

#define V1 11
#define V2 12

static int make_service(void **state)
{
	struct service *service = service_new();
	struct version version = {.id = V1, .label = "v1", .state = RAINBOW_VERSION_ACTIVE, .weight = 1000};

	service->id = 1;
	service->affinity = RAINBOW_AFFINITY_CLIENT;
	service->selection = RAINBOW_SELECTION_HASH;
	service_append_version(service, &version);
	version = (struct version){.id = V2, .label = "v2", .state = RAINBOW_VERSION_ACTIVE};
	service_append_version(service, &version);
	for (size_t i = 0; i < RAINBOW_WHEEL_SLOTS; i++)
		service->wheel[i] = V1;
	*state = service;
	return 0;
}

static int free_service(void **state)
{
	service_free(*state);
	return 0;
}

static void add_steer(struct service *service, const char *range, uint32_t version)
{
	struct steer steer = {.version = version};

	assert_int_equal(cidr_parse(range, &steer.range, "", NULL), 0);
	service_append_steer(service, &steer);
}

/* The steps of the kernel's choice, in their order. */
static void test_explain_rules(void **state)
{
	struct service *service = *state;
	struct rainbow_pin live = {.state = RAINBOW_PIN_LIVE, .version = V2, .backend = 5, .flows = 1};
	struct rainbow_pin empty = {.state = RAINBOW_PIN_LIVE, .version = V2, .backend = 6, .flows = 0};
	struct rainbow_nursling choice = {.version = V2, .backend = 7};
	struct rainbow_flow flow = {.port = 4000, .service = 1};
	const struct {
		const char *name;
		bool steered, drains; /* steered to v1; v2 drains */
		const struct rainbow_pin *flow, *client;
		const struct rainbow_nursling *choice;
		uint32_t version, backend;
		const char *rule;
	} rows[] = {
	    {"1 the flow's session", true, true, &live, NULL, NULL, V2, 5, "session"},
	    {"2 the client's session with flows", true, true, NULL, &live, NULL, V2, 5, "client affinity"},
	    {"3 without flows", false, false, NULL, &empty, NULL, V2, 6, "client affinity"},
	    {"4 without flows yields to a steer", true, false, NULL, &empty, NULL, V1, 0, "steer"},
	    {"5 without flows yields to a drain", false, true, NULL, &empty, NULL, V1, 0, "hash slot"},
	    {"6 what was chosen a moment ago", false, false, NULL, NULL, &choice, V2, 7, "client affinity"},
	    {"7 which a steer overrules", true, false, NULL, NULL, &choice, V1, 0, "steer"},
	    {"8 and a drain", false, true, NULL, NULL, &choice, V1, 0, "hash slot"},
	    {"9 the wheel", false, false, NULL, NULL, NULL, V1, 0, "hash slot"},
	};

	assert_int_equal(addr_parse("10.5.1.1", &flow.client, "", NULL), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct explain_facts facts = {
		    .secret = {1, 2}, .flow = rows[i].flow, .client = rows[i].client, .choice = rows[i].choice};
		struct service *copy = service_clone(service);
		struct explanation why;

		if (rows[i].steered)
			add_steer(copy, "10.5.0.0/16", V1);
		if (rows[i].drains)
			copy->versions[1].state = RAINBOW_VERSION_DRAINING;
		why = explain(copy, &flow, &facts);
		row_assert(why.version && why.version->id == rows[i].version, rows[i].name, "another version");
		row_assert(why.backend == rows[i].backend, rows[i].name, "backend %u", why.backend);
		row_assert(strncmp(why.rule, rows[i].rule, strlen(rows[i].rule)) == 0, rows[i].name, "rule %s", why.rule);
		service_free(copy);
	}
}

static void test_explain_exact_and_none(void **state)
{
	struct service *service = *state;
	struct rainbow_flow flow = {.port = 4000, .service = 1};
	struct explain_facts facts = {.cursor = 2007};

	service->selection = RAINBOW_SELECTION_EXACT;
	assert_string_equal(explain(service, &flow, &facts).rule, "exact slot 7");
	memset(service->wheel, 0, sizeof(service->wheel));
	assert_null(explain(service, &flow, &facts).version);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_ids_go_round, make_ids, free_state),
	    cmocka_unit_test_setup_teardown(test_ids_held_are_not_given, make_ids, free_state),
	    cmocka_unit_test_setup_teardown(test_ids_ripen, make_ids, free_state),
	    cmocka_unit_test(test_roll_is_oldest_first),
	    cmocka_unit_test(test_roll_filters),
	    cmocka_unit_test(test_roll_for_closing),
	    cmocka_unit_test_setup_teardown(test_explain_rules, make_service, free_service),
	    cmocka_unit_test_setup_teardown(test_explain_exact_and_none, make_service, free_service),
	};

	return cmocka_run_group_tests_name("ids, roll, explain", tests, NULL, NULL);
}
