/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the bench program and its BPF object share: how the driver makes the packet of the next session, and the floor's map. */
#ifndef RAINBOW_BENCH_DRIVER_H
#define RAINBOW_BENCH_DRIVER_H

#include <rainbow/maps.h>

#define BENCH_PACKET 96 /* bytes of every packet */
#define BENCH_PHASES 3

/* One kind of packet, and where in it the client of session i is written: its last four address bytes, and its port. */
struct bench_template {
	__u8 bytes[BENCH_PACKET];
	__u32 address_offset;
	__u32 port_offset;
};

/* What the second floor keeps of a session: as much as it needs to rewrite the same fields; as large as a pin. */
struct bench_session {
	struct rainbow_addr backend;
	struct rainbow_addr service;
	__u16 backend_port;
	__u16 service_port;
	__u16 delta; /* of a request's transport checksum */
	__u16 address_delta;
	__u32 ifindex;
	__u16 macs[6]; /* target, source */
	__u32 reserved[2];
};
RAINBOW_SIZE_IS(struct bench_session, 64);

/*
 * Session i is client `first_address` + (i >> 14), port 1024 + (i & 0x3fff). The sessions come at random where `random` is 1,
 * else one after the other; each sends `phases` packets in turn.
 */
struct bench_driver {
	struct bench_template template[BENCH_PHASES];
	__u32 phases;
	__u32 phase;
	__u32 sessions; /* a power of two */
	__u32 random;
	__u32 next;
	__u32 seed;
	__u32 first_address; /* host order */
	__u32 from_client;   /* whose the packets are, at least one: says which interface they come in by */
	__u32 inserts;       /* the second floor gives an unknown session an entry: `fresh` */
	struct bench_session fresh;
};

#define BENCH_PORTS_SHIFT 14
#define BENCH_PORT_FIRST  1024

#endif
