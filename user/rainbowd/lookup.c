// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The writer's side of rainbow_lookup: see lookup.h. */
#include <string.h>
#include "rainbowd/lookup.h"

static uint64_t word_get(const struct rainbow_lookup *entry)
{
	return __atomic_load_n(&entry->word, __ATOMIC_ACQUIRE);
}

static void word_set(struct rainbow_lookup *entry, uint64_t word)
{
	__atomic_store_n(&entry->word, word, __ATOMIC_RELEASE);
}

bool lookup_in_use(const struct rainbow_lookup *entry)
{
	enum rainbow_lookup_kind kind = rainbow_lookup_kind(word_get(entry));

	return kind != RAINBOW_LOOKUP_EMPTY && kind != RAINBOW_LOOKUP_REMOVED;
}

struct rainbow_lookup *lookup_seek(struct rainbow_lookup *table, const struct rainbow_addr *addr, uint16_t port,
				   uint8_t protocol, bool *found)
{
	struct rainbow_addr_words words = rainbow_addr_words(addr);
	uint32_t slot = rainbow_lookup_start(words, port, protocol);
	struct rainbow_lookup *room = NULL;
	int i;

	*found = false;
	for (i = 0; i < RAINBOW_LOOKUP_PROBES; i++) {
		struct rainbow_lookup *entry = &table[(slot + i) & (RAINBOW_LOOKUP_SLOTS - 1)];
		uint64_t word = word_get(entry);

		if (!room && !lookup_in_use(entry))
			room = entry;
		if (rainbow_lookup_kind(word) == RAINBOW_LOOKUP_EMPTY)
			return room;
		if (rainbow_lookup_matches(entry, word, words, port, protocol)) {
			*found = true;
			return entry;
		}
	}
	return room;
}

void lookup_put(struct rainbow_lookup *slot, const struct rainbow_addr *addr, uint16_t port, uint8_t protocol,
		enum rainbow_lookup_kind kind, uint32_t id)
{
	/* The key's own slot has its address already; readers compare it meanwhile. */
	if (!lookup_in_use(slot))
		memcpy(&slot->addr, addr, sizeof(slot->addr));
	word_set(slot, rainbow_lookup_word(port, protocol, kind, id));
}

/* A removed slot is needed only as a bridge to what lies behind it. */
static void bridges_drop(struct rainbow_lookup *table, uint32_t slot)
{
	const uint32_t mask = RAINBOW_LOOKUP_SLOTS - 1;

	while (rainbow_lookup_kind(word_get(&table[slot])) == RAINBOW_LOOKUP_REMOVED &&
	       rainbow_lookup_kind(word_get(&table[(slot + 1) & mask])) == RAINBOW_LOOKUP_EMPTY) {
		word_set(&table[slot], 0);
		slot = (slot - 1) & mask;
	}
}

bool lookup_remove(struct rainbow_lookup *table, const struct rainbow_addr *addr, uint16_t port, uint8_t protocol)
{
	bool found;
	struct rainbow_lookup *entry = lookup_seek(table, addr, port, protocol, &found);

	if (!found)
		return false;
	word_set(entry, rainbow_lookup_word(port, protocol, RAINBOW_LOOKUP_REMOVED, 0));
	bridges_drop(table, (uint32_t)(entry - table));
	return true;
}
