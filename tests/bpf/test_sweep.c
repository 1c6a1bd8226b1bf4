/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What time does to sessions: the sweep, the order to close, and that the census agrees with the counters whatever happened. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "tests/bpf/counts.h"

static struct world world;

#define LIVE    "syn synack ack"
#define CLOSING LIVE " fin sfin-after"

static void set(struct scene *scene, const char *words)
{
	scene_set(scene, &world, PATH_XDP, true, IPPROTO_TCP);
	scene_play(scene, words);
}

static struct rainbow_pin pin_of(const struct scene *scene)
{
	struct rainbow_flow flow = scene_flow(scene);
	struct rainbow_pin pin = {};

	world_pin(&world, &flow, &pin);
	return pin;
}

/* Last seen that long ago, and a tick more. */
static void age(const struct rainbow_flow *flow, uint32_t seconds)
{
	struct rainbow_pin pin;

	assert_true(world_pin(&world, flow, &pin));
	pin.last_seen = world_jiffies(&world) - seconds * world.meta->hz - 1;
	world_put_pin(&world, flow, &pin);
}

static void age_scene(const struct scene *scene, uint32_t seconds)
{
	struct rainbow_flow flow = scene_flow(scene);

	age(&flow, seconds);
}

/* --- leaving the table -------------------------------------------------------------------------------------------------- */

static void test_ended_lingers(void **state)
{
	struct rainbow_sweep sweep;
	struct scene scene;

	(void)state;
	set(&scene, CLOSING);
	age_scene(&scene, 9);
	sweep = world_sweep(&world, 0);
	assert_int_equal(sweep.entries, 1);
	assert_int_equal(pin_of(&scene).state, RAINBOW_PIN_CLOSING);
	assert_int_equal(world.census[1].closing, 1);
	age_scene(&scene, 10);
	sweep = world_sweep(&world, 0);
	assert_int_equal(pin_of(&scene).state, RAINBOW_PIN_DEAD);
	assert_int_equal(sweep.freed, 0);
	assert_int_equal(world.version[1].closing, 0);
	assert_int_equal(world.meta->pins, 1);
}

/* A program may hold it still: it is given back a second later, not at once. */
static void test_freed_in_a_second_pass(void **state)
{
	struct rainbow_sweep sweep;
	struct scene scene;

	(void)state;
	set(&scene, CLOSING " minutes sweep");
	assert_int_equal(pin_of(&scene).state, RAINBOW_PIN_DEAD);
	sweep = world_sweep(&world, 0);
	assert_int_equal(sweep.freed, 0);
	age_scene(&scene, 2);
	sweep = world_sweep(&world, 0);
	assert_int_equal(sweep.freed, 1);
	assert_int_equal(pin_of(&scene).state, RAINBOW_PIN_FREE);
	assert_int_equal(world.meta->pins, 0);
	counts_check(&world);
}

static void test_dead_is_made_anew(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene, CLOSING " minutes sweep syn-other synack-other ack-other");
	assert_int_equal(pin_of(&scene).state, RAINBOW_PIN_LIVE);
	assert_int_equal(world.version[1].live, 1);
	assert_int_equal(world.version[1].closing, 0);
	assert_int_equal(world.meta->pins, 1);
	counts_check(&world);
}

static void test_tombstone_stands(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene, LIVE " kill");
	age_scene(&scene, 59);
	world_sweep(&world, 0);
	assert_int_equal(pin_of(&scene).state, RAINBOW_PIN_KILLED);
	age_scene(&scene, 60);
	world_sweep(&world, 0);
	assert_int_equal(pin_of(&scene).state, RAINBOW_PIN_DEAD);
	counts_check(&world);
}

/* --- idle --------------------------------------------------------------------------------------------------------------- */

static void test_idle_ends(void **state)
{
	struct rainbow_sweep sweep;
	struct scene scene;

	(void)state;
	set(&scene, LIVE);
	age_scene(&scene, 3599);
	assert_int_equal(world_sweep(&world, 0).idled, 0);
	age_scene(&scene, 3600);
	sweep = world_sweep(&world, 0);
	assert_int_equal(sweep.idled, 1);
	assert_int_equal(pin_of(&scene).state, RAINBOW_PIN_KILLED);
	assert_int_equal(world.version[1].ended_idle, 1);
	assert_int_equal(world.version[1].live, 0);
	assert_int_equal(world_sweep(&world, 0).idled, 0);
	counts_check(&world);
}

