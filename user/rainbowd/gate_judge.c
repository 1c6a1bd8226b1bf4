// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Evidence to figures, figures to a verdict, for each kind of gate. How sure a verdict has to be differs by its direction: a FAIL
 * spends the look's alpha, which a whole rollout shares, and a PASS has its own, since both mistakes have their own price.
 */
#include <math.h>
#include "gate_parts.h"
#include "stats.h"

#define SIZE_MOST 1e15 /* beyond it doubles are no whole numbers, and no router has seen so many */

static bool is_count(double value)
{
	return value >= 0 && value <= SIZE_MOST; /* not NaN */
}

double gate_quantile(const struct gate *gate)
{
	return gate->quantile > 0 && gate->quantile < 1 ? gate->quantile : 0.5;
}

/* --- sizes ---------------------------------------------------------------------------------------------------------------- */

static double observed(const struct gate_arm *arm)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < arm->bin_count && arm->bins; i++)
		sum += arm->bins[i] >= 0 ? arm->bins[i] : NAN;
	return sum;
}

/* Sessions, but not those that were never measured. */
static double size_of(const struct gate *gate, const struct gate_arm *arm)
{
	double sum;

	if (gate->kind != GATE_KIND_DISTRIBUTION)
		return arm->sessions;
	sum = observed(arm);
	return is_count(sum) && is_count(arm->sessions) ? fmin(arm->sessions, sum) : NAN;
}

const char *gate_sizes_wrong(const struct gate *gate, const struct gate_evidence *evidence, struct gate_finding *finding)
{
	finding->sessions_candidate = size_of(gate, &evidence->candidate);
	finding->sessions_baseline = size_of(gate, &evidence->baseline);
	if (is_count(finding->sessions_candidate) && is_count(finding->sessions_baseline))
		return NULL;
	return "the number of sessions, or a count, is negative, infinite or not a number";
}

/* --- figures -------------------------------------------------------------------------------------------------------------- */

/* The share that is bad: what there should be more of is turned round, so that one rule judges both. */
static struct stats_share bad_share(const struct gate *gate, const struct gate_arm *arm)
{
	double bad = gate->better == GATE_HIGHER ? arm->sessions - arm->events : arm->events;

	return (struct stats_share){bad, arm->sessions};
}

static const char *measure_ratio(const struct gate *gate, const struct gate_evidence *evidence, struct gate_finding *finding)
{
	const struct gate_arm *c = &evidence->candidate, *b = &evidence->baseline;
	struct stats_share bad_c = bad_share(gate, c), bad_b = bad_share(gate, b);
	struct stats_interval fail, pass;

	if (!is_count(c->events) || !is_count(b->events))
		return "the number of events is negative, infinite or not a number";
	if (c->events > c->sessions || b->events > b->sessions)
		return "there are more events than sessions";
	if (c->sessions > 0)
		finding->candidate = c->events / c->sessions;
	if (b->sessions > 0)
		finding->baseline = b->events / b->sessions;
	finding->difference = finding->candidate - finding->baseline;
	fail = stats_newcombe(bad_c, bad_b, stats_normal_z(finding->alpha));
	pass = stats_newcombe(bad_c, bad_b, stats_normal_z(GATE_ALPHA_PASS));
	finding->low = gate->better == GATE_HIGHER ? -pass.high : fail.low;
	finding->high = gate->better == GATE_HIGHER ? -fail.low : pass.high;
	finding->p = stats_fisher(bad_c, bad_b);
	return NULL;
}

static struct stats_bins bins_of(const struct gate_arm *arm)
{
	return (struct stats_bins){arm->bins, arm->values, arm->bin_count, arm->sessions};
}

