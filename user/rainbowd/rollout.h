/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A rollout as a pure machine: what it is, what happened, what it becomes and what has to be done. Its state is part of the service
 * in the model, so each transition is stored in one transaction with the weights that it sets. The machine is drawn in rollout.c.
 */
#ifndef RAINBOW_ROLLOUT_H
#define RAINBOW_ROLLOUT_H

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include "common/duration.h"
#include "common/error.h"
#include "common/settings.h"
#include "gate.h"

#define ROLLOUT_REASON_SIZE 512
#define ROLLOUT_LABEL_SIZE  32

enum rollout_state {
	ROLLOUT_NONE = 0,
	ROLLOUT_RUNNING,     /* a step's weight is in force; its hold or its gates are not through */
	ROLLOUT_HELD,        /* the hold is over; a gate is inconclusive or in error, or the service is locked */
	ROLLOUT_PAUSED,      /* by a person, until he resumes it; a failed gate rolls back nevertheless */
	ROLLOUT_COMPLETE,    /* ended: the target has 100 % */
	ROLLOUT_ROLLED_BACK, /* ended: the baseline has 100 %, the target drains in quarantine */
};

struct rollout {
	uint64_t number; /* of this service, from 1; 0: there was none yet */
	enum rollout_state state;
	char target[ROLLOUT_LABEL_SIZE], baseline[ROLLOUT_LABEL_SIZE]; /* labels */
	char queued[ROLLOUT_LABEL_SIZE];                               /* the target that comes next; "" */
	/* ... and as what it was ordered; a baseline of "" is to be found when it begins. */
	char queued_baseline[ROLLOUT_LABEL_SIZE];
	struct rollout_plan queued_plan;
	bool queued_without_gates;
	struct rollout_plan plan;
	uint32_t step;               /* index into plan.stages: the step whose weight is in force */
	struct instant began, ended; /* ended: 0 while it runs */
	struct instant step_began;
	int64_t paused_ms;                             /* of this step, without the pause that lasts */
	struct instant paused_at;                      /* 0: not paused */
	bool without_gates;                            /* --no-gates: only holds count, and a FAIL counts for nothing too */
	char changed[64];                              /* the layers of the tuple that differ: "model, prompts" */
	char reason[ROLLOUT_REASON_SIZE];              /* why it is in this state: the gate's sentence, the person's --reason */
	uint32_t cohort;                               /* the number of this step's first cohort: signals.h */
	struct gate_memory memory[SETTINGS_GATES_MAX]; /* of this step, in the order of the gates */
	/*
	 * Not stored: for those who remember what gates found. Each gate's own number, which goes with it to another place; and a number
	 * that is beyond all of them, and another whenever gates changed or moved.
	 */
	uint32_t gate_ids[SETTINGS_GATES_MAX], gates_laid;
};

/* What the world looks like at an instant. */
struct rollout_facts {
	struct instant now;
	enum gate_verdict gates;               /* the worst of those that decide (rollout_worse); PASS where none decides */
	char gate_reason[ROLLOUT_REASON_SIZE]; /* the sentence of that gate */
	bool answer_missing;                   /* a gate that compares nothing (webhook, command) has not decided yet */
	bool locked;                           /* automation may lower exposure still, and raise nothing */
	const char *target_closed; /* why the target can have no share: somebody ended this by hand; NULL: it can have one */
};

enum rollout_action {
	ROLLOUT_STAY = 0,
	ROLLOUT_NOTE,      /* the state has changed: store it; weights stay */
	ROLLOUT_SET,       /* set the weight of after->step */
	ROLLOUT_FINISH,    /* the target has 100 %, and no gate has anything against it: the baseline may drain */
	ROLLOUT_ROLL_BACK, /* the baseline to 100 %, the target to drain and quarantine */
};

/*
 * One transition. `rollout` becomes what is to be stored with the action; ROLLOUT_STAY leaves it as it is, but for the reason of one that
 * is held: that is no transition and to be shown, and each would be a write to the disk.
 */
enum rollout_action rollout_next(struct rollout *rollout, const struct rollout_facts *facts);

bool rollout_is_active(const struct rollout *rollout); /* running, held, paused */
/* The worse of two verdicts: FAIL, then ERROR, INCONCLUSIVE, PASS. */
enum gate_verdict rollout_worse(enum gate_verdict a, enum gate_verdict b);

enum rollout_verb { ROLLOUT_PAUSE, ROLLOUT_RESUME, ROLLOUT_PROMOTE, ROLLOUT_ABORT, ROLLOUT_RETRY };

struct rollout_order {
	enum rollout_verb verb;
	bool full;          /* promote: to 100 % at once */
	uint32_t from_step; /* promote: 1-based step that it must be in; 0: any */
	const char *reason; /* never NULL */
	struct instant now;
};

/*
 * A person's order: the action to be done, or a negative code and err (what it is in, what may be done). Pausing what is paused and
 * resuming what is not are no error: ROLLOUT_STAY. A promotion leaves a pause in force: it is one step, and the next is the person's too.
 */
int rollout_command(struct rollout *rollout, const char *service, const struct rollout_order *order,
		    enum rollout_action *action, struct error *err);
/*
 * Another target comes, whatever this rollout is in. ROLLOUT_SET: it may begin now (rollout_begin), in the place of one that may be
 * under way. ROLLOUT_NOTE: it waits in `queued`, in the place of what waited there before; the caller fills in as what it was ordered.
 */
int rollout_offer(struct rollout *rollout, const char *service, const char *target, enum on_new_target on_new_target,
		  enum rollout_action *action, struct error *err);
/*
 * A new one over the last: number raised, first step, RUNNING, nothing queued. Refused labels and quarantine are the caller's to check,
 * `changed` is his to fill.
 */
void rollout_begin(struct rollout *rollout, const char *target, const char *baseline, const struct rollout_plan *plan,
		   bool without_gates, const char *reason, struct instant now);

/* Each gate gets a number of its own. */
void rollout_number_gates(struct rollout *rollout);

/* How long the step has run, pauses left out; and when the hold is over (0: it is). */
int64_t rollout_step_ms(const struct rollout *rollout, struct instant now);
int64_t rollout_hold_left_ms(const struct rollout *rollout, struct instant now);

extern const char *const rollout_state_words[]; /* by the values of the enum, NULL at the end */
const char *rollout_state_name(enum rollout_state state);
/*
 * For the database and the API: complete, both ways. NULL without memory or if a number is not finite. What is missing, unknown, out of
 * range or contradicts itself is refused; `rollout` is then as it was. In rollout_json.c.
 */
json_t *rollout_print(const struct rollout *rollout);
int rollout_read(const json_t *object, struct rollout *rollout, struct error *err);

#endif
