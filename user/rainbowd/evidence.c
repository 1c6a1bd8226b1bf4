// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See evidence.h. */
#include <string.h>
#include "evidence.h"

/* Microseconds, the same for all. */
static const double *middles(void)
{
	static double values[RAINBOW_SIGNAL_BINS];
	uint32_t bin;

	if (values[1] == 0)
		for (bin = 0; bin < RAINBOW_SIGNAL_BINS; bin++)
			values[bin] = rainbow_signal_middle(bin);
	return values;
}

/*
 * Turns of a session are alike, and some sessions have many: they count as (sum of m)^2 / (sum of m^2) sessions, which is never more
 * than there are (Kish, Survey Sampling, 1965). That takes the turns of one session to be all the same, which errs to the safe side.
 */
double evidence_turned(const struct rainbow_signal *signal)
{
	double turns = (double)signal->turns, effective;

	if (!signal->turns_squared)
		return 0;
	effective = turns * turns / (double)signal->turns_squared;
	return effective < (double)signal->turned ? effective : (double)signal->turned;
}

static void distribution(struct gate_arm *arm, struct evidence_arm *from, const __u64 *counts, double sessions)
{
	size_t bin;

	for (bin = 0; bin < RAINBOW_SIGNAL_BINS; bin++)
		from->bins[bin] = (double)counts[bin];
	arm->bins = from->bins;
	arm->values = middles();
	arm->bin_count = RAINBOW_SIGNAL_BINS;
	arm->sessions = sessions;
}

static void connect_failures(struct gate_arm *arm, const struct evidence_arm *from)
{
	const struct rainbow_signal *signal = &from->signal;
	uint64_t told = signal->answered + signal->refused;
	uint64_t asked = from->asked_before > told ? from->asked_before : told;

	arm->sessions = (double)asked;
	arm->events = (double)(asked - signal->answered);
}

static void http_errors(struct gate_arm *arm, const struct evidence_arm *from)
{
	const struct rainbow_signal *s = &from->signal;
	double responses = (double)(s->http_1xx + s->http_2xx + s->http_3xx + s->http_4xx + s->http_5xx + s->http_other);

	arm->sessions = evidence_turned(s);
	arm->events = responses > 0 ? arm->sessions * (double)s->http_5xx / responses : 0;
}

static void measure(enum gate_signal signal, struct gate_arm *arm, struct evidence_arm *from)
{
	const struct rainbow_signal *s = &from->signal;

	switch (signal) {
	case GATE_SIGNAL_TURN_LATENCY:
		distribution(arm, from, s->turn_us, evidence_turned(s));
		break;
	case GATE_SIGNAL_HANDSHAKE_LATENCY:
		distribution(arm, from, s->handshake_us, (double)s->answered);
		break;
	case GATE_SIGNAL_CONNECT_FAILURES:
		connect_failures(arm, from);
		break;
	case GATE_SIGNAL_RESETS:
		arm->sessions = (double)s->opened;
		arm->events = (double)(s->reset_server_early + s->reset_server_turn + s->reset_server_idle);
		break;
	case GATE_SIGNAL_RESETS_CLIENT:
		arm->sessions = (double)s->opened;
		arm->events = (double)(s->reset_client_early + s->reset_client_turn + s->reset_client_idle);
		break;
	case GATE_SIGNAL_HTTP_ERRORS:
		http_errors(arm, from);
		break;
	case GATE_SIGNAL_NONE:
		break;
	}
}

void evidence_share(const struct evidence_arm *candidate, const struct evidence_arm *baseline, bool client_affinity,
		    struct gate_evidence *out)
{
	uint32_t weights = candidate->weight + baseline->weight;

	out->share_ordered = weights ? (double)candidate->weight / weights : 0;
	out->chosen_candidate = client_affinity ? candidate->signal.opened : candidate->signal.asked;
	out->chosen_baseline = client_affinity ? baseline->signal.opened : baseline->signal.asked;
}

void evidence_of_kernel(const struct gate *gate, struct evidence_arm *candidate, struct evidence_arm *baseline,
			bool client_affinity, struct gate_evidence *out)
{
	memset(out, 0, sizeof(*out));
	out->source = GATE_PASS;
	measure(gate->signal, &out->candidate, candidate);
	measure(gate->signal, &out->baseline, baseline);
	evidence_share(candidate, baseline, client_affinity, out);
}
