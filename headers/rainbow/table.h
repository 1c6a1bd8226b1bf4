/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The pin table, rainbow_table with its overflow rainbow_pin: which bucket a flow belongs to, and what a bucket's control word
 * says. Pure; the kernel programs search and change the table by the rules here (bpf/table.h), rainbowd reads it.
 *
 * The control word holds, for each way, a tag of 7 bits (0: the way is free, else a piece of the hash of the flow that it was
 * claimed for), and above them how many flows of this bucket are in rainbow_pin:
 *
 *    63      56 55  49 48  42           13   7 6    0
 *   +----------+------+------+- - - - -+------+------+
 *   | overflow | tag7 | tag6 |         | tag1 | tag0 |
 *   +----------+------+------+- - - - -+------+------+
 *
 * No flow is in the table twice, however many CPUs insert it at once, since every insert into a bucket is one compare-and-swap
 * of this word, made from the word under which the ways were searched:
 *  - Two that claim a way: the later one fails, searches again, and meets the earlier one's tag. If that way's key is not written
 *    yet (its pin is not in a settled state), it gives up for now: the sender repeats its packet.
 *  - While any flow of the bucket is in rainbow_pin, new ones go there too, whether or not a way is free. So a flow is never
 *    inserted here by one CPU and there by another; in rainbow_pin itself BPF_NOEXIST says who is first.
 *    (Without this rule: A finds the bucket full and means to insert into rainbow_pin; a way is freed; B finds that way free and
 *    claims it; A inserts. Raising the count is what makes B's compare-and-swap fail.)
 *  - The count is raised before the insert into rainbow_pin and lowered after the removal from there.
 *  - A pin is counted (against the limit) when it has its place, and in a settled state only then. So nobody is refused for one that
 *    lost its place to another CPU, nor for the last place that another CPU has taken for the same flow.
 *
 * At most RAINBOW_SAME_TAGS ways of a bucket have the same tag (a further flow goes to rainbow_pin, once in ten million), so that
 * a search looks at no more.
 */
#ifndef RAINBOW_TABLE_H
#define RAINBOW_TABLE_H

#include <rainbow/maps.h>

#define RAINBOW_TAG_BITS       7
#define RAINBOW_TAG_MASK       0x7full
#define RAINBOW_TAGS_LOW       0x0002040810204081ull /* the lowest bit of each tag */
#define RAINBOW_TAGS_HIGH      (RAINBOW_TAGS_LOW << 6)
#define RAINBOW_TAGS_MASK      0x00ffffffffffffffull
#define RAINBOW_OVERFLOW_SHIFT 56
#define RAINBOW_OVERFLOW_ONE   (1ull << RAINBOW_OVERFLOW_SHIFT)
#define RAINBOW_OVERFLOW_MAX   255
#define RAINBOW_SAME_TAGS      4

/*
 * Room for so many sessions. Five of eight ways are filled on average when the table is full: with Poisson arrivals (the hash is
 * keyed) 2.5 % of the sessions find their bucket full, and the overflow has room for more than twice as many. In a small table
 * chance has a wider spread: the overflow takes all.
 */
#define RAINBOW_FILL_WAYS 5

static inline __u32 rainbow_table_buckets(__u32 sessions)
{
	return (sessions + RAINBOW_FILL_WAYS - 1) / RAINBOW_FILL_WAYS;
}

static inline __u32 rainbow_table_overflow(__u32 sessions)
{
	return sessions <= 16384 ? sessions : sessions / 16 + 15360;
}

/* The rest of a flow as a word: port and service. */
static inline __u32 rainbow_flow_rest(const struct rainbow_flow *flow)
{
	__u32 rest;

	__builtin_memcpy(&rest, &flow->port, sizeof(rest));
	return rest;
}

/* By what its alignment allows: 32 bits at a time, and one branch. */
static inline int rainbow_flow_is(const struct rainbow_flow *a, const struct rainbow_flow *b)
{
	__u32 x[5], y[5];

	__builtin_memcpy(x, a, sizeof(x));
	__builtin_memcpy(y, b, sizeof(y));
	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]));
}

/*
 * The hash of the table, and of the nursery. Keyed, so that nobody outside can aim at a bucket, be it to fill it or to push another's
 * handshake out of it: a sum of products with secret factors, in which the difference of two flows is unknown to who chose them
 * (multiply-shift: Dietzfelbinger, Universal Hashing and k-Wise Independence via Integer Arithmetic without Primes, 1996). A fixed
 * mix behind it, since the sums of neighbouring ports are spread evenly, or badly, and never at random.
 */
static inline __u64 rainbow_table_hash(const __u64 secret[RAINBOW_TABLE_SECRET], const struct rainbow_flow *flow)
{
	struct rainbow_addr_words words = rainbow_addr_words(&flow->client);
	__u64 hash = (words.high & 0xffffffff) * secret[0] + (words.high >> 32) * secret[1] +
		     (words.low & 0xffffffff) * secret[2] + (words.low >> 32) * secret[3] + rainbow_flow_rest(flow) * secret[4];

	hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93ull;
	return hash ^ hash >> 32;
}

static inline __u32 rainbow_table_bucket(__u64 hash, __u32 buckets)
{
	return (__u32)((hash >> 32) * buckets >> 32);
}

/* Of the lower half, which is as good: 1 to 127. */
static inline __u64 rainbow_table_tag(__u64 hash)
{
	return ((hash & 0xffffffff) * 127 >> 32) + 1;
}

/* The ways whose tag is this one (0: the free ones): the highest bit of each. */
static inline __u64 rainbow_ways_of(__u64 control, __u64 tag)
{
	const __u64 low_six = RAINBOW_TAGS_HIGH - RAINBOW_TAGS_LOW;
	__u64 differs = (control & RAINBOW_TAGS_MASK) ^ (tag * RAINBOW_TAGS_LOW);

	/* A sum of six bits each carries into the seventh unless they are 0, and never beyond it. */
	return ~(((differs & low_six) + low_six) | differs) & RAINBOW_TAGS_HIGH;
}

/* The lowest of such ways: 0 to 7. Without branches: the product shifts the way's number to the top. */
static inline __u32 rainbow_way_first(__u64 ways)
{
	const __u64 numbers = 1ull << 54 | 2ull << 47 | 3ull << 40 | 4ull << 33 | 5ull << 26 | 6ull << 19 | 7ull << 12;

	return (__u32)(((ways & -ways) >> 6) * numbers >> 61);
}

static inline __u64 rainbow_way_tag(__u32 way, __u64 tag)
{
	return tag << (RAINBOW_TAG_BITS * way);
}

static inline __u32 rainbow_overflow_of(__u64 control)
{
	return (__u32)(control >> RAINBOW_OVERFLOW_SHIFT);
}

#endif
