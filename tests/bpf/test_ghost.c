/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ghosts, in the kernel programs: when a silent session is listed, what counts as asked, and what ends it. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "tests/bpf/counts.h"

#define LIVE   "syn synack ack"
#define IDLE   150 /* probe_idle_seconds: an interval is 10 s */
#define TRIES  15
#define SECOND world.meta->hz
#define SOON   (SECOND * 10) /* between two sweeps, where every interval is met */

static struct world world;

static struct rainbow_pin pin_of(const struct scene *scene)
{
	struct rainbow_flow flow = scene_flow(scene);
	struct rainbow_pin pin = {};

	world_pin(&world, &flow, &pin);
	return pin;
}

static uint32_t asked_of(const struct scene *scene)
{
	return pin_of(scene).asked;
}

/* Silent for so many seconds. */
static void silent(const struct scene *scene, uint32_t seconds)
{
	struct rainbow_flow flow = scene_flow(scene);
	struct rainbow_pin pin = pin_of(scene);

	pin.last_seen = world_jiffies(&world) - seconds * SECOND;
	world_put_pin(&world, &flow, &pin);
}

static void set(struct scene *scene, const char *words)
{
	scene_set(scene, &world, PATH_XDP, true, IPPROTO_TCP);
	world.service[1].probe_idle_seconds = IDLE;
	world.service[1].idle_seconds = 86400;
	scene_play(scene, words);
}

/* As time goes by: a sweep in each interval, and rainbowd asks what it lists. Silent since `from` intervals behind its patience. */
static void ask_through(const struct scene *scene, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++) {
		uint32_t last_seen;

		silent(scene, IDLE + 10 + 10 * i); /* its phase is somewhere within one interval */
		last_seen = pin_of(scene).last_seen;
		assert_int_equal(world_sweep_ghosts(&world, 16, SOON).ghosts, 1);
		assert_int_equal(world.due[0].pin.last_seen, last_seen);
		assert_true(world_asked(&world, 0));
		assert_int_equal(asked_of(scene), i + 1);
	}
}

static void test_not_before_its_time(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene, LIVE);
	silent(&scene, IDLE - 1);
	assert_int_equal(world_sweep_ghosts(&world, 16, SOON).ghosts, 0);
	world.service[1].probe_idle_seconds = 0;
	silent(&scene, 2 * IDLE);
	assert_int_equal(world_sweep_ghosts(&world, 16, SOON).ghosts, 0);
}

static void test_once_in_an_interval(void **state)
{
	uint32_t listed = 0, seconds;
	struct scene scene;

	(void)state;
	set(&scene, LIVE);
	/* A sweep each second for five intervals. */
	for (seconds = IDLE; seconds < IDLE + 50; seconds++) {
		silent(&scene, seconds);
		listed += world_sweep_ghosts(&world, 16, SECOND).ghosts;
	}
	assert_int_equal(listed, 5);
	assert_int_equal(asked_of(&scene), 0); /* listed is not asked */
}

static void test_fifteen_asks_and_an_interval_end_it(void **state)
{
	struct rainbow_sweep sweep;
	struct scene scene;

	(void)state;
	set(&scene, LIVE);
	ask_through(&scene, 0, TRIES);
	sweep = world_sweep_ghosts(&world, 16, 1); /* the same interval still */
	assert_int_equal(sweep.vanished, 0);
	silent(&scene, IDLE + 10 + 10 * TRIES);
	sweep = world_sweep_ghosts(&world, 16, SOON);
	assert_int_equal(sweep.vanished, 1);
	assert_int_equal(pin_of(&scene).state, RAINBOW_PIN_KILLED);
	assert_int_equal(pin_of(&scene).told + pin_of(&scene).asked, 0); /* the backend is to be asked from now on */
	assert_int_equal(world.version[1].ended_vanished, 1);
	assert_int_equal(world.version[1].live, 0);
	assert_int_equal(world_sweep(&world, 16).due, 1);
	counts_check(&world);
}

static void test_an_answer_renews(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene, LIVE);
	ask_through(&scene, 0, TRIES);
	scene_play(&scene, "ack");
	assert_int_equal(world_sweep_ghosts(&world, 16, SOON).ghosts, 0);
	assert_int_equal(asked_of(&scene), 0);
	ask_through(&scene, 0, TRIES); /* all of them again */
	assert_int_equal(world.version[1].live, 1);
}

/* However long it is silent: nobody asked. */
static void test_without_asks_nobody_ends(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene, LIVE);
	for (uint32_t i = 0; i < 40; i++) {
		silent(&scene, IDLE + 10 + 10 * i);
		assert_int_equal(world_sweep_ghosts(&world, i & 1 ? 16 : 0, SOON).vanished, 0);
	}
	assert_int_equal(world.version[1].live, 1);
}

