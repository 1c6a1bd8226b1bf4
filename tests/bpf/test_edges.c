/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What one row can not say: ICMP errors, UDP's two zeroes, replies that pass two hooks, hooks of two kinds, sums of whole buffers. */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "tests/bpf/truth.h"

static struct world world;

#define LIVE "syn synack ack"

/* Runs it at a hook of a device and checks action, bytes, checksums and the one counter. */
static void check_run(enum hook hook, const struct device *device, const struct packet *in, int action,
		      const struct packet *should, const char *counter)
{
	struct rainbow_packets before[2], after[2];
	struct frame frame, expected, out;
	int got;

	packet_build(&frame, in);
	packet_build(&expected, should);
	packets_read(&world, before);
	got = world_run(&world, hook, device, &frame, &out);
	packets_read(&world, after);
	assert_int_equal(got, action);
	if (frame_differs(&expected, &out))
		fail_msg("%s", frame_differs(&expected, &out));
	// NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): a copy, padding included
	if (memcmp(in, should, sizeof(*in)) && frame_check(&out))
		fail_msg("%s is wrong", frame_check(&out));
	packets_check(before, after, counter);
}

/* --- ICMP errors -------------------------------------------------------------------------------------------------------- */

static const char *scene_words(const struct scene *scene)
{
	return scene->protocol == IPPROTO_TCP ? LIVE : "ask answer ask";
}

static struct packet error_about(const struct scene *scene, const struct packet *quoted, struct endpoint source,
				 struct endpoint target, uint16_t quoted_bytes)
{
	struct packet error = {
	    .protocol = scene->is_v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
	    .source = source,
	    .target = target,
	    .ttl = 55,
	    .quoted = quoted,
	    .quoted_bytes = quoted_bytes,
	    .icmp_type = scene->is_v4 ? 3 : 2, /* unreachable; packet too big */
	    .icmp_code = scene->is_v4 ? 4 : 0,
	};

	memcpy(error.target_mac, world.wan.mac, 6);
	memcpy(error.source_mac, MAC_CLIENT, 6);
	return error;
}

/* A quoted packet as somebody met it: its transport checksum is what it was, and nobody looks at it. */
static struct packet quote(const struct scene *scene, const char *word, struct endpoint source, struct endpoint target)
{
	struct packet quoted;
	bool from_client;

	scene_packet(scene, word, &quoted, &from_client);
	quoted.source = source;
	quoted.target = target;
	quoted.raw_checksum = true;
	quoted.checksum = 0xbeef;
	return quoted;
}

/* Somebody on the way to the client could not forward a reply: the backend hears of it (path MTU discovery lives by that). */
static void check_error_about_reply(enum path path, bool is_v4, uint8_t protocol, uint16_t quoted_bytes)
{
	struct packet met, sent, in, should;
	struct endpoint backend, router;
	struct scene scene;

	scene_set(&scene, &world, path, is_v4, protocol);
	scene_play(&scene, scene_words(&scene));
	backend = scene_backend(&scene, scene_pinned(&scene));
	router = is_v4 ? at("10.0.0.254", 0) : at("2001:db8::fe", 0);
	met = quote(&scene, protocol == IPPROTO_TCP ? "sdata" : "answer", scene.service, scene.client);
	sent = quote(&scene, protocol == IPPROTO_TCP ? "sdata" : "answer", backend, scene.client);
	in = error_about(&scene, &met, router, scene.service, quoted_bytes);
	should = error_about(&scene, &sent, router, backend, quoted_bytes);
	check_run(scene_hook(&scene, true), &world.wan, &in, scene_hook(&scene, true) == HOOK_XDP ? XDP_PASS : TC_ACT_UNSPEC,
		  &should, "icmp_errors");
}

