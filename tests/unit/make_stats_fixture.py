#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Makes tests/unit/stats_fixture.h, the figures that test_stats.c holds user/rainbowd/stats.h to, with programs that share no line with
it. Made with SciPy 1.10.1, NumPy 1.24.2 and statsmodels 0.13.5 (Debian 12: python3-scipy, python3-statsmodels). No test runs this:

  python3 tests/unit/make_stats_fixture.py > tests/unit/stats_fixture.h && clang-format -i tests/unit/stats_fixture.h

Where no program gives a figure (fractions of events, intervals of a ratio) it is got from the definition by root finding.
"""
import math
import numpy as np
from scipy import optimize, special, stats
from statsmodels.stats.proportion import confint_proportions_2indep

rng = np.random.default_rng(20261126)


def number(x):
    if isinstance(x, float) and math.isinf(x):
        return "INFINITY" if x > 0 else "-INFINITY"
    return repr(float(x)) if not isinstance(x, (int, np.integer)) else str(x)


def table(name, fields, rows, what):
    print(f"\n/* {what} */")
    print(f"static const struct {{\n\tdouble {', '.join(fields)};\n}} {name}[] = {{")
    for row in rows:
        print("    {" + ", ".join(number(x) for x in row) + "},")
    print("};")


def wilson(events, size, z):
    """The roots of the score equation, |p - share| = z sqrt(p (1 - p) / size)."""
    share = events / size

    def score(p):
        return (share - p) ** 2 - z * z * p * (1 - p) / size

    low = 0.0 if events == 0 else optimize.brentq(score, 0, share if share < 1 else 1 - 1e-12, xtol=1e-15)
    high = 1.0 if events == size else optimize.brentq(score, share if share > 0 else 1e-12, 1, xtol=1e-15)
    if float(events).is_integer() and float(size).is_integer():
        by_scipy = stats.binomtest(int(events), int(size)).proportion_ci(2 * stats.norm.cdf(z) - 1, method="wilson")
        assert np.allclose([low, high], [by_scipy.low, by_scipy.high], atol=1e-9), (low, high, by_scipy)
    return low, high


def newcombe(x, m, y, n, z):
    if all(float(v).is_integer() for v in (x, m, y, n)):
        return confint_proportions_2indep(int(x), int(m), int(y), int(n), method="newcomb", alpha=2 * stats.norm.sf(z))
    (low_a, high_a), (low_b, high_b) = wilson(x, m, z), wilson(y, n, z)
    p, q = x / m, y / n
    return p - q - math.sqrt((p - low_a) ** 2 + (high_b - q) ** 2), p - q + math.sqrt((high_a - p) ** 2 + (q - low_b) ** 2)


def spread_out(values, counts):
    return np.repeat(values, counts)


def mid_quantile(values, counts, q):
    seen = np.cumsum(counts)
    keep = np.asarray(counts) > 0
    middles = (seen - np.asarray(counts) / 2)[keep]
    return float(np.interp(q * seen[-1], middles, np.asarray(values)[keep]))


def quantile_interval(values, counts, size, q, alpha):
    """Hutson's ranks k: F(X_k) is beta(k, size + 1 - k); the lower has P(F > q) = alpha, the upper P(F < q) = alpha."""

    def above(k):
        return stats.beta.sf(q, k, size + 1 - k) - alpha

    def below(k):
        return stats.beta.cdf(q, k, size + 1 - k) - alpha

    low = -math.inf if above(1) > 0 else mid_quantile(values, counts, (optimize.brentq(above, 1, size, xtol=1e-12) - 0.5) / size)
    high = math.inf if below(size) > 0 else mid_quantile(values, counts, (optimize.brentq(below, 1, size, xtol=1e-12) - 0.5) / size)
    return low, high


def quantile_ratio(a, b, q, alpha):
    at_a, at_b = mid_quantile(VALUES, a[0], q), mid_quantile(VALUES, b[0], q)
    (low_a, high_a), (low_b, high_b) = (quantile_interval(VALUES, *arm, q, alpha) for arm in (a, b))
    point = math.log(at_a / at_b)
    below = math.hypot(math.log(at_a / low_a), math.log(high_b / at_b)) if low_a > 0 and high_b < math.inf else math.inf
    above = math.hypot(math.log(high_a / at_a), math.log(at_b / low_b)) if low_b > 0 and high_a < math.inf else math.inf
    return at_a / at_b, math.exp(point - below), math.exp(point + above)


