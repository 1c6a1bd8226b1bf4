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
	play(2003, "syn"); /* a copy changes nothing: it stays the oldest */
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

/* Another CPU was taken away amid a change of the bucket: what needs it is dropped, what does not goes on. */
static void test_busy(void **state)
{
	struct rainbow_packets packets;

	(void)state;
	begin();
	play(2001, "syn synack ack");
	play(2000, "syn");
	world.nursery.buckets[0].turn++;
	play(2002, "syn");
	play(2000, "synack");
	play(2000, "rst");
	play(2003, "data");
	packets = world_packets(&world, 1);
	assert_int_equal(packets.dropped_retry, 4);
	assert_int_equal(packets.passed_not_ours, 0);
	play(2001, "data sdata");
	assert_int_equal(world_packets(&world, 1).requests, packets.requests + 1);
	assert_int_equal(world_packets(&world, 1).replies, packets.replies + 1);
	world.nursery.buckets[0].turn++;
	assert_false(has(2002));
	play(2000, "synack ack");
	assert_int_equal(world.version[1].live, 2);
	assert_int_equal(world_packets(&world, 0).passed_not_ours, 0);
}

/* The turn is a counter that runs over. */
static void test_turn_runs_over(void **state)
{
	uint16_t i;

	(void)state;
	begin();
	world.nursery.buckets[0].turn = 0u - 2 * RAINBOW_COTS;
	for (i = 0; i < RAINBOW_COTS; i++)
		world.nursery.buckets[0].written[i] = world.nursery.buckets[0].turn;
	for (i = 0; i < 3 * RAINBOW_COTS; i++) {
		play((uint16_t)(2000 + i), "syn");
		assert_true(has((uint16_t)(2000 + i)));
		assert_true(i < RAINBOW_COTS || !has((uint16_t)(2000 + i - RAINBOW_COTS)));
	}
}

/* Neither can strangers aim at a bucket who choose addresses and ports by sums and multiples: each finds about its share. */
static void test_nobody_aims(void **state)
{
	static const uint64_t steps[] = {1, 1ull << 32, 0x9e3779b97f4a7c15ull, 0xd6e8feb86659fd93ull, 0x939c72e4af1e62cfull};
	enum { BUCKETS = 64, FLOWS = 64 * BUCKETS };
	static uint32_t flows[BUCKETS];
	size_t step, i;

	(void)state;
	begin();
	for (step = 0; step < 2 * sizeof(steps) / sizeof(*steps); step++) {
		uint32_t most = 0;

		memset(flows, 0, sizeof(flows));
		for (i = 0; i < FLOWS; i++) {
			struct rainbow_flow flow = {.port = (uint16_t)(step + 1), .service = 1};
			uint64_t word = i * steps[step / 2];
			uint32_t bucket;

			memcpy(flow.client.octet + (step & 1 ? 8 : 0), &word, 8);
			bucket = rainbow_table_bucket(rainbow_table_hash(world.meta->table_secret, &flow), BUCKETS);
			flows[bucket]++;
		}
		for (i = 0; i < BUCKETS; i++)
			most = flows[i] > most ? flows[i] : most;
		assert_in_range(most, 0, 2 * FLOWS / BUCKETS);
	}
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
	    cmocka_unit_test(test_too_old_begins_anew), cmocka_unit_test(test_busy),
	    cmocka_unit_test(test_turn_runs_over),      cmocka_unit_test(test_nobody_aims),
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
