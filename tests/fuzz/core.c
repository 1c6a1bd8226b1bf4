/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * See core.h. What follows the programs is written as they are, since it reaches the same maps. Written for the pin table as it is
 * now; where the maps change, the list of maps and core_each_pin do.
 */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wpointer-arith"
#pragma GCC diagnostic ignored "-Wint-to-pointer-cast"
#pragma GCC diagnostic ignored "-Wcast-function-type"
#pragma GCC diagnostic ignored "-Wshadow"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/fuzz/core.h"

/* rainbow_signal, whose records are maps in the kernel. */
static struct rainbow_signal *records[RAINBOW_RECORDS];

static struct rainbow_signal *record_at(__u32 index)
{
	return index < RAINBOW_RECORDS ? records[index] : NULL;
}
#define record_get record_at
#include "tests/fuzz/native_helpers.h"
#include "bpf/rainbow.bpf.c"

#ifdef RAINBOW_WAYS
#define CORE_TABLE(map) map(rainbow_table) map(rainbow_hop)
#else
#define CORE_TABLE(map)
#endif
#define CORE_MAPS(map)                                                                                                         \
	map(rainbow_meta) map(rainbow_lookup) map(rainbow_service) map(rainbow_version) map(rainbow_member) map(rainbow_wheel) \
	    map(rainbow_backend) map(rainbow_census) map(rainbow_due) map(rainbow_pin) map(rainbow_nursery) map(rainbow_steer) \
		map(rainbow_packets) map(rainbow_traffic) map(rainbow_hook) CORE_TABLE(map)

static uint32_t buckets_for(uint32_t sessions)
{
#ifdef RAINBOW_WAYS
	return rainbow_table_buckets(sessions) ?: 1;
#else
	return sessions;
#endif
}

static uint32_t overflow_for(uint32_t sessions)
{
#ifdef RAINBOW_WAYS
	return rainbow_table_overflow(sessions) ?: 1;
#else
	return sessions;
#endif
}

void core_init(uint32_t sessions, uint32_t nursery)
{
#define MAKE(map) (void)NATIVE_MAP(&map);
	CORE_MAPS(MAKE)
#undef MAKE
#ifdef RAINBOW_WAYS
	native_resize(core_map("rainbow_table"), buckets_for(sessions));
#endif
	native_resize(core_map("rainbow_pin"), overflow_for(sessions));
	native_resize(core_map("rainbow_nursery"), rainbow_nursery_buckets(nursery));
}

struct native_map *core_map(const char *name)
{
	struct native_map *map = native_map_named(name);

	if (!map) {
		fprintf(stderr, "core: no map %s; list it in tests/fuzz/core.c\n", name);
		abort();
	}
	return map;
}

void core_fill_meta(struct rainbow_meta *meta, uint32_t sessions)
{
	*meta = (struct rainbow_meta){
	    .schema = RAINBOW_SCHEMA,
	    .pin_limit = sessions,
	    .hash_secret = {0x0123456789abcdefull, 0xfedcba9876543210ull},
	    .hz = 250,
	    .nursery_seconds = 60,
	    .linger_seconds = 10,
	    .tombstone_seconds = 60,
	    .writer = "tests",
#ifdef RAINBOW_WAYS
	    .table_secret = {0x243f6a8885a308d3ull, 0x13198a2e03707345ull, 0xa4093822299f31d1ull, 0x082efa98ec4e6c89ull,
			     0x452821e638d01377ull},
	    .buckets = buckets_for(sessions),
	    .nursery_buckets = native_definition_of(core_map("rainbow_nursery"))->entries,
#endif
	};
}

int core_run(const struct native_packet *packet)
{
	native_receive(packet);
	switch (packet->hook) {
	case NATIVE_XDP:
		return rainbow_xdp(native_xdp());
	case NATIVE_INGRESS:
		return rainbow_ingress(native_skb());
	default:
		return rainbow_egress(native_skb());
	}
}

int core_sweep(struct rainbow_sweep *sweep)
{
	return rainbow_sweep(sweep);
}

int core_close(struct rainbow_close *order)
{
	return rainbow_close(order);
}

int core_asked(struct rainbow_asked *asked)
{
	return rainbow_asked(asked);
}

int core_restore(struct rainbow_restore *order)
{
	return rainbow_restore(order);
}

/* --- looking into the maps ------------------------------------------------------------------------------------------------- */

struct rainbow_pin *core_pin(const struct rainbow_flow *flow)
{
#ifdef RAINBOW_WAYS
	return pin_find(flow);
#else
	return bpf_map_lookup_elem(&rainbow_pin, flow);
#endif
}

