// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the kernel programs measure of a version: handshakes, turns, ends, responses, traffic; ever, and by cohort. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "tests/bpf/scene.h"

#define LIVE "syn synack ack"

static struct world world;

/* --- a conversation on a live session ------------------------------------------------------------------------------------------ */

/* How far each side has got, counted from its initial sequence number. */
struct talk {
	struct scene scene;
	uint32_t client, server;
	uint8_t options; /* bytes of TCP options */
};

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void talk_begin_with(struct talk *talk, enum path path, bool is_v4, const char *script)
{
	*talk = (struct talk){.client = 1, .server = 1};
	scene_set(&talk->scene, &world, path, is_v4, IPPROTO_TCP);
	world_add_signal(&world, 1, RAINBOW_SLOT_EVER);
	world_add_signal(&world, 2, RAINBOW_SLOT_EVER);
	scene_play(&talk->scene, script);
}

static void talk_begin(struct talk *talk)
{
	talk_begin_with(talk, PATH_XDP, true, LIVE);
}

/* A segment with `payload` bytes, which begin with `size` of `bytes`, at this place of its sender's stream. */
static void segment_of(struct talk *talk, bool from_client, uint8_t flags, uint32_t seq, uint16_t payload, const void *bytes,
		       size_t size)
{
	struct scene *scene = &talk->scene;
	struct packet packet;
	struct frame in, out;
	bool is_clients;

	assert_true(scene_packet(scene, from_client ? "data" : "sdata", &packet, &is_clients));
	packet.flags = flags;
	packet.tcp_options = talk->options;
	packet.payload = payload;
	packet.seq = (from_client ? scene->client_isn : scene->server_isn) + seq;
	packet.ack = (from_client ? scene->server_isn + talk->server : scene->client_isn + talk->client);
	packet_build(&in, &packet);
	if (bytes)
		memcpy(in.bytes + in.length - payload, bytes, size < payload ? size : payload);
	world_run(&world, scene_hook(scene, from_client), scene_device(scene, from_client), &in, &out);
}

static void segment(struct talk *talk, bool from_client, uint8_t flags, uint32_t seq, uint16_t payload, const char *text)
{
	segment_of(talk, from_client, flags, seq, payload, text, text ? strlen(text) : 0);
}

static void client_says(struct talk *talk, uint16_t payload)
{
	segment(talk, true, TCP_ACK | TCP_PSH, talk->client, payload, NULL);
	talk->client += payload;
}

static void server_says_text(struct talk *talk, uint16_t payload, const char *text)
{
	segment(talk, false, TCP_ACK | TCP_PSH, talk->server, payload, text);
	talk->server += payload;
}

static void server_says(struct talk *talk, uint16_t payload)
{
	server_says_text(talk, payload, NULL);
}

static void turn(struct talk *talk)
{
	client_says(talk, 100);
	server_says(talk, 200);
}

static void client_resets(struct talk *talk)
{
	segment(talk, true, TCP_RST, talk->client, 0, NULL);
}

static void server_resets(struct talk *talk)
{
	segment(talk, false, TCP_RST, talk->server, 0, NULL);
}

/* --- what was measured --------------------------------------------------------------------------------------------------------- */

static uint64_t total(const __u64 bins[RAINBOW_SIGNAL_BINS])
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < RAINBOW_SIGNAL_BINS; i++)
		sum += bins[i];
	return sum;
}

/* One value was measured, and it is in [low, high), as far as its bin tells. */
static void one_within(const __u64 bins[RAINBOW_SIGNAL_BINS], uint32_t low, uint32_t high)
{
	uint32_t bin = 0;

	assert_int_equal(total(bins), 1);
	while (!bins[bin])
		bin++;
	if (bin < rainbow_signal_bin(low) || rainbow_signal_low(bin) >= high)
		fail_msg("%u (bin %u) is not within [%u, %u)", rainbow_signal_low(bin), bin, low, high);
}

static struct rainbow_signal ever(void)
{
	return world_signal(&world, 1, RAINBOW_SLOT_EVER);
}

static struct rainbow_signal cohort(void)
{
	return world_signal(&world, 1, rainbow_cohort_slot(world.service[1].cohort.number));
}

static void nothing_in(const struct rainbow_signal *got)
{
	static const struct rainbow_signal nothing;

	assert_memory_equal(got, &nothing, sizeof(nothing));
}

static void turns_are(uint64_t turned, uint64_t turns, uint64_t squared)
{
	struct rainbow_signal got = ever();

	assert_int_equal(got.turned, turned);
	assert_int_equal(got.turns, turns);
	assert_int_equal(got.turns_squared, squared);
	assert_int_equal(total(got.turn_us), turns);
}

/* Two seconds: the kernel's coarse clock, which sessions open by, is a tick late. */
static uint32_t a_while_ago(void)
{
	return world_seconds() - 2;
}

/* --- handshakes ---------------------------------------------------------------------------------------------------------------- */

