// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See evidence.h. */
#include <stdio.h>
#include <string.h>
#include "evidence.h"
#include "stats.h"

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

uint64_t evidence_pending(const struct rainbow_signal *signal)
{
	uint64_t told = signal->answered + signal->refused;

	return signal->asked > told ? signal->asked - told : 0;
}

/* How many sessions the turns (and responses) of this cohort are worth. */
static double turned(const struct rainbow_signal *signal, const struct evidence_of *of)
{
	uint64_t sessions = of->client_affinity && signal->opened < signal->turned ? signal->opened : signal->turned;

	return stats_effective_size((double)sessions, (double)signal->turns, (double)signal->turns_squared);
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

/*
 * By choices, not by what came of them: a version that refuses connections opens fewer sessions. Those that a steer sent are among
 * them: where they are so many that it shows, the two versions do not serve the same people, and can not be compared.
 */
static uint64_t chosen(const struct rainbow_signal *signal)
{
	return signal->asked > signal->joined ? signal->asked - signal->joined : 0;
}

/*
 * So many of so many. Of flows, where a session is all flows of a client: then the part is of the flows, and counts for no more
 * sessions than there are, as if all flows of a client fared alike.
 */
static void ratio(struct gate_arm *arm, uint64_t events, uint64_t flows, const struct evidence_arm *from,
		  const struct evidence_of *of)
{
	double sessions = (double)flows;

	if (of->client_affinity && from->signal.opened < flows)
		sessions = (double)from->signal.opened;
	arm->sessions = sessions;
	arm->events = flows ? sessions * (double)(events < flows ? events : flows) / (double)flows : 0;
}

static void connect_failures(struct gate_arm *arm, const struct evidence_arm *from, const struct evidence_of *of)
{
	const struct rainbow_signal *s = &from->signal;
	uint64_t failed = s->refused + from->unanswered;

	ratio(arm, failed, s->answered + failed, from, of);
	/* Whoever got no connection opened no session: here the choices count. */
	if (of->client_affinity && arm->sessions < (double)chosen(s) && s->answered + failed) {
		arm->sessions = (double)(chosen(s) < s->answered + failed ? chosen(s) : s->answered + failed);
		arm->events = arm->sessions * (double)failed / (double)(s->answered + failed);
	}
}

static void resets(struct gate_arm *arm, uint64_t events, const struct evidence_arm *from, const struct evidence_of *of)
{
	ratio(arm, events, of->client_affinity ? from->signal.answered : from->signal.opened, from, of);
}

/*
 * Where no response was ever seen, the service does not speak plaintext HTTP/1, and nothing is known. Of class 1xx only 101 is counted,
 * which is a response like others: a WebSocket that opens.
 */
static void http_errors(struct gate_arm *arm, const struct evidence_arm *from, const struct evidence_of *of)
{
	const struct rainbow_signal *s = &from->signal;
	double responses = (double)(s->http_1xx + s->http_2xx + s->http_3xx + s->http_4xx + s->http_5xx);

	arm->sessions = responses > 0 ? turned(s, of) : 0;
	arm->events = responses > 0 ? arm->sessions * (double)s->http_5xx / responses : 0;
}

static void measure(enum gate_signal signal, struct gate_arm *arm, struct evidence_arm *from, const struct evidence_of *of)
{
	const struct rainbow_signal *s = &from->signal;

	switch (signal) {
	case GATE_SIGNAL_TURN_LATENCY:
		distribution(arm, from, s->turn_us, turned(s, of));
		break;
	case GATE_SIGNAL_HANDSHAKE_LATENCY:
		distribution(arm, from, s->handshake_us,
			     (double)(of->client_affinity && s->opened < s->answered ? s->opened : s->answered));
		break;
	case GATE_SIGNAL_CONNECT_FAILURES:
		connect_failures(arm, from, of);
		break;
	case GATE_SIGNAL_RESETS:
		resets(arm, s->reset_server_early + s->reset_server_turn + s->reset_server_idle, from, of);
		break;
	case GATE_SIGNAL_RESETS_CLIENT:
		resets(arm, s->reset_client_early + s->reset_client_turn + s->reset_client_idle, from, of);
		break;
	case GATE_SIGNAL_HTTP_ERRORS:
		http_errors(arm, from, of);
		break;
	case GATE_SIGNAL_NONE:
		break;
	}
}

void evidence_share(const struct evidence_arm *candidate, const struct evidence_arm *baseline, struct gate_evidence *out)
{
	uint32_t weights = candidate->weight + baseline->weight;

	out->share_ordered = weights ? (double)candidate->weight / weights : 0;
	out->chosen_candidate = chosen(&candidate->signal);
	out->chosen_baseline = chosen(&baseline->signal);
}

void evidence_of_kernel(const struct gate *gate, struct evidence_arm *candidate, struct evidence_arm *baseline,
			const struct evidence_of *of, struct gate_evidence *out)
{
	memset(out, 0, sizeof(*out));
	if (of->udp) {
		out->source = GATE_INCONCLUSIVE;
		snprintf(out->reason, sizeof(out->reason),
			 "the kernel measures neither turns nor handshakes nor resets of UDP");
		return;
	}
	out->source = GATE_PASS;
	measure(gate->signal, &out->candidate, candidate, of);
	measure(gate->signal, &out->baseline, baseline, of);
	evidence_share(candidate, baseline, out);
}
