/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sessions: how they open, end and are counted. Every change of a pin's state is a compare-and-swap, and only its winner
 * counts, so that each session is counted once however many CPUs see its last packet. The states and arrows are drawn in
 * headers/rainbow/maps.h.
 */
#ifndef RAINBOW_BPF_SESSION_H
#define RAINBOW_BPF_SESSION_H

#include "maps.h"

/*
 * Functions without `static` are verified once, for any arguments, instead of at each call: that keeps loading fast. They must
 * look whether their pointers are NULL.
 */

static __always_inline int pin_is_live(enum rainbow_pin_state state)
{
	return state == RAINBOW_PIN_LIVE || state == RAINBOW_PIN_HALF_CLIENT || state == RAINBOW_PIN_HALF_SERVER;
}

/* 1 for the one caller that made the change. */
static __always_inline int pin_move(struct rainbow_pin *pin, enum rainbow_pin_state from, enum rainbow_pin_state to)
{
	return __sync_val_compare_and_swap((__u32 *)&pin->state, from, to) == from;
}

/* "Last seen" is written only when it changed: a busy session's cache line is dirtied once a tick, not once a packet. */
static __always_inline void pin_touch(struct rainbow_pin *pin)
{
	__u32 now = jiffies_now();

	if (pin->last_seen != now)
		pin->last_seen = now;
}

/* What was counted when a session opened, and is uncounted now. */
static __always_inline void count_end(__u32 version_id, __u32 backend_id, enum rainbow_end reason)
{
	struct rainbow_version *version = version_get(version_id);
	struct rainbow_backend *backend = backend_get(backend_id);

	if (backend)
		__sync_fetch_and_add(&backend->live, -1);
	if (!version)
		return;
	/* `ended` before `live`: a reader between the two sees a session more, never one less (nothing is cleaned up on it). */
	if (reason == RAINBOW_END_FIN)
		__sync_fetch_and_add(&version->ended_fin, 1);
	else if (reason == RAINBOW_END_RESET_CLIENT)
		__sync_fetch_and_add(&version->ended_reset_client, 1);
	else if (reason == RAINBOW_END_RESET_SERVER)
		__sync_fetch_and_add(&version->ended_reset_server, 1);
	else if (reason == RAINBOW_END_IDLE)
		__sync_fetch_and_add(&version->ended_idle, 1);
	else
		__sync_fetch_and_add(&version->ended_forced, 1);
	__sync_fetch_and_add(&version->live, -1);
}

static __always_inline void count_closing(__u32 version_id, __s64 change)
{
	struct rainbow_version *version = version_get(version_id);

	if (version)
		__sync_fetch_and_add(&version->closing, change);
}

static __always_inline void count_pins(__s64 change)
{
	struct rainbow_meta *meta = meta_get();

	if (meta)
		__sync_fetch_and_add(&meta->pins, change);
}

static __always_inline void count_refused(__u32 version_id)
{
	struct rainbow_version *version = version_get(version_id);

	if (version)
		__sync_fetch_and_add(&version->refused, 1);
}

/* The key of the client session that a flow belongs to. */
static __always_inline void client_key(struct rainbow_flow *key, const struct rainbow_flow *flow, const struct rainbow_service *service)
{
	*key = *flow;
	key->port = 0;
	rainbow_client_mask(&key->client, service->client_prefix);
}

static __always_inline int client_is_live(const struct rainbow_pin *client)
{
	return client->state == RAINBOW_PIN_LIVE && !(client->flows & RAINBOW_FLOWS_ENDED);
}

/* Ends a client session that has no flow. 1 for the caller that ended it; 0: it has ended already, or a flow came. */
static __always_inline int client_end_empty(struct rainbow_pin *client, enum rainbow_end reason)
{
	if (__sync_val_compare_and_swap(&client->flows, 0, RAINBOW_FLOWS_ENDED) != 0)
		return 0;
	if (pin_move(client, RAINBOW_PIN_LIVE, RAINBOW_PIN_DEAD)) {
		client->last_seen = jiffies_now();
		count_end(client->version, client->backend, reason);
	}
	return 1;
}

/*
 * A flow of a client session has ended. With the last one the session stays for its idle timeout; in a draining version it
 * ends, so that the client starts its next session elsewhere.
 */