static void check_handshake(enum path path, bool is_v4)
{
	struct rainbow_signal got;
	struct talk talk;

	talk_begin_with(&talk, path, is_v4, "syn");
	sleep_ms(5);
	scene_play(&talk.scene, "syn synack"); /* of its first SYN */
	sleep_ms(1);
	scene_play(&talk.scene, "synack ack ack");
	got = ever();
	assert_int_equal(got.asked, 1);
	assert_int_equal(got.answered, 1);
	assert_int_equal(got.refused, 0);
	assert_int_equal(got.opened, 1);
	assert_int_equal(got.ended, 0);
	one_within(got.handshake_us, 5000, 5000000);
}

static void test_handshake(void **state)
{
	int path;

	(void)state;
	for (path = 0; path < PATHS; path++) {
		check_handshake((enum path)path, true);
		check_handshake((enum path)path, false);
	}
}

static void test_refused(void **state)
{
	struct rainbow_signal got;
	struct talk talk;

	(void)state;
	talk_begin_with(&talk, PATH_XDP, true, "syn srefuse-wrong srefuse srefuse");
	got = ever();
	assert_int_equal(got.asked, 1);
	assert_int_equal(got.refused, 1);
	scene_play(&talk.scene, "syn srefuse");
	got = ever();
	assert_int_equal(got.asked, 2);
	assert_int_equal(got.refused, 2);
	assert_int_equal(got.answered + got.opened, 0);
	assert_int_equal(total(got.handshake_us), 0);
}

/* RST behind its SYN-ACK: it has answered, and is not counted as both. */
static void test_answered_is_not_refused(void **state)
{
	struct rainbow_signal got;
	struct talk talk;

	(void)state;
	talk_begin_with(&talk, PATH_XDP, true, "syn synack srefuse");
	got = ever();
	assert_int_equal(got.answered, 1);
	assert_int_equal(got.refused, 0);
}

/* --- turns ---------------------------------------------------------------------------------------------------------------------- */

static void check_turn(enum path path, bool is_v4)
{
	struct rainbow_signal got;
	struct talk talk;

	talk_begin_with(&talk, path, is_v4, LIVE);
	client_says(&talk, 100);
	sleep_ms(10);
	server_says(&talk, 200);
	server_says(&talk, 200);
	turns_are(1, 1, 1);
	got = ever();
	one_within(got.turn_us, 10000, 5000000);
	turn(&talk);
	turn(&talk);
	turns_are(1, 3, 9);
}

static void test_turn(void **state)
{
	int path;

	(void)state;
	for (path = 0; path < PATHS; path++) {
		check_turn((enum path)path, true);
		check_turn((enum path)path, false);
	}
}

/* A request in several segments, which the backend acknowledges meanwhile: the last one tells, exact to a tick (10 ms at 100 HZ). */
static void test_turn_of_segments(void **state)
{
	struct rainbow_signal got;
	struct talk talk;

	(void)state;
	talk_begin(&talk);
	client_says(&talk, 100);
	sleep_ms(1000);
	segment(&talk, false, TCP_ACK, talk.server, 0, NULL);
	client_says(&talk, 100);
	sleep_ms(30);
	server_says(&talk, 200);
	turns_are(1, 1, 1);
	got = ever();
	one_within(got.turn_us, 20000, 1000000);
}

/* The client's first payload comes with the segment that proves the handshake. */
static void test_turn_with_the_proof(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin_with(&talk, PATH_TC, true, "syn synack ack+data");
	talk.client += 33;
	sleep_ms(3);
	server_says(&talk, 10);
	turns_are(1, 1, 1);
}

static void test_what_turns_nothing(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk);
	server_says(&talk, 50); /* a banner: nobody asked */
	turns_are(0, 0, 0);
	turn(&talk);
	turns_are(1, 1, 1);
	segment(&talk, true, TCP_ACK, talk.client, 0, NULL);                     /* an ACK */
	segment(&talk, true, TCP_ACK | TCP_PSH, talk.client - 100, 100, NULL);   /* said before */
	segment(&talk, true, TCP_ACK, talk.client - 1, 1, NULL);                 /* a keep-alive with a byte of garbage */
	segment(&talk, true, TCP_ACK | TCP_PSH, talk.client + 9000000, 9, NULL); /* beyond any window */
	server_says(&talk, 10);
	turns_are(1, 1, 1);
	client_says(&talk, 10);
	segment(&talk, false, TCP_ACK, talk.server, 0, NULL);
	segment(&talk, false, TCP_ACK | TCP_PSH, talk.server - 10, 10, NULL);
	segment(&talk, false, TCP_ACK | TCP_PSH, talk.server + 9000000, 9, NULL);
	segment(&talk, false, TCP_PSH, talk.server, 9, NULL); /* acknowledges nothing: no receiver takes it */
	turns_are(1, 1, 1);
	segment(&talk, false, TCP_ACK | TCP_PSH | TCP_FIN, talk.server, 5, NULL); /* an answer, and goodbye */
	turns_are(1, 2, 4);
}

/* The byte of a probe lies where the window ends, and is not taken; that of a window that opens is. */
static void test_probe_turns_nothing(void **state)
{
	struct rainbow_flow flow;
	struct rainbow_pin pin;
	struct talk talk;

	(void)state;
	talk_begin(&talk);
	flow = scene_flow(&talk.scene);
	assert_true(world_pin(&world, &flow, &pin));
	pin.server_window = 0;
	world_put_pin(&world, &flow, &pin);
	segment(&talk, true, TCP_ACK, talk.client, 1, NULL);
	server_says(&talk, 10);
	turns_are(0, 0, 0);
	client_says(&talk, 100);
	server_says(&talk, 10);
	turns_are(1, 1, 1);
}

