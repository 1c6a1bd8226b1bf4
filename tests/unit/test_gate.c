// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* user/rainbowd/gate.c: one look, step by step with the numbers of its header; its sentences; and evidence that can not be. */
#include "tests/unit/table_test.h"
#include <math.h>
#include <stdlib.h>
#include <rainbow/signal.h>
#include "rainbowd/gate.h"
#include "rainbowd/stats.h"

#define TESTS 12

static const struct gate resets = {
    .name = "resets", .source = GATE_SOURCE_KERNEL, .kind = GATE_KIND_RATIO, .margin = 0.01, .min_samples = 50};
static const struct gate accuracy = {.name = "accuracy",
				     .source = GATE_SOURCE_PUSH,
				     .kind = GATE_KIND_RATIO,
				     .better = GATE_HIGHER,
				     .margin = 0.05,
				     .min_samples = 50};
static const struct gate latency = {.name = "turn_latency",
				    .source = GATE_SOURCE_KERNEL,
				    .kind = GATE_KIND_DISTRIBUTION,
				    .margin = 0.2,
				    .quantile = 0.5,
				    .min_samples = 50};
static const struct gate cost = {
    .name = "cost", .source = GATE_SOURCE_PROMETHEUS, .kind = GATE_KIND_VALUE, .margin = 0.2, .min_samples = 50};
static const struct gate judge = {.name = "judge", .source = GATE_SOURCE_WEBHOOK, .kind = GATE_KIND_ANSWER};

static struct gate_evidence ratio(double candidate_events, double candidate, double baseline_events, double baseline)
{
	return (struct gate_evidence){.source = GATE_PASS,
				      .candidate = {.sessions = candidate, .events = candidate_events},
				      .baseline = {.sessions = baseline, .events = baseline_events}};
}

static struct gate_evidence value(double candidate, double baseline)
{
	return (struct gate_evidence){.source = GATE_PASS,
				      .candidate = {.sessions = 100, .value = candidate},
				      .baseline = {.sessions = 100, .value = baseline}};
}

/* --- distributions in the kernel's bins ------------------------------------------------------------------------------------ */

static double values[RAINBOW_SIGNAL_BINS], bins_candidate[RAINBOW_SIGNAL_BINS], bins_baseline[RAINBOW_SIGNAL_BINS];

static int setup(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < RAINBOW_SIGNAL_BINS; i++)
		values[i] = rainbow_signal_middle(i);
	return 0;
}

/* Sessions of a lognormal distribution at equally likely places; of `part` of them it is `times` as slow. */
static void fill(double bins[RAINBOW_SIGNAL_BINS], int sessions, double median_us, double sigma, double part, double times)
{
	memset(bins, 0, RAINBOW_SIGNAL_BINS * sizeof(*bins));
	for (int i = 0; i < sessions; i++) {
		double us = median_us * exp(sigma * stats_normal_z(1 - (i + 0.5) / sessions));

		if (fmod((i + 0.5) * 0.618034, 1) < part)
			us *= times;
		bins[rainbow_signal_bin((uint32_t)us)]++;
	}
}

static struct gate_evidence latencies(double candidate, double baseline)
{
	return (struct gate_evidence){
	    .source = GATE_PASS,
	    .candidate = {.sessions = candidate, .bins = bins_candidate, .values = values, .bin_count = RAINBOW_SIGNAL_BINS},
	    .baseline = {.sessions = baseline, .bins = bins_baseline, .values = values, .bin_count = RAINBOW_SIGNAL_BINS}};
}

/* --- looks ---------------------------------------------------------------------------------------------------------------- */

static struct gate_finding found;

static enum gate_verdict look(const struct gate *gate, struct gate_evidence evidence, struct gate_memory *memory)
{
	gate_look(gate, &evidence, TESTS, memory, &found);
	return found.verdict;
}

static enum gate_verdict first_look(const struct gate *gate, struct gate_evidence evidence)
{
	struct gate_memory memory = {0};

	return look(gate, evidence, &memory);
}

