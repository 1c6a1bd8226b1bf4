/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Promise P7: what is not ours passes untouched, byte for byte. Packets that would be ours, cut at every length, lying about
 * every length, and with random bytes; and that every packet, whatever it is, is counted once.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/bpf/truth.h"

static struct world world;
static unsigned int refused_by_kernel; /* too short for BPF_PROG_TEST_RUN itself */

static const enum hook hooks[] = {HOOK_XDP, HOOK_INGRESS, HOOK_EGRESS};

static const char *hook_name(enum hook hook)
{
	return hook == HOOK_XDP ? "xdp" : hook == HOOK_INGRESS ? "ingress" : "egress";
}

static void check_passes(enum hook hook, const struct device *device, const struct frame *in, const char *what)
{
	struct rainbow_packets before[2], after[2];
	struct frame out;
	int action;

	packets_read(&world, before);
	action = world_run(&world, hook, device, in, &out);
	if (action == -EINVAL && in->length < ETHER_SIZE + 40u) {
		refused_by_kernel++;
		return;
	}
	packets_read(&world, after);
	if (action != (hook == HOOK_XDP ? XDP_PASS : TC_ACT_UNSPEC))
		fail_msg("%s at %s: action is %d", what, hook_name(hook), action);
	if (frame_differs(in, &out))
		fail_msg("%s at %s: %s", what, hook_name(hook), frame_differs(in, &out));
	if (after[0].passed_fragment == before[0].passed_fragment)
		packets_check(before, after, "passed_unparsed");
	else
		packets_check(before, after, "passed_fragment");
}

static void check_passes_everywhere(const struct frame *in, const char *what)
{
	size_t i;

	for (i = 0; i < sizeof(hooks) / sizeof(*hooks); i++)
		check_passes(hooks[i], &world.wan, in, what);
}

/* A scene with one live session on wan0, so that nothing passes for want of a session. */
static void scene_live(struct scene *scene, bool is_v4, uint8_t protocol)
{
	scene_set(scene, &world, PATH_TC_ARM, is_v4, protocol);
	world_hook(&world, &world.wan, RAINBOW_HOOK_XDP);
	scene_play(scene, protocol == IPPROTO_TCP ? "syn synack ack" : "ask answer ask");
}

/* --- cut short ---------------------------------------------------------------------------------------------------------- */

/* Each length but the whole one: the IP header promises more than there is. */
static void check_cuts(const struct packet *packet, const char *what)
{
	struct frame whole, cut;
	char name[96];

	packet_build(&whole, packet);
	cut = whole;
	for (cut.length = ETHER_SIZE; cut.length < whole.length; cut.length++) {
		snprintf(name, sizeof(name), "%s cut to %zu", what, cut.length);
		check_passes_everywhere(&cut, name);
	}
}

static void check_cuts_of_error(const struct scene *scene, const struct packet *quoted)
{
	const struct packet error = {
	    .protocol = scene->is_v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6,
	    .source = scene->client,
	    .target = scene->service,
	    .ttl = 60,
	    .quoted = quoted,
	    .icmp_type = scene->is_v4 ? 3 : 1,
	    .target_mac = {0x02, 0, 0, 0, 0x0a, 0x01},
	};

	check_cuts(&error, "ICMP error");
}

static void check_cuts_of_session(bool is_v4, uint8_t protocol)
{
	struct packet packet, plain;
	struct scene scene;
	bool from_client;

	scene_live(&scene, is_v4, protocol);
	scene_packet(&scene, protocol == IPPROTO_TCP ? "data" : "ask", &packet, &from_client);
	plain = packet;
	check_cuts(&packet, "request");
	packet.tags = 2;
	check_cuts(&packet, "tagged request");
	packet.ip_options = 40;
	packet.extensions = 2;
	packet.extension_units = 1;
	check_cuts(&packet, "request with options");
	scene_packet(&scene, protocol == IPPROTO_TCP ? "sdata" : "answer", &packet, &from_client);
	check_cuts(&packet, "reply");
	packet = plain;
	packet.source = plain.target;
	packet.target = plain.source;
	check_cuts_of_error(&scene, &packet);
}

static void test_cut_tcp(void **state)
{
	(void)state;
	check_cuts_of_session(true, IPPROTO_TCP);
	check_cuts_of_session(false, IPPROTO_TCP);
}

static void test_cut_udp(void **state)
{
	(void)state;
	check_cuts_of_session(true, IPPROTO_UDP);
	check_cuts_of_session(false, IPPROTO_UDP);
}

/* --- lies --------------------------------------------------------------------------------------------------------------- */

/* One or two bytes of the frame become something that can not be. Offsets count from the IP header. */
struct lie {
	const char *name;
	size_t offset;
	uint8_t bytes; /* 1 or 2 */
	uint16_t value;
};

