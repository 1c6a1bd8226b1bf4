/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One packet on its way: what was read of it, and what was decided. */
#ifndef RAINBOW_BPF_WAY_H
#define RAINBOW_BPF_WAY_H

#include "packet.h"

enum place {
	PLACE_XDP,
	PLACE_INGRESS, /* TC */
	PLACE_EGRESS,  /* TC */
};

enum verdict {
	VERDICT_PASS_NOT_OURS = 0,
	VERDICT_PASS_UNPARSED,
	VERDICT_PASS_FRAGMENT,
	VERDICT_PASS_BY_STACK,     /* a reply that this hook can not send itself */
	VERDICT_REQUEST,           /* to the backend */
	VERDICT_REPLY,             /* to the client */
	VERDICT_HANDSHAKE_REQUEST, /* likewise, of a flow in the nursery */
	VERDICT_HANDSHAKE_REPLY,
	VERDICT_ERROR_REQUEST, /* likewise, an ICMP error about a session's packet */
	VERDICT_ERROR_REPLY,
	VERDICT_CLOSED_RESET, /* told to die: the sender gets an RST */
	VERDICT_CLOSED_DROP,
	VERDICT_STRAY_RESET,
	VERDICT_STRAY_DROP,
	VERDICT_STRAY_PASS,
	VERDICT_REFUSED_TABLE,
	VERDICT_REFUSED_BACKENDS,
	VERDICT_REFUSED_VERSION,
	VERDICT_RETRY, /* two CPUs met on one entry: dropped, the sender repeats it */
	VERDICT_HELD,  /* its pin may not have been carried over yet: likewise */
	VERDICT_NEW,   /* none yet: a first packet, for which decide_new is to choose */
	VERDICT_PROOF, /* none yet: it proves a handshake, of which decide_promotion is to make a session */
};

/* One packet on its way. Small, for it lies on the stack beneath all that decides: Linux 6.1 has 512 bytes of that. */
struct way {
	struct packet packet;
	__u32 ingress; /* ifindex */
	__u8 parsed;   /* enum parsed */
	__u8 place;    /* enum place */
	/* decided */
	__u8 verdict; /* enum verdict */
	__u8 answers; /* enum turn_due */
	__u16 service;
	__u16 backend;
	__u16 hop; /* of rainbow_hop: it leaves there; 0: by the stack */
};

/* What a packet of a session leads over. Pointers: they do not outlive a call of a function that is verified by itself. */
struct leads {
	const struct rainbow_service *service;
	const struct rainbow_backend *backend;
	const struct rainbow_hop *hop; /* NULL: by the stack */
};

#endif
