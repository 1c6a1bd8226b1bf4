/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Two CPUs play sessions on the same few flows while a third thread sweeps and closes: at the end every session was counted
 * once. And pairs of packets that must be one event, sent by both at the same instant.
 */
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "tests/bpf/counts.h"

#define PLAYERS  2
#define SECONDS  3 /* beyond one, so that entries are freed meanwhile */
#define SESSIONS 100
#define PATIENCE 60 /* seconds for so many sessions: an emulated machine is slow */

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

static unsigned long sessions_opened(void)
{
	return world.version[1].opened + world.version[2].opened;
}

static long seconds_since(const struct timespec *begin)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - begin->tv_sec - (now.tv_nsec < begin->tv_nsec);
}

static void sweep_and_close(struct scene scene)
{
	struct timespec begin;
	uint32_t seed = 99;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		struct rainbow_flow flow;

		world_sweep(&world, 16);
		scene_port(&scene, (uint16_t)(2000 + counts_any(&seed, 6)));
		flow = scene_flow(&scene);
		flow.port = counts_any(&seed, 4) ? flow.port : 0;
		closes += world_kill(&world, &flow, 0, RAINBOW_END_FORCED);
	} while (seconds_since(&begin) < SECONDS || (sessions_opened() <= SESSIONS && seconds_since(&begin) < PATIENCE));
}

