// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See look.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include "common/text.h"
#include "history.h"
#include "look.h"
#include "signals.h"
#include "sources.h"

/* --- tracks --------------------------------------------------------------------------------------------------------------- */

bool track_is_of(const struct track *track, const struct rollout *rollout)
{
	return track->number == rollout->number && track->step == rollout->step && track->gates_laid == rollout->gates_laid &&
	       track->step_began.unix_ms == rollout->step_began.unix_ms;
}

/* Other gates over the same step: what is known of one goes with it to its new place. */
static void carry_gates(struct track *track, const struct rollout *rollout)
{
	struct track_gate carried[SETTINGS_GATES_MAX];
	size_t i, j;

	memset(carried, 0, sizeof(carried));
	for (i = 0; i < SETTINGS_GATES_MAX; i++) {
		carried[i].id = rollout->gate_ids[i];
		for (j = 0; rollout->gate_ids[i] && j < SETTINGS_GATES_MAX; j++)
			if (track->gates[j].id == rollout->gate_ids[i])
				carried[i] = track->gates[j];
	}
	memcpy(track->gates, carried, sizeof(carried));
	track->gates_laid = rollout->gates_laid;
	track->has_memory = false; /* that of the old places; that it has failed stays */
}

void track_begin(struct track *track, const struct rollout *rollout)
{
	if (track_is_of(track, rollout))
		return;
	if (track->number != rollout->number || track->step != rollout->step ||
	    track->step_began.unix_ms != rollout->step_began.unix_ms) {
		memset(track, 0, sizeof(*track));
		track->number = rollout->number;
		track->step = rollout->step;
		track->step_began = rollout->step_began;
		if (llabs(instant_now().unix_ms - rollout->step_began.unix_ms) < STEP_SLACK)
			track->began_ms = monotonic_ms();
	}
	carry_gates(track, rollout);
}

void track_pause(struct track *track, const struct rollout *rollout)
{
	int64_t now_ms = monotonic_ms();

	if (rollout->state == ROLLOUT_PAUSED && track->began_ms && track->seen_ms)
		track->began_ms += now_ms - track->seen_ms;
	track->seen_ms = now_ms;
}

void track_latch(struct track *track, struct rollout_facts *facts)
{
	if (facts->gates == GATE_FAIL && !track->has_failed) {
		track->has_failed = true;
		text_copy(track->reason, sizeof(track->reason), facts->gate_reason);
	}
	if (!track->has_failed)
		return;
	facts->gates = GATE_FAIL;
	text_copy(facts->gate_reason, sizeof(facts->gate_reason), track->reason);
}

/* --- evidence ------------------------------------------------------------------------------------------------------------- */

/* The fewest of the last few ticks. */
static uint64_t pending_least(const struct pending *pending)
{
	uint64_t least = pending->count[0];
	size_t i;

	for (i = 1; i < LOOK_RING; i++)
		if (pending->count[i] < least)
			least = pending->count[i];
	return least;
}

static void pending_push(struct pending *pending, uint64_t count)
{
	memmove(pending->count, pending->count + 1, (LOOK_RING - 1) * sizeof(pending->count[0]));
	pending->count[LOOK_RING - 1] = count;
	pending->ticks += pending->ticks < LOOK_RING;
}

static void read_arm(struct look *look, const struct version *version, struct pending *pending, bool is_tick,
		     struct evidence_arm *arm)
{
	struct error err;

	memset(arm, 0, sizeof(*arm));
	arm->weight = version->weight;
	if (signals_read(look->daemon->datapath, look->service->id, version->id, SIGNAL_COHORT, &arm->signal, &err)) {
		memset(&arm->signal, 0, sizeof(arm->signal));
		look->unread = true;
		return;
	}
	if (is_tick)
		pending_push(pending, evidence_pending(&arm->signal));
	arm->unanswered = pending_least(pending);
}

