/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The words of the tests: packets as clients and backends send them, and events. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/bpf/scene.h"

/* --- the cast ----------------------------------------------------------------------------------------------------------- */

static bool is_one_armed(enum path path)
{
	return path == PATH_XDP_ARM || path == PATH_TC_ARM;
}

const char *path_name(enum path path)
{
	static const char *const names[PATHS] = {"xdp", "xdp one-armed", "xdp, stack", "tc", "tc one-armed", "tc egress"};

	return names[path];
}

struct endpoint scene_backend(const struct scene *scene, uint32_t id)
{
	char text[48];

	if (scene->is_v4)
		snprintf(text, sizeof(text), is_one_armed(scene->path) ? "10.0.0.5%u" : "10.1.0.1%u", id);
	else
		snprintf(text, sizeof(text), is_one_armed(scene->path) ? "2001:db8::5%u" : "2001:db8:1::1%u", id);
	return at(text, (uint16_t)(8080 + id));
}

void scene_set(struct scene *scene, struct world *world, enum path path, bool is_v4, uint8_t protocol)
{
	uint32_t version;

	*scene = (struct scene){
	    .world = world,
	    .path = path,
	    .is_v4 = is_v4,
	    .protocol = protocol,
	    .client = is_v4 ? at("10.0.0.77", 40000) : at("2001:db8::77", 40000),
	    .service = is_v4 ? at("10.0.0.1", 80) : at("2001:db8::1", 80),
	    .client_isn = 0xffffff00,
	    .server_isn = 0xfffffff8,
	};
	world_reset(world);
	if (path == PATH_XDP_STACK)
		world_hook(world, &world->lan, RAINBOW_HOOK_NONE);
	if (path >= PATH_TC) {
		world_hook(world, &world->lan, RAINBOW_HOOK_TC);
		world_hook(world, &world->wan, RAINBOW_HOOK_TC);
	}
	world_add_service(world, 1, scene->service, protocol);
	for (version = 1; version <= 3; version++) {
		world_add_version(world, version, 1);
		world_add_backend(world, 2 * version - 1, version, scene_backend(scene, 2 * version - 1), protocol);
		world_add_backend(world, 2 * version, version, scene_backend(scene, 2 * version), protocol);
	}
	world_turn_wheel(world, 1, 1);
}

void scene_port(struct scene *scene, uint16_t port)
{
	scene->client.port = port;
}

struct rainbow_flow scene_flow(const struct scene *scene)
{
	return (struct rainbow_flow){.client = scene->client.addr, .port = scene->client.port, .service = 1};
}

uint32_t scene_pinned(const struct scene *scene)
{
	struct rainbow_flow flow = scene_flow(scene);
	struct rainbow_nursling nursling;
	struct rainbow_pin pin;

	/* A handshake over an ended session's pin is the newer. */
	if (world_nursling(scene->world, &flow, &nursling))
		return nursling.backend;
	return world_pin(scene->world, &flow, &pin) ? pin.backend : 0;
}

enum hook scene_hook(const struct scene *scene, bool from_client)
{
	if (scene->path == PATH_TC_EGRESS || scene->path == PATH_XDP_STACK) {
		if (!from_client)
			return HOOK_EGRESS;
	}
	return scene->path <= PATH_XDP_STACK ? HOOK_XDP : HOOK_INGRESS;
}

const struct device *scene_device(const struct scene *scene, bool from_client)
{
	bool lan = !from_client && !is_one_armed(scene->path) && scene_hook(scene, false) != HOOK_EGRESS;

	return lan ? &scene->world->lan : &scene->world->wan;
}

/* --- packets ------------------------------------------------------------------------------------------------------------ */

#define FAR 5000000 /* beyond any window here */

