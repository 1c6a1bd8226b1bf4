// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* user/rainbowd/drain.c, pace.c, drift.c: what becomes of sessions with time, as tables. */
#include "tests/unit/table_test.h"
#include "rainbowd/drain.h"
#include "rainbowd/drift.h"
#include "rainbowd/pace.h"

#define ACTIVE   RAINBOW_VERSION_ACTIVE
#define DRAINING RAINBOW_VERSION_DRAINING
#define DRAINED  RAINBOW_VERSION_DRAINED
#define START    1000000

/* Times in seconds after the drain began. */
static const struct step_row {
	const char *name;
	enum rainbow_version_state state;
	uint64_t live;
	bool pending_known;
	uint64_t pending;
	int64_t now, deadline; /* deadline 0: none */
	enum on_deadline on_deadline;
	enum drain_step want;
} steps[] = {
    {"1 active versions have no drain", ACTIVE, 0, true, 0, 5, 0, ON_DEADLINE_RESET, DRAIN_STAY},
    {"2 sessions are left", DRAINING, 3, true, 0, 5, 10, ON_DEADLINE_RESET, DRAIN_STAY},
    {"3 none is left", DRAINING, 0, true, 0, 5, 10, ON_DEADLINE_RESET, DRAIN_FINISH},
    {"4 a handshake is under way", DRAINING, 0, true, 1, 5, 10, ON_DEADLINE_RESET, DRAIN_STAY},
    {"5 not known whether one is", DRAINING, 0, false, 0, 5, 10, ON_DEADLINE_RESET, DRAIN_STAY},
    {"6 not known, but all are forgotten", DRAINING, 0, false, 0, 61, 0, ON_DEADLINE_RESET, DRAIN_FINISH},
    {"7 a stuck one is forgotten too", DRAINING, 0, true, 9, 61, 0, ON_DEADLINE_RESET, DRAIN_FINISH},
    {"8 a second before the deadline", DRAINING, 3, true, 0, 9, 10, ON_DEADLINE_RESET, DRAIN_STAY},
    {"9 at the deadline", DRAINING, 3, true, 0, 10, 10, ON_DEADLINE_RESET, DRAIN_CLOSE},
    {"10 long after it", DRAINING, 3, false, 0, 9999, 10, ON_DEADLINE_RESET, DRAIN_CLOSE},
    {"11 at the deadline, hold", DRAINING, 3, true, 0, 10, 10, ON_DEADLINE_HOLD, DRAIN_STAY},
    {"12 hold, and at last none is left", DRAINING, 0, true, 0, 99, 10, ON_DEADLINE_HOLD, DRAIN_FINISH},
    {"13 no deadline", DRAINING, 3, true, 0, 999999, 0, ON_DEADLINE_RESET, DRAIN_STAY},
    {"14 drained stays drained", DRAINED, 0, true, 0, 99, 10, ON_DEADLINE_RESET, DRAIN_STAY},
    {"15 drained, but one lives", DRAINED, 1, true, 0, 99, 10, ON_DEADLINE_RESET, DRAIN_REOPEN},
};

static struct instant after(int64_t seconds)
{
	return (struct instant){.unix_ms = START + seconds * 1000};
}

static void test_steps(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(steps); i++) {
		const struct step_row *row = &steps[i];
		struct drain_facts facts = {
		    .state = row->state,
		    .drain = {.started = after(0), .on_deadline = row->on_deadline},
		    .now = after(row->now),
		    .in_force_ms = row->now * 1000,
		    .live = row->live,
		    .pending_known = row->pending_known,
		    .pending = row->pending,
		    .nursery_seconds = 60,
		};

		if (row->deadline)
			facts.drain.deadline = after(row->deadline);
		row_assert(drain_next(&facts) == row->want, row->name, "step %d", drain_next(&facts));
	}
}