static const char *bins_wrong(const struct gate_arm *c, const struct gate_arm *b)
{
	size_t i;

	if (!c->bins || !b->bins || !c->values || !b->values || c->bin_count != b->bin_count)
		return "the two versions were not measured by the same bins";
	for (i = 0; i < c->bin_count; i++) {
		if (!isfinite(c->values[i]) || c->values[i] != b->values[i])
			return "the value of a bin is not a number, or not that of the other version";
		if (i > 0 && c->values[i] <= c->values[i - 1])
			return "the values of the bins do not rise";
	}
	return NULL;
}

/* The alpha of the look is halved, since two tests may fail: the ranks, and the interval of the quantiles' ratio. */
static const char *measure_distribution(const struct gate *gate, const struct gate_evidence *evidence,
					struct gate_finding *finding)
{
	struct stats_bins c = bins_of(&evidence->candidate), b = bins_of(&evidence->baseline);
	const char *wrong = bins_wrong(&evidence->candidate, &evidence->baseline);
	bool higher = gate->better == GATE_HIGHER;
	double q = gate_quantile(gate);
	struct stats_rank rank;
	struct stats_ratio fail, pass;

	if (wrong)
		return wrong;
	finding->candidate = stats_quantile(&c, q);
	finding->baseline = stats_quantile(&b, q);
	rank = higher ? stats_mann_whitney(&b, &c) : stats_mann_whitney(&c, &b);
	finding->effect = rank.effect;
	finding->p = rank.p;
	fail = stats_quantile_ratio(&c, &b, q, finding->alpha / 2);
	pass = stats_quantile_ratio(&c, &b, q, GATE_ALPHA_PASS);
	finding->difference = fail.ratio;
	finding->low = higher ? pass.interval.low : fail.interval.low;
	finding->high = higher ? fail.interval.high : pass.interval.high;
	return isnan(fail.ratio) ? "a ratio needs figures above zero" : NULL;
}

static const char *measure_value(const struct gate *gate, const struct gate_evidence *evidence, struct gate_finding *finding)
{
	if (isfinite(evidence->candidate.value))
		finding->candidate = evidence->candidate.value;
	if (isfinite(evidence->baseline.value))
		finding->baseline = evidence->baseline.value;
	if (isnan(finding->candidate) || isnan(finding->baseline))
		return "a value is infinite or not a number";
	finding->difference = finding->candidate - finding->baseline;
	if (finding->candidate < 0 || finding->baseline < 0)
		return "a value is negative, and the margin is relative to it";
	if (finding->baseline == 0 && finding->candidate > 0 && gate->better == GATE_LOWER && !(gate->floor > 0))
		return "the baseline's value is 0, and the margin is relative to it; a floor or hard_max can judge";
	return NULL;
}

const char *gate_measure(const struct gate *gate, const struct gate_evidence *evidence, struct gate_finding *finding)
{
	switch (gate->kind) {
	case GATE_KIND_RATIO:
		return measure_ratio(gate, evidence, finding);
	case GATE_KIND_DISTRIBUTION:
		return measure_distribution(gate, evidence, finding);
	case GATE_KIND_VALUE:
		return measure_value(gate, evidence, finding);
	case GATE_KIND_NONE:
	case GATE_KIND_ANSWER:
		break;
	}
	return "a gate of this kind compares nothing";
}

/* --- verdicts ------------------------------------------------------------------------------------------------------------- */

static double sessions_beyond(const struct gate *gate, const struct gate_arm *c, double size)
{
	double sum = observed(c), beyond = 0;
	size_t i;

	for (i = 0; i < c->bin_count && sum > 0; i++)
		if (gate->better == GATE_HIGHER ? c->values[i] < gate->hard_max : c->values[i] > gate->hard_max)
			beyond += c->bins[i] / sum * size;
	return beyond;
}

