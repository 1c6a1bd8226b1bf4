/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From what the kernel measured of two versions to the evidence of a gate. Pure.
 *
 * Both arms are of the same cohort: sessions that began in this step, on the same router, at the same time. So what can not be known
 * yet (of sessions that still run) is missing in both alike, and a ratio is of all sessions that began, not of those that ended: a
 * version does not look better because only its short sessions have ended.
 */
#ifndef RAINBOW_EVIDENCE_H
#define RAINBOW_EVIDENCE_H

#include <rainbow/signal.h>
#include "gate.h"

/* A SYN that is older than this and not answered is a failure. */
#define EVIDENCE_ANSWER_MS 3000

/* What is known of one version; the caller keeps it as long as the evidence. */
struct evidence_arm {
	struct rainbow_signal signal;     /* of the cohort */
	uint64_t asked_before;            /* signal.asked EVIDENCE_ANSWER_MS ago: those of them not answered failed */
	uint32_t weight;                  /* permille */
	double bins[RAINBOW_SIGNAL_BINS]; /* room for the evidence */
};

/* client_affinity: flows join sessions, so it is sessions that show how new ones were shared out. */
void evidence_of_kernel(const struct gate *gate, struct evidence_arm *candidate, struct evidence_arm *baseline,
			bool client_affinity, struct gate_evidence *out);
/* How new sessions were shared out; for the gates of other sources too. */
void evidence_share(const struct evidence_arm *candidate, const struct evidence_arm *baseline, bool client_affinity,
		    struct gate_evidence *out);
/* How many sessions the turns (and responses) of this cohort are worth: Kish's effective sample size. */
double evidence_turned(const struct rainbow_signal *signal);

#endif
