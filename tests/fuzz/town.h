/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A small town for the decision core to serve: five services (TCP and UDP, IPv4 and IPv6, either affinity) of three versions with
 * two backends each, and four clients of each family; at the addresses of tests/bpf/world.h. Any bytes are a day in it: each step
 * is a packet, mostly one that fits the sessions there are, or something that rainbowd or the clock does.
 */
#ifndef RAINBOW_FUZZ_TOWN_H
#define RAINBOW_FUZZ_TOWN_H

#include "tests/bpf/packet.h"
#include "tests/fuzz/core.h"

#define TOWN_SERVICES 5
#define TOWN_VERSIONS (3 * TOWN_SERVICES)
#define TOWN_BACKENDS (2 * TOWN_VERSIONS)

/* Each service has one cohort, of all that begins, with a record for each of its versions. */
static inline uint32_t town_cohort_slot(uint32_t version)
{
	return rainbow_cohort_slot((version - 1) / 3 + 1);
}

/* The bytes of a day; zeroes behind their end. */
struct reader {
	const uint8_t *bytes;
	size_t left;
};
uint8_t reader_take(struct reader *reader);

enum deed {
	DEED_PACKET,
	DEED_TIME,   /* jiffies pass */
	DEED_MODEL,  /* rainbowd changed an array or the steers */
	DEED_SWEEP,  /* rainbowd asks for a sweep */
	DEED_CLOSE,  /* ... that a session be closed */
	DEED_ROUTES, /* the host's routing table changed */
};

struct step {
	enum deed deed;
	uint32_t jiffies;
	struct rainbow_sweep sweep;
	struct rainbow_close close;
	struct frame frame;
	struct native_packet packet;
	/* A packet that fits a session and was left as it was built: the flow it belongs to, and where its target address lies. */
	bool fits;
	struct rainbow_flow flow;
	bool from_client;
};

struct town_device {
	uint32_t ifindex;
	uint8_t mac[6];
};

struct town {
	struct town_device wan, lan;
	/* The routing table: as in tests/bpf/world.h, or (routes_fail) no answer, or a neighbour that is not known. */
	enum { ROUTES_ARE_THERE, ROUTES_FAIL, ROUTES_UNRESOLVED } routes;
	uint16_t mtu;
};
extern struct town town;

/* Fills the maps as rainbowd would; core_init came before. meta as core_fill_meta, or as the caller wants it. */
void town_build(uint32_t sessions);
/* Decodes the next step, and does to the maps what of it is rainbowd's or the clock's; the rest is the caller's to run. */
void town_step(struct reader *reader, struct step *step);
long town_fib(struct bpf_fib_lookup *ask);

#endif
