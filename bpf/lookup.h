/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whose address:port is this? The search in rainbow_lookup; its rules are in headers/rainbow/lookup.h. */
#ifndef RAINBOW_BPF_LOOKUP_H
#define RAINBOW_BPF_LOOKUP_H

#include "maps.h"

static __always_inline struct rainbow_lookup *lookup_slot(__u32 slot)
{
	return bpf_map_lookup_elem(&rainbow_lookup, &slot);
}

/* The whole search; NULL arguments are for the verifier. */
__noinline __u32 lookup_search(const struct rainbow_addr *addr, __u16 port, __u8 protocol, enum rainbow_lookup_kind kind)
{
	struct rainbow_addr_words words;
	__u32 slot;
	int i;

	if (!addr)
		return 0;
	words = rainbow_addr_words(addr);
	slot = rainbow_lookup_start(words, port, protocol);
	for (i = 0; i < RAINBOW_LOOKUP_PROBES; i++) {
		struct rainbow_lookup *entry = lookup_slot(slot);
		__u64 word;

		if (!entry)
			return 0;
		word = *(volatile __u64 *)&entry->word;
		if (rainbow_lookup_kind(word) == RAINBOW_LOOKUP_EMPTY)
			return 0;
		if (rainbow_lookup_matches(entry, word, words, port, protocol))
			return rainbow_lookup_kind(word) == kind ? rainbow_lookup_id(word) : 0;
		slot = (slot + 1) & (RAINBOW_LOOKUP_SLOTS - 1);
	}
	return 0;
}

/* The id of the service or backend (as asked) at this address, or 0. The first slot nearly always has the answer. */
static __always_inline __u32 lookup_find(const struct rainbow_addr *addr, __u16 port, __u8 protocol, enum rainbow_lookup_kind kind)
{
	struct rainbow_addr_words words = rainbow_addr_words(addr);
	struct rainbow_lookup *entry = lookup_slot(rainbow_lookup_start(words, port, protocol));
	__u64 word;

	if (!entry)
		return 0;
	word = *(volatile __u64 *)&entry->word;
	if (rainbow_lookup_kind(word) == RAINBOW_LOOKUP_EMPTY)
		return 0;
	if (rainbow_lookup_matches(entry, word, words, port, protocol))
		return rainbow_lookup_kind(word) == kind ? rainbow_lookup_id(word) : 0;
	return lookup_search(addr, port, protocol, kind);
}

#endif
