// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See show_rollout.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include "census.h"
#include "eta.h"
#include "pilot.h"
#include "request.h"
#include "show_rollout.h"
#include "signals.h"

static json_t *json_figure(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

/* In which the figures of a gate are: latencies are microseconds inside, seconds outside. */
static const char *unit_of(const struct gate *gate)
{
	if (gate->signal == GATE_SIGNAL_TURN_LATENCY || gate->signal == GATE_SIGNAL_HANDSHAKE_LATENCY)
		return "seconds";
	return gate->kind == GATE_KIND_RATIO ? "ratio" : gate->kind == GATE_KIND_ANSWER ? "none" : "number";
}

static double outside(const struct gate *gate, double figure)
{
	return gate->signal == GATE_SIGNAL_TURN_LATENCY || gate->signal == GATE_SIGNAL_HANDSHAKE_LATENCY ? figure / 1e6
													 : figure;
}

static json_t *show_finding(const struct gate *gate, const struct gate_finding *f)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o}, s:o, s:I}", "name",
			 gate->name, "source", gate_source_words[gate->source], "verdict", gate_verdict_name(f->verdict),
			 "reason", f->reason, "shadow", (int)gate->shadow, "unit", unit_of(gate), "candidate",
			 json_figure(outside(gate, f->candidate)), "baseline", json_figure(outside(gate, f->baseline)),
			 "difference", json_figure(f->difference), "low", json_figure(f->low), "high", json_figure(f->high),
			 "effect", json_figure(f->effect), "p", json_figure(f->p), "sessions", "candidate",
			 json_figure(f->sessions_candidate), "baseline", json_figure(f->sessions_baseline), "next_look",
			 json_figure(f->next_look), "min_samples", (json_int_t)gate->min_samples);
}

static json_t *show_gates(struct daemon *daemon, const struct service *service)
{
	struct gate *defaults = calloc(SETTINGS_GATES_MAX, sizeof(*defaults));
	json_t *list = json_array();
	const struct gate *gates;
	size_t i, count;

	if (!defaults || service->rollout.without_gates)
		goto out;
	gates = settings_gates(&service->settings, defaults, &count);
	for (i = 0; i < count; i++) {
		struct gate_finding finding;

		/* After a start of rainbowd there is what was stored. */
		if (!pilot_finding(daemon->pilot, service, i, &finding))
			gate_recall(&service->rollout.memory[i], &finding);
		json_array_append_new(list, show_finding(&gates[i], &finding));
	}
out:
	free(defaults);
	return list;
}

static json_t *show_steps(const struct rollout_plan *plan)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < plan->stage_count; i++)
		json_array_append_new(list, json_pack("{s:o, s:f}", "weight", json_percent(plan->stages[i].weight),
						      "hold_seconds", (double)plan->stages[i].hold.ms / 1000));
	return list;
}

