// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Two ways to lay a wheel: see wheel.h. */
#include <string.h>
#include "wheel.h"

#define SLOTS RAINBOW_WHEEL_SLOTS

/* The first slot in which the k-th turn of a share may lie. */
static unsigned int turn_opens(unsigned int k, unsigned int permille)
{
	return k * SLOTS / permille;
}

/* The first slot in which it may not lie any more. */
static unsigned int turn_closes(unsigned int k, unsigned int permille)
{
	return ((k + 1) * SLOTS + permille - 1) / permille;
}

/*
 * The share whose turn closes first, among those whose turn is open. That is "earliest deadline first" on windows of
 * proportional progress, of which it is known that all are met when the shares fill the wheel (Baruah et al., 1996).
 */
static size_t turn_next(const struct wheel_share *shares, const unsigned int *taken, size_t count, unsigned int slot)
{
	size_t i, best = count;

	for (i = 0; i < count; i++) {
		unsigned int permille = shares[i].permille;

		if (taken[i] >= permille || turn_opens(taken[i], permille) > slot)
			continue;
		if (best == count || turn_closes(taken[i], permille) < turn_closes(taken[best], shares[best].permille))
			best = i;
	}
	return best;
}

void wheel_fill_exact(const struct wheel_share *shares, size_t count, uint16_t slot[SLOTS])
{
	unsigned int taken[RAINBOW_MAX_VERSIONS_PER_SERVICE] = {0};
	unsigned int i;

	memset(slot, 0, SLOTS * sizeof(*slot));
	for (i = 0; i < SLOTS; i++) {
		size_t next = turn_next(shares, taken, count, i);

		if (next == count)
			continue;
		slot[i] = shares[next].version;
		taken[next]++;
	}
}

static size_t share_find(const struct wheel_share *shares, size_t count, uint16_t version)
{
	size_t i = 0;

	while (i < count && shares[i].version != version)
		i++;
	return i;
}

void wheel_fill_hash(const struct wheel_share *shares, size_t count, const uint16_t before[SLOTS], uint16_t slot[SLOTS])
{
	unsigned int taken[RAINBOW_MAX_VERSIONS_PER_SERVICE] = {0};
	unsigned int i;
	size_t next = 0;

	for (i = 0; i < SLOTS; i++) {
		size_t owner = share_find(shares, count, before[i]);
		int keeps = before[i] && owner < count && taken[owner] < shares[owner].permille;

		slot[i] = keeps ? before[i] : 0;
		if (keeps)
			taken[owner]++;
	}
	for (i = 0; i < SLOTS; i++) {
		while (next < count && taken[next] >= shares[next].permille)
			next++;
		if (slot[i] || next == count)
			continue;
		slot[i] = shares[next].version;
		taken[next]++;
	}
}
