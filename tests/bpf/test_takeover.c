// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Another --max-sessions, against the running kernel: what is in the table of pins is in the new one, wherever a rainbowd was
 * killed in between; and pins put back are counted as the datapath counts. RAINBOW_PINS=N: with so many, to measure.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include <rainbow/table.h>
#include "common/duration.h"
#include "rainbowd/datapath.h"
#include "ground.h"
#include "opened.h"

#define VERSION 2
#define BACKEND 3

static uint32_t pins = 5000;

/* --- between two batches of pins that are put in ------------------------------------------------------------------------ */

int __real_datapath_restore(struct datapath *to, const struct rainbow_due *due, size_t count, bool counted,
			    struct rainbow_restore *sum, struct error *err);
int __wrap_datapath_restore(struct datapath *to, const struct rainbow_due *due, size_t count, bool counted,
			    struct rainbow_restore *sum, struct error *err);

static const struct rainbow_flow *ending; /* ends as soon as it is in the new table */

static void end_it(struct datapath *in)
{
	struct rainbow_close order = {.flow = *ending, .reason = RAINBOW_END_FORCED};
	struct rainbow_pin pin;
	struct error err;

	if (datapath_pin_find(in, ending, &pin))
		return;
	assert_int_equal(datapath_close_session(in, &order, &err), 0);
	assert_int_equal(order.closed, 1);
	ending = NULL;
}

int __wrap_datapath_restore(struct datapath *to, const struct rainbow_due *due, size_t count, bool counted,
			    struct rainbow_restore *sum, struct error *err)
{
	int rc = __real_datapath_restore(to, due, count, counted, sum, err);

	if (ending)
		end_it(to);
	return rc;
}

/* --- pins --------------------------------------------------------------------------------------------------------------- */

static struct rainbow_due pin_number(uint32_t i)
{
	struct rainbow_due due = {
	    .flow = {.port = (uint16_t)(1 + i % 65000), .service = 1},
	    .pin = {.state = i % 16 == 15 ? RAINBOW_PIN_CLOSING : RAINBOW_PIN_LIVE,
		    .version = VERSION,
		    .backend = BACKEND,
		    .opened = i,
		    .last_seen = i * 7,
		    .kind = RAINBOW_PIN_SESSION,
		    .client = {.next = i * 3},
		    .server = {.ack = i * 5}},
	};

	memcpy(due.flow.client.octet + 12, &i, 4);
	return due;
}

/* Live and ended ones, put in as a take-over would. */
static void fill(uint32_t count)
{
	struct rainbow_due *list = calloc(count, sizeof(*list));
	struct rainbow_restore sum;
	struct error err;
	uint32_t i;

	for (i = 0; i < count; i++)
		list[i] = pin_number(i);
	assert_int_equal(datapath_restore(opened, list, count, false, &sum, &err), 0);
	assert_int_equal(sum.restored, count);
	free(list);
}

static uint8_t *seen;

static bool see(const struct rainbow_flow *flow, const struct rainbow_pin *pin, void *arg)
{
	struct rainbow_due wanted = pin_number(pin->opened);

	(void)arg;
	assert_true(pin->opened < pins);
	assert_memory_equal(flow, &wanted.flow, sizeof(*flow));
	assert_int_equal(pin->state, wanted.pin.state);
	assert_int_equal(pin->last_seen, wanted.pin.last_seen);
	assert_int_equal(pin->client.next, wanted.pin.client.next);
	assert_int_equal(pin->server.ack, wanted.pin.server.ack);
	seen[pin->opened]++;
	return true;
}

static void check_all(uint32_t limit)
{
	struct error err;
	uint32_t i;

	seen = calloc(pins, 1);
	assert_int_equal(datapath_pins_each(opened, see, NULL, &err), 0);
	for (i = 0; i < pins; i++)
		assert_int_equal(seen[i], 1);
	free(seen);
	assert_int_equal(datapath_meta(opened)->pins, pins);
	assert_int_equal(datapath_meta(opened)->pin_limit, limit);
	assert_int_equal(datapath_meta(opened)->hold, RAINBOW_HOLD_NONE);
	assert_int_equal(datapath_pin_limit(opened), limit);
	assert_int_equal(datapath_meta(opened)->buckets, rainbow_table_buckets(limit));
	assert_false(ground_pinned("rainbow_next_table"));
	assert_false(ground_pinned("rainbow_next_pin"));
}

