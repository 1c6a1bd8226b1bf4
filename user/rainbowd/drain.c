// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 *            drain                    live 0, nothing pending
 *  ACTIVE ----------> DRAINING ---------------------------------> DRAINED
 *     ^                |    ^ |                                     |  |
 *     |     undrain    |    | +-- deadline, on_deadline reset:      |  |
 *     +----------------+    |     close the rest (stays DRAINING)   |  |
 *     |                     +---------------------------------------+  |
 *     |                         live > 0 after all                     |
 *     +----------------------------------------------------------------+
 *                               undrain
 *
 * A handshake that was under way when the drain began may still become a session; so a drain is not finished while the nursery
 * holds one of this version. After nursery_seconds such entries are forgotten by the kernel as well.
 */
#include "drain.h"

bool drain_is_overdue(const struct drain *drain, struct instant now)
{
	return drain->deadline.unix_ms && now.unix_ms >= drain->deadline.unix_ms;
}

bool drain_is_closing(enum rainbow_version_state state, const struct drain *drain, struct instant now)
{
	return state == RAINBOW_VERSION_DRAINING && drain->on_deadline == ON_DEADLINE_RESET && drain_is_overdue(drain, now);
}

static bool handshakes_are_over(const struct drain_facts *facts)
{
	if (facts->in_force_ms > (int64_t)facts->nursery_seconds * 1000)
		return true;
	return facts->pending_known && facts->pending == 0;
}

enum drain_step drain_next(const struct drain_facts *facts)
{
	if (facts->state == RAINBOW_VERSION_DRAINED)
		return facts->live ? DRAIN_REOPEN : DRAIN_STAY;
	if (facts->state != RAINBOW_VERSION_DRAINING)
		return DRAIN_STAY;
	if (facts->live == 0)
		return handshakes_are_over(facts) ? DRAIN_FINISH : DRAIN_STAY;
	return drain_is_closing(facts->state, &facts->drain, facts->now) ? DRAIN_CLOSE : DRAIN_STAY;
}

struct instant drain_close_after(const struct drain *drain, uint32_t pace, uint64_t live, struct instant now)
{
	struct instant at = drain->deadline, never = {0};

	if (!drain->deadline.unix_ms || drain->on_deadline != ON_DEADLINE_RESET)
		return never;
	if (pace && at.unix_ms < now.unix_ms)
		at = now;
	if (pace)
		at.unix_ms += (int64_t)(live * 1000 / pace);
	at.unix_ms += DRAIN_GRACE_MS;
	return at;
}
