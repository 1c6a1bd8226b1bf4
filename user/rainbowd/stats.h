/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The statistics of gates: pure functions of numbers, each with its source. A `size` is the number of independent units (sessions),
 * and may be a fraction: see stats_effective_size. No function fails: what has no answer (no data, no variance) gets the answer that
 * proves nothing.
 */
#ifndef RAINBOW_STATS_H
#define RAINBOW_STATS_H

#include <stddef.h>
#include <stdint.h>

#define STATS_ALPHA 0.05 /* that a rollout with no difference is rolled back */

struct stats_interval {
	double low, high;
};

struct stats_share {
	double events, size; /* 0 <= events <= size */
};

/* Counts by bin in rising order of value. Counts may be of observations more, or less, than `size`. */
struct stats_bins {
	const double *counts, *values;
	size_t count;
	double size;
};

/*
 * How many independent sessions observations are worth of which several come from a session: the sum over sessions of their number k,
 * and of k^2. The variance of a mean of them is s2 * sum k(1 + (k - 1)r) / (sum k)^2 for a correlation r within sessions (Kish 1965,
 * Survey Sampling, 8.2), which is s2 / size. r is not known from counts. It is taken as 3/4: that so much of the variance lies between
 * sessions; and the size is never more than the sessions. r = 1 would be safe whatever comes, at a third of the sample where k varies
 * much; what a larger r than 3/4 costs is simulated in test_gate_sim.c (with 0.9: 1 % of the rollouts with no difference).
 */
double stats_effective_size(double sessions, double sum, double sum_of_squares);

/* The normal distribution: P(Z > z), and the z that is exceeded with probability p. */
double stats_normal_tail(double z);
double stats_normal_z(double p);
/* P(X <= x) of a beta distribution, 0 <= x <= 1, a and b above 0. DLMF 8.17.22. */
double stats_beta(double x, double a, double b);

/* One share: the score interval of Wilson (1927, J. Am. Stat. Assoc. 22:209-212). */
struct stats_interval stats_wilson(struct stats_share share, double z);
/* a - b: Newcombe's hybrid score interval (1998, Statistics in Medicine 17:873-890, method 10). */
struct stats_interval stats_newcombe(struct stats_share a, struct stats_share b, double z);
/*
 * One-sided p of Fisher's exact test: so many events in a, or more, if both have the same rate. Fractions are rounded to whole numbers
 * such that p grows. Above 10,000 events (of the rarer kind) by the normal approximation. It decides where an interval would not do: one
 * event in 50 beside none in 3,000 is no proof (p 0.02), yet the score interval excludes zero at any level; and 12 in 250 beside none in
 * 250 is one (p 0.0002) before it does.
 */
double stats_fisher(struct stats_share a, struct stats_share b);
/* p of the chi-square test with one degree of freedom that of a + b so many came to a, whose share is ordered; 1: too few to tell. */
double stats_split(double a, double b, double share);

struct stats_rank {
	double effect; /* A12: P(an a is above a b) + P(they are equal) / 2; 0.5: no difference. Vargha and Delaney (2000) */
	double p;      /* one-sided: a is above b */
};

/*
 * Mann-Whitney's U on bins (both have the same), normal approximation with tie and continuity corrections (Lehmann, Nonparametrics,
 * 1975). Counts are scaled down to the size before the variance is taken: right, since to first order A12 is a mean
 * over observations in each arm, for which the effective size stands.
 */
struct stats_rank stats_mann_whitney(const struct stats_bins *a, const struct stats_bins *b);

/*
 * Quantile of the mid-distribution: through the middle of each bin's count, linear between (Ma, Genton and Parzen 2011). With one
 * observation to a bin it is Hazen's. NaN: no observation.
 */
double stats_quantile(const struct stats_bins *bins, double q);
/*
 * Its interval, one-sided alpha at each end, from fractional order statistics (Hutson 1999, J. Applied Statistics 26:343-353), which
 * are beta distributed: no shape is assumed. Where the sample is too small for a bound it is -INFINITY or INFINITY.
 */
struct stats_interval stats_quantile_interval(const struct stats_bins *bins, double q, double alpha);

struct stats_ratio {
	double ratio;
	struct stats_interval interval;
};

/*
 * Quantile of a by that of b. The two intervals are combined on the logarithms as Newcombe combines Wilson's (MOVER: Zou and Donner 2008,
 * Statistics in Medicine 27:1693-1702). NaN, and an interval without bounds, if a quantile is not above zero.
 */
struct stats_ratio stats_quantile_ratio(const struct stats_bins *a, const struct stats_bins *b, double q, double alpha);

/*
 * What look number `look` (from 1) of one of `tests` may spend: STATS_ALPHA / tests / (look (look + 1)). The sum over looks, however
 * many, is at most STATS_ALPHA / tests, so by Bonferroni the whole rollout spends STATS_ALPHA at most, whatever depends on what. Early
 * looks get most: since looks come as n doubles, a late one sees twice the evidence of the one before and can do with less.
 */
double stats_alpha(uint32_t tests, uint32_t look);

#endif