/* A backend (or a router before it) could not take a request: the client must not hear of a backend. */
static void check_error_about_request(bool is_v4, uint8_t protocol, bool by_backend)
{
	struct packet met, sent, in, should;
	struct endpoint backend, sender;
	struct scene scene;

	scene_set(&scene, &world, PATH_TC_EGRESS, is_v4, protocol);
	scene_play(&scene, scene_words(&scene));
	backend = scene_backend(&scene, scene_pinned(&scene));
	sender = by_backend ? backend : is_v4 ? at("10.1.0.1", 0) : at("2001:db8:1::1", 0);
	met = quote(&scene, protocol == IPPROTO_TCP ? "data" : "ask", scene.client, backend);
	sent = quote(&scene, protocol == IPPROTO_TCP ? "data" : "ask", scene.client, scene.service);
	in = error_about(&scene, &met, sender, scene.client, 0);
	should = error_about(&scene, &sent, by_backend ? scene.service : sender, scene.client, 0);
	check_run(HOOK_EGRESS, &world.wan, &in, TC_ACT_UNSPEC, &should, "icmp_errors");
}

static void test_error_about_reply(void **state)
{
	int path;

	(void)state;
	for (path = 0; path < PATHS; path++) {
		check_error_about_reply((enum path)path, true, IPPROTO_TCP, 0);
		check_error_about_reply((enum path)path, true, IPPROTO_TCP, 28); /* the least (RFC 792) */
		check_error_about_reply((enum path)path, false, IPPROTO_TCP, 0);
		check_error_about_reply((enum path)path, false, IPPROTO_TCP, 48);
		check_error_about_reply((enum path)path, true, IPPROTO_UDP, 0);
		check_error_about_reply((enum path)path, false, IPPROTO_UDP, 0);
	}
}

static void test_error_about_request(void **state)
{
	int bits;

	(void)state;
	for (bits = 0; bits < 8; bits++)
		check_error_about_request(bits & 1, bits & 2 ? IPPROTO_TCP : IPPROTO_UDP, bits & 4);
}

/* About nobody's session, or a flow that is another backend's: not ours. */
static void test_error_about_nothing(void **state)
{
	struct packet quoted, in;
	struct scene scene;

	(void)state;
	scene_set(&scene, &world, PATH_TC, true, IPPROTO_TCP);
	quoted = quote(&scene, "sdata", scene.service, scene.client);
	in = error_about(&scene, &quoted, scene.client, scene.service, 0);
	check_run(HOOK_XDP, &world.wan, &in, XDP_PASS, &in, "passed_not_ours");
	check_run(HOOK_INGRESS, &world.wan, &in, TC_ACT_UNSPEC, &in, "passed_not_ours");
	scene_play(&scene, LIVE);
	quoted = quote(&scene, "data", scene.client, scene_backend(&scene, 3));
	in = error_about(&scene, &quoted, scene_backend(&scene, 3), scene.client, 0);
	check_run(HOOK_EGRESS, &world.wan, &in, TC_ACT_UNSPEC, &in, "passed_not_ours");
}

/* --- UDP's zeroes ------------------------------------------------------------------------------------------------------- */

/* Makes the payload such that the packet, as it leaves, sums up to 0: then 0xffff is sent (RFC 768). */
static void make_zero_sum(struct packet *packet, const struct endpoint *target)
{
	struct packet leaves = *packet;
	struct frame frame;
	uint32_t fill;

	leaves.target = *target;
	/* The pattern of `fill` is a byte; the length and both together reach every sum often enough. */
	for (leaves.payload = 2; leaves.payload < 600; leaves.payload++) {
		for (fill = 0; fill < 256; fill++) {
			size_t field = packet_transport_offset(&leaves) + 6;

			leaves.fill = (uint8_t)fill;
			packet_build(&frame, &leaves);
			if (frame.bytes[field] == 0xff && frame.bytes[field + 1] == 0xff) {
				packet->payload = leaves.payload;
				packet->fill = leaves.fill;
				return;
			}
		}
	}
	fail_msg("no payload found");
}

static void check_zero_sum(enum path path, bool is_v4)
{
	struct endpoint backend;
	struct packet packet;
	struct frame expected, out;
	struct scene scene;
	bool from_client;
	int action;

	scene_set(&scene, &world, path, is_v4, IPPROTO_UDP);
	scene_play(&scene, "ask answer ask");
	scene_packet(&scene, "ask", &packet, &from_client);
	backend = scene_backend(&scene, scene_pinned(&scene));
	make_zero_sum(&packet, &backend);
	scene_expect(&scene, FATE_TO_BACKEND, &packet, true, scene_pinned(&scene), &expected, &action);
	assert_int_equal(scene_send(&scene, &packet, true, &out), action);
	if (frame_differs(&expected, &out))
		fail_msg("%s: %s", path_name(path), frame_differs(&expected, &out));
	assert_null(frame_check(&out));
}

