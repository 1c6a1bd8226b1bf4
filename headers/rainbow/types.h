/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The words of rainbow as C: limits, enums, addresses. Shared by the kernel programs and user space, so: no libc, no BPF
 * helpers, fixed-width types only, and the value 0 always means "nothing". Enums are 4 bytes wide and used as such in map
 * values because `bpftool map dump` prints them by name.
 */
#ifndef RAINBOW_TYPES_H
#define RAINBOW_TYPES_H

#include <linux/types.h>

/* Layout of the pinned maps. Raise it when a map key or value changes; see user/rainbowd/datapath.h for what is adopted. */
#define RAINBOW_SCHEMA 2

/* Limits. Ids run from 1 to the limit; id 0 is nobody, so arrays hold limit + 1 entries. */
#define RAINBOW_MAX_SERVICES             64
#define RAINBOW_MAX_VERSIONS             1024
#define RAINBOW_MAX_BACKENDS             4096
#define RAINBOW_MAX_VERSIONS_PER_SERVICE 64
#define RAINBOW_MAX_BACKENDS_PER_VERSION 256
#define RAINBOW_MAX_STEERS               4096
#define RAINBOW_MAX_HOOKS                64
#define RAINBOW_DEFAULT_PINS             262144
#define RAINBOW_MAX_PINS                 16777216
#define RAINBOW_DEFAULT_NURSERY          65536
#define RAINBOW_NAME_SIZE                32 /* service names and version labels, with the closing NUL */

/* A wheel has one slot for each 0.1 % of the new sessions. */
#define RAINBOW_WHEEL_SLOTS 1000

/*
 * An IP address, 16 bytes in network order; IPv4 as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2). Aligned, since for BPF the compiler reads what
 * may lie anywhere byte by byte.
 */
struct rainbow_addr {
	__u8 octet[16];
} __attribute__((aligned(4)));

/* An address as two words, for comparing and hashing. Of all of it at once: a piece of its octets would be read byte by byte. */
struct rainbow_addr_words {
	__u64 high;
	__u64 low;
};

static inline struct rainbow_addr_words rainbow_addr_words(const struct rainbow_addr *addr)
{
	struct rainbow_addr_words words;

	__builtin_memcpy(&words, addr, sizeof(words));
	return words;
}

/* The last four octets: the address in network order, if it is IPv4. */
static inline __be32 rainbow_addr_v4(const struct rainbow_addr *addr)
{
	__be32 v4;

	__builtin_memcpy(&v4, __builtin_assume_aligned(addr->octet + 12, 4), sizeof(v4));
	return v4;
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define RAINBOW_V4_MIDDLE 0xffff0000u /* octets 8 to 11 of a v4-mapped address, as loaded */
#define rainbow_be64(x)   __builtin_bswap64(x)
#define rainbow_be32(x)   __builtin_bswap32(x)
#define rainbow_be16(x)   __builtin_bswap16(x)
#else
#define RAINBOW_V4_MIDDLE 0x0000ffffu
#define rainbow_be64(x)   (x)
#define rainbow_be32(x)   (x)
#define rainbow_be16(x)   (x)
#endif

enum rainbow_affinity {
	RAINBOW_AFFINITY_NONE = 0,
	RAINBOW_AFFINITY_CONNECTION, /* a session is one flow */
	RAINBOW_AFFINITY_CLIENT,     /* a session is all flows of one client address (IPv6: of one prefix) */
};

enum rainbow_selection {
	RAINBOW_SELECTION_NONE = 0,
	RAINBOW_SELECTION_HASH,  /* slot = keyed hash of the flow (or client): the same client meets the same slot */
	RAINBOW_SELECTION_EXACT, /* slot = a counter: 5 % is 1 in 20 new sessions, counted */
};

/* What happens to a packet that belongs to no session and starts none. */
enum rainbow_stray {
	RAINBOW_STRAY_NONE = 0,
	RAINBOW_STRAY_RESET,
	RAINBOW_STRAY_DROP,
	RAINBOW_STRAY_PASS,
};

enum rainbow_version_state {
	RAINBOW_VERSION_NONE = 0,
	RAINBOW_VERSION_ACTIVE,
	RAINBOW_VERSION_DRAINING, /* no new session; the running ones stay */
	RAINBOW_VERSION_DRAINED,  /* no session is left and none is accepted */
};

enum rainbow_backend_state {
	RAINBOW_BACKEND_NONE = 0,
	RAINBOW_BACKEND_ACTIVE,
	RAINBOW_BACKEND_LEAVING, /* removed by the operator; stays until its last session ends */
};

/* Why a session ended. The order is that of the counters in struct rainbow_version. */
enum rainbow_end {
	RAINBOW_END_NONE = 0,
	RAINBOW_END_FIN,          /* FIN from both ends */
	RAINBOW_END_RESET_CLIENT, /* RST from the client, in window */
	RAINBOW_END_RESET_SERVER, /* RST from the backend, in window */
	RAINBOW_END_IDLE,         /* idle timeout */
	RAINBOW_END_FORCED,       /* deadline, evict, rollback --sessions reset */
	RAINBOW_END_VANISHED,     /* the client did not answer when it was asked: see bpf/ghost.h */
};

enum rainbow_hook_kind {
	RAINBOW_HOOK_NONE = 0,
	RAINBOW_HOOK_XDP,         /* native XDP, and TC at egress */
	RAINBOW_HOOK_XDP_GENERIC, /* generic XDP, and TC at egress */
	RAINBOW_HOOK_TC,          /* TC at ingress and egress */
};

#endif