#define assert_says(text)                                                                                                      \
	do {                                                                                                                   \
		if (!strstr(found.reason, text)) {                                                                             \
			print_error("\"%s\" is not in: %s\n", text, found.reason);                                             \
			fail();                                                                                                \
		}                                                                                                              \
	} while (0)

static void test_1_fail_stays(void **state)
{
	struct gate_memory memory = {0};

	(void)state;
	assert_int_equal(look(&resets, ratio(30, 100, 0, 900), &memory), GATE_FAIL);
	assert_int_equal(memory.looks, 1);
	assert_int_equal(look(&resets, ratio(30, 90000, 30, 90000), &memory), GATE_FAIL);
	assert_says("resets: the candidate is worse: 30 % against 0 %, difference 30 points [");
	assert_false(found.looked);
	assert_int_equal(memory.looks, 1);
	assert_true(found.sessions_candidate == 90000 && found.difference == 0);
	assert_int_equal(look(&resets, (struct gate_evidence){.source = GATE_ERROR}, &memory), GATE_FAIL);
}

static void test_2_source(void **state)
{
	struct gate_memory memory = {0};
	struct gate_evidence none = {.source = GATE_INCONCLUSIVE, .reason = "the query gave no series"};

	(void)state;
	assert_int_equal(look(&cost, none, &memory), GATE_INCONCLUSIVE);
	assert_says("cost: the query gave no series");
	none.source = GATE_ERROR;
	assert_int_equal(look(&cost, none, &memory), GATE_ERROR);
	assert_int_equal(look(&cost, none, &memory), GATE_ERROR);
	assert_int_equal(memory.errors, 2);
	assert_int_equal(look(&cost, value(1, 1), &memory), GATE_INCONCLUSIVE);
	assert_int_equal(memory.errors, 0);
	none.source = GATE_FAIL; /* only those who are asked to judge may */
	assert_int_equal(look(&cost, none, &memory), GATE_INCONCLUSIVE);

	memory = (struct gate_memory){0};
	assert_int_equal(look(&judge, (struct gate_evidence){.source = GATE_PASS, .reason = "looks good"}, &memory), GATE_PASS);
	assert_string_equal(found.reason, "judge: looks good");
	assert_int_equal(look(&judge, (struct gate_evidence){.source = GATE_INCONCLUSIVE}, &memory), GATE_INCONCLUSIVE);
	assert_int_equal(look(&judge, (struct gate_evidence){.source = GATE_FAIL, .reason = "worse answers"}, &memory),
			 GATE_FAIL);
	assert_int_equal(look(&judge, (struct gate_evidence){.source = GATE_PASS}, &memory), GATE_FAIL);
	assert_says("worse answers");
}

static void test_3_sizes(void **state)
{
	static const double wrong[] = {NAN, INFINITY, -INFINITY, -1, 1e300};

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		assert_int_equal(first_look(&resets, ratio(50, wrong[i], 0, 100)), GATE_INCONCLUSIVE);
		assert_says("the number of sessions");
		assert_int_equal(first_look(&resets, ratio(50, 100, 0, wrong[i])), GATE_INCONCLUSIVE);
		fill(bins_candidate, 100, 1000, 1, 0, 1);
		fill(bins_baseline, 100, 100, 1, 0, 1);
		bins_candidate[3] = wrong[i];
		assert_int_equal(first_look(&latency, latencies(100, 100)), GATE_INCONCLUSIVE);
	}
}

