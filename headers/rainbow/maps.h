/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Keys and values of the BPF maps: the contract between the kernel programs, rainbowd, and whoever runs `bpftool map dump`.
 *
 * Who writes what. The arrays are memory-mapped by rainbowd, so it stores single fields and never copies a whole value over
 * the counters that the kernel programs keep in the same value. A field is written by the kernel side or by rainbowd, never
 * by both, except where its comment says so. Ports and counters are in host order; times name their unit.
 *
 * Cost: a session is one cache line in rainbow_table; with its share of the bucket's control line, of the ways kept free and
 * of the overflow, one million sessions take about 130 MB.
 */
#ifndef RAINBOW_MAPS_H
#define RAINBOW_MAPS_H

#include <rainbow/types.h>

#define RAINBOW_SIZE_IS(type, size) _Static_assert(sizeof(type) == (size), #type " must be " #size " bytes")

/*
 * Pins are carried over into an empty table while sessions run. Meanwhile a packet to a service or from a backend that finds no
 * live pin is dropped (`held`): its sender repeats it. Each step is safe to begin anew after a kill -9.
 */
enum rainbow_hold {
	RAINBOW_HOLD_NONE = 0,
	RAINBOW_HOLD_SWITCHING, /* the hooks are given to programs on the new, empty table */
	RAINBOW_HOLD_COPYING,   /* none uses the old table any more; its pins are put into the new one */
	RAINBOW_HOLD_SWAPPING,  /* the new table has them all; the old one goes */
};

#define RAINBOW_TABLE_SECRET 5 /* words: one for each 32 bits of a flow */

/* rainbow_meta: ARRAY[1], mapped. What this set of maps is. */
struct rainbow_meta {
	__u32 schema;            /* RAINBOW_SCHEMA of the writer */
	__u32 pin_limit;         /* pins that rainbow_table and rainbow_pin may hold together */
	__u64 pins;              /* kernel: pins now, ended ones included */
	__u64 hash_secret[2];    /* keys the selection hash; kept in the database too, so that it survives a reboot */
	__u32 hz;                /* jiffies a second */
	__u32 nursery_seconds;   /* an unproven handshake older than this is forgotten */
	__u32 linger_seconds;    /* how long a pin that ended by itself stays, for late packets */
	__u32 tombstone_seconds; /* how long a closed pin stays, to answer with RST */
	char writer[32];         /* version of the rainbowd that wrote last */
	__u64 swept;             /* kernel: jiffies of the last sweep, or (rainbowd dead) of making room */
	/* Odd; they key the hash of rainbow_table and rainbow_nursery. As old as the maps, and never changed. */
	__u64 table_secret[RAINBOW_TABLE_SECRET];
	__u32 buckets;          /* of rainbow_table */
	enum rainbow_hold hold; /* while pins are carried over into another table */
	__u64 overflowed;       /* kernel: pins of these that are in rainbow_pin, their bucket being full */
	__u32 next_limit;       /* while hold: the pin_limit of the table that they are carried over into */
	__u32 nursery_buckets;  /* of rainbow_nursery */
};
RAINBOW_SIZE_IS(struct rainbow_meta, 152);

/*
 * rainbow_lookup: ARRAY[RAINBOW_LOOKUP_SLOTS], mapped. An open-addressing hash table (see lookup.h) from address, port and
 * protocol to a service or a backend. An ARRAY, since its lookup is inlined: a fifth of the cost of a HASH lookup, and each
 * packet needs two.
 */
enum rainbow_lookup_kind {
	RAINBOW_LOOKUP_EMPTY = 0,
	RAINBOW_LOOKUP_SERVICE,
	RAINBOW_LOOKUP_BACKEND,
	RAINBOW_LOOKUP_REMOVED, /* was used: a search goes on behind it */
};

struct rainbow_lookup {
	struct rainbow_addr addr;
	__u64 word; /* port | protocol << 16 | kind << 24 | id << 32; stored last and in one piece */
};
RAINBOW_SIZE_IS(struct rainbow_lookup, 24);

/*
 * The present cohort of a service: the sessions that opened after the second `began` (signal.h). rainbowd stores both in one piece, and
 * begins a cohort by the next number; 0: there was none yet.
 */
struct rainbow_cohort {
	__u32 began; /* CLOCK_MONOTONIC seconds */
	__u32 number;
} __attribute__((aligned(8)));
RAINBOW_SIZE_IS(struct rainbow_cohort, 8);

