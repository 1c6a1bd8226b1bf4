/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel's programs do when no packet comes: pins put back from a snapshot or another table, and ghosts, who are asked and
 * then vanish. Compiled natively (tests/fuzz/core.c), so that a sanitizer sees it, too, and hours are microseconds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/fuzz/town.h"

#define SESSIONS  64
#define HZ        250
#define TRIES     15  /* bpf/ghost.h */
#define PATIENCE  150 /* probe_idle_seconds: asked every 10 */
#define BY_FLOW   1   /* services of the town: TCP over IPv4, each connection a session ... */
#define BY_CLIENT 5   /* ... or all of a client */

static const uint32_t first_version[] = {[BY_FLOW] = 1, [BY_CLIENT] = 13};
static const uint32_t first_backend[] = {[BY_FLOW] = 1, [BY_CLIENT] = 25};

static int town_up(void **state)
{
	(void)state;
	native_reset();
	core_init(SESSIONS, 16);
	town_build(SESSIONS);
	native.jiffies = 0xffffff00ull; /* 32 bits of them wrap soon */
	native.ns = 1000000000000ull;
	core_meta()->swept = native.jiffies;
	return 0;
}

static void pass_seconds(uint32_t seconds)
{
	native.jiffies += seconds * HZ;
	native.ns += seconds * 1000000000ull;
}

static struct rainbow_flow flow_of(uint32_t service, uint16_t port)
{
	return (struct rainbow_flow){.client = {{[10] = 0xff, 0xff, 10, 9, 0, 1}}, .port = port, .service = (uint16_t)service};
}

/* A pin as a snapshot has it, at this place of rainbow_due. */
static void put_due(uint32_t index, uint32_t service, uint16_t port, enum rainbow_pin_kind kind)
{
	*core_due(index) = (struct rainbow_due){
	    .flow = flow_of(service, port),
	    .pin = {.state = RAINBOW_PIN_LIVE,
		    .version = (uint16_t)first_version[service],
		    .backend = (uint16_t)first_backend[service],
		    .opened = 900,
		    .last_seen = (uint32_t)native.jiffies,
		    .kind = kind},
	};
}

static struct rainbow_restore restore(uint32_t count, uint32_t counted)
{
	struct rainbow_restore order = {.count = count, .counted = counted};

	assert_int_equal(core_restore(&order), 0);
	assert_int_equal(order.restored + order.there + order.full + order.dropped, count);
	return order;
}

static void expect_live(uint32_t service, uint64_t live)
{
	assert_int_equal(core_version(first_version[service])->live, live);
	assert_int_equal(core_backend(first_backend[service])->live, live);
}

/* --- pins that are put back ---------------------------------------------------------------------------------------------- */

static void restored_sessions_are_counted_and_found(void **state)
{
	struct rainbow_flow flow;
	uint32_t i;

	(void)state;
	for (i = 0; i < 10; i++)
		put_due(i, BY_FLOW, (uint16_t)(5000 + i), RAINBOW_PIN_SESSION);
	assert_int_equal(restore(10, 1).restored, 10);
	expect_live(BY_FLOW, 10);
	assert_int_equal(core_meta()->pins, 10);
	for (i = 0; i < 10; i++) {
		flow = flow_of(BY_FLOW, (uint16_t)(5000 + i));
		assert_non_null(core_pin(&flow));
		assert_int_equal(core_pin(&flow)->opened, 900);
	}
	assert_int_equal(restore(10, 1).there, 10); /* once more */
	expect_live(BY_FLOW, 10);
}

static void pins_of_another_table_are_counted_already(void **state)
{
	struct rainbow_flow flow = flow_of(BY_FLOW, 5000);

	(void)state;
	put_due(0, BY_FLOW, 5000, RAINBOW_PIN_SESSION);
	assert_int_equal(restore(1, 0).restored, 1);
	expect_live(BY_FLOW, 0);
	core_pin(&flow)->state = RAINBOW_PIN_CLOSING;
	assert_int_equal(restore(1, 0).there, 1);
	assert_int_equal(core_pin(&flow)->state, RAINBOW_PIN_CLOSING); /* the later state is right */
}

