/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The progress of a drain as numbers: readings in; pace, share done and time left out. Pure: time is an argument. */
#ifndef RAINBOWCTL_PROGRESS_H
#define RAINBOWCTL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#define PROGRESS_READINGS  64
#define PROGRESS_WINDOW_MS 60000 /* the pace is that of the last minute */

struct progress {
	int64_t most;  /* live sessions at the worst reading: what there is to do. -1: no reading yet */
	int64_t live;  /* at the last reading */
	int64_t at_ms; /* of the last reading */
	struct {
		int64_t at_ms, live;
	} readings[PROGRESS_READINGS]; /* a ring, about one second apart */
	unsigned int count;            /* readings ever kept */
};

void progress_init(struct progress *progress);
void progress_add(struct progress *progress, int64_t at_ms, int64_t live);
/* 0 to 100; -1 while unknown. */
int progress_percent(const struct progress *progress);
/* Sessions that ended per minute; negative while unknown (less than 2 s of readings). */
double progress_pace(const struct progress *progress);
/* Milliseconds until none is left at this pace; -1 unknown. */
int64_t progress_eta_ms(const struct progress *progress);

#endif
