/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which slot of the wheel a new session takes. Pure: the kernel programs choose with it and `rainbowctl explain` foretells
 * with it.
 */
#ifndef RAINBOW_SELECT_H
#define RAINBOW_SELECT_H

#include <rainbow/maps.h>

/* clang-format off: a round a line, as in the paper */
#define RAINBOW_ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
#define RAINBOW_SIPROUND(v0, v1, v2, v3)                                                                                       \
	do {                                                                                                                   \
		v0 += v1;                                                                                                      \
		v1 = RAINBOW_ROTL(v1, 13);                                                                                     \
		v1 ^= v0;                                                                                                      \
		v0 = RAINBOW_ROTL(v0, 32);                                                                                     \
		v2 += v3;                                                                                                      \
		v3 = RAINBOW_ROTL(v3, 16);                                                                                     \
		v3 ^= v2;                                                                                                      \
		v0 += v3;                                                                                                      \
		v3 = RAINBOW_ROTL(v3, 21);                                                                                     \
		v3 ^= v0;                                                                                                      \
		v2 += v1;                                                                                                      \
		v1 = RAINBOW_ROTL(v1, 17);                                                                                     \
		v1 ^= v2;                                                                                                      \
		v2 = RAINBOW_ROTL(v2, 32);                                                                                     \
	} while (0)

/*
 * SipHash-2-4 (Aumasson, Bernstein 2012) of three words. Keyed, so that nobody outside can aim sessions at a version or a
 * backend.
 */
static inline __u64 rainbow_siphash(const __u64 secret[2], __u64 a, __u64 b, __u64 c)
{
	__u64 v0 = 0x736f6d6570736575ull ^ secret[0], v1 = 0x646f72616e646f6dull ^ secret[1];
	__u64 v2 = 0x6c7967656e657261ull ^ secret[0], v3 = 0x7465646279746573ull ^ secret[1];
	const __u64 length = (__u64)24 << 56;

	v3 ^= a;
	RAINBOW_SIPROUND(v0, v1, v2, v3);
	RAINBOW_SIPROUND(v0, v1, v2, v3);
	v0 ^= a;
	v3 ^= b;
	RAINBOW_SIPROUND(v0, v1, v2, v3);
	RAINBOW_SIPROUND(v0, v1, v2, v3);
	v0 ^= b;
	v3 ^= c;
	RAINBOW_SIPROUND(v0, v1, v2, v3);
	RAINBOW_SIPROUND(v0, v1, v2, v3);
	v0 ^= c;
	v3 ^= length;
	RAINBOW_SIPROUND(v0, v1, v2, v3);
	RAINBOW_SIPROUND(v0, v1, v2, v3);
	v0 ^= length;
	v2 ^= 0xff;
	RAINBOW_SIPROUND(v0, v1, v2, v3);
	RAINBOW_SIPROUND(v0, v1, v2, v3);
	RAINBOW_SIPROUND(v0, v1, v2, v3);
	RAINBOW_SIPROUND(v0, v1, v2, v3);
	return v0 ^ v1 ^ v2 ^ v3;
}

/* clang-format on */

/* The hash of a flow; with port 0 (a client session's key) that of the client. */
static inline __u64 rainbow_flow_hash(const __u64 secret[2], const struct rainbow_flow *flow)
{
	struct rainbow_addr_words client = rainbow_addr_words(&flow->client);

	return rainbow_siphash(secret, client.high, client.low, (__u64)flow->service << 16 | flow->port);
}

/* Selection hash: the slot for a hash. Uses the upper half; the lower one spreads ties among backends. */
static inline __u32 rainbow_slot_of_hash(__u64 hash)
{
	return (__u32)(((hash >> 32) * RAINBOW_WHEEL_SLOTS) >> 32);
}

/* Selection exact: the slot for the n-th new session, n from 0. */
static inline __u32 rainbow_slot_of_count(__u64 n)
{
	return (__u32)(n % RAINBOW_WHEEL_SLOTS);
}

/* Is addr an IPv4 address? */
static inline int rainbow_addr_is_v4(const struct rainbow_addr *addr)
{
	__u32 words[4];

	__builtin_memcpy(words, addr, sizeof(words));
	return !(words[0] | words[1]) && words[2] == RAINBOW_V4_MIDDLE;
}

/* The client of a client session: an IPv4 address whole, an IPv6 address cut to `prefix` bits (0 and above 128: whole). */
static inline void rainbow_client_mask(struct rainbow_addr *addr, __u32 prefix)
{
	__u64 words[2];

	if (rainbow_addr_is_v4(addr) || prefix == 0 || prefix >= 128)
		return;
	__builtin_memcpy(words, addr, sizeof(words));
	if (prefix <= 64) {
		words[0] &= rainbow_be64(prefix == 64 ? ~0ull : ~(~0ull >> prefix));
		words[1] = 0;
	} else {
		words[1] &= rainbow_be64(~(~0ull >> (prefix - 64)));
	}
	__builtin_memcpy(addr, words, sizeof(words));
}

#endif
