// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* user/rainbowd/drain_duty.c, version_room.c: what a drain owes its people, and how many versions there may be. */
#include "tests/unit/table_test.h"
#include "rainbowd/drain_duty.h"
#include "rainbowd/version_room.h"

#define ACTIVE   RAINBOW_VERSION_ACTIVE
#define DRAINING RAINBOW_VERSION_DRAINING
#define DRAINED  RAINBOW_VERSION_DRAINED
#define START    1000000000ll
#define MINUTE   60
#define UNKNOWN  UINT64_MAX

/* Seconds after the drain began. */
static struct instant after(int64_t seconds)
{
	return (struct instant){START + seconds * 1000};
}

/* Deadline an hour after the drain began; warned 15 minutes before it; kept warm for 10. */
static struct drain_policy policy_init(void)
{
	struct drain_policy policy = {
	    .warn_before = {15 * MINUTE * 1000},
	    .keep_warm = {10 * MINUTE * 1000},
	    .on_warn = "http://ops/warn",
	    .warn_backends = "/checkpoint",
	    .on_drained = "/usr/local/bin/scale-down",
	};

	return policy;
}

static struct duty_facts facts_at(int64_t seconds, const struct drain_policy *policy, enum rainbow_version_state state,
				  uint64_t live)
{
	return (struct duty_facts){
	    .now = after(seconds),
	    .policy = policy,
	    .state = state,
	    .deadline = after(60 * MINUTE),
	    .live_known = live != UNKNOWN,
	    .live = live == UNKNOWN ? 0 : live,
	};
}

#define NONE ((int)DUTIES)

/* What it wants tried now, or NONE. */
static int wants(const struct drain_duty *duty, const struct duty_facts *facts)
{
	struct drain_duty copy = *duty;
	struct duty_order order;
	enum duty_step step = drain_duty_next(&copy, facts, &order);

	assert_true(step != DUTY_NOTE);
	return step == DUTY_TRY ? (int)order.duty : NONE;
}

/* --- warnings ------------------------------------------------------------------------------------------------------------ */

