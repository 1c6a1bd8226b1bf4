/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ids of services, versions and backends: places in the kernel's arrays. A removed thing's id is retired, not free: a pin or
 * an unfinished handshake may still hold it. It becomes free when a walk over all pins, begun nursery_seconds or more after
 * it was retired, has met none of it; or it is taken up again (give.h). Pure.
 */
#ifndef RAINBOW_IDS_H
#define RAINBOW_IDS_H

#include <stdbool.h>
#include <stdint.h>
#include <rainbow/types.h>
#include "common/error.h"

enum id_kind { ID_SERVICE, ID_VERSION, ID_BACKEND, ID_KINDS };

#define ID_LIMIT (RAINBOW_MAX_BACKENDS + 1) /* of the largest kind */

struct ids {
	bool taken[ID_KINDS][ID_LIMIT];
	int64_t retired_ms[ID_KINDS][ID_LIMIT]; /* CLOCK_MONOTONIC; 0: not retired */
	uint32_t last[ID_KINDS];                /* given last: the next search begins behind it */
};

/* Which ids a walk over the pins met. */
struct ids_seen {
	bool id[ID_KINDS][ID_LIMIT];
};

uint32_t ids_limit(enum id_kind kind);
/* 0 if none is free. */
uint32_t ids_take(struct ids *ids, enum id_kind kind);
/* Marks as taken, and not retired any more, what the database or the maps hold. */
void ids_hold(struct ids *ids, enum id_kind kind, uint32_t id);
void ids_retire(struct ids *ids, enum id_kind kind, uint32_t id, int64_t now_ms);
/* For an id that nothing in the kernel has ever seen. */
void ids_free(struct ids *ids, enum id_kind kind, uint32_t id);
bool ids_is_retired(const struct ids *ids, enum id_kind kind, uint32_t id);
/* May it be freed, after a walk that began at walk_ms and met `seen`? */
bool ids_is_ripe(const struct ids *ids, enum id_kind kind, uint32_t id, const struct ids_seen *seen, int64_t walk_ms,
		 int64_t nursery_ms);
/* Would a walk that begins now make any ripe? */
bool ids_want_walk(const struct ids *ids, int64_t now_ms, int64_t nursery_ms);

#endif