static void test_idle_half_closed(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene, LIVE " fin hours sweep");
	assert_int_equal(world.version[1].ended_idle, 1);
}

static void test_idle_never(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene, LIVE);
	world.service[1].idle_seconds = 0;
	scene_play(&scene, "hours hours sweep");
	assert_int_equal(world.version[1].live, 1);
}

static void test_a_packet_renews(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene, LIVE " hours sdata sweep");
	assert_int_equal(world.version[1].live, 1);
	scene_play(&scene, "hours data sweep");
	assert_int_equal(world.version[1].live, 1);
}

/* A client session without flows ends by its timeout; not before its last flow has. */
static void test_client_idle(void **state)
{
	struct rainbow_flow key;
	struct scene scene;

	(void)state;
	set(&scene, "");
	world.service[1].affinity = RAINBOW_AFFINITY_CLIENT;
	scene_play(&scene, LIVE);
	key = scene_flow(&scene);
	key.port = 0;
	age(&key, 7200);
	assert_int_equal(world_sweep(&world, 0).idled, 0);
	scene_play(&scene, "fin sfin-after");
	assert_int_equal(world_sweep(&world, 0).idled, 0);
	age(&key, 3600);
	assert_int_equal(world_sweep(&world, 0).idled, 1);
	assert_int_equal(world.version[1].live, 0);
	assert_int_equal(world.version[1].ended_idle, 1);
	counts_check(&world);
}

static void test_client_without_flows_drains(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene, "");
	world.service[1].affinity = RAINBOW_AFFINITY_CLIENT;
	scene_play(&scene, CLOSING " drain sweep");
	assert_int_equal(world.version[1].live, 0);
	counts_check(&world);
}

/* --- due ---------------------------------------------------------------------------------------------------------------- */

static void test_due_is_listed(void **state)
{
	struct rainbow_flow flow;
	struct scene scene;
	int i;

	(void)state;
	set(&scene, LIVE " kill");
	flow = scene_flow(&scene);
	assert_int_equal(world_sweep(&world, 0).due, 0);
	for (i = 1; i <= 8; i++) {
		assert_int_equal(world_sweep(&world, 16).due, 1);
		assert_memory_equal(&world.due[0].flow, &flow, sizeof(flow));
		assert_int_equal(world.due[0].pin.state, RAINBOW_PIN_KILLED);
		assert_int_equal(world.due[0].pin.asked, i);
	}
	/* Asked often enough: nobody is there. */
	assert_int_equal(world_sweep(&world, 16).due, 0);
}

static void test_due_until_both_are_told(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene, LIVE " kill rst");
	assert_int_equal(world_sweep(&world, 16).due, 1);
	assert_int_equal(world.due[0].pin.told, RAINBOW_TOLD_CLIENT);
	assert_int_equal(world.due[0].pin.asked, 1);
	scene_play(&scene, "srst");
	assert_int_equal(world_sweep(&world, 16).due, 0);
}

static void test_due_is_limited(void **state)
{
	struct scene scene;
	uint16_t i;

	(void)state;
	set(&scene, "");
	for (i = 0; i < 30; i++) {
		scene_port(&scene, (uint16_t)(1000 + i));
		scene_play(&scene, LIVE " kill");
	}
	assert_int_equal(world_sweep(&world, 20).due, 20);
	assert_int_equal(world.version[1].ended_forced, 30);
}

static void test_due_is_not_for_udp(void **state)
{
	struct scene scene;

	(void)state;
	scene_set(&scene, &world, PATH_XDP, false, IPPROTO_UDP);
	scene_play(&scene, "ask answer ask kill");
	assert_int_equal(world_sweep(&world, 16).due, 0);
	assert_int_equal(pin_of(&scene).state, RAINBOW_PIN_KILLED);
}