static void test_4_hard_max(void **state)
{
	struct gate hard = resets, floor = accuracy, slow = latency, dear = cost;
	struct gate_evidence evidence = ratio(3, 20, 0, 0);

	(void)state;
	hard.has_hard_max = floor.has_hard_max = slow.has_hard_max = dear.has_hard_max = true;
	hard.hard_max = 0.1;
	evidence.share_ordered = 0.5; /* needs neither the baseline nor an even split */
	evidence.chosen_candidate = 1000;
	assert_int_equal(first_look(&hard, evidence), GATE_FAIL);
	assert_string_equal(found.reason, "resets: the candidate's 15 % is beyond hard_max 10 % (20 sessions)");
	assert_int_equal(first_look(&hard, ratio(3, 19.5, 0, 19)), GATE_INCONCLUSIVE);
	hard.hard_max = 0.01;
	assert_int_equal(first_look(&hard, ratio(2, 20, 0, 20)), GATE_INCONCLUSIVE); /* two events are two events */
	hard.has_hard_max = false;
	assert_int_equal(first_look(&hard, ratio(3, 20, 0, 20)), GATE_INCONCLUSIVE);

	floor.hard_max = 0.5;
	assert_int_equal(first_look(&floor, ratio(9, 20, 20, 20)), GATE_FAIL);
	assert_int_equal(first_look(&floor, ratio(10, 20, 20, 20)), GATE_INCONCLUSIVE);

	slow.hard_max = 2e6;
	fill(bins_candidate, 30, 2.5e6, 0.2, 0, 1);
	fill(bins_baseline, 30, 2.5e6, 0.2, 0, 1);
	assert_int_equal(first_look(&slow, latencies(30, 30)), GATE_FAIL);
	assert_says("the candidate's median 2.49 s is beyond hard_max 2 s");
	slow.quantile = 0.99;
	fill(bins_candidate, 30, 5e5, 0.2, 0.04, 20); /* one of thirty is a p99, and one session */
	assert_int_equal(first_look(&slow, latencies(30, 30)), GATE_INCONCLUSIVE);

	dear.hard_max = 2;
	assert_int_equal(first_look(&dear, value(2.1, 2.1)), GATE_FAIL);
	assert_int_equal(first_look(&dear, value(2, 2)), GATE_INCONCLUSIVE);
}

static void test_5_split(void **state)
{
	struct gate_evidence evidence = ratio(30, 100, 0, 900);
	struct gate_memory memory = {0};

	(void)state;
	evidence.share_ordered = 0.2;
	evidence.chosen_candidate = 100;
	evidence.chosen_baseline = 900;
	assert_int_equal(look(&resets, evidence, &memory), GATE_INCONCLUSIVE);
	assert_says("resets: the candidate got 100 of 1,000 new sessions where the weights order 20 %");
	assert_int_equal(memory.looks, 0); /* no alpha is spent on it */
	evidence.share_ordered = 0.1;
	assert_int_equal(look(&resets, evidence, &memory), GATE_FAIL);
	evidence.share_ordered = 1; /* nothing to compare it with */
	assert_int_equal(first_look(&resets, evidence), GATE_FAIL);
}

static void test_6_samples(void **state)
{
	struct gate none = resets;

	(void)state;
	assert_int_equal(first_look(&resets, ratio(27, 27.4, 0, 512)), GATE_INCONCLUSIVE);
	assert_string_equal(
	    found.reason, "resets: needs 23 more sessions of the candidate (candidate 27, baseline 512, at least 50 of each)");
	assert_int_equal(first_look(&resets, ratio(200, 512, 0, 49.9)), GATE_INCONCLUSIVE);
	assert_says("needs 1 more sessions of the baseline");
	assert_int_equal(first_look(&cost, (struct gate_evidence){.source = GATE_PASS}), GATE_INCONCLUSIVE);
	assert_says("needs 50 more");
	none.min_samples = 0;
	assert_int_equal(first_look(&none, ratio(0, 0, 0, 0)), GATE_INCONCLUSIVE);
	/* Sessions that had no turn are no sample of turns. */
	fill(bins_candidate, 40, 1000, 1, 0, 1);
	fill(bins_baseline, 400, 100, 1, 0, 1);
	assert_int_equal(first_look(&latency, latencies(400, 400)), GATE_INCONCLUSIVE);
	assert_says("needs 10 more sessions");
}