static void a_full_table_takes_no_more(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < SESSIONS + 8; i++)
		put_due(i, BY_FLOW, (uint16_t)(5000 + i), RAINBOW_PIN_SESSION);
	assert_int_equal(restore(SESSIONS + 8, 1).restored, SESSIONS);
	expect_live(BY_FLOW, SESSIONS);
	assert_int_equal(core_meta()->pins, SESSIONS);
	put_due(0, BY_FLOW, 6000, RAINBOW_PIN_SESSION);
	assert_int_equal(restore(1, 1).full, 1);
	expect_live(BY_FLOW, SESSIONS);
}

static void what_has_no_place_is_dropped(void **state)
{
	struct rainbow_restore order = {.count = RAINBOW_DUE + 1};

	(void)state;
	put_due(0, BY_FLOW, 5000, RAINBOW_PIN_SESSION);
	put_due(1, BY_FLOW, 5001, RAINBOW_PIN_SESSION);
	put_due(2, BY_CLIENT, 5002, RAINBOW_PIN_FLOW);
	core_due(0)->pin.backend = RAINBOW_MAX_BACKENDS + 1;
	core_due(1)->pin.version = RAINBOW_MAX_VERSIONS + 1;
	core_due(2)->flow.service = RAINBOW_MAX_SERVICES + 1;
	assert_int_equal(restore(3, 1).dropped, 3);
	assert_int_equal(core_meta()->pins, 0);
	expect_live(BY_FLOW, 0);
	assert_int_not_equal(core_restore(&order), 0); /* more than there is room for */
}

static void flows_join_their_client(void **state)
{
	struct rainbow_flow client = flow_of(BY_CLIENT, 0), flow = flow_of(BY_CLIENT, 5001);

	(void)state;
	put_due(0, BY_CLIENT, 0, RAINBOW_PIN_CLIENT);
	put_due(1, BY_CLIENT, 5000, RAINBOW_PIN_FLOW);
	put_due(2, BY_CLIENT, 5001, RAINBOW_PIN_FLOW);
	assert_int_equal(restore(3, 1).restored, 3);
	expect_live(BY_CLIENT, 1); /* one session, of two connections */
	assert_int_equal(core_pin(&client)->flows & RAINBOW_FLOWS_COUNT, 2);
	assert_int_equal(core_pin(&flow)->kind, RAINBOW_PIN_FLOW);

	put_due(0, BY_CLIENT, 5002, RAINBOW_PIN_FLOW); /* of another version than its client has */
	core_due(0)->pin.version++;
	core_due(0)->pin.backend += 2;
	assert_int_equal(restore(1, 1).dropped, 1);
	assert_int_equal(core_pin(&client)->flows & RAINBOW_FLOWS_COUNT, 2);
}

static void a_flow_without_its_client_begins_the_session(void **state)
{
	struct rainbow_flow client = flow_of(BY_CLIENT, 0);

	(void)state;
	put_due(0, BY_CLIENT, 5000, RAINBOW_PIN_FLOW);
	put_due(1, BY_CLIENT, 5000, RAINBOW_PIN_FLOW);
	assert_int_equal(restore(1, 1).restored, 1);
	expect_live(BY_CLIENT, 1);
	assert_non_null(core_pin(&client));
	assert_int_equal(core_pin(&client)->kind, RAINBOW_PIN_CLIENT);
	assert_int_equal(restore(2, 1).there, 2); /* and does not join twice */
	assert_int_equal(core_pin(&client)->flows & RAINBOW_FLOWS_COUNT, 1);
}

/* --- ghosts -------------------------------------------------------------------------------------------------------------- */

/* A sweep every ten seconds, as it might be. */
static struct rainbow_sweep sweep(uint32_t limit)
{
	static uint64_t previous;
	struct rainbow_sweep sweep = {.ask_limit = RAINBOW_DUE, .ghost_limit = limit};

	previous = native.jiffies;
	pass_seconds(10);
	sweep.previous = previous;
	assert_int_equal(core_sweep(&sweep), 0);
	return sweep;
}

static struct rainbow_asked ask(uint32_t index)
{
	struct rainbow_asked asked = {.flow = core_due(index)->flow, .last_seen = core_due(index)->pin.last_seen};

	assert_int_equal(core_asked(&asked), 0);
	return asked;
}

static void open_sessions(uint32_t count)
{
	uint32_t i;

	core_service(BY_FLOW)->probe_idle_seconds = PATIENCE;
	core_service(BY_FLOW)->idle_seconds = 86400;
	for (i = 0; i < count; i++)
		put_due(i, BY_FLOW, (uint16_t)(5000 + i), RAINBOW_PIN_SESSION);
	assert_int_equal(restore(count, 1).restored, count);
}