/* --- the census --------------------------------------------------------------------------------------------------------- */

static void test_census(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene, LIVE);
	scene_port(&scene, 1001);
	scene_play(&scene, LIVE " fin");
	scene_port(&scene, 1002);
	scene_play(&scene, CLOSING);
	scene_port(&scene, 1003);
	scene_play(&scene, "syn");
	scene_port(&scene, 1004);
	scene_play(&scene, "syn synack");
	scene_port(&scene, 1005);
	scene_play(&scene, "syn minutes");
	world_sweep(&world, 0);
	assert_int_equal(world.census[1].live, 2);
	assert_int_equal(world.census[1].closing, 1);
	assert_int_equal(world.census[1].pending, 2);
	assert_true(world.census[1].oldest > 0);
	assert_int_equal(world.census[2].live, 0);
	counts_check(&world);
}

/* A live session that began so many seconds ago. */
static void live_since(struct scene *scene, uint16_t port, int32_t seconds)
{
	struct rainbow_flow flow;
	struct rainbow_pin pin;

	scene_port(scene, port);
	scene_play(scene, LIVE);
	flow = scene_flow(scene);
	assert_true(world_pin(&world, &flow, &pin));
	pin.opened = world_seconds() - (uint32_t)seconds;
	world_put_pin(&world, &flow, &pin);
}

/* The second may turn between here and the sweep: so the ages lie at the beginning of wide bins, but for the first. */
static void test_ages(void **state)
{
	static const int32_t ages[] = {64, 65, 3600, 86400, INT32_MAX};
	struct scene scene;
	uint32_t bin, sum = 0;

	(void)state;
	set(&scene, CLOSING);
	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++)
		live_since(&scene, (uint16_t)(1001 + i), ages[i] - (ages[i] == INT32_MAX));
	live_since(&scene, 1011, -100); /* of a second to come */
	world_sweep(&world, 0);
	assert_int_equal(world.census[1].age[0], 1);
	assert_int_equal(world.census[1].age[rainbow_signal_bin(64)], 2);
	assert_int_equal(world.census[1].age[rainbow_signal_bin(3600)], 1);
	assert_int_equal(world.census[1].age[rainbow_signal_bin(86400)], 1);
	assert_int_equal(world.census[1].age[rainbow_signal_bin(INT32_MAX - 1)], 1);
	for (bin = 0; bin < RAINBOW_SIGNAL_BINS; bin++)
		sum += world.census[1].age[bin];
	assert_int_equal(sum, world.census[1].live);
	counts_check(&world);
}

/* --- the order to close ------------------------------------------------------------------------------------------------- */

static void test_close(void **state)
{
	struct rainbow_flow flow;
	struct scene scene;

	(void)state;
	set(&scene, LIVE);
	flow = scene_flow(&scene);
	assert_false(world_kill(&world, &flow, 2, RAINBOW_END_FORCED)); /* of another version */
	assert_int_equal(world.version[1].live, 1);
	assert_true(world_kill(&world, &flow, 1, RAINBOW_END_FORCED));
	assert_false(world_kill(&world, &flow, 1, RAINBOW_END_FORCED));
	assert_int_equal(world.version[1].ended_forced, 1);
	flow.port = 1;
	assert_false(world_kill(&world, &flow, 0, RAINBOW_END_FORCED)); /* nobody */
	counts_check(&world);
}

static void test_close_for_idleness(void **state)
{
	struct rainbow_flow flow;
	struct scene scene;

	(void)state;
	set(&scene, LIVE " sfin");
	flow = scene_flow(&scene);
	assert_true(world_kill(&world, &flow, 0, RAINBOW_END_IDLE));
	assert_int_equal(world.version[1].ended_idle, 1);
	counts_check(&world);
}

static void test_close_after_the_end(void **state)
{
	struct rainbow_flow flow;
	struct scene scene;

	(void)state;
	set(&scene, CLOSING);
	flow = scene_flow(&scene);
	assert_false(world_kill(&world, &flow, 1, RAINBOW_END_FORCED));
	assert_int_equal(world.version[1].ended_fin, 1);
	assert_int_equal(world.version[1].ended_forced, 0);
}