/* A FIN alone says nothing. */
static void test_fin_is_no_payload(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk);
	segment(&talk, true, TCP_ACK | TCP_FIN, talk.client, 0, NULL);
	talk.client++;
	server_says(&talk, 10);
	turns_are(0, 0, 0);
}

/* 255 of a session are counted; `ever` knows how long the later ones took, too. */
static void test_many_turns(void **state)
{
	struct rainbow_signal got;
	struct talk talk;
	int i;

	(void)state;
	talk_begin_with(&talk, PATH_TC, true, "");
	world_begin_cohort(&world, 1, a_while_ago());
	scene_play(&talk.scene, LIVE);
	for (i = 0; i < 300; i++)
		turn(&talk);
	got = ever();
	assert_int_equal(got.turns, 255);
	assert_int_equal(got.turns_squared, 255 * 255);
	assert_int_equal(total(got.turn_us), 300);
	got = cohort();
	assert_int_equal(got.turned, 1);
	assert_int_equal(got.turns, 255);
	assert_int_equal(got.turns_squared, 255 * 255);
	assert_int_equal(total(got.turn_us), 255);
}

/* A reply that this host's stack routes passes two hooks: the first leaves it to the second, where it turns, ends and is seen. */
static void pass_two_hooks(struct talk *talk, uint8_t flags, uint16_t payload)
{
	struct packet packet;
	struct frame in, out;
	bool from_client;

	scene_packet(&talk->scene, "sdata", &packet, &from_client);
	memcpy(packet.target_mac, world.lan.mac, sizeof(world.lan.mac));
	packet.ttl = 1; /* the stack's to refuse */
	packet.flags = flags;
	packet.payload = payload;
	packet.seq = talk->scene.server_isn + talk->server;
	packet.ack = talk->scene.client_isn + talk->client;
	packet_build(&in, &packet);
	assert_int_equal(world_run(&world, HOOK_INGRESS, &world.lan, &in, &out), TC_ACT_UNSPEC);
	turns_are(0, 0, 0);
	memcpy(packet.target_mac, world.wan.mac, sizeof(world.wan.mac));
	packet_build(&in, &packet);
	world_run(&world, HOOK_EGRESS, &world.wan, &in, &out);
	talk->server += payload;
}

static void test_two_hooks_one_turn(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin_with(&talk, PATH_TC_EGRESS, true, LIVE);
	client_says(&talk, 100);
	pass_two_hooks(&talk, TCP_ACK | TCP_PSH, 200);
	turns_are(1, 1, 1);
	assert_int_equal(world_traffic(&world, 1).reply_packets, 1);
}

static void test_two_hooks_one_reset(void **state)
{
	struct rainbow_signal got;
	struct talk talk;

	(void)state;
	talk_begin_with(&talk, PATH_TC_EGRESS, true, LIVE);
	server_says(&talk, 100);
	scene_play(&talk.scene, "minutes");
	pass_two_hooks(&talk, TCP_RST, 0);
	got = ever();
	assert_int_equal(got.reset_server_idle, 1);
	assert_int_equal(got.reset_server_turn + got.reset_server_early, 0);
}

/* In rainbow_pin there is no place for the time of a turn: it is not measured, but what a reset breaks is told. */
static void test_overflow(void **state)
{
	struct rainbow_signal got;
	struct talk talk;
	uint32_t i;

	(void)state;
	talk_begin_with(&talk, PATH_XDP, true, "");
	for (i = 0; i < world.pins.count; i++)
		world.pins.buckets[i].control |= RAINBOW_OVERFLOW_ONE; /* new pins go there */
	scene_play(&talk.scene, LIVE);
	client_says(&talk, 10);
	server_says(&talk, 10);
	turns_are(0, 0, 0);
	server_resets(&talk);
	got = ever();
	assert_int_equal(got.reset_server_turn, 1);
	assert_int_equal(got.ended, 1);
	assert_true(total(got.duration_ms) == 1);
}

/* --- ends ----------------------------------------------------------------------------------------------------------------------- */

static void test_resets(void **state)
{
	struct rainbow_signal got = {0};
	struct talk talk;
	bool by_client;
	int round;

	(void)state;
	for (round = 0; round < 2; round++) {
		const __u64 *early = round ? &got.reset_client_early : &got.reset_server_early, *turns = early + 1,
			    *idle = early + 2;
		void (*reset)(struct talk *) = round ? client_resets : server_resets;

		by_client = round;
		talk_begin(&talk);
		scene_play(&talk.scene, "minutes");
		reset(&talk);
		got = ever();
		assert_int_equal(*early, 1);

		talk_begin(&talk);
		client_says(&talk, 10);
		scene_play(&talk.scene, "minutes"); /* it thinks */
		reset(&talk);
		got = ever();
		assert_int_equal(*turns, 1);

		talk_begin(&talk);
		turn(&talk);
		scene_play(&talk.scene, "seconds"); /* three: perhaps it streams on */
		reset(&talk);
		got = ever();
		assert_int_equal(*turns, 1);

		talk_begin(&talk);
		turn(&talk);
		scene_play(&talk.scene, "minutes");
		reset(&talk);
		reset(&talk);
		got = ever();
		assert_int_equal(*idle, 1);
		assert_int_equal(*early + *turns, 0);
		assert_int_equal(got.ended, 1);
		assert_int_equal(by_client ? got.reset_server_idle : got.reset_client_idle, 0);
		assert_int_equal(world.version[1].ended_reset_client, by_client);
	}
}

