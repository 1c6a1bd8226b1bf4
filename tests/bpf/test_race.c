/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Two CPUs play sessions on the same few flows while a third thread sweeps and closes: at the end every session was counted
 * once. In each round the same handshake is also completed by both at once.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "tests/bpf/counts.h"

#define PLAYERS 2
#define SECONDS 3 /* beyond one, so that entries are freed meanwhile */

static struct world world;
static atomic_bool over;
static atomic_ulong words_played, closes;

struct player {
	pthread_t thread;
	struct scene scene;
	uint32_t seed;
};

static void *play(void *arg)
{
	struct player *player = arg;

	while (!over) {
		scene_port(&player->scene, (uint16_t)(2000 + counts_any(&player->seed, 6)));
		scene_play(&player->scene, counts_any_word(&player->seed));
		words_played++;
	}
	return NULL;
}

static void sweep_and_close(struct scene scene)
{
	struct timespec now, end;
	uint32_t seed = 99;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += SECONDS;
	do {
		struct rainbow_flow flow;

		world_sweep(&world, 16);
		scene_port(&scene, (uint16_t)(2000 + counts_any(&seed, 6)));
		flow = scene_flow(&scene);
		flow.port = counts_any(&seed, 4) ? flow.port : 0;
		closes += world_kill(&world, &flow, 0, RAINBOW_END_FORCED);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
}

static void check_race(enum path path, enum rainbow_affinity affinity)
{
	struct player players[PLAYERS] = {};
	unsigned long opened;
	struct scene scene;
	int i;

	over = false;
	words_played = closes = 0;
	scene_set(&scene, &world, path, true, IPPROTO_TCP);
	world.service[1].affinity = affinity;
	world.service[1].selection = RAINBOW_SELECTION_EXACT;
	world_turn_slots(&world, 1, 0, 500, 2);
	world.meta->linger_seconds = world.meta->tombstone_seconds = 0;
	for (i = 0; i < PLAYERS; i++) {
		players[i].scene = scene;
		players[i].seed = 7u + (uint32_t)i;
		assert_int_equal(pthread_create(&players[i].thread, NULL, play, &players[i]), 0);
	}
	sweep_and_close(scene);
	over = true;
	for (i = 0; i < PLAYERS; i++)
		pthread_join(players[i].thread, NULL);
	counts_check(&world);
	opened = world.version[1].opened + world.version[2].opened;
	print_message("%lu words, %lu sessions, %lu closed\n", words_played, opened, closes);
	assert_true(opened > 100);
}

static void test_race_of_flows(void **state)
{
	(void)state;
	check_race(PATH_XDP, RAINBOW_AFFINITY_CONNECTION);
}

static void test_race_of_clients(void **state)
{
	(void)state;
	check_race(PATH_TC, RAINBOW_AFFINITY_CLIENT);
}

/* --- the same ACK on two CPUs ------------------------------------------------------------------------------------------- */

#define TWICE 3000

static pthread_barrier_t start;

static void *acknowledge(void *arg)
{
	struct player *player = arg;
	int i;

	for (i = 0; i < TWICE; i++) {
		scene_port(&player->scene, (uint16_t)(10000 + i));
		pthread_barrier_wait(&start);
		scene_play(&player->scene, "ack");
		pthread_barrier_wait(&start);
	}
	return NULL;
}

static void test_promoted_once(void **state)
{
	struct player players[PLAYERS] = {};
	struct scene scene;
	int i;

	(void)state;
	scene_set(&scene, &world, PATH_TC, true, IPPROTO_TCP);
	pthread_barrier_init(&start, NULL, PLAYERS + 1);
	for (i = 0; i < PLAYERS; i++) {
		players[i].scene = scene;
		assert_int_equal(pthread_create(&players[i].thread, NULL, acknowledge, &players[i]), 0);
	}
	for (i = 0; i < TWICE; i++) {
		scene_port(&scene, (uint16_t)(10000 + i));
		scene_play(&scene, "syn synack");
		pthread_barrier_wait(&start);
		pthread_barrier_wait(&start);
	}
	for (i = 0; i < PLAYERS; i++)
		pthread_join(players[i].thread, NULL);
	pthread_barrier_destroy(&start);
	assert_int_equal(world.version[1].opened, TWICE);
	assert_int_equal(world.version[1].live, TWICE);
	assert_int_equal(world_packets(&world, 1).requests, 2 * TWICE);
	counts_check(&world);
}

int main(void)
{
	const struct world_config config = {.pins = 4096, .nursery = 8192};
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_race_of_flows),
	    cmocka_unit_test(test_race_of_clients),
	    cmocka_unit_test(test_promoted_once),
	};
	int failed;

	if (world_is_impossible())
		return 77; /* skipped */
	if (world_open(&world, &config))
		return 1;
	failed = cmocka_run_group_tests_name("race", tests, NULL, NULL);
	world_close(&world);
	return failed ? 1 : 0;
}