/* Sweeps until the first is listed. */
static void fall_silent(void)
{
	uint32_t seconds = 0;

	while (!sweep(RAINBOW_DUE).ghosts) {
		seconds += 10;
		assert_in_range(seconds, 0, PATIENCE + 20);
	}
	assert_in_range(seconds, PATIENCE - 10, PATIENCE + 20);
}

static void a_client_that_never_answers_vanishes(void **state)
{
	struct rainbow_flow flow = flow_of(BY_FLOW, 5000);
	uint32_t tries;

	(void)state;
	open_sessions(1);
	fall_silent();
	for (tries = 1; tries <= TRIES; tries++) {
		assert_int_equal(ask(0).counted, 1);
		assert_int_equal(core_pin(&flow)->asked, tries);
		assert_int_equal(sweep(RAINBOW_DUE).vanished, tries == TRIES);
	}
	assert_int_equal(core_pin(&flow)->state, RAINBOW_PIN_KILLED);
	assert_int_equal(core_version(first_version[BY_FLOW])->ended_vanished, 1);
	expect_live(BY_FLOW, 0);
	assert_int_equal(ask(0).counted, 0); /* it is over */
}

static void an_answer_begins_the_silence_anew(void **state)
{
	struct rainbow_flow flow = flow_of(BY_FLOW, 5000);
	struct rainbow_asked late;

	(void)state;
	open_sessions(1);
	fall_silent();
	late = ask(0);
	assert_int_equal(late.counted, 1);
	core_pin(&flow)->last_seen = (uint32_t)native.jiffies + 1; /* as its answer does */
	assert_int_equal(core_asked(&late), 0);
	assert_int_equal(late.counted, 0); /* void: it has spoken since */
	assert_int_equal(sweep(RAINBOW_DUE).ghosts, 0);
	assert_int_equal(core_pin(&flow)->asked, 0);
	fall_silent();
	expect_live(BY_FLOW, 1);
}

static void nobody_vanishes_unasked(void **state)
{
	uint32_t i;

	(void)state;
	open_sessions(1);
	for (i = 0; i < 100; i++)
		assert_int_equal(sweep(RAINBOW_DUE).vanished, 0);
	expect_live(BY_FLOW, 1);
}

static void no_more_are_listed_than_asked_for(void **state)
{
	uint32_t most = 0, n, i;

	(void)state;
	open_sessions(8);
	for (i = 0; i < 40; i++) {
		n = sweep(3).ghosts;
		most = n > most ? n : most;
		assert_in_range(n, 0, 3);
	}
	assert_int_equal(most, 3);
}

static void asks_before_a_long_pause_are_void(void **state)
{
	struct rainbow_flow flow = flow_of(BY_FLOW, 5000);
	struct rainbow_sweep late = {.ask_limit = RAINBOW_DUE, .ghost_limit = RAINBOW_DUE};

	(void)state;
	open_sessions(1);
	fall_silent();
	assert_int_equal(ask(0).counted, 1);
	late.previous = native.jiffies;
	pass_seconds(2 * PATIENCE); /* without rainbowd */
	assert_int_equal(core_sweep(&late), 0);
	assert_int_equal(core_pin(&flow)->asked, 0);
	expect_live(BY_FLOW, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(restored_sessions_are_counted_and_found, town_up),
	    cmocka_unit_test_setup(pins_of_another_table_are_counted_already, town_up),
	    cmocka_unit_test_setup(a_full_table_takes_no_more, town_up),
	    cmocka_unit_test_setup(what_has_no_place_is_dropped, town_up),
	    cmocka_unit_test_setup(flows_join_their_client, town_up),
	    cmocka_unit_test_setup(a_flow_without_its_client_begins_the_session, town_up),
	    cmocka_unit_test_setup(a_client_that_never_answers_vanishes, town_up),
	    cmocka_unit_test_setup(an_answer_begins_the_silence_anew, town_up),
	    cmocka_unit_test_setup(nobody_vanishes_unasked, town_up),
	    cmocka_unit_test_setup(no_more_are_listed_than_asked_for, town_up),
	    cmocka_unit_test_setup(asks_before_a_long_pause_are_void, town_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
