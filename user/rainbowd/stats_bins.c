// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See stats.h: distributions, known as counts by bin. Each function walks the bins a few times and keeps nothing. */
#include <math.h>
#include "stats.h"

static double total_of(const struct stats_bins *bins)
{
	double total = 0;
	size_t i;

	for (i = 0; i < bins->count; i++)
		total += bins->counts[i];
	return total;
}

/* Independent units are never more than observations. */
static double size_of(const struct stats_bins *bins, double total)
{
	return fmin(bins->size, total);
}

struct stats_rank stats_mann_whitney(const struct stats_bins *a, const struct stats_bins *b)
{
	double total_a = total_of(a), total_b = total_of(b), m = size_of(a, total_a), n = size_of(b, total_b);
	double all = m + n, below = 0, above = 0, ties = 0, effect, variance;
	size_t i;

	if (!(m > 0 && n > 0))
		return (struct stats_rank){0.5, 1};
	for (i = 0; i < a->count; i++) {
		double in_a = a->counts[i] / total_a, in_b = b->counts[i] / total_b, tied = m * in_a + n * in_b;

		above += in_a * (below + in_b / 2);
		below += in_b;
		ties += tied > 1 ? tied * tied * tied - tied : 0; /* scaled down, one alone can be less than one */
	}
	effect = fmin(fmax(above, 0), 1);
	variance = (1 / m + 1 / n + 1 / m / n) / 12 * (1 - ties / (all * all * all - all));
	if (!(variance > 1e-30)) /* all equal, but for rounding */
		return (struct stats_rank){effect, 1};
	return (struct stats_rank){effect, stats_normal_tail((effect - 0.5 - 0.5 / m / n) / sqrt(variance))};
}

double stats_quantile(const struct stats_bins *bins, double q)
{
	double total = total_of(bins), target = q * total, seen = 0, before = 0, value = NAN;
	size_t i;

	for (i = 0; i < bins->count; i++) {
		double middle = seen + bins->counts[i] / 2;

		if (!(bins->counts[i] > 0))
			continue;
		if (middle >= target)
			return isnan(value) ? bins->values[i]
					    : value + (bins->values[i] - value) * (target - before) / (middle - before);
		value = bins->values[i];
		before = middle;
		seen += bins->counts[i];
	}
	return value;
}

/* z with the skewness and kurtosis of a binomial, for its lower tail (Cornish and Fisher 1938). */
static double expanded(double z, double q, double spread)
{
	double skewness = (1 - 2 * q) / sqrt(spread), kurtosis = (1 - 6 * q * (1 - q)) / spread, cube = z * z * z;

	return z - (z * z - 1) * skewness / 6 + (cube - 3 * z) * kurtosis / 24 - (2 * cube - 5 * z) * skewness * skewness / 36;
}

/*
 * The rank k, a fraction from 1 to n, of the highest order statistic that is above the quantile with probability alpha at most; 0: none.
 * P(F(X_k) > q) is the upper tail of a beta(k, n + 1 - k) at q; as a number of successes it is a binomial's, and far from the edges the
 * expansion of Cornish and Fisher gives that to a tenth of a rank, and quicker.
 */
static double low_rank(double n, double q, double alpha)
{
	double low = 1, high = n, spread = n * q * (1 - q);
	int i;

	if (spread > 25)
		return fmax(n * q + 0.5 - sqrt(spread) * expanded(stats_normal_z(alpha), q, spread), 0);
	if (!(n >= 1) || stats_beta(1 - q, n, 1) > alpha)
		return 0;
	for (i = 0; i < 32; i++) {
		double k = (low + high) / 2;

		if (stats_beta(1 - q, n + 1 - k, k) > alpha)
			high = k;
		else
			low = k;
	}
	return low;
}

struct stats_interval stats_quantile_interval(const struct stats_bins *bins, double q, double alpha)
{
	double n = size_of(bins, total_of(bins)), low = low_rank(n, q, alpha), high = low_rank(n, 1 - q, alpha);

	return (struct stats_interval){low >= 1 ? stats_quantile(bins, (low - 0.5) / n) : -INFINITY,
				       high >= 1 ? stats_quantile(bins, 1 - (high - 0.5) / n) : INFINITY};
}

struct stats_ratio stats_quantile_ratio(const struct stats_bins *a, const struct stats_bins *b, double q, double alpha)
{
	double at_a = stats_quantile(a, q), at_b = stats_quantile(b, q), point;
	struct stats_interval in_a, in_b;

	if (!(at_a > 0 && at_b > 0))
		return (struct stats_ratio){NAN, {0, INFINITY}};
	in_a = stats_quantile_interval(a, q, alpha);
	in_b = stats_quantile_interval(b, q, alpha);
	point = log(at_a) - log(at_b);
	/* log(0) for a bound that there is not, or is below zero: the distance becomes infinite */
	return (struct stats_ratio){
	    at_a / at_b,
	    {exp(point - hypot(log(at_a) - log(fmax(in_a.low, 0)), log(in_b.high) - log(at_b))),
	     exp(point + hypot(log(in_a.high) - log(at_a), log(at_b) - log(fmax(in_b.low, 0))))},
	};
}
