/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Step 7 over many sessions: steers, client affinity, both selections, backends. By TC, in both families. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <rainbow/select.h>
#include "tests/bpf/truth.h"

static struct world world;

#define OPEN  "syn synack ack"
#define CLOSE "fin sfin-after ack-after"

/* The backend that the client's flow from this port gets for these words. */
static uint32_t play(struct scene *scene, uint16_t port, const char *words)
{
	scene_port(scene, port);
	scene_play(scene, words);
	return scene_pinned(scene);
}

static uint32_t version_of(uint32_t backend)
{
	return world.backend[backend].version;
}

static void set(struct scene *scene, bool is_v4)
{
	scene_set(scene, &world, PATH_TC, is_v4, IPPROTO_TCP);
}

static void set_affinity(struct scene *scene, bool is_v4)
{
	set(scene, is_v4);
	world.service[1].affinity = RAINBOW_AFFINITY_CLIENT;
}

/* --- steer rules -------------------------------------------------------------------------------------------------------- */

static void check_steer(bool is_v4)
{
	struct scene scene;

	set(&scene, is_v4);
	world_add_steer(&world, 1, is_v4 ? at("10.9.0.0", 0) : at("2001:db8:9::", 0), is_v4 ? 96 + 16 : 48, 2);
	world_add_steer(&world, 1, is_v4 ? at("10.9.7.0", 0) : at("2001:db8:9:7::", 0), is_v4 ? 96 + 24 : 64, 3);
	world_add_steer(&world, 2, is_v4 ? at("10.0.0.0", 0) : at("2001:db8::", 0), is_v4 ? 96 + 8 : 32, 3);
	assert_int_equal(version_of(play(&scene, 1000, OPEN)), 1);
	scene.client = is_v4 ? at("10.9.1.1", 0) : at("2001:db8:9:1::1", 0);
	assert_int_equal(version_of(play(&scene, 1001, OPEN)), 2);
	scene.client = is_v4 ? at("10.9.7.1", 0) : at("2001:db8:9:7::1", 0);
	assert_int_equal(version_of(play(&scene, 1002, OPEN)), 3);
	assert_int_equal(world.version[3].live, 1);
}

static void test_steer(void **state)
{
	(void)state;
	check_steer(true);
	check_steer(false);
}

static void test_steer_to_draining_is_ignored(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene, true);
	world_add_steer(&world, 1, at("10.0.0.77", 0), 128, 2);
	assert_int_equal(version_of(play(&scene, 1000, OPEN)), 2);
	world.version[2].state = RAINBOW_VERSION_DRAINING;
	assert_int_equal(version_of(play(&scene, 1001, OPEN)), 1);
	world.version[2].state = RAINBOW_VERSION_DRAINED;
	assert_int_equal(version_of(play(&scene, 1002, OPEN)), 1);
}

/* --- the wheel ---------------------------------------------------------------------------------------------------------- */

static void test_exact_is_counted(void **state)
{
	uint32_t i, twenty = 0, total = 0;
	struct scene scene;

	(void)state;
	set(&scene, true);
	world.service[1].selection = RAINBOW_SELECTION_EXACT;
	for (i = 7; i < RAINBOW_WHEEL_SLOTS; i += 20)
		world_turn_slots(&world, 1, i, i + 1, 2);
	for (i = 0; i < 400; i++) {
		uint32_t version = version_of(play(&scene, (uint16_t)(2000 + i), "syn"));
		uint32_t second = version == 2;

		assert_int_equal(version, world.wheel[2].slot[i]);
		twenty += second;
		total += second;
		if (i % 20 == 19) {
			assert_int_equal(twenty, 1);
			twenty = 0;
		}
	}
	assert_int_equal(total, 20);
	assert_int_equal(world.service[1].cursor, 400);
	assert_int_equal(world.version[2].chosen, 20);
}

/* A repeated SYN, and what is refused for other reasons, moves the cursor no further than a choice does. */
static void test_exact_counts_choices(void **state)
{
	struct scene scene;

	(void)state;
	set(&scene, true);
	world.service[1].selection = RAINBOW_SELECTION_EXACT;
	play(&scene, 2000, "syn syn syn synack ack data");
	assert_int_equal(world.service[1].cursor, 1);
}