/* Sequence numbers count from the initial ones. */
static const struct word {
	const char *name;
	bool from_server;
	uint8_t flags;
	int32_t seq;
	int32_t ack;
	uint16_t payload;
	int scale;
} words[] = {
    /* handshake */
    {"syn", 0, TCP_SYN, 0, 0, 0, 7},
    {"syn-plain", 0, TCP_SYN, 0, 0, 0, NO_SCALE},
    {"syn-other", 0, TCP_SYN, 100000, 0, 0, 7},
    {"syn+rst", 0, TCP_SYN | TCP_RST, 0, 0, 0, NO_SCALE},
    {"syn+fin", 0, TCP_SYN | TCP_FIN, 0, 0, 0, NO_SCALE},
    {"csynack", 0, TCP_SYN | TCP_ACK, 0, 1, 0, NO_SCALE},
    {"synack", 1, TCP_SYN | TCP_ACK, 0, 1, 0, 9},
    {"synack-plain", 1, TCP_SYN | TCP_ACK, 0, 1, 0, NO_SCALE},
    {"synack-wrong", 1, TCP_SYN | TCP_ACK, 0, FAR, 0, 9},
    {"synack-other", 1, TCP_SYN | TCP_ACK, 70000, 100001, 0, 9},
    {"ack", 0, TCP_ACK, 1, 1, 0, NO_SCALE},
    {"ack-low", 0, TCP_ACK, 1, 0, 0, NO_SCALE},
    {"ack-high", 0, TCP_ACK, 1, 2, 0, NO_SCALE},
    {"ack-far", 0, TCP_ACK, FAR, 1, 0, NO_SCALE},
    {"ack-other", 0, TCP_ACK, 100001, 70001, 0, NO_SCALE},
    {"ack+data", 0, TCP_ACK | TCP_PSH, 1, 1, 33, NO_SCALE},
    {"ack+fin", 0, TCP_ACK | TCP_FIN, 1, 1, 0, NO_SCALE},
    {"searly", 1, TCP_ACK | TCP_PSH, 1, 1, 50, NO_SCALE},
    {"ack-early", 0, TCP_ACK, 1, 51, 0, NO_SCALE},
    {"srefuse", 1, TCP_RST | TCP_ACK, 0, 1, 0, NO_SCALE},
    {"srefuse-wrong", 1, TCP_RST | TCP_ACK, 0, FAR, 0, NO_SCALE},
    /* a session */
    {"data", 0, TCP_ACK | TCP_PSH, 1, 1, 100, NO_SCALE},
    {"sdata", 1, TCP_ACK | TCP_PSH, 1, 1, 200, NO_SCALE},
    {"fin", 0, TCP_ACK | TCP_FIN, 1, 1, 0, NO_SCALE},
    {"sfin", 1, TCP_ACK | TCP_FIN, 1, 1, 0, NO_SCALE},
    {"fin-after", 0, TCP_ACK | TCP_FIN, 1, 2, 0, NO_SCALE}, /* acknowledges the other's FIN */
    {"sfin-after", 1, TCP_ACK | TCP_FIN, 1, 2, 0, NO_SCALE},
    {"fin-far", 0, TCP_ACK | TCP_FIN, FAR, 1, 0, NO_SCALE},
    {"fin-unsent", 0, TCP_ACK | TCP_FIN, 1, FAR, 0, NO_SCALE}, /* acknowledges what was never sent */
    {"fin-bare", 0, TCP_FIN, 1, 0, 0, NO_SCALE},
    {"sfin-far", 1, TCP_ACK | TCP_FIN, FAR, 1, 0, NO_SCALE},
    {"sdata-after", 1, TCP_ACK | TCP_PSH, 1, 2, 200, NO_SCALE},
    {"ack-after", 0, TCP_ACK, 2, 2, 0, NO_SCALE},
    {"sack-after", 1, TCP_ACK, 2, 2, 0, NO_SCALE},
    {"rst", 0, TCP_RST, 1, 0, 0, NO_SCALE},
    {"rst+ack", 0, TCP_RST | TCP_ACK, 1, 1, 0, NO_SCALE},
    {"rst-far", 0, TCP_RST, FAR, 0, 0, NO_SCALE},
    {"rst-low", 0, TCP_RST, -1, 0, 0, NO_SCALE},
    {"rst-after-data", 0, TCP_RST, 101, 0, 0, NO_SCALE},
    {"rst-before-it", 0, TCP_RST, 100, 0, 0, NO_SCALE},
    {"sack-data", 1, TCP_ACK, 1, 101, 0, NO_SCALE},
    {"fin-old", 0, TCP_ACK | TCP_FIN, 0, 1, 0, NO_SCALE}, /* one number too low: acknowledged */
    {"srst-before-it", 1, TCP_RST, 200, 0, 0, NO_SCALE},
    {"rst-after", 0, TCP_RST, 2, 0, 0, NO_SCALE}, /* behind its own FIN */
    {"srst", 1, TCP_RST, 1, 0, 0, NO_SCALE},
    {"srst-far", 1, TCP_RST, FAR, 0, 0, NO_SCALE},
    {"none", 0, 0, 1, 0, 0, NO_SCALE}, /* no flag at all */
    {"xmas", 0, 0xff & ~(TCP_RST | TCP_SYN), 1, 1, 1, NO_SCALE},
    /* UDP: the numbers mean nothing */
    {"ask", 0, 0, 0, 0, 40, NO_SCALE},
    {"answer", 1, 0, 0, 0, 60, NO_SCALE},
};

