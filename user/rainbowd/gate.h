/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A gate's judgement: evidence of candidate and baseline in, a verdict and its reasons out. Pure: no I/O, no clock. The unit is the
 * session: turns and responses of one session are not independent, so their number never counts as the size of a sample.
 */
#ifndef RAINBOW_GATE_H
#define RAINBOW_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/settings.h"

enum gate_verdict {
	GATE_INCONCLUSIVE = 0, /* not enough is known: holds */
	GATE_PASS,
	GATE_FAIL,
	GATE_ERROR, /* the source does not answer as it should: holds, too */
};

#define GATE_REASON_SIZE 256

/* What is known of one version, of the sessions that began in this step. */
struct gate_arm {
	/*
	 * The size of the sample: sessions, not turns; where a session counts several times (turns, responses), stats_effective_size of
	 * turned, turns and turns_squared.
	 */
	double sessions;
	double events;        /* RATIO: how many of them; of responses: their share, times sessions */
	const double *bins;   /* DISTRIBUTION: counts by bin, in rising order of value ... */
	const double *values; /* ... and the value that stands for each bin; both arms have the same bins */
	size_t bin_count;
	double value; /* VALUE */
};

struct gate_evidence {
	enum gate_verdict
	    source; /* PASS: there is evidence; INCONCLUSIVE or ERROR: there is none, and `reason` says why. ANSWER: the answer */
	char reason[GATE_REASON_SIZE];
	struct gate_arm candidate, baseline;
	/* The candidate's share by weight of the new sessions of these two arms; 0 or 1: nothing to compare. */
	double share_ordered;
	/* New sessions since the step began, without flows that joined a client's session: a share off beyond chance is told. */
	uint64_t chosen_candidate, chosen_baseline;
};

/* What a gate remembers from one look to the next within a step; all zero when the step begins. Stored with the rollout. */
struct gate_memory {
	enum gate_verdict verdict; /* of the last look that judged; FAIL stays */
	uint32_t looks;            /* that spent alpha */
	double looked_at;          /* the smaller arm's sessions at the last look; the next one is due when they have doubled */
	uint32_t bad, good;        /* VALUE: bad or good answers in a row */
	uint32_t errors;           /* ERROR in a row */
	char reason[GATE_REASON_SIZE];
};

/* What a look found, to be shown (status, explain gate). NaN: not applicable. */
struct gate_finding {
	enum gate_verdict verdict;
	char reason[GATE_REASON_SIZE]; /* one sentence with the numbers and the bound */
	double candidate, baseline;    /* the figures that are compared: ratios, quantiles, values */
	/*
	 * RATIO: difference; DISTRIBUTION: ratio of quantiles; with its interval, candidate to baseline. The bound on the good side is the
	 * one that a FAIL is judged by (at the look's alpha), the one on the bad side that of a PASS (at 5 %).
	 */
	double difference, low, high;
	double effect; /* DISTRIBUTION: probability that a candidate's value is the worse one (A12), 0.5: no difference */
	double p;      /* one-sided, the candidate is worse: of Mann-Whitney's test, or Fisher's (RATIO) */
	double alpha;  /* what this look may spend */
	double sessions_candidate, sessions_baseline;
	double next_look; /* sessions in the smaller arm at which the next look is due */
	bool looked;      /* false: nothing new to judge, the verdict is the memory's */
};

/*
 * One look; ask as often as you like, most looks are not due and cost nothing. But VALUE and ANSWER: once for each answer of the source,
 * since they count answers in a row. tests: among how many gates (that decide, of kinds RATIO and DISTRIBUTION) and steps the rollout's
 * alpha (0.05 that a rollout with no difference is rolled back) is shared; 1 at least, and the same during a rollout.
 */
void gate_look(const struct gate *gate, const struct gate_evidence *evidence, uint32_t tests, struct gate_memory *memory,
	       struct gate_finding *finding);
/* What is known without a look: the verdict and the reason that are remembered, and no figures. */
void gate_recall(const struct gate_memory *memory, struct gate_finding *finding);
/* Inputs, formula and verdict as text for `rainbowctl explain gate`; malloc'ed, NULL without memory. */
char *gate_explain(const struct gate *gate, const struct gate_evidence *evidence, uint32_t tests,
		   const struct gate_finding *finding);
const char *gate_verdict_name(enum gate_verdict verdict);

#endif