static void check_hash(bool is_v4)
{
	uint32_t i, seen[3] = {};
	struct scene scene;

	set(&scene, is_v4);
	world_turn_slots(&world, 1, 300, 600, 2);
	world.service[1].wheel = 1;
	world_turn_wheel(&world, 1, 3);
	world.service[1].wheel = 0;
	for (i = 0; i < 300; i++) {
		uint32_t version = version_of(play(&scene, (uint16_t)(3000 + i), "syn"));
		struct rainbow_flow flow = scene_flow(&scene);
		uint32_t slot = rainbow_slot_of_hash(rainbow_flow_hash(world.meta->hash_secret, &flow));

		assert_int_equal(version, world.wheel[2].slot[slot]);
		seen[version - 1]++;
	}
	assert_true(seen[0] > 150 && seen[1] > 50 && seen[2] == 0);
	world.service[1].wheel = 1;
	assert_int_equal(version_of(play(&scene, 4000, "syn")), 3);
}

static void test_hash_follows_the_wheel(void **state)
{
	(void)state;
	check_hash(true);
	check_hash(false);
}

/* --- backends ----------------------------------------------------------------------------------------------------------- */

static void test_fewest_live(void **state)
{
	struct scene scene;
	uint16_t i;

	(void)state;
	set(&scene, true);
	for (i = 0; i < 10; i++)
		play(&scene, (uint16_t)(5000 + i), OPEN);
	assert_int_equal(world.backend[1].live, 5);
	assert_int_equal(world.backend[2].live, 5);
	world.backend[1].healthy = 0;
	for (i = 10; i < 14; i++)
		assert_int_equal(play(&scene, (uint16_t)(5000 + i), OPEN), 2);
	world.backend[1].healthy = 1;
	for (i = 14; i < 18; i++)
		assert_int_equal(play(&scene, (uint16_t)(5000 + i), OPEN), 1);
	assert_int_equal(world.version[1].live, 18);
	for (i = 0; i < 18; i++)
		play(&scene, (uint16_t)(5000 + i), CLOSE);
	assert_int_equal(world.backend[1].live + world.backend[2].live, 0);
	assert_int_equal(world.version[1].ended_fin, 18);
}

static void test_leaving_gets_none(void **state)
{
	struct scene scene;
	uint16_t i;

	(void)state;
	set(&scene, true);
	world.backend[2].state = RAINBOW_BACKEND_LEAVING;
	for (i = 0; i < 10; i++)
		assert_int_equal(play(&scene, (uint16_t)(5100 + i), OPEN), 1);
}

static void test_max_sessions(void **state)
{
	struct rainbow_packets packets;
	struct scene scene;
	uint16_t i;

	(void)state;
	set(&scene, true);
	world.backend[1].max_sessions = world.backend[2].max_sessions = 3;
	for (i = 0; i < 10; i++)
		play(&scene, (uint16_t)(5200 + i), OPEN);
	assert_int_equal(world.backend[1].live, 3);
	assert_int_equal(world.backend[2].live, 3);
	assert_int_equal(world.version[1].live, 6);
	assert_int_equal(world.version[1].refused, 4);
	packets = world_packets(&world, 1);
	assert_int_equal(packets.refused_backends_full, 4);
	/* One ends, one more fits. */
	scene_port(&scene, 5200);
	scene_play(&scene, CLOSE);
	assert_true(play(&scene, 5300, OPEN) != 0);
	assert_int_equal(world.version[1].live, 6);
}

/* All ask before any is proven: the limit is held where places are taken, not where they are chosen. */
static void test_max_sessions_at_once(void **state)
{
	struct scene scene;
	uint16_t i;

	(void)state;
	set(&scene, true);
	world.backend[1].max_sessions = world.backend[2].max_sessions = 3;
	for (i = 0; i < 20; i++)
		play(&scene, (uint16_t)(5400 + i), "syn synack");
	for (i = 0; i < 20; i++)
		play(&scene, (uint16_t)(5400 + i), "ack");
	assert_int_equal(world.backend[1].live, 3);
	assert_int_equal(world.backend[2].live, 3);
	assert_int_equal(world.version[1].live, 6);
	assert_int_equal(world.version[1].refused, 14);
	assert_int_equal(world_sweep(&world, 0).entries, 6);
}