/* What the backend sends before the handshake is proven is payload, too. */
static void check_reset_after_early_data(enum rainbow_affinity affinity)
{
	struct rainbow_signal got;
	struct talk talk;

	talk_begin_with(&talk, PATH_XDP, true, "");
	world.service[1].affinity = affinity;
	scene_play(&talk.scene, "syn synack searly ack-early");
	client_resets(&talk);
	got = ever();
	assert_int_equal(got.reset_client_turn, 1);
	assert_int_equal(got.reset_client_early, 0);
}

static void test_reset_after_early_data(void **state)
{
	(void)state;
	check_reset_after_early_data(RAINBOW_AFFINITY_CONNECTION);
	check_reset_after_early_data(RAINBOW_AFFINITY_CLIENT);
}

/* An RST that its receiver does not take resets nothing. */
static void test_reset_out_of_window(void **state)
{
	struct rainbow_signal got;
	struct talk talk;

	(void)state;
	talk_begin(&talk);
	scene_play(&talk.scene, "rst-far srst-far rst-low");
	got = ever();
	assert_int_equal(got.ended, 0);
	assert_int_equal(got.reset_client_early + got.reset_server_early, 0);
}

static void older(struct scene *scene, uint32_t seconds)
{
	struct rainbow_flow flow = scene_flow(scene);
	struct rainbow_pin pin;

	assert_true(world_pin(&world, &flow, &pin));
	pin.opened -= seconds;
	world_put_pin(&world, &flow, &pin);
}

static void check_duration(const char *end, uint32_t seconds, uint32_t low_ms, uint32_t high_ms)
{
	struct rainbow_signal got;
	struct talk talk;

	talk_begin(&talk);
	sleep_ms(30);
	older(&talk.scene, seconds);
	scene_play(&talk.scene, end);
	got = ever();
	assert_int_equal(got.ended, 1);
	one_within(got.duration_ms, low_ms, high_ms);
}

/* Late in a second: `opened` has only that, the rest is noted. */
static void test_duration_is_exact(void **state)
{
	struct timespec now;
	struct talk talk;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &now);
	sleep_ms((1700 - now.tv_nsec / 1000000) % 1000);
	talk_begin(&talk);
	scene_play(&talk.scene, "kill");
	one_within(ever().duration_ms, 0, 650);
}

static void test_durations(void **state)
{
	(void)state;
	check_duration("fin sfin-after", 0, 30, 5000);
	check_duration("rst", 0, 30, 5000);
	check_duration("kill", 0, 30, 5000);
	check_duration("deadline ack", 90, 90030, 95000);
	check_duration("hours sweep", 7200, 7200030, 7205000);      /* idle */
	check_duration("kill", 60 * 86400, 0xf0000000, 0xffffffff); /* longer than a histogram is */
}

/* --- cohorts -------------------------------------------------------------------------------------------------------------------- */

static void test_cohort_border(void **state)
{
	uint32_t now = world_seconds();
	struct rainbow_signal got;
	struct talk talk;

	(void)state;
	/* In the very second in which it began: not of it. (`now` may be a second old by then, never more.) */
	talk_begin_with(&talk, PATH_XDP, true, "");
	world_begin_cohort(&world, 1, now + 1);
	scene_play(&talk.scene, LIVE);
	turn(&talk);
	client_resets(&talk);
	got = cohort();
	nothing_in(&got);
	got = ever();
	assert_int_equal(got.opened + got.turns + got.ended + got.asked + got.answered, 5);

	/* In the second behind it: of it, with all that happens to it. */
	talk_begin_with(&talk, PATH_XDP, true, "");
	world_begin_cohort(&world, 1, a_while_ago());
	scene_play(&talk.scene, LIVE);
	turn(&talk);
	client_resets(&talk);
	got = cohort();
	assert_int_equal(got.opened + got.turns + got.ended + got.asked + got.answered, 5);
	assert_int_equal(got.reset_client_turn, 1);
	assert_int_equal(total(got.turn_us) + total(got.handshake_us) + total(got.duration_ms), 3);
}

/* A session of the cohort before goes on, and none of that is the next one's. */
static void test_cohort_after_cohort(void **state)
{
	struct rainbow_signal before, got;
	uint32_t slot;
	struct talk old, young;

	(void)state;
	talk_begin_with(&old, PATH_XDP, true, "");
	world_begin_cohort(&world, 1, a_while_ago());
	slot = rainbow_cohort_slot(world.service[1].cohort.number);
	scene_play(&old.scene, LIVE);
	turn(&old);
	older(&old.scene, 10); /* and the cohort with it */
	world_begin_cohort(&world, 1, a_while_ago());
	before = world_signal(&world, 1, slot);
	young = old;
	scene_port(&young.scene, 40001);
	young.client = young.server = 1;
	scene_play(&young.scene, LIVE);
	turn(&young);
	turn(&old);
	server_resets(&old);
	got = cohort();
	assert_int_equal(got.turns, 1);
	assert_int_equal(got.ended, 0);
	assert_int_equal(got.opened, 1);
	got = world_signal(&world, 1, slot);
	assert_memory_equal(&got, &before, sizeof(got));
	turns_are(2, 3, 5);
}

