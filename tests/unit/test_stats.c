// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* user/rainbowd/stats.c and stats_bins.c against the figures of other programs (see make_stats_fixture.py), and what they refuse. */
#include "tests/unit/table_test.h"
#include "tests/unit/stats_fixture.h"
#include "rainbowd/stats.h"

/* Equal, but for `by` of the value (and of 1e-12, for zeros). */
static bool near(double got, double want, double by)
{
	return got == want || fabs(got - want) <= by * fmax(fabs(want), 1e-12 / by);
}

#define assert_near(got, want, by, table, i)                                                                                   \
	row_assert(near(got, want, by), table, "row %zu: %s is %.15g, not %.15g", i, #got, (double)(got), (double)(want))

static struct stats_bins arm(double index, double size)
{
	return (struct stats_bins){fixture_counts[(size_t)index], fixture_values, FIXTURE_BINS, size};
}

static void test_normal(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(normals); i++) {
		assert_near(stats_normal_tail(normals[i].z), normals[i].tail, 1e-12, "normals", i);
		if (normals[i].z > -6) /* its tail is 1 but for a billionth */
			assert_near(stats_normal_z(normals[i].tail), normals[i].z, 1e-12, "normals", i);
	}
	assert_true(stats_normal_z(0) == INFINITY && stats_normal_z(1) == -INFINITY && isnan(stats_normal_z(NAN)));
}

static void test_beta(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(betas); i++)
		assert_near(stats_beta(betas[i].x, betas[i].a, betas[i].b), betas[i].p, 1e-9, "betas", i);
	assert_true(stats_beta(0, 2, 3) == 0 && stats_beta(1, 2, 3) == 1);
}

static void test_wilson(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(wilsons); i++) {
		struct stats_interval got =
		    stats_wilson((struct stats_share){wilsons[i].events, wilsons[i].size}, wilsons[i].z);

		assert_near(got.low, wilsons[i].low, 1e-7, "wilsons", i);
		assert_near(got.high, wilsons[i].high, 1e-7, "wilsons", i);
	}
	assert_true(stats_wilson((struct stats_share){0, 0}, 2).high == 1);
}

static void test_newcombe(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(newcombes); i++) {
		struct stats_interval got =
		    stats_newcombe((struct stats_share){newcombes[i].x, newcombes[i].m},
				   (struct stats_share){newcombes[i].y, newcombes[i].n}, newcombes[i].z);

		assert_near(got.low, newcombes[i].low, 1e-9, "newcombes", i);
		assert_near(got.high, newcombes[i].high, 1e-9, "newcombes", i);
	}
	assert_true(stats_newcombe((struct stats_share){0, 0}, (struct stats_share){1, 5}, 2).low == -1);
}

static void test_fisher(void **state)
{
	struct stats_share many = {3e12, 1e13}, few = {2e12, 1e13};

	(void)state;
	for (size_t i = 0; i < COUNT(fishers); i++)
		assert_near(stats_fisher((struct stats_share){fishers[i].x, fishers[i].m},
					 (struct stats_share){fishers[i].y, fishers[i].n}),
			    fishers[i].p, fishers[i].x + fishers[i].y > 10000 ? 1e-3 : 1e-8, "fishers", i);
	/* Fractions: never surer than the whole numbers they came from. */
	assert_true(stats_fisher((struct stats_share){3.9, 50}, (struct stats_share){0.1, 950}) >=
		    stats_fisher((struct stats_share){3, 50}, (struct stats_share){1, 950}) * (1 - 1e-9));
	assert_true(stats_fisher((struct stats_share){0, 0}, (struct stats_share){0, 0}) == 1);
	assert_true(stats_fisher(many, few) == 0 && stats_fisher(few, many) == 1);
}

static void test_effective_size(void **state)
{
	(void)state;
	assert_true(stats_effective_size(50, 50, 50) == 50); /* one of each: themselves */
	assert_near(stats_effective_size(50, 200, 800), 50, 1e-12, "effective",
		    (size_t)1); /* four of each: never more than sessions */
	/* One with 100, 50 with one: 150^2 / (150 / 4 + 10050 * 3 / 4) */
	assert_near(stats_effective_size(51, 150, 10050), 150. * 150 / (150. / 4 + 10050. * 3 / 4), 1e-12, "effective",
		    (size_t)2);
	assert_true(stats_effective_size(7, 0, 0) == 0);
}