/* rainbow_service: ARRAY[services + 1], mapped. */
struct rainbow_service {
	char name[RAINBOW_NAME_SIZE];
	struct rainbow_addr address;
	__u16 port;
	__u16 protocol; /* 6 or 17 */
	enum rainbow_affinity affinity;
	enum rainbow_selection selection;
	enum rainbow_stray stray;
	__u32 wheel;         /* which of the service's two wheels is in force: 0 or 1. One store of it is the swap. */
	__u32 generation;    /* of the wheel in force; raised at each change */
	__u32 idle_seconds;  /* a session idle for this long ends; 0 never */
	__u32 client_prefix; /* affinity client: leading bits of an IPv6 client address that make one client (default 64) */
	__u32 steers;        /* number of steer rules: 0 saves the search */
	__u32 in_use;        /* 0: the entry is free */
	__u32 probe_idle_seconds; /* TCP: a session idle for this long is asked whether its client is still there; 0 never */
	__u32 http;               /* plaintext HTTP/1: responses are counted by status class */
	struct rainbow_cohort cohort;
	/* kernel */
	__u64 cursor;             /* selection exact: new sessions so far */
	__u64 refused_no_version; /* new sessions refused as no version has a share */
	__u64 reserved2[2];
};
RAINBOW_SIZE_IS(struct rainbow_service, 136);

/* rainbow_version: ARRAY[versions + 1], mapped. The truth about each version, readable at each instant. */
struct rainbow_version {
	char label[RAINBOW_NAME_SIZE];
	enum rainbow_version_state state;
	__u32 service;
	__u32 weight_permille; /* share of new sessions in 0.1 % */
	__u32 reserved;
	__u64 deadline; /* of its drain, unix seconds; 0 none */
	/* kernel: sessions */
	__u64 live;    /* proven and not ended */
	__u64 closing; /* ended, entry lingers for late packets */
	__u64 opened;  /* ever: opened = live + the six below */
	__u64 ended_fin;
	__u64 ended_reset_client;
	__u64 ended_reset_server;
	__u64 ended_idle;
	__u64 ended_forced;
	__u64 ended_vanished;
	__u64 refused; /* new sessions refused: all backends full, or the pin table full */
	__u64 chosen;  /* choices made for it, whether or not the handshake was proven then */
};
RAINBOW_SIZE_IS(struct rainbow_version, 144);

/* rainbow_wheel: ARRAY[2 * (services + 1)], mapped. Wheel w of service s is entry 2 * s + w. */
struct rainbow_wheel {
	__u32 generation;
	__u32 reserved;
	__u16 slot[RAINBOW_WHEEL_SLOTS]; /* version ids; 0 refuses */
};
RAINBOW_SIZE_IS(struct rainbow_wheel, 2008);

/* rainbow_member: ARRAY[versions + 1], mapped. The backends of a version. Ids first, then count, so that a reader meets none half made. */
struct rainbow_member {
	__u32 count;
	__u16 backend[RAINBOW_MAX_BACKENDS_PER_VERSION];
};
RAINBOW_SIZE_IS(struct rainbow_member, 516);

/*
 * rainbow_hop: ARRAY[RAINBOW_HOPS], open addressing. The next hops in use, which are few: backends and sessions name theirs by its
 * index and ask the routing table for it about once a second. Kernel side only; bpf/hop.h says how an entry comes and goes.
 */
#define RAINBOW_HOPS         1024
#define RAINBOW_HOP_UNKNOWN  0      /* ask */
#define RAINBOW_HOP_BY_STACK 0xffff /* asked: the stack decides */
struct rainbow_hop {
	__u32 ifindex;           /* 0: the entry is being written, or free */
	__u32 renewed;           /* jiffies, low 32 bits; 0 never in use */
	struct rainbow_addr via; /* the neighbour: a gateway, or the packet's target itself */
	__u8 mac[6];             /* its own */
	__u8 source_mac[6];
	__u16 mtu;   /* of the route; longer packets are the stack's to refuse */
	__u8 is_xdp; /* XDP may send by this interface */
	__u8 reserved;
};
RAINBOW_SIZE_IS(struct rainbow_hop, 40);