static void test_when_a_warning_is_due(void **state)
{
	static const struct {
		const char *name;
		int64_t now; /* minutes */
		enum rainbow_version_state state;
		uint64_t live;
		int64_t deadline, warn_before; /* minutes; 0: none */
		bool want;
	} rows[] = {
	    {"1 before", 44, DRAINING, 3, 60, 15, false},
	    {"2 at its time", 45, DRAINING, 3, 60, 15, true},
	    {"3 we were dead, the deadline is ahead", 59, DRAINING, 3, 60, 15, true},
	    {"4 at the deadline it is too late", 60, DRAINING, 3, 60, 15, false},
	    {"5 long after", 600, DRAINING, 3, 60, 15, false},
	    {"6 nobody lives", 50, DRAINING, 0, 60, 15, false},
	    {"7 unknown who lives", 50, DRAINING, UNKNOWN, 60, 15, true},
	    {"8 revived", 50, ACTIVE, 3, 60, 15, false},
	    {"9 no deadline", 50, DRAINING, 3, 0, 15, false},
	    {"10 no warning", 50, DRAINING, 3, 60, 0, false},
	    {"11 a deadline shorter than the warning", 0, DRAINING, 3, 10, 15, true},
	    {"12 the clock was set back", -500, DRAINING, 3, 60, 15, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct drain_policy policy = policy_init();
		struct duty_facts facts = facts_at(rows[i].now * MINUTE, &policy, rows[i].state, rows[i].live);
		struct drain_duty duty = {0};

		policy.warn_before.ms = rows[i].warn_before * MINUTE * 1000;
		facts.deadline = rows[i].deadline ? after(rows[i].deadline * MINUTE) : (struct instant){0};
		row_assert(wants(&duty, &facts) == (rows[i].want ? (int)DUTY_WARN : NONE), rows[i].name, "operator");
		policy.on_warn[0] = '\0';
		row_assert(wants(&duty, &facts) == (rows[i].want ? (int)DUTY_WARN_BACKENDS : NONE), rows[i].name, "backends");
		policy.warn_backends[0] = '\0';
		row_assert(wants(&duty, &facts) == NONE, rows[i].name, "without a hook");
	}
}

/* Both hooks, each once; and once more for another deadline. */
static void test_warned_once(void **state)
{
	struct drain_policy policy = policy_init();
	struct duty_facts facts = facts_at(50 * MINUTE, &policy, DRAINING, 3);
	struct drain_duty duty = {0};
	struct duty_order order;

	(void)state;
	for (int i = DUTY_WARN; i <= DUTY_WARN_BACKENDS; i++) {
		assert_int_equal(drain_duty_next(&duty, &facts, &order), DUTY_TRY);
		assert_int_equal(order.duty, i);
		assert_int_equal(order.number, 1);
		facts.under_way[i] = true;
		assert_int_equal(wants(&duty, &facts), i == DUTY_WARN ? (int)DUTY_WARN_BACKENDS : NONE);
		assert_int_equal(drain_duty_end(&duty, &order, NULL, facts.now), DUTY_DONE);
		facts.under_way[i] = false;
	}
	for (int64_t minute = 45; minute < 70; minute++) {
		facts.now = after(minute * MINUTE);
		assert_int_equal(wants(&duty, &facts), NONE);
	}
	facts.deadline = after(120 * MINUTE);
	assert_int_equal(wants(&duty, &facts), NONE);
	facts.now = after(105 * MINUTE);
	assert_int_equal(wants(&duty, &facts), DUTY_WARN);
}

/* --- retries ------------------------------------------------------------------------------------------------------------- */

static void test_retries(void **state)
{
	static const int64_t waits[] = {1, 5, 30};
	struct drain_policy policy = policy_init();
	struct duty_facts facts = facts_at(45 * MINUTE, &policy, DRAINING, 3);
	struct drain_duty duty = {0};
	struct duty_order order;
	int64_t now = 45 * MINUTE;

	(void)state;
	policy.warn_backends[0] = '\0';
	for (uint32_t try = 1; try <= DUTY_TRIES; try++) {
		facts.now = after(now);
		assert_int_equal(drain_duty_next(&duty, &facts, &order), DUTY_TRY);
		assert_int_equal(order.number, try);
		now += 7; /* it took so long */
		assert_int_equal(drain_duty_end(&duty, &order, "HTTP 500\x01", after(now)),
				 try < DUTY_TRIES ? DUTY_OPEN : DUTY_GIVEN_UP);
		assert_string_equal(duty.records[DUTY_WARN].why, "HTTP 500?");
		if (try == DUTY_TRIES)
			break;
		now += waits[try - 1];
		facts.now.unix_ms = after(now).unix_ms - 1;
		assert_int_equal(wants(&duty, &facts), NONE);
	}
	facts.now = after(59 * MINUTE);
	assert_int_equal(wants(&duty, &facts), NONE);
	/* Given up for this deadline, not for the next. */
	facts.deadline = after(70 * MINUTE);
	assert_int_equal(drain_duty_next(&duty, &facts, &order), DUTY_TRY);
	assert_int_equal(order.number, 1);
	assert_int_equal(drain_duty_end(&duty, &order, "HTTP 500", facts.now), DUTY_OPEN);
	assert_int_equal(duty.records[DUTY_WARN].tries, 1);
	/* A clock that goes back does not put it off for long. */
	facts.now.unix_ms -= 1000;
	assert_int_equal(wants(&duty, &facts), DUTY_WARN);
	assert_int_equal(drain_duty_next(&duty, &facts, &order), DUTY_TRY);
	assert_int_equal(drain_duty_end(&duty, &order, NULL, facts.now), DUTY_DONE);
	assert_string_equal(duty.records[DUTY_WARN].why, "");
}

/* --- drained ------------------------------------------------------------------------------------------------------------- */

/* One life of a version, as a script; each row is told in the order of time. */
static void test_drained(void **state)
{
	static const struct {
		const char *name;
		int64_t now; /* minutes */
		enum rainbow_version_state state;
		uint64_t live;
		enum duty_step want;
		int64_t since; /* minutes; -1: none */
	} rows[] = {
	    {"1 draining", 0, DRAINING, 3, DUTY_STAY, -1},
	    {"2 drained, but the count is unknown: no clock begins", 1, DRAINED, UNKNOWN, DUTY_STAY, -1},
	    {"3 drained: the clock begins", 2, DRAINED, 0, DUTY_NOTE, 2},
	    {"4 kept warm", 11, DRAINED, 0, DUTY_STAY, 2},
	    {"5 revived by a rollback", 11, ACTIVE, 0, DUTY_NOTE, -1},
	    {"6 it is active", 30, ACTIVE, 9, DUTY_STAY, -1},
	    {"7 drains again", 31, DRAINING, 0, DUTY_STAY, -1},
	    {"8 drained again: the clock begins anew", 32, DRAINED, 0, DUTY_NOTE, 32},
	    {"9 a session was left", 35, DRAINED, 1, DUTY_NOTE, -1},
	    {"10 it has ended: anew", 36, DRAINED, 0, DUTY_NOTE, 36},
	    {"11 a minute before", 45, DRAINED, 0, DUTY_STAY, 36},
	    {"12 over, but the count is unknown", 46, DRAINED, UNKNOWN, DUTY_STAY, 36},
	    {"13 the clock was set back", -60, DRAINED, 0, DUTY_STAY, 36},
	    {"14 over", 46, DRAINED, 0, DUTY_TRY, 36},
	    {"15 done: not again", 47, DRAINED, 0, DUTY_STAY, 36},
	    {"16 nor much later", 999, DRAINED, 0, DUTY_STAY, 36},
	    {"17 revived, long after it was given up", 1000, ACTIVE, 0, DUTY_NOTE, -1},
	    {"18 and drained once more", 1001, DRAINED, 0, DUTY_NOTE, 1001},
	    {"19 is announced once more", 1011, DRAINED, 0, DUTY_TRY, 1001},
	};
	struct drain_policy policy = policy_init();
	struct drain_duty duty = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct duty_facts facts = facts_at(rows[i].now * MINUTE, &policy, rows[i].state, rows[i].live);
		int64_t since = rows[i].since < 0 ? 0 : after(rows[i].since * MINUTE).unix_ms;
		struct duty_order order;
		enum duty_step step;

		facts.deadline = (struct instant){0};
		step = drain_duty_next(&duty, &facts, &order);
		row_assert(step == rows[i].want, rows[i].name, "step %d", step);
		row_assert(duty.drained_since.unix_ms == since, rows[i].name, "since %lld",
			   (long long)duty.drained_since.unix_ms);
		if (step != DUTY_TRY)
			continue;
		row_assert(order.duty == DUTY_DRAINED && order.number == 1, rows[i].name, "duty %d", order.duty);
		drain_duty_end(&duty, &order, NULL, facts.now);
	}
}

