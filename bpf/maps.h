/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * All maps of the kernel side. Their keys and values, who writes what, and why each is of its type: headers/rainbow/maps.h.
 * rainbowd sets the sizes of rainbow_table, rainbow_pin and rainbow_nursery when it makes them.
 */
#ifndef RAINBOW_BPF_MAPS_H
#define RAINBOW_BPF_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <rainbow/lookup.h>
#include <rainbow/maps.h>
#include <rainbow/signal.h>

/* Set before the programs are loaded: what is switched off then vanishes. */
const volatile struct {
	__u32 signals; /* measure headers/rainbow/signal.h */
} rainbow_config = {.signals = 1};

#define RAINBOW_ARRAY(name, entries, value_type)                                                                               \
	struct {                                                                                                               \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                                              \
		__uint(map_flags, BPF_F_MMAPABLE);                                                                             \
		__uint(max_entries, entries);                                                                                  \
		__type(key, __u32);                                                                                            \
		__type(value, value_type);                                                                                     \
	} name SEC(".maps")

RAINBOW_ARRAY(rainbow_meta, 1, struct rainbow_meta);
RAINBOW_ARRAY(rainbow_lookup, RAINBOW_LOOKUP_SLOTS, struct rainbow_lookup);
RAINBOW_ARRAY(rainbow_service, RAINBOW_MAX_SERVICES + 1, struct rainbow_service);
RAINBOW_ARRAY(rainbow_version, RAINBOW_MAX_VERSIONS + 1, struct rainbow_version);
RAINBOW_ARRAY(rainbow_member, RAINBOW_MAX_VERSIONS + 1, struct rainbow_member);
RAINBOW_ARRAY(rainbow_wheel, 2 * (RAINBOW_MAX_SERVICES + 1), struct rainbow_wheel);
RAINBOW_ARRAY(rainbow_backend, RAINBOW_MAX_BACKENDS + 1, struct rainbow_backend);
RAINBOW_ARRAY(rainbow_census, RAINBOW_MAX_VERSIONS + 1, struct rainbow_census);
RAINBOW_ARRAY(rainbow_due, RAINBOW_DUE, struct rainbow_due);
RAINBOW_ARRAY(rainbow_hop, RAINBOW_HOPS, struct rainbow_hop);
RAINBOW_ARRAY(rainbow_table, 1, struct rainbow_bucket);
RAINBOW_ARRAY(rainbow_nursery, 1, struct rainbow_nursery_bucket);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RAINBOW_DEFAULT_PINS);
	__type(key, struct rainbow_flow);
	__type(value, struct rainbow_pin);
} rainbow_pin SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, RAINBOW_MAX_STEERS);
	__type(key, struct rainbow_steer_key);
	__type(value, struct rainbow_steer);
} rainbow_steer SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RAINBOW_MAX_SERVICES + 1);
	__type(key, __u32);
	__type(value, struct rainbow_packets);
} rainbow_packets SEC(".maps");

struct signal_record {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct rainbow_signal)); /* by its type, clang 14 leaves it out of the BTF */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, RAINBOW_RECORDS);
	__type(key, __u32);
	__array(values, struct signal_record);
} rainbow_signal SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RAINBOW_MAX_VERSIONS + 1);
	__type(key, __u32);
	__type(value, struct rainbow_traffic);
} rainbow_traffic SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RAINBOW_MAX_HOOKS);
	__type(key, __u32);
	__type(value, struct rainbow_hook);
} rainbow_hook SEC(".maps");

/* The entry of an array; NULL only for an index that is out of range, which the verifier wants checked all the same. */
static __always_inline struct rainbow_meta *meta_get(void)
{
	__u32 index = 0;

	return bpf_map_lookup_elem(&rainbow_meta, &index);
}

static __always_inline struct rainbow_service *service_get(__u32 id)
{
	return bpf_map_lookup_elem(&rainbow_service, &id);
}

static __always_inline struct rainbow_version *version_get(__u32 id)
{
	return bpf_map_lookup_elem(&rainbow_version, &id);
}

static __always_inline struct rainbow_backend *backend_get(__u32 id)
{
	return bpf_map_lookup_elem(&rainbow_backend, &id);
}

#ifndef record_get /* tests/fuzz, which has no maps in maps, brings its own */
static __always_inline struct rainbow_signal *record_get(__u32 index)
{
	void *record = bpf_map_lookup_elem(&rainbow_signal, &index);
	__u32 first = 0;

	return record ? bpf_map_lookup_elem(record, &first) : NULL;
}
#endif

/* Jiffies as the values keep them: 32 bits, compared by difference. */
static __always_inline __u32 jiffies_now(void)
{
	return (__u32)bpf_jiffies64();
}

#endif
