/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The writer's side of the hash table in rainbow_lookup; its rules are in headers/rainbow/lookup.h. Pure but for the stores
 * into the table, which kernel programs read meanwhile.
 */
#ifndef RAINBOW_LOOKUP_TABLE_H
#define RAINBOW_LOOKUP_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <rainbow/lookup.h>

/*
 * Finds where the key is or belongs: its own slot if it is there (*found), else the first one that can take it; NULL if
 * none is in reach. The slot of a key that is not there may have been another's: see lookup_put.
 */
struct rainbow_lookup *lookup_seek(struct rainbow_lookup *table, const struct rainbow_addr *addr, uint16_t port,
				   uint8_t protocol, bool *found);
/*
 * Fills the slot that lookup_seek gave. A slot not found but used before may be given away only when no program reads it as
 * the old entry any more: after a barrier since its removal.
 */
void lookup_put(struct rainbow_lookup *slot, const struct rainbow_addr *addr, uint16_t port, uint8_t protocol,
		enum rainbow_lookup_kind kind, uint32_t id);
/* Takes the entry out; false if it was not there. */
bool lookup_remove(struct rainbow_lookup *table, const struct rainbow_addr *addr, uint16_t port, uint8_t protocol);
bool lookup_in_use(const struct rainbow_lookup *entry);

#endif