__noinline int client_leave(const struct rainbow_flow *flow, const struct rainbow_pin *pin, enum rainbow_end reason)
{
	struct rainbow_service *service;
	struct rainbow_version *version;
	struct rainbow_pin *client;
	struct rainbow_flow key;

	if (!flow || !pin)
		return 0;
	service = service_get(flow->service);
	if (!service)
		return 0;
	client_key(&key, flow, service);
	client = bpf_map_lookup_elem(&rainbow_pin, &key);
	/* Younger than the flow: the session it belonged to was closed, this is the client's next one. */
	if (!client || client->version != pin->version || client->opened > pin->opened)
		return 0;
	client->last_seen = jiffies_now();
	if (__sync_fetch_and_add(&client->flows, -1) != 1)
		return 0;
	version = version_get(client->version);
	if (version && version->state == RAINBOW_VERSION_DRAINING)
		client_end_empty(client, reason);
	return 0;
}

/* Ends a flow's pin: live `from` to CLOSING or KILLED. Returns 1 for the caller that ended it. */
__noinline int pin_end(const struct rainbow_flow *flow, struct rainbow_pin *pin, enum rainbow_pin_state to, enum rainbow_end reason)
{
	enum rainbow_pin_state from;

	if (!flow || !pin)
		return 0;
	from = pin->state;
	if (!pin_is_live(from) || !pin_move(pin, from, to))
		return 0;
	pin->last_seen = jiffies_now();
	if (pin->kind == RAINBOW_PIN_FLOW) {
		client_leave(flow, pin, reason);
		return 1;
	}
	count_closing(pin->version, 1);
	count_end(pin->version, pin->backend, reason);
	return 1;
}

/*
 * Tells a session, or one flow of a client session, to die. Tries again where a FIN or the like changed the state meanwhile:
 * a live session has only two states to go through.
 */
static __always_inline int pin_kill(const struct rainbow_flow *flow, struct rainbow_pin *pin, enum rainbow_end reason)
{
	int i;

	for (i = 0; i < 4; i++) {
		if (!pin_is_live(pin->state))
			return 0;
		if (pin_end(flow, pin, RAINBOW_PIN_KILLED, reason))
			return 1;
	}
	return 0;
}

/* Tells a client session to die: no flow joins it any more. Its flows are told one by one. */
static __always_inline int client_kill(struct rainbow_pin *client, enum rainbow_end reason)
{
	if (!pin_move(client, RAINBOW_PIN_LIVE, RAINBOW_PIN_KILLED))
		return 0;
	__sync_fetch_and_or(&client->flows, RAINBOW_FLOWS_ENDED);
	client->last_seen = jiffies_now();
	client->told = RAINBOW_TOLD_BOTH;
	count_closing(client->version, 1);
	count_end(client->version, client->backend, reason);
	return 1;
}

/* What a TCP segment of a live session did to it. */
static __always_inline void pin_finish(const struct rainbow_flow *flow, struct rainbow_pin *pin, enum rainbow_pin_state mine,
				       enum rainbow_pin_state others)
{
	if (pin_move(pin, RAINBOW_PIN_LIVE, mine))
		return;
	if (pin->state == others)
		pin_end(flow, pin, RAINBOW_PIN_CLOSING, RAINBOW_END_FIN);
}

static __always_inline void pin_step_client(const struct rainbow_flow *flow, struct rainbow_pin *pin, struct rainbow_segment *segment,
					    __u16 window)
{
	enum rainbow_tcp_event event;

	segment->window = (__u32)window << (pin->client_scale & 15);
	event = rainbow_tcp_step(&pin->client, &pin->server, segment);
	if (event == RAINBOW_TCP_FINISHED)
		pin_finish(flow, pin, RAINBOW_PIN_HALF_CLIENT, RAINBOW_PIN_HALF_SERVER);
	else if (event == RAINBOW_TCP_RESET)
		pin_end(flow, pin, RAINBOW_PIN_CLOSING, RAINBOW_END_RESET_CLIENT);
}

static __always_inline void pin_step_server(const struct rainbow_flow *flow, struct rainbow_pin *pin, struct rainbow_segment *segment,
					    __u16 window)
{
	enum rainbow_tcp_event event;

	segment->window = (__u32)window << (pin->server_scale & 15);
	event = rainbow_tcp_step(&pin->server, &pin->client, segment);
	if (event == RAINBOW_TCP_FINISHED)
		pin_finish(flow, pin, RAINBOW_PIN_HALF_SERVER, RAINBOW_PIN_HALF_CLIENT);
	else if (event == RAINBOW_TCP_RESET)
		pin_end(flow, pin, RAINBOW_PIN_CLOSING, RAINBOW_END_RESET_SERVER);
}

/*
 * Takes one of the backend's places. Reserved before the pin is made and given back if that fails, so max_sessions holds
 * exactly however many handshakes complete at once.
 */
static __always_inline int backend_reserve(struct rainbow_backend *backend)
{
	__u64 before = __sync_fetch_and_add(&backend->live, 1);

	if (!backend->max_sessions || before < backend->max_sessions)
		return 1;
	__sync_fetch_and_add(&backend->live, -1);
	return 0;
}

