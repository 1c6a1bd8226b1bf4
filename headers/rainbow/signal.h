/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel measures of each version, without being told anything: how long handshakes and turns take, how connections fail,
 * who resets sessions and when. Histograms are log-linear: 8 bins for each power of two, so that the middle of a bin is at most
 * 6.25 % from any value in it. Shared by the kernel programs and user space; pure.
 */
#ifndef RAINBOW_SIGNAL_H
#define RAINBOW_SIGNAL_H

#include <rainbow/maps.h>

/* floor(log2(value)), value not 0. No loop: BPF has no instruction for it. */
static inline __u32 rainbow_log2(__u32 value)
{
	__u32 log = 0;

	if (value >= 1u << 16) {
		value >>= 16;
		log += 16;
	}
	if (value >= 1u << 8) {
		value >>= 8;
		log += 8;
	}
	if (value >= 1u << 4) {
		value >>= 4;
		log += 4;
	}
	if (value >= 1u << 2) {
		value >>= 2;
		log += 2;
	}
	return log + (value >> 1);
}

/* Below 16 a bin holds one value. */
static inline __u32 rainbow_signal_bin(__u32 value)
{
	__u32 log;

	if (value < 8)
		return value;
	log = rainbow_log2(value);
	return (log - 2) * 8 + ((value >> (log - 3)) & 7);
}

/* The smallest value in a bin. */
static inline __u32 rainbow_signal_low(__u32 bin)
{
	return bin < 8 ? bin : (8 + (bin & 7)) << (bin / 8 - 1);
}

/* The value in the middle of a bin. */
static inline double rainbow_signal_middle(__u32 bin)
{
	return bin < 16 ? (double)bin : (double)rainbow_signal_low(bin) + (double)((1u << (bin / 8 - 1)) - 1) / 2;
}

/*
 * The records of a version, by slot: one of all since it was added, and one for the sessions that opened in a cohort of its service.
 * Cohorts take turns in two slots, so that the next one's is empty before it begins.
 */
enum rainbow_slot {
	RAINBOW_SLOT_EVER = 0,
	RAINBOW_SLOT_EVEN, /* the cohort's, by its number */
	RAINBOW_SLOT_ODD,
	RAINBOW_SLOTS,
};

#define RAINBOW_RECORDS (RAINBOW_SLOTS * (RAINBOW_MAX_VERSIONS + 1))

static inline __u32 rainbow_record(__u32 version, __u32 slot)
{
	return slot * (RAINBOW_MAX_VERSIONS + 1) + version;
}

static inline __u32 rainbow_cohort_slot(__u32 number)
{
	return RAINBOW_SLOT_EVEN + (number & 1);
}

/* Which cohort's record is that of what began in this second (signed: perhaps before the boot)? RAINBOW_SLOT_EVER: none's. */
static inline __u32 rainbow_slot_of(struct rainbow_cohort cohort, __u32 second)
{
	return cohort.number && (__s32)(second - cohort.began) > 0 ? rainbow_cohort_slot(cohort.number) : RAINBOW_SLOT_EVER;
}

/* Of a session that are counted. How long its later ones took is in the record `ever` alone. */
#define RAINBOW_TURNS_MAX 255

#define RAINBOW_IDLE_SECONDS 5

enum rainbow_when {
	RAINBOW_WHEN_EARLY, /* before any payload */
	RAINBOW_WHEN_TURN,  /* something was under way */
	RAINBOW_WHEN_IDLE,  /* the backend has answered all, and for five seconds nothing was seen */
};

/* Of a reset, `silence` jiffies behind the packet before it. */
static inline enum rainbow_when rainbow_when(enum rainbow_phase phase, __u32 silence, __u32 hz)
{
	if (phase == RAINBOW_PHASE_QUIET)
		return RAINBOW_WHEN_EARLY;
	return phase == RAINBOW_PHASE_ANSWERED && silence >= RAINBOW_IDLE_SECONDS * hz ? RAINBOW_WHEN_IDLE : RAINBOW_WHEN_TURN;
}