static json_t *text_or_null(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

json_t *show_rollout(struct daemon *daemon, const struct service *service)
{
	const struct rollout *r = &service->rollout;
	struct instant now = instant_now();

	if (!r->number)
		return json_null();
	return json_pack("{s:I, s:s, s:s, s:s, s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o}", "number",
			 (json_int_t)r->number, "state", rollout_state_name(r->state), "target", r->target, "baseline",
			 r->baseline, "queued", text_or_null(r->queued), "changed", text_or_null(r->changed), "reason",
			 text_or_null(pilot_reason(daemon->pilot, service)), "step", (int)r->step + 1, "steps",
			 show_steps(&r->plan), "weight", json_percent(r->plan.stages[r->step].weight), "began",
			 json_instant(r->began), "ended", json_instant(r->ended), "step_seconds",
			 json_integer(rollout_step_ms(r, now) / 1000), "hold_left_seconds",
			 json_integer((rollout_hold_left_ms(r, now) + 999) / 1000), "without_gates", (int)r->without_gates,
			 "gates", show_gates(daemon, service), "locked", json_boolean(service->lock.since.unix_ms != 0));
}

/* --- what the kernel measured ----------------------------------------------------------------------------------------------- */

void show_durations(struct daemon *daemon, const struct service *service, uint64_t durations[RAINBOW_SIGNAL_BINS])
{
	struct rainbow_signal signal;
	size_t i, bin;

	memset(durations, 0, RAINBOW_SIGNAL_BINS * sizeof(durations[0]));
	for (i = 0; i < service->version_count; i++) {
		if (signals_read(daemon->datapath, service->id, service->versions[i].id, SIGNAL_EVER, &signal, NULL))
			continue;
		for (bin = 0; bin < RAINBOW_SIGNAL_BINS; bin++)
			durations[bin] += signal.duration_ms[bin];
	}
}

void show_advice(struct daemon *daemon, const struct service *service, json_t *sentences)
{
	uint64_t durations[RAINBOW_SIGNAL_BINS];
	char text[256];
	size_t i;

	show_durations(daemon, service, durations);
	/* What still lives lasts at least as long as it has: else a service looks short-lived while its long sessions run. */
	for (i = 0; i < service->version_count; i++) {
		const struct rainbow_census *counted = census_of(daemon->census, service->versions[i].id);

		if (counted)
			eta_add_census(durations, counted->age);
	}
	if (eta_advice(durations, service->name, text, sizeof(text)))
		json_array_append_new(sentences, json_string(text));
}

/* Seconds below which such a part of the counted values lies; null: there is none. */
static json_t *quantile(const __u64 *bins, double part, double unit)
{
	double total = 0, seen = 0;
	uint32_t bin;

	for (bin = 0; bin < RAINBOW_SIGNAL_BINS; bin++)
		total += (double)bins[bin];
	for (bin = 0; total > 0 && bin < RAINBOW_SIGNAL_BINS; bin++) {
		seen += (double)bins[bin];
		if (seen >= part * total)
			return json_real(rainbow_signal_middle(bin) * unit);
	}
	return json_null();
}

static json_t *quantiles(const __u64 *bins, double unit)
{
	return json_pack("{s:o, s:o, s:o}", "p50", quantile(bins, 0.5, unit), "p90", quantile(bins, 0.9, unit), "p99",
			 quantile(bins, 0.99, unit));
}

static json_t *resets(const struct rainbow_signal *s)
{
	return json_pack("{s:{s:I, s:I, s:I}, s:{s:I, s:I, s:I}}", "client", "early", (json_int_t)s->reset_client_early, "turn",
			 (json_int_t)s->reset_client_turn, "idle", (json_int_t)s->reset_client_idle, "server", "early",
			 (json_int_t)s->reset_server_early, "turn", (json_int_t)s->reset_server_turn, "idle",
			 (json_int_t)s->reset_server_idle);
}

static json_t *http(const struct rainbow_signal *s)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "1xx", (json_int_t)s->http_1xx, "2xx", (json_int_t)s->http_2xx,
			 "3xx", (json_int_t)s->http_3xx, "4xx", (json_int_t)s->http_4xx, "5xx", (json_int_t)s->http_5xx,
			 "other", (json_int_t)s->http_other);
}

/* UDP has neither handshakes nor turns nor resets. */
json_t *show_signals(struct daemon *daemon, const struct service *service, const struct version *version)
{
	bool tcp = service->protocol == IPPROTO_TCP;
	struct rainbow_traffic traffic;
	struct rainbow_signal s;

	if (signals_read(daemon->datapath, service->id, version->id, SIGNAL_EVER, &s, NULL) ||
	    signals_traffic(daemon->datapath, version->id, &traffic, NULL))
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:I, s:I}, s:{s:I, s:I}}", "handshake_seconds",
			 json_unless(!tcp, quantiles(s.handshake_us, 1e-6)), "turn_seconds",
			 json_unless(!tcp, quantiles(s.turn_us, 1e-6)), "duration_seconds", quantiles(s.duration_ms, 1e-3),
			 "asked", json_integer((json_int_t)s.asked), "answered",
			 json_unless(!tcp, json_integer((json_int_t)s.answered)), "refused",
			 json_unless(!tcp, json_integer((json_int_t)s.refused)), "turns",
			 json_unless(!tcp, json_integer((json_int_t)s.turns)), "resets", json_unless(!tcp, resets(&s)), "http",
			 json_unless(!service->settings.http, http(&s)), "requests", "packets",
			 (json_int_t)traffic.request_packets, "bytes", (json_int_t)traffic.request_bytes, "replies", "packets",
			 (json_int_t)traffic.reply_packets, "bytes", (json_int_t)traffic.reply_bytes);
}
