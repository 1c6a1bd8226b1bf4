// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See ids.h. */
#include "ids.h"

uint32_t ids_limit(enum id_kind kind)
{
	static const uint32_t limits[ID_KINDS] = {RAINBOW_MAX_SERVICES, RAINBOW_MAX_VERSIONS, RAINBOW_MAX_BACKENDS};

	return limits[kind];
}

/* Round and round, so that a freed id is given again as late as can be. */
uint32_t ids_take(struct ids *ids, enum id_kind kind)
{
	uint32_t limit = ids_limit(kind);
	uint32_t tries, id = ids->last[kind];

	for (tries = 0; tries < limit; tries++) {
		id = id >= limit ? 1 : id + 1;
		if (ids->taken[kind][id])
			continue;
		ids->taken[kind][id] = true;
		ids->last[kind] = id;
		return id;
	}
	return 0;
}

void ids_hold(struct ids *ids, enum id_kind kind, uint32_t id)
{
	if (id == 0 || id > ids_limit(kind))
		return;
	ids->taken[kind][id] = true;
	ids->retired_ms[kind][id] = 0;
	if (id > ids->last[kind])
		ids->last[kind] = id;
}

void ids_retire(struct ids *ids, enum id_kind kind, uint32_t id, int64_t now_ms)
{
	ids->taken[kind][id] = true;
	ids->retired_ms[kind][id] = now_ms > 0 ? now_ms : 1;
}

void ids_free(struct ids *ids, enum id_kind kind, uint32_t id)
{
	ids->taken[kind][id] = false;
	ids->retired_ms[kind][id] = 0;
}

bool ids_is_retired(const struct ids *ids, enum id_kind kind, uint32_t id)
{
	return ids->retired_ms[kind][id] != 0;
}

/* Has it been retired for as long as a handshake may wait? */
static bool has_aged(const struct ids *ids, enum id_kind kind, uint32_t id, int64_t at_ms, int64_t nursery_ms)
{
	return ids_is_retired(ids, kind, id) && at_ms - ids->retired_ms[kind][id] > nursery_ms;
}

bool ids_is_ripe(const struct ids *ids, enum id_kind kind, uint32_t id, const struct ids_seen *seen, int64_t walk_ms,
		 int64_t nursery_ms)
{
	return has_aged(ids, kind, id, walk_ms, nursery_ms) && !seen->id[kind][id];
}

bool ids_want_walk(const struct ids *ids, int64_t now_ms, int64_t nursery_ms)
{
	uint32_t kind, id;

	for (kind = 0; kind < ID_KINDS; kind++)
		for (id = 1; id <= ids_limit(kind); id++)
			if (has_aged(ids, kind, id, now_ms, nursery_ms))
				return true;
	return false;
}