enum rainbow_http {
	RAINBOW_HTTP_1XX = 0, /* the order of the counters below */
	RAINBOW_HTTP_2XX,
	RAINBOW_HTTP_3XX,
	RAINBOW_HTTP_4XX,
	RAINBOW_HTTP_5XX,
	RAINBOW_HTTP_OTHER,
};
#define RAINBOW_LINE 12 /* first bytes of the backend's payload that are looked at: as many as "HTTP/1.1 200" (RFC 9112, 4) */

static inline int rainbow_is_digit(__u8 octet)
{
	return octet >= '0' && octet <= '9';
}

/* The class of a response by its first bytes. */
static inline enum rainbow_http rainbow_http(const __u8 line[RAINBOW_LINE])
{
	if (line[0] != 'H' || line[1] != 'T' || line[2] != 'T' || line[3] != 'P' || line[4] != '/' || line[5] != '1' ||
	    line[6] != '.' || !rainbow_is_digit(line[7]) || line[8] != ' ' || line[9] < '1' || line[9] > '5' ||
	    !rainbow_is_digit(line[10]) || !rainbow_is_digit(line[11]))
		return RAINBOW_HTTP_OTHER;
	return (enum rainbow_http)(RAINBOW_HTTP_1XX + (line[9] - '1'));
}

/* Does another response to the same request follow (RFC 9110, 15.2)? Behind 101 it does not: that is the last word of HTTP. */
static inline int rainbow_http_is_interim(const __u8 line[RAINBOW_LINE])
{
	return rainbow_http(line) == RAINBOW_HTTP_1XX && (line[10] != '0' || line[11] != '1');
}

/*
 * What the first bytes of the backend's payload say, if it speaks TLS. In TLS 1.3 all but its first words look like application data
 * (RFC 8446, 5.1), the session tickets too, which it sends when it has the client's Finished: they seem to answer what the client
 * sent with that or soon behind it.
 *
 *   client                          backend
 *   ClientHello                 ->  ServerHello ...          HELLO: this turn is not counted, nor the two behind it
 *   Finished                    ->  tickets                  ... as no one can tell this one
 *   the first request           ->  more tickets, or the answer ... from this one
 *   the second request          ->  the answer               its client had the first answer, which comes behind the tickets
 *
 * A HelloRetryRequest is a ServerHello, and begins the row anew. The same holds where the first request goes with the Finished, as early
 * data, or long behind it, and in TLS 1.2, where fewer turns would do.
 */
enum rainbow_tls {
	RAINBOW_TLS_NOT = 0,   /* or application data */
	RAINBOW_TLS_HELLO,     /* the first record of a handshake, as far as there is enough of it to tell */
	RAINBOW_TLS_HANDSHAKE, /* another one, as TLS 1.2 has them until its end, and when it negotiates anew */
	RAINBOW_TLS_ALERT,     /* an error, or the goodbye that answers the client's */
};

#define RAINBOW_TLS_RECORD_CHANGE_CIPHER 0x14
#define RAINBOW_TLS_RECORD_ALERT         0x15
#define RAINBOW_TLS_RECORD_HANDSHAKE     0x16
#define RAINBOW_TLS_RECORD_DATA          0x17
#define RAINBOW_TLS_SERVER_HELLO         2
#define RAINBOW_TLS_ALERT_SIZE           24 /* of an alert in TLS 1.3 as on the wire: 5 + 2, its type, and 16 of AEAD */

