// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A gate's figures as words: the one sentence of a reason, and the page of `rainbowctl explain gate`. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gate_parts.h"

static bool is_time(const struct gate *gate)
{
	return gate->source == GATE_SOURCE_KERNEL && gate->kind == GATE_KIND_DISTRIBUTION;
}

const char *gate_worse(const struct gate *gate)
{
	return is_time(gate) ? "slower" : "worse";
}

const char *gate_measured(const struct gate *gate, char text[GATE_TEXT_SIZE])
{
	double q = gate_quantile(gate);

	text[0] = '\0';
	if (gate->kind == GATE_KIND_DISTRIBUTION && q == 0.5)
		snprintf(text, GATE_TEXT_SIZE, "median ");
	else if (gate->kind == GATE_KIND_DISTRIBUTION)
		snprintf(text, GATE_TEXT_SIZE, "p%.4g ", 100 * q);
	return text;
}

const char *gate_figure(const struct gate *gate, double value, char text[GATE_TEXT_SIZE])
{
	if (isnan(value))
		snprintf(text, GATE_TEXT_SIZE, "-");
	else if (gate->kind == GATE_KIND_RATIO)
		snprintf(text, GATE_TEXT_SIZE, "%.3g %%", 100 * value);
	else if (!is_time(gate))
		snprintf(text, GATE_TEXT_SIZE, "%.4g", value);
	else if (value < 1e3)
		snprintf(text, GATE_TEXT_SIZE, "%.3g us", value);
	else if (value < 999.5e3)
		snprintf(text, GATE_TEXT_SIZE, "%.3g ms", value / 1e3);
	else
		snprintf(text, GATE_TEXT_SIZE, "%.4g s", value / 1e6);
	return text;
}

/* Whole: those of a fraction are rounded down, so that "needs 1 more" stands beside 49 and not 50. */
const char *gate_sessions(double sessions, char text[GATE_TEXT_SIZE])
{
	char digits[GATE_TEXT_SIZE];
	size_t length, i, at = 0;

	if (!(sessions >= 0 && sessions <= 1e16)) {
		snprintf(text, GATE_TEXT_SIZE, "-");
		return text;
	}
	length = (size_t)snprintf(digits, sizeof(digits), "%.0f", floor(sessions));
	for (i = 0; i < length && at + 2 < GATE_TEXT_SIZE; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			text[at++] = ',';
		text[at++] = digits[i];
	}
	text[at] = '\0';
	return text;
}

void gate_say(const struct gate *gate, struct gate_finding *finding, const char *format, ...)
{
	int at = snprintf(finding->reason, sizeof(finding->reason), "%.*s: ", SETTINGS_NAME_SIZE - 1, gate->name);
	va_list list;

	va_start(list, format);
	vsnprintf(finding->reason + at, sizeof(finding->reason) - (size_t)at, format, list);
	va_end(list);
}

/* The comparison: "difference 4.9 points [1.2, 7], allowed 1", "ratio 1.30 [1.22, 1.38], allowed 1.20", "allowed 120". */
static void compare(const struct gate *gate, const struct gate_finding *finding, char *text, size_t size)
{
	double bound = gate_bound(gate, finding);
	char allowed[GATE_TEXT_SIZE];

	if (gate->kind == GATE_KIND_RATIO)
		snprintf(text, size, "difference %.2g points [%.2g, %.2g], allowed %.2g, p %.1g", 100 * finding->difference,
			 100 * finding->low, 100 * finding->high, 100 * bound, finding->p);
	else if (gate->kind == GATE_KIND_DISTRIBUTION)
		snprintf(text, size, "ratio %.2f [%.2f, %.2f], allowed %.2f", finding->difference, finding->low, finding->high,
			 bound);
	else
		snprintf(text, size, "allowed %s", gate_figure(gate, bound, allowed));
}

void gate_tell(const struct gate *gate, struct gate_finding *finding, const char *lead, const char *next)
{
	char c[GATE_TEXT_SIZE], b[GATE_TEXT_SIZE], in_c[GATE_TEXT_SIZE], in_b[GATE_TEXT_SIZE], measured[GATE_TEXT_SIZE];
	char comparison[128];

	compare(gate, finding, comparison, sizeof(comparison));
	gate_say(gate, finding, "%s: %s%s against %s, %s (%s and %s sessions)%s", lead, gate_measured(gate, measured),
		 gate_figure(gate, finding->candidate, c), gate_figure(gate, finding->baseline, b), comparison,
		 gate_sessions(finding->sessions_candidate, in_c), gate_sessions(finding->sessions_baseline, in_b), next);
}

/* --- explain -------------------------------------------------------------------------------------------------------------- */

