/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sessions: how they open, end and are counted. Every change of a pin's state is a compare-and-swap, and only its winner
 * counts, so that each session is counted once however many CPUs see its last packet.
 */
#ifndef RAINBOW_BPF_SESSION_H
#define RAINBOW_BPF_SESSION_H

#include "packet.h"
#include "table.h"
#include "turn.h"
#include "way.h"

/*
 * Functions without `static` are verified once, for any arguments, instead of at each call: that keeps loading fast. They must
 * look whether their pointers are NULL, and (before Linux 6.2) may not hand them on to map helpers.
 */

/* What was counted when a session opened, and is uncounted now. */
static __always_inline void count_end(const struct pin_head *head, enum rainbow_end reason)
{
	struct rainbow_version *version = version_get(head->version);
	struct rainbow_backend *backend = backend_get(head->backend);

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
	else if (reason == RAINBOW_END_VANISHED)
		__sync_fetch_and_add(&version->ended_vanished, 1);
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

static __always_inline void count_chosen(__u32 version_id)
{
	struct rainbow_version *version = version_get(version_id);

	if (version)
		__sync_fetch_and_add(&version->chosen, 1);
}

static __always_inline void count_refused(__u32 version_id)
{
	struct rainbow_version *version = version_get(version_id);

	if (version)
		__sync_fetch_and_add(&version->refused, 1);
}

/* The key of the client session that a flow belongs to. */
static __always_inline void client_key(struct rainbow_flow *key, const struct rainbow_flow *flow,
				       const struct rainbow_service *service)
{
	*key = *flow;
	key->port = 0;
	rainbow_client_mask(&key->client, service->client_prefix);
}

static __always_inline int client_is_live(const struct rainbow_pin *client)
{
	return client->state == RAINBOW_PIN_LIVE && !(client->flows & RAINBOW_FLOWS_ENDED);
}

static __always_inline int client_has_flows(const struct rainbow_pin *client)
{
	return (client->flows & RAINBOW_FLOWS_COUNT) != 0;
}

/* How often a compare-and-swap is tried again. Each failure means that another CPU succeeded; so this many never fail. */
#define TRIES 32

/*
 * Takes the right to end a client session: sets the end in its word of flows, which only one caller can. if_empty: only while it
 * has no flow. The winner moves the pin to `to`.
 */
static __always_inline int client_end(const struct rainbow_flow *key, struct rainbow_pin *client, int if_empty,
				      enum rainbow_pin_state to, enum rainbow_end reason)
{
	struct pin_head head;
	__u32 flows;
	int i;

	for (i = 0; i < TRIES; i++) {
		flows = *(volatile __u32 *)&client->flows;
		if (client->state != RAINBOW_PIN_LIVE || (flows & RAINBOW_FLOWS_ENDED) ||
		    (if_empty && (flows & RAINBOW_FLOWS_COUNT)))
			return 0;
		if (__sync_val_compare_and_swap(&client->flows, flows, flows | RAINBOW_FLOWS_ENDED) != flows)
			continue;
		head = pin_head(client);
		if (!pin_move(client, &head, to))
			return 0;
		client->last_seen = jiffies_now();
		if (to == RAINBOW_PIN_KILLED)
			count_closing(head.version, 1);
		count_end(&head, reason);
		measure_ended(key, client);
		return 1;
	}
	return 0;
}

/* Ends a client session that has no flow. 1 for the caller that ended it; 0: it has ended already, or a flow came. */
static __always_inline int client_end_empty(const struct rainbow_flow *key, struct rainbow_pin *client, enum rainbow_end reason)
{
	return client_end(key, client, 1, RAINBOW_PIN_DEAD, reason);
}

/* Tells a client session to die: no flow joins it any more. Its flows are told one by one. */
static __always_inline int client_kill(const struct rainbow_flow *key, struct rainbow_pin *client, enum rainbow_end reason)
{
	return client_end(key, client, 0, RAINBOW_PIN_KILLED, reason);
}

/* Uncounts a flow of the session that it joined. 1 where it was the last one. */
static __always_inline int client_uncount(struct rainbow_pin *client, __u32 incarnation)
{
	__u32 flows;
	int i;

	for (i = 0; i < TRIES; i++) {
		flows = *(volatile __u32 *)&client->flows;
		if ((flows & RAINBOW_FLOWS_ENDED) || (flows & RAINBOW_FLOWS_INCARNATION) != incarnation ||
		    !(flows & RAINBOW_FLOWS_COUNT))
			return 0;
		if (__sync_val_compare_and_swap(&client->flows, flows, flows - 1) == flows)
			return (flows & RAINBOW_FLOWS_COUNT) == 1;
	}
	return 0;
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
	client = pin_find(&key);
	/* Younger than the flow: the session it belonged to was closed and freed, this is the client's next one. */
	if (!client || (__s32)client->opened > (__s32)pin->opened)
		return 0;
	client->last_seen = jiffies_now();
	if (!client_uncount(client, pin->flows & RAINBOW_FLOWS_INCARNATION))
		return 0;
	version = version_get(client->version);
	if (version && version->state == RAINBOW_VERSION_DRAINING)
		client_end_empty(&key, client, reason);
	return 0;
}

/* Ends a flow's pin: live to CLOSING or KILLED. Returns 1 for the caller that ended it. */
__noinline int pin_end(const struct rainbow_flow *flow, struct rainbow_pin *pin, enum rainbow_pin_state to,
		       enum rainbow_end reason)
{
	struct pin_head head;
	int i;

	if (!flow || !pin)
		return 0;
	for (i = 0; i < TRIES; i++) {
		head = pin_head(pin);
		if (!pin_is_live(head.state))
			return 0;
		if (pin_move(pin, &head, to))
			break;
	}
	if (i == TRIES)
		return 0;
	pin->last_seen = jiffies_now();
	if (pin->kind == RAINBOW_PIN_FLOW) {
		client_leave(flow, pin, reason);
		return 1;
	}
	count_closing(head.version, 1);
	count_end(&head, reason);
	measure_ended(flow, pin);
	return 1;
}

/* Tells a session, or one flow of a client session, to die. How often it was asked while it lived is another count. */
static __always_inline int pin_kill(const struct rainbow_flow *flow, struct rainbow_pin *pin, enum rainbow_end reason)
{
	if (pin_is_live(pin->state) && pin->asked)
		pin->asked = 0;
	return pin_end(flow, pin, RAINBOW_PIN_KILLED, reason);
}

/* One side has sent FIN: half closed, or, if the other side has too, the end. */
static __always_inline void pin_finish(const struct rainbow_flow *flow, struct rainbow_pin *pin, enum rainbow_pin_state mine,
				       enum rainbow_pin_state others)
{
	struct pin_head head = pin_head(pin);

	if (head.state == RAINBOW_PIN_LIVE && pin_move(pin, &head, mine))
		return;
	if (pin->state == others)
		pin_end(flow, pin, RAINBOW_PIN_CLOSING, RAINBOW_END_FIN);
}

/* The numbers of a snapshot, until a segment fits them. 0: the segment is not to be believed. A call, since few pins have such. */
static __noinline int pin_learn(struct rainbow_pin *pin, const struct rainbow_segment *segment, int from_client)
{
	if (rainbow_tcp_is_guess(from_client ? &pin->server : &pin->client, segment))
		return 0;
	if (from_client ? rainbow_tcp_learn_client(pin, segment) : rainbow_tcp_learn_server(pin, segment))
		__sync_fetch_and_and(&pin->flows, ~RAINBOW_FLOWS_STALE);
	return 1;
}

/* A segment of the client: what it tells is noted. A reset is the caller's to follow. */
static __always_inline enum rainbow_tcp_event pin_step_client(const struct rainbow_flow *flow, struct rainbow_pin *pin,
							      const struct rainbow_segment *segment)
{
	enum rainbow_tcp_event event;

	if ((pin->flows & RAINBOW_FLOWS_STALE) && !pin_learn(pin, segment, 1))
		return RAINBOW_TCP_NOTHING;
	if (turn_may_begin(pin, segment))
		turn_begin(flow, pin, segment);
	event = rainbow_tcp_step_client(pin, segment);
	if (event == RAINBOW_TCP_FINISHED)
		pin_finish(flow, pin, RAINBOW_PIN_HALF_CLIENT, RAINBOW_PIN_HALF_SERVER);
	return event;
}

static __always_inline enum rainbow_tcp_event pin_step_server(struct way *way, const struct rainbow_flow *flow,
							      struct rainbow_pin *pin)
{
	const struct rainbow_segment *segment = &way->packet.segment;
	enum rainbow_tcp_event event;

	if ((pin->flows & RAINBOW_FLOWS_STALE) && !pin_learn(pin, segment, 0))
		return RAINBOW_TCP_NOTHING;
	if (turn_may_end(pin, segment))
		way->answers = (__u8)turn_due(pin, segment);
	event = rainbow_tcp_step_server(pin, segment);
	if (event == RAINBOW_TCP_FINISHED)
		pin_finish(flow, pin, RAINBOW_PIN_HALF_SERVER, RAINBOW_PIN_HALF_CLIENT);
	return event;
}

/* A reset that its receiver takes. `seen`: jiffies of the packet before it. */
static __always_inline void pin_reset(const struct rainbow_flow *flow, struct rainbow_pin *pin, enum rainbow_end reason,
				      __u32 seen)
{
	if (pin_end(flow, pin, RAINBOW_PIN_CLOSING, reason))
		measure_reset(flow, pin, reason == RAINBOW_END_RESET_CLIENT, seen);
}

/* A request on the long way, where it is not worth being inline. */
static __noinline int pin_follow_client(const struct rainbow_flow *flow, struct rainbow_pin *pin, const struct packet *p)
{
	__u32 seen = pin_touch(pin);

	if (p->protocol == IPPROTO_TCP && pin_step_client(flow, pin, &p->segment) == RAINBOW_TCP_RESET)
		pin_reset(flow, pin, RAINBOW_END_RESET_CLIENT, seen);
	return 0;
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
	OPENED,            /* this call opened it */
	OPENED_ALREADY,    /* another CPU did, a moment ago */
	OPENED_RETRY,      /* the entry is about to be freed: let the sender repeat */
	OPENED_FULL,       /* the pin table is full */
	OPENED_NO_PLACE,   /* the backend is full, or the client's session is on another one */
	OPENED_NO_VERSION, /* the version has drained meanwhile */
};

/* Makes the pin that an ended session has left anew in its place. */
static __always_inline int pin_renew(struct rainbow_pin *pin, const struct rainbow_pin *fresh)
{
	struct pin_head head = pin_head(pin), next;

	if (pin_is_live(head.state))
		return OPENED_ALREADY;
	next = (struct pin_head){.state = RAINBOW_PIN_SETUP, .version = fresh->version, .backend = fresh->backend};
	if (!pin_is_settled(head.state) || !pin_replace(pin, &head, &next))
		return OPENED_RETRY;
	if (pin->kind != RAINBOW_PIN_FLOW && (head.state == RAINBOW_PIN_CLOSING || head.state == RAINBOW_PIN_KILLED))
		count_closing(head.version, -1);
	if (fresh->kind == RAINBOW_PIN_CLIENT)
		*(volatile __u32 *)&pin->flows = ((pin->flows + RAINBOW_FLOWS_NEXT) & RAINBOW_FLOWS_INCARNATION) | 1;
	else
		pin->flows = fresh->flows;
	pin_fill(pin, fresh);
	pin_move(pin, &next, RAINBOW_PIN_LIVE);
	return OPENED;
}

#define INSERT_TRIES 3

/* Puts a pin under its key, or makes the ended one there anew. Both lie on the stack. OPENED, _ALREADY, _RETRY or _FULL. */
static __noinline int pin_insert(const struct rainbow_flow *flow, struct rainbow_pin *fresh)
{
	struct rainbow_meta *meta = meta_get();
	enum placed placed;
	struct found found;
	struct spot spot;
	__u64 control;
	int i;

	spot_find(&spot, flow);
	if (!meta || !spot.bucket)
		return OPENED_FULL;
	for (i = 0; i < INSERT_TRIES; i++) {
		control = bucket_control(spot.bucket);
		found = bucket_find(&spot, control, flow);
		if (!found.pin && rainbow_overflow_of(control))
			found.pin = bpf_map_lookup_elem(&rainbow_pin, flow);
		if (found.pin)
			return pin_renew(found.pin, fresh);
		if (found.unsettled)
			return OPENED_RETRY;
		placed = place(&spot, control, found.crowded, meta, flow, fresh);
		if (placed != PLACED_LOST)
			return placed == PLACED ? OPENED : OPENED_FULL;
	}
	return OPENED_RETRY;
}

static __always_inline void count_open(__u32 version_id, __s64 change)
{
	struct rainbow_version *version = version_get(version_id);

	if (!version)
		return;
	__sync_fetch_and_add(&version->live, change);
	__sync_fetch_and_add(&version->opened, change);
}

/*
 * Opens a counted session: a flow of its own, or a client session. Counted before the pin can be found, and taken back if it is
 * not made: whoever ends it a moment later must not make the count one less than what lives.
 */
static __always_inline int session_open(const struct rainbow_flow *key, struct rainbow_pin *fresh)
{
	struct rainbow_backend *backend = backend_get(fresh->backend);
	int opened;

	if (!backend || !backend_reserve(backend)) /* all places taken since the choice */
		return OPENED_NO_PLACE;
	count_open(fresh->version, 1);
	opened = pin_insert(key, fresh);
	if (opened == OPENED) {
		measure_opened(key, fresh);
		return OPENED;
	}
	count_open(fresh->version, -1);
	__sync_fetch_and_add(&backend->live, -1);
	return opened;
}

/* Counts a flow into a live session; fresh->flows notes which. 0 where it has ended. */
static __always_inline int client_count(struct rainbow_pin *client, struct rainbow_pin *fresh)
{
	__u32 flows;
	int i;

	for (i = 0; i < TRIES; i++) {
		flows = *(volatile __u32 *)&client->flows;
		if ((flows & RAINBOW_FLOWS_ENDED) || (flows & RAINBOW_FLOWS_COUNT) == RAINBOW_FLOWS_COUNT)
			return 0;
		if (__sync_val_compare_and_swap(&client->flows, flows, flows + 1) != flows)
			continue;
		fresh->flows = flows & RAINBOW_FLOWS_INCARNATION;
		return 1;
	}
	return 0;
}

static __always_inline int is_elsewhere(const struct rainbow_pin *client, const struct rainbow_pin *fresh)
{
	struct pin_head head = pin_head(client);

	return head.version != fresh->version || head.backend != fresh->backend;
}

/*
 * Joins the flow to its client's session, opening that if there is none. OPENED_NO_PLACE where the client's session is on
 * another version or backend than this flow's first packet went to (its nursery entry was churned out between two flows): the
 * flow is refused rather than the client split. `fresh` serves as the session's pin first and comes back as the flow's.
 */
static __always_inline int client_join(const struct rainbow_flow *flow, const struct rainbow_service *service,
				       struct rainbow_pin *fresh)
{
	struct rainbow_pin *client;
	struct rainbow_flow key;
	int opened;

	client_key(&key, flow, service);
	client = pin_find(&key);
	if (client && client_is_live(client)) {
		if (is_elsewhere(client, fresh))
			return OPENED_NO_PLACE;
		if (client_count(client, fresh)) {
			fresh->kind = RAINBOW_PIN_FLOW;
			if (!is_elsewhere(client, fresh))
				return OPENED;
			/* Between the two looks it ended and the next one began. */
			client_uncount(client, fresh->flows);
			return OPENED_NO_PLACE;
		}
	}
	fresh->kind = RAINBOW_PIN_CLIENT;
	fresh->flows = 1;
	opened = session_open(&key, fresh);
	if (opened != OPENED) /* ALREADY: another flow of this client came first; the sender's next packet joins */
		return opened == OPENED_ALREADY ? OPENED_RETRY : opened;
	client = pin_find(&key);
	fresh->kind = RAINBOW_PIN_FLOW;
	fresh->flows = client ? client->flows & RAINBOW_FLOWS_INCARNATION : 0;
	return OPENED;
}

/* A flow whose pin another CPU is making. */
struct awaited {
	struct rainbow_flow flow;
	__u32 is_live;
};

/* bpf_loop callback. */
static long await_step(__u32 i, struct awaited *awaited)
{
	struct rainbow_flow flow = awaited->flow;
	struct rainbow_pin *pin = pin_find(&flow);

	awaited->is_live = pin && pin_is_live(pin->state);
	return awaited->is_live;
}

#define AWAIT_LOOKS 128 /* a few microseconds: the other CPU needs less than one */

/* Two packets of one flow were promoted at once, and the other CPU was first: 1 when the pin is there. */
static __noinline int session_await(const struct rainbow_flow *flow)
{
	struct awaited awaited = {.flow = *flow};

	bpf_loop(AWAIT_LOOKS, await_step, &awaited, 0);
	return awaited.is_live;
}

#endif
