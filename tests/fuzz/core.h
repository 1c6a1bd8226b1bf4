/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel programs of rainbow, compiled for user space from the files that make the BPF object, over the maps of native.h. */
#ifndef RAINBOW_FUZZ_CORE_H
#define RAINBOW_FUZZ_CORE_H

#include <rainbow/maps.h>
#include <rainbow/signal.h>
#include "tests/fuzz/native.h"

/* Makes all maps. `sessions`: how many pins there is room for; sizes the pin table and its overflow. */
void core_init(uint32_t sessions, uint32_t nursery);
struct native_map *core_map(const char *name); /* aborts if there is none */
/* What rainbowd writes into rainbow_meta, and the size of the table with it. */
void core_fill_meta(struct rainbow_meta *meta, uint32_t sessions);

/* Runs one packet; returns the program's action. What became of the packet: native_send. */
int core_run(const struct native_packet *packet);
int core_sweep(struct rainbow_sweep *sweep);
int core_close(struct rainbow_close *order);
int core_asked(struct rainbow_asked *asked);
int core_restore(struct rainbow_restore *order);

struct rainbow_pin *core_pin(const struct rainbow_flow *flow);
struct rainbow_nursling *core_nursling(const struct rainbow_flow *flow);
/* Shows each pin wherever it lies, ended ones too. */
void core_each_pin(void (*each)(const struct rainbow_flow *, const struct rainbow_pin *, void *), void *arg);

struct rainbow_meta *core_meta(void);
struct rainbow_service *core_service(uint32_t id);
struct rainbow_version *core_version(uint32_t id);
struct rainbow_backend *core_backend(uint32_t id);
struct rainbow_wheel *core_wheel(uint32_t service, uint32_t wheel);
struct rainbow_member *core_member(uint32_t version);
struct rainbow_census *core_census(uint32_t version);
struct rainbow_packets *core_packets(uint32_t service);
struct rainbow_traffic *core_traffic(uint32_t version);
struct rainbow_signal *core_signal(uint32_t version, uint32_t slot); /* NULL: there is none */
void core_add_signal(uint32_t version, uint32_t slot);               /* empty */
struct rainbow_due *core_due(uint32_t index);                        /* NULL: no such place */
void core_add_lookup(const struct rainbow_addr *addr, uint16_t port, uint8_t protocol, enum rainbow_lookup_kind kind,
		     uint32_t id);
void core_put_steer(uint32_t service, const struct rainbow_addr *client, uint32_t bits, uint32_t version); /* 0 removes */
void core_put_hook(uint32_t ifindex, enum rainbow_hook_kind kind);

#endif
