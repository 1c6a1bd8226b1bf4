// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * user/rainbowd/gate.c judged by simulation: whole rollouts of sessions whose turns resemble each other, with latencies of a long tail,
 * counted into the kernel's own bins. How often a version without a fault is rolled back, how surely faults are found, how many sessions
 * a good version needs. The seed is fixed; the figures are printed.
 */
#include "tests/unit/table_test.h"
#include <math.h>
#include <stdlib.h>
#include <rainbow/signal.h>
#include "rainbowd/gate.h"
#include "rainbowd/stats.h"

#define SIGMAS 4096 /* normal deviates, equally likely */
#define OCTAVE 64   /* latencies are drawn in steps of 1/64 of a power of two */
#define TURNS  64   /* numbers of turns, equally likely */
#define GATES  4
#define STEPS  4
#define SHARED (GATES * STEPS) /* tests among which alpha is shared */

static const double shares[STEPS] = {0.05, 0.25, 0.5, 0.95};

/* A version's nature. */
struct nature {
	double median_us;
	double spread_session, spread_turn; /* sigmas of the logarithm: between sessions, and of turns within one */
	double resets, connect_failures;    /* of sessions */
	double http_bad, http_rate; /* so many sessions have errors, each response with this rate; others one in a thousand */
};

static const struct nature usual = {117000, 0.4, 0.5, 0.01, 0.002, 0.05, 0.15};

/* --- chance --------------------------------------------------------------------------------------------------------------- */

static uint64_t seed = 0x20261126;
static double normal[SIGMAS];
static uint8_t bin_of_step[32 * OCTAVE];
static uint32_t turns_of[TURNS];
static double bin_values[RAINBOW_SIGNAL_BINS];

static uint64_t chance(void) /* splitmix64 */
{
	uint64_t z = seed += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static bool happens(double probability)
{
	return (double)(chance() >> 11) * 0x1p-53 < probability;
}

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < SIGMAS; i++)
		normal[i] = stats_normal_z(1 - (i + 0.5) / SIGMAS);
	for (size_t i = 0; i < COUNT(bin_of_step); i++)
		bin_of_step[i] = (uint8_t)rainbow_signal_bin((uint32_t)exp2((double)i / OCTAVE));
	for (size_t i = 0; i < TURNS; i++) /* exponential, mean 6: many short sessions, a few long ones */
		turns_of[i] = 1 + (uint32_t)(-5.5 * log1p(-(i + 0.5) / TURNS));
	for (uint32_t i = 0; i < RAINBOW_SIGNAL_BINS; i++)
		bin_values[i] = rainbow_signal_middle(i);
	return 0;
}

/* --- sessions, and what the kernel would know of them ---------------------------------------------------------------------- */

struct counts {
	double sessions, turns, turns_squared, resets, connect_failures, http_errors;
	double bins[RAINBOW_SIGNAL_BINS];
};

/* A nature in the units of the draw. */
struct dice {
	const struct nature *nature;
	int32_t middle;
	double per_session, per_turn;
};

static struct dice dice_of(const struct nature *nature)
{
	return (struct dice){nature, (int32_t)lround(log2(nature->median_us) * OCTAVE),
			     nature->spread_session * M_LOG2E * OCTAVE, nature->spread_turn * M_LOG2E * OCTAVE};
}

static void add_session(const struct dice *dice, struct counts *counts)
{
	uint64_t draw = chance();
	uint32_t turns = turns_of[draw % TURNS];
	double middle = dice->middle + dice->per_session * normal[(draw >> 8) % SIGMAS];
	double http = happens(dice->nature->http_bad) ? dice->nature->http_rate : 0.001;

	counts->sessions++;
	counts->turns += turns;
	counts->turns_squared += turns * turns;
	counts->resets += happens(dice->nature->resets);
	counts->connect_failures += happens(dice->nature->connect_failures);
	for (uint32_t i = 0; i < turns; i++) {
		uint64_t turn = chance();
		int32_t at = (int32_t)(middle + dice->per_turn * normal[turn % SIGMAS]);

		at = at < 0 ? 0 : at >= (int32_t)COUNT(bin_of_step) ? (int32_t)COUNT(bin_of_step) - 1 : at;
		counts->bins[bin_of_step[at]]++;
		counts->http_errors += (double)(turn >> 40) * 0x1p-24 < http;
	}
}

/* --- gates ---------------------------------------------------------------------------------------------------------------- */

