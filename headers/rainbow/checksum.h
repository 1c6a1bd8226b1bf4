/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One's complement arithmetic of the Internet checksum (RFC 1071) and its incremental update (RFC 1624, eqn. 3). Pure. Sums
 * are over 16-bit words as they lie in memory, so no byte order appears (RFC 1071, 2(B)).
 */
#ifndef RAINBOW_CHECKSUM_H
#define RAINBOW_CHECKSUM_H

#include <rainbow/types.h>

static inline __u16 rainbow_sum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

/* The delta of replacing one 16-bit word by another: to be added to the sum that the checksum field complements. */
static inline __u16 rainbow_delta16(__u16 from, __u16 to)
{
	return rainbow_sum_fold((__u64)(__u16)~from + to);
}

/* The delta of replacing an address by another. For v4-mapped ones the upper words are equal and cancel out. */
static inline __u16 rainbow_delta_addr(const struct rainbow_addr *from, const struct rainbow_addr *to)
{
	__u64 sum = 0;
	int i;

	for (i = 0; i < 16; i += 2) {
		__u16 old, new;

		__builtin_memcpy(&old, from->octet + i, 2);
		__builtin_memcpy(&new, to->octet + i, 2);
		if (old != new)
			sum += (__u64)(__u16)~old + new;
	}
	return rainbow_sum_fold(sum);
}

/* The delta of the way back. */
static inline __u16 rainbow_delta_reverse(__u16 delta)
{
	return delta ? (__u16)~delta : 0;
}

static inline __u16 rainbow_delta_add(__u16 a, __u16 b)
{
	return rainbow_sum_fold((__u64)a + b);
}

/* RFC 1624: HC' = ~(~HC + delta), of one delta or the plain sum of several. */
static inline __u16 rainbow_checksum_update(__u16 checksum, __u32 delta)
{
	return (__u16)~rainbow_sum_fold((__u64)(__u16)~checksum + delta);
}

#endif
