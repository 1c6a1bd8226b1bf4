// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* From what the kernel measured to the evidence of a gate: what is counted of what, and in which unit. */
#include <math.h>
#include <string.h>
#include "tests/unit/table_test.h"
#include "rainbowd/evidence.h"

static struct evidence_arm candidate, baseline;
static struct gate_evidence got;
static struct evidence_of of;

static int clear(void **state)
{
	(void)state;
	memset(&candidate, 0, sizeof(candidate));
	memset(&baseline, 0, sizeof(baseline));
	memset(&of, 0, sizeof(of));
	return 0;
}

static void gather(enum gate_signal signal)
{
	struct gate gate = {.source = GATE_SOURCE_KERNEL, .signal = signal};

	evidence_of_kernel(&gate, &candidate, &baseline, &of, &got);
}

static void assert_arm(double events, double sessions)
{
	assert_int_equal(got.source, GATE_PASS);
	assert_true(fabs(got.candidate.events - events) < 1e-9);
	assert_true(fabs(got.candidate.sessions - sessions) < 1e-9);
}

/* Of all that began, not of those that ended: else a version looks better while its long sessions still run. */
static void test_resets_are_of_all_that_began(void **state)
{
	(void)state;
	candidate.signal.opened = 100;
	candidate.signal.ended = 10;
	candidate.signal.reset_server_early = 1;
	candidate.signal.reset_server_turn = 2;
	candidate.signal.reset_server_idle = 3;
	candidate.signal.reset_client_turn = 50;
	gather(GATE_SIGNAL_RESETS);
	assert_arm(6, 100);
	gather(GATE_SIGNAL_RESETS_CLIENT);
	assert_arm(50, 100);
}

static void test_connect_failures(void **state)
{
	(void)state;
	candidate.signal.asked = 110;
	candidate.signal.answered = 90;
	candidate.signal.refused = 4;
	candidate.unanswered = 6; /* the other ten are young */
	gather(GATE_SIGNAL_CONNECT_FAILURES);
	assert_arm(10, 100);
	assert_int_equal(evidence_pending(&candidate.signal), 16);
	candidate.signal.answered = 200; /* counters are read one after the other */
	assert_int_equal(evidence_pending(&candidate.signal), 0);
}

/* Turns are not sessions. */
static void test_turns(void **state)
{
	(void)state;
	candidate.signal.turn_us[100] = 1000;
	candidate.signal.turned = 10;
	candidate.signal.turns = 1000;
	candidate.signal.turns_squared = 10 * 100 * 100;
	gather(GATE_SIGNAL_TURN_LATENCY);
	assert_true(got.candidate.sessions <= 10 && got.candidate.sessions > 1);
	assert_true(got.candidate.bins[100] == 1000);
	assert_true(got.candidate.values[100] == rainbow_signal_middle(100));
	assert_int_equal(got.candidate.bin_count, RAINBOW_SIGNAL_BINS);
}

/* One client with thirty flows that are all reset is one session, not thirty. */
static void test_client_affinity(void **state)
{
	(void)state;
	of.client_affinity = true;
	candidate.signal.opened = 2;
	candidate.signal.answered = 40;
	candidate.signal.reset_server_turn = 30;
	gather(GATE_SIGNAL_RESETS);
	assert_arm(1.5, 2);
	candidate.signal.refused = 10;
	candidate.signal.asked = 50;
	candidate.signal.joined = 40;
	gather(GATE_SIGNAL_CONNECT_FAILURES);
	assert_arm(10 * 0.2, 10);
	/* Nobody gets through, so nobody opens a session: that must show. */
	memset(&candidate.signal, 0, sizeof(candidate.signal));
	candidate.signal.asked = candidate.signal.refused = 100;
	gather(GATE_SIGNAL_CONNECT_FAILURES);
	assert_arm(100, 100);
}

static void test_http(void **state)
{
	(void)state;
	candidate.signal.turned = candidate.signal.turns = candidate.signal.turns_squared = 100;
	candidate.signal.http_other = 100; /* TLS, say */
	gather(GATE_SIGNAL_HTTP_ERRORS);
	assert_arm(0, 0);
	candidate.signal.http_other = 0;
	candidate.signal.http_2xx = 90;
	candidate.signal.http_5xx = 10;
	gather(GATE_SIGNAL_HTTP_ERRORS);
	assert_arm(10, 100);
	candidate.signal.http_2xx = 0;
	candidate.signal.http_1xx = 90; /* WebSockets */
	gather(GATE_SIGNAL_HTTP_ERRORS);
	assert_arm(10, 100);
}

/* A flow that joins its client's session is no choice. */
static void test_share(void **state)
{
	(void)state;
	candidate.weight = 250;
	baseline.weight = 750;
	candidate.signal.asked = 100;
	candidate.signal.joined = 70;
	baseline.signal.asked = 90;
	gather(GATE_SIGNAL_RESETS);
	assert_true(fabs(got.share_ordered - 0.25) < 1e-9);
	assert_int_equal(got.chosen_candidate, 30);
	assert_int_equal(got.chosen_baseline, 90);
}

static void test_udp(void **state)
{
	(void)state;
	of.udp = true;
	candidate.signal.opened = baseline.signal.opened = 1000;
	gather(GATE_SIGNAL_RESETS);
	assert_int_equal(got.source, GATE_INCONCLUSIVE);
	assert_non_null(strstr(got.reason, "UDP"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_resets_are_of_all_that_began, clear),
	    cmocka_unit_test_setup(test_connect_failures, clear),
	    cmocka_unit_test_setup(test_turns, clear),
	    cmocka_unit_test_setup(test_client_affinity, clear),
	    cmocka_unit_test_setup(test_http, clear),
	    cmocka_unit_test_setup(test_share, clear),
	    cmocka_unit_test_setup(test_udp, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
