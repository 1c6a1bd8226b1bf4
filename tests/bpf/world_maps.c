/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The world's maps: filled as rainbowd fills them, by the rules of headers/rainbow, and emptied between tests. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <rainbow/lookup.h>
#include "bpf/rainbow.skel.h"
#include "tests/bpf/table.h"
#include "tests/bpf/world.h"

#define MEMBER_STRIDE 520 /* 516 rounded up to 8, as the kernel lays an array out */

static int map_fd(const struct bpf_map *map)
{
	return bpf_map__fd(map);
}

static void must(int error, const char *what)
{
	if (!error)
		return;
	fprintf(stderr, "world: %s: %s\n", what, strerror(errno));
	abort();
}

/* Deletes every entry; the keys of our maps are at most 24 bytes. */
static void map_clear(const struct bpf_map *map)
{
	uint8_t key[32];

	while (!bpf_map_get_next_key(map_fd(map), NULL, key))
		must(bpf_map_delete_elem(map_fd(map), key), bpf_map__name(map));
}

static void packets_clear(struct world *world)
{
	int cpus = libbpf_num_possible_cpus();
	struct rainbow_packets *zero = calloc((size_t)cpus, sizeof(*zero));
	uint32_t service;

	for (service = 0; service <= RAINBOW_MAX_SERVICES; service++)
		must(bpf_map_update_elem(map_fd(world->bpf->maps.rainbow_packets), &service, zero, 0), "rainbow_packets");
	free(zero);
}

static void meta_fill(struct world *world)
{
	struct timespec tick;

	clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
	*world->meta = (struct rainbow_meta){
	    .schema = RAINBOW_SCHEMA,
	    .pin_limit = world->pin_limit,
	    .buckets = world->pins.count,
	    .nursery_buckets = world->nursery.count,
	    .hash_secret = {0x0123456789abcdefull, 0xfedcba9876543210ull},
	    .hz = (uint32_t)(1000000000 / tick.tv_nsec),
	    .nursery_seconds = 60,
	    .linger_seconds = 10,
	    .tombstone_seconds = 60,
	    .writer = "tests",
	};
	memcpy(world->meta->table_secret, world->pins.secret, sizeof(world->pins.secret));
}

void world_reset(struct world *world)
{
	table_clear(&world->pins);
	world->nursery.count = bpf_map__max_entries(world->bpf->maps.rainbow_nursery);
	memset(world->nursery.buckets, 0, world->nursery.count * sizeof(*world->nursery.buckets));
	map_clear(world->bpf->maps.rainbow_hook);
	while (
	    true) { /* a trie's keys can not be walked from NULL while deleting in all kernels alike, so: until it is empty */
		struct rainbow_steer_key key;

		if (bpf_map_get_next_key(map_fd(world->bpf->maps.rainbow_steer), NULL, &key))
			break;
		must(bpf_map_delete_elem(map_fd(world->bpf->maps.rainbow_steer), &key), "rainbow_steer");
	}
	memset(world->lookup, 0, sizeof(*world->lookup) * RAINBOW_LOOKUP_SLOTS);
	memset(world->service, 0, sizeof(*world->service) * (RAINBOW_MAX_SERVICES + 1));
	memset(world->version, 0, sizeof(*world->version) * (RAINBOW_MAX_VERSIONS + 1));
	memset(world->wheel, 0, sizeof(*world->wheel) * 2 * (RAINBOW_MAX_SERVICES + 1));
	memset(world->backend, 0, sizeof(*world->backend) * (RAINBOW_MAX_BACKENDS + 1));
	memset(world->member, 0, (size_t)MEMBER_STRIDE * (RAINBOW_MAX_VERSIONS + 1));
	memset(world->hop, 0, sizeof(*world->hop) * RAINBOW_HOPS);
	packets_clear(world);
	meta_fill(world);
	world_hook(world, &world->wan, RAINBOW_HOOK_XDP);
	world_hook(world, &world->lan, RAINBOW_HOOK_XDP);
}

/* --- what rainbowd writes ----------------------------------------------------------------------------------------------- */

void world_add_lookup(struct world *world, struct endpoint address, uint8_t protocol, enum rainbow_lookup_kind kind,
		      uint32_t id)
{
	uint32_t slot = rainbow_lookup_start(rainbow_addr_words(&address.addr), address.port, protocol);
	int i;

	for (i = 0; i < RAINBOW_LOOKUP_PROBES; i++, slot = (slot + 1) & (RAINBOW_LOOKUP_SLOTS - 1)) {
		struct rainbow_lookup *entry = &world->lookup[slot];

		if (rainbow_lookup_kind(entry->word) != RAINBOW_LOOKUP_EMPTY)
			continue;
		entry->addr = address.addr;
		__atomic_store_n(&entry->word, rainbow_lookup_word(address.port, protocol, kind, id), __ATOMIC_RELEASE);
		return;
	}
	abort();
}

void world_add_service(struct world *world, uint32_t id, struct endpoint address, uint8_t protocol)
{
	struct rainbow_service *service = &world->service[id];

	*service = (struct rainbow_service){
	    .address = address.addr,
	    .port = address.port,
	    .protocol = protocol,
	    .affinity = RAINBOW_AFFINITY_CONNECTION,
	    .selection = RAINBOW_SELECTION_HASH,
	    .stray = RAINBOW_STRAY_RESET,
	    .idle_seconds = 3600,
	    .client_prefix = 64,
	    .in_use = 1,
	};
	snprintf(service->name, sizeof(service->name), "service%u", id);
	world_add_lookup(world, address, protocol, RAINBOW_LOOKUP_SERVICE, id);
}

