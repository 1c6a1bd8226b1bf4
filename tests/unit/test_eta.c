// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* user/rainbowd/eta.c: the time until the last one ends, against durations drawn by brute force. */
#include <math.h>
#include <stdlib.h>
#include "tests/unit/table_test.h"
#include "rainbowd/eta.h"

#define BINS    RAINBOW_SIGNAL_BINS
#define ENDED   20000
#define RUNS    4001
#define HOUR_MS (3600 * 1000ll)

static uint64_t seed;

/* In [0, 1). */
static double draw(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (double)(seed >> 11) / 9007199254740992.0;
}

static double draw_normal(void)
{
	return sqrt(-2 * log(1 - draw())) * cos(2 * 3.14159265358979 * draw());
}

/* The ways in which sessions may last: all alike, without memory, a few for very long, most at once or an hour. */
enum shape { EVEN, EXPONENTIAL, LOGNORMAL, TWO_HUMPS };

static double draw_duration(enum shape shape)
{
	switch (shape) {
	case EVEN:
		return 600000 * draw();
	case EXPONENTIAL:
		return -300000 * log(1 - draw());
	case LOGNORMAL:
		return 60000 * exp(1.5 * draw_normal());
	case TWO_HUMPS:
		return draw() < 0.9 ? 2000 * draw() : (double)HOUR_MS * (1 + 0.1 * draw());
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* One of the sorted durations that are longer than the age, at random. */
static double draw_longer(const double *durations, double age)
{
	size_t low = 0, high = ENDED;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (durations[middle] > age)
			high = middle;
		else
			low = middle + 1;
	}
	assert_true(low < ENDED);
	return durations[low + (size_t)(draw() * (double)(ENDED - low))];
}

static void simulate(const double *durations, const double *ages, size_t live, double *median, double *p90)
{
	static double ends[RUNS];

	for (size_t run = 0; run < RUNS; run++) {
		ends[run] = 0;
		for (size_t i = 0; i < live; i++)
			ends[run] = fmax(ends[run], draw_longer(durations, ages[i]) - ages[i]);
	}
	qsort(ends, RUNS, sizeof(ends[0]), compare);
	*median = ends[RUNS / 2];
	*p90 = ends[RUNS * 9 / 10];
}

/* Bins are 12.5 % wide, and the draws differ by chance; where sessions end together, by a bin. */
static bool is_near(int64_t got, double want, double bin_ms)
{
	return fabs((double)got - want) <= 0.07 * want + bin_ms;
}

static void test_against_simulation(void **state)
{
	static const struct {
		const char *name;
		enum shape shape;
		size_t live;
		double oldest; /* the ages are even from 0 to this */
		double bin_ms; /* half a bin where the last ones end */
	} rows[] = {
	    {"even, one that is new", EVEN, 1, 0, 10000},
	    {"even, 50 of all ages", EVEN, 50, 500000, 35000},
	    {"without memory, one", EXPONENTIAL, 1, 600000, 10000},
	    {"without memory, 10", EXPONENTIAL, 10, 600000, 30000},
	    {"without memory, 300", EXPONENTIAL, 300, 300000, 60000},
	    {"long tails, one", LOGNORMAL, 1, 30000, 5000},
	    {"long tails, 20", LOGNORMAL, 20, 100000, 60000},
	    {"long tails, 20 old ones", LOGNORMAL, 20, 1000000, 300000},
	    {"two humps, 100 of a second", TWO_HUMPS, 100, 1000, 260000},
	    {"two humps, 10 of half an hour", TWO_HUMPS, 10, 1800000, 260000},
	};
	static double durations[ENDED];

	(void)state;
	for (size_t r = 0; r < COUNT(rows); r++) {
		uint64_t ends[BINS] = {0}, ages[BINS] = {0};
		double age[300], median, p90;
		struct eta eta;

		seed = r + 1;
		for (size_t i = 0; i < ENDED; i++) {
			durations[i] = draw_duration(rows[r].shape);
			ends[rainbow_signal_bin((uint32_t)durations[i])]++;
		}
		qsort(durations, ENDED, sizeof(durations[0]), compare);
		for (size_t i = 0; i < rows[r].live; i++) {
			age[i] = rows[r].oldest * (double)(i + 1) / (double)rows[r].live;
			eta_add_age(ages, (int64_t)age[i]);
		}
		simulate(durations, age, rows[r].live, &median, &p90);
		eta = eta_of(ends, ages, -1);
		row_assert(eta.basis == ETA_BY_DURATIONS, rows[r].name, "basis %d", eta.basis);
		row_assert(is_near(eta.median_ms, median, rows[r].bin_ms), rows[r].name, "median %lld, by brute force %.0f",
			   (long long)eta.median_ms, median);
		row_assert(is_near(eta.p90_ms, p90, rows[r].bin_ms), rows[r].name, "90 %% %lld, by brute force %.0f",
			   (long long)eta.p90_ms, p90);
	}
}

/* Ends spread evenly within one bin, [64, 72): the figures can be reckoned by hand. */
static void test_by_hand(void **state)
{
	uint64_t ends[BINS] = {0}, ages[BINS] = {0};
	struct eta eta;

	(void)state;
	ends[rainbow_signal_bin(64)] = 1000;
	eta_add_age(ages, 0);
	eta = eta_of(ends, ages, -1);
	assert_int_equal(eta.median_ms, 68);
	assert_int_equal(eta.p90_ms, 72); /* 64 + 0.9 * 8 = 71.2, to the next millisecond */
	eta_add_age(ages, 0);
	assert_int_equal(eta_of(ends, ages, -1).median_ms, 70); /* 64 + 8 * sqrt(0.5) = 69.7 */
	/* An age of 68 (taken for the middle of its bin, 67.5): what is left is even over 4.5 ms. */
	memset(ages, 0, sizeof(ages));
	eta_add_age(ages, 68);
	assert_int_equal(eta_of(ends, ages, -1).median_ms, 3);
}

static void test_unknown(void **state)
{
	static const struct {
		const char *name;
		uint64_t ends;
		int64_t age, closes_ms;
		enum eta_basis basis;
		bool bounded; /* both figures are closes_ms */
	} rows[] = {
	    {"1 too few", 29, 0, -1, ETA_FEW_ENDS, false},
	    {"2 too few, but closed", 29, 0, 7000, ETA_FEW_ENDS, true},
	    {"3 none", 0, 0, -1, ETA_FEW_ENDS, false},
	    {"4 older than all", 30, 2000, -1, ETA_TOO_OLD, false},
	    {"5 older than all, but closed", 30, 2000, 0, ETA_TOO_OLD, true},
	    {"6 older than what can be said", 30, 1ll << 40, -1, ETA_TOO_OLD, false},
	    {"7 closed before", 30, 0, 10, ETA_BY_DURATIONS, true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t ends[BINS] = {0}, ages[BINS] = {0};
		int64_t want = rows[i].bounded ? rows[i].closes_ms : -1;
		struct eta eta;

		ends[rainbow_signal_bin(1000)] = rows[i].ends;
		eta_add_age(ages, 5);
		eta_add_age(ages, rows[i].age);
		eta = eta_of(ends, ages, rows[i].closes_ms);
		row_assert(eta.basis == rows[i].basis, rows[i].name, "basis %d", eta.basis);
		row_assert(eta.median_ms == want && eta.p90_ms == want, rows[i].name, "%lld, %lld", (long long)eta.median_ms,
			   (long long)eta.p90_ms);
	}
}

static void test_edges(void **state)
{
	uint64_t ends[BINS] = {0}, ages[BINS] = {0};
	struct eta eta = eta_of(ends, ages, -1);

	(void)state;
	assert_true(eta.basis == ETA_BY_DURATIONS && eta.median_ms == 0 && eta.p90_ms == 0); /* none lives */
	ends[0] = 30;
	eta_add_age(ages, -5);
	assert_int_equal(eta_of(ends, ages, -1).p90_ms, 1);
	ends[BINS - 1] = 30;
	eta_add_age(ages, UINT32_MAX);
	eta = eta_of(ends, ages, -1);
	assert_true(eta.basis == ETA_BY_DURATIONS && eta.median_ms > 0 && eta.p90_ms <= 1ll << 32);
	/* One that ends before the deadline and one after it. */
	memset(ends, 0, sizeof(ends));
	memset(ages, 0, sizeof(ages));
	ends[rainbow_signal_bin(1024)] = 100;
	eta_add_age(ages, 0);
	eta = eta_of(ends, ages, 1100);
	assert_true(eta.median_ms > 1024 && eta.median_ms < 1100 && eta.p90_ms == 1100);
}

/* Whole seconds by the bins of a sweep, to milliseconds. */
static void test_census(void **state)
{
	uint64_t ages[BINS] = {0}, wanted[BINS] = {0};
	uint32_t seconds[BINS] = {0};

	(void)state;
	seconds[rainbow_signal_bin(0)] = 7;
	seconds[rainbow_signal_bin(3)] = 2;
	seconds[rainbow_signal_bin(100)] = 1; /* of the bin from 96 to 103 */
	seconds[BINS - 1] = 1;                /* 136 years */
	eta_add_census(ages, seconds);
	wanted[rainbow_signal_bin(500)] = 7;
	wanted[rainbow_signal_bin(3500)] = 2;
	wanted[rainbow_signal_bin(100000)] = 1;
	wanted[BINS - 1] = 1;
	assert_memory_equal(ages, wanted, sizeof(ages));
}

static void test_advice(void **state)
{
	uint64_t ends[BINS] = {0};
	char text[256] = "";

	(void)state;
	ends[rainbow_signal_bin(3000)] = 29;
	assert_false(eta_advice(ends, "chat", text, sizeof(text)));
	ends[rainbow_signal_bin(3000)] = 80;
	ends[rainbow_signal_bin(5000)] = 15;
	ends[rainbow_signal_bin(900000)] = 5;
	assert_true(eta_advice(ends, "chat", text, sizeof(text)));
	assert_string_equal(
	    text, "sessions of chat last 3s at the median, 90 % of them at most 5s: --steps 100 (blue-green) will do");
	ends[rainbow_signal_bin(900000)] = 11; /* more than one in ten lasts */
	assert_false(eta_advice(ends, "chat", text, sizeof(text)));
	memset(ends, 0, sizeof(ends));
	ends[3] = 99;
	assert_true(eta_advice(ends, "chat", text, sizeof(text)));
	assert_non_null(strstr(text, "last 3ms"));
}

static void test_quantiles(void **state)
{
	uint64_t ends[BINS] = {0};

	(void)state;
	assert_int_equal(eta_duration_ms(ends, 0.5), -1);
	for (uint32_t i = 0; i < 10; i++)
		ends[i] = 10;
	assert_int_equal(eta_duration_ms(ends, 0.5), 4);
	assert_int_equal(eta_duration_ms(ends, 0.51), 5);
	assert_int_equal(eta_duration_ms(ends, 0), 0);
	assert_int_equal(eta_duration_ms(ends, 1), 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_against_simulation),
	    cmocka_unit_test(test_by_hand),
	    cmocka_unit_test(test_unknown),
	    cmocka_unit_test(test_edges),
	    cmocka_unit_test(test_census),
	    cmocka_unit_test(test_advice),
	    cmocka_unit_test(test_quantiles),
	};

	return cmocka_run_group_tests_name("eta", tests, NULL, NULL);
}
