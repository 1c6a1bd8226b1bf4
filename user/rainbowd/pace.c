// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See pace.h. */
#include "pace.h"

struct pace pace_begin(uint64_t count, uint32_t rate, int64_t grace_ms, int64_t now_ms)
{
	struct pace pace = {.started_ms = now_ms, .rate = rate};

	if (rate)
		return pace;
	pace.rate = grace_ms > 0 ? (count * 1000 + (uint64_t)grace_ms - 1) / (uint64_t)grace_ms : count;
	if (pace.rate < PACE_SLOWEST)
		pace.rate = PACE_SLOWEST;
	return pace;
}

int64_t pace_due_ms(const struct pace *pace, uint64_t n, uint32_t random)
{
	uint64_t turn_us = n * 1000000 / pace->rate;
	uint64_t length_us = 1000000 / pace->rate;
	uint64_t jitter_us = length_us * random >> 32;

	return pace->started_ms + (int64_t)((turn_us + jitter_us) / 1000);
}
