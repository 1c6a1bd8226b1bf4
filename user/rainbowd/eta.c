// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * See eta.h. With S(x) the part of sessions that last longer than x: one of age a has ended within t with the probability
 * 1 - S(a + t) / S(a), and all have with the product of these. It rises with t, so that the time is found by halving. Within a bin,
 * durations are taken to lie evenly.
 */
#include <math.h>
#include <stdio.h>
#include "common/duration.h"
#include "eta.h"

#define VALUE_END      4294967296.0 /* beyond the last bin */
#define ADVICE_PART    0.9
#define ADVICE_AT_MOST 10000 /* ms: who is drained within ten seconds needs no second version beside it */

/* longer[b]: how many sessions lasted at least until bin b begins; [RAINBOW_SIGNAL_BINS]: none. */
struct survival {
	double longer[RAINBOW_SIGNAL_BINS + 1];
};

static double bin_begin(uint32_t bin)
{
	return bin < RAINBOW_SIGNAL_BINS ? (double)rainbow_signal_low(bin) : VALUE_END;
}

static void survival_init(struct survival *survival, const uint64_t durations[RAINBOW_SIGNAL_BINS])
{
	uint32_t bin;

	survival->longer[RAINBOW_SIGNAL_BINS] = 0;
	for (bin = RAINBOW_SIGNAL_BINS; bin > 0; bin--)
		survival->longer[bin - 1] = survival->longer[bin] + (double)durations[bin - 1];
}

/* How many lasted longer than `ms`. */
static double survival_at(const struct survival *survival, double ms)
{
	uint32_t bin;
	double part;

	if (ms >= VALUE_END)
		return 0;
	bin = rainbow_signal_bin((uint32_t)ms);
	part = (ms - bin_begin(bin)) / (bin_begin(bin + 1) - bin_begin(bin));
	return survival->longer[bin] + (survival->longer[bin + 1] - survival->longer[bin]) * part;
}

static double all_ended_within(const struct survival *survival, const uint64_t ages[RAINBOW_SIGNAL_BINS], double ms)
{
	double all = 1;
	uint32_t bin;

	for (bin = 0; bin < RAINBOW_SIGNAL_BINS; bin++) {
		double age = rainbow_signal_middle(bin);

		if (ages[bin])
			all *= pow(1 - survival_at(survival, age + ms) / survival_at(survival, age), (double)ages[bin]);
	}
	return all;
}

/* The first millisecond by which all have ended with such odds. All have within VALUE_END. */
static int64_t time_until(const struct survival *survival, const uint64_t ages[RAINBOW_SIGNAL_BINS], double odds)
{
	int64_t low = 0, high = (int64_t)VALUE_END;

	while (low < high) {
		int64_t middle = low + (high - low) / 2;

		if (all_ended_within(survival, ages, (double)middle) >= odds)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* The age bin of the oldest that lives, plus one; 0: none lives. */
static uint32_t ages_end(const uint64_t ages[RAINBOW_SIGNAL_BINS])
{
	uint32_t bin = RAINBOW_SIGNAL_BINS;

	while (bin && !ages[bin - 1])
		bin--;
	return bin;
}

static enum eta_basis basis_of(const struct survival *survival, uint32_t oldest)
{
	if (survival->longer[0] < ETA_ENDS_MIN)
		return ETA_FEW_ENDS;
	return survival_at(survival, rainbow_signal_middle(oldest)) > 0 ? ETA_BY_DURATIONS : ETA_TOO_OLD;
}

static int64_t no_later(int64_t ms, int64_t closes_ms)
{
	return closes_ms >= 0 && (ms < 0 || ms > closes_ms) ? closes_ms : ms;
}

static void add_ages(uint64_t ages[RAINBOW_SIGNAL_BINS], int64_t age_ms, uint64_t count)
{
	ages[rainbow_signal_bin(age_ms < 0 ? 0 : age_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)age_ms)] += count;
}

void eta_add_age(uint64_t ages[RAINBOW_SIGNAL_BINS], int64_t age_ms)
{
	add_ages(ages, age_ms, 1);
}

/* Who is 3 whole seconds old has lived for 3.5 s on average. */
void eta_add_census(uint64_t ages[RAINBOW_SIGNAL_BINS], const uint32_t seconds[RAINBOW_SIGNAL_BINS])
{
	uint32_t bin;

	for (bin = 0; bin < RAINBOW_SIGNAL_BINS; bin++)
		if (seconds[bin])
			add_ages(ages, (int64_t)(rainbow_signal_middle(bin) * 1000) + 500, seconds[bin]);
}

const char *eta_basis_name(enum eta_basis basis)
{
	static const char *const names[] = {"durations", "few_ends", "too_old", "uncounted", "closing"};

	return basis < sizeof(names) / sizeof(names[0]) ? names[basis] : "unknown";
}

struct eta eta_of(const uint64_t durations[RAINBOW_SIGNAL_BINS], const uint64_t ages[RAINBOW_SIGNAL_BINS], int64_t closes_ms)
{
	struct eta eta = {.median_ms = -1, .p90_ms = -1};
	struct survival survival;
	uint32_t end = ages_end(ages);

	if (!end)
		return (struct eta){.basis = ETA_BY_DURATIONS};
	survival_init(&survival, durations);
	eta.basis = basis_of(&survival, end - 1);
	if (eta.basis == ETA_BY_DURATIONS) {
		eta.median_ms = time_until(&survival, ages, 0.5);
		eta.p90_ms = time_until(&survival, ages, 0.9);
	}
	eta.median_ms = no_later(eta.median_ms, closes_ms);
	eta.p90_ms = no_later(eta.p90_ms, closes_ms);
	return eta;
}

int64_t eta_duration_ms(const uint64_t durations[RAINBOW_SIGNAL_BINS], double part)
{
	struct survival survival;
	uint32_t bin = 0;

	survival_init(&survival, durations);
	if (survival.longer[0] < ETA_ENDS_MIN)
		return -1;
	while (bin < RAINBOW_SIGNAL_BINS - 1 && survival.longer[bin + 1] > survival.longer[0] * (1 - part))
		bin++;
	return (int64_t)rainbow_signal_middle(bin);
}

/* Seconds are whole in a sentence. */
static const char *say_duration(int64_t ms, char buf[DURATION_TEXT_SIZE])
{
	return duration_format((struct duration){ms < 1000 ? ms : (ms + 500) / 1000 * 1000}, buf);
}

bool eta_advice(const uint64_t durations[RAINBOW_SIGNAL_BINS], const char *service, char *text, size_t size)
{
	int64_t most = eta_duration_ms(durations, ADVICE_PART);
	char median[DURATION_TEXT_SIZE], nine_tenths[DURATION_TEXT_SIZE];

	if (most < 0 || most > ADVICE_AT_MOST)
		return false;
	snprintf(text, size, "sessions of %s last %s at the median, 90 %% of them at most %s: --steps 100 (blue-green) will do",
		 service, say_duration(eta_duration_ms(durations, 0.5), median), say_duration(most, nine_tenths));
	return true;
}
