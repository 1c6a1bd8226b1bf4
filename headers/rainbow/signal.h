/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel measures of each version, without being told anything: how long handshakes and turns take, how connections fail,
 * who resets sessions and when. Histograms are log-linear: 8 bins for each power of two, so that the middle of a bin is at most
 * 6.25 % from any value in it. Shared by the kernel programs and user space; pure.
 */
#ifndef RAINBOW_SIGNAL_H
#define RAINBOW_SIGNAL_H

#include <rainbow/maps.h>

#define RAINBOW_SIGNAL_BINS 240

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
 * rainbow_signal: one record for a version since it was added, and one for the sessions that began in the present cohort of its
 * service. Per CPU; written by the kernel programs alone.
 */
struct rainbow_signal {
	__u64 handshake_us[RAINBOW_SIGNAL_BINS]; /* SYN to SYN-ACK */
	__u64 turn_us[RAINBOW_SIGNAL_BINS];      /* last payload of the client to the first of the backend */
	__u64 duration_ms[RAINBOW_SIGNAL_BINS];  /* of sessions that ended */
	__u64 asked;                             /* first packets sent to a backend of it */
	__u64 answered;                          /* ... that it answered */
	__u64 refused;                           /* ... with an RST */
	__u64 opened;                            /* sessions: handshakes that were proven */
	__u64 ended;
	__u64 turned;             /* sessions that had a turn */
	__u64 turns;              /* a session counts for 255 turns at most */
	__u64 turns_squared;      /* the sum over sessions of their turns' square: how far turns are fewer than they look */
	__u64 reset_client_early; /* RST from the client: before any payload ... */
	__u64 reset_client_turn;  /* ... while something was under way ... */
	__u64 reset_client_idle;  /* ... after it had been idle */
	__u64 reset_server_early;
	__u64 reset_server_turn;
	__u64 reset_server_idle;
	__u64 http_1xx; /* responses by status class */
	__u64 http_2xx;
	__u64 http_3xx;
	__u64 http_4xx;
	__u64 http_5xx;
	__u64 http_other; /* no response line of HTTP/1 where one was due */
};

/* rainbow_traffic: PERCPU_ARRAY[versions + 1]. Packets of sessions, and their bytes as they lie on the wire, without the link's header. */
struct rainbow_traffic {
	__u64 request_packets;
	__u64 request_bytes;
	__u64 reply_packets;
	__u64 reply_bytes;
};
RAINBOW_SIZE_IS(struct rainbow_traffic, 32);

#endif