static void check_race(enum path path, enum rainbow_affinity affinity)
{
	struct player players[PLAYERS] = {};
	struct scene scene;
	int i;

	over = false;
	words_played = closes = 0;
	scene_set(&scene, &world, path, true, IPPROTO_TCP);
	world.service[1].affinity = affinity;
	world.service[1].selection = RAINBOW_SELECTION_EXACT;
	world_turn_slots(&world, 1, 0, 500, 2);
	world.nursery.count = world.meta->nursery_buckets = 1; /* where all flows meet */
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
	print_message("%lu words, %lu sessions, %lu closed\n", words_played, sessions_opened(), closes);
	assert_true(sessions_opened() > SESSIONS);
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

/* --- two packets at the same instant ------------------------------------------------------------------------------------ */

#define PAIRS        4000
#define IPV4_TARGET  (14 + 16)
#define PAIR_SECONDS 3 /* fewer pairs where the CPUs have other work */

/* Two threads meet here, within some ten nanoseconds where both have a CPU. */
struct meeting {
	atomic_uint arrived;
};

static void meet(struct meeting *meeting)
{
	unsigned int round = atomic_fetch_add(&meeting->arrived, 1) / 2, spins = 0;

	while (atomic_load(&meeting->arrived) < 2 * (round + 1))
		if (++spins % 1000 == 0)
			sched_yield();
}

struct pair {
	struct meeting before, after;
	struct packet packet; /* of the other thread */
	bool from_client;
	struct frame out; /* what became of it */
	int action;
	bool is_last;
	struct scene scene;
};

static void *other_one(void *arg)
{
	struct pair *pair = arg;
	struct frame frame;

	while (true) {
		meet(&pair->before);
		if (pair->is_last)
			return NULL;
		packet_build(&frame, &pair->packet);
		meet(&pair->before);
		pair->action = world_run(&world, scene_hook(&pair->scene, pair->from_client),
					 scene_device(&pair->scene, pair->from_client), &frame, &pair->out);
		meet(&pair->after);
	}
}

static bool is_last_place; /* the table has room for the pair's session, and no more */

static void set_default(struct scene *scene)
{
	(void)scene;
}

/*
 * For one flow after the other: `prior`, then both words at once. The same word twice goes to one backend. Returns how many flows.
 */
static uint32_t check_pairs_in(enum path path, void (*set)(struct scene *scene), const char *prior, const char *one,
			       const char *other)
{
	struct pair pair = {};
	struct packet packet;
	struct frame frame, out;
	struct timespec now, begin;
	pthread_t thread;
	bool from_client;
	int action;
	uint32_t i;

	scene_set(&pair.scene, &world, path, true, IPPROTO_TCP);
	set(&pair.scene);
	assert_int_equal(pthread_create(&thread, NULL, other_one, &pair), 0);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (i = 0, now = begin; i < PAIRS && now.tv_sec <= begin.tv_sec + PAIR_SECONDS; i++) {
		scene_port(&pair.scene, (uint16_t)(10000 + i));
		scene_play(&pair.scene, prior);
		scene_packet(&pair.scene, other, &pair.packet, &pair.from_client);
		scene_packet(&pair.scene, one, &packet, &from_client);
		packet_build(&frame, &packet);
		if (is_last_place)
			world.meta->pin_limit = (uint32_t)world.meta->pins + 1;
		meet(&pair.before);
		meet(&pair.before);
		action = world_run(&world, scene_hook(&pair.scene, from_client), scene_device(&pair.scene, from_client), &frame,
				   &out);
		meet(&pair.after);
		if (one == other && action != TC_ACT_SHOT && pair.action != TC_ACT_SHOT)
			assert_memory_equal(out.bytes + IPV4_TARGET, pair.out.bytes + IPV4_TARGET, 4);
		clock_gettime(CLOCK_MONOTONIC, &now);
	}
	pair.is_last = true;
	meet(&pair.before);
	pthread_join(thread, NULL);
	return i;
}

static uint32_t check_pairs(enum path path, const char *prior, const char *one, const char *other)
{
	return check_pairs_in(path, set_default, prior, one, other);
}

/* Each first packet that is chosen for gets the other version than the one before; in a nursery that is full. */
static void set_in_turn(struct scene *scene)
{
	uint32_t slot;

	(void)scene;
	world.service[1].selection = RAINBOW_SELECTION_EXACT;
	for (slot = 0; slot < RAINBOW_WHEEL_SLOTS; slot += 2)
		world_turn_slots(&world, 1, slot, slot + 1, 2);
	world.nursery.count = world.meta->nursery_buckets = 4;
}

/* Two copies of a first packet: one version for both, though each CPU chooses. */
static void test_entered_once(void **state)
{
	static const char syn[] = "syn";
	uint32_t flows = check_pairs_in(PATH_TC, set_in_turn, "", syn, syn);

	(void)state;
	assert_in_range(world_packets(&world, 1).dropped_retry, 0, flows / 500); /* as below */
}

static void test_promoted_once(void **state)
{
	uint32_t flows = check_pairs(PATH_TC, "syn synack", "ack", "ack+data");
	struct rainbow_packets packets = world_packets(&world, 1);

	(void)state;
	assert_int_equal(world.version[1].opened, flows);
	assert_int_equal(world.version[1].live, flows);
	/* The later one waits for the earlier a few microseconds, unless that CPU is taken away meanwhile: then its sender repeats it. */
	assert_int_equal(packets.requests + packets.dropped_retry, 2 * flows);
	assert_in_range(packets.dropped_retry, 0, flows / 500);
	counts_check(&world);
}

/* The later one finds the table full, by the earlier one's doing: that is its own session, no reason to refuse it. */
static void test_promoted_into_the_last_place(void **state)
{
	struct rainbow_packets packets;
	uint32_t flows;

	(void)state;
	is_last_place = true;
	flows = check_pairs(PATH_TC, "syn synack", "ack", "ack+data");
	is_last_place = false;
	packets = world_packets(&world, 1);
	assert_int_equal(packets.refused_table_full, 0);
	assert_int_equal(world.version[1].opened, flows);
	assert_int_equal(packets.requests + packets.dropped_retry, 2 * flows);
	counts_check(&world);
}

static void test_ended_once(void **state)
{
	const struct rainbow_version *version = &world.version[1];
	uint32_t flows = check_pairs(PATH_TC, "syn synack ack", "rst", "srst");

	(void)state;
	assert_int_equal(version->opened, flows);
	assert_int_equal(version->live, 0);
	assert_int_equal(version->ended_reset_client + version->ended_reset_server, flows);
	counts_check(&world);
}

static void test_finished_once(void **state)
{
	const struct rainbow_version *version = &world.version[1];
	uint32_t flows = check_pairs(PATH_TC, "syn synack ack", "fin", "sfin");

	(void)state;
	assert_int_equal(version->ended_fin, flows);
	assert_int_equal(version->live, 0);
	counts_check(&world);
}

int main(void)
{
	const struct world_config config = {.pins = 4096, .nursery = 8192};
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_race_of_flows),
	    cmocka_unit_test(test_race_of_clients),
	    cmocka_unit_test(test_entered_once),
	    cmocka_unit_test(test_promoted_once),
	    cmocka_unit_test(test_promoted_into_the_last_place),
	    cmocka_unit_test(test_ended_once),
	    cmocka_unit_test(test_finished_once),
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