def binned(median, sigma, size):
    edges = np.concatenate([[0], (VALUES[1:] + VALUES[:-1]) / 2, [np.inf]])
    return np.histogram(rng.lognormal(math.log(median), sigma, size), edges)[0]


print("/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */")
print("/* Made by make_stats_fixture.py, which says with what and how. Do not edit. */")
print("#ifndef RAINBOW_STATS_FIXTURE_H\n#define RAINBOW_STATS_FIXTURE_H\n\n#include <math.h>")

table("normals", ["z", "tail"], [(z, stats.norm.sf(z)) for z in (-6.0, -1.0, 0.0, 0.5, 1.0, 1.6448536269514722, 3.0, 6.0, 12.0, 30.0)],
      "scipy.stats.norm.sf")
table("betas", ["x", "a", "b", "p"],
      [(x, a, b, special.betainc(a, b, x)) for x, a, b in
       ((0.5, 1.0, 1.0), (0.2, 2.0, 3.0), (0.9, 0.5, 0.5), (0.5, 25.5, 25.5), (0.01, 1.0, 50.0), (0.99, 380.25, 4.75), (0.3, 120.0, 400.0),
        (0.5, 1000.0, 1100.0), (0.001, 0.7, 2000.0), (0.999999, 3.0, 0.1))], "scipy.special.betainc")

shares = [(0, 10), (1, 10), (10, 10), (3, 50), (1, 50), (56, 70), (48, 80), (81, 263), (0, 950), (5, 1000000), (0.4, 37.5), (12.75, 412.3)]
table("wilsons", ["events", "size", "z", "low", "high"],
      [(float(x), float(n), z, *wilson(x, n, z)) for x, n in shares for z in (1.6448536269514722, 3.2)],
      "scipy.stats.binomtest(...).proportion_ci(method='wilson') where whole; else roots of the score equation")

pairs = [(56, 70, 48, 80), (9, 10, 3, 10), (6, 7, 2, 7), (5, 56, 0, 29), (0, 10, 0, 20), (0, 10, 0, 10), (10, 10, 0, 20), (10, 10, 0, 10),
         (3, 50, 0, 950), (20, 400, 0, 400), (120, 1000, 90, 3000), (0.4, 37.5, 3.3, 800.2), (12.75, 412.3, 20.5, 1230.8)]
table("newcombes", ["x", "m", "y", "n", "z", "low", "high"],
      [(float(x), float(m), float(y), float(n), z, *newcombe(x, m, y, n, z)) for x, m, y, n in pairs for z in (1.959963984540054, 3.2)],
      "statsmodels confint_proportions_2indep(method='newcomb') where whole; the first eight pairs are those of Newcombe's paper")

table("fishers", ["x", "m", "y", "n", "p"],
      [(float(x), float(m), float(y), float(n), stats.fisher_exact([[x, m - x], [y, n - y]], "greater")[1]) for x, m, y, n in
       ((3, 50, 0, 950), (1, 50, 0, 3000), (2, 50, 0, 950), (20, 400, 0, 400), (56, 70, 48, 80), (0, 10, 5, 10), (10, 10, 0, 10), (5, 5, 5, 5),
        (120, 1000, 290, 3000), (900, 1000, 2600, 3000), (990, 1000, 2900, 3000), (4000, 20000, 3800, 20000), (7, 300, 2, 5000), (12300, 40000, 12000, 40000))],
      "scipy.stats.fisher_exact(alternative='greater')")

table("splits", ["a", "b", "share", "p"],
      [(float(a), float(b), s, stats.chisquare([a, b], [(a + b) * s, (a + b) * (1 - s)])[1]) for a, b, s in
       ((50, 950, 0.05), (80, 920, 0.05), (312, 888, 0.2), (500, 500, 0.5), (560, 440, 0.5), (5400, 4600, 0.5), (30, 70, 0.25))],
      "scipy.stats.chisquare")

