// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What rainbowd does with an open datapath, against the running kernel: addresses, steer rules, pins, the sweep, the barrier. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include <rainbow/lookup.h>
#include "rainbowd/barrier.h"
#include "rainbowd/datapath.h"
#include "ground.h"
#include "opened.h"
#include "table.h"

#define ROOM 20000

static void count_entry(const struct rainbow_lookup *entry, void *arg)
{
	int *sum = arg;

	*sum += (int)rainbow_lookup_id(entry->word);
}

static uint64_t rainbow_word_at(int fd, uint32_t slot)
{
	struct rainbow_lookup entry;

	assert_int_equal(bpf_map_lookup_elem(fd, &slot, &entry), 0);
	return entry.word;
}

static void test_lookup(void **state)
{
	struct datapath *dp = opened_make(ROOM);
	struct rainbow_addr addr = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1}};
	uint32_t slot = rainbow_lookup_start(rainbow_addr_words(&addr), 80, 6);
	struct error err = {};
	int sum = 0, fd = ground_open("rainbow_lookup");

	(void)state;
	assert_int_equal(datapath_lookup_add(dp, &addr, 80, 6, RAINBOW_LOOKUP_SERVICE, 3, &err), 0);
	assert_int_equal(rainbow_word_at(fd, slot), rainbow_lookup_word(80, 6, RAINBOW_LOOKUP_SERVICE, 3));
	assert_int_equal(datapath_lookup_add(dp, &addr, 80, 6, RAINBOW_LOOKUP_BACKEND, 4, &err), 0);
	assert_int_equal(datapath_lookup_add(dp, &addr, 80, 17, RAINBOW_LOOKUP_BACKEND, 40, &err), 0);
	datapath_lookup_each(dp, count_entry, &sum);
	assert_int_equal(sum, 44);
	datapath_lookup_remove(dp, &addr, 80, 6);
	datapath_lookup_remove(dp, &addr, 81, 6);
	assert_int_equal(rainbow_word_at(fd, slot), 0);
	assert_int_equal(datapath_lookup_add(dp, &addr, 80, 6, RAINBOW_LOOKUP_SERVICE, 5, &err), 0);
	close(fd);
	opened_close();
}

static uint32_t steered(int fd, uint32_t service, const char *client)
{
	struct rainbow_steer_key key = {.prefixlen = 160, .service = {0, 0, 0, (uint8_t)service}};
	struct rainbow_steer steer = {};

	assert_int_equal(addr_parse(client, &key.client, NULL, NULL), 0);
	return bpf_map_lookup_elem(fd, &key, &steer) ? 0 : steer.version;
}

static void test_steer(void **state)
{
	static const struct {
		const char *range;
		uint32_t service, version;
	} rules[] = {
	    {"10.0.0.0/8", 1, 1}, {"10.1.0.0/16", 1, 2}, {"10.1.2.3", 1, 3}, {"0.0.0.0/0", 2, 4}, {"2001:db8::/32", 1, 5}};
	struct datapath *dp = opened_make(ROOM);
	int fd = ground_open("rainbow_steer");
	struct error err = {};
	struct cidr range;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		assert_int_equal(cidr_parse(rules[i].range, &range, NULL, &err), 0);
		assert_int_equal(datapath_steer_set(dp, rules[i].service, &range, rules[i].version, &err), 0);
	}
	assert_int_equal(steered(fd, 1, "10.9.9.9"), 1);
	assert_int_equal(steered(fd, 1, "10.1.9.9"), 2);
	assert_int_equal(steered(fd, 1, "10.1.2.3"), 3);
	assert_int_equal(steered(fd, 1, "11.1.2.3"), 0);
	assert_int_equal(steered(fd, 2, "11.1.2.3"), 4);
	assert_int_equal(steered(fd, 2, "2001:db8::1"), 0);
	assert_int_equal(steered(fd, 1, "2001:db8::1"), 5);
	assert_int_equal(cidr_parse("10.1.0.0/16", &range, NULL, &err), 0);
	assert_int_equal(datapath_steer_remove(dp, 1, &range), 0);
	assert_int_equal(datapath_steer_remove(dp, 1, &range), -ENOENT);
	assert_int_equal(steered(fd, 1, "10.1.9.9"), 1);
	datapath_steer_clear(dp);
	assert_int_equal(steered(fd, 2, "11.1.2.3"), 0);
	assert_int_equal(steered(fd, 1, "10.1.2.3"), 0);
	close(fd);
	opened_close();
}

#define PINS 12345