static void test_7_figures(void **state)
{
	struct gate_evidence evidence;
	double other[RAINBOW_SIGNAL_BINS];

	(void)state;
	assert_int_equal(first_look(&resets, ratio(101, 100, 0, 900)), GATE_INCONCLUSIVE);
	assert_says("more events than sessions");
	assert_int_equal(first_look(&resets, ratio(NAN, 100, 0, 900)), GATE_INCONCLUSIVE);
	assert_int_equal(first_look(&resets, ratio(90, 100, -1, 900)), GATE_INCONCLUSIVE);
	assert_int_equal(first_look(&cost, value(NAN, 1)), GATE_INCONCLUSIVE);
	assert_int_equal(first_look(&cost, value(1, INFINITY)), GATE_INCONCLUSIVE);
	assert_int_equal(first_look(&cost, value(-1, 1)), GATE_INCONCLUSIVE);

	fill(bins_candidate, 100, 1000, 1, 0, 1);
	fill(bins_baseline, 100, 100, 1, 0, 1);
	evidence = latencies(100, 100);
	evidence.baseline.bin_count--;
	assert_int_equal(first_look(&latency, evidence), GATE_INCONCLUSIVE);
	assert_says("same bins");
	evidence = latencies(100, 100);
	memcpy(other, values, sizeof(other));
	evidence.candidate.values = evidence.baseline.values = other;
	other[100] = other[99];
	assert_int_equal(first_look(&latency, evidence), GATE_INCONCLUSIVE);
	assert_says("do not rise");
	memset(bins_baseline, 0, sizeof(bins_baseline));
	bins_baseline[0] = 100; /* all at 0 */
	assert_int_equal(first_look(&latency, latencies(100, 100)), GATE_INCONCLUSIVE);
	assert_says("above zero");
}

static void test_8_values(void **state)
{
	struct gate_memory memory = {0};
	struct gate score = cost;

	(void)state;
	assert_int_equal(look(&cost, value(1.3, 1), &memory), GATE_INCONCLUSIVE);
	assert_says("1 of 3 such answers in a row");
	assert_int_equal(look(&cost, value(1.3, 1), &memory), GATE_INCONCLUSIVE);
	assert_int_equal(look(&cost, value(1.1, 1), &memory), GATE_INCONCLUSIVE); /* one good: from the start */
	assert_int_equal(look(&cost, value(1.3, 1), &memory), GATE_INCONCLUSIVE);
	assert_int_equal(look(&cost, value(1.3, 1), &memory), GATE_INCONCLUSIVE);
	/* What is no answer is neither good nor bad. */
	assert_int_equal(look(&cost, (struct gate_evidence){.source = GATE_ERROR}, &memory), GATE_ERROR);
	assert_int_equal(look(&cost, value(1.3, 1), &memory), GATE_FAIL);
	assert_string_equal(found.reason, "cost: the candidate is worse: 1.3 against 1, allowed 1.2 (100 and 100 sessions)");

	memory = (struct gate_memory){0};
	assert_int_equal(look(&cost, value(1.2, 1), &memory), GATE_INCONCLUSIVE);
	assert_int_equal(look(&cost, value(0, 0), &memory), GATE_INCONCLUSIVE);
	assert_int_equal(look(&cost, value(1, 1), &memory), GATE_PASS);
	assert_int_equal(look(&cost, value(1, 1), &memory), GATE_PASS);
	assert_int_equal(look(&cost, value(1, 0), &memory), GATE_INCONCLUSIVE); /* how much worse than nothing? */
	assert_says("hard_max can judge");
	assert_int_equal(look(&cost, value(1.3, 1), &memory), GATE_INCONCLUSIVE);
	assert_int_equal(memory.bad, 1);

	score.better = GATE_HIGHER;
	memory = (struct gate_memory){0};
	for (int i = 0; i < 3; i++)
		look(&score, value(0.7, 1), &memory);
	assert_int_equal(found.verdict, GATE_FAIL);
	assert_says("allowed 0.8");
}

