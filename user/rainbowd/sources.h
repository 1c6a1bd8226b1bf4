/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Evidence from outside the kernel, for the services that are rolled out: asks Prometheus, webhooks and commands when they are due, keeps
 * each gate's last answer, and reads what was pushed. An answer is of one step: with the step (or the gate as it was laid down) it is
 * forgotten, one that is still under way included. Nothing is judged here.
 */
#ifndef RAINBOW_SOURCES_H
#define RAINBOW_SOURCES_H

#include "common/duration.h"
#include "common/error.h"
#include "gate.h"

struct fetch;
struct hook;
struct samples;
struct service;
struct sources;

int sources_new(struct sources **out, struct fetch *fetch, struct hook *hook, struct samples *samples, struct error *err);
/* Before what it was made with. Not from a callback. */
void sources_free(struct sources *sources);

/*
 * Starts the questions of the service's gates that are due: the first at once, the next `interval` after the one before was asked, and
 * none while one is under way. Without an active rollout it forgets. To be called about once a second, and when a step begins.
 */
void sources_poll(struct sources *sources, const struct service *service, struct instant now);
/* A service that is removed. */
void sources_forget(struct sources *sources, const char *service);

struct source_evidence {
	struct gate_evidence evidence; /* valid until the next call of sources_* */
	struct instant asked;  /* when the answer was asked for; 0: there is none yet, and the evidence is INCONCLUSIVE */
	uint64_t answer;       /* its number, which rises: the same number is the same answer, not to be judged twice */
	bool sessions_missing; /* VALUE without samples_query: the arms' sessions are the kernel's to say */
};

/*
 * Of a gate that is not the kernel's. share_ordered and chosen_* are 0: the kernel's to say. An answer that is older than three intervals
 * and the timeout is INCONCLUSIVE as stale.
 */
void sources_evidence(struct sources *sources, const struct service *service, const struct gate *gate, struct instant now,
		      struct source_evidence *out);

#endif