static void test_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(splits); i++)
		assert_near(stats_split(splits[i].a, splits[i].b, splits[i].share), splits[i].p, 1e-9, "splits", i);
	assert_true(stats_split(4, 0, 0.5) == 1); /* too few */
	assert_true(stats_split(100, 0, 0) == 1); /* nothing was ordered */
	assert_true(stats_split(100, 0, 0.5) < 1e-9);
}

static void test_ranks(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(ranks); i++) {
		struct stats_bins a = arm(ranks[i].a, ranks[i].size_a), b = arm(ranks[i].b, ranks[i].size_b);
		struct stats_rank got = stats_mann_whitney(&a, &b);

		assert_near(got.effect, ranks[i].effect, 1e-10, "ranks", i);
		assert_near(got.p, ranks[i].p, 1e-6, "ranks", i);
	}
}

static void test_quantiles(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(quantiles); i++) {
		struct stats_bins bins = arm(quantiles[i].arm, quantiles[i].size);
		struct stats_interval got = stats_quantile_interval(&bins, quantiles[i].q, quantiles[i].alpha);
		/* many are approximated: see low_rank */
		double by = quantiles[i].size * quantiles[i].q * (1 - quantiles[i].q) > 25 ? 5e-4 : 1e-7;

		assert_near(stats_quantile(&bins, quantiles[i].q), quantiles[i].value, 1e-10, "quantiles", i);
		assert_near(got.low, quantiles[i].low, by, "quantiles", i);
		assert_near(got.high, quantiles[i].high, by, "quantiles", i);
	}
}

static void test_ratios(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(ratios); i++) {
		struct stats_bins a = arm(ratios[i].a, ratios[i].size_a), b = arm(ratios[i].b, ratios[i].size_b);
		struct stats_ratio got = stats_quantile_ratio(&a, &b, ratios[i].q, ratios[i].alpha);

		assert_near(got.ratio, ratios[i].ratio, 1e-10, "ratios", i);
		assert_near(got.interval.low, ratios[i].low, 1e-3, "ratios", i);
		assert_near(got.interval.high, ratios[i].high, 1e-3, "ratios", i);
	}
}

/* No observation, all in one bin, values that have no ratio: nothing is proven. */
static void test_nothing(void **state)
{
	const double values[] = {0, 10, 20}, none[] = {0, 0, 0}, one[] = {0, 900, 0}, zero[] = {50, 0, 0};
	struct stats_bins empty = {none, values, 3, 0}, all = {one, values, 3, 300}, zeros = {zero, values, 3, 50};
	struct stats_rank rank = stats_mann_whitney(&empty, &all);
	struct stats_ratio ratio;

	(void)state;
	assert_true(rank.p == 1 && rank.effect == 0.5);
	rank = stats_mann_whitney(&all, &all);
	assert_true(rank.p == 1 && rank.effect == 0.5);
	assert_true(isnan(stats_quantile(&empty, 0.5)));
	assert_true(stats_quantile_interval(&empty, 0.5, 0.05).high == INFINITY);
	ratio = stats_quantile_ratio(&all, &all, 0.5, 0.05);
	assert_true(ratio.ratio == 1 && ratio.interval.low == 1 && ratio.interval.high == 1);
	ratio = stats_quantile_ratio(&all, &zeros, 0.5, 0.05);
	assert_true(isnan(ratio.ratio) && ratio.interval.low == 0 && ratio.interval.high == INFINITY);
}

/* All looks of all tests together spend no more than there is, and the first of one has half of it. */
static void test_alpha(void **state)
{
	(void)state;
	for (uint32_t tests = 1; tests <= 320; tests++) {
		double spent = 0;

		for (uint32_t look = 1; look <= 64; look++)
			spent += stats_alpha(tests, look);
		row_assert(spent * tests <= STATS_ALPHA && spent * tests > 0.9 * STATS_ALPHA, "alpha", "%u tests spend %g",
			   tests, spent);
	}
	assert_true(stats_alpha(1, 1) == STATS_ALPHA / 2 && stats_alpha(0, 0) == STATS_ALPHA / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_normal),   cmocka_unit_test(test_beta),      cmocka_unit_test(test_wilson),
	    cmocka_unit_test(test_newcombe), cmocka_unit_test(test_fisher),    cmocka_unit_test(test_split),
	    cmocka_unit_test(test_ranks),    cmocka_unit_test(test_quantiles), cmocka_unit_test(test_ratios),
	    cmocka_unit_test(test_nothing),  cmocka_unit_test(test_alpha),     cmocka_unit_test(test_effective_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
