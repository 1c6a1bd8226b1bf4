/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The truth table: one row is one packet, what went before it, and everything that must come of it. */
#ifndef RAINBOW_TEST_TRUTH_H
#define RAINBOW_TEST_TRUTH_H

#include "tests/bpf/scene.h"

/* Sessions of version 1, as in struct rainbow_version. */
struct tally {
	uint64_t live;
	uint64_t closing;
	uint64_t opened;
	uint64_t fin;
	uint64_t reset_client;
	uint64_t reset_server;
	uint64_t forced;
	uint64_t refused;
};

enum family {
	FAMILY_BOTH = 0,
	FAMILY_V4,
	FAMILY_V6,
};

#define ON(path) (1u << (path))
#define ON_XDP   (ON(PATH_XDP) | ON(PATH_XDP_ARM) | ON(PATH_XDP_STACK))
#define ON_TC    (ON(PATH_TC) | ON(PATH_TC_ARM) | ON(PATH_TC_EGRESS))
/* Where replies come in and have to be sent on; where they leave, sent by the stack. */
#define ON_REPLIES_IN  (ON(PATH_XDP) | ON(PATH_XDP_ARM) | ON(PATH_TC) | ON(PATH_TC_ARM))
#define ON_REPLIES_OUT (ON(PATH_XDP_STACK) | ON(PATH_TC_EGRESS))

struct row {
	const char *name; /* begins with the step of DESIGN, section 3 */
	uint8_t protocol; /* 0: TCP */
	enum family family;
	unsigned int paths;                   /* ON(...); 0: all */
	const char *prior;                    /* words of scene.c */
	const char *packet;                   /* one word */
	void (*tweak)(struct packet *packet); /* changes the packet; may be NULL */
	enum fate fate;
	const char *counter;        /* of struct rainbow_packets: rises by one, and no other */
	uint32_t version;           /* that the packet must reach; 0: 1 */
	bool starts_over;           /* may reach another backend than the packets before */
	enum rainbow_pin_state pin; /* state behind it; FREE: no pin */
	struct tally after;
};

extern const struct row truth_rows[];
extern const size_t truth_rows_count;

/* Runs one row on one path and family; fails the running cmocka test where something is not so. */
void truth_run(struct world *world, const struct row *row, enum path path, bool is_v4);

/* The counter of that name; fails the test if there is none. */
uint64_t *packets_field(struct rainbow_packets *packets, const char *name);
/* Checks that exactly one counter rose, by one: `name`, in the entry where it belongs. */
void packets_check(const struct rainbow_packets before[2], const struct rainbow_packets after[2], const char *name);
void packets_read(struct world *world, struct rainbow_packets out[2]);

#endif
