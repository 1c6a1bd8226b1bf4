/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From weights to the 1,000 slots that new sessions index. Pure. */
#ifndef RAINBOW_WHEEL_H
#define RAINBOW_WHEEL_H

#include <stddef.h>
#include <stdint.h>
#include <rainbow/types.h>

/* The permilles of all shares add up to 1000, or there is none. At most RAINBOW_MAX_VERSIONS_PER_SERVICE. */
struct wheel_share {
	uint16_t version;
	uint16_t permille;
};

/*
 * Selection exact, where sessions take slot after slot: exact in any 1,000 in a row, and evenly spread. The k-th slot of a
 * version with p permille lies in [floor(1000 k / p), ceil(1000 (k + 1) / p)), so 5 % is 1 in each 20.
 */
void wheel_fill_exact(const struct wheel_share *shares, size_t count, uint16_t slot[RAINBOW_WHEEL_SLOTS]);

/*
 * Selection hash, where a client meets the same slot again: no slot changes hands but those that must. A version that grows
 * takes slots of those that shrink, the highest first. `before` may be `slot`.
 */
void wheel_fill_hash(const struct wheel_share *shares, size_t count, const uint16_t before[RAINBOW_WHEEL_SLOTS],
		     uint16_t slot[RAINBOW_WHEEL_SLOTS]);

#endif