void world_add_version(struct world *world, uint32_t id, uint32_t service)
{
	struct rainbow_version *version = &world->version[id];

	*version = (struct rainbow_version){.state = RAINBOW_VERSION_ACTIVE, .service = service};
	snprintf(version->label, sizeof(version->label), "v%u", id);
}

struct rainbow_member *world_member(struct world *world, uint32_t version)
{
	return (struct rainbow_member *)(world->member + (size_t)MEMBER_STRIDE * version);
}

/* The sum of 16-bit words in one's complement, as they lie in memory. */
static uint16_t sum_words(const void *bytes, size_t length)
{
	const uint8_t *octet = bytes;
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < length; i += 2)
		sum += (uint32_t)octet[i] | (uint32_t)octet[i + 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint16_t sum_difference(uint16_t from, uint16_t to)
{
	uint32_t sum = (uint32_t)(uint16_t)~from + to;

	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

void world_add_backend(struct world *world, uint32_t id, uint32_t version, struct endpoint address, uint8_t protocol)
{
	struct rainbow_member *member = world_member(world, version);
	struct rainbow_service *service = &world->service[world->version[version].service];

	world->backend[id] = (struct rainbow_backend){
	    .address = address.addr,
	    .port = address.port,
	    .protocol = protocol,
	    .state = RAINBOW_BACKEND_ACTIVE,
	    .service = world->version[version].service,
	    .version = version,
	    .healthy = 1,
	    .address_delta = sum_difference(sum_words(&service->address, 16), sum_words(&address.addr, 16)),
	    .port_delta = sum_difference(rainbow_be16(service->port), rainbow_be16(address.port)),
	};
	member->backend[member->count] = (uint16_t)id;
	member->count++;
	world_add_lookup(world, address, protocol, RAINBOW_LOOKUP_BACKEND, id);
}

void world_turn_slots(struct world *world, uint32_t service, uint32_t from, uint32_t to, uint32_t version)
{
	struct rainbow_wheel *wheel = &world->wheel[2 * service + world->service[service].wheel];

	for (; from < to; from++)
		wheel->slot[from] = (uint16_t)version;
}

void world_turn_wheel(struct world *world, uint32_t service, uint32_t version)
{
	world_turn_slots(world, service, 0, RAINBOW_WHEEL_SLOTS, version);
}

void world_add_steer(struct world *world, uint32_t service, struct endpoint client, uint32_t bits, uint32_t version)
{
	struct rainbow_steer_key key = {.prefixlen = 32 + bits, .client = client.addr};
	uint32_t id = rainbow_be32(service);

	memcpy(key.service, &id, 4);
	must(bpf_map_update_elem(map_fd(world->bpf->maps.rainbow_steer), &key, &version, 0), "rainbow_steer");
	world->service[service].steers++;
}

void world_hook(struct world *world, const struct device *device, enum rainbow_hook_kind kind)
{
	int fd = map_fd(world->bpf->maps.rainbow_hook);
	struct rainbow_hook hook = {.kind = kind};
	int i;

	for (i = 0; i < RAINBOW_HOPS; i++)
		if (world->hop[i].ifindex == device->ifindex)
			world->hop[i].is_xdp = kind == RAINBOW_HOOK_XDP;
	memcpy(hook.mac, device->mac, 6);
	if (kind == RAINBOW_HOOK_NONE)
		must(bpf_map_delete_elem(fd, &device->ifindex), "rainbow_hook");
	else
		must(bpf_map_update_elem(fd, &device->ifindex, &hook, 0), "rainbow_hook");
}

/* --- what the kernel side wrote ----------------------------------------------------------------------------------------- */

bool world_pin(struct world *world, const struct rainbow_flow *flow, struct rainbow_pin *pin)
{
	return !pin_table_find(&world->pins, flow, pin);
}

void world_put_pin(struct world *world, const struct rainbow_flow *flow, const struct rainbow_pin *pin)
{
	must(table_put(&world->pins, flow, pin), "the pin table");
}

bool world_nursling(struct world *world, const struct rainbow_flow *flow, struct rainbow_nursling *nursling)
{
	return !nursery_find(&world->nursery, flow, nursling);
}

void world_put_nursling(struct world *world, const struct rainbow_flow *flow, const struct rainbow_nursling *nursling)
{
	must(nursery_put(&world->nursery, flow, nursling), "rainbow_nursery");
}

struct showing {
	void (*each)(const struct rainbow_flow *, const struct rainbow_pin *, void *);
	void *arg;
	uint64_t count;
};

static bool show(const struct rainbow_flow *flow, const struct rainbow_pin *pin, void *arg)
{
	struct showing *showing = arg;

	showing->count++;
	if (showing->each)
		showing->each(flow, pin, showing->arg);
	return true;
}

uint64_t world_pins_each(struct world *world, void (*each)(const struct rainbow_flow *, const struct rainbow_pin *, void *),
			 void *arg)
{
	struct showing showing = {.each = each, .arg = arg};

	must(pin_table_each(&world->pins, show, &showing), "the pin table");
	return showing.count;
}

struct rainbow_packets world_packets(struct world *world, uint32_t service)
{
	const size_t fields = sizeof(struct rainbow_packets) / sizeof(uint64_t);
	int cpus = libbpf_num_possible_cpus();
	struct rainbow_packets total = {}, *each = calloc((size_t)cpus, sizeof(*each));
	size_t field;
	int cpu;

	must(bpf_map_lookup_elem(map_fd(world->bpf->maps.rainbow_packets), &service, each), "rainbow_packets");
	for (cpu = 0; cpu < cpus; cpu++)
		for (field = 0; field < fields; field++)
			((uint64_t *)&total)[field] += ((const uint64_t *)&each[cpu])[field];
	free(each);
	return total;
}
