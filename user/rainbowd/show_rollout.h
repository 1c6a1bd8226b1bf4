/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A rollout, its steps and its gates as JSON, for status and the rollout's own replies. */
#ifndef RAINBOW_SHOW_ROLLOUT_H
#define RAINBOW_SHOW_ROLLOUT_H

#include <jansson.h>
#include <rainbow/signal.h>
#include "daemon.h"

/* null if there was none. */
json_t *show_rollout(struct daemon *daemon, const struct service *service);
/* Appends a sentence where the sessions of the service are so short that a rainbow is not worth it. */
void show_advice(struct daemon *daemon, const struct service *service, json_t *sentences);
/* How long the sessions of the service lasted, those that have ended: milliseconds, by bin. */
void show_durations(struct daemon *daemon, const struct service *service, uint64_t durations[RAINBOW_SIGNAL_BINS]);
/* What the kernel measured of a version since it was added; null members are what it can not see. */
json_t *show_signals(struct daemon *daemon, const struct service *service, const struct version *version);

#endif
