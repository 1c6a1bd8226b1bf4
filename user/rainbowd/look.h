/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One look at a rollout, for pilot.c alone: what is known of candidate and baseline is gathered and put before the gates. And the track:
 * what is remembered of a step between two looks.
 */
#ifndef RAINBOW_LOOK_H
#define RAINBOW_LOOK_H

#include "daemon.h"
#include "evidence.h"
#include "gate.h"

#define LOOK_EVERY_MS 500
#define LOOK_RING     (EVIDENCE_ANSWER_MS / LOOK_EVERY_MS + 1)
#define STEP_SLACK    2000 /* ms: a step that began no longer ago is one that we saw begin */

/* How many first packets had no answer yet at the last few ticks, the newest last. */
struct pending {
	uint64_t count[LOOK_RING];
	uint32_t ticks; /* that are in it */
};

/* What is remembered of a gate. */
struct track_gate {
	uint32_t id; /* of rollout.gate_ids */
	bool found;
	struct gate_finding finding;
	uint64_t answer;        /* the number of the last one that was judged */
	enum gate_verdict told; /* the verdict that the history has */
};

/* What is remembered of a service's rollout between ticks; nothing that can not be found again. */
struct track {
	/* Of the rollout and its step, and what the gates were then: a track of another is void. */
	uint64_t number;
	uint32_t step, gates_laid;
	struct instant step_began; /* a service that was removed may have left its id and its number 1 */
	bool has_cohort;           /* the cohort in the maps is this step's ... */
	bool is_void;              /* ... and could not begin, or not everywhere */
	int64_t began_ms;          /* monotonic, of the step, moved on while it is paused; 0: rainbowd was not there */
	int64_t seen_ms;           /* monotonic, of the last tick */
	struct pending candidate, baseline;
	bool has_failed; /* it is to be rolled back, for this reason, whatever the gates say later */
	bool is_lowered; /* the kernel has been told already */
	char reason[ROLLOUT_REASON_SIZE];
	/* What the gates remember and the database could not take yet. */
	bool has_memory;
	struct gate_memory memory[SETTINGS_GATES_MAX];
	struct track_gate gates[SETTINGS_GATES_MAX];
	char held_for[ROLLOUT_REASON_SIZE]; /* why it is held now, which changes more often than is stored; "": as stored */
	bool is_stuck;                      /* what was decided can not be carried out, which has been told */
};

/* The parts of one look: large, so not for the stack. */
struct look {
	struct daemon *daemon;
	const struct service *service;
	const struct version *candidate, *baseline;
	struct track *track;
	struct gate defaults[SETTINGS_GATES_MAX];
	const struct gate *gates;
	size_t gate_count;
	struct evidence_of of;
	struct evidence_arm arms[2];      /* candidate, baseline */
	bool unread;                      /* what the kernel measured can not be read: unknown, not 0 */
	char closed[ROLLOUT_REASON_SIZE]; /* rollout_facts.target_closed */
};

bool track_is_of(const struct track *track, const struct rollout *rollout);
/* Begins anew where it is of another step, or of other gates. */
void track_begin(struct track *track, const struct rollout *rollout);
/* At each tick: the hold's clock stands still while the rollout is paused. */
void track_pause(struct track *track, const struct rollout *rollout);
/* A failure that could not be carried out yet stays one, whatever comes later. */
void track_latch(struct track *track, struct rollout_facts *facts);

/* False: one of its versions is gone. */
bool look_init(struct look *look, struct daemon *daemon, struct track *track, const struct service *service);
/* What the kernel measured. is_tick: it is one of those that come every LOOK_EVERY_MS. */
void look_read(struct look *look, bool is_tick);
/* Judges all gates; the rollout's memory comes back changed where a look was spent: true. */
bool look_judge(struct look *look, struct rollout *rollout, struct rollout_facts *facts);
/* Why the candidate can have no share; NULL: it can have one. */
const char *look_target_closed(struct look *look);
/* By a clock that nobody can set, where rainbowd saw the step begin. */
bool look_hold_is_over(const struct look *look, const struct rollout *rollout);
/* Inputs, formula and verdict of one gate; malloc'ed text. */
int look_explain(struct look *look, const char *name, char **out, struct error *err);

#endif
