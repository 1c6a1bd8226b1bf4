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

static void test_interim(void **state)
{
	static const struct {
		const char *line;
		int is_interim;
	} rows[] = {{"HTTP/1.1 100", 1}, {"HTTP/1.1 101", 0}, {"HTTP/1.1 103", 1}, {"HTTP/1.1 111", 1},
		    {"HTTP/1.1 200", 0}, {"HTTP/1.1 500", 0}, {"HTTP/2 100 x", 0}};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rainbow_http_is_interim((const __u8 *)rows[i].line) != rows[i].is_interim)
			fail_msg("%s", rows[i].line);
}

static void test_tls(void **state)
{
	static const struct {
		const char line[RAINBOW_LINE + 1];
		uint32_t length;
		enum rainbow_tls is;
	} rows[] = {
	    {"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03\xaa", 1400, RAINBOW_TLS_HELLO}, /* ServerHello, HelloRetryRequest */
	    {"\x16\x03\x01\x00\x7a\x02", 6, RAINBOW_TLS_HELLO},                            /* of TLS 1.0 */
	    {"\x16\x03\x03\x00\x7a", 5, RAINBOW_TLS_HELLO},                                /* its body comes by itself */
	    {"\x16\x03\x03\x00\xca\x04\x00", 300, RAINBOW_TLS_HANDSHAKE},                  /* TLS 1.2: a ticket ... */
	    {"\x14\x03\x03\x00\x01\x01\x16\x03\x03", 51, RAINBOW_TLS_HANDSHAKE},           /* ... the end of its handshake */
	    {"\x15\x03\x03\x00\x1a\x00\x00\x00\x00\x00\x00\x00", 31, RAINBOW_TLS_ALERT},
	    {"\x17\x03\x03\x00\x13\x99", 24, RAINBOW_TLS_ALERT}, /* TLS 1.3: like application data of two bytes */
	    {"\x17\x03\x03\x00\x13\x99", 48, RAINBOW_TLS_NOT},
	    {"\x17\x03\x03\x00\x14\x99", 24, RAINBOW_TLS_NOT},
	    {"\x17\x03\x03\x01\x13\x99", 24, RAINBOW_TLS_NOT},
	    {"\x17\x03\x03\x04\x00\x99", 1029, RAINBOW_TLS_NOT},
	    {"\x16\x04\x03\x00\x7a\x02", 1400, RAINBOW_TLS_NOT},
	    {"\x16\x03\x05\x00\x7a\x02", 1400, RAINBOW_TLS_NOT},
	    {"HTTP/1.1 200", 1400, RAINBOW_TLS_NOT},
	    {"\x00\x03\x00\x00\x00\x02", 6, RAINBOW_TLS_NOT},
	    {"", 1, RAINBOW_TLS_NOT},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rainbow_tls((const __u8 *)rows[i].line, rows[i].length) != rows[i].is)
			fail_msg("row %zu is not %d", i, (int)rows[i].is);
}

/* From one turn to the next. */
static void test_tls_skips(void **state)
{
	static const struct {
		enum rainbow_tls tls;
		uint32_t skips, then;
	} rows[] = {{RAINBOW_TLS_NOT, 0, 0},       {RAINBOW_TLS_NOT, 1, 0},       {RAINBOW_TLS_NOT, 2, 1},
		    {RAINBOW_TLS_NOT, 3, 2},       {RAINBOW_TLS_ALERT, 0, 0},     {RAINBOW_TLS_ALERT, 2, 1},
		    {RAINBOW_TLS_HELLO, 0, 2},     {RAINBOW_TLS_HELLO, 1, 2},     {RAINBOW_TLS_HELLO, 3, 2},
		    {RAINBOW_TLS_HANDSHAKE, 0, 1}, {RAINBOW_TLS_HANDSHAKE, 1, 1}, {RAINBOW_TLS_HANDSHAKE, 2, 1},
		    {RAINBOW_TLS_HANDSHAKE, 3, 2}};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(rainbow_tls_skips(rows[i].tls, rows[i].skips), rows[i].then);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bins),      cmocka_unit_test(test_bins_rise), cmocka_unit_test(test_log2),
	    cmocka_unit_test(test_records),   cmocka_unit_test(test_slots),     cmocka_unit_test(test_when),
	    cmocka_unit_test(test_http),      cmocka_unit_test(test_interim),   cmocka_unit_test(test_tls),
	    cmocka_unit_test(test_tls_skips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