static void test_not_kept_warm(void **state)
{
	struct drain_policy policy = policy_init();
	struct duty_facts facts = facts_at(0, &policy, DRAINED, 0);
	struct drain_duty duty = {0};
	struct duty_order order;

	(void)state;
	policy.keep_warm.ms = 0;
	assert_int_equal(drain_duty_next(&duty, &facts, &order), DUTY_NOTE);
	assert_int_equal(wants(&duty, &facts), DUTY_DRAINED);
	policy.on_drained[0] = '\0';
	assert_int_equal(wants(&duty, &facts), NONE);
}

/* --- storage ------------------------------------------------------------------------------------------------------------- */

static bool duty_is_same(const struct drain_duty *a, const struct drain_duty *b)
{
	for (size_t i = 0; i < DUTIES; i++) {
		const struct duty_record *x = &a->records[i], *y = &b->records[i];

		if (x->about.unix_ms != y->about.unix_ms || x->tried.unix_ms != y->tried.unix_ms || x->tries != y->tries ||
		    x->outcome != y->outcome || strcmp(x->why, y->why))
			return false;
	}
	return a->drained_since.unix_ms == b->drained_since.unix_ms;
}

static void test_stored(void **state)
{
	struct drain_duty duty = {.drained_since = after(5)}, read;
	struct error err;
	json_t *printed, *again;
	char *text;

	(void)state;
	for (uint32_t i = 0; i < DUTIES; i++) {
		duty.records[i] = (struct duty_record){after(i + 1), after(i + 11), i + 1, (enum duty_outcome)i, ""};
		snprintf(duty.records[i].why, DUTY_WHY_SIZE, "why %u", i);
	}
	printed = drain_duty_print(&duty);
	text = json_dumps(printed, 0);
	again = json_loads(text, 0, NULL);
	memset(&read, 0x5a, sizeof(read));
	assert_int_equal(drain_duty_read(again, &read, &err), 0);
	assert_true(duty_is_same(&duty, &read));
	free(text);
	json_decref(again);
	json_decref(printed);
}

static json_t *shown_of(json_t *shown, enum duty which)
{
	return json_object_get(shown, duty_name(which));
}

static const char *shown_outcome(json_t *shown, enum duty which)
{
	return json_string_value(json_object_get(shown_of(shown, which), "outcome"));
}

