// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See drift.h. */
#include "drift.h"

uint64_t drift_of(const struct drift_reading *before, const struct drift_reading *after, uint64_t recount)
{
	uint64_t opened = after->opened - before->opened;
	uint64_t ended = after->ended - before->ended;
	uint64_t least = before->live > ended ? before->live - ended : 0;
	uint64_t most = before->live + opened;

	if (recount < least)
		return least - recount;
	return recount > most ? recount - most : 0;
}