static struct gate gates[GATES] = {
    {.name = "turn_latency",
     .source = GATE_SOURCE_KERNEL,
     .kind = GATE_KIND_DISTRIBUTION,
     .margin = 0.2,
     .quantile = 0.5,
     .min_samples = 50},
    {.name = "resets", .source = GATE_SOURCE_KERNEL, .kind = GATE_KIND_RATIO, .margin = 0.01, .min_samples = 50},
    {.name = "connect_failures", .source = GATE_SOURCE_KERNEL, .kind = GATE_KIND_RATIO, .margin = 0.01, .min_samples = 50},
    {.name = "http_errors", .source = GATE_SOURCE_KERNEL, .kind = GATE_KIND_RATIO, .margin = 0.01, .min_samples = 50},
};

static struct gate_arm arm_of(const struct counts *counts, size_t gate)
{
	double turned = stats_effective_size(counts->sessions, counts->turns, counts->turns_squared);
	const double events[GATES] = {0, counts->resets, counts->connect_failures,
				      counts->turns > 0 ? counts->http_errors / counts->turns * turned : 0};

	return (struct gate_arm){
	    .sessions = gate == 0 || gate == 3 ? turned : counts->sessions,
	    .events = events[gate],
	    .bins = counts->bins,
	    .values = bin_values,
	    .bin_count = RAINBOW_SIGNAL_BINS,
	};
}

/* One step of a rollout. */
struct step {
	struct counts candidate, baseline;
	struct gate_memory memory[GATES];
	double passed_at[GATES]; /* sessions in the smaller arm when it first passed; 0: not yet */
	double failed_at;        /* ... when any failed */
};

/* The worst verdict of all gates. Whoever has no look due is not asked: it would repeat itself, and the simulation be slow. */
static enum gate_verdict ask(struct step *step, double share)
{
	enum gate_verdict worst = GATE_PASS;

	for (size_t i = 0; i < GATES; i++) {
		struct gate_evidence evidence = {
		    .source = GATE_PASS,
		    .candidate = arm_of(&step->candidate, i),
		    .baseline = arm_of(&step->baseline, i),
		    .share_ordered = share,
		    .chosen_candidate = (uint64_t)step->candidate.sessions,
		    .chosen_baseline = (uint64_t)step->baseline.sessions,
		};
		struct gate_finding finding = {.verdict = step->memory[i].verdict};

		if (fmin(evidence.candidate.sessions, evidence.baseline.sessions) >= fmax(50, 2 * step->memory[i].looked_at))
			gate_look(&gates[i], &evidence, SHARED, &step->memory[i], &finding);
		if (finding.verdict == GATE_PASS && step->passed_at[i] == 0)
			step->passed_at[i] = fmin(step->candidate.sessions, step->baseline.sessions);
		if (finding.verdict == GATE_FAIL)
			worst = GATE_FAIL;
		else if (worst == GATE_PASS)
			worst = finding.verdict;
	}
	return worst;
}

/* Until so many sessions are in the smaller arm, asking at each of them; FAIL ends it. */
static enum gate_verdict run_step(const struct nature *candidate, const struct nature *baseline, double share, double sessions,
				  struct step *step)
{
	struct dice of_candidate = dice_of(candidate), of_baseline = dice_of(baseline);
	double smaller, asked = 49;
	enum gate_verdict verdict = GATE_INCONCLUSIVE;

	memset(step, 0, sizeof(*step));
	do {
		if (happens(share))
			add_session(&of_candidate, &step->candidate);
		else
			add_session(&of_baseline, &step->baseline);
		smaller = fmin(step->candidate.sessions, step->baseline.sessions);
		if (smaller > asked)
			verdict = ask(step, share);
		asked = fmax(asked, smaller);
	} while (smaller < sessions && verdict != GATE_FAIL);
	step->failed_at = verdict == GATE_FAIL ? smaller : 0;
	return verdict;
}

static int count_rollbacks(const struct nature *candidate, const struct nature *baseline, double sessions, int rollouts)
{
	static struct step step;
	int count = 0;

	for (int i = 0; i < rollouts; i++) {
		enum gate_verdict verdict = GATE_PASS;

		for (size_t at = 0; at < STEPS && verdict != GATE_FAIL; at++)
			verdict = run_step(candidate, baseline, shares[at], sessions, &step);
		count += verdict == GATE_FAIL;
	}
	return count;
}

/* --- what is asked of them ------------------------------------------------------------------------------------------------- */

static void set_margins(double distribution, double ratio)
{
	for (size_t i = 0; i < GATES; i++)
		gates[i].margin = gates[i].kind == GATE_KIND_RATIO ? ratio : distribution;
}