static bool count_pin(const struct rainbow_flow *flow, const struct rainbow_pin *pin, void *arg)
{
	uint8_t *seen = arg;

	assert_int_equal(pin->opened, flow->port);
	assert_int_equal(seen[flow->port], 0);
	seen[flow->port] = 1;
	return true;
}

static bool count_three(const struct rainbow_flow *flow, const struct rainbow_pin *pin, void *arg)
{
	int *left = arg;

	(void)flow;
	(void)pin;
	return --*left > 0;
}

static void test_pins_and_sweep(void **state)
{
	struct datapath *dp = opened_make(ROOM);
	struct rainbow_flow flow = {.service = 1};
	struct rainbow_pin pin = {.state = RAINBOW_PIN_LIVE, .kind = RAINBOW_PIN_SESSION, .version = 2, .backend = 1};
	struct rainbow_sweep sweep = {.ask_limit = 1u << 30};
	struct rainbow_close order = {.version = 2, .reason = RAINBOW_END_FORCED};
	struct rainbow_clock clock = {};
	struct error err = {};
	static uint8_t seen[65536];
	struct pin_table table;
	int i, three = 3;

	(void)state;
	assert_int_equal(datapath_clock(dp, &clock, &err), 0);
	assert_true(clock.jiffies && clock.monotonic_ns);
	assert_int_equal(table_open_pinned(&table, GROUND_PIN_DIR), 0);
	datapath_service(dp, 1)->protocol = 6;
	datapath_version(dp, 2)->live = PINS;
	pin.last_seen = (uint32_t)clock.jiffies;
	for (i = 1; i <= PINS; i++) {
		flow.port = (uint16_t)i;
		pin.opened = (uint32_t)i;
		assert_int_equal(table_put(&table, &flow, &pin), 0);
	}
	assert_int_equal(datapath_pins_each(dp, count_pin, seen, &err), 0);
	for (i = 1; i <= PINS; i++)
		assert_int_equal(seen[i], 1);
	assert_int_equal(datapath_pins_each(dp, count_three, &three, &err), 0);
	assert_int_equal(three, 0);

	order.flow = flow;
	assert_int_equal(datapath_close_session(dp, &order, &err), 0);
	assert_int_equal(order.closed, 1);
	assert_int_equal(order.pin.opened, PINS);
	assert_int_equal(datapath_pin_find(dp, &flow, &pin), 0);
	assert_int_equal(pin.state, RAINBOW_PIN_KILLED);
	assert_int_equal(datapath_close_session(dp, &order, &err), 0);
	assert_int_equal(order.closed, 0);
	flow.port = 65535;
	assert_int_equal(datapath_pin_find(dp, &flow, &pin), -ENOENT);

	assert_int_equal(datapath_sweep(dp, &sweep, &err), 0);
	assert_int_equal(sweep.entries, PINS);
	assert_int_equal(sweep.due, 1);
	assert_int_equal(datapath_due(dp)[0].flow.port, PINS);
	assert_int_equal(datapath_census(dp, 2)->live, PINS - 1);
	assert_int_equal(datapath_census(dp, 2)->oldest, 1);
	assert_int_equal(datapath_sweep(dp, &sweep, &err), 0);
	assert_int_equal(datapath_census(dp, 2)->live, PINS - 1);
	table_let_go(&table);
	opened_close();
}

static int by_size(const void *a, const void *b)
{
	return *(const double *)a < *(const double *)b ? -1 : *(const double *)a > *(const double *)b;
}

static double median_us(int (*act)(void), int rounds)
{
	double took[512] = {0};
	int i;

	for (i = 0; i < rounds; i++) {
		struct timespec from, to;

		clock_gettime(CLOCK_MONOTONIC, &from);
		assert_int_equal(act(), 0);
		clock_gettime(CLOCK_MONOTONIC, &to);
		took[i] = (double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3;
	}
	qsort(took, (size_t)rounds, sizeof(took[0]), by_size);
	return took[rounds / 2];
}

static void test_barrier(void **state)
{
	struct datapath *dp = opened_make(ROOM);
	struct error err = {};

	(void)state;
	assert_int_equal(datapath_barrier(dp, &err), 0);
	print_message("barrier: visiting each CPU %.0f us, RCU %.0f us (medians)\n", median_us(barrier_by_visit, 200),
		      median_us(barrier_by_rcu, 50));
	opened_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_lookup, opened_remove),
	    cmocka_unit_test_teardown(test_steer, opened_remove),
	    cmocka_unit_test_teardown(test_pins_and_sweep, opened_remove),
	    cmocka_unit_test_teardown(test_barrier, opened_remove),
	};

	ground_make("test_datapath_maps");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
