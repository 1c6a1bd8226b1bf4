/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Step 7: which version and backend a new session gets. A steer rule, else client affinity, else the wheel gives the version;
 * within it the healthy backend with the fewest live sessions. Changes nothing but the counters of choices.
 */
#ifndef RAINBOW_BPF_CHOOSE_H
#define RAINBOW_BPF_CHOOSE_H

#include "cot.h"
#include "session.h"

struct choice {
	__u32 version;
	__u32 backend; /* 0: every backend is full, or none is healthy */
	__u64 hash;
	__u8 joins;   /* a flow of a client session that is there already */
	__u8 steered; /* by an operator's rule, whatever others of the client were given */
};

static __always_inline int version_takes_new(__u32 id)
{
	struct rainbow_version *version = version_get(id);

	return version && version->state == RAINBOW_VERSION_ACTIVE;
}

/* What a client was given with its first packet a moment ago. */
static __always_inline int choice_holds(const struct rainbow_nursling *n)
{
	return nursling_is_fresh(n) && version_takes_new(n->version);
}

/* The operator's rule for the client's address, if its version takes new sessions; else 0. */
static __always_inline __u32 choose_steered(const struct rainbow_flow *flow, const struct rainbow_service *service)
{
	struct rainbow_steer_key key = {.prefixlen = 32 + 128};
	struct rainbow_steer *steer;
	__u32 id;

	if (!service->steers)
		return 0;
	id = rainbow_be32((__u32)flow->service);
	__builtin_memcpy(key.service, &id, 4);
	key.client = flow->client;
	steer = bpf_map_lookup_elem(&rainbow_steer, &key);
	return steer && version_takes_new(steer->version) ? steer->version : 0;
}

/*
 * What this client has: its live session, else what its last first packet was given. `steered` wins over a session without
 * flows (which ends), never over one with flows: those stay together.
 */
static __always_inline int choose_affine(const struct rainbow_flow *flow, __u32 steered, struct choice *choice)
{
	struct rainbow_service *service = service_get(flow->service);
	struct rainbow_pin *client;
	struct rainbow_meta *meta = meta_get();
	struct rainbow_flow key;
	struct cot cot;

	if (!service || !meta)
		return 0;
	client_key(&key, flow, service);
	choice->hash = rainbow_flow_hash(meta->hash_secret, &key);
	client = pin_find(&key);
	if (client && client_is_live(client)) {
		__u32 version = client->version;
		int stays = version_takes_new(version) && (!steered || steered == version);

		if (client_has_flows(client) || stays || !client_end_empty(&key, client, RAINBOW_END_IDLE)) {
			choice->version = version;
			choice->backend = client->backend;
			choice->joins = 1;
			return 1;
		}
	}
	if (steered)
		return 0;
	if (cot_find(&key, &cot) != COT_FOUND || !choice_holds(&cot.nursling))
		return 0;
	choice->version = cot.nursling.version;
	choice->backend = cot.nursling.backend;
	return 1;
}

static __always_inline __u32 choose_by_wheel(struct rainbow_service *service, __u32 service_id, __u64 hash)
{
	__u32 index = 2 * service_id + (service->wheel & 1);
	struct rainbow_wheel *wheel = bpf_map_lookup_elem(&rainbow_wheel, &index);
	__u32 slot;

	if (!wheel)
		return 0;
	if (service->selection == RAINBOW_SELECTION_EXACT)
		slot = rainbow_slot_of_count(__sync_fetch_and_add(&service->cursor, 1));
	else
		slot = rainbow_slot_of_hash(hash);
	/* The compiler knows that it is below; the verifier wants to see it. */
	asm volatile("" : "+r"(slot));
	return slot < RAINBOW_WHEEL_SLOTS ? wheel->slot[slot] : 0;
}

struct fewest {
	__u32 version;
	__u32 start;
	__u32 count;
	__u32 best;
	__u64 best_live;
};

/* bpf_loop callback. Ids found here are checked against the backend itself: the list may be changing. */
static long fewest_step(__u32 i, struct fewest *fewest)
{
	__u32 index = fewest->start + i;
	struct rainbow_backend *backend;
	struct rainbow_member *member;
	__u64 live;
	__u32 id;

	if (index >= fewest->count)
		index -= fewest->count;
	member = bpf_map_lookup_elem(&rainbow_member, &fewest->version);
	if (!member || index >= RAINBOW_MAX_BACKENDS_PER_VERSION)
		return 1;
	id = member->backend[index];
	backend = backend_get(id);
	if (!backend || backend->version != fewest->version || backend->state != RAINBOW_BACKEND_ACTIVE || !backend->healthy)
		return 0;
	live = backend->live;
	if ((backend->max_sessions && live >= backend->max_sessions) || (fewest->best && live >= fewest->best_live))
		return 0;
	fewest->best = id;
	fewest->best_live = live;
	return 0;
}

/* The hash says where the search begins, so that equals share new sessions. */
__noinline __u32 choose_backend(__u32 version, __u64 hash)
{
	struct fewest fewest = {.version = version};
	struct rainbow_member *member = bpf_map_lookup_elem(&rainbow_member, &version);
	__u32 count;

	if (!member)
		return 0;
	count = member->count;
	if (!count || count > RAINBOW_MAX_BACKENDS_PER_VERSION)
		return 0;
	fewest.count = count;
	fewest.start = (__u32)hash % count;
	bpf_loop(count, fewest_step, &fewest, 0);
	return fewest.best;
}

/*
 * The version, and where the client's session or first packet says so, the backend as well. Version 0: none takes new sessions.
 * Apart from choose_backend so that the two do not stack up: Linux 6.1 counts 32 bytes for each frame, at least.
 */
__noinline int choose_version(const struct rainbow_flow *flow, struct choice *choice)
{
	struct rainbow_meta *meta = meta_get();
	struct rainbow_service *service;
	__u32 steered;

	if (!flow || !choice)
		return 0;
	service = service_get(flow->service);
	if (!service || !meta)
		return 0;
	steered = choose_steered(flow, service);
	if (service->affinity == RAINBOW_AFFINITY_CLIENT) {
		if (choose_affine(flow, steered, choice))
			return 0;
	} else {
		choice->hash = rainbow_flow_hash(meta->hash_secret, flow);
	}
	choice->steered = steered != 0;
	choice->version = steered ? steered : choose_by_wheel(service, flow->service, choice->hash);
	if (!version_takes_new(choice->version))
		choice->version = 0;
	return 0;
}

#endif