/* --- client affinity ---------------------------------------------------------------------------------------------------- */

static void client_pin(const struct scene *scene, struct rainbow_pin *pin)
{
	struct rainbow_flow key = scene_flow(scene);

	key.port = 0;
	rainbow_client_mask(&key.client, world.service[1].client_prefix);
	memset(pin, 0, sizeof(*pin));
	world_pin(&world, &key, pin);
}

static void check_affinity(bool is_v4)
{
	struct rainbow_pin client;
	struct scene scene;
	uint32_t backend;
	uint16_t i;

	set_affinity(&scene, is_v4);
	backend = play(&scene, 6000, OPEN);
	scene_play(&scene, "turn");
	for (i = 1; i < 5; i++)
		assert_int_equal(play(&scene, (uint16_t)(6000 + i), OPEN), backend);
	assert_int_equal(world.version[1].live, 1);
	assert_int_equal(world.version[1].opened, 1);
	assert_int_equal(world.backend[backend].live, 1);
	assert_int_equal(world.meta->pins, 6);
	client_pin(&scene, &client);
	assert_int_equal(client.flows, 5);
	assert_int_equal(client.kind, RAINBOW_PIN_CLIENT);
	/* Another client is another session. */
	scene.client = is_v4 ? at("10.9.0.5", 0) : at("2001:db8:9:5::5", 0);
	assert_int_equal(version_of(play(&scene, 6000, OPEN)), 2);
	/* A sweep counts sessions, not flows. */
	world_sweep(&world, 0);
	assert_int_equal(world.census[1].live, 1);
	assert_int_equal(world.census[2].live, 1);
}

static void test_affinity(void **state)
{
	(void)state;
	check_affinity(true);
	check_affinity(false);
}

/* Browsers open several connections at once: all of them go where the first did, before any is proven. */
static void test_affinity_before_proof(void **state)
{
	struct scene scene;
	uint32_t backend;
	uint16_t i;

	(void)state;
	set_affinity(&scene, true);
	backend = play(&scene, 6100, "syn");
	scene_play(&scene, "turn");
	for (i = 1; i < 5; i++)
		assert_int_equal(play(&scene, (uint16_t)(6100 + i), "syn"), backend);
	for (i = 0; i < 5; i++)
		play(&scene, (uint16_t)(6100 + i), "synack ack");
	assert_int_equal(world.version[1].live, 1);
	assert_int_equal(world.version[2].live, 0);
}

static void test_affinity_outlives_flows(void **state)
{
	struct rainbow_pin client;
	struct scene scene;
	uint32_t backend;

	(void)state;
	set_affinity(&scene, true);
	backend = play(&scene, 6200, OPEN);
	scene_play(&scene, "turn " CLOSE);
	client_pin(&scene, &client);
	assert_int_equal(client.flows, 0);
	assert_int_equal(world.version[1].live, 1);
	assert_int_equal(play(&scene, 6201, OPEN), backend);
	client_pin(&scene, &client);
	assert_int_equal(client.flows, 1);
}

static void test_affinity_drains(void **state)
{
	struct scene scene;
	uint32_t backend;

	(void)state;
	set_affinity(&scene, true);
	backend = play(&scene, 6300, OPEN);
	scene_play(&scene, "turn drain");
	/* While it has a flow its next ones join it. */
	assert_int_equal(play(&scene, 6301, OPEN), backend);
	play(&scene, 6300, CLOSE);
	assert_int_equal(world.version[1].live, 1);
	play(&scene, 6301, CLOSE);
	assert_int_equal(world.version[1].live, 0);
	assert_int_equal(world.version[1].opened, 1);
	assert_int_equal(world.version[1].ended_fin, 1);
	assert_int_equal(version_of(play(&scene, 6302, OPEN)), 2);
	assert_int_equal(world.version[2].live, 1);
}