/* Whatever ends the order (undrain, rollback, a later deadline, hold), no session more is closed. */
static void test_closing(void **state)
{
	static const struct {
		const char *name;
		enum rainbow_version_state state;
		int64_t deadline;
		enum on_deadline on_deadline;
		bool want;
	} rows[] = {
	    {"1 overdue", DRAINING, 10, ON_DEADLINE_RESET, true},
	    {"2 undrained", ACTIVE, 10, ON_DEADLINE_RESET, false},
	    {"3 drained", DRAINED, 10, ON_DEADLINE_RESET, false},
	    {"4 its deadline was moved", DRAINING, 21, ON_DEADLINE_RESET, false},
	    {"5 its deadline was taken away", DRAINING, 0, ON_DEADLINE_RESET, false},
	    {"6 to hold", DRAINING, 10, ON_DEADLINE_HOLD, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct drain drain = {.started = after(0), .on_deadline = rows[i].on_deadline};

		if (rows[i].deadline)
			drain.deadline = after(rows[i].deadline);
		row_assert(drain_is_closing(rows[i].state, &drain, after(20)) == rows[i].want, rows[i].name, "wrong");
	}
}

/* However the clock was set meanwhile: an empty version does not wait for it to catch up. */
static void test_the_clock_was_set_back(void **state)
{
	struct drain_facts facts = {
	    .state = DRAINING,
	    .drain = {.started = after(0), .deadline = after(10)},
	    .now = after(-3600),
	    .in_force_ms = 61000,
	    .nursery_seconds = 60,
	};

	(void)state;
	assert_int_equal(drain_next(&facts), DRAIN_FINISH);
	facts.in_force_ms = 2000;
	assert_int_equal(drain_next(&facts), DRAIN_STAY);
	facts.pending_known = true;
	assert_int_equal(drain_next(&facts), DRAIN_FINISH);
}

static void test_close_after(void **state)
{
	struct drain drain = {.started = after(0), .deadline = after(10)};

	(void)state;
	assert_int_equal(drain_close_after(&drain, 0, 5000, after(15)).unix_ms, after(20).unix_ms);
	/* With a pace: as long as that takes, from the deadline or, if that is over, from now on. */
	assert_int_equal(drain_close_after(&drain, 50, 5000, after(5)).unix_ms, after(10 + 100 + 10).unix_ms);
	assert_int_equal(drain_close_after(&drain, 50, 5000, after(15)).unix_ms, after(15 + 100 + 10).unix_ms);
	assert_int_equal(drain_close_after(&drain, 50, 0, after(5)).unix_ms, after(20).unix_ms);
	drain.on_deadline = ON_DEADLINE_HOLD;
	assert_int_equal(drain_close_after(&drain, 0, 5000, after(15)).unix_ms, 0);
	drain = (struct drain){.started = after(0)};
	assert_int_equal(drain_close_after(&drain, 0, 5000, after(15)).unix_ms, 0);
}

static void test_pace_rate(void **state)
{
	static const struct {
		const char *name;
		uint64_t count;
		uint32_t asked;
		uint64_t want;
	} rows[] = {
	    {"nothing", 0, 0, 100},     {"few: 100 a second", 10, 0, 100},          {"just 100 a second", 1000, 0, 100},
	    {"one more", 1001, 0, 101}, {"many: within the grace", 50000, 0, 5000}, {"a rate was asked for", 50000, 7, 7},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pace pace = pace_begin(rows[i].count, rows[i].asked, 10000, 0);

		row_assert(pace.rate == rows[i].want, rows[i].name, "rate %llu", (unsigned long long)pace.rate);
	}
}

/* Whatever the random numbers are: in order, all within the grace time, spread over all of it. */
static void test_pace_is_in_order_and_in_time(void **state)
{
	static const uint64_t counts[] = {1, 99, 1000, 12345, 1000000};
	uint32_t seed = 3;

	(void)state;
	for (size_t c = 0; c < COUNT(counts); c++) {
		struct pace pace = pace_begin(counts[c], 0, 10000, 500);
		int64_t last = 500;

		for (uint64_t n = 0; n < counts[c]; n++) {
			int64_t due;

			seed = seed * 1664525u + 1013904223u;
			due = pace_due_ms(&pace, n, n % 3 == 0 ? 0xffffffffu : n % 3 == 1 ? 0 : seed);
			assert_true(due >= last);
			last = due;
		}
		assert_true(last <= 500 + 10000);
		assert_true(counts[c] < 1000 || last >= 500 + 9900);
	}
}

static void test_drift(void **state)
{
	static const struct {
		const char *name;
		struct drift_reading before, after;
		uint64_t recount, want;
	} rows[] = {
	    {"1 nothing moved, equal", {10, 20, 10}, {10, 20, 10}, 10, 0},
	    {"2 nothing moved, one lost", {10, 20, 10}, {10, 20, 10}, 9, 1},
	    {"3 nothing moved, two too many", {10, 20, 10}, {10, 20, 10}, 12, 2},
	    {"4 three opened: any of them seen", {10, 20, 10}, {13, 23, 10}, 12, 0},
	    {"5 three opened, four more seen", {10, 20, 10}, {13, 23, 10}, 14, 1},
	    {"6 three ended: any of them missed", {10, 20, 10}, {7, 20, 13}, 7, 0},
	    {"7 three ended, four missed", {10, 20, 10}, {7, 20, 13}, 6, 1},
	    {"8 more ended than were there", {2, 5, 3}, {1, 9, 8}, 0, 0},
	    {"9 the entry was cleared meanwhile", {0, 9, 9}, {0, 0, 0}, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		row_assert(drift_of(&rows[i].before, &rows[i].after, rows[i].recount) == rows[i].want, rows[i].name,
			   "wrong drift");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_steps),     cmocka_unit_test(test_the_clock_was_set_back),
	    cmocka_unit_test(test_closing),   cmocka_unit_test(test_close_after),
	    cmocka_unit_test(test_pace_rate), cmocka_unit_test(test_pace_is_in_order_and_in_time),
	    cmocka_unit_test(test_drift),
	};

	return cmocka_run_group_tests_name("drain, pace, drift", tests, NULL, NULL);
}