/* A version that rainbowd gave no record in this cohort, or none at all. */
static void test_no_record(void **state)
{
	const uint32_t slot = rainbow_cohort_slot(1 << 20);
	struct rainbow_signal got;
	struct talk talk;

	(void)state;
	talk_begin_with(&talk, PATH_XDP, true, "");
	world_add_signal(&world, 1, slot);
	world_remove_signal(&world, 1, slot);
	world_remove_signal(&world, 1, RAINBOW_SLOT_EVER);
	world.service[1].cohort = (struct rainbow_cohort){.number = 1 << 20, .began = 1};
	scene_play(&talk.scene, LIVE);
	turn(&talk);
	client_resets(&talk);
	got = ever();
	nothing_in(&got);
	assert_int_equal(world.version[1].ended_reset_client, 1);
}

/* --- affinity client ------------------------------------------------------------------------------------------------------------- */

/* Sessions are the client's, turns and resets those of its flows. */
static void test_client(void **state)
{
	struct rainbow_signal got;
	struct rainbow_flow client;
	struct talk first, second;

	(void)state;
	talk_begin_with(&first, PATH_TC, false, "");
	world.service[1].affinity = RAINBOW_AFFINITY_CLIENT;
	scene_play(&first.scene, LIVE);
	second = first;
	scene_port(&second.scene, 40001);
	scene_play(&second.scene, LIVE);
	turn(&first);
	turn(&second);
	turn(&second);
	turns_are(2, 3, 5);
	server_resets(&first);
	got = ever();
	assert_int_equal(got.asked, 2);
	assert_int_equal(got.opened, 1);
	assert_int_equal(got.ended, 0);
	assert_int_equal(got.reset_server_turn, 1);
	client = scene_flow(&first.scene);
	client.port = 0;
	memset(client.client.octet + 8, 0, 8);
	sleep_ms(20);
	assert_true(world_kill(&world, &client, 0, RAINBOW_END_FORCED));
	got = ever();
	assert_int_equal(got.ended, 1);
	one_within(got.duration_ms, 20, 5000);
}

/* --- TLS ------------------------------------------------------------------------------------------------------------------------- */

/* A segment, by its first bytes. The random ones of what is encrypted are 0x99. */
struct said {
	char letter; /* lower case: the client */
	uint16_t length;
	const char bytes[RAINBOW_LINE];
};

#define DATA "\x17\x03\x03\x04\x01\x99\x99\x99\x99\x99\x99"

static const struct said words[] = {
    {'h', 517, "\x16\x03\x01\x02\x01\x01\x99\x01\xfc\x03\x03"},  /* ClientHello, and early data behind it perhaps */
    {'m', 300, "\x99\x99\x99\x99\x99\x99\x99\x99\x99\x99\x99"},  /* more of it */
    {'g', 523, "\x14\x03\x03\x02\x01\x01\x16\x03\x03\x02\x01"},  /* the second ClientHello, behind a change of cipher */
    {'c', 80, "\x14\x03\x03\x99\x01\x01\x17\x03\x03\x99\x45"},   /* Finished, and a request perhaps, likewise */
    {'f', 74, "\x17\x03\x03\x99\x45\x99\x99\x99\x99\x99\x99"},   /* Finished alone */
    {'k', 126, "\x16\x03\x03\x99\x25\x10\x99\x99\x21\x20\x99"},  /* TLS 1.2: ClientKeyExchange, change of cipher, Finished */
    {'r', 51, "\x14\x03\x03\x99\x01\x01\x16\x03\x03\x99\x28"},   /* ... the client's Finished where it resumes */
    {'n', 200, "\x16\x03\x03\x99\xc3\x99\x99\x99\x99\x99\x99"},  /* ... it negotiates anew */
    {'d', 300, DATA},                                            /* application data */
    {'a', 24, "\x17\x03\x03"},                                   /* goodbye */
    {'p', 30, "PROXY TCP4 "},                                    /* words before it */
    {'H', 1400, "\x16\x03\x03\x99\x7a\x02\x99\x99\x76\x03\x03"}, /* ServerHello; with a request to try again, too */
    {'T', 255, "\x17\x03\x03\x99\xfa\x99\x99\x99\x99\x99\x99"},  /* a ticket */
    {'S', 250, "\x16\x03\x03\x99\xca\x04\x99\x99\xc6\x99\x99"},  /* TLS 1.2: a ticket, change of cipher, Finished */
    {'C', 51, "\x14\x03\x03\x99\x01\x01\x16\x03\x03\x99\x28"},   /* ... without the ticket */
    {'N', 200, "\x16\x03\x03\x99\xc3\x99\x99\x99\x99\x99\x99"},  /* ... it negotiates anew */
    {'D', 700, DATA},                                            /* application data */
    {'A', 24, "\x17\x03\x03\x00\x13\x99\x99\x99\x99\x99\x99"},   /* goodbye */
    {'B', 31, "\x15\x03\x03\x99\x1a\x99\x99\x99\x99\x99\x99"},   /* ... of TLS 1.2 */
    {'O', 100, "+OK go on"},                                     /* words before it */
};