/* At most 5 % of rollouts with no difference are rolled back; three standard errors are the simulation's own. */
static void test_false_rollbacks(void **state)
{
	static const struct {
		const char *name;
		double spread_session, spread_turn, margin, margin_ratio;
		int rollouts;
	} rows[] = {
	    {"no difference", 0.4, 0.5, 0.2, 0.01, 600},
	    {"no difference, turns of a session alike (r = 0.9)", 0.6, 0.2, 0.2, 0.01, 300},
	    {"no difference, and no margin", 0.4, 0.5, 0, 0, 300},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct nature nature = usual;
		struct stats_interval sure;
		int count;

		nature.spread_session = rows[i].spread_session;
		nature.spread_turn = rows[i].spread_turn;
		set_margins(rows[i].margin, rows[i].margin_ratio);
		count = count_rollbacks(&nature, &nature, 400, rows[i].rollouts);
		sure = stats_wilson((struct stats_share){count, rows[i].rollouts}, 3);
		printf("false roll-backs, %d steps x %d gates to 400 sessions, %s: %d of %d rollouts, %.1f %%\n", STEPS, GATES,
		       rows[i].name, count, rows[i].rollouts, 100.0 * count / rows[i].rollouts);
		row_assert(sure.low <= STATS_ALPHA, rows[i].name, "at least %g", sure.low);
	}
}

#define RUNS 150
static const double asked_at[] = {100, 200, 400, 800, 1600};

/* Of RUNS steps, how many have failed by so many sessions in the smaller arm. */
static void measure_power(const struct nature *candidate, const struct nature *baseline, double share,
			  double power[COUNT(asked_at)])
{
	static struct step step;

	memset(power, 0, COUNT(asked_at) * sizeof(*power));
	for (int run = 0; run < RUNS; run++) {
		run_step(candidate, baseline, share, asked_at[COUNT(asked_at) - 1], &step);
		for (size_t i = 0; i < COUNT(asked_at); i++)
			power[i] += (step.failed_at > 0 && step.failed_at <= asked_at[i]) / (double)RUNS;
	}
}