static void explain_rule(FILE *out, const struct gate *gate, const struct gate_finding *finding)
{
	const char *side = gate->better == GATE_HIGHER ? "below" : "above",
		   *other = gate->better == GATE_HIGHER ? "at least" : "at most";
	double bound = gate_bound(gate, finding);
	char text[GATE_TEXT_SIZE];

	switch (gate->kind) {
	case GATE_KIND_RATIO:
		fprintf(out,
			"formula     Newcombe's hybrid score interval of candidate - baseline; Fisher's exact test, one-sided\n"
			"figures     difference %.3g points [%.3g, %.3g], p %.2g\n"
			"fails if    p <= alpha and the difference is %s %.3g points\n"
			"passes if   the far bound (at %g) is %s %.3g points\n",
			100 * finding->difference, 100 * finding->low, 100 * finding->high, finding->p, side, 100 * bound,
			GATE_ALPHA_PASS, other, 100 * bound);
		break;
	case GATE_KIND_DISTRIBUTION:
		fprintf(out,
			"formula     Mann-Whitney U on bins; ratio of %squantiles with the interval of their order statistics\n"
			"figures     A12 %.3f, p %.2g; ratio %.3f [%.3f, %.3f]\n"
			"fails if    p < alpha / 2, A12 >= %g and the ratio is %s %.3g; or the near bound (at alpha / 2) is %s "
			"%.3g\n"
			"passes if   the far bound (at %g) is %s %.3g\n",
			gate_measured(gate, text), finding->effect, finding->p, finding->difference, finding->low,
			finding->high, GATE_EFFECT_LEAST, side, bound, side, bound, GATE_ALPHA_PASS, other, bound);
		break;
	case GATE_KIND_VALUE:
		fprintf(out,
			"formula     one value of each version, without a distribution: no chance of a mistake can be given\n"
			"fails if    it is %s %s for %d answers in a row\n"
			"passes if   it is not for %d answers in a row\n",
			side, gate_figure(gate, bound, text), GATE_ANSWERS, GATE_ANSWERS);
		break;
	case GATE_KIND_NONE:
	case GATE_KIND_ANSWER:
		fprintf(out, "formula     none: whoever is asked judges\n");
		break;
	}
}

static void explain_arm(FILE *out, const struct gate *gate, const char *name, const struct gate_arm *arm, double figure,
			double size)
{
	char sessions[GATE_TEXT_SIZE], value[GATE_TEXT_SIZE], measured[GATE_TEXT_SIZE];

	fprintf(out, "%-11s %s sessions, %s%s", name, gate_sessions(size, sessions), gate_measured(gate, measured),
		gate_figure(gate, figure, value));
	if (gate->kind == GATE_KIND_RATIO)
		fprintf(out, " (%.6g events)", arm->events);
	fputc('\n', out);
}

static void explain_numbers(FILE *out, const struct gate *gate, const struct gate_evidence *evidence, uint32_t tests,
			    const struct gate_finding *finding)
{
	char text[GATE_TEXT_SIZE], all[GATE_TEXT_SIZE];
	double chosen = (double)evidence->chosen_candidate;

	explain_arm(out, gate, "candidate", &evidence->candidate, finding->candidate, finding->sessions_candidate);
	explain_arm(out, gate, "baseline", &evidence->baseline, finding->baseline, finding->sessions_baseline);
	if (evidence->share_ordered > 0)
		fprintf(out, "split       %s of %s new sessions, %.3g %% ordered\n", gate_sessions(chosen, text),
			gate_sessions(chosen + (double)evidence->chosen_baseline, all), 100 * evidence->share_ordered);
	fprintf(out, "needs       %u sessions in each arm; looks as the smaller arm doubles, the next at %s\n",
		gate->min_samples, gate_sessions(finding->next_look, text));
	if (gate->kind != GATE_KIND_VALUE)
		fprintf(
		    out,
		    "alpha       %.2g at this look: 0.05 in all, shared by %u tests (gates x steps) and the looks of each\n",
		    finding->alpha, tests ? tests : 1);
	explain_rule(out, gate, finding);
	if (gate->has_hard_max)
		fprintf(out, "or fails    at once if the candidate is %s hard_max %s (%d sessions, %d of them beyond it)\n",
			gate->better == GATE_HIGHER ? "below" : "above", gate_figure(gate, gate->hard_max, text),
			GATE_HARD_SESSIONS, GATE_EVENTS_LEAST);
}

static const char *kind_name(enum gate_kind kind)
{
	static const char *const names[] = {"none", "ratio", "distribution", "value", "answer"};

	return (unsigned int)kind < 5 ? names[kind] : "unknown";
}

static void explain(FILE *out, const struct gate *gate, const struct gate_evidence *evidence, uint32_t tests,
		    const struct gate_finding *finding)
{
	fprintf(out, "gate        %s: %s, %s is better, margin %g%s\n", gate->name, kind_name(gate->kind),
		gate->better == GATE_HIGHER ? "higher" : "lower",
		gate->kind == GATE_KIND_RATIO ? 100 * gate->margin : gate->margin,
		gate->kind == GATE_KIND_RATIO ? " points" : " of the baseline");
	if (evidence->source != GATE_PASS)
		fprintf(out, "source      %s: %s\n", gate_verdict_name(evidence->source), evidence->reason);
	if (gate->kind != GATE_KIND_ANSWER && gate->kind != GATE_KIND_NONE)
		explain_numbers(out, gate, evidence, tests, finding);
	else
		explain_rule(out, gate, finding);
	fprintf(out, "verdict     %s%s\nreason      %s\n", gate_verdict_name(finding->verdict),
		finding->looked ? "" : " (no new look)", finding->reason);
}

char *gate_explain(const struct gate *gate, const struct gate_evidence *evidence, uint32_t tests,
		   const struct gate_finding *finding)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	bool failed;

	if (!out)
		return NULL;
	explain(out, gate, evidence, tests, finding);
	failed = ferror(out);
	if (fclose(out) != 0 || failed) {
		free(text);
		return NULL;
	}
	return text;
}