/* rainbow_backend: ARRAY[backends + 1], mapped. */
struct rainbow_backend {
	struct rainbow_addr address;
	__u16 port;
	__u16 protocol;
	enum rainbow_backend_state state;
	__u32 service;
	__u32 version;
	__u32 healthy;      /* 0: no new sessions */
	__u32 max_sessions; /* 0: no limit */
	/*
	 * Checksum deltas (RFC 1624) of a request's rewrite from service to backend, as folded one's complement sums; a
	 * reply takes their complement. Made once, so that no packet pays for it.
	 */
	__u16 address_delta;
	__u16 port_delta;
	__u32 reserved;
	__u64 close_after; /* jiffies; from then on each packet of its sessions is answered with RST; 0 never */
	/* kernel */
	__u64 live;
	__u32 hop_asked; /* jiffies, low 32 bits */
	__u16 hop;       /* of rainbow_hop */
	__u16 reserved2;
	__u64 reserved3;
};
RAINBOW_SIZE_IS(struct rainbow_backend, 80);

/*
 * The key of a pin. It serves both directions: a reply's backend leads to its service. port 0 is the entry of a client session
 * (affinity client): bits beyond client_prefix are zero in it.
 */
struct rainbow_flow {
	struct rainbow_addr client;
	__u16 port;
	__u16 service;
};
RAINBOW_SIZE_IS(struct rainbow_flow, 20);

enum rainbow_pin_kind {
	RAINBOW_PIN_NONE = 0,
	RAINBOW_PIN_SESSION, /* a flow that is a session (affinity connection) */
	RAINBOW_PIN_FLOW,    /* a flow of a client session: not counted itself */
	RAINBOW_PIN_CLIENT,  /* a client session (affinity client), key port 0 */
};

/*
 * The life of a pin. Each arrow is one compare-and-swap on `state`; the winner of an arrow that ends a session counts it.
 *
 *    insert (BPF_NOEXIST)                          sweep, a pass after DEAD
 *        |                                        DEAD ------> FREED ---> deleted
 *        v        FIN              FIN             ^ |
 *      LIVE --> HALF_CLIENT/ --> CLOSING --linger--+ | handshake of a new session
 *        |      HALF_SERVER         ^   +------------+-> SETUP --> LIVE     on the same flow
 *        |           |   RST        |                |
 *        +-----------+--------------+                |
 *        |           |  deadline, evict, idle        |
 *        +-----------+-----------> KILLED --tombstone+
 *
 * DEAD lasts one sweep before the entry is given back, because its memory is reused at once: a program that found the pin just
 * before must have ended before another flow's pin lies in the same place.
 */
enum rainbow_pin_state {
	RAINBOW_PIN_FREE = 0,
	RAINBOW_PIN_LIVE,
	RAINBOW_PIN_HALF_CLIENT, /* the client sent FIN; the backend may stream on: live */
	RAINBOW_PIN_HALF_SERVER, /* the backend sent FIN: live */
	RAINBOW_PIN_CLOSING,     /* ended by itself; late packets still follow it */
	RAINBOW_PIN_KILLED,      /* told to die: the tombstone answers each packet with RST */
	RAINBOW_PIN_DEAD,        /* waits to be freed */
	RAINBOW_PIN_SETUP,       /* being made: anew in place, or in rainbow_pin and not counted yet */
	RAINBOW_PIN_FREED,       /* the sweep deletes it now */
};

/*
 * What one side of a TCP flow has sent (RFC 9293, 3.3.1). With the window beside it, it says which RST and FIN the other side
 * accepts.
 */
struct rainbow_side {
	__u32 next; /* highest sequence number sent, plus one */
	__u32 ack;  /* highest acknowledgment sent: the peer's window begins here */
};
RAINBOW_SIZE_IS(struct rainbow_side, 8);

/* state, version and backend are one aligned word, changed in one compare-and-swap: its winner knows whose session it ended. */
struct rainbow_pin {
	enum rainbow_pin_state state;
	__u16 version;
	__u16 backend;
	__u32 opened;    /* CLOCK_MONOTONIC seconds; signed where it is compared: a session may be older than the boot */
	__u32 last_seen; /* jiffies, low 32 bits */
	__u32 flows;     /* of a client session: RAINBOW_FLOWS_*; of a flow of one: the incarnation that it joined */
	struct rainbow_side client;
	struct rainbow_side server;
	__u16 client_window; /* what the client's peer may send beyond client.ack, in units of the client's scale */
	__u16 server_window;
	__u16 hop;             /* towards the client: of rainbow_hop */
	__u8 client_scale : 4; /* window scale (RFC 7323) of the client, of the backend */
	__u8 server_scale : 4;
	__u8 kind : 2;  /* enum rainbow_pin_kind */
	__u8 told : 2;  /* KILLED: RAINBOW_TOLD_* */
	__u8 asked : 4; /* how often rainbowd asked its ends: since it was KILLED, or (live) since last_seen */
};
RAINBOW_SIZE_IS(struct rainbow_pin, 44);