static void check_lies(const struct packet *packet, const struct lie *lies, size_t count)
{
	struct frame honest, lying;
	size_t i, offset;

	packet_build(&honest, packet);
	for (i = 0; i < count; i++) {
		lying = honest;
		offset = packet_ip_offset(packet) + lies[i].offset;
		if (lies[i].bytes == 2)
			lying.bytes[offset++] = (uint8_t)(lies[i].value >> 8);
		lying.bytes[offset] = (uint8_t)lies[i].value;
		check_passes_everywhere(&lying, lies[i].name);
	}
}

#define CHECK_LIES(packet, lies) check_lies(packet, lies, sizeof(lies) / sizeof(*(lies)))

static const struct lie lies_ipv4[] = {
    {"IHL 0", 0, 1, 0x40},
    {"IHL 1", 0, 1, 0x41},
    {"IHL 4", 0, 1, 0x44},
    {"IHL beyond the packet", 0, 1, 0x4f},
    {"version 6 in an IPv4 frame", 0, 1, 0x65},
    {"version 0", 0, 1, 0x05},
    {"total length 19", 2, 2, 19},
    {"total length 20", 2, 2, 20},
    {"total length 39: half a TCP header", 2, 2, 39},
    {"total length one too many", 2, 2, 41},
    {"total length 65535", 2, 2, 0xffff},
    {"a first fragment", 6, 2, 0x2000},
    {"a later fragment", 6, 2, 0x0001},
    {"the last fragment", 6, 2, 0x1fff},
    {"the reserved flag and an offset", 6, 2, 0x8001},
    {"SCTP", 9, 1, 132},
    {"protocol 0", 9, 1, 0},
    {"protocol 255", 9, 1, 255},
    {"ESP", 9, 1, 50},
    {"IP in IP", 9, 1, 4},
    {"ICMP", 9, 1, 1},
    {"doff 0", 32, 1, 0x00},
    {"doff 4", 32, 1, 0x40},
    {"doff 6 of 5", 32, 1, 0x60},
    {"doff 15 of 5", 32, 1, 0xf0},
};

static const struct lie lies_ipv6[] = {
    {"version 4 in an IPv6 frame", 0, 1, 0x45},
    {"version 7", 0, 1, 0x70},
    {"payload length 19: half a TCP header", 4, 2, 19},
    {"payload length one too many", 4, 2, 21},
    {"payload length 65535", 4, 2, 0xffff},
    {"SCTP", 6, 1, 132},
    {"no next header", 6, 1, 59},
    {"ESP", 6, 1, 50},
    {"AH", 6, 1, 51},
    {"mobility", 6, 1, 135},
    {"hop by hop that is none", 6, 1, 0},
    {"routing that is none", 6, 1, 43},
    {"a fragment header that is none", 6, 1, 44},
    {"ICMPv6", 6, 1, 58},
    {"ICMP of the other family", 6, 1, 1},
    {"doff 0", 52, 1, 0x00},
    {"doff 4", 52, 1, 0x40},
    {"doff 6 of 5", 52, 1, 0x60},
};

static const struct lie lies_extension[] = {
    {"an extension header beyond the packet", 41, 1, 200},
    {"one that ends where the packet does", 41, 1, 2},
    {"one that says it is followed by a fragment", 40, 1, 44},
    {"one that never ends: itself again", 40, 1, 60},
};

static const struct lie lies_udp[] = {
    {"UDP length 0", 24, 2, 0},
    {"UDP length 7", 24, 2, 7},
    {"UDP length one too many", 24, 2, 49},
    {"UDP length 65535", 24, 2, 0xffff},
};

static void test_lies_tcp(void **state)
{
	struct packet packet;
	struct scene scene;
	bool from_client;

	(void)state;
	scene_live(&scene, true, IPPROTO_TCP);
	scene_packet(&scene, "ack", &packet, &from_client);
	CHECK_LIES(&packet, lies_ipv4);
	scene_packet(&scene, "sack-after", &packet, &from_client);
	CHECK_LIES(&packet, lies_ipv4);
	scene_live(&scene, false, IPPROTO_TCP);
	scene_packet(&scene, "ack", &packet, &from_client);
	CHECK_LIES(&packet, lies_ipv6);
	packet.extensions = 1;
	CHECK_LIES(&packet, lies_extension);
}

/* Only an aggregate, which these are not, says so by right (BIG TCP); a jumbogram (RFC 2675) has its option. */
static void test_length_zero(void **state)
{
	static const struct lie ipv4 = {"total length 0", 2, 2, 0}, ipv6 = {"payload length 0", 4, 2, 0};
	struct packet packet;
	struct scene scene;
	bool from_client;

	(void)state;
	scene_live(&scene, true, IPPROTO_TCP);
	scene_packet(&scene, "data", &packet, &from_client);
	check_lies(&packet, &ipv4, 1);
	scene_live(&scene, false, IPPROTO_TCP);
	scene_packet(&scene, "data", &packet, &from_client);
	check_lies(&packet, &ipv6, 1);
}