static void test_udp_zero_sum(void **state)
{
	int path;

	(void)state;
	for (path = 0; path < PATHS; path++) {
		check_zero_sum((enum path)path, true);
		check_zero_sum((enum path)path, false);
	}
}

/* --- two hooks ---------------------------------------------------------------------------------------------------------- */

/* To a client without a route back in XDP's eyes: passes the ingress as it is, and is restored, and counted, at the egress. */
static void test_reply_through_both(void **state)
{
	struct packet packet, restored;
	struct scene scene;
	bool from_client;

	(void)state;
	scene_set(&scene, &world, PATH_XDP, true, IPPROTO_TCP);
	scene.client = at("198.51.100.9", 40000);
	scene_play(&scene, "syn");
	scene_packet(&scene, "synack", &packet, &from_client);
	check_run(HOOK_XDP, &world.lan, &packet, XDP_PASS, &packet, "passed_by_stack");
	memcpy(packet.target_mac, world.wan.mac, 6);
	restored = packet;
	restored.source = scene.service;
	check_run(HOOK_EGRESS, &world.wan, &packet, TC_ACT_UNSPEC, &restored, "handshakes");
	scene_play(&scene, "ack");
	assert_int_equal(world.version[1].live, 1);
	scene_packet(&scene, "sdata", &packet, &from_client);
	check_run(HOOK_XDP, &world.lan, &packet, XDP_PASS, &packet, "passed_by_stack");
	memcpy(packet.target_mac, world.wan.mac, 6);
	restored = packet;
	restored.source = scene.service;
	check_run(HOOK_EGRESS, &world.wan, &packet, TC_ACT_UNSPEC, &restored, "replies");
}

/* What leaves for a service is on its way already. */
static void test_request_at_egress(void **state)
{
	struct packet packet;
	struct scene scene;
	bool from_client;

	(void)state;
	scene_set(&scene, &world, PATH_TC, true, IPPROTO_TCP);
	scene_packet(&scene, "syn", &packet, &from_client);
	check_run(HOOK_EGRESS, &world.wan, &packet, TC_ACT_UNSPEC, &packet, "passed_not_ours");
}

/* One backend, reached by TC from one interface and by XDP from another within the same second: each by its own means. */
static void check_hooks_of_two_kinds(enum rainbow_hook_kind lan_kind, int xdp_action, bool is_v4)
{
	struct packet packet, should;
	struct scene scene;
	bool from_client;
	uint32_t backend;

	scene_set(&scene, &world, PATH_TC, is_v4, IPPROTO_TCP);
	scene_play(&scene, LIVE);
	world_hook(&world, &world.wan, RAINBOW_HOOK_XDP);
	if (lan_kind != RAINBOW_HOOK_TC)
		world_hook(&world, &world.lan, lan_kind);
	backend = scene_pinned(&scene);
	scene_packet(&scene, "data", &packet, &from_client);
	should = packet;
	should.target = scene_backend(&scene, backend);
	if (xdp_action == XDP_REDIRECT) {
		should.ttl--;
		memcpy(should.source_mac, world.lan.mac, 6);
		memcpy(should.target_mac, MAC_BACKEND, 6);
	}
	check_run(HOOK_XDP, &world.wan, &packet, xdp_action, &should, "requests");
}

static void test_hooks_of_two_kinds(void **state)
{
	(void)state;
	check_hooks_of_two_kinds(RAINBOW_HOOK_TC, XDP_PASS, true);
	check_hooks_of_two_kinds(RAINBOW_HOOK_TC, XDP_PASS, false);
	check_hooks_of_two_kinds(RAINBOW_HOOK_NONE, XDP_PASS, true);
	check_hooks_of_two_kinds(RAINBOW_HOOK_XDP_GENERIC, XDP_PASS, true);
	check_hooks_of_two_kinds(RAINBOW_HOOK_XDP, XDP_REDIRECT, true);
	check_hooks_of_two_kinds(RAINBOW_HOOK_XDP, XDP_REDIRECT, false);
}

