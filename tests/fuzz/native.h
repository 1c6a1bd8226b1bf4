/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel that a program compiled for user space sees: maps, helpers, and one packet at a time. What the kernel would decide
 * (time, routes) is given by the caller in `native`. Under AddressSanitizer a byte beside a map's value, beside the packet, or in
 * that part of it which a program may not read directly, is out of bounds.
 */
#ifndef RAINBOW_FUZZ_NATIVE_H
#define RAINBOW_FUZZ_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct __sk_buff;
struct bpf_fib_lookup;
struct xdp_md;

enum native_hook {
	NATIVE_XDP,
	NATIVE_INGRESS,
	NATIVE_EGRESS,
	NATIVE_HOOKS,
};

struct native {
	uint64_t jiffies;
	uint64_t ns;
	uint32_t random;
	enum native_hook hook; /* of the program that runs */
	/* Answers bpf_fib_lookup: fills *ask, returns BPF_FIB_LKUP_RET_*. */
	long (*fib)(struct bpf_fib_lookup *ask);
};
extern struct native native;

/* --- maps: made when first used, at the size of their definition unless native_resize came first ------------------------- */
struct native_definition {
	const char *name; /* "&rainbow_pin" */
	uint32_t type;    /* BPF_MAP_TYPE_* */
	uint32_t entries;
	uint32_t key_size;
	uint32_t value_size;
};

struct native_map;
typedef long (*native_each)(void *map, const void *key, void *value, void *arg);
typedef long (*native_step)(uint32_t index, void *arg);

/* The map whose variable this is. Aborts on a type that nobody has written yet. */
struct native_map *native_map_of(const void *variable, const struct native_definition *definition);
/* NULL if no program has used it yet. */
struct native_map *native_map_named(const char *name);
const struct native_definition *native_definition_of(const struct native_map *map);
void native_resize(struct native_map *map, uint32_t entries);
/* Every map as new, sizes kept. */
void native_reset(void);

void *native_lookup(struct native_map *map, const void *key);
long native_update(struct native_map *map, const void *key, const void *value, uint64_t flags);
long native_delete(struct native_map *map, const void *key);
/* The walk ends where `each` returns 1. Returns the number of entries shown. An array shows all of its entries. */
long native_for_each(struct native_map *map, native_each each, void *arg);
/* Of an array, only entries that somebody looked up since the last reset: the others are zero. */
long native_for_each_touched(struct native_map *map, native_each each, void *arg);
long native_loop(uint32_t count, native_step step, void *arg);

/* --- the packet ---------------------------------------------------------------------------------------------------------- */
#define NATIVE_ROOM 4096 /* the longest */

struct native_packet {
	enum native_hook hook;
	uint32_t ifindex;
	const uint8_t *bytes;
	size_t length;
	size_t linear;     /* TC: bytes that lie in one piece; the rest in fragments */
	uint32_t gso_size; /* TC */
	bool vlan_present; /* TC: a tag beside the frame */
	uint8_t type;      /* TC: PACKET_* */
};

/* Lays the packet out for a program of its hook. The context is good until the next one. */
void native_receive(const struct native_packet *packet);
struct xdp_md *native_xdp(void);
struct __sk_buff *native_skb(void);
/* What has become of it; returns its length. */
size_t native_send(uint8_t out[NATIVE_ROOM]);

/* --- helpers, as the kernel's of that name -------------------------------------------------------------------------------- */
long native_fib(struct bpf_fib_lookup *ask, int size, uint32_t flags);
long native_redirect(uint32_t ifindex, uint64_t flags);
long native_redirect_neigh(uint32_t ifindex, uint64_t flags);
long native_load_bytes(uint32_t offset, void *to, uint32_t size);
long native_xdp_adjust_tail(struct xdp_md *ctx, int change);
long native_skb_pull_data(struct __sk_buff *skb, uint32_t length);
long native_skb_change_tail(struct __sk_buff *skb, uint32_t length, uint64_t flags);
long native_l4_csum_replace(struct __sk_buff *skb, uint32_t offset, uint64_t from, uint64_t to, uint64_t flags);
long native_csum_update(struct __sk_buff *skb, uint32_t sum);

/* Of this build: bytes that no program may touch. Nothing where there is no AddressSanitizer. */
void native_poison(const void *at, size_t size);
void native_unpoison(const void *at, size_t size);

#endif