/* Returns the number of the answer that it is; 0: it is no answer, but grows by itself. */
static uint64_t gather(struct look *look, const struct gate *gate, struct gate_evidence *evidence)
{
	struct source_evidence source;

	if (gate->source == GATE_SOURCE_KERNEL && look->unread) {
		evidence->source = GATE_ERROR;
		snprintf(evidence->reason, sizeof(evidence->reason), "what the kernel measured in this step can not be read");
		return 0;
	}
	if (gate->signal == GATE_SIGNAL_CONNECT_FAILURES && look->track->candidate.ticks < LOOK_RING) {
		evidence->source = GATE_INCONCLUSIVE;
		snprintf(evidence->reason, sizeof(evidence->reason), "connections that get no answer show after %d s",
			 EVIDENCE_ANSWER_MS / 1000);
		return 0;
	}
	if (gate->source == GATE_SOURCE_KERNEL) {
		evidence_of_kernel(gate, &look->arms[0], &look->arms[1], &look->of, evidence);
		return 0;
	}
	sources_evidence(look->daemon->sources, look->service, gate, instant_now(), &source);
	*evidence = source.evidence;
	if (source.sessions_missing) {
		evidence->candidate.sessions = (double)look->arms[0].signal.opened;
		evidence->baseline.sessions = (double)look->arms[1].signal.opened;
	}
	evidence_share(&look->arms[0], &look->arms[1], evidence);
	return gate->kind == GATE_KIND_VALUE || gate->kind == GATE_KIND_ANSWER ? source.answer : 0;
}

bool look_init(struct look *look, struct daemon *daemon, struct track *track, const struct service *service)
{
	memset(look, 0, sizeof(*look));
	look->daemon = daemon;
	look->service = service;
	look->of.udp = service->protocol == IPPROTO_UDP;
	look->of.client_affinity = service->affinity == RAINBOW_AFFINITY_CLIENT;
	look->gates = settings_gates(&service->settings, look->defaults, &look->gate_count);
	look->track = track;
	track_begin(track, &service->rollout);
	look->candidate = service_find_version(service, service->rollout.target);
	look->baseline = service_find_version(service, service->rollout.baseline);
	return look->candidate && look->baseline;
}

void look_read(struct look *look, bool is_tick)
{
	read_arm(look, look->candidate, &look->track->candidate, is_tick, &look->arms[0]);
	read_arm(look, look->baseline, &look->track->baseline, is_tick, &look->arms[1]);
}

const char *look_target_closed(struct look *look)
{
	const struct version *target = look->candidate;

	if (target->quarantine[0])
		snprintf(look->closed, sizeof(look->closed), "its target was quarantined: %s", target->quarantine);
	else if (target->state != RAINBOW_VERSION_ACTIVE)
		snprintf(look->closed, sizeof(look->closed), "its target was drained by hand");
	else if (!version_active_backends(target))
		snprintf(look->closed, sizeof(look->closed), "its target has no backend left");
	else
		return NULL;
	return look->closed;
}

bool look_hold_is_over(const struct look *look, const struct rollout *rollout)
{
	int64_t hold_ms = rollout->plan.stages[rollout->step].hold.ms;

	return !look->track->began_ms || monotonic_ms() - look->track->began_ms >= hold_ms;
}

/* --- judging -------------------------------------------------------------------------------------------------------------- */

/* The rollout's alpha is shared by all that may fail it by chance: each deciding gate that is a test, in each step. */
static uint32_t tests_of(const struct look *look)
{
	uint32_t deciding = 0;
	size_t i;

	for (i = 0; i < look->gate_count; i++)
		deciding += !look->gates[i].shadow &&
			    (look->gates[i].kind == GATE_KIND_RATIO || look->gates[i].kind == GATE_KIND_DISTRIBUTION);
	return deciding ? deciding * (uint32_t)look->service->rollout.plan.stage_count : 1;
}

static void judge_one(struct look *look, size_t place, struct gate_memory *memory)
{
	const struct gate *gate = &look->gates[place];
	struct track_gate *track = &look->track->gates[place];
	struct gate_evidence evidence;
	uint64_t answer;

	track->finding.looked = false;
	memset(&evidence, 0, sizeof(evidence));
	answer = gather(look, gate, &evidence);
	/* An answer is judged once, since bad ones in a row are counted. What is stale is none any more. */
	if (answer && answer == track->answer && evidence.source != GATE_INCONCLUSIVE)
		return;
	track->answer = answer;
	gate_look(gate, &evidence, tests_of(look), memory, &track->finding);
	track->found = true;
}