static const struct word *word_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strcmp(words[i].name, name))
			return &words[i];
	return NULL;
}

/* Ethernet as it is where the packet comes in; at egress the stack has put on what nobody reads. */
static void packet_set_macs(const struct scene *scene, struct packet *packet, bool from_client)
{
	memcpy(packet->target_mac, scene_device(scene, from_client)->mac, 6);
	memcpy(packet->source_mac, from_client ? MAC_CLIENT : MAC_BACKEND, 6);
}

bool scene_packet(const struct scene *scene, const char *name, struct packet *packet, bool *from_client)
{
	const struct word *word = word_find(name);
	uint32_t backend = scene_pinned(scene);

	if (!word)
		return false;
	*from_client = !word->from_server;
	*packet = (struct packet){
	    .protocol = scene->protocol,
	    .ttl = 61,
	    .flags = word->flags,
	    .window = 500,
	    .scale = word->scale,
	    .payload = word->payload,
	    .fill = 'A',
	    .seq = (word->from_server ? scene->server_isn : scene->client_isn) + (uint32_t)word->seq,
	    .source = scene->client,
	    .target = scene->service,
	};
	if (word->flags & TCP_ACK)
		packet->ack = (word->from_server ? scene->client_isn : scene->server_isn) + (uint32_t)word->ack;
	if (word->from_server) {
		packet->source = scene_backend(scene, backend ? backend : 1);
		packet->target = scene->client;
	}
	packet_set_macs(scene, packet, *from_client);
	return true;
}

int scene_send(const struct scene *scene, const struct packet *packet, bool from_client, struct frame *out)
{
	struct frame in;

	packet_build(&in, packet);
	return world_run(scene->world, scene_hook(scene, from_client), scene_device(scene, from_client), &in, out);
}

/* --- what should come out ----------------------------------------------------------------------------------------------- */

static int action_passes(enum hook hook)
{
	return hook == HOOK_XDP ? XDP_PASS : TC_ACT_UNSPEC;
}

/* Leaves here itself: MACs in XDP (the TC helper puts them on later), TTL lowered. */
static int expect_sent(const struct scene *scene, struct packet *packet, bool from_client)
{
	const struct device *out = scene_device(scene, !from_client);

	packet->ttl--;
	if (scene_hook(scene, from_client) != HOOK_XDP)
		return TC_ACT_REDIRECT;
	memcpy(packet->source_mac, out->mac, 6);
	memcpy(packet->target_mac, from_client ? MAC_BACKEND : MAC_CLIENT, 6);
	return is_one_armed(scene->path) ? XDP_TX : XDP_REDIRECT;
}