/* Of what it is about now; null without a hook. */
static void test_shown(void **state)
{
	struct drain_policy policy = policy_init();
	struct duty_order warn = {.duty = DUTY_WARN, .about = after(60 * MINUTE), .number = 1};
	struct drain_duty duty = {0};
	json_t *shown;

	(void)state;
	policy.on_drained[0] = '\0';
	drain_duty_end(&duty, &warn, "no answer", after(46 * MINUTE));
	shown = drain_duty_show(&duty, &policy, after(60 * MINUTE));
	assert_string_equal(shown_outcome(shown, DUTY_WARN), "open");
	assert_int_equal(json_integer_value(json_object_get(shown_of(shown, DUTY_WARN), "tries")), 1);
	assert_string_equal(json_string_value(json_object_get(shown_of(shown, DUTY_WARN), "why")), "no answer");
	assert_true(json_is_string(json_object_get(shown_of(shown, DUTY_WARN), "tried")));
	assert_string_equal(shown_outcome(shown, DUTY_WARN_BACKENDS), "open");
	assert_true(json_is_null(json_object_get(shown_of(shown, DUTY_WARN_BACKENDS), "tried")));
	assert_true(json_is_null(shown_of(shown, DUTY_DRAINED)));
	json_decref(shown);
	drain_duty_end(&duty, &warn, NULL, after(46 * MINUTE));
	shown = drain_duty_show(&duty, &policy, after(60 * MINUTE));
	assert_string_equal(shown_outcome(shown, DUTY_WARN), "done");
	assert_true(json_is_null(json_object_get(shown_of(shown, DUTY_WARN), "why")));
	json_decref(shown);
	shown = drain_duty_show(&duty, &policy, after(90 * MINUTE)); /* another deadline */
	assert_string_equal(shown_outcome(shown, DUTY_WARN), "open");
	json_decref(shown);
}

static void test_not_read(void **state)
{
	static const struct {
		const char *key, *value;
	} rows[] = {
	    {"about_ms", "-1"}, {"tried_ms", "\"now\""}, {"tries", "5"}, {"outcome", "\"maybe\""},
	    {"why", "null"},    {"more", "1"},           {"tries", "4"}, /* and still open */
	};
	struct drain_duty duty = {0}, read = {.drained_since = after(9)};
	struct error err;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		json_t *printed = drain_duty_print(&duty);

		json_object_set_new(json_object_get(printed, "warn_backends"), rows[i].key,
				    json_loads(rows[i].value, JSON_DECODE_ANY, NULL));
		row_assert(drain_duty_read(printed, &read, &err) == -ERROR_BAD_INPUT, rows[i].key, "taken as %s",
			   rows[i].value);
		json_decref(printed);
	}
	assert_int_equal(drain_duty_read(NULL, &read, &err), -ERROR_BAD_INPUT);
	assert_int_equal(read.drained_since.unix_ms, after(9).unix_ms);
}

/* --- room for versions --------------------------------------------------------------------------------------------------- */

/* Versions v1, v2, ...: a active, d draining, c being closed, w draining with a share (which must not be), x drained. */
static struct service *service_of(const char *versions, uint32_t max, enum on_max_versions on_max)
{
	struct service *service = service_new();

	strcpy(service->name, "chat");
	service->settings.max_versions = max;
	service->settings.on_max_versions = on_max;
	for (uint32_t i = 0; versions[i]; i++) {
		struct version version = {.id = i + 1, .state = DRAINING};

		snprintf(version.label, sizeof(version.label), "v%u", i + 1);
		version.drain.started = after(-(int64_t)i); /* the later ones are the older drains */
		version.drain.deadline = versions[i] == 'c' ? after(-1) : after(3600);
		version.weight = versions[i] == 'w' ? 10 : 0;
		if (versions[i] == 'a' || versions[i] == 'x')
			version.state = versions[i] == 'a' ? ACTIVE : DRAINED;
		service_append_version(service, &version);
	}
	return service;
}

/* No limit is lowered below the active versions; those that drain do not count there. */
static void test_room_check(void **state)
{
	static const struct {
		const char *versions;
		uint32_t before, max;
		bool fits;
	} rows[] = {{"aa", 8, 2, true}, {"aad", 8, 2, true},   {"aaxc", 8, 2, true}, {"aaa", 8, 2, false},
		    {"", 8, 1, true},   {"adda", 8, 1, false}, {"aaa", 1, 2, true},  {"aaa", 2, 2, true}};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct service *service = service_of(rows[i].versions, rows[i].max, ON_MAX_FORCE_OLDEST);
		struct error err = {0};

		row_assert(!version_room_check(service, rows[i].before, &err) == rows[i].fits, rows[i].versions, "%s",
			   err.message);
		service_free(service);
	}
}

/* "1 version that is", not "1 versions that are". */
static void test_room_for_one(void **state)
{
	struct service *service = service_of("a", 1, ON_MAX_REJECT);
	struct error err = {0};
	uint32_t forced;

	(void)state;
	assert_int_equal(version_room(service, NULL, after(0), &forced, &err), -ERROR_PRECONDITION);
	assert_non_null(strstr(err.message, "has 1 version that is not drained"));
	service_free(service);
}

