/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A scene: one client, one service, its versions and backends, and words for the packets they send and for what happens to
 * them. "syn synack ack" is a session; "syn synack ack kill" is one that was told to die. The words are in scene.c.
 *
 * A scene is played on a path: which hook sees requests, which sees replies, and how packets go on from there.
 */
#ifndef RAINBOW_TEST_SCENE_H
#define RAINBOW_TEST_SCENE_H

#include "tests/bpf/world.h"

enum path {
	PATH_XDP,       /* XDP on both interfaces: redirected from one to the other */
	PATH_XDP_ARM,   /* XDP, backends on the clients' interface: sent back out of it */
	PATH_XDP_STACK, /* XDP on wan0 only: the stack routes requests on, replies are restored by TC at wan0's egress */
	PATH_TC,        /* TC ingress on both */
	PATH_TC_ARM,    /* TC ingress, backends on the clients' interface */
	PATH_TC_EGRESS, /* TC ingress for requests, egress for replies */
	PATHS,
};

struct scene {
	struct world *world;
	enum path path;
	bool is_v4;
	uint8_t protocol;
	struct endpoint client;
	struct endpoint service;
	/* What the client and the backend start at. Chosen so that sequence numbers wrap soon. */
	uint32_t client_isn;
	uint32_t server_isn;
};

/* What becomes of a packet. */
enum fate {
	FATE_NONE = 0,
	FATE_PASSES,     /* untouched, byte for byte */
	FATE_TO_BACKEND, /* rewritten and sent, or given to the stack where the path says so */
	FATE_TO_CLIENT,
	FATE_BY_STACK_TO_BACKEND, /* rewritten, and left to the stack whatever the path is; its TTL is the stack's to lower */
	FATE_RESETS,              /* its sender gets an RST */
	FATE_DROPPED,
};

/* Version 1 of service 1 takes everything; versions 2 and 3 have no share. Version v has backends 2v-1 and 2v. */
void scene_set(struct scene *scene, struct world *world, enum path path, bool is_v4, uint8_t protocol);
const char *path_name(enum path path);
struct endpoint scene_backend(const struct scene *scene, uint32_t id);
struct rainbow_flow scene_flow(const struct scene *scene);
/* Which backend has the client's session, by pin or nursery; 0 none. */
uint32_t scene_pinned(const struct scene *scene);

/* Where a client's packets, a backend's packets come in. */
enum hook scene_hook(const struct scene *scene, bool from_client);
const struct device *scene_device(const struct scene *scene, bool from_client);

/* A packet by its word; false if the word is an event. From the backend of the session, or from backend 1. */
bool scene_packet(const struct scene *scene, const char *word, struct packet *packet, bool *from_client);
/* What should leave for `in`, coming from that side: its bytes and the action. False for FATE_DROPPED: nothing leaves. */
bool scene_expect(const struct scene *scene, enum fate fate, const struct packet *in, bool from_client, uint32_t backend,
		  struct frame *out, int *action);

/* Sends one packet; returns the action. */
int scene_send(const struct scene *scene, const struct packet *packet, bool from_client, struct frame *out);
/* Plays a script, words parted by blanks; aborts at an unknown one. */
void scene_play(struct scene *scene, const char *script);

/* The same client with another port. */
void scene_port(struct scene *scene, uint16_t port);

#endif
