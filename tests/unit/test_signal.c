// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* headers/rainbow/signal.h: bins, slots, and the small judgements that the kernel programs make by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <rainbow/signal.h>

/* The last value in a bin. */
static uint32_t high_of(uint32_t bin)
{
	return bin + 1 < RAINBOW_SIGNAL_BINS ? rainbow_signal_low(bin + 1) - 1 : UINT32_MAX;
}

static void near_enough(uint32_t value, uint32_t bin)
{
	double off = rainbow_signal_middle(bin) - (double)value;

	if ((off < 0 ? -off : off) > 0.0625 * (double)value)
		fail_msg("%u is in bin %u, whose middle is %f", value, bin, rainbow_signal_middle(bin));
}

/* Each value has one bin, bins follow each other without a gap from 0 to 2^32 - 1, and no value is further from its middle than said. */
static void test_bins(void **state)
{
	uint32_t bin, low, high;

	(void)state;
	for (bin = 0; bin < RAINBOW_SIGNAL_BINS; bin++) {
		low = rainbow_signal_low(bin);
		high = high_of(bin);
		assert_true(low <= high);
		assert_int_equal(rainbow_signal_bin(low), bin);
		assert_int_equal(rainbow_signal_bin(high), bin);
		assert_int_equal(rainbow_signal_bin(low + (high - low) / 2), bin);
		assert_true(rainbow_signal_middle(bin) >= low && rainbow_signal_middle(bin) <= high);
		near_enough(low, bin);
		near_enough(high, bin);
	}
	assert_int_equal(rainbow_signal_low(0), 0);
	assert_int_equal(rainbow_signal_bin(UINT32_MAX), RAINBOW_SIGNAL_BINS - 1);
}

static void test_bins_rise(void **state)
{
	uint32_t value, before = 0, bin;

	(void)state;
	for (value = 0; value < 1 << 20; value++, before = bin) {
		bin = rainbow_signal_bin(value);
		assert_true(bin == before || bin == before + 1);
		if (value < 16)
			assert_int_equal(bin, value);
	}
	for (; value < UINT32_MAX - 65521; value += 65521, before = bin) {
		bin = rainbow_signal_bin(value);
		assert_true(bin >= before && bin < RAINBOW_SIGNAL_BINS);
		near_enough(value, bin);
	}
}

static void test_log2(void **state)
{
	uint32_t log;

	(void)state;
	for (log = 0; log < 32; log++) {
		assert_int_equal(rainbow_log2(1u << log), log);
		assert_int_equal(rainbow_log2((2u << log) - 1), log);
	}
}

/* No two records share a place. */
static void test_records(void **state)
{
	static uint8_t taken[RAINBOW_RECORDS];
	uint32_t version, slot;

	(void)state;
	for (version = 1; version <= RAINBOW_MAX_VERSIONS; version++)
		for (slot = 0; slot < RAINBOW_SLOTS; slot++) {
			assert_true(rainbow_record(version, slot) < RAINBOW_RECORDS);
			assert_int_equal(taken[rainbow_record(version, slot)]++, 0);
		}
}

static void test_slots(void **state)
{
	struct rainbow_cohort cohort = {.began = 100, .number = 4};

	(void)state;
	assert_int_equal(rainbow_slot_of(cohort, 100), RAINBOW_SLOT_EVER);
	assert_int_equal(rainbow_slot_of(cohort, 101), RAINBOW_SLOT_EVEN);
	assert_int_equal(rainbow_slot_of(cohort, 0u - 50), RAINBOW_SLOT_EVER); /* before the boot */
	cohort.number = 5;
	assert_int_equal(rainbow_slot_of(cohort, 101), RAINBOW_SLOT_ODD);
	cohort.number = 0;
	assert_int_equal(rainbow_slot_of(cohort, 101), RAINBOW_SLOT_EVER);
}

static void test_when(void **state)
{
	const uint32_t hz = 250, five = 5 * 250;

	(void)state;
	assert_int_equal(rainbow_when(RAINBOW_PHASE_QUIET, 0, hz), RAINBOW_WHEN_EARLY);
	assert_int_equal(rainbow_when(RAINBOW_PHASE_QUIET, five, hz), RAINBOW_WHEN_EARLY);
	assert_int_equal(rainbow_when(RAINBOW_PHASE_SPOKE, five, hz), RAINBOW_WHEN_TURN);
	assert_int_equal(rainbow_when(RAINBOW_PHASE_WAITS, five, hz), RAINBOW_WHEN_TURN);
	assert_int_equal(rainbow_when(RAINBOW_PHASE_ANSWERED, five - 1, hz), RAINBOW_WHEN_TURN);
	assert_int_equal(rainbow_when(RAINBOW_PHASE_ANSWERED, five, hz), RAINBOW_WHEN_IDLE);
}

static void test_http(void **state)
{
	static const struct {
		const char *line;
		enum rainbow_http class;
	} rows[] = {
	    {"HTTP/1.1 100", RAINBOW_HTTP_1XX},   {"HTTP/1.1 200", RAINBOW_HTTP_2XX},   {"HTTP/1.0 301", RAINBOW_HTTP_3XX},
	    {"HTTP/1.1 429", RAINBOW_HTTP_4XX},   {"HTTP/1.1 599", RAINBOW_HTTP_5XX},   {"HTTP/1.1 600", RAINBOW_HTTP_OTHER},
	    {"HTTP/1.1 099", RAINBOW_HTTP_OTHER}, {"HTTP/1.1 2x0", RAINBOW_HTTP_OTHER}, {"HTTP/1.1 20x", RAINBOW_HTTP_OTHER},
	    {"HTTP/2.0 200", RAINBOW_HTTP_OTHER}, {"HTTP/1.x 200", RAINBOW_HTTP_OTHER}, {"HTTP/1.1  20", RAINBOW_HTTP_OTHER},
	    {"http/1.1 200", RAINBOW_HTTP_OTHER}, {"HTTP/1.1_200", RAINBOW_HTTP_OTHER}, {"GET / HTTP/1", RAINBOW_HTTP_OTHER},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rainbow_http((const __u8 *)rows[i].line) != rows[i].class)
			fail_msg("%s is not of class %d", rows[i].line, (int)rows[i].class);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bins),    cmocka_unit_test(test_bins_rise), cmocka_unit_test(test_log2),
	    cmocka_unit_test(test_records), cmocka_unit_test(test_slots),     cmocka_unit_test(test_when),
	    cmocka_unit_test(test_http),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
