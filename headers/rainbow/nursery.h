/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The nursery, rainbow_nursery: which bucket a flow belongs to, and how a bucket is read and changed. Pure; the kernel programs do
 * it in bpf/cot.h, rainbowd in user/rainbowd/nursery.c.
 *
 * A bucket is a sequence lock, which is tried and never waited for. A reader copies what it needs, and uses the copy only if `turn`
 * is even and the same before and behind it. A writer makes turn odd by a compare-and-swap from the value under which it read what
 * it decides by; so it fails if anything in the bucket has changed since, and of two CPUs that enter the same flow at once only
 * one does: the other looks again, and follows. Who fails too often drops the packet.
 *
 * Plain reads and writes in this order are enough on x86. A machine that keeps it less (arm64) wants load-acquire and
 * store-release, which BPF has since Linux 6.15.
 */
#ifndef RAINBOW_NURSERY_H
#define RAINBOW_NURSERY_H

#include <rainbow/table.h>

/* Half of the cots are filled when the nursery is. One flow in twenty then finds eight others in its bucket, and takes the place of one. */
#define RAINBOW_NURSERY_FILL (RAINBOW_COTS / 2)

static inline __u32 rainbow_nursery_buckets(__u32 nurslings)
{
	return nurslings / RAINBOW_NURSERY_FILL + !!(nurslings % RAINBOW_NURSERY_FILL);
}

static inline __u32 rainbow_nursery_room(__u32 buckets)
{
	return buckets * RAINBOW_NURSERY_FILL;
}

/* The tags of a bucket with another one for this cot; 0: it is empty. */
static inline __u64 rainbow_nursery_tags(__u64 tags, __u32 cot, __u64 tag)
{
	return (tags & ~rainbow_way_tag(cot, RAINBOW_TAG_MASK)) | rainbow_way_tag(cot, tag);
}

/* The greater one, without a branch, of which the verifier would walk both sides. Both are below 2^63. */
static inline __u64 rainbow_greater(__u64 a, __u64 b)
{
	__s64 more = (__s64)(a - b);

	return b + (__u64)(more & ~(more >> 63));
}

/* The cot that is longest unchanged. */
static inline __u32 rainbow_nursery_oldest(const struct rainbow_nursery_bucket *bucket)
{
	__u64 oldest = 0;
	__u32 i;

	for (i = 0; i < RAINBOW_COTS; i++)
		oldest = rainbow_greater(oldest, (__u64)(bucket->turn - bucket->written[i]) << 3 | i);
	return (__u32)oldest & (RAINBOW_COTS - 1);
}

static inline int rainbow_turn_is_odd(__u32 turn)
{
	return turn & 1;
}

#endif