static int expect_forwarded(const struct scene *scene, struct packet *packet, bool from_client)
{
	enum hook hook = scene_hook(scene, from_client);

	if (hook == HOOK_EGRESS || scene->path == PATH_XDP_STACK)
		return action_passes(hook);
	return expect_sent(scene, packet, from_client);
}

/* RFC 9293, 3.10.7.1. */
static int expect_reset(const struct scene *scene, struct packet *packet, bool from_client)
{
	struct endpoint end = packet->source;
	uint32_t sent = packet->payload + !!(packet->flags & TCP_SYN) + !!(packet->flags & TCP_FIN);
	bool acknowledges = packet->flags & TCP_ACK;
	uint8_t mac[6];

	packet->source = packet->target;
	packet->target = end;
	memcpy(mac, packet->source_mac, 6);
	memcpy(packet->source_mac, packet->target_mac, 6);
	memcpy(packet->target_mac, mac, 6);
	packet->ack = acknowledges ? packet->ack : packet->seq + sent;
	packet->seq = acknowledges ? packet->ack : 0;
	packet->ack = acknowledges ? 0 : packet->ack;
	packet->flags = acknowledges ? TCP_RST : TCP_RST | TCP_ACK;
	packet->ttl = 64;
	packet->window = 0;
	packet->payload = packet->padding = packet->tcp_options = 0;
	packet->scale = NO_SCALE;
	return scene_hook(scene, from_client) == HOOK_XDP ? XDP_TX : TC_ACT_REDIRECT;
}

bool scene_expect(const struct scene *scene, enum fate fate, const struct packet *in, bool from_client, uint32_t backend,
		  struct frame *out, int *action)
{
	enum hook hook = scene_hook(scene, from_client);
	struct packet expected = *in;

	*action = action_passes(hook);
	switch (fate) {
	case FATE_TO_BACKEND:
		expected.target = scene_backend(scene, backend);
		*action = expect_forwarded(scene, &expected, from_client);
		break;
	case FATE_TO_CLIENT:
		expected.source = scene->service;
		*action = expect_forwarded(scene, &expected, from_client);
		break;
	case FATE_BY_STACK_TO_BACKEND:
		expected.target = scene_backend(scene, backend);
		break;
	case FATE_RESETS:
		*action = expect_reset(scene, &expected, from_client);
		break;
	case FATE_DROPPED:
		*action = hook == HOOK_XDP ? XDP_DROP : TC_ACT_SHOT;
		return false;
	default:
		break;
	}
	packet_build(out, &expected);
	return true;
}

/* --- events ------------------------------------------------------------------------------------------------------------- */

static void on_kill(struct scene *scene)
{
	struct rainbow_flow flow = scene_flow(scene);

	world_kill(scene->world, &flow, 0, RAINBOW_END_FORCED);
}

static void on_sweep(struct scene *scene)
{
	world_sweep(scene->world, 0);
}

static void on_turn(struct scene *scene) /* all new sessions to version 2 */
{
	world_turn_wheel(scene->world, 1, 2);
}

static void on_empty(struct scene *scene) /* no version has a share */
{
	world_turn_wheel(scene->world, 1, 0);
}

static void on_drain(struct scene *scene)
{
	scene->world->version[1].state = RAINBOW_VERSION_DRAINING;
}

static void on_drained(struct scene *scene)
{
	scene->world->version[1].state = RAINBOW_VERSION_DRAINED;
}

static void on_deadline(struct scene *scene) /* the hour has come, in the kernel's own reckoning */
{
	scene->world->backend[1].close_after = scene->world->backend[2].close_after = 1;
}

static void on_sick(struct scene *scene)
{
	scene->world->backend[1].healthy = scene->world->backend[2].healthy = 0;
}