# Distributions over one set of bins: 16 a power of two, from 8 to 2048.
VALUES = np.array([round(8 * 2 ** (i / 16), 3) for i in range(129)])
ARMS = {
    "like": binned(117, 0.6, 1230), "also": binned(117, 0.6, 412), "slow": binned(152, 0.6, 412), "few": binned(140, 0.4, 50),
    "narrow": binned(117, 0.02, 500), "tail": binned(117, 0.6, 380) + binned(900, 0.3, 32),
    "huge": binned(117, 1.0, 60000), "four": 4 * binned(125, 0.7, 300),
}
print("\n/* The distributions: lognormal samples counted into common bins. */")
print(f"#define FIXTURE_BINS {len(VALUES)}")
print("static const double fixture_values[FIXTURE_BINS] = {" + ", ".join(number(v) for v in VALUES) + "};")
print("enum fixture_arm { " + ", ".join(f"ARM_{name.upper()}" for name in ARMS) + " };")
print("static const double fixture_counts[][FIXTURE_BINS] = {")
for name, counts in ARMS.items():
    print("    {" + ", ".join(str(int(c)) for c in counts) + "},")
print("};")
NAMES = list(ARMS)


def arm(name, size=None):
    return ARMS[name], float(size or ARMS[name].sum())


ranks = []
for a, b, part in (("slow", "like", 1), ("also", "like", 1), ("like", "slow", 1), ("few", "like", 1), ("narrow", "narrow", 1),
                   ("tail", "like", 1), ("huge", "like", 1), ("four", "four", 4), ("four", "like", 1)):
    first, second = ARMS[a] // part, ARMS[b] // part
    result = stats.mannwhitneyu(spread_out(VALUES, first), spread_out(VALUES, second), alternative="greater", method="asymptotic")
    ranks.append((NAMES.index(a), first.sum(), NAMES.index(b), second.sum(), result.statistic / first.sum() / second.sum(), result.pvalue))
table("ranks", ["a", "size_a", "b", "size_b", "effect", "p"], ranks,
      "scipy.stats.mannwhitneyu(alternative='greater', method='asymptotic'); arm four: of every fourth observation")

hazen = np.sort(rng.permutation(VALUES)[:37])
counts = np.isin(VALUES, hazen).astype(int)
for q in (0.1, 0.5, 0.77, 0.99):
    assert abs(mid_quantile(VALUES, counts, q) - np.quantile(hazen, q, method="hazen")) < 1e-9
table("quantiles", ["arm", "size", "q", "alpha", "value", "low", "high"],
      [(NAMES.index(name), arm(name, size)[1], q, alpha, mid_quantile(VALUES, ARMS[name], q),
        *quantile_interval(VALUES, *arm(name, size), q, alpha))
       for name, size, q, alpha in (("like", None, 0.5, 0.05), ("like", None, 0.5, 0.0003), ("like", 211.7, 0.5, 0.05), ("few", None, 0.5, 0.05),
                                    ("few", None, 0.9, 0.05), ("few", None, 0.95, 0.05), ("few", None, 0.99, 0.05), ("few", None, 0.02, 0.001),
                                    ("like", None, 0.95, 0.001), ("huge", None, 0.99, 0.0003), ("narrow", None, 0.5, 0.05),
                                    ("tail", None, 0.95, 0.01))],
      "mid-distribution quantiles by numpy.interp (equal to numpy.quantile(method='hazen') without ties); Hutson's ranks by scipy.stats.beta")
table("ratios", ["a", "size_a", "b", "size_b", "q", "alpha", "ratio", "low", "high"],
      [(NAMES.index(a), arm(a, m)[1], NAMES.index(b), arm(b, n)[1], q, alpha, *quantile_ratio(arm(a, m), arm(b, n), q, alpha))
       for a, m, b, n, q, alpha in (("slow", None, "like", None, 0.5, 0.05), ("slow", 100.5, "like", 300.25, 0.5, 0.0003),
                                    ("few", None, "like", None, 0.5, 0.05), ("few", None, "like", None, 0.99, 0.05),
                                    ("tail", None, "like", None, 0.95, 0.001), ("huge", None, "also", None, 0.5, 0.05))],
      "the two intervals of the quantiles combined on the logarithms (MOVER)")
print("\n#endif")