static void take_over(void)
{
	struct error err;
	int64_t began = monotonic_ms();

	if (datapath_hold(opened, &err) || datapath_take_over(opened, &err))
		fail_msg("%s", err.message);
	if (pins > 5000)
		printf("%u pins: %d ms\n", pins, (int)(monotonic_ms() - began));
}

static void test_larger_and_smaller(void **state)
{
	(void)state;
	opened_make(pins + 100);
	fill(pins);
	opened_close();
	opened_make(2 * pins);
	/* Until the hooks are switched those attached have the old table, and its limit. */
	assert_int_equal(datapath_meta(opened)->pin_limit, pins + 100);
	take_over();
	check_all(2 * pins);
	opened_close();
	opened_make(pins);
	take_over();
	check_all(pins);
	opened_close();
	opened_make(0);
	take_over();
	check_all(pins);
}

/* A table for so many, of which there are `pins`, made as if most had come since it was looked whether they fit. */
static void open_too_small(uint32_t size)
{
	opened_make(pins + 100);
	fill(pins);
	datapath_meta(opened)->pins = size;
	opened_close();
	opened_make(size);
	datapath_meta(opened)->pins = pins;
}

static void expect_nothing_changed(void)
{
	assert_int_equal(datapath_meta(opened)->hold, RAINBOW_HOLD_NONE);
	opened_close();
	opened_make(0);
	take_over();
	check_all(pins + 100);
}

static void test_too_small(void **state)
{
	struct error err = {};

	(void)state;
	opened_make(pins + 100);
	fill(pins);
	opened_close();
	assert_int_equal(opened_try(pins - 1, NULL, &err), -ERROR_PRECONDITION);
	assert_non_null(strstr(err.message, "too few"));
	opened_make(0);
	expect_nothing_changed();
}

static void test_too_small_once_held(void **state)
{
	struct error err = {};

	(void)state;
	open_too_small(pins - 1);
	assert_int_equal(datapath_hold(opened, &err), -ERROR_PRECONDITION);
	assert_non_null(strstr(err.message, "too few"));
	expect_nothing_changed();
}

/* Killed before it came to look; the next start asks for nothing, or for something else. */
static void test_too_small_and_killed(void **state)
{
	struct error err = {};
	uint32_t asks;

	(void)state;
	for (asks = 0; asks < 4; asks += 3) {
		open_too_small(pins / 2);
		datapath_meta(opened)->hold = RAINBOW_HOLD_SWITCHING;
		opened_close();
		opened_make(asks * pins);
		assert_int_equal(datapath_hold(opened, &err), -ERROR_PRECONDITION);
		assert_non_null(strstr(err.message, "too few"));
		expect_nothing_changed();
		opened_remove(NULL);
	}
}

static void kill_before(enum rainbow_hold hold, uint32_t copied)
{
	struct rainbow_due *list = calloc(copied + 1, sizeof(*list));
	struct rainbow_restore sum;
	struct error err;
	uint32_t i;

	opened_make(pins + 100);
	fill(pins);
	opened_close();
	opened_make(2 * pins);
	assert_true(ground_pinned("rainbow_next_table"));
	assert_true(ground_pinned("rainbow_next_pin"));
	datapath_meta(opened)->hold = hold;
	if (hold >= RAINBOW_HOLD_COPYING) {
		datapath_meta(opened)->pins = datapath_meta(opened)->overflowed = 0;
		datapath_meta(opened)->pin_limit = UINT32_MAX;
		datapath_meta(opened)->buckets = rainbow_table_buckets(2 * pins);
		for (i = 0; i < copied; i++)
			list[i] = pin_number(i);
		assert_int_equal(datapath_restore(opened, list, copied, false, &sum, &err), 0);
	}
	free(list);
	opened_close();
}

/* What a kill at each step leaves; the next start asks for nothing, or for something else. */
static void test_killed(void **state)
{
	static const struct {
		enum rainbow_hold hold;
		uint32_t copied; /* of ten */
		uint32_t asks;   /* times the pins */
		uint32_t room;   /* likewise, of the table then; 1: as before */
	} rows[] = {
	    {RAINBOW_HOLD_NONE, 0, 3, 3},      {RAINBOW_HOLD_SWITCHING, 0, 0, 2}, {RAINBOW_HOLD_SWITCHING, 0, 3, 2},
	    {RAINBOW_HOLD_COPYING, 0, 0, 2},   {RAINBOW_HOLD_COPYING, 4, 3, 2},   {RAINBOW_HOLD_COPYING, 10, 0, 2},
	    {RAINBOW_HOLD_SWAPPING, 10, 3, 2},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		kill_before(rows[i].hold, pins / 10 * rows[i].copied);
		opened_make(rows[i].asks * pins);
		take_over();
		check_all(rows[i].room == 1 ? pins + 100 : rows[i].room * pins);
		opened_remove(NULL);
	}
}