/* The candidate's figure alone. A few sessions have to say so: a p99 of twenty sessions is one session. */
bool gate_is_beyond_hard_max(const struct gate *gate, const struct gate_evidence *evidence, const struct gate_finding *finding)
{
	const struct gate_arm *c = &evidence->candidate;

	if (!gate->has_hard_max || !(finding->sessions_candidate >= GATE_HARD_SESSIONS))
		return false;
	if (!(gate->better == GATE_HIGHER ? finding->candidate < gate->hard_max : finding->candidate > gate->hard_max))
		return false;
	if (gate->kind == GATE_KIND_RATIO)
		return bad_share(gate, c).events >= GATE_EVENTS_LEAST;
	return gate->kind == GATE_KIND_VALUE || sessions_beyond(gate, c, finding->sessions_candidate) >= GATE_EVENTS_LEAST;
}

bool gate_is_new_trouble(const struct gate *gate, const struct gate_evidence *evidence)
{
	struct stats_share c = bad_share(gate, &evidence->candidate), b = bad_share(gate, &evidence->baseline);

	return gate->kind == GATE_KIND_RATIO && !(b.events > 0) && c.events >= GATE_EVENTS_LEAST &&
	       c.events / c.size * b.size >= GATE_EVENTS_LEAST;
}

/* Relative to the baseline's figure; a difference below the floor is none. */
static double margin_of(const struct gate *gate, double baseline)
{
	double floor = gate->floor > 0 && baseline > 0 ? gate->floor / baseline : 0;

	return floor > gate->margin ? floor : gate->margin;
}

double gate_bound(const struct gate *gate, const struct gate_finding *finding)
{
	double sign = gate->better == GATE_HIGHER ? -1 : 1;

	switch (gate->kind) {
	case GATE_KIND_RATIO:
		return sign * gate->margin;
	case GATE_KIND_VALUE:
		return finding->baseline + sign * fmax(gate->margin * finding->baseline, gate->floor);
	default:
		return 1 + sign * margin_of(gate, finding->baseline);
	}
}

/* Whether a figure is worse than the margin allows; NaN is neither this nor within. */
static bool is_beyond(const struct gate *gate, const struct gate_finding *finding, double figure)
{
	double bound = gate_bound(gate, finding);

	return gate->better == GATE_HIGHER ? figure < bound : figure > bound;
}

static bool is_kept(const struct gate *gate, const struct gate_finding *finding, double figure)
{
	double bound = gate_bound(gate, finding);

	return gate->better == GATE_HIGHER ? figure >= bound : figure <= bound;
}

bool gate_is_within(const struct gate *gate, const struct gate_evidence *evidence, const struct gate_finding *finding)
{
	double point = gate->kind == GATE_KIND_VALUE ? finding->candidate : finding->difference;

	return is_kept(gate, finding, point) && !gate_is_new_trouble(gate, evidence);
}

/* Surely worse by the exact test, and by more than the margin at its best guess. */
static bool ratio_fails(const struct gate *gate, const struct gate_finding *finding)
{
	return finding->p <= finding->alpha && is_beyond(gate, finding, finding->difference);
}

/* Surely worse by ranks, noticeably, and beyond the margin at its best guess; or surely beyond the margin, which tails may be alone. */
static bool distribution_fails(const struct gate *gate, const struct gate_finding *finding)
{
	double bound = gate->better == GATE_HIGHER ? finding->high : finding->low;

	if (is_beyond(gate, finding, bound))
		return true;
	return finding->p < finding->alpha / 2 && finding->effect >= GATE_EFFECT_LEAST &&
	       is_beyond(gate, finding, finding->difference);
}

enum gate_verdict gate_judge(const struct gate *gate, const struct gate_evidence *evidence, const struct gate_finding *finding)
{
	double far_bound = gate->better == GATE_HIGHER ? finding->low : finding->high;
	bool fails = gate->kind == GATE_KIND_RATIO ? ratio_fails(gate, finding) : distribution_fails(gate, finding);

	if (fails)
		return GATE_FAIL;
	return is_kept(gate, finding, far_bound) && gate_is_within(gate, evidence, finding) ? GATE_PASS : GATE_INCONCLUSIVE;
}
