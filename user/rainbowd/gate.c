// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One look of a gate, in this order; the tests have the same numbers.
 *  1. What failed stays failed.
 *  2. No evidence: the source's verdict and reason. A gate that is answered by others has its answer.
 *  3. Sizes that are no numbers: inconclusive.
 *  4. The candidate beyond hard_max fails at once: that compares nothing, so nothing below matters to it.
 *  5. A share of sessions that differs from the weight beyond chance: the cohorts do not compare, inconclusive.
 *  6. Too few sessions in an arm: inconclusive.
 *  7. Figures that can not be compared: inconclusive.
 *  8. A value without a distribution: so many answers in a row.
 *  9. No look due: the last verdict; a PASS only while the figures are still within the margin, which can not fail, so it costs nothing.
 * 10. The look: it spends its alpha.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "gate_parts.h"
#include "stats.h"

const char *gate_verdict_name(enum gate_verdict verdict)
{
	static const char *const names[] = {"inconclusive", "pass", "fail", "error"};

	return (unsigned int)verdict < 4 ? names[verdict] : "unknown";
}

static double next_look(const struct gate *gate, const struct gate_memory *memory)
{
	double least = gate->min_samples ? gate->min_samples : 1;

	return memory->looked_at > 0 ? fmax(least, 2 * memory->looked_at) : least;
}

/* No figures, no verdict. */
static void clear(struct gate_finding *finding)
{
	*finding = (struct gate_finding){
	    .candidate = NAN,
	    .baseline = NAN,
	    .difference = NAN,
	    .low = NAN,
	    .high = NAN,
	    .effect = NAN,
	    .p = NAN,
	    .sessions_candidate = NAN,
	    .sessions_baseline = NAN,
	    .next_look = NAN,
	};
}

static void start_finding(const struct gate *gate, uint32_t tests, const struct gate_memory *memory,
			  struct gate_finding *finding)
{
	clear(finding);
	finding->sessions_candidate = finding->sessions_baseline = 0;
	finding->alpha = stats_alpha(tests, memory->looks + 1);
	finding->next_look = next_look(gate, memory);
}

/* The verdict is of this look, and the memory keeps it. */
static void conclude(enum gate_verdict verdict, struct gate_memory *memory, struct gate_finding *finding)
{
	finding->verdict = memory->verdict = verdict;
	finding->looked = true;
	memcpy(memory->reason, finding->reason, sizeof(memory->reason));
}

static void recall(const struct gate_memory *memory, struct gate_finding *finding)
{
	finding->verdict = memory->verdict;
	memcpy(finding->reason, memory->reason, sizeof(finding->reason));
}

static bool is_even_split(const struct gate *gate, const struct gate_evidence *evidence, struct gate_finding *finding)
{
	double c = (double)evidence->chosen_candidate, b = (double)evidence->chosen_baseline, share = evidence->share_ordered;
	double p = share > 0 && share < 1 ? stats_split(c, b, share) : 1;
	char chosen[GATE_TEXT_SIZE], all[GATE_TEXT_SIZE];

	if (p >= GATE_ALPHA_SPLIT)
		return true;
	gate_say(
	    gate, finding,
	    "the candidate got %s of %s new sessions where the weights order %.3g %%, which is no chance (p %.1g): they do not "
	    "compare; see steers, backends that are down or full",
	    gate_sessions(c, chosen), gate_sessions(c + b, all), 100 * share, p);
	return false;
}

static bool has_samples(const struct gate *gate, struct gate_finding *finding)
{
	double least = gate->min_samples, c = finding->sessions_candidate, b = finding->sessions_baseline;
	char more[GATE_TEXT_SIZE], in_c[GATE_TEXT_SIZE], in_b[GATE_TEXT_SIZE];

	if (c >= least && b >= least && c > 0 && b > 0)
		return true;
	gate_say(gate, finding, "needs %s more sessions of the %s (candidate %s, baseline %s, at least %u of each)",
		 gate_sessions(fmax(1, ceil(least - fmin(c, b))), more), c <= b ? "candidate" : "baseline",
		 gate_sessions(c, in_c), gate_sessions(b, in_b), gate->min_samples ? gate->min_samples : 1);
	return false;
}

static void look_at_value(const struct gate *gate, const struct gate_evidence *evidence, struct gate_memory *memory,
			  struct gate_finding *finding)
{
	bool good = gate_is_within(gate, evidence, finding);
	uint32_t *row = good ? &memory->good : &memory->bad;
	char lead[64], next[64] = "";

	*(good ? &memory->bad : &memory->good) = 0;
	*row += *row < GATE_ANSWERS;
	snprintf(lead, sizeof(lead), "the candidate is %s%s", good ? "not " : "", gate_worse(gate));
	if (*row < GATE_ANSWERS)
		snprintf(next, sizeof(next), "; %u of %d such answers in a row", *row, GATE_ANSWERS);
	gate_tell(gate, finding, lead, next);
	conclude(*row < GATE_ANSWERS ? GATE_INCONCLUSIVE : good ? GATE_PASS : GATE_FAIL, memory, finding);
}