/* Killed while or after the new table gets the name, with the hold still there. */
static void swap_killed(uint32_t renamed)
{
	kill_before(RAINBOW_HOLD_SWAPPING, pins);
	ground_run("mv " GROUND_PIN_DIR "/rainbow_next_table " GROUND_PIN_DIR "/rainbow_table");
	if (renamed == 2)
		ground_run("mv " GROUND_PIN_DIR "/rainbow_next_pin " GROUND_PIN_DIR "/rainbow_pin");
	opened_make(0);
	take_over();
	check_all(2 * pins);
	opened_remove(NULL);
}

static void test_killed_in_the_swap(void **state)
{
	(void)state;
	swap_killed(1);
	swap_killed(2);
}

/* A pin that ended after it was carried over does not come back to life by carrying on. */
static void test_later_state_stays(void **state)
{
	struct rainbow_due first = pin_number(0);
	struct rainbow_close order = {.flow = first.flow, .reason = RAINBOW_END_FORCED};
	struct rainbow_pin pin;
	struct error err;

	(void)state;
	kill_before(RAINBOW_HOLD_COPYING, pins / 2);
	opened_make(0);
	assert_int_equal(datapath_close_session(opened, &order, &err), 0);
	assert_int_equal(order.closed, 1);
	take_over();
	assert_int_equal(datapath_pin_find(opened, &first.flow, &pin), 0);
	assert_int_equal(pin.state, RAINBOW_PIN_KILLED);
	assert_int_equal(datapath_meta(opened)->pins, pins);
}

/* Where in the table a flow lies, whatever its size: 0 to 255. */
static uint32_t place_of(const struct rainbow_flow *flow)
{
	return rainbow_table_bucket(rainbow_table_hash(datapath_meta(opened)->table_secret, flow), 256);
}

/* A client session near the table's end, and a flow of it near its beginning. */
static void client_and_flow(struct rainbow_due list[2])
{
	uint32_t i = pins;

	do {
		list[0] = pin_number(i++);
		list[0].flow.port = 0;
	} while (place_of(&list[0].flow) < 252);
	list[0].pin.state = RAINBOW_PIN_LIVE;
	list[0].pin.kind = RAINBOW_PIN_CLIENT;
	list[0].pin.flows = 1;
	list[1] = list[0];
	list[1].pin.kind = RAINBOW_PIN_FLOW;
	list[1].pin.flows = 0;
	do
		list[1].flow.port++;
	while (place_of(&list[1].flow) > 16);
}

/* A flow that ends while others are still to be carried over is uncounted from its client's session. */
static void test_flow_ends_meanwhile(void **state)
{
	struct rainbow_restore sum;
	struct rainbow_due list[2];
	struct rainbow_pin client;
	struct error err;

	(void)state;
	assert_true(pins > RAINBOW_DUE * 9 / 8); /* more than one batch */
	opened_make(pins + 100);
	datapath_service(opened, 1)->client_prefix = 128;
	client_and_flow(list);
	assert_int_equal(datapath_restore(opened, list, 2, false, &sum, &err), 0);
	fill(pins);
	opened_close();
	opened_make(2 * pins);
	ending = &list[1].flow;
	take_over();
	assert_null(ending);
	assert_int_equal(datapath_pin_find(opened, &list[0].flow, &client), 0);
	assert_int_equal(client.state, RAINBOW_PIN_LIVE);
	assert_int_equal(client.flows & RAINBOW_FLOWS_COUNT, 0);
}

/*
 * What ends a turn under way, or was said while nobody was here, is not heard: it may have been a ServerHello (signal.h). Of a session
 * where nothing is under way all is known.
 */
