/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The hash table in rainbow_lookup: open addressing with linear probing over RAINBOW_LOOKUP_SLOTS entries, at most a quarter
 * full. Pure; rainbowd writes it (rainbow_lookup_add, _remove), the kernel programs search it (bpf/lookup.h), both by the
 * rules here. There is one writer. An entry's word is stored last, in one piece, so a reader sees an entry or does not.
 */
#ifndef RAINBOW_LOOKUP_H
#define RAINBOW_LOOKUP_H

#include <rainbow/maps.h>

#define RAINBOW_LOOKUP_SLOTS  16384
#define RAINBOW_LOOKUP_PROBES 32 /* a search never goes further, so an insert may not either */

_Static_assert((RAINBOW_LOOKUP_SLOTS & (RAINBOW_LOOKUP_SLOTS - 1)) == 0, "slots must be a power of two");
_Static_assert(RAINBOW_LOOKUP_SLOTS >= 3 * (RAINBOW_MAX_SERVICES + RAINBOW_MAX_BACKENDS), "the table must stay sparse");

/* The first slot to look at. */
static inline __u32 rainbow_lookup_start(struct rainbow_addr_words addr, __u16 port, __u8 protocol)
{
	__u64 mixed = addr.low ^ (addr.high * 0x9e3779b97f4a7c15ull) ^ ((__u64)port << 8 | protocol);

	/*
	 * A product's bit depends on the factor's bits below it alone. The last octet of an address is at the top of the
	 * word: it is folded down first, and the slot is taken from the top.
	 */
	mixed = (mixed ^ mixed >> 32) * 0xd6e8feb86659fd93ull;
	return (__u32)(mixed >> 32) >> 18 & (RAINBOW_LOOKUP_SLOTS - 1);
}

static inline __u64 rainbow_lookup_word(__u16 port, __u8 protocol, enum rainbow_lookup_kind kind, __u32 id)
{
	return (__u64)id << 32 | (__u64)kind << 24 | (__u64)protocol << 16 | port;
}

static inline enum rainbow_lookup_kind rainbow_lookup_kind(__u64 word)
{
	return (enum rainbow_lookup_kind)(word >> 24 & 0xff);
}

static inline __u32 rainbow_lookup_id(__u64 word)
{
	return (__u32)(word >> 32);
}

/* Is this entry the one for addr, port, protocol (and in use)? */
static inline int rainbow_lookup_matches(const struct rainbow_lookup *entry, __u64 word, struct rainbow_addr_words addr,
					 __u16 port, __u8 protocol)
{
	struct rainbow_addr_words have;

	if ((word & 0xffffff) != ((__u64)protocol << 16 | port) || rainbow_lookup_kind(word) == RAINBOW_LOOKUP_REMOVED)
		return 0;
	have = rainbow_addr_words(&entry->addr);
	return have.low == addr.low && have.high == addr.high;
}

#endif