/* Without flows when the drain began: the next first packet ends the old session and begins the new one. */
static void test_affinity_drains_when_empty(void **state)
{
	struct scene scene;

	(void)state;
	set_affinity(&scene, true);
	play(&scene, 6400, OPEN);
	scene_play(&scene, CLOSE " turn drain");
	assert_int_equal(world.version[1].live, 1);
	assert_int_equal(version_of(play(&scene, 6401, OPEN)), 2);
	assert_int_equal(world.version[1].live, 0);
	assert_int_equal(world.version[2].live, 1);
}

static void test_affinity_prefix(void **state)
{
	struct scene scene;
	uint32_t backend;

	(void)state;
	set_affinity(&scene, false);
	scene.client = at("2001:db8:9:1::1", 0);
	backend = play(&scene, 6500, OPEN);
	scene_play(&scene, "turn");
	scene.client = at("2001:db8:9:1:ffff::2", 0);
	assert_int_equal(play(&scene, 6500, OPEN), backend);
	scene.client = at("2001:db8:9:2::1", 0);
	assert_int_equal(version_of(play(&scene, 6500, OPEN)), 2);
	world.service[1].client_prefix = 60;
	scene.client = at("2001:db8:9:f::1", 0);
	assert_int_equal(version_of(play(&scene, 6501, OPEN)), 2);
	assert_int_equal(world.version[1].live, 1);
}

static void test_affinity_steer(void **state)
{
	struct scene scene;

	(void)state;
	set_affinity(&scene, true);
	play(&scene, 6600, OPEN);
	world_add_steer(&world, 1, at("10.0.0.77", 0), 128, 3);
	/* Never over a session with flows; over one without. */
	assert_int_equal(version_of(play(&scene, 6601, OPEN)), 1);
	play(&scene, 6600, CLOSE);
	play(&scene, 6601, CLOSE);
	assert_int_equal(version_of(play(&scene, 6602, OPEN)), 3);
	assert_int_equal(world.version[1].live, 0);
}

static void test_affinity_killed(void **state)
{
	struct rainbow_flow key;
	struct scene scene;

	(void)state;
	set_affinity(&scene, true);
	play(&scene, 6700, OPEN);
	key = scene_flow(&scene);
	key.port = 0;
	assert_true(world_kill(&world, &key, 1, RAINBOW_END_FORCED));
	assert_false(world_kill(&world, &key, 1, RAINBOW_END_FORCED));
	assert_int_equal(world.version[1].live, 0);
	assert_int_equal(world.version[1].ended_forced, 1);
	key.port = 6700;
	assert_true(world_kill(&world, &key, 1, RAINBOW_END_FORCED));
	assert_int_equal(world.version[1].ended_forced, 1);
	scene_play(&scene, "turn");
	assert_int_equal(version_of(play(&scene, 6701, OPEN)), 2);
	/* The old flow's end does not touch the new session. */
	play(&scene, 6700, "rst fin");
	assert_int_equal(world.version[2].live, 1);
	/* The new session was made in the old one's entry. */
	assert_int_equal(world.version[1].closing, 0);
}

int main(void)
{
	const struct world_config config = {.pins = 512, .nursery = 4096};
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_steer),
	    cmocka_unit_test(test_steer_to_draining_is_ignored),
	    cmocka_unit_test(test_exact_is_counted),
	    cmocka_unit_test(test_exact_counts_choices),
	    cmocka_unit_test(test_hash_follows_the_wheel),
	    cmocka_unit_test(test_fewest_live),
	    cmocka_unit_test(test_leaving_gets_none),
	    cmocka_unit_test(test_max_sessions),
	    cmocka_unit_test(test_max_sessions_at_once),
	    cmocka_unit_test(test_affinity),
	    cmocka_unit_test(test_affinity_before_proof),
	    cmocka_unit_test(test_affinity_outlives_flows),
	    cmocka_unit_test(test_affinity_drains),
	    cmocka_unit_test(test_affinity_drains_when_empty),
	    cmocka_unit_test(test_affinity_prefix),
	    cmocka_unit_test(test_affinity_steer),
	    cmocka_unit_test(test_affinity_killed),
	};
	int failed;

	if (world_is_impossible())
		return 77; /* skipped */
	if (world_open(&world, &config))
		return 1;
	failed = cmocka_run_group_tests_name("choose", tests, NULL, NULL);
	world_close(&world);
	return failed ? 1 : 0;
}