static void test_turn_under_way(void **state)
{
	static const struct {
		enum rainbow_phase phase;
		uint32_t skips;
		bool counted; /* after a reboot */
		uint32_t then;
	} rows[] = {
	    {RAINBOW_PHASE_QUIET, 0, false, 0},
	    {RAINBOW_PHASE_SPOKE, 0, false, RAINBOW_FLOWS_UNHEARD},
	    {RAINBOW_PHASE_WAITS, 0, false, RAINBOW_FLOWS_UNHEARD},
	    {RAINBOW_PHASE_ANSWERED, 0, false, RAINBOW_FLOWS_PHASE},
	    {RAINBOW_PHASE_ANSWERED, 1, false, RAINBOW_FLOWS_PHASE | 1 << RAINBOW_FLOWS_SKIPS_SHIFT},
	    {RAINBOW_PHASE_QUIET, 0, true, RAINBOW_FLOWS_UNHEARD},
	};
	struct rainbow_restore sum;
	struct rainbow_due due;
	struct rainbow_pin pin;
	struct error err;
	uint32_t i;

	(void)state;
	opened_make(1000);
	datapath_version(opened, VERSION)->service = 1;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		due = pin_number(i);
		due.pin.flows = rows[i].phase << RAINBOW_FLOWS_PHASE_SHIFT | rows[i].skips << RAINBOW_FLOWS_SKIPS_SHIFT;
		assert_int_equal(datapath_restore(opened, &due, 1, rows[i].counted, &sum, &err), 0);
		assert_int_equal(datapath_pin_find(opened, &due.flow, &pin), 0);
		assert_int_equal(pin.flows, rows[i].then);
	}
}

/* After a reboot: sessions open; a client session and its flows; twice the same; without a backend. */
static void test_counted(void **state)
{
	struct rainbow_due list[5] = {pin_number(0), pin_number(1), pin_number(2), pin_number(3), pin_number(0)};
	struct rainbow_restore sum;
	struct rainbow_flow client;
	struct rainbow_pin pin;
	struct error err;

	(void)state;
	opened_make(1000);
	datapath_service(opened, 1)->client_prefix = 64;
	datapath_version(opened, VERSION)->service = 1;
	list[1].pin.kind = list[2].pin.kind = RAINBOW_PIN_FLOW;
	list[2].flow.client = list[1].flow.client;
	memset(list[1].flow.client.octet + 8, 7, 8);
	list[3].pin.backend = 65535;
	assert_int_equal(datapath_restore(opened, list, 5, true, &sum, &err), 0);
	assert_int_equal(sum.restored, 3);
	assert_int_equal(sum.there, 1);
	assert_int_equal(sum.dropped, 1);
	/* One session, and two of clients whose own pins the snapshot did not have (their addresses differ beyond the prefix). */
	client = list[2].flow;
	client.port = 0;
	memset(client.client.octet + 8, 0, 8);
	assert_int_equal(datapath_pin_find(opened, &client, &pin), 0);
	assert_int_equal(pin.kind, RAINBOW_PIN_CLIENT);
	assert_int_equal(pin.flows & RAINBOW_FLOWS_COUNT, 2);
	assert_int_equal(datapath_version(opened, VERSION)->live, 2);
	assert_int_equal(datapath_version(opened, VERSION)->opened, 2);
	assert_int_equal(datapath_backend(opened, BACKEND)->live, 2);
	assert_int_equal(datapath_meta(opened)->pins, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_larger_and_smaller, opened_remove),
	    cmocka_unit_test_teardown(test_too_small, opened_remove),
	    cmocka_unit_test_teardown(test_too_small_once_held, opened_remove),
	    cmocka_unit_test_teardown(test_too_small_and_killed, opened_remove),
	    cmocka_unit_test_teardown(test_killed, opened_remove),
	    cmocka_unit_test_teardown(test_killed_in_the_swap, opened_remove),
	    cmocka_unit_test_teardown(test_later_state_stays, opened_remove),
	    cmocka_unit_test_teardown(test_flow_ends_meanwhile, opened_remove),
	    cmocka_unit_test_teardown(test_counted, opened_remove),
	    cmocka_unit_test_teardown(test_turn_under_way, opened_remove),
	};
	const struct CMUnitTest measure[] = {cmocka_unit_test_teardown(test_larger_and_smaller, opened_remove)};

	ground_make("test_takeover");
	if (getenv("RAINBOW_PINS")) {
		pins = (uint32_t)strtoul(getenv("RAINBOW_PINS"), NULL, 10);
		return cmocka_run_group_tests(measure, NULL, NULL);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