/* --- told ---------------------------------------------------------------------------------------------------------------- */

static unsigned int told(const struct scene *scene)
{
	struct rainbow_flow flow = scene_flow(scene);
	struct rainbow_pin pin = {};

	world_pin(&world, &flow, &pin);
	return pin.told;
}

static void test_told(void **state)
{
	struct scene scene;

	(void)state;
	scene_set(&scene, &world, PATH_XDP, true, IPPROTO_TCP);
	scene_play(&scene, LIVE " kill");
	assert_int_equal(told(&scene), 0);
	/* Each packet is answered by an RST, which may be lost; and an RST with another number is anybody's. */
	scene_play(&scene, "data sdata rst-far srst-far");
	assert_int_equal(told(&scene), 0);
	/* What a stack without the connection answers, bears the number that it was asked with. */
	scene_play(&scene, "rst");
	assert_int_equal(told(&scene), RAINBOW_TOLD_CLIENT);
	scene_play(&scene, "srst");
	assert_int_equal(told(&scene), RAINBOW_TOLD_BOTH);
	scene_set(&scene, &world, PATH_TC, false, IPPROTO_TCP);
	scene_play(&scene, LIVE " deadline sdata");
	assert_int_equal(told(&scene), 0);
	scene_play(&scene, "srst");
	assert_int_equal(told(&scene), RAINBOW_TOLD_SERVER);
}

/* --- the sum of the whole buffer ------------------------------------------------------------------------------------------ */

/*
 * A NIC may hand over the sum of the whole packet (CHECKSUM_COMPLETE). The kernel adjusts it as the helpers tell it to; where a
 * change was not told it reports the hardware as faulty.
 */
static void check_complete(const char *prior, const char *word, bool is_v4, uint8_t protocol, enum path path)
{
	struct packet packet;
	struct frame frame;
	struct scene scene;
	bool from_client;
	int action;

	scene_set(&scene, &world, path, is_v4, protocol);
	scene_play(&scene, prior);
	scene_packet(&scene, word, &packet, &from_client);
	packet_build(&frame, &packet);
	action = world_run_complete(&world, scene_hook(&scene, from_client), scene_device(&scene, from_client), &frame);
	if (action == -EINVAL) {
		print_message("skipped: this kernel can not run programs with CHECKSUM_COMPLETE\n");
		skip();
	}
	if (action == -EBADMSG)
		fail_msg("%s behind '%s', IPv%d, %s: the buffer's sum is wrong", word, prior, is_v4 ? 4 : 6, path_name(path));
}

static void check_complete_in(bool is_v4)
{
	check_complete("", "syn", is_v4, IPPROTO_TCP, PATH_TC);
	check_complete(LIVE, "data", is_v4, IPPROTO_TCP, PATH_TC);
	check_complete(LIVE, "sdata", is_v4, IPPROTO_TCP, PATH_TC);
	check_complete(LIVE, "sdata", is_v4, IPPROTO_TCP, PATH_TC_EGRESS);
	check_complete("ask answer ask", "ask", is_v4, IPPROTO_UDP, PATH_TC);
	check_complete("ask answer ask", "answer", is_v4, IPPROTO_UDP, PATH_TC);
}

static void test_complete_ipv4(void **state)
{
	(void)state;
	check_complete_in(true);
}

static void test_complete_ipv6(void **state)
{
	(void)state;
	check_complete_in(false);
}

int main(void)
{
	const struct world_config config = {.pins = 512, .nursery = 512};
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_error_about_reply),   cmocka_unit_test(test_error_about_request),
	    cmocka_unit_test(test_error_about_nothing), cmocka_unit_test(test_udp_zero_sum),
	    cmocka_unit_test(test_reply_through_both),  cmocka_unit_test(test_request_at_egress),
	    cmocka_unit_test(test_hooks_of_two_kinds),  cmocka_unit_test(test_told),
	    cmocka_unit_test(test_complete_ipv4),       cmocka_unit_test(test_complete_ipv6),
	};
	int failed;

	if (world_is_impossible())
		return 77; /* skipped */
	if (world_open(&world, &config))
		return 1;
	failed = cmocka_run_group_tests_name("edges", tests, NULL, NULL);
	world_close(&world);
	return failed ? 1 : 0;
}
