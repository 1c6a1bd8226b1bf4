// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See stats.h: shares, and what they rest on. */
#include <math.h>
#include "stats.h"

double stats_effective_size(double sessions, double sum, double sum_of_squares)
{
	return sum > 0 ? fmin(sessions, sum / (0.25 + 0.75 * (sum_of_squares / sum))) : 0;
}

double stats_normal_tail(double z)
{
	return 0.5 * erfc(z / M_SQRT2);
}

/* By bisection: erfc is exact to its last digits far into the tail, and nobody is in a hurry. */
double stats_normal_z(double p)
{
	double low = 0, high = 38;
	int i;

	if (!(p > 0 && p < 1))
		return p <= 0 ? INFINITY : p >= 1 ? -INFINITY : NAN;
	if (p > 0.5)
		return -stats_normal_z(1 - p);
	for (i = 0; i < 60; i++) {
		double middle = (low + high) / 2;

		if (stats_normal_tail(middle) > p)
			low = middle;
		else
			high = middle;
	}
	return (low + high) / 2;
}

/* The continued fraction of DLMF 8.17.22, by Lentz's method as modified by Thompson and Barnett; quick for x below (a+1)/(a+b+2). */
static double beta_fraction(double x, double a, double b)
{
	const double tiny = 1e-300;
	double c = 1, d = 0, f = 1;
	int i;

	for (i = 0; i < 2000; i++) {
		double m = (i - i % 2) / 2.0;
		double numerator = i == 0       ? 1
				   : i % 2 == 0 ? m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
						: -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));

		d = 1 + numerator * d;
		d = 1 / (fabs(d) < tiny ? tiny : d);
		c = 1 + numerator / c;
		c = fabs(c) < tiny ? tiny : c;
		f *= c * d;
		if (fabs(1 - c * d) < 1e-11)
			break;
	}
	return f - 1;
}

static double log_gamma(double x)
{
	int sign; /* lgamma writes a global */

	return lgamma_r(x, &sign);
}

double stats_beta(double x, double a, double b)
{
	double log_front;

	if (!(x > 0))
		return 0;
	if (!(x < 1))
		return 1;
	if (x > (a + 1) / (a + b + 2))
		return 1 - stats_beta(1 - x, b, a);
	log_front = log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log1p(-x);
	return exp(log_front) * beta_fraction(x, a, b) / a;
}

struct stats_interval stats_wilson(struct stats_share share, double z)
{
	double n = share.size, p, square = z * z, middle, half;

	if (!(n > 0) || !isfinite(square))
		return (struct stats_interval){0, 1};
	p = share.events / n;
	middle = (p + square / (2 * n)) / (1 + square / n);
	half = z * sqrt(fmax(p * (1 - p), 0) / n + square / (4 * n * n)) / (1 + square / n);
	/* At the edges the bounds are 0 and 1, but for rounding. */
	return (struct stats_interval){share.events <= 0 ? 0 : fmax(middle - half, 0),
				       share.events >= n ? 1 : fmin(middle + half, 1)};
}

struct stats_interval stats_newcombe(struct stats_share a, struct stats_share b, double z)
{
	struct stats_interval in_a = stats_wilson(a, z), in_b = stats_wilson(b, z);
	double p, q;

	if (!(a.size > 0 && b.size > 0))
		return (struct stats_interval){-1, 1};
	p = a.events / a.size;
	q = b.events / b.size;
	return (struct stats_interval){p - q - hypot(p - in_a.low, in_b.high - q), p - q + hypot(in_a.high - p, q - in_b.low)};
}

#define FISHER_MAX 10000

/* P(X >= x): of n + m units, `events` have it, and X is how many of them are among the n. All whole. */
static double hypergeometric_tail(double x, double n, double m, double events)
{
	double most = fmin(n, events), log_first, term = 1, sum = 1, k = x;

	if (x <= fmax(0, events - m))
		return 1;
	if (x > most)
		return 0;
	/* C(n, x) C(m, events - x) / C(n + m, events) */
	log_first = log_gamma(n + 1) - log_gamma(x + 1) - log_gamma(n - x + 1) + log_gamma(m + 1) - log_gamma(events - x + 1) -
		    log_gamma(m - events + x + 1) - log_gamma(n + m + 1) + log_gamma(events + 1) +
		    log_gamma(n + m - events + 1);
	while (k < most && term > sum * 1e-17) {
		term *= (n - k) * (events - k) / ((k + 1) * (m - events + k + 1));
		sum += term;
		k++;
	}
	return fmin(exp(log_first + log(sum)), 1);
}

/* The same for many, with a continuity correction. */
static double many_tail(double x, double n, double m, double events)
{
	double share = n / (n + m), mean = events * share, variance = mean * (m / (n + m)) * ((n + m - events) / (n + m - 1));

	return variance > 0 ? stats_normal_tail((x - 0.5 - mean) / sqrt(variance)) : 1;
}

/* Rounding: fewer events in a, more in b. Sizes: those without the event are rounded the other way. */
double stats_fisher(struct stats_share a, struct stats_share b)
{
	double x = floor(a.events + 1e-9), y = ceil(b.events - 1e-9);
	double x_not = ceil(a.size - a.events - 1e-9), y_not = floor(b.size - b.events + 1e-9);

	if (!(x >= 0 && y >= 0 && x_not >= 0 && y_not >= 0) || !(a.size > 0 && b.size > 0))
		return 1;
	if (fmin(x + y, x_not + y_not) > FISHER_MAX)
		return many_tail(x, x + x_not, y + y_not, x + y);
	/* Few without it: that a has as few of them is that b has as many. */
	if (x_not + y_not < x + y)
		return hypergeometric_tail(y_not, y + y_not, x + x_not, x_not + y_not);
	return hypergeometric_tail(x, x + x_not, y + y_not, x + y);
}

double stats_split(double a, double b, double share)
{
	double all = a + b, expected = all * share, other = all - expected;

	if (!isfinite(all) || !(expected >= 5 && other >= 5))
		return 1; /* the approximation's usual limit */
	return erfc(sqrt((a - expected) * (a - expected) * (1 / expected + 1 / other) / 2));
}

double stats_alpha(uint32_t tests, uint32_t look)
{
	double k = look ? look : 1;

	return STATS_ALPHA / (tests ? tests : 1) / (k * (k + 1));
}
