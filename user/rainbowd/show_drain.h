/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A drain as JSON, for status: its deadline, when it will be over, and what was done of what it owes. */
#ifndef RAINBOW_SHOW_DRAIN_H
#define RAINBOW_SHOW_DRAIN_H

#include <jansson.h>
#include <rainbow/signal.h>
#include "daemon.h"

/* null if the version is active. durations: those of its service (show_durations). */
json_t *show_drain(struct daemon *daemon, const struct service *service, const struct version *version,
		   const uint64_t durations[RAINBOW_SIGNAL_BINS]);

#endif