/* A source that stops answering, or answers again, is told once. */
static void tell_errors(struct look *look, size_t place)
{
	struct track_gate *track = &look->track->gates[place];
	const struct gate_finding *finding = &track->finding;
	enum gate_verdict told = track->told;
	struct note note;

	track->told = finding->verdict;
	if ((told == GATE_ERROR) == (finding->verdict == GATE_ERROR))
		return;
	note_of_rainbowd(&note, "gate", look->service, look->service->rollout.target, "gate %s of %s %s: %.300s",
			 look->gates[place].name, look->service->name,
			 finding->verdict == GATE_ERROR ? "is in error" : "answers again", finding->reason);
	history_note(look->daemon, &note);
	note_fini(&note);
}

/* The first of the worst; but of those that are inconclusive one that also counts where nothing is left to compare with. */
static bool is_reason(const struct gate *gate, const struct gate_finding *finding, struct rollout_facts *facts)
{
	bool waits = gate->kind == GATE_KIND_ANSWER && finding->verdict == GATE_INCONCLUSIVE;
	bool first = waits && !facts->answer_missing && facts->gates == GATE_INCONCLUSIVE;

	facts->answer_missing = facts->answer_missing || waits;
	return first || rollout_worse(facts->gates, finding->verdict) != facts->gates;
}

bool look_judge(struct look *look, struct rollout *rollout, struct rollout_facts *facts)
{
	bool remembers = false, decides = false;
	size_t i;

	facts->gates = GATE_PASS;
	if (rollout->without_gates)
		return false;
	for (i = 0; i < look->gate_count; i++) {
		const struct gate_finding *finding = &look->track->gates[i].finding;

		judge_one(look, i, &rollout->memory[i]);
		tell_errors(look, i);
		remembers = remembers || finding->looked;
		if (look->gates[i].shadow)
			continue;
		decides = true;
		if (!is_reason(&look->gates[i], finding, facts))
			continue;
		facts->gates = finding->verdict;
		snprintf(facts->gate_reason, sizeof(facts->gate_reason), "%s", finding->reason);
	}
	if (!decides) { /* its gates were taken away meanwhile */
		facts->gates = GATE_INCONCLUSIVE;
		snprintf(facts->gate_reason, sizeof(facts->gate_reason),
			 "no gate decides: lay one down, or promote it by hand: rainbowctl rollout promote %s",
			 look->service->name);
	}
	return remembers;
}

static int find_gate(const struct look *look, const char *name, size_t *place, struct error *err)
{
	char known[256] = "";
	size_t i, used = 0;

	for (i = 0; i < look->gate_count; i++) {
		if (strcmp(look->gates[i].name, name) == 0) {
			*place = i;
			return 0;
		}
		if (used + SETTINGS_NAME_SIZE < sizeof(known))
			used +=
			    (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", used ? ", " : "", look->gates[i].name);
	}
	return error_set(err, ERROR_NOT_FOUND, "gate", "service %s has no gate %.40s; it has: %s", look->service->name, name,
			 known[0] ? known : "none");
}

int look_explain(struct look *look, const char *name, char **out, struct error *err)
{
	struct gate_memory memory;
	struct gate_evidence evidence;
	struct gate_finding finding;
	size_t place = 0;
	int rc = find_gate(look, name, &place, err);

	if (rc)
		return rc;
	memset(&evidence, 0, sizeof(evidence));
	memory = look->service->rollout.memory[place]; /* a copy: to explain spends no look, and counts no answer twice */
	if (gather(look, &look->gates[place], &evidence) && look->track->gates[place].found)
		finding = look->track->gates[place].finding;
	else
		gate_look(&look->gates[place], &evidence, tests_of(look), &memory, &finding);
	*out = gate_explain(&look->gates[place], &evidence, tests_of(look), &finding);
	return *out ? 0 : error_set(err, ERROR_INTERNAL, NULL, "out of memory");
}