static void on_leave(struct scene *scene)
{
	scene->world->backend[1].state = scene->world->backend[2].state = RAINBOW_BACKEND_LEAVING;
}

static void on_full(struct scene *scene) /* somebody else's sessions take all places */
{
	scene->world->backend[1].max_sessions = scene->world->backend[1].live = 3;
	scene->world->backend[2].max_sessions = scene->world->backend[2].live = 3;
}

/* Fills the pin table to the last place with sessions of others. */
static void on_table_full(struct scene *scene)
{
	struct rainbow_pin pin = {
	    .state = RAINBOW_PIN_LIVE, .version = 3, .backend = 5, .kind = RAINBOW_PIN_SESSION, .opened = 1};
	struct rainbow_flow flow = {.client = scene->service.addr, .service = 2};
	uint32_t i;

	for (i = (uint32_t)scene->world->meta->pins; i < scene->world->meta->pin_limit; i++) {
		flow.port = (uint16_t)(i + 1);
		world_put_pin(scene->world, &flow, &pin);
	}
	scene->world->meta->pins = i;
}

static void on_hold(struct scene *scene) /* pins are being carried over into another table */
{
	scene->world->meta->hold = RAINBOW_HOLD_COPYING;
}

static void on_drop_strays(struct scene *scene)
{
	scene->world->service[1].stray = RAINBOW_STRAY_DROP;
}

static void on_pass_strays(struct scene *scene)
{
	scene->world->service[1].stray = RAINBOW_STRAY_PASS;
}

/* The client's entry in the nursery, or its pin, as though it were of a while ago. */
static void age(struct scene *scene, uint32_t seconds)
{
	struct rainbow_flow flow = scene_flow(scene);
	uint32_t ticks = seconds * scene->world->meta->hz;
	struct rainbow_nursling nursling;
	struct rainbow_pin pin;

	if (world_nursling(scene->world, &flow, &nursling)) {
		nursling.began -= ticks;
		world_put_nursling(scene->world, &flow, &nursling);
	}
	if (world_pin(scene->world, &flow, &pin)) {
		pin.last_seen -= ticks;
		world_put_pin(scene->world, &flow, &pin);
	}
}

static void on_seconds(struct scene *scene)
{
	age(scene, 3);
}

static void on_minutes(struct scene *scene)
{
	age(scene, 120);
}

static void on_hours(struct scene *scene)
{
	age(scene, 7200);
}

static const struct event {
	const char *name;
	void (*happens)(struct scene *scene);
} events[] = {
    {"kill", on_kill},
    {"sweep", on_sweep},
    {"turn", on_turn},
    {"empty", on_empty},
    {"drain", on_drain},
    {"drained", on_drained},
    {"deadline", on_deadline},
    {"sick", on_sick},
    {"leave", on_leave},
    {"full", on_full},
    {"table-full", on_table_full},
    {"hold", on_hold},
    {"drop-strays", on_drop_strays},
    {"pass-strays", on_pass_strays},
    {"seconds", on_seconds},
    {"minutes", on_minutes},
    {"hours", on_hours},
};

static void event_happens(struct scene *scene, const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(events) / sizeof(*events); i++) {
		if (!strcmp(events[i].name, name)) {
			events[i].happens(scene);
			return;
		}
	}
	fprintf(stderr, "scene: no word '%s'\n", name);
	abort();
}

void scene_play(struct scene *scene, const char *script)
{
	char copy[512], *rest = copy, *name;
	struct packet packet;
	struct frame out;
	bool from_client;

	snprintf(copy, sizeof(copy), "%s", script ? script : "");
	while ((name = strsep(&rest, " "))) {
		if (!*name)
			continue;
		if (scene_packet(scene, name, &packet, &from_client))
			scene_send(scene, &packet, from_client, &out);
		else
			event_happens(scene, name);
	}
}