static const struct {
	const char *what;
	const char *script; /* '.': work, which a true turn takes; '|': a tick passes */
	unsigned int turns;
} tls_rows[] = {
    {"TLS 1.3", "h H c TT d.D d.D d.D", 2},
    {"... a request behind the Finished", "h H c d TT .D d.D d.D", 1},
    {"... a tick later", "h H c | d TT .D d.D d.D", 1},
    {"... a ticket on each side of the request", "h H c T d T .D d.D d.D", 2},
    {"... without a ticket", "h H c | d .D d.D d.D d.D", 2},
    {"... a client that waits", "h H c TT | | d.D d.D", 1},
    {"... a ClientHello of two segments", "h m H c TT d.D d.D", 1},
    {"... with a tick in between", "h | m H c TT d.D d.D", 1},
    {"... without a change of cipher", "h H f T d T .D d.D", 1},
    {"... a request in the same segment", "h H f TT .D d.D d.D", 1},
    {"... a certificate of the client", "h H f m m TT d.D d.D", 1},
    {"HelloRetryRequest", "h H g H f T d T .D d.D", 1},
    {"... without a change of cipher", "h H h H f T d T .D d.D", 1},
    {"early data", "h d H f TT .D d.D d.D", 1},
    {"... answered at once", "h d H .D f TT d.D d.D", 1},
    {"one request", "h H c TT d.D a A", 0},
    {"... behind the Finished", "h H c d TT .D a A", 0},
    {"many, and goodbye", "h H c TT d.D d.D d.D a A", 2},
    {"TLS 1.2", "h H k S d.D d.D d.D", 2},
    {"... without a ticket", "h H k C d.D d.D a B", 1},
    {"... resumed", "h H r | d .D d.D d.D d.D", 2},
    {"... a false start", "h H k d S .D d.D d.D", 1},
    {"... that is not waited for", "h H k S d C .D d.D d.D", 1},
    {"... negotiated anew", "h H k S d.D d.D n N k C d.D d.D", 2},
    {"... because the backend asks", "h H k S d.D d.D d N n N k C .D d.D d.D", 2},
    {"behind words of its own", "p h H c TT d.D d.D", 1},
    {"... that are answered", "p.O h H c TT d.D d.D", 2},
    {"plain, of no such kind", "p.O p.O d.D d.D", 4},
};

static void say(struct talk *talk, char letter)
{
	bool from_client = letter >= 'a';
	uint32_t *seq = from_client ? &talk->client : &talk->server;
	const struct said *said = words;

	while (said->letter != letter)
		if (++said == words + sizeof(words) / sizeof(words[0]))
			fail_msg("nobody says %c", letter);
	segment_of(talk, from_client, TCP_ACK | TCP_PSH, *seq, said->length, said->bytes, sizeof(said->bytes));
	*seq += said->length;
}

static void converse(struct talk *talk, const char *script)
{
	for (; *script; script++) {
		if (*script == '.')
			sleep_ms(5);
		else if (*script == '|')
			sleep_ms(15);
		else if (*script != ' ')
			say(talk, *script);
	}
}

/* So many turns, and each as long as the work. */
static void check_tls(enum path path, size_t row)
{
	const char *what = tls_rows[row].what;
	struct rainbow_signal got;
	struct talk talk;
	uint32_t bin;

	talk_begin_with(&talk, path, true, LIVE);
	segment(&talk, false, TCP_ACK, talk.server, 0, NULL); /* the window of its SYN-ACK is narrow: not scaled */
	converse(&talk, tls_rows[row].script);
	got = ever();
	for (bin = 0; bin < rainbow_signal_bin(5000); bin++)
		if (got.turn_us[bin])
			fail_msg("%s, path %d: a turn of %u us", what, (int)path, rainbow_signal_low(bin));
	if (got.turns != tls_rows[row].turns || total(got.turn_us) != got.turns)
		fail_msg("%s, path %d: %u turns", what, (int)path, (unsigned int)got.turns);
}

static void test_tls(void **state)
{
	size_t row;

	(void)state;
	for (row = 0; row < sizeof(tls_rows) / sizeof(tls_rows[0]); row++)
		check_tls((enum path)(row % PATHS), row);
}

/* The backend has said something before the handshake was proven, which may have been a ServerHello. */
static void test_tls_early(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin_with(&talk, PATH_XDP, true, "syn synack searly ack-early");
	talk.server += 50;
	converse(&talk, "f T d T .D");
	turns_are(0, 0, 0);
	converse(&talk, "d.D");
	turns_are(1, 1, 1);
}

/* The first segment was lost on its way here: what it said is not known. Not so in a flow that has had a turn. */
static void test_answer_with_a_gap(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin(&talk);
	client_says(&talk, 100);
	talk.server += 1000;
	server_says(&talk, 200);
	converse(&talk, "f T d T .D");
	turns_are(0, 0, 0);
	turn(&talk);
	turns_are(1, 1, 1);
	client_says(&talk, 100);
	talk.server += 1000;
	server_says(&talk, 200);
	turns_are(1, 2, 4);
}

