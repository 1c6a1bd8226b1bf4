/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What rainbowd does for rollouts, twice a second: gathers what is known of candidate and baseline, has the gates judge it (gate.c) and
 * the machine decide (rollout.c), and carries that out as one change of the service. Decides nothing itself.
 */
#ifndef RAINBOW_PILOT_H
#define RAINBOW_PILOT_H

#include "daemon.h"
#include "gate.h"

struct pilot;

int pilot_new(struct pilot **out, struct daemon *daemon, struct error *err);
void pilot_free(struct pilot *pilot);
/* A step of this service's rollout is in force: its cohort begins. Where that fails it is tried again, and nothing is judged till then. */
void pilot_begin_step(struct pilot *pilot, const struct service *service);
/* Why the rollout is as it is; of one that is held, why it is held now. */
const char *pilot_reason(const struct pilot *pilot, const struct service *service);
/* What the last look of the gate found (by its place); false: there was none in this step. */
bool pilot_finding(const struct pilot *pilot, const struct service *service, size_t gate, struct gate_finding *out);
/* Inputs, formula, verdict of a gate as they are now; malloc'ed text. */
int pilot_explain(struct pilot *pilot, const struct service *service, const char *gate, char **out, struct error *err);

#endif