static void test_9_between_looks(void **state)
{
	struct gate_memory memory = {0};

	(void)state;
	assert_int_equal(look(&resets, ratio(1, 60, 4, 800), &memory), GATE_INCONCLUSIVE);
	assert_says("not clear yet");
	assert_says("next look at 120 sessions");
	assert_int_equal(look(&resets, ratio(100, 119, 4, 2000), &memory), GATE_INCONCLUSIVE); /* not due, however bad */
	assert_false(found.looked);
	assert_int_equal(look(&resets, ratio(100, 120, 4, 2000), &memory), GATE_FAIL);

	memory = (struct gate_memory){0};
	assert_int_equal(look(&resets, ratio(0, 300, 4, 5000), &memory), GATE_PASS);
	assert_true(found.looked && found.next_look == 600);
	assert_int_equal(look(&resets, ratio(3, 400, 4, 6000), &memory), GATE_PASS);
	assert_false(found.looked);
	assert_int_equal(look(&resets, ratio(20, 500, 4, 7000), &memory), GATE_INCONCLUSIVE); /* 4 % now */
	assert_says("it passed and is not within the margin any more");
	assert_int_equal(look(&resets, ratio(3, 550, 4, 8000), &memory), GATE_PASS);
	assert_int_equal(memory.looks, 1);
	assert_int_equal(look(&resets, ratio(6, 600, 40, 9000), &memory), GATE_INCONCLUSIVE); /* a look may take a PASS back */
	assert_int_equal(memory.looks, 2);
}

/* Looks as the smaller arm doubles, each with its alpha. */
static void test_10_looks_double(void **state)
{
	struct gate_memory memory = {0};
	double last = 0;

	(void)state;
	for (int sessions = 1; sessions < 5000; sessions++) {
		look(&resets, ratio(sessions / 50.0, sessions, sessions / 10.0, 5 * sessions), &memory);
		if (!found.looked)
			continue;
		assert_true(sessions == (last > 0 ? 2 * last : 50));
		assert_true(found.alpha == stats_alpha(TESTS, memory.looks));
		last = sessions;
	}
	assert_int_equal(memory.looks, 7);
}

static void test_10_ratios(void **state)
{
	static const struct {
		const char *name;
		const struct gate *gate;
		double x, m, y, n;
		enum gate_verdict want;
	} rows[] = {
	    {"1 clearly worse", &resets, 20, 400, 4, 1200, GATE_FAIL},
	    {"2 as good", &resets, 4, 1000, 4, 1000, GATE_PASS},
	    {"3 too few to tell", &resets, 0, 100, 0, 1900, GATE_INCONCLUSIVE},
	    {"4 none of enough", &resets, 0, 300, 0, 5700, GATE_PASS},
	    {"5 surely worse, but within the margin", &resets, 900, 100000, 500, 100000, GATE_PASS},
	    {"6 beyond the margin, but by chance", &resets, 2, 50, 0, 950, GATE_INCONCLUSIVE},
	    {"7 one in 50 beside none in 3,000 is no proof", &resets, 1, 50, 0, 3000, GATE_INCONCLUSIVE},
	    {"8 twelve beside none is", &resets, 12, 247, 0, 247, GATE_FAIL},
	    {"9 what the baseline never has does not pass", &resets, 3, 3000, 0, 3000, GATE_INCONCLUSIVE},
	    {"10 unless it could have had none by chance", &resets, 3, 3000, 0, 900, GATE_PASS},
	    {"11 better", &resets, 0, 400, 20, 400, GATE_PASS},
	    {"12 all of all", &resets, 400, 400, 400, 400, GATE_PASS},
	    {"13 fractions", &resets, 20.7, 400.3, 4.4, 1200.9, GATE_FAIL},
	    {"14 millions", &resets, 3e6, 1e8, 1e6, 1e8, GATE_FAIL},
	    {"15 higher is better: worse", &accuracy, 700, 1000, 880, 1000, GATE_FAIL},
	    {"16 higher is better: as good", &accuracy, 890, 1000, 880, 1000, GATE_PASS},
	    {"17 higher is better: not clear", &accuracy, 84, 100, 88, 100, GATE_INCONCLUSIVE},
	    {"18 higher is better: better", &accuracy, 99, 100, 50, 100, GATE_PASS},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum gate_verdict got = first_look(rows[i].gate, ratio(rows[i].x, rows[i].m, rows[i].y, rows[i].n));

		row_assert(got == rows[i].want, rows[i].name, "%s", found.reason);
		row_assert(found.low <= found.difference && found.difference <= found.high, rows[i].name, "%s", found.reason);
	}
}

