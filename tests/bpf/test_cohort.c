// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* rainbowd's side of what is measured, against the running kernel: records made, summed, taken away; cohorts that follow each other. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "rainbowd/datapath.h"
#include "rainbowd/signals.h"
#include "ground.h"
#include "opened.h"

#define ROOM    64
#define SERVICE 3

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static void must(int rc, const struct error *err)
{
	if (rc)
		fail_msg("%s", err->message);
}

/* As the programs do, on each CPU: word `word` of the record becomes (cpu + 1) * value. */
static void count_on_each_cpu(uint32_t version, uint32_t slot, size_t word, uint64_t value)
{
	size_t words = sizeof(struct rainbow_signal) / sizeof(__u64);
	uint32_t record = rainbow_record(version, slot), id, first = 0;
	int outer = ground_open("rainbow_signal"), inner, cpu, cpus = libbpf_num_possible_cpus();
	__u64 *values = calloc((size_t)cpus, sizeof(struct rainbow_signal));

	assert_int_equal(bpf_map_lookup_elem(outer, &record, &id), 0);
	inner = bpf_map_get_fd_by_id(id);
	assert_int_equal(bpf_map_lookup_elem(inner, &first, values), 0);
	for (cpu = 0; cpu < cpus; cpu++)
		values[(size_t)cpu * words + word] = ((uint64_t)cpu + 1) * value;
	assert_int_equal(bpf_map_update_elem(inner, &first, values, 0), 0);
	free(values);
	close(inner);
	close(outer);
}

static uint64_t on_all_cpus(uint64_t value)
{
	uint64_t cpus = (uint64_t)libbpf_num_possible_cpus();

	return cpus * (cpus + 1) / 2 * value;
}

#define WORD(field) (offsetof(struct rainbow_signal, field) / sizeof(__u64))

static void test_records(void **state)
{
	struct datapath *dp = opened_make(ROOM);
	struct rainbow_signal got;
	struct rainbow_traffic traffic;
	struct error err = {};

	(void)state;
	assert_int_equal(signals_read(dp, SERVICE, 7, SIGNAL_EVER, &got, &err), -ERROR_NOT_FOUND);
	must(signals_add(dp, 7, &err), &err);
	must(signals_add(dp, RAINBOW_MAX_VERSIONS, &err), &err);
	count_on_each_cpu(7, RAINBOW_SLOT_EVER, WORD(turn_us) + RAINBOW_SIGNAL_BINS - 1, 5);
	count_on_each_cpu(7, RAINBOW_SLOT_EVER, WORD(http_other), 2);
	must(signals_add(dp, 7, &err), &err); /* no harm */
	must(signals_read(dp, SERVICE, 7, SIGNAL_EVER, &got, &err), &err);
	assert_int_equal(got.turn_us[RAINBOW_SIGNAL_BINS - 1], on_all_cpus(5));
	assert_int_equal(got.http_other, on_all_cpus(2));
	assert_int_equal(got.asked, 0);
	must(signals_read(dp, SERVICE, RAINBOW_MAX_VERSIONS, SIGNAL_EVER, &got, &err), &err);
	assert_int_equal(got.http_other, 0);
	must(signals_traffic(dp, 7, &traffic, &err), &err);
	assert_int_equal(traffic.request_bytes, 0);
	assert_int_equal(signals_read(dp, SERVICE, 7, SIGNAL_COHORT, &got, &err), -ERROR_NOT_FOUND);

	/* They outlive a rainbowd. */
	opened_close();
	dp = opened_make(0);
	must(signals_read(dp, SERVICE, 7, SIGNAL_EVER, &got, &err), &err);
	assert_int_equal(got.http_other, on_all_cpus(2));
	signals_remove(dp, 7);
	signals_remove(dp, 8);
	assert_int_equal(signals_read(dp, SERVICE, 7, SIGNAL_EVER, &got, &err), -ERROR_NOT_FOUND);
	must(signals_read(dp, SERVICE, RAINBOW_MAX_VERSIONS, SIGNAL_EVER, &got, &err), &err);
	opened_close();
}

