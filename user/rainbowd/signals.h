/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel measured of a version, read from rainbow_signal and rainbow_traffic and summed over CPUs: since it was added, and of
 * the sessions that began in the present cohort of its service (a step of a rollout begins a cohort). Histograms: headers/rainbow/signal.h.
 */
#ifndef RAINBOW_SIGNALS_H
#define RAINBOW_SIGNALS_H

#include <stdbool.h>
#include <stdint.h>
#include <rainbow/signal.h>
#include "common/error.h"

struct datapath;

enum signal_scope { SIGNAL_EVER, SIGNAL_COHORT };

/* Sums the CPUs' records of the version. -ERROR_NOT_FOUND: it has none in this scope. */
int signals_read(struct datapath *dp, uint32_t service, uint32_t version, enum signal_scope scope, struct rainbow_signal *out,
		 struct error *err);
/* Packets and bytes each way, ever. */
int signals_traffic(struct datapath *dp, uint32_t version, struct rainbow_traffic *out, struct error *err);
/* Makes the record of a new version (all zero); no harm where it is there. And takes all of its records away. */
int signals_add(struct datapath *dp, uint32_t version, struct error *err);
void signals_remove(struct datapath *dp, uint32_t version);
/*
 * Begins a cohort of the service, with empty records for the versions given: sessions that open from the next whole second on (never
 * less than a tenth of one from now) belong to it. In force on all CPUs when it returns; takes some milliseconds, as a swap does. What
 * the cohort before had counted can not be read any more.
 */
int signals_begin_cohort(struct datapath *dp, uint32_t service, const uint32_t *versions, size_t count, struct error *err);
/* The number of the present cohort, 0: there was none yet; and at least which the next one will have. They rise, and wrap. */
uint32_t signals_cohort(struct datapath *dp, uint32_t service);
uint32_t signals_next_cohort(struct datapath *dp, uint32_t service);

#endif
