/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A world for the kernel programs to run in: a network namespace of this process with two interfaces, routes and neighbours,
 * the loaded programs, and their maps, which tests fill as rainbowd would. Nothing is attached: packets come by
 * BPF_PROG_TEST_RUN.
 *
 *   wan0 10.0.0.1, 2001:db8::1    the services' side: clients, and backends of the one-armed kind
 *   lan0 10.1.0.1, 2001:db8:1::1  backends
 *
 * Every address of both networks has a permanent neighbour where the tests use it; 10.9.0.0/16 and 2001:db8:9::/48 lie behind
 * a router on wan0, so that any number of clients can be answered.
 */
#ifndef RAINBOW_TEST_WORLD_H
#define RAINBOW_TEST_WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <rainbow/maps.h>
#include <rainbow/signal.h>
#include "rainbowd/nursery.h"
#include "rainbowd/pin_table.h"
#include "tests/bpf/packet.h"

struct rainbow_bpf;

enum hook {
	HOOK_XDP,
	HOOK_INGRESS,
	HOOK_EGRESS,
};

struct device {
	uint32_t ifindex;
	uint8_t mac[6];
};

struct world_config {
	uint32_t pins; /* at most */
	uint32_t nursery;
	bool unmeasured; /* the programs are loaded with `signals` off */
};

struct world {
	struct rainbow_bpf *bpf;
	struct pin_table pins;
	struct nursery nursery; /* a test may make its count, and meta->nursery_buckets, less: until the next reset */
	uint32_t pin_limit;
	struct device wan;
	struct device lan;
	struct rainbow_meta *meta;
	struct rainbow_lookup *lookup;
	struct rainbow_service *service;
	struct rainbow_version *version;
	struct rainbow_wheel *wheel;
	struct rainbow_backend *backend;
	struct rainbow_census *census;
	struct rainbow_due *due;
	struct rainbow_hop *hop;
	uint8_t *member; /* struct rainbow_member, 520 bytes apart */
};

#define MAC_CLIENT  "\x02\x00\x00\x00\x00\x77" /* 10.0.0.77, 2001:db8::77 */
#define MAC_ROUTER  "\x02\x00\x00\x00\x00\xfe" /* before 10.9.0.0/16, 2001:db8:9::/48 */
#define MAC_BACKEND "\x02\x00\x00\x00\x01\x00" /* every backend */

/* True, and said aloud, where the tests can not run: not root, or no BPF here. */
bool world_is_impossible(void);

/* 0, or -1 with the reason printed. Moves this process into a new network namespace. */
int world_open(struct world *world, const struct world_config *config);
void world_close(struct world *world);

/* As after loading: no service, no session, all counters 0; both interfaces hooked with native XDP. */
void world_reset(struct world *world);

/* In the order in which rainbowd would. Ids are the caller's. */
void world_add_service(struct world *world, uint32_t id, struct endpoint address, uint8_t protocol);
void world_add_version(struct world *world, uint32_t id, uint32_t service);
void world_add_backend(struct world *world, uint32_t id, uint32_t version, struct endpoint address, uint8_t protocol);
void world_add_lookup(struct world *world, struct endpoint address, uint8_t protocol, enum rainbow_lookup_kind kind,
		      uint32_t id);
struct rainbow_member *world_member(struct world *world, uint32_t version);
/* Every slot of the wheel in force to one version, or slots [from, to). */
void world_turn_wheel(struct world *world, uint32_t service, uint32_t version);
void world_turn_slots(struct world *world, uint32_t service, uint32_t from, uint32_t to, uint32_t version);
void world_add_steer(struct world *world, uint32_t service, struct endpoint client, uint32_t bits, uint32_t version);
void world_hook(struct world *world, const struct device *device, enum rainbow_hook_kind kind); /* NONE: removes */

/* Runs one packet; returns the program's action, or a negative errno of the kernel. */
int world_run(struct world *world, enum hook hook, const struct device *device, const struct frame *in, struct frame *out);
/* Likewise for TC with CHECKSUM_COMPLETE: -EBADMSG if the sum of the buffer is wrong behind the program, -EINVAL if unknown here. */
int world_run_complete(struct world *world, enum hook hook, const struct device *device, const struct frame *in);

bool world_pin(struct world *world, const struct rainbow_flow *flow, struct rainbow_pin *pin);
void world_put_pin(struct world *world, const struct rainbow_flow *flow, const struct rainbow_pin *pin);
bool world_nursling(struct world *world, const struct rainbow_flow *flow, struct rainbow_nursling *nursling);
void world_put_nursling(struct world *world, const struct rainbow_flow *flow, const struct rainbow_nursling *nursling);
/* Shows every pin; returns their number. each may be NULL. */
uint64_t world_pins_each(struct world *world, void (*each)(const struct rainbow_flow *, const struct rainbow_pin *, void *),
			 void *arg);
/* Summed over CPUs. */
struct rainbow_packets world_packets(struct world *world, uint32_t service);

/* What is measured, where a test gives a version a record, empty; one that is not there reads as 0. world_signals.c */
void world_add_signal(struct world *world, uint32_t version, uint32_t slot);
void world_remove_signal(struct world *world, uint32_t version, uint32_t slot);
/* Empty, for all versions of the service, for what opens after that second. */
void world_begin_cohort(struct world *world, uint32_t service, uint32_t began);
uint32_t world_seconds(void); /* CLOCK_MONOTONIC */
struct rainbow_signal world_signal(struct world *world, uint32_t version, uint32_t slot);
struct rainbow_traffic world_traffic(struct world *world, uint32_t version);

struct rainbow_sweep world_sweep(struct world *world, uint32_t ask_limit);
/* Likewise; also asks after ghosts, as a rainbowd whose sweep before was so many jiffies ago. */
struct rainbow_sweep world_sweep_ghosts(struct world *world, uint32_t ghost_limit, uint32_t since);
/* Reports what the last sweep listed at `index` as asked; whether it was counted. */
bool world_asked(struct world *world, uint32_t index);
bool world_kill(struct world *world, const struct rainbow_flow *flow, uint32_t version, enum rainbow_end reason);
uint32_t world_jiffies(struct world *world);

#endif