enum opened {
	OPENED,         /* this call opened it */
	OPENED_ALREADY, /* another CPU did, a moment ago */
	OPENED_RETRY,   /* the entry is about to be freed: let the sender repeat */
	OPENED_FULL,    /* the pin table is full */
	OPENED_NO_PLACE, /* the backend is full, or the client's session is on another one */
	OPENED_NO_VERSION, /* the version has drained meanwhile */
};

/*
 * Puts a pin under its key. Where an ended one still lies there it is made anew in place: deleting it would give its memory to
 * another flow while some CPU may still hold it.
 */
__noinline int pin_insert(const struct rainbow_flow *key, const struct rainbow_pin *fresh)
{
	enum rainbow_pin_state state;
	struct rainbow_pin *pin;
	long error;

	if (!key || !fresh)
		return OPENED_RETRY;
	error = bpf_map_update_elem(&rainbow_pin, key, fresh, BPF_NOEXIST);
	if (!error) {
		count_pins(1);
		return OPENED;
	}
	pin = bpf_map_lookup_elem(&rainbow_pin, key);
	if (!pin) /* full; or freed between the two calls, or a lock was held */
		return error == -7 /* E2BIG */ ? OPENED_FULL : OPENED_RETRY;
	state = pin->state;
	if (pin_is_live(state))
		return OPENED_ALREADY;
	if (state == RAINBOW_PIN_SETUP || state == RAINBOW_PIN_FREED || !pin_move(pin, state, RAINBOW_PIN_SETUP))
		return OPENED_RETRY;
	if (pin->kind != RAINBOW_PIN_FLOW && (state == RAINBOW_PIN_CLOSING || state == RAINBOW_PIN_KILLED))
		count_closing(pin->version, -1);
	pin->version = fresh->version;
	pin->backend = fresh->backend;
	pin->opened = fresh->opened;
	pin->last_seen = fresh->last_seen;
	pin->flows = fresh->flows;
	pin->client = fresh->client;
	pin->server = fresh->server;
	pin->hop = fresh->hop;
	pin->client_scale = fresh->client_scale;
	pin->server_scale = fresh->server_scale;
	pin->kind = fresh->kind;
	pin->told = 0;
	pin_move(pin, RAINBOW_PIN_SETUP, RAINBOW_PIN_LIVE);
	return OPENED;
}

static __always_inline void count_open(__u32 version_id)
{
	struct rainbow_version *version = version_get(version_id);

	if (!version)
		return;
	__sync_fetch_and_add(&version->live, 1);
	__sync_fetch_and_add(&version->opened, 1);
}

/* Opens a counted session: a flow of its own, or a client session. */
static __always_inline int session_open(const struct rainbow_flow *key, const struct rainbow_pin *fresh)
{
	struct rainbow_backend *backend = backend_get(fresh->backend);
	int opened;

	if (!backend || !backend_reserve(backend)) /* all places taken since the choice */
		return OPENED_NO_PLACE;
	opened = pin_insert(key, fresh);
	if (opened == OPENED)
		count_open(fresh->version);
	else
		__sync_fetch_and_add(&backend->live, -1);
	return opened;
}

/*
 * Joins the flow to its client's session, opening that if there is none. OPENED_NO_PLACE where the client's session is on
 * another version or backend than this flow's first packet went to (its nursery entry was churned out between two flows): the
 * flow is refused rather than the client split. `fresh` serves as the session's pin first and comes back as such.
 */
static __always_inline int client_join(const struct rainbow_flow *flow, const struct rainbow_service *service,
				       struct rainbow_pin *fresh)
{
	struct rainbow_pin *client;
	struct rainbow_flow key;
	int i, opened;

	client_key(&key, flow, service);
	fresh->kind = RAINBOW_PIN_CLIENT;
	fresh->flows = 1;
	for (i = 0; i < 2; i++) {
		client = bpf_map_lookup_elem(&rainbow_pin, &key);
		if (client && client_is_live(client)) {
			if (client->version != fresh->version || client->backend != fresh->backend)
				return OPENED_NO_PLACE;
			/* No undoing where it ended just now: the count of an ended session means nothing any more. */
			if (!(__sync_fetch_and_add(&client->flows, 1) & RAINBOW_FLOWS_ENDED))
				return OPENED;
		}
		opened = session_open(&key, fresh);
		if (opened == OPENED) /* from now on the session, and after it the weights, speak for this client */
			bpf_map_delete_elem(&rainbow_nursery, &key);
		if (opened != OPENED_ALREADY)
			return opened;
	}
	return OPENED_RETRY;
}

#endif