/* It may have spoken, unseen, since it was asked: rainbowd was stopped, or is another one. */
static void test_asks_before_a_pause_are_void(void **state)
{
	const uint32_t pauses[] = {(IDLE + 1) * world.meta->hz, UINT32_MAX /* there was none before */};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct scene scene;

		set(&scene, LIVE);
		ask_through(&scene, 0, TRIES);
		silent(&scene, 10 * IDLE);
		assert_int_equal(world_sweep_ghosts(&world, 16, pauses[i]).vanished, 0);
		assert_int_equal(asked_of(&scene), 0);
		silent(&scene, 10 * IDLE + 10);
		assert_int_equal(world_sweep_ghosts(&world, 16, SOON).vanished, 0);
	}
}

/* The answer came between the list and the report. */
static void test_an_ask_of_another_silence_does_not_count(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene, LIVE);
	silent(&scene, IDLE + 10);
	assert_int_equal(world_sweep_ghosts(&world, 16, SOON).ghosts, 1);
	scene_play(&scene, "ack");
	assert_false(world_asked(&world, 0));
	assert_int_equal(asked_of(&scene), 0);
	scene_play(&scene, "kill");
	assert_false(world_asked(&world, 0));
	assert_int_equal(pin_of(&scene).told + pin_of(&scene).asked, 0);
}

static void test_told_to_die_come_first(void **state)
{
	struct rainbow_sweep sweep;
	struct scene scene;
	uint16_t i;

	(void)state;
	set(&scene, "");
	for (i = 0; i < 40; i++) {
		scene_port(&scene, (uint16_t)(40000 + i));
		scene_play(&scene, i < 20 ? LIVE : LIVE " kill");
		if (i < 20)
			silent(&scene, IDLE + 10);
	}
	sweep = world_sweep_ghosts(&world, 5, SOON);
	assert_int_equal(sweep.ghosts, 5);
	assert_int_equal(sweep.due, 25);
}

/* A thousand that fell silent at once are not listed by one sweep. */
static void test_spread(void **state)
{
	uint32_t most = 0, all = 0;
	struct scene scene;

	(void)state;
	set(&scene, "");
	for (uint16_t i = 0; i < 200; i++) {
		scene_port(&scene, (uint16_t)(40000 + i));
		scene_play(&scene, LIVE);
	}
	for (uint32_t second = 0; second <= 10; second++) {
		uint32_t ghosts;

		for (uint16_t i = 0; i < 200; i++) {
			scene_port(&scene, (uint16_t)(40000 + i));
			silent(&scene, IDLE + second);
		}
		ghosts = world_sweep_ghosts(&world, RAINBOW_DUE, SECOND).ghosts;
		all += ghosts;
		most = ghosts > most ? ghosts : most;
	}
	assert_in_range(all, 190, 210); /* the sweeps here are not exactly a second apart */
	assert_in_range(most, 10, 40);
}

static void test_half_closed_and_client_sessions(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene, LIVE " fin");
	ask_through(&scene, 0, TRIES);
	silent(&scene, IDLE + 10 + 10 * TRIES);
	assert_int_equal(world_sweep_ghosts(&world, 16, SOON).vanished, 1);
	assert_int_equal(world.version[1].ended_vanished, 1);

	/* Its flows vanish one by one; in a draining version the session ends with the last. */
	set(&scene, "");
	world.service[1].affinity = RAINBOW_AFFINITY_CLIENT;
	scene_play(&scene, LIVE);
	ask_through(&scene, 0, TRIES);
	world.version[1].state = RAINBOW_VERSION_DRAINING;
	silent(&scene, IDLE + 10 + 10 * TRIES);
	assert_int_equal(world_sweep_ghosts(&world, 16, SOON).vanished, 1);
	assert_int_equal(world.version[1].ended_vanished, 1);
	assert_int_equal(world.version[1].live, 0);
	counts_check(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_not_before_its_time),
	    cmocka_unit_test(test_once_in_an_interval),
	    cmocka_unit_test(test_fifteen_asks_and_an_interval_end_it),
	    cmocka_unit_test(test_an_answer_renews),
	    cmocka_unit_test(test_without_asks_nobody_ends),
	    cmocka_unit_test(test_asks_before_a_pause_are_void),
	    cmocka_unit_test(test_an_ask_of_another_silence_does_not_count),
	    cmocka_unit_test(test_told_to_die_come_first),
	    cmocka_unit_test(test_spread),
	    cmocka_unit_test(test_half_closed_and_client_sessions),
	};

	int failed;

	if (world_is_impossible())
		return 77; /* skipped */
	if (world_open(&world, &(struct world_config){.pins = 1024, .nursery = 1024}))
		return 1;
	failed = cmocka_run_group_tests_name("ghost", tests, NULL, NULL);
	world_close(&world);
	return failed ? 1 : 0;
}