static void test_lies_udp(void **state)
{
	struct packet packet;
	struct scene scene;
	bool from_client;

	(void)state;
	scene_live(&scene, true, IPPROTO_UDP);
	scene_packet(&scene, "ask", &packet, &from_client);
	CHECK_LIES(&packet, lies_udp);
}

/* --- ICMP that means nothing to us -------------------------------------------------------------------------------------- */

static void check_error_passes(const struct packet *error, const char *what)
{
	struct frame frame;

	packet_build(&frame, error);
	check_passes_everywhere(&frame, what);
}

static void test_icmp_passes(void **state)
{
	struct packet quoted, error;
	struct scene scene;
	bool from_client;
	int is_v4;

	(void)state;
	for (is_v4 = 0; is_v4 < 2; is_v4++) {
		scene_live(&scene, is_v4, IPPROTO_TCP);
		scene_packet(&scene, "data", &quoted, &from_client);
		quoted.source = scene.service;
		quoted.target = scene.client;
		error = quoted;
		error.source = scene.client;
		error.target = scene.service;
		error.protocol = is_v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
		error.quoted = &quoted;
		error.icmp_type = is_v4 ? 8 : 128;
		check_error_passes(&error, "an echo request");
		error.icmp_type = is_v4 ? 5 : 137;
		check_error_passes(&error, "a redirect");
		error.icmp_type = is_v4 ? 3 : 1;
		error.quoted_bytes = is_v4 ? 27 : 47;
		check_error_passes(&error, "an error that quotes too little");
		error.quoted_bytes = 0;
		quoted.protocol = IPPROTO_GRE;
		quoted.payload = 20;
		check_error_passes(&error, "an error about another protocol");
		quoted.protocol = IPPROTO_TCP;
		quoted.fragment_later = true;
		check_error_passes(&error, "an error about a fragment");
	}
}

/* --- not IP ------------------------------------------------------------------------------------------------------------- */

static void test_not_ip(void **state)
{
	static const uint16_t types[] = {0x0806, 0x0000, 0x05dc, 0x8847, 0x88cc, 0x8863, 0xffff};
	struct packet packet;
	struct frame frame;
	struct scene scene;
	bool from_client;
	size_t i;

	(void)state;
	scene_live(&scene, true, IPPROTO_TCP);
	scene_packet(&scene, "data", &packet, &from_client);
	packet_build(&frame, &packet);
	for (i = 0; i < sizeof(types) / sizeof(*types); i++) {
		frame.bytes[12] = (uint8_t)(types[i] >> 8);
		frame.bytes[13] = (uint8_t)types[i];
		check_passes_everywhere(&frame, "another EtherType");
	}
	packet.tags = 3;
	packet_build(&frame, &packet);
	check_passes_everywhere(&frame, "three VLAN tags");
}

/* --- at random ---------------------------------------------------------------------------------------------------------- */

static uint32_t seed = 20261123;

static uint32_t any(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)seed * below >> 32);
}

static uint64_t packets_sum(const struct rainbow_packets packets[2])
{
	const uint64_t *counter = (const uint64_t *)packets;
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < 2 * sizeof(*packets) / sizeof(*counter); i++)
		sum += counter[i];
	return sum;
}

static uint64_t packets_passed(const struct rainbow_packets packets[2])
{
	return packets[0].passed_not_ours + packets[0].passed_unparsed + packets[0].passed_fragment +
	       packets[1].passed_by_stack + packets[1].strays_passed;
}

/* Counted once; and if counted as passed, it did pass. Returns whether something left. */
static bool check_once(enum hook hook, const struct frame *in, struct frame *out)
{
	struct rainbow_packets before[2], after[2];
	int action;

	packets_read(&world, before);
	action = world_run(&world, hook, &world.wan, in, out);
	packets_read(&world, after);
	/* Frames for others pass uncounted in TC. */
	if (hook != HOOK_XDP && memcmp(in->bytes, world.wan.mac, 6)) {
		assert_int_equal(action, TC_ACT_UNSPEC);
		assert_null(frame_differs(in, out));
		return false;
	}
	assert_int_equal(packets_sum(after) - packets_sum(before), 1);
	if (packets_passed(after) != packets_passed(before)) {
		assert_int_equal(action, hook == HOOK_XDP ? XDP_PASS : TC_ACT_UNSPEC);
		assert_null(frame_differs(in, out));
	}
	return action != (hook == HOOK_XDP ? XDP_DROP : TC_ACT_SHOT);
}

