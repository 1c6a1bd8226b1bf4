/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps of schema 1, as far as they are not the same in this schema: what rainbowd 0.1.0 left. For migrate_*.c, and for the test
 * that makes such maps. It never changes any more; what each field is: headers/rainbow/maps.h of that release.
 */
#ifndef RAINBOW_SCHEMA_V1_H
#define RAINBOW_SCHEMA_V1_H

#include <rainbow/maps.h>

#define RAINBOW_SCHEMA_V1 1

struct rainbow_meta_v1 {
	__u32 schema;
	__u32 pin_limit;
	__u64 pins;
	__u64 hash_secret[2];
	__u32 hz;
	__u32 nursery_seconds;
	__u32 linger_seconds;
	__u32 tombstone_seconds;
	char writer[32];
	__u64 swept;
};
RAINBOW_SIZE_IS(struct rainbow_meta_v1, 88);

struct rainbow_lookup_v1 {
	struct rainbow_addr addr;
	__u64 word;
};
RAINBOW_SIZE_IS(struct rainbow_lookup_v1, 24);

struct rainbow_service_v1 {
	char name[32];
	struct rainbow_addr address;
	__u16 port;
	__u16 protocol;
	__u32 affinity;
	__u32 selection;
	__u32 stray;
	__u32 wheel;
	__u32 generation;
	__u32 idle_seconds;
	__u32 client_prefix;
	__u32 steers;
	__u32 in_use;
	__u32 reserved[3];
	__u64 cursor;
	__u64 refused_no_version;
	__u64 reserved2[2];
};
RAINBOW_SIZE_IS(struct rainbow_service_v1, 136);

struct rainbow_version_v1 {
	char label[32];
	__u32 state;
	__u32 service;
	__u32 weight_permille;
	__u32 reserved;
	__u64 deadline;
	__u64 live;
	__u64 closing;
	__u64 opened;
	__u64 ended_fin;
	__u64 ended_reset_client;
	__u64 ended_reset_server;
	__u64 ended_idle;
	__u64 ended_forced;
	__u64 refused;
	__u64 chosen;
};
RAINBOW_SIZE_IS(struct rainbow_version_v1, 136);

struct rainbow_wheel_v1 {
	__u32 generation;
	__u32 reserved;
	__u16 slot[1000];
};
RAINBOW_SIZE_IS(struct rainbow_wheel_v1, 2008);

struct rainbow_member_v1 {
	__u32 count;
	__u16 backend[256];
};
RAINBOW_SIZE_IS(struct rainbow_member_v1, 516);

struct rainbow_hop_v1 {
	__u32 ifindex;
	__u32 renewed;
	__u8 mac[6];
	__u16 mtu;
};
RAINBOW_SIZE_IS(struct rainbow_hop_v1, 16);

struct rainbow_backend_v1 {
	struct rainbow_addr address;
	__u16 port;
	__u16 protocol;
	__u32 state;
	__u32 service;
	__u32 version;
	__u32 healthy;
	__u32 max_sessions;
	__u16 address_delta;
	__u16 port_delta;
	__u32 reserved;
	__u64 close_after;
	__u64 live;
	struct rainbow_hop_v1 hop;
	__u64 reserved2;
};
RAINBOW_SIZE_IS(struct rainbow_backend_v1, 88);

struct rainbow_side_v1 {
	__u32 next;
	__u32 ack;
	__u32 edge;
};

struct rainbow_pin_v1 {
	__u32 state; /* the numbers of enum rainbow_pin_state are the same */
	__u16 version;
	__u16 backend;
	__u32 opened;
	__u32 last_seen;
	__u32 flows;
	__u8 kind;
	__u8 told; /* 2 bits of whom, then how often asked */
	__u8 client_scale;
	__u8 server_scale;
	struct rainbow_side_v1 client;
	struct rainbow_side_v1 server;
	struct rainbow_hop_v1 hop;
};
RAINBOW_SIZE_IS(struct rainbow_pin_v1, 64);

struct rainbow_nursling_v1 {
	__u32 state;
	__u16 version;
	__u16 backend;
	__u32 began;
	__u32 client_isn;
	__u32 server_isn;
	__u32 server_next;
	__u32 server_edge;
	__u8 client_scale;
	__u8 server_scale;
	__u16 reserved;
};
RAINBOW_SIZE_IS(struct rainbow_nursling_v1, 32);

struct rainbow_packets_v1 {
	__u64 passed_not_ours;
	__u64 passed_unparsed;
	__u64 passed_fragment;
	__u64 passed_by_stack;
	__u64 requests;
	__u64 replies;
	__u64 handshakes;
	__u64 icmp_errors;
	__u64 closing_answered;
	__u64 strays_reset;
	__u64 strays_dropped;
	__u64 strays_passed;
	__u64 refused_table_full;
	__u64 refused_backends_full;
	__u64 refused_no_version;
	__u64 dropped_retry;
};
RAINBOW_SIZE_IS(struct rainbow_packets_v1, 128);

struct rainbow_hook_v1 {
	char name[16];
	__u32 kind;
	__u8 mac[6];
	__u16 reserved;
};
RAINBOW_SIZE_IS(struct rainbow_hook_v1, 28);

#endif