/* What is good of so many is bad of the rest: the same judgement, figures turned round. */
static void test_10_higher_mirrors_lower(void **state)
{
	struct gate right = accuracy, wrong = accuracy;

	(void)state;
	right.margin = wrong.margin = 0.0501; /* no difference is just that, but for rounding */
	wrong.better = GATE_LOWER;
	for (int x = 0; x <= 120; x += 3)
		for (int y = 0; y <= 60; y += 4) {
			enum gate_verdict lower = first_look(&wrong, ratio(x, 120, y, 900));
			struct gate_finding mirror = found;

			assert_int_equal(first_look(&right, ratio(120 - x, 120, 900 - y, 900)), lower);
			assert_true(fabs(found.low + mirror.high) < 1e-9 && fabs(found.high + mirror.low) < 1e-9);
			assert_true(found.p == mirror.p);
		}
}

static void test_10_distributions(void **state)
{
	static const struct {
		const char *name;
		double quantile;
		enum gate_better better;
		int m;
		double median, sigma, part, times; /* the candidate; the baseline: 1,200 of median 117 ms, the same sigma */
		enum gate_verdict want;
	} rows[] = {
	    {"1 30 % slower", 0.5, GATE_LOWER, 400, 152e3, 0.6, 0, 1, GATE_FAIL},
	    {"2 as fast", 0.5, GATE_LOWER, 400, 117e3, 0.6, 0, 1, GATE_PASS},
	    {"3 as fast, fifty are enough at a CV of 0.3", 0.5, GATE_LOWER, 60, 117e3, 0.3, 0, 1, GATE_PASS},
	    {"4 as fast, and fifty are not enough with a long tail", 0.5, GATE_LOWER, 50, 117e3, 1.2, 0, 1, GATE_INCONCLUSIVE},
	    {"5 surely slower, but within the margin", 0.5, GATE_LOWER, 400, 125e3, 0.1, 0, 1, GATE_PASS},
	    {"6 beyond the margin, but by chance", 0.5, GATE_LOWER, 50, 143e3, 1.2, 0, 1, GATE_INCONCLUSIVE},
	    {"7 faster", 0.5, GATE_LOWER, 400, 80e3, 0.6, 0, 1, GATE_PASS},
	    {"8 a tail of 8 % is not the median's", 0.5, GATE_LOWER, 400, 117e3, 0.3, 0.08, 8, GATE_PASS},
	    {"9 it is the p95's, which ranks alone miss", 0.95, GATE_LOWER, 400, 117e3, 0.3, 0.08, 8, GATE_FAIL},
	    {"10 a p99 of 100 sessions has no upper bound", 0.99, GATE_LOWER, 100, 117e3, 0.3, 0, 1, GATE_INCONCLUSIVE},
	    {"11 higher is better: lower", 0.5, GATE_HIGHER, 400, 80e3, 0.6, 0, 1, GATE_FAIL},
	    {"12 higher is better: higher", 0.5, GATE_HIGHER, 400, 152e3, 0.6, 0, 1, GATE_PASS},
	    {"13 surely slower, but hardly ever noticed", 0.5, GATE_LOWER, 5000, 152e3, 2, 0, 1, GATE_INCONCLUSIVE},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gate gate = latency;
		enum gate_verdict got;

		gate.quantile = rows[i].quantile;
		gate.better = rows[i].better;
		fill(bins_candidate, rows[i].m, rows[i].median, rows[i].sigma, rows[i].part, rows[i].times);
		fill(bins_baseline, 1200, 117e3, rows[i].sigma, 0, 1);
		got = first_look(&gate, latencies(rows[i].m, 1200));
		row_assert(got == rows[i].want, rows[i].name, "%s (A12 %g, p %g)", found.reason, found.effect, found.p);
		row_assert(found.low <= found.difference && found.difference <= found.high, rows[i].name, "%s", found.reason);
	}
}

