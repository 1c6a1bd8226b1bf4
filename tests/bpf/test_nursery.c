/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The nursery's table where it is full: who makes way for whom. Each test plays in a nursery of one bucket, of eight cots. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "tests/bpf/scene.h"

static struct world world;
static struct scene scene;

static void begin(void)
{
	scene_set(&scene, &world, PATH_TC, true, IPPROTO_TCP);
	world.nursery.count = world.meta->nursery_buckets = 1;
}

static struct rainbow_flow flow_of(uint16_t port)
{
	scene_port(&scene, port);
	return scene_flow(&scene);
}

static bool has(uint16_t port)
{
	struct rainbow_flow flow = flow_of(port);
	struct rainbow_nursling nursling;

	return world_nursling(&world, &flow, &nursling);
}

static void play(uint16_t port, const char *words)
{
	scene_port(&scene, port);
	scene_play(&scene, words);
}

static uint64_t tag_of(uint16_t port)
{
	struct rainbow_flow flow = flow_of(port);

	return rainbow_table_tag(rainbow_table_hash(world.meta->table_secret, &flow));
}

static unsigned int cots_in_use(void)
{
	return RAINBOW_COTS - (unsigned int)__builtin_popcountll(rainbow_ways_of(world.nursery.buckets[0].tags, 0));
}

static void test_oldest_makes_way(void **state)
{
	uint16_t i;

	(void)state;
	begin();
	for (i = 0; i < RAINBOW_COTS; i++)
		play((uint16_t)(2000 + i), "syn");
	play(2000, "synack"); /* so this one is younger than the next two */
	play(3000, "syn");
	play(3001, "syn");
	for (i = 0; i < RAINBOW_COTS; i++)
		assert_int_equal(has((uint16_t)(2000 + i)), i != 1 && i != 2);
	assert_true(has(3000) && has(3001));
	play(3000, "syn"); /* a copy changes nothing */
	play(3002, "syn");
	assert_false(has(2003));
}

/* A cot that was left is taken first, whatever the others' age. */
static void test_empty_before_oldest(void **state)
{
	uint16_t i;

	(void)state;
	begin();
	for (i = 0; i < RAINBOW_COTS; i++)
		play((uint16_t)(2000 + i), "syn");
	play(2002, "synack ack");
	assert_int_equal(world.version[1].live, 1);
	assert_false(has(2002));
	assert_int_equal(cots_in_use(), RAINBOW_COTS - 1);
	play(3000, "syn");
	for (i = 0; i < RAINBOW_COTS; i++)
		assert_int_equal(has((uint16_t)(2000 + i)), i != 2);
	assert_true(has(3000));
}

/* A search looks at RAINBOW_SAME_TAGS cots with a flow's tag, so there are never more: else a flow might be entered twice. */
static void test_same_tags(void **state)
{
	uint16_t port, with_tag = 0, last = 0;
	uint64_t tag;

	(void)state;
	begin();
	tag = tag_of(2000);
	for (port = 2000; with_tag < RAINBOW_SAME_TAGS + 3; port++) {
		if (tag_of(port) != tag)
			continue;
		play(port, "syn");
		last = port;
		with_tag++;
		assert_true(has(port));
		assert_int_equal(cots_in_use(), with_tag < RAINBOW_SAME_TAGS ? with_tag : RAINBOW_SAME_TAGS);
	}
	assert_true(has(2000) && has(last));
}

/* Handshakes amid a flood, each done before as many strangers as the nursery has room for have come. */
static void test_flood(void **state)
{
	uint16_t i, port;

	(void)state;
	scene_set(&scene, &world, PATH_TC, true, IPPROTO_TCP);
	for (i = 0; i < 20; i++) {
		play((uint16_t)(2000 + i), "syn synack");
		for (port = 0; port < 100; port++)
			play((uint16_t)(10000 + 100 * i + port), "syn");
		play((uint16_t)(2000 + i), "ack");
	}
	assert_int_equal(world.version[1].live, 20);
}

/* Later than nursery_seconds a first packet is another attempt, in the same cot. */
static void test_too_old_begins_anew(void **state)
{
	struct rainbow_nursling nursling;
	struct rainbow_flow flow;

	(void)state;
	begin();
	play(2000, "syn");
	flow = flow_of(2000);
	assert_true(world_nursling(&world, &flow, &nursling));
	nursling.began -= 61 * world.meta->hz;
	world_put_nursling(&world, &flow, &nursling);
	play(2000, "syn");
	assert_true(world_nursling(&world, &flow, &nursling));
	assert_int_equal(cots_in_use(), 1);
	assert_in_range(world_jiffies(&world) - nursling.began, 0, 10 * world.meta->hz);
}

int main(void)
{
	const struct world_config config = {.pins = 512, .nursery = 256};
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_oldest_makes_way),    cmocka_unit_test(test_empty_before_oldest),
	    cmocka_unit_test(test_same_tags),           cmocka_unit_test(test_flood),
	    cmocka_unit_test(test_too_old_begins_anew),
	};
	int failed;

	if (world_is_impossible())
		return 77; /* skipped */
	if (world_open(&world, &config))
		return 1;
	failed = cmocka_run_group_tests_name("nursery", tests, NULL, NULL);
	world_close(&world);
	return failed ? 1 : 0;
}
