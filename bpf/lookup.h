/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whose address:port is this? The search in rainbow_lookup; its rules are in headers/rainbow/lookup.h. */
#ifndef RAINBOW_BPF_LOOKUP_H
#define RAINBOW_BPF_LOOKUP_H

#include "maps.h"

static __always_inline struct rainbow_lookup *lookup_slot(__u32 slot)
{
	return bpf_map_lookup_elem(&rainbow_lookup, &slot);
}

/* Does the search end at this entry? *id is then the answer. */
static __always_inline int lookup_ends(const struct rainbow_lookup *entry, struct rainbow_addr_words addr, __u16 port,
				       __u8 protocol, enum rainbow_lookup_kind kind, __u32 *id)
{
	__u64 word;

	*id = 0;
	if (!entry)
		return 1;
	word = *(volatile __u64 *)&entry->word;
	if (rainbow_lookup_kind(word) == RAINBOW_LOOKUP_EMPTY)
		return 1;
	if (!rainbow_lookup_matches(entry, word, addr, port, protocol))
		return 0;
	if (rainbow_lookup_kind(word) == kind)
		*id = rainbow_lookup_id(word);
	return 1;
}

/* The whole search. */
__noinline __u32 lookup_search(const struct rainbow_addr *addr, __u16 port, __u8 protocol, enum rainbow_lookup_kind kind)
{
	struct rainbow_addr_words words;
	__u32 slot, id;
	int i;

	if (!addr)
		return 0;
	words = rainbow_addr_words(addr);
	slot = rainbow_lookup_start(words, port, protocol);
	for (i = 0; i < RAINBOW_LOOKUP_PROBES; i++) {
		if (lookup_ends(lookup_slot(slot), words, port, protocol, kind, &id))
			return id;
		slot = (slot + 1) & (RAINBOW_LOOKUP_SLOTS - 1);
	}
	return 0;
}

/* The id of the service or backend (as asked) at this address, or 0. The first slot nearly always has the answer. */
static __always_inline __u32 lookup_find(const struct rainbow_addr *addr, __u16 port, __u8 protocol,
					 enum rainbow_lookup_kind kind)
{
	struct rainbow_addr_words words = rainbow_addr_words(addr);
	__u32 id;

	if (lookup_ends(lookup_slot(rainbow_lookup_start(words, port, protocol)), words, port, protocol, kind, &id))
		return id;
	return lookup_search(addr, port, protocol, kind);
}

#endif