/* One session as it lies in rainbow_table: a cache line. */
struct rainbow_way {
	struct rainbow_pin pin;
	struct rainbow_flow flow;
};
RAINBOW_SIZE_IS(struct rainbow_way, 64);

/*
 * rainbow_table: ARRAY[buckets], mapped. The pins: a set-associative table, one bucket for each hash, and within it a line that
 * tells by tags which way may hold a flow, and the ways. A flow whose bucket is full is in rainbow_pin: HASH, preallocated, key
 * struct rainbow_flow, value struct rainbow_pin. Neither ever evicts. Where a flow is, and how it gets there: table.h.
 */
#define RAINBOW_WAYS 8
struct rainbow_bucket {
	__u64 control; /* see table.h */
	/* What is timed of the session in each way. One in rainbow_pin has none of it. */
	__u32 spoke[RAINBOW_WAYS]; /* a turn under way: CLOCK_MONOTONIC of the client's last payload, in units of 1.024 us */
	__u8 spoke_high[RAINBOW_WAYS]; /* ... its bits 32 to 39: turns of up to 13 days */
	__u16 opened_ms[RAINBOW_WAYS]; /* what `opened` lacks of the exact time */
	struct rainbow_way way[RAINBOW_WAYS];
};
RAINBOW_SIZE_IS(struct rainbow_bucket, 576);

/*
 * The flows of a client session in one word, so that joining, leaving and ending exclude each other: the number of live flows;
 * which session of this client it is (a counter: a late leaver must not uncount a flow of the next session); the end.
 */
#define RAINBOW_FLOWS_COUNT       0x000fffffu
#define RAINBOW_FLOWS_INCARNATION 0x7ff00000u
#define RAINBOW_FLOWS_NEXT        0x00100000u
#define RAINBOW_FLOWS_ENDED       0x80000000u
/*
 * In the flows of a session or flow with TCP numbers, which counts none: they are those of a snapshot, and the ends may have moved
 * on. Until a segment fits them, one that does not fit is learned from (see tcp.h).
 */
#define RAINBOW_FLOWS_STALE 0x00000001u
/* Likewise: who has sent payload (enum rainbow_phase), and how many turns there were (255 and no more). */
#define RAINBOW_FLOWS_PHASE       0x00000006u
#define RAINBOW_FLOWS_PHASE_SHIFT 1
#define RAINBOW_FLOWS_TURNS       0x000007f8u
#define RAINBOW_FLOWS_TURNS_SHIFT 3
/* Likewise: so many of the next turns are not counted, for what TLS says of itself may end them (signal.h). */
#define RAINBOW_FLOWS_SKIPS       0x00001800u
#define RAINBOW_FLOWS_SKIPS_SHIFT 11
#define RAINBOW_TLS_SKIPS         2 /* behind the turn of a ServerHello */
/* Likewise: in the turn under way the backend has sent an interim response, as 100 or 103. */
#define RAINBOW_FLOWS_INTERIM 0x00002000u
/* What has been said until now was not heard; that it was nothing is not likely, and it may have been a ServerHello. */
#define RAINBOW_FLOWS_UNHEARD (RAINBOW_FLOWS_PHASE | RAINBOW_TLS_SKIPS << RAINBOW_FLOWS_SKIPS_SHIFT)

/* A turn is what lies between the client's last payload and the backend's first. Drawn in bpf/turn.h. */
enum rainbow_phase {
	RAINBOW_PHASE_QUIET = 0, /* no payload yet */
	RAINBOW_PHASE_SPOKE,     /* the client did, last in this tick */
	RAINBOW_PHASE_WAITS,     /* ... in an earlier one */
	RAINBOW_PHASE_ANSWERED,  /* the backend did */
};