static void test_room(void **state)
{
	static const struct {
		const char *versions;
		enum on_max_versions on_max;
		int want; /* the id of the one that is forced, 0: it fits, -1: refused */
		const char *complaint;
	} rows[] = {
	    {"", ON_MAX_REJECT, 0, NULL},
	    {"aad", ON_MAX_REJECT, 0, NULL},
	    {"aadxxx", ON_MAX_REJECT, 0, NULL}, /* who is drained does not count */
	    {"adad", ON_MAX_REJECT, -1,
	     "4 versions that are not drained, its max_versions is 4; draining: v2 (102 live), v4 (104 live);"},
	    {"aaaa", ON_MAX_REJECT, -1, "none is draining; drain one first: rainbowctl drain chat LABEL"},
	    {"aadc", ON_MAX_REJECT, -1, "v4 (104 live)"},
	    {"aad", ON_MAX_FORCE_OLDEST, 0, NULL},
	    {"adda", ON_MAX_FORCE_OLDEST, 3, NULL},
	    {"adwa", ON_MAX_FORCE_OLDEST, 2, NULL},
	    {"aawa", ON_MAX_FORCE_OLDEST, -1, "v3 (103 live)"},
	    {"aaaa", ON_MAX_FORCE_OLDEST, -1, "none is draining"},
	    {"addc", ON_MAX_FORCE_OLDEST, 0, NULL},  /* it has made room already ... */
	    {"addca", ON_MAX_FORCE_OLDEST, 3, NULL}, /* ... for one; for the next another has to go */
	    {"addddd", ON_MAX_FORCE_OLDEST, 6, NULL},
	};
	static struct counts counts;

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		counts.live[i] = 100 + i;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct service *service = service_of(rows[i].versions, 4, rows[i].on_max);
		struct error err = {0};
		uint32_t forced = 4711;
		int rc = version_room(service, &counts, after(0), &forced, &err);

		row_assert((rc ? -1 : (int)forced) == rows[i].want, rows[i].versions, "gave %d, %u: %s", rc, forced,
			   err.message);
		row_assert(!rc || (rc == -ERROR_PRECONDITION && strstr(err.message, rows[i].complaint)), rows[i].versions,
			   "said: %s", err.message);
		service_free(service);
	}
}

/* A count that is not known is not said to be 0, and a long list keeps the way out in the sentence. */
static void test_room_sentence(void **state)
{
	struct service *service = service_of("dddddddddddddddddddddddddddddddddddddddd", 40, ON_MAX_REJECT);
	struct error err;
	uint32_t forced;

	(void)state;
	assert_int_equal(version_room(service, NULL, after(0), &forced, &err), -ERROR_PRECONDITION);
	assert_non_null(strstr(err.message, "v1 (live unknown), v2 (live unknown)"));
	assert_non_null(strstr(err.message, " more; wait for one, or end it: rainbowctl evict chat LABEL"));
	for (size_t i = 0; i < service->version_count; i++)
		memset(service->versions[i].label, 'v', RAINBOW_NAME_SIZE - 1);
	memset(service->name, 's', RAINBOW_NAME_SIZE - 1);
	assert_int_equal(version_room(service, NULL, after(0), &forced, &err), -ERROR_PRECONDITION);
	assert_non_null(
	    strstr(err.message, " more; wait for one, or end it: rainbowctl evict sssssssssssssssssssssssssssssss LABEL"));
	service_free(service);
}

static void test_force(void **state)
{
	struct version version = {.state = DRAINING, .drain = {.started = after(-5), .on_deadline = ON_DEADLINE_HOLD}};

	(void)state;
	version_force(&version, after(1));
	assert_int_equal(version.drain.deadline.unix_ms, after(1).unix_ms);
	assert_int_equal(version.drain.on_deadline, ON_DEADLINE_RESET);
	assert_int_equal(version.drain.started.unix_ms, after(-5).unix_ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_when_a_warning_is_due),
	    cmocka_unit_test(test_warned_once),
	    cmocka_unit_test(test_retries),
	    cmocka_unit_test(test_drained),
	    cmocka_unit_test(test_not_kept_warm),
	    cmocka_unit_test(test_stored),
	    cmocka_unit_test(test_shown),
	    cmocka_unit_test(test_not_read),
	    cmocka_unit_test(test_room),
	    cmocka_unit_test(test_room_check),
	    cmocka_unit_test(test_room_for_one),
	    cmocka_unit_test(test_room_sentence),
	    cmocka_unit_test(test_force),
	};

	return cmocka_run_group_tests_name("drain duty, room for versions", tests, NULL, NULL);
}