/* --- responses ------------------------------------------------------------------------------------------------------------------- */

static void check_http(enum path path, bool is_v4)
{
	struct rainbow_signal got;
	struct talk talk;
	static const char *const lines[] = {
	    "HTTP/1.1 101 Switching\r\n", "HTTP/1.1 200 OK\r\n",        "HTTP/1.0 204 No Content\r\n",
	    "HTTP/1.1 302 Found\r\n",     "HTTP/1.1 404 Not Found\r\n", "HTTP/1.1 503 Service Unavailable\r\n",
	    "HTTP/1.1 700 What\r\n",      "HTTP/2 200 no\r\n",          "{\"status\": 500}\r\n"};
	size_t i;

	talk_begin_with(&talk, path, is_v4, "");
	world.service[1].http = 1;
	world_begin_cohort(&world, 1, a_while_ago());
	scene_play(&talk.scene, LIVE);
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		talk.options = i & 1 ? 12 : 0;
		client_says(&talk, 10);
		server_says_text(&talk, 60, lines[i]);
		server_says_text(&talk, 60, "HTTP/1.1 500 is of the body"); /* no first payload */
	}
	client_says(&talk, 10);
	server_says_text(&talk, 11, "HTTP/1.1 20"); /* too short to tell */
	for (i = 0; i < 2; i++) {
		got = i ? ever() : cohort();
		assert_int_equal(got.http_1xx, 1);
		assert_int_equal(got.http_2xx, 2);
		assert_int_equal(got.http_3xx, 1);
		assert_int_equal(got.http_4xx, 1);
		assert_int_equal(got.http_5xx, 1);
		assert_int_equal(got.http_other, 4);
	}
}

static void test_http(void **state)
{
	int path;

	(void)state;
	for (path = 0; path < PATHS; path++) {
		check_http((enum path)path, true);
		check_http((enum path)path, false);
	}
}