#define RAINBOW_TOLD_CLIENT 1 /* the client's stack has no such connection any more */
#define RAINBOW_TOLD_SERVER 2 /* the backend's */
#define RAINBOW_TOLD_BOTH   3

/* Where a flow waits until its handshake is proven. */
enum rainbow_nursery_state {
	RAINBOW_NURSERY_NONE = 0,
	RAINBOW_NURSERY_ASKED,    /* the client sent its first packet */
	RAINBOW_NURSERY_ANSWERED, /* the backend answered: TCP SYN-ACK, or a datagram */
	RAINBOW_NURSERY_REFUSED,  /* the handshake was done but the session was refused: RST to both */
	RAINBOW_NURSERY_CHOICE,   /* key port 0: what was chosen for this client */
};

struct rainbow_nursling {
	enum rainbow_nursery_state state;
	__u16 version;
	__u16 backend;
	__u32 began;       /* jiffies, low 32 bits */
	__u32 client_isn;  /* TCP initial sequence numbers */
	__u32 server_isn;  /* ASKED: that of a later first packet of the client, or of a stranger's */
	__u32 server_next; /* the backend may send before the client's ACK arrives (RFC 7413) */
	__u32 server_edge;
	__u8 client_scale; /* RAINBOW_SCALE_NONE: the option was not there */
	__u8 server_scale;
	__u16 reserved;
	__u64 asked_ns; /* CLOCK_MONOTONIC of the attempt's first packet */
};
RAINBOW_SIZE_IS(struct rainbow_nursling, 40);
#define RAINBOW_SCALE_NONE 255

/*
 * rainbow_nursery: ARRAY[buckets], mapped. Set-associative, as the pin table is; but it evicts: a new flow takes an empty cot of
 * its bucket, else the one that is longest unchanged. How CPUs agree on it: nursery.h.
 */
#define RAINBOW_COTS 8
struct rainbow_cot {
	struct rainbow_nursling nursling;
	struct rainbow_flow flow;
	__u8 reserved[4];
};
RAINBOW_SIZE_IS(struct rainbow_cot, 64);

struct rainbow_nursery_bucket {
	__u64 tags;                  /* as in the control word of a bucket of the pin table */
	__u32 turn;                  /* raised by one before a change and behind it: odd while a CPU writes */
	__u32 written[RAINBOW_COTS]; /* the turn of each cot's last change: tells which is longest unchanged */
	__u32 reserved[5];
	struct rainbow_cot cot[RAINBOW_COTS];
};
RAINBOW_SIZE_IS(struct rainbow_nursery_bucket, 576);

/* rainbow_steer: LPM_TRIE. prefixlen counts the 32 bits of service too (and 96 of ::ffff: for IPv4). */
struct rainbow_steer_key {
	__u32 prefixlen;
	__u8 service[4]; /* big-endian service id */
	struct rainbow_addr client;
};
RAINBOW_SIZE_IS(struct rainbow_steer_key, 24);

struct rainbow_steer {
	__u32 version;
};

/*
 * rainbow_packets: PERCPU_ARRAY[services + 1], by service; entry 0 is for packets of no service. Each packet is counted once,
 * where it leaves. Normal in service: all but the three groups marked with !.
 */
struct rainbow_packets {
	__u64 passed_not_ours;
	__u64 passed_unparsed;  /* another protocol, malformed, truncated: untouched */
	__u64 passed_fragment;  /* fragments carry no ports: untouched */
	__u64 passed_by_stack;  /* a reply that the stack routes; restored and counted where it leaves */
	__u64 requests;         /* client to backend, of a session */
	__u64 replies;          /* backend to client, of a session */
	__u64 handshakes;       /* of flows still in the nursery */
	__u64 icmp_errors;      /* translated for a session (RFC 5508) */
	__u64 closing_answered; /* packets of a session told to die, answered with RST or (UDP) dropped */
	__u64 strays_reset;     /* ! packets of no session: see the service's stray policy */
	__u64 strays_dropped;
	__u64 strays_passed;
	__u64 refused_table_full;    /* ! new sessions refused: the pin table is full */
	__u64 refused_backends_full; /* ! ... all backends at max_sessions or unhealthy */
	__u64 refused_no_version;    /* ! ... no version takes new sessions */
	__u64 dropped_retry;         /* two CPUs met on one entry: the sender repeats */
	__u64 held;                  /* dropped while pins are carried over (rainbow_meta.hold): the sender repeats */
};
RAINBOW_SIZE_IS(struct rainbow_packets, 136);