/* Many at once: there is memory for each, at once. */
static void test_many_records(void **state)
{
	struct datapath *dp = opened_make(ROOM);
	struct error err = {};
	uint32_t id;

	(void)state;
	for (id = 1; id <= RAINBOW_MAX_VERSIONS_PER_SERVICE; id++)
		must(signals_add(dp, id, &err), &err);
	for (id = 1; id <= RAINBOW_MAX_VERSIONS_PER_SERVICE; id++)
		signals_remove(dp, id);
	opened_close();
}

static struct rainbow_cohort begin(struct datapath *dp, const uint32_t *versions, size_t count)
{
	uint64_t before = now_ns();
	struct rainbow_cohort cohort;
	struct error err = {};

	must(signals_begin_cohort(dp, SERVICE, versions, count, &err), &err);
	cohort = datapath_service(dp, SERVICE)->cohort;
	/* In force before the first second that belongs to it, which begins soon. */
	assert_true(now_ns() / 1000000000 <= cohort.began);
	assert_true(cohort.began <= before / 1000000000 + 3);
	return cohort;
}

static void test_cohorts(void **state)
{
	struct datapath *dp = opened_make(ROOM);
	const uint32_t both[] = {1, 2}, one[] = {1};
	struct rainbow_cohort first, second, third;
	struct rainbow_signal got;
	struct error err = {};

	(void)state;
	datapath_version(dp, 1)->service = datapath_version(dp, 2)->service = SERVICE;
	datapath_version(dp, 9)->service = SERVICE + 1;
	first = begin(dp, both, 2);
	count_on_each_cpu(1, rainbow_cohort_slot(first.number), WORD(opened), 3);
	must(signals_read(dp, SERVICE, 1, SIGNAL_COHORT, &got, &err), &err);
	assert_int_equal(got.opened, on_all_cpus(3));
	must(signals_read(dp, SERVICE, 2, SIGNAL_COHORT, &got, &err), &err);
	assert_int_equal(got.opened, 0);

	/* Empty, in the other slot. */
	second = begin(dp, both, 2);
	assert_int_equal(second.number, first.number + 1);
	must(signals_read(dp, SERVICE, 1, SIGNAL_COHORT, &got, &err), &err);
	assert_int_equal(got.opened, 0);
	must(datapath_signal_read(dp, rainbow_record(1, rainbow_cohort_slot(first.number)), &got), &err);
	assert_int_equal(got.opened, on_all_cpus(3));

	/* In the first slot again, which is empty again; a version that is not of this cohort has no record in it. */
	third = begin(dp, one, 1);
	assert_int_equal(rainbow_cohort_slot(third.number), rainbow_cohort_slot(first.number));
	must(signals_read(dp, SERVICE, 1, SIGNAL_COHORT, &got, &err), &err);
	assert_int_equal(got.opened, 0);
	assert_int_equal(signals_read(dp, SERVICE, 2, SIGNAL_COHORT, &got, &err), -ERROR_NOT_FOUND);
	assert_int_equal(datapath_service(dp, SERVICE + 1)->cohort.number, 0);
	opened_close();
}

/* The number that means "none" is left out, and the slots still take turns. */
static void test_numbers_wrap(void **state)
{
	struct datapath *dp = opened_make(ROOM);
	struct rainbow_cohort cohort;

	(void)state;
	datapath_service(dp, SERVICE)->cohort.number = UINT32_MAX;
	cohort = begin(dp, NULL, 0);
	assert_int_not_equal(cohort.number, 0);
	assert_int_not_equal(rainbow_cohort_slot(cohort.number), rainbow_cohort_slot(UINT32_MAX));
	opened_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_records, opened_remove),
	    cmocka_unit_test_teardown(test_many_records, opened_remove),
	    cmocka_unit_test_teardown(test_cohorts, opened_remove),
	    cmocka_unit_test_teardown(test_numbers_wrap, opened_remove),
	};

	ground_make("test_cohort");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