/* `length` is that of the payload; what it lacks of `line` is 0. */
static inline enum rainbow_tls rainbow_tls(const __u8 line[RAINBOW_LINE], __u32 length)
{
	if (line[1] != 3 || line[2] > 4)
		return RAINBOW_TLS_NOT;
	switch (line[0]) {
	case RAINBOW_TLS_RECORD_HANDSHAKE:
		return line[5] <= RAINBOW_TLS_SERVER_HELLO ? RAINBOW_TLS_HELLO : RAINBOW_TLS_HANDSHAKE;
	case RAINBOW_TLS_RECORD_CHANGE_CIPHER:
		return RAINBOW_TLS_HANDSHAKE;
	case RAINBOW_TLS_RECORD_ALERT:
		return RAINBOW_TLS_ALERT;
	case RAINBOW_TLS_RECORD_DATA:
		return length == RAINBOW_TLS_ALERT_SIZE && line[3] == 0 && line[4] == RAINBOW_TLS_ALERT_SIZE - 5
			   ? RAINBOW_TLS_ALERT
			   : RAINBOW_TLS_NOT;
	default:
		return RAINBOW_TLS_NOT;
	}
}

/* How many turns are to be skipped behind one that this ends, which was to be skipped if `skips` is not 0. */
static inline __u32 rainbow_tls_skips(enum rainbow_tls tls, __u32 skips)
{
	if (tls == RAINBOW_TLS_HELLO)
		return RAINBOW_TLS_SKIPS;
	if (tls == RAINBOW_TLS_HANDSHAKE && skips < 2)
		return 1;
	return skips ? skips - 1 : 0;
}

/*
 * rainbow_signal: ARRAY_OF_MAPS[RAINBOW_RECORDS], by rainbow_record(); each record is a PERCPU_ARRAY[1]. So only what is measured takes
 * memory (6 KB for each CPU), which is there when rainbowd asks for it (a PERCPU_HASH that is not allocated ahead fails where several
 * are made at once), and no program ever writes into a record that has become another's. rainbowd makes and removes them; the kernel
 * programs add to those there are. A "session" here is what rainbow_version counts; under affinity client turns and resets are those
 * of its flows, by the second in which the flow opened.
 */
struct rainbow_signal {
	__u64 handshake_us[RAINBOW_SIGNAL_BINS]; /* SYN to SYN-ACK; UDP: first datagram to first answer */
	__u64 turn_us[RAINBOW_SIGNAL_BINS];      /* last payload of the client to the first of the backend */
	__u64 duration_ms[RAINBOW_SIGNAL_BINS];  /* of sessions that ended */
	__u64 asked;                             /* first packets sent to a backend of it */
	__u64 joined;   /* ... and of them those that join a client's session: nobody chose a version for them */
	__u64 answered; /* ... that it answered */
	__u64 refused;  /* ... that it answered with an RST instead */
	__u64 opened;   /* sessions: handshakes that were proven */
	__u64 ended;
	__u64 turned;             /* sessions that had a turn */
	__u64 turns;              /* a session counts for 255 turns at most */
	__u64 turns_squared;      /* the sum over sessions of their turns' square: how far turns are fewer than they look */
	__u64 reset_client_early; /* RST from the client: enum rainbow_when */
	__u64 reset_client_turn;
	__u64 reset_client_idle;
	__u64 reset_server_early;
	__u64 reset_server_turn;
	__u64 reset_server_idle;
	__u64 http_1xx; /* responses by status class; of 1xx only 101, as behind the others the response is yet to come */
	__u64 http_2xx;
	__u64 http_3xx;
	__u64 http_4xx;
	__u64 http_5xx;
	__u64 http_other; /* no response line of HTTP/1 where one was due */
};
RAINBOW_SIZE_IS(struct rainbow_signal, (3 * RAINBOW_SIGNAL_BINS + 21) * 8);

/*
 * rainbow_traffic: PERCPU_ARRAY[versions + 1]. Packets of sessions, and their bytes without the link's header, as the hook meets them:
 * an aggregate (GRO) is one.
 */
struct rainbow_traffic {
	__u64 request_packets;
	__u64 request_bytes;
	__u64 reply_packets;
	__u64 reply_bytes;
};
RAINBOW_SIZE_IS(struct rainbow_traffic, 32);

#endif