/* rainbow_hook: HASH, key ifindex. The interfaces that rainbow is attached to. */
struct rainbow_hook {
	char name[16];
	enum rainbow_hook_kind kind;
	__u8 mac[6];
	__u16 reserved;
};
RAINBOW_SIZE_IS(struct rainbow_hook, 28);

#define RAINBOW_SIGNAL_BINS 240 /* of a histogram: signal.h */

/* rainbow_census: ARRAY[versions + 1], mapped. What the last sweep counted; zeroed by rainbowd before each. */
struct rainbow_census {
	__u64 live; /* sessions counted one by one: the check on rainbow_version.live */
	__u64 closing;
	__u64 pending; /* nursery entries not older than nursery_seconds */
	__u32 oldest;  /* smallest `opened` of a live session, CLOCK_MONOTONIC seconds; 0 none */
	__u32 flows;   /* live flows of client sessions: not counted as sessions, but connections that somebody holds */
	__u32 age[RAINBOW_SIGNAL_BINS]; /* live sessions by their age in seconds, in the bins of signal.h */
};
RAINBOW_SIZE_IS(struct rainbow_census, 32 + 4 * RAINBOW_SIGNAL_BINS);

/*
 * rainbow_due: ARRAY[RAINBOW_DUE], mapped. What the sweep found for rainbowd to ask: sessions told to die whose ends have not both
 * heard of it, and live ones, idle for the service's probe_idle_seconds, whose client may have vanished.
 */
#define RAINBOW_DUE 4096
struct rainbow_due {
	struct rainbow_flow flow;
	struct rainbow_pin pin;
};
RAINBOW_SIZE_IS(struct rainbow_due, 64);

/*
 * Context of the syscall program rainbow_sweep: walks all pins and the nursery, counts into rainbow_census, ends idle
 * sessions, frees what has lingered. One sweep at a time. In: the first three. Out: the rest.
 */
struct rainbow_sweep {
	__u32 ask_limit;   /* how many sessions may be put into rainbow_due, at most RAINBOW_DUE ... */
	__u32 ghost_limit; /* ... and how many of them may be live ones */
	__u64 previous;    /* jiffies of the sweep before, by the same rainbowd; 0: there was none */
	__u32 due;         /* entries of rainbow_due filled */
	__u32 ghosts;      /* live ones among them */
	__u64 jiffies;     /* when it began */
	__u64 entries;     /* pins seen */
	__u64 freed;
	__u64 idled;    /* sessions ended by idle timeout */
	__u64 vanished; /* ... because their client did not answer */
};
RAINBOW_SIZE_IS(struct rainbow_sweep, 64);

/*
 * Context of the syscall program rainbow_close: tells one session to die. `closed` is 1 if this call ended it, 0 if there was
 * no such live session of that version (it ended by itself, which is as good).
 */
struct rainbow_close {
	struct rainbow_flow flow;
	__u32 version; /* must match; 0 any */
	enum rainbow_end reason;
	__u32 closed;
	struct rainbow_pin pin; /* as it was when it was closed */
};
RAINBOW_SIZE_IS(struct rainbow_close, 76);

/*
 * Context of the syscall program rainbow_asked: the client of this live session has been asked. `counted` is 1 if nothing was heard
 * of it since it was listed.
 */
struct rainbow_asked {
	struct rainbow_flow flow;
	__u32 last_seen; /* as it was listed */
	__u32 counted;
};
RAINBOW_SIZE_IS(struct rainbow_asked, 28);

/*
 * Context of the syscall program rainbow_restore: puts the first `count` pins of rainbow_due into the pin table. In: count,
 * counted. Out: what became of them.
 */
struct rainbow_restore {
	__u32 count;
	__u32 counted; /* 1: count them as sessions that open; 0: they are counted already */
	__u32 restored;
	__u32 there;   /* the flow has a pin already */
	__u32 full;    /* no room */
	__u32 dropped; /* without version, backend or service, or a flow without its client's session */
};
RAINBOW_SIZE_IS(struct rainbow_restore, 24);

/* Context of the syscall program rainbow_clock. */
struct rainbow_clock {
	__u64 jiffies;
	__u64 monotonic_ns;
};

#endif