/* Behind 100 and its like the response is yet to come: it is what counts, and what ends the turn. */
static void check_interim(enum path path)
{
	struct rainbow_signal got;
	struct talk talk;

	talk_begin_with(&talk, path, true, "");
	world.service[1].http = 1;
	scene_play(&talk.scene, LIVE);
	client_says(&talk, 10);
	server_says_text(&talk, 25, "HTTP/1.1 100 Continue\r\n\r\n");
	turns_are(0, 0, 0);
	client_says(&talk, 500);
	sleep_ms(10);
	server_says_text(&talk, 60, "HTTP/1.1 103 Early Hints\r\n");
	server_says_text(&talk, 60, "Link: behind the first segment of the 103");
	turns_are(0, 0, 0);
	server_says_text(&talk, 60, "HTTP/1.1 500 Internal Server Error\r\n");
	turns_are(1, 1, 1);
	got = ever();
	one_within(got.turn_us, 10000, 5000000);
	assert_int_equal(got.http_1xx, 0);
	assert_int_equal(got.http_5xx, 1);
	assert_int_equal(got.http_other, 0);

	/* In one segment with it the response is not seen, nor its body taken for one; the next one is. */
	client_says(&talk, 10);
	server_says_text(&talk, 200, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 500 Internal Server Error\r\n");
	server_says_text(&talk, 60, "of the body");
	turns_are(1, 1, 1);
	sleep_ms(20);
	client_says(&talk, 10);
	server_says_text(&talk, 60, "HTTP/1.1 404 Not Found\r\n");
	server_says_text(&talk, 60, "of the body");
	client_says(&talk, 10);
	server_says_text(&talk, 60, "no HTTP at all");
	turns_are(1, 3, 9);
	got = ever();
	assert_int_equal(got.http_4xx, 1);
	assert_int_equal(got.http_5xx, 1);
	assert_int_equal(got.http_other, 1);
}

static void test_http_interim(void **state)
{
	int path;

	(void)state;
	for (path = 0; path < PATHS; path++)
		check_interim((enum path)path);
}

/* Of one session a cohort's record has as many responses as turns. */
static void test_many_responses(void **state)
{
	struct talk talk;
	int i;

	(void)state;
	talk_begin_with(&talk, PATH_TC, true, "");
	world.service[1].http = 1;
	world_begin_cohort(&world, 1, a_while_ago());
	scene_play(&talk.scene, LIVE);
	for (i = 0; i < 300; i++) {
		client_says(&talk, 10);
		server_says_text(&talk, 60, "HTTP/1.1 500 Internal Server Error\r\n");
	}
	assert_int_equal(cohort().turns, 255);
	assert_int_equal(cohort().http_5xx, 255);
	assert_int_equal(ever().http_5xx, 300);
}

/* Where the service speaks in plain an answer that was lost was no ServerHello; and what reads as a response is one. */
static void test_http_is_not_hidden(void **state)
{
	struct talk talk;

	(void)state;
	talk_begin_with(&talk, PATH_XDP, true, "");
	world.service[1].http = 1;
	scene_play(&talk.scene, LIVE);
	client_says(&talk, 100);
	talk.server += 1000;
	server_says(&talk, 200);
	turns_are(1, 1, 1);
	talk_begin_with(&talk, PATH_XDP, true, "");
	world.service[1].http = 1;
	scene_play(&talk.scene, "syn synack searly ack-early");
	talk.server += 50;
	client_says(&talk, 10);
	server_says_text(&talk, 60, "HTTP/1.1 503 Service Unavailable\r\n");
	assert_int_equal(ever().http_5xx, 1);
	turns_are(1, 1, 1);
}

static void test_http_of_others(void **state)
{
	struct rainbow_signal got;
	struct talk talk;

	(void)state;
	talk_begin(&talk);
	client_says(&talk, 10);
	server_says_text(&talk, 60, "HTTP/1.1 500 but nobody said that it is HTTP");
	got = ever();
	assert_int_equal(got.http_5xx + got.http_other, 0);
}

/* --- traffic --------------------------------------------------------------------------------------------------------------------- */

static void check_traffic(enum path path, bool is_v4)
{
	const uint64_t headers = is_v4 ? 40 : 60;
	struct rainbow_traffic got;
	struct talk talk;

	talk_begin_with(&talk, path, is_v4, LIVE); /* of the handshake, its last packet is the session's */
	client_says(&talk, 100);
	client_says(&talk, 100);
	server_says(&talk, 500);
	scene_play(&talk.scene, "rst-far"); /* a packet like others */
	got = world_traffic(&world, 1);
	assert_int_equal(got.request_packets, 4);
	assert_int_equal(got.request_bytes, 4 * headers + 200);
	assert_int_equal(got.reply_packets, 1);
	assert_int_equal(got.reply_bytes, headers + 500);
	assert_int_equal(world_traffic(&world, 2).request_packets, 0);
}

static void test_traffic(void **state)
{
	int path;

	(void)state;
	for (path = 0; path < PATHS; path++) {
		check_traffic((enum path)path, true);
		check_traffic((enum path)path, false);
	}
}

static void test_udp(void **state)
{
	struct rainbow_traffic traffic;
	struct rainbow_signal got;
	struct scene scene;

	(void)state;
	scene_set(&scene, &world, PATH_XDP, true, IPPROTO_UDP);
	world_add_signal(&world, 1, RAINBOW_SLOT_EVER);
	scene_play(&scene, "ask ask answer answer ask answer");
	got = ever();
	traffic = world_traffic(&world, 1);
	assert_int_equal(got.asked, 1);
	assert_int_equal(got.answered, 1);
	assert_int_equal(got.opened, 1);
	assert_int_equal(got.turns + total(got.turn_us), 0);
	assert_int_equal(traffic.request_packets, 1);
	assert_int_equal(traffic.reply_packets, 1);
	assert_int_equal(traffic.reply_bytes, 20 + 8 + 60);
}

/* --- switched off ------------------------------------------------------------------------------------------------------------------ */

static void test_off(void **state)
{
	const struct world_config config = {.pins = 64, .nursery = 64, .unmeasured = true};
	struct rainbow_signal got;
	struct talk talk;

	(void)state;
	world_close(&world);
	assert_int_equal(world_open(&world, &config), 0);
	talk_begin_with(&talk, PATH_XDP, true, "");
	world.service[1].http = 1;
	scene_play(&talk.scene, LIVE);
	turn(&talk);
	server_resets(&talk);
	got = ever();
	nothing_in(&got);
	assert_int_equal(world_traffic(&world, 1).request_packets, 0);
	assert_int_equal(world.version[1].ended_reset_server, 1);
}

int main(void)
{
	const struct world_config config = {.pins = 64, .nursery = 64};
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_handshake),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_answered_is_not_refused),
	    cmocka_unit_test(test_turn),
	    cmocka_unit_test(test_turn_of_segments),
	    cmocka_unit_test(test_turn_with_the_proof),
	    cmocka_unit_test(test_what_turns_nothing),
	    cmocka_unit_test(test_probe_turns_nothing),
	    cmocka_unit_test(test_fin_is_no_payload),
	    cmocka_unit_test(test_many_turns),
	    cmocka_unit_test(test_two_hooks_one_turn),
	    cmocka_unit_test(test_two_hooks_one_reset),
	    cmocka_unit_test(test_overflow),
	    cmocka_unit_test(test_resets),
	    cmocka_unit_test(test_reset_after_early_data),
	    cmocka_unit_test(test_reset_out_of_window),
	    cmocka_unit_test(test_durations),
	    cmocka_unit_test(test_duration_is_exact),
	    cmocka_unit_test(test_cohort_border),
	    cmocka_unit_test(test_cohort_after_cohort),
	    cmocka_unit_test(test_no_record),
	    cmocka_unit_test(test_client),
	    cmocka_unit_test(test_tls),
	    cmocka_unit_test(test_tls_early),
	    cmocka_unit_test(test_answer_with_a_gap),
	    cmocka_unit_test(test_http),
	    cmocka_unit_test(test_http_interim),
	    cmocka_unit_test(test_many_responses),
	    cmocka_unit_test(test_http_is_not_hidden),
	    cmocka_unit_test(test_http_of_others),
	    cmocka_unit_test(test_traffic),
	    cmocka_unit_test(test_udp),
	    cmocka_unit_test(test_off),
	};
	int failed;

	if (world_is_impossible())
		return 77;
	if (world_open(&world, &config))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	world_close(&world);
	return failed;
}
