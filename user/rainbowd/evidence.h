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

/* A SYN that got no answer for so long has failed. */
#define EVIDENCE_ANSWER_MS 3000

/* What is known of one version; the caller keeps it as long as the evidence. */
struct evidence_arm {
	struct rainbow_signal signal; /* of the cohort */
	/* Never fewer first packets were without an answer in the last EVIDENCE_ANSWER_MS: so many got none in all that time. */
	uint64_t unanswered;
	uint32_t weight;                  /* permille */
	double bins[RAINBOW_SIGNAL_BINS]; /* room for the evidence */
};

struct evidence_of {
	bool udp;             /* no turns and no handshakes are seen: nothing is known */
	bool client_affinity; /* a session is many flows, and what the kernel measures is of flows */
};

void evidence_of_kernel(const struct gate *gate, struct evidence_arm *candidate, struct evidence_arm *baseline,
			const struct evidence_of *of, struct gate_evidence *out);
/* How new sessions were shared out; for the gates of other sources too. */
void evidence_share(const struct evidence_arm *candidate, const struct evidence_arm *baseline, struct gate_evidence *out);
/* First packets that have no answer yet. */
uint64_t evidence_pending(const struct rainbow_signal *signal);

#endif