/* Turns are not sessions: with ten to each the counts are ten times as large, and the judgement is the same. */
static void test_10_turns_are_no_sessions(void **state)
{
	struct gate_finding once;

	(void)state;
	fill(bins_candidate, 60, 143e3, 1, 0, 1);
	fill(bins_baseline, 60, 117e3, 1, 0, 1);
	assert_int_equal(first_look(&latency, latencies(60, 60)), GATE_INCONCLUSIVE);
	once = found;
	for (size_t i = 0; i < RAINBOW_SIGNAL_BINS; i++) {
		bins_candidate[i] *= 10;
		bins_baseline[i] *= 10;
	}
	assert_int_equal(first_look(&latency, latencies(60, 60)), GATE_INCONCLUSIVE);
	assert_true(fabs(found.p - once.p) < 1e-9 && fabs(found.low - once.low) < 1e-9 && fabs(found.high - once.high) < 1e-9);
	assert_true(found.sessions_candidate == 60);
}

/* --- words ---------------------------------------------------------------------------------------------------------------- */

static void test_sentences(void **state)
{
	struct gate named = latency;

	(void)state;
	fill(bins_candidate, 412, 152e3, 0.4, 0, 1);
	fill(bins_baseline, 1230, 117e3, 0.4, 0, 1);
	first_look(&latency, latencies(412, 1230));
	assert_string_equal(found.reason,
			    "turn_latency: the candidate is slower: median 152 ms against 117 ms, ratio 1.30 [1.19, 1.36], "
			    "allowed 1.20 (412 and 1,230 sessions)");
	memset(named.name, 'n', sizeof(named.name) - 1); /* the longest name, the widest numbers */
	named.min_samples = 2000000000;
	first_look(&named, latencies(412, 1230));
	assert_says("at least 2000000000 of each)");
	assert_string_equal(gate_verdict_name(GATE_INCONCLUSIVE), "inconclusive");
	assert_string_equal(gate_verdict_name((enum gate_verdict)9), "unknown");
}

static void assert_explains(const struct gate *gate, struct gate_evidence evidence, const char *const *texts)
{
	char *page;

	first_look(gate, evidence);
	page = gate_explain(gate, &evidence, TESTS, &found);
	assert_non_null(page);
	for (; *texts; texts++)
		row_assert(strstr(page, *texts), gate->name, "\"%s\" is not in:\n%s", *texts, page);
	free(page);
}

static void test_explain(void **state)
{
	struct gate_evidence evidence = ratio(20, 400, 4, 1200);
	struct gate hard = resets;

	(void)state;
	hard.has_hard_max = true;
	hard.hard_max = 0.2;
	evidence.share_ordered = 0.25;
	evidence.chosen_candidate = 410;
	evidence.chosen_baseline = 1201;
	assert_explains(&hard, evidence,
			(const char *const[]){
			    "resets: ratio, lower is better, margin 1 points", "400 sessions, 5 % (20 events)",
			    "410 of 1,611 new sessions, 25 % ordered", "shared by 12 tests", "Newcombe",
			    "p <= alpha and the difference is above 1 points", "hard_max 20 %", "verdict     fail\n", NULL});
	assert_explains(
	    &latency, latencies(412, 1230),
	    (const char *const[]){"distribution", "median 152 ms", "Mann-Whitney", "A12 >= 0.56", "the next at 824", NULL});
	assert_explains(&cost, value(1.3, 1),
			(const char *const[]){"above 1.2 for 3 answers in a row", "verdict     inconclusive", NULL});
	assert_explains(&judge, (struct gate_evidence){.source = GATE_PASS},
			(const char *const[]){"whoever is asked judges", "pass", NULL});
	assert_explains(&cost, (struct gate_evidence){.source = GATE_ERROR, .reason = "HTTP 500"},
			(const char *const[]){"source      error: HTTP 500", NULL});
}

/* --- evidence that can not be ---------------------------------------------------------------------------------------------- */

static uint64_t seed = 4;