static void test_power(void **state)
{
	static const struct {
		const char *name;
		struct nature candidate, baseline;
		double share, least; /* that it must find by 400 sessions */
	} rows[] = {
	    {"30 % slower, CV 0.3", {152100, 0.2, 0.22}, {117000, 0.2, 0.22}, 0.5, 0.9},
	    {"30 % slower, CV 0.3", {152100, 0.2, 0.22}, {117000, 0.2, 0.22}, 0.05, 0.9},
	    {"30 % slower, CV 0.7", {152100, 0.4, 0.5}, {117000, 0.4, 0.5}, 0.5, 0.5},
	    {"30 % slower, CV 0.7", {152100, 0.4, 0.5}, {117000, 0.4, 0.5}, 0.05, 0.9},
	    {"30 % slower, CV 1.3", {152100, 0.6, 0.8}, {117000, 0.6, 0.8}, 0.5, 0},
	    {"30 % slower, CV 1.3", {152100, 0.6, 0.8}, {117000, 0.6, 0.8}, 0.05, 0},
	    {"twice as slow, CV 1.3", {234000, 0.6, 0.8}, {117000, 0.6, 0.8}, 0.5, 0.9},
	    {"5 % reset beside none", {117000, 0.2, 0.22, .resets = 0.05}, {117000, 0.2, 0.22}, 0.5, 0.9},
	    {"5 % reset beside none", {117000, 0.2, 0.22, .resets = 0.05}, {117000, 0.2, 0.22}, 0.05, 0.9},
	    {"3 % reset beside 1 %", {117000, 0.2, 0.22, .resets = 0.03}, {117000, 0.2, 0.22, .resets = 0.01}, 0.5, 0},
	    {"3 % reset beside 1 %", {117000, 0.2, 0.22, .resets = 0.03}, {117000, 0.2, 0.22, .resets = 0.01}, 0.05, 0},
	};

	(void)state;
	set_margins(0.2, 0.01);
	printf("found by so many sessions in the smaller arm:                     100   200   400   800  1600\n");
	for (size_t row = 0; row < COUNT(rows); row++) {
		double power[COUNT(asked_at)];

		measure_power(&rows[row].candidate, &rows[row].baseline, rows[row].share, power);
		printf("found, %-22s at %2.0f %% of new sessions:           ", rows[row].name, 100 * rows[row].share);
		for (size_t i = 0; i < COUNT(asked_at); i++)
			printf(" %5.2f", power[i]);
		printf("\n");
		row_assert(power[2] >= rows[row].least, rows[row].name, "found %g by 400 sessions", power[2]);
	}
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* How many sessions it takes until nine in ten good versions have passed each gate. */
static void test_passes(void **state)
{
	static const struct {
		const char *name;
		struct nature nature;
		double margin_ratio, most[GATES]; /* by which nine in ten have to pass; 0: no matter */
	} rows[] = {
	    {"CV 0.3, no events, margin 1 point", {117000, 0.2, 0.22}, 0.01, {200, 400, 400, 800}},
	    {"CV 0.3, no events, margin 2 points", {117000, 0.2, 0.22}, 0.02, {200, 200, 200, 400}},
	    {"CV 0.7, 1 % reset, margin 1 point", {117000, 0.4, 0.5, 0.01, 0.002, 0.05, 0.15}, 0.01, {800, 0, 0, 0}},
	    {"CV 0.7, 1 % reset, margin 2 points", {117000, 0.4, 0.5, 0.01, 0.002, 0.05, 0.15}, 0.02, {800, 0, 0, 0}},
	    {"CV 1.3, 1 % reset, margin 2 points", {117000, 0.6, 0.8, 0.01, 0.002, 0.05, 0.15}, 0.02, {0, 0, 0, 0}},
	};
	static double passed[GATES][RUNS];
	static struct step step;

	(void)state;
	for (size_t row = 0; row < COUNT(rows) * 2; row++) {
		double share = row % 2 ? 0.5 : 0.05;
		const double *most = rows[row / 2].most;

		set_margins(0.2, rows[row / 2].margin_ratio);
		for (int run = 0; run < RUNS; run++) {
			run_step(&rows[row / 2].nature, &rows[row / 2].nature, share, 1600, &step);
			for (size_t i = 0; i < GATES; i++)
				passed[i][run] = step.passed_at[i] > 0 ? step.passed_at[i] : INFINITY;
		}
		printf("a good version passes (half, nine in ten), %s, at %2.0f %%:", rows[row / 2].name, 100 * share);
		for (size_t i = 0; i < GATES; i++) {
			qsort(passed[i], RUNS, sizeof(double), by_size);
			printf(" %s %.0f %.0f", gates[i].name, passed[i][RUNS / 2], passed[i][RUNS * 9 / 10]);
			row_assert(most[i] == 0 || passed[i][RUNS * 9 / 10] <= most[i], rows[row / 2].name, "%s",
				   gates[i].name);
		}
		printf("\n");
	}
}

/* The other mistake: versions worse by just what the margin allows, or by twice as much, that pass. */
static void test_false_passes(void **state)
{
	static const struct {
		const char *name;
		struct nature candidate, baseline;
		size_t gate;
		double most;
	} rows[] = {
	    {"20 % slower, CV 0.3", {140400, 0.2, 0.22}, {117000, 0.2, 0.22}, 0, 0.3},
	    {"40 % slower, CV 0.3", {163800, 0.2, 0.22}, {117000, 0.2, 0.22}, 0, 0.02},
	    {"40 % slower, CV 1.3", {163800, 0.6, 0.8}, {117000, 0.6, 0.8}, 0, 0.05},
	    {"2 % reset beside 1 %", {117000, 0.2, 0.22, .resets = 0.02}, {117000, 0.2, 0.22, .resets = 0.01}, 1, 0.3},
	    {"3 % reset beside 1 %", {117000, 0.2, 0.22, .resets = 0.03}, {117000, 0.2, 0.22, .resets = 0.01}, 1, 0.05},
	};
	static struct step step;

	(void)state;
	set_margins(0.2, 0.01);
	for (size_t row = 0; row < COUNT(rows) * 2; row++) {
		int passes = 0;

		for (int run = 0; run < RUNS; run++) {
			run_step(&rows[row / 2].candidate, &rows[row / 2].baseline, row % 2 ? 0.5 : 0.05, 800, &step);
			passes += step.passed_at[rows[row / 2].gate] > 0;
		}
		printf("passes by some look to 800 sessions though %s, at %2d %% of new sessions: %.1f %%\n",
		       rows[row / 2].name, row % 2 ? 50 : 5, 100.0 * passes / RUNS);
		row_assert(passes <= rows[row / 2].most * RUNS, rows[row / 2].name, "%d of %d passed", passes, RUNS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_false_rollbacks),
	    cmocka_unit_test(test_power),
	    cmocka_unit_test(test_passes),
	    cmocka_unit_test(test_false_passes),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