struct rainbow_nursling *core_nursling(const struct rainbow_flow *flow)
{
	static struct cot cot;

	return cot_find(flow, &cot) == COT_FOUND ? &cot.nursling : NULL;
}

struct show {
	void (*show)(const struct rainbow_flow *, const struct rainbow_pin *, void *);
	void *arg;
};

static long show_pin(void *map, const struct rainbow_flow *flow, struct rainbow_pin *pin, struct show *show)
{
	(void)map;
	show->show(flow, pin, show->arg);
	return 0;
}

#ifdef RAINBOW_WAYS
static long show_bucket(void *map, const uint32_t *index, struct rainbow_bucket *bucket, struct show *show)
{
	uint32_t i;

	(void)map;
	(void)index;
	for (i = 0; i < RAINBOW_WAYS; i++)
		if (bucket->way[i].pin.state != RAINBOW_PIN_FREE)
			show->show(&bucket->way[i].flow, &bucket->way[i].pin, show->arg);
	return 0;
}
#endif

void core_each_pin(void (*each)(const struct rainbow_flow *, const struct rainbow_pin *, void *), void *arg)
{
	struct show show = {each, arg};

#ifdef RAINBOW_WAYS
	native_for_each(core_map("rainbow_table"), (native_each)show_bucket, &show);
#endif
	native_for_each(core_map("rainbow_pin"), (native_each)show_pin, &show);
}

struct rainbow_meta *core_meta(void)
{
	return meta_get();
}

struct rainbow_service *core_service(uint32_t id)
{
	return service_get(id);
}

struct rainbow_version *core_version(uint32_t id)
{
	return version_get(id);
}

struct rainbow_backend *core_backend(uint32_t id)
{
	return backend_get(id);
}

struct rainbow_wheel *core_wheel(uint32_t service, uint32_t wheel)
{
	uint32_t index = 2 * service + wheel;

	return bpf_map_lookup_elem(&rainbow_wheel, &index);
}

struct rainbow_member *core_member(uint32_t version)
{
	return bpf_map_lookup_elem(&rainbow_member, &version);
}

struct rainbow_census *core_census(uint32_t version)
{
	return bpf_map_lookup_elem(&rainbow_census, &version);
}

struct rainbow_packets *core_packets(uint32_t service)
{
	return bpf_map_lookup_elem(&rainbow_packets, &service);
}

struct rainbow_traffic *core_traffic(uint32_t version)
{
	return bpf_map_lookup_elem(&rainbow_traffic, &version);
}

struct rainbow_signal *core_signal(uint32_t version, uint32_t slot)
{
	return record_at(rainbow_record(version, slot));
}

void core_add_signal(uint32_t version, uint32_t slot)
{
	struct rainbow_signal **record = &records[rainbow_record(version, slot)];

	free(*record);
	*record = calloc(1, sizeof(**record));
	if (!*record)
		abort();
}

struct rainbow_due *core_due(uint32_t index)
{
	return bpf_map_lookup_elem(&rainbow_due, &index);
}

/* --- what rainbowd writes ---------------------------------------------------------------------------------------------------- */

void core_add_lookup(const struct rainbow_addr *addr, uint16_t port, uint8_t protocol, enum rainbow_lookup_kind kind,
		     uint32_t id)
{
	uint32_t slot = rainbow_lookup_start(rainbow_addr_words(addr), port, protocol);
	struct rainbow_lookup *entry;

	while ((entry = lookup_slot(slot))->word)
		slot = (slot + 1) & (RAINBOW_LOOKUP_SLOTS - 1);
	entry->addr = *addr;
	entry->word = rainbow_lookup_word(port, protocol, kind, id);
}

void core_put_steer(uint32_t service, const struct rainbow_addr *client, uint32_t bits, uint32_t version)
{
	struct rainbow_steer_key key = {.prefixlen = 32 + bits, .client = *client};
	struct rainbow_steer steer = {.version = version};
	uint32_t id = rainbow_be32(service);

	memcpy(key.service, &id, 4);
	if (version)
		bpf_map_update_elem(&rainbow_steer, &key, &steer, 0);
	else
		bpf_map_delete_elem(&rainbow_steer, &key);
}

void core_put_hook(uint32_t ifindex, enum rainbow_hook_kind kind)
{
	struct rainbow_hook hook = {.kind = kind};

	bpf_map_update_elem(&rainbow_hook, &ifindex, &hook, 0);
}