static void test_clock(void **state)
{
	uint32_t before = world_jiffies(&world), ticks;

	(void)state;
	usleep(200000);
	ticks = world_jiffies(&world) - before;
	assert_true(ticks >= world.meta->hz / 6);
}

/* --- histories ---------------------------------------------------------------------------------------------------------- */

static void age_one(const struct rainbow_flow *flow, const struct rainbow_pin *pin, void *arg)
{
	(void)pin;
	age(flow, *(const uint32_t *)arg);
}

/* Any words in any order on a few flows of a few clients, days going by: after each stretch all ways of counting agree. */
static void check_history(enum path path, bool is_v4, enum rainbow_affinity affinity, uint32_t seed)
{
	uint32_t day = 90000;
	struct scene scene;
	uint64_t opened;
	int i;

	scene_set(&scene, &world, path, is_v4, IPPROTO_TCP);
	world.service[1].affinity = affinity;
	world.service[1].selection = RAINBOW_SELECTION_EXACT;
	world_turn_slots(&world, 1, 0, 333, 2);
	for (i = 0; i < 3000; i++) {
		scene.client = is_v4 ? at("10.9.0.0", 0) : at("2001:db8:9::", 0);
		scene.client.addr.octet[is_v4 ? 15 : 6] = (uint8_t)counts_any(&seed, 3);
		scene_port(&scene, (uint16_t)(2000 + counts_any(&seed, 4)));
		scene_play(&scene, counts_any_word(&seed));
		if (!counts_any(&seed, 40))
			scene_play(&scene, "seconds");
		if (!counts_any(&seed, 60)) {
			scene_port(&scene, 0);
			scene_play(&scene, "kill"); /* the client's session, where there is one */
		}
		if (!counts_any(&seed, 100))
			world_pins_each(&world, age_one, &day);
		if (!counts_any(&seed, 50))
			counts_check(&world);
	}
	counts_check(&world);
	opened = world.version[1].opened + world.version[2].opened;
	if (opened < 25)
		fail_msg("only %lu sessions", (unsigned long)opened);
}

static void test_histories(void **state)
{
	uint32_t seed;

	(void)state;
	for (seed = 1; seed <= 4; seed++) {
		check_history(PATH_XDP, seed & 1, RAINBOW_AFFINITY_CONNECTION, seed);
		check_history(PATH_TC_EGRESS, seed & 1, RAINBOW_AFFINITY_CONNECTION, seed + 100);
		check_history(PATH_TC, seed & 1, RAINBOW_AFFINITY_CLIENT, seed + 200);
	}
}

int main(void)
{
	const struct world_config config = {.pins = 512, .nursery = 512};
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ended_lingers),
	    cmocka_unit_test(test_freed_in_a_second_pass),
	    cmocka_unit_test(test_dead_is_made_anew),
	    cmocka_unit_test(test_tombstone_stands),
	    cmocka_unit_test(test_idle_ends),
	    cmocka_unit_test(test_idle_half_closed),
	    cmocka_unit_test(test_idle_never),
	    cmocka_unit_test(test_a_packet_renews),
	    cmocka_unit_test(test_client_idle),
	    cmocka_unit_test(test_client_without_flows_drains),
	    cmocka_unit_test(test_due_is_listed),
	    cmocka_unit_test(test_due_until_both_are_told),
	    cmocka_unit_test(test_due_is_limited),
	    cmocka_unit_test(test_due_is_not_for_udp),
	    cmocka_unit_test(test_census),
	    cmocka_unit_test(test_ages),
	    cmocka_unit_test(test_close),
	    cmocka_unit_test(test_close_for_idleness),
	    cmocka_unit_test(test_close_after_the_end),
	    cmocka_unit_test(test_clock),
	    cmocka_unit_test(test_histories),
	};
	int failed;

	if (world_is_impossible())
		return 77; /* skipped */
	if (world_open(&world, &config))
		return 1;
	failed = cmocka_run_group_tests_name("sweep", tests, NULL, NULL);
	world_close(&world);
	return failed ? 1 : 0;
}
