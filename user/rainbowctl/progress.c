// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The progress of a drain as numbers: see progress.h. */
#include <string.h>
#include "rainbowctl/progress.h"

#define APART_MS 900  /* readings closer together than this are not kept */
#define LEAST_MS 2000 /* of readings, before a pace means anything */

void progress_init(struct progress *progress)
{
	memset(progress, 0, sizeof(*progress));
	progress->most = -1;
	progress->live = -1;
}

void progress_add(struct progress *progress, int64_t at_ms, int64_t live)
{
	unsigned int last = (progress->count + PROGRESS_READINGS - 1) % PROGRESS_READINGS;

	progress->live = live;
	progress->at_ms = at_ms;
	if (live > progress->most)
		progress->most = live;
	if (progress->count && at_ms - progress->readings[last].at_ms < APART_MS)
		return;
	progress->readings[progress->count % PROGRESS_READINGS].at_ms = at_ms;
	progress->readings[progress->count % PROGRESS_READINGS].live = live;
	progress->count++;
}

int progress_percent(const struct progress *progress)
{
	if (progress->most < 0)
		return -1;
	if (!progress->live)
		return 100;
	return (int)((progress->most - progress->live) * 100 / progress->most);
}

double progress_pace(const struct progress *progress)
{
	unsigned int kept = progress->count < PROGRESS_READINGS ? progress->count : PROGRESS_READINGS;
	int64_t span = 0, ended = 0;

	/* From the oldest reading in the window to the last. */
	for (unsigned int i = progress->count - kept; i < progress->count; i++) {
		unsigned int at = i % PROGRESS_READINGS;

		span = progress->at_ms - progress->readings[at].at_ms;
		ended = progress->readings[at].live - progress->live;
		if (span <= PROGRESS_WINDOW_MS)
			break;
	}
	if (span < LEAST_MS)
		return -1;
	return ended > 0 ? (double)ended * 60000 / (double)span : 0;
}

int64_t progress_eta_ms(const struct progress *progress)
{
	double pace = progress_pace(progress);

	if (progress->live < 0 || pace <= 0)
		return -1;
	return (int64_t)((double)progress->live / pace * 60000);
}
