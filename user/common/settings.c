// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The values themselves: what holds where nothing is said, copies, comparison. Reading and printing: settings_json.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "common/settings.h"

#define MINUTE_MS        (60ll * 1000)
#define DEFAULT_HOLD_MS  (10 * MINUTE_MS)
#define DEFAULT_VERSIONS 8

void settings_init(struct settings *settings)
{
	static const uint32_t weights[] = {50, 250, 500, 1000};
	size_t i;

	memset(settings, 0, sizeof(*settings));
	settings->drain.deadline.ms = 24 * 60 * MINUTE_MS;
	settings->max_versions = DEFAULT_VERSIONS;
	for (i = 0; i < sizeof(weights) / sizeof(weights[0]); i++)
		settings->plan.stages[settings->plan.stage_count++] = (struct rollout_stage){weights[i], {DEFAULT_HOLD_MS}};
}

void settings_fini(struct settings *settings)
{
	free(settings->gates);
	settings->gates = NULL;
	settings->gate_count = 0;
}

int settings_copy(struct settings *to, const struct settings *from)
{
	*to = *from;
	to->gates = NULL;
	if (!from->gate_count)
		return 0;
	to->gates = reallocarray(NULL, from->gate_count, sizeof(*from->gates));
	if (!to->gates)
		return -ENOMEM;
	memcpy(to->gates, from->gates, from->gate_count * sizeof(*from->gates));
	return 0;
}

static void kernel_gate(struct gate *gate, const char *name, enum gate_signal signal, enum gate_kind kind, double margin)
{
	memset(gate, 0, sizeof(*gate));
	strncpy(gate->name, name, sizeof(gate->name) - 1);
	gate->source = GATE_SOURCE_KERNEL;
	gate->signal = signal;
	gate->kind = kind;
	gate->margin = margin;
	gate->floor = kind == GATE_KIND_DISTRIBUTION ? SETTINGS_FLOOR_US : 0;
	gate->quantile = 0.5;
	gate->min_samples = 50;
}

const struct gate *settings_gates(const struct settings *settings, struct gate defaults[SETTINGS_GATES_MAX], size_t *count)
{
	if (settings->gates_given) {
		*count = settings->gate_count;
		return settings->gates;
	}
	kernel_gate(&defaults[0], "turn_latency", GATE_SIGNAL_TURN_LATENCY, GATE_KIND_DISTRIBUTION, 0.2);
	kernel_gate(&defaults[1], "resets", GATE_SIGNAL_RESETS, GATE_KIND_RATIO, 0.02);
	kernel_gate(&defaults[2], "connect_failures", GATE_SIGNAL_CONNECT_FAILURES, GATE_KIND_RATIO, 0.02);
	kernel_gate(&defaults[3], "http_errors", GATE_SIGNAL_HTTP_ERRORS, GATE_KIND_RATIO, 0.02);
	*count = settings->http ? 4 : 3;
	return defaults;
}

bool settings_judge_quality(const struct settings *settings)
{
	size_t i;

	for (i = 0; i < settings->gate_count; i++)
		if (settings->gates[i].source != GATE_SOURCE_KERNEL && !settings->gates[i].shadow)
			return true;
	return false;
}
