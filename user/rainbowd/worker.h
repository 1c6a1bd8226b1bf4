/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One thread beside the event loop, for work that walks all pins. Jobs run one after the other; each comes back to the loop
 * when it is done. A job may touch nothing that the loop touches but datapath_sweep, datapath_pins_each and the counters.
 */
#ifndef RAINBOW_WORKER_H
#define RAINBOW_WORKER_H

#include <stdbool.h>
#include "common/error.h"

struct event_base;
struct worker;

/* Embedded in the job's own struct. */
struct work {
	void (*run)(struct work *work);  /* in the thread */
	void (*done)(struct work *work); /* in the loop, exactly once; frees the job */
	bool cancelled;                  /* rainbowd stops: free it and do no more */
	struct work *next;
};

int worker_new(struct worker **out, struct event_base *base, struct error *err);
void worker_submit(struct worker *worker, struct work *work);
/* Waits for the job that runs, cancels the others. */
void worker_free(struct worker *worker);

#endif