static void check_counts(void)
{
	const struct rainbow_version *version;
	uint32_t id;

	world_sweep(&world, 0);
	for (id = 1; id <= 3; id++) {
		version = &world.version[id];
		assert_int_equal(world.census[id].live, version->live);
		assert_int_equal(version->opened, version->live + version->ended_fin + version->ended_reset_client +
						      version->ended_reset_server + version->ended_idle +
						      version->ended_forced + version->ended_vanished);
	}
	assert_int_equal(world_pins_each(&world, NULL, NULL), world.meta->pins);
}

static const char *const any_words[] = {
    "syn",       "synack", "ack",  "data",      "sdata",        "fin",       "sfin",
    "fin-after", "rst",    "srst", "syn-other", "synack-other", "ack-other",
};

static const char *any_word(uint8_t protocol)
{
	if (protocol == IPPROTO_UDP)
		return any(2) ? "ask" : "answer";
	return any_words[any(sizeof(any_words) / sizeof(*any_words))];
}

/* Bytes of the headers at random: whatever comes of it, nothing breaks and nothing is counted twice. */
static void check_random_bytes(bool is_v4, uint8_t protocol)
{
	struct packet packet;
	struct frame in, out;
	struct scene scene;
	bool from_client;
	int i, k;

	scene_live(&scene, is_v4, protocol);
	for (i = 0; i < 4000; i++) {
		scene_packet(&scene, any_word(protocol), &packet, &from_client);
		packet.tags = (int)any(3);
		packet.extensions = (uint8_t)any(3);
		packet_build(&in, &packet);
		for (k = (int)any(5); k > 0; k--)
			in.bytes[6 + any(84)] = (uint8_t)any(256);
		check_once(hooks[i % 3], &in, &out);
	}
	check_counts();
}

static void test_random_bytes(void **state)
{
	(void)state;
	check_random_bytes(true, IPPROTO_TCP);
	check_random_bytes(false, IPPROTO_TCP);
	check_random_bytes(true, IPPROTO_UDP);
	check_random_bytes(false, IPPROTO_UDP);
}

/* Right packets of every kind, at random: what leaves has right checksums. */
static void check_random_packets(bool is_v4, uint8_t protocol)
{
	struct packet packet;
	struct frame in, out;
	struct scene scene;
	bool from_client;
	int i;

	scene_live(&scene, is_v4, protocol);
	for (i = 0; i < 4000; i++) {
		scene_port(&scene, (uint16_t)(40000 + any(20)));
		scene_packet(&scene, any_word(protocol), &packet, &from_client);
		packet.tags = (int)any(3);
		packet.ttl = (uint8_t)any(256);
		packet.ip_options = (uint8_t)(4 * any(11));
		packet.extensions = (uint8_t)any(4);
		packet.extension_units = (uint8_t)any(6);
		packet.tcp_options = (uint8_t)(4 * any(9));
		packet.payload = (uint16_t)any(300);
		packet.fill = (uint8_t)any(256);
		packet.padding = (uint16_t)any(20);
		packet.no_checksum = is_v4 && protocol == IPPROTO_UDP && !any(4);
		packet.flags |= (uint8_t)(any(4) ? 0 : any(256));
		packet.seq += any(4) ? 0 : any(5000);
		packet_build(&in, &packet);
		if (check_once(hooks[i % 3], &in, &out) && frame_check(&out))
			fail_msg("packet %d at %s: %s is wrong", i, hook_name(hooks[i % 3]), frame_check(&out));
	}
	check_counts();
}

static void test_random_packets(void **state)
{
	(void)state;
	check_random_packets(true, IPPROTO_TCP);
	check_random_packets(false, IPPROTO_TCP);
	check_random_packets(true, IPPROTO_UDP);
	check_random_packets(false, IPPROTO_UDP);
}

int main(void)
{
	const struct world_config config = {.pins = 512, .nursery = 512};
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cut_tcp),     cmocka_unit_test(test_cut_udp),      cmocka_unit_test(test_lies_tcp),
	    cmocka_unit_test(test_lies_udp),    cmocka_unit_test(test_icmp_passes),  cmocka_unit_test(test_not_ip),
	    cmocka_unit_test(test_length_zero), cmocka_unit_test(test_random_bytes), cmocka_unit_test(test_random_packets),
	};
	int failed;

	if (world_is_impossible())
		return 77; /* skipped */
	if (world_open(&world, &config))
		return 1;
	failed = cmocka_run_group_tests_name("untouched", tests, NULL, NULL);
	if (refused_by_kernel)
		printf("skipped: %u packets that are too short for BPF_PROG_TEST_RUN on this kernel\n", refused_by_kernel);
	world_close(&world);
	return failed ? 1 : 0;
}