static void look_between(const struct gate *gate, const struct gate_evidence *evidence, const struct gate_memory *memory,
			 struct gate_finding *finding)
{
	char next[64], sessions[GATE_TEXT_SIZE];

	recall(memory, finding);
	if (memory->verdict != GATE_PASS || gate_is_within(gate, evidence, finding))
		return;
	finding->verdict = GATE_INCONCLUSIVE;
	snprintf(next, sizeof(next), "; next look at %s sessions", gate_sessions(finding->next_look, sessions));
	gate_tell(gate, finding, "it passed and is not within the margin any more", next);
}

static void look(const struct gate *gate, const struct gate_evidence *evidence, struct gate_memory *memory,
		 struct gate_finding *finding)
{
	enum gate_verdict verdict = gate_judge(gate, evidence, finding);
	char lead[96], next[64] = "", sessions[GATE_TEXT_SIZE];

	memory->looks++;
	memory->looked_at = fmin(finding->sessions_candidate, finding->sessions_baseline);
	finding->next_look = next_look(gate, memory);
	snprintf(lead, sizeof(lead), "the candidate is %s%s", verdict == GATE_PASS ? "not " : "", gate_worse(gate));
	if (verdict == GATE_INCONCLUSIVE) {
		snprintf(lead, sizeof(lead), "%s",
			 gate_is_new_trouble(gate, evidence) ? "what the candidate has the baseline never had"
							     : "not clear yet");
		snprintf(next, sizeof(next), "; next look at %s sessions", gate_sessions(finding->next_look, sessions));
	}
	gate_tell(gate, finding, lead, next);
	conclude(verdict, memory, finding);
}

static void look_at_answer(const struct gate *gate, const struct gate_evidence *evidence, struct gate_memory *memory,
			   struct gate_finding *finding)
{
	gate_say(gate, finding, "%.200s", evidence->reason[0] ? evidence->reason : gate_verdict_name(evidence->source));
	conclude(evidence->source, memory, finding);
}

static void look_at_numbers(const struct gate *gate, const struct gate_evidence *evidence, struct gate_memory *memory,
			    struct gate_finding *finding)
{
	const char *wrong = gate_sizes_wrong(gate, evidence, finding), *not_compared;
	char figure[GATE_TEXT_SIZE], bound[GATE_TEXT_SIZE], measured[GATE_TEXT_SIZE], sessions[GATE_TEXT_SIZE];

	if (wrong) { /* 3 */
		gate_say(gate, finding, "%s", wrong);
		return;
	}
	not_compared = gate_measure(gate, evidence, finding);
	if (gate_is_beyond_hard_max(gate, evidence, finding)) { /* 4 */
		gate_say(gate, finding, "the candidate's %s%s is beyond hard_max %s (%s sessions)",
			 gate_measured(gate, measured), gate_figure(gate, finding->candidate, figure),
			 gate_figure(gate, gate->hard_max, bound), gate_sessions(finding->sessions_candidate, sessions));
		conclude(GATE_FAIL, memory, finding);
		return;
	}
	if (!is_even_split(gate, evidence, finding) || !has_samples(gate, finding)) /* 5, 6 */
		return;
	if (not_compared) /* 7 */
		gate_say(gate, finding, "%s", not_compared);
	else if (gate->kind == GATE_KIND_VALUE) /* 8 */
		look_at_value(gate, evidence, memory, finding);
	else if (fmin(finding->sessions_candidate, finding->sessions_baseline) < finding->next_look) /* 9 */
		look_between(gate, evidence, memory, finding);
	else /* 10 */
		look(gate, evidence, memory, finding);
}

void gate_look(const struct gate *gate, const struct gate_evidence *evidence, uint32_t tests, struct gate_memory *memory,
	       struct gate_finding *finding)
{
	start_finding(gate, tests, memory, finding);
	memory->errors = evidence->source == GATE_ERROR ? memory->errors + 1 : 0;
	if (memory->verdict == GATE_FAIL) { /* 1 */
		recall(memory, finding);
		if (!gate_sizes_wrong(gate, evidence, finding))
			gate_measure(gate, evidence, finding); /* to be shown */
	} else if (gate->kind == GATE_KIND_ANSWER && (evidence->source == GATE_PASS || evidence->source == GATE_FAIL)) { /* 2 */
		look_at_answer(gate, evidence, memory, finding);
	} else if (evidence->source != GATE_PASS) {
		finding->verdict = evidence->source == GATE_ERROR ? GATE_ERROR : GATE_INCONCLUSIVE;
		gate_say(gate, finding, "%.200s", evidence->reason[0] ? evidence->reason : "the source gave no reason");
	} else {
		look_at_numbers(gate, evidence, memory, finding);
	}
}

void gate_recall(const struct gate_memory *memory, struct gate_finding *finding)
{
	clear(finding);
	recall(memory, finding);
	if (!finding->reason[0])
		snprintf(finding->reason, sizeof(finding->reason), "not looked at yet");
}