static double odd_number(void)
{
	static const double odd[] = {0,   0,    1,    -1,    0.5,    20,     50,     51,       100,       1e3, 1e5,
				     1e9, 1e15, 1e16, 1e300, -1e300, 1e-300, 5e-324, INFINITY, -INFINITY, NAN};

	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return odd[(seed >> 33) % COUNT(odd)];
}

/* Whatever comes: no crash (the sanitizers' part), a reason, and no FAIL if both arms have the same evidence. */
static void test_odd_evidence(void **state)
{
	static const struct gate *const all[] = {&resets, &accuracy, &latency, &cost, &judge};
	double odd_values[8], odd_bins[2][8];

	(void)state;
	for (int round = 0; round < 100000; round++) {
		struct gate gate = *all[round % COUNT(all)];
		bool same = round % 3 == 0, regular = round % 2;
		struct gate_memory memory = {.looked_at = round % 7 ? 0 : odd_number(), .reason = "at the look before"};
		struct gate_evidence evidence = {
		    .source = GATE_PASS,
		    .candidate = {odd_number(), odd_number(), odd_bins[0], odd_values, 8, odd_number()},
		    .baseline = {odd_number(), odd_number(), odd_bins[1], odd_values, 8, odd_number()},
		    .share_ordered = odd_number(),
		    .chosen_candidate = round % 5 ? 0 : UINT64_MAX,
		};
		char *page;

		gate.margin = regular ? gate.margin : odd_number();
		gate.quantile = odd_number();
		gate.better = (enum gate_better)(round / 5 % 2);
		gate.has_hard_max = !same && round % 11 == 0;
		gate.hard_max = odd_number();
		for (int i = 0; i < 8; i++) {
			odd_values[i] = regular ? i * 10 : odd_number();
			odd_bins[0][i] = round % 4 ? odd_number() : 0;
			odd_bins[1][i] = same ? odd_bins[0][i] : odd_number();
		}
		if (round % 4 == 0)
			odd_bins[0][round % 8] = odd_number(); /* all in one bin */
		if (same) {
			evidence.baseline = evidence.candidate;
			gate.margin = fabs(gate.margin); /* who demands to be better is never content */
		}
		for (int again = 0; again < 2; again++) {
			look(&gate, evidence, &memory);
			assert_true(found.verdict >= GATE_INCONCLUSIVE && found.verdict <= GATE_ERROR);
			assert_true(strlen(found.reason) > strlen(gate.name) + 2);
			row_assert(!same || found.verdict != GATE_FAIL, gate.name, "round %d: %s", round, found.reason);
			if (found.verdict == GATE_PASS && gate.kind != GATE_KIND_ANSWER)
				row_assert(found.sessions_candidate >= 50 && found.sessions_baseline >= 50, gate.name,
					   "round %d: %s", round, found.reason);
			if (found.verdict == GATE_FAIL && gate.kind == GATE_KIND_RATIO)
				row_assert(evidence.candidate.sessions >= 20 &&
					       evidence.candidate.events <= evidence.candidate.sessions,
					   gate.name, "round %d: %s", round, found.reason);
		}
		page = gate_explain(&gate, &evidence, 0, &found);
		assert_non_null(page);
		free(page);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_1_fail_stays),     cmocka_unit_test(test_2_source),
	    cmocka_unit_test(test_3_sizes),          cmocka_unit_test(test_4_hard_max),
	    cmocka_unit_test(test_5_split),          cmocka_unit_test(test_6_samples),
	    cmocka_unit_test(test_7_figures),        cmocka_unit_test(test_8_values),
	    cmocka_unit_test(test_9_between_looks),  cmocka_unit_test(test_10_looks_double),
	    cmocka_unit_test(test_10_ratios),        cmocka_unit_test(test_10_higher_mirrors_lower),
	    cmocka_unit_test(test_10_distributions), cmocka_unit_test(test_10_turns_are_no_sessions),
	    cmocka_unit_test(test_sentences),        cmocka_unit_test(test_explain),
	    cmocka_unit_test(test_odd_evidence),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
