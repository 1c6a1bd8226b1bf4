// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 *                      begin, retry: the first step's weight
 *                                        |
 *            hold over, but no PASS      v         pause
 *          +-------------------------- RUNNING ---------------+
 *          |   (or locked)              ^ | ^                 v
 *          v                            | | +--- resume --- PAUSED
 *         HELD ------- PASS, unlocked --+ |                   |
 *          |           next step, SET     |                   |
 *          |                              +-- hold over, PASS, unlocked: next step, RUNNING, SET
 *          |                              |                   |
 *          +--------------+---------------+-------------------+
 *                         |
 *                         +-- FAIL, target closed, abort -------> ROLLED_BACK -- retry --> RUNNING
 *                         +-- last step, hold over, PASS -------> COMPLETE        (not from PAUSED, not locked)
 *                         +-- promote: next step or, at the last, COMPLETE
 *                         +-- another target supersedes it -----> RUNNING, a rollout of its own
 *
 * Down goes at once and from everywhere. Up goes only on evidence or by a person. A target that is closed is one that somebody
 * drained or quarantined while it ran (the last backend of a version with a share can not be taken away): its share has gone to others
 * already, so to wait would keep a step in force that is not; the rollout ends as the person began to end it, by rolling back.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "common/text.h"
#include "rollout.h"

const char *const rollout_state_words[] = {"none", "running", "held", "paused", "complete", "rolled_back", NULL};

const char *rollout_state_name(enum rollout_state state)
{
	return state <= ROLLOUT_ROLLED_BACK ? rollout_state_words[state] : "unknown";
}

bool rollout_is_active(const struct rollout *rollout)
{
	return rollout->state == ROLLOUT_RUNNING || rollout->state == ROLLOUT_HELD || rollout->state == ROLLOUT_PAUSED;
}

static unsigned int badness(enum gate_verdict verdict)
{
	switch (verdict) {
	case GATE_PASS:
		return 0;
	case GATE_INCONCLUSIVE:
		return 1;
	case GATE_ERROR:
		return 2;
	case GATE_FAIL:
		return 3;
	}
	return 2;
}

enum gate_verdict rollout_worse(enum gate_verdict a, enum gate_verdict b)
{
	return badness(a) >= badness(b) ? a : b;
}

/* --- time ---------------------------------------------------------------------------------------------------------------- */

/* A clock that was set back makes a hold longer, and never shorter. */
int64_t rollout_step_ms(const struct rollout *rollout, struct instant now)
{
	struct instant until = rollout->ended.unix_ms ? rollout->ended : now;
	int64_t ms;

	if (rollout->paused_at.unix_ms)
		until = rollout->paused_at;
	ms = until.unix_ms - rollout->step_began.unix_ms - rollout->paused_ms;
	return ms > 0 ? ms : 0;
}

int64_t rollout_hold_left_ms(const struct rollout *rollout, struct instant now)
{
	int64_t left;

	if (!rollout_is_active(rollout))
		return 0;
	left = rollout->plan.stages[rollout->step].hold.ms - rollout_step_ms(rollout, now);
	return left > 0 ? left : 0;
}

/* --- what every transition is made of ------------------------------------------------------------------------------------ */

/* An argument may be the reason so far. */
static void set_reason(struct rollout *rollout, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void set_reason(struct rollout *rollout, const char *format, ...)
{
	char text[ROLLOUT_REASON_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	text_clean(text); /* a character may have been cut in two */
	strcpy(rollout->reason, text);
}

/* "3 of 4 (50 %)" */
static const char *step_text(const struct rollout *rollout, char buf[64])
{
	char weight[16];

	snprintf(buf, 64, "%u of %zu (%s %%)", rollout->step + 1, rollout->plan.stage_count,
		 percent_format(rollout->plan.stages[rollout->step].weight, weight));
	return buf;
}

static bool is_last_step(const struct rollout *rollout)
{
	return rollout->step + 1 >= rollout->plan.stage_count;
}

static void begin_step(struct rollout *rollout, uint32_t step, struct instant now)
{
	rollout->step = step;
	rollout->step_began = now;
	rollout->paused_ms = 0;
	if (rollout->paused_at.unix_ms)
		rollout->paused_at = now;
	memset(rollout->memory, 0, sizeof(rollout->memory));
}

static void end_pause(struct rollout *rollout, struct instant now)
{
	int64_t lasted = now.unix_ms - rollout->paused_at.unix_ms;

	if (rollout->paused_at.unix_ms && lasted > 0)
		rollout->paused_ms += lasted;
	rollout->paused_at.unix_ms = 0;
}

static void end(struct rollout *rollout, enum rollout_state state, struct instant now)
{
	end_pause(rollout, now);
	rollout->state = state;
	rollout->ended = now;
}

/* --- what the world makes of it ------------------------------------------------------------------------------------------ */

static enum rollout_action roll_back(struct rollout *rollout, struct instant now, const char *why)
{
	char step[64];

	end(rollout, ROLLOUT_ROLLED_BACK, now);
	set_reason(rollout, "rolled back in step %s: %s", step_text(rollout, step), why);
	return ROLLOUT_ROLL_BACK;
}

static enum rollout_action go_on(struct rollout *rollout, struct instant now, const char *why)
{
	char step[64];

	step_text(rollout, step);
	if (is_last_step(rollout)) {
		end(rollout, ROLLOUT_COMPLETE, now);
		set_reason(rollout, "complete after step %s: %s", step, why);
		return ROLLOUT_FINISH;
	}
	begin_step(rollout, rollout->step + 1, now);
	rollout->state = ROLLOUT_RUNNING;
	set_reason(rollout, "went on from step %s: %s", step, why);
	return ROLLOUT_SET;
}

/* Once it is held another reason is no transition: a source that says something else each time would fill the history. */
static enum rollout_action hold(struct rollout *rollout, const char *why)
{
	bool held = rollout->state == ROLLOUT_HELD;

	set_reason(rollout, "%s", why);
	rollout->state = ROLLOUT_HELD;
	return held ? ROLLOUT_STAY : ROLLOUT_NOTE;
}

static enum rollout_action wait_out(struct rollout *rollout)
{
	if (rollout->state == ROLLOUT_RUNNING)
		return ROLLOUT_STAY;
	rollout->state = ROLLOUT_RUNNING;
	set_reason(rollout, "the clock was set back: the hold is not over after all");
	return ROLLOUT_NOTE;
}

/*
 * At 100 % the baseline gets no new session, so there is nothing to compare with any more; and to finish raises nothing. So there what
 * can not be compared is no obstacle. An error is one: the source was to answer and does not. So is one who was asked for his own
 * judgement and has not given it.
 */
static bool evidence_suffices(const struct rollout *rollout, const struct rollout_facts *facts)
{
	if (rollout->without_gates || facts->gates == GATE_PASS)
		return true;
	return is_last_step(rollout) && facts->gates == GATE_INCONCLUSIVE && !facts->answer_missing;
}

static const char *evidence_text(const struct rollout *rollout, const struct rollout_facts *facts)
{
	if (rollout->without_gates)
		return "its hold is over, without gates";
	return facts->gates == GATE_PASS ? "its gates passed"
					 : "its hold is over, and at 100 % there is no baseline to compare with";
}

enum rollout_action rollout_next(struct rollout *rollout, const struct rollout_facts *facts)
{
	/* 1. What has ended stays. */
	if (!rollout_is_active(rollout))
		return ROLLOUT_STAY;
	/* 2. Down: at once, paused and locked too. */
	if (facts->gates == GATE_FAIL && !rollout->without_gates)
		return roll_back(rollout, facts->now, facts->gate_reason);
	if (facts->target_closed)
		return roll_back(rollout, facts->now, facts->target_closed);
	/* 3. A pause is a person's. */
	if (rollout->state == ROLLOUT_PAUSED)
		return ROLLOUT_STAY;
	/* 4. A step lasts its hold at least. */
	if (rollout_hold_left_ms(rollout, facts->now))
		return wait_out(rollout);
	/* 5. Up: on evidence alone ... */
	if (!evidence_suffices(rollout, facts))
		return hold(rollout, facts->gate_reason[0] ? facts->gate_reason : "its gates have not passed");
	/* 6. ... and where no person has forbidden it. */
	if (facts->locked)
		return hold(rollout, "the service is locked: it goes on when unlocked, or when a person promotes it");
	return go_on(rollout, facts->now, evidence_text(rollout, facts));
}

/* --- what a person makes of it ------------------------------------------------------------------------------------------- */

/* "it can be promoted", "begin it anew: rainbowctl rollout retry chat" */
static const char *way_on(const struct rollout *rollout, const char *service, char buf[128])
{
	switch (rollout->state) {
	case ROLLOUT_NONE:
		snprintf(buf, 128, "begin one: rainbowctl rollout start %s LABEL", service);
		break;
	case ROLLOUT_RUNNING:
	case ROLLOUT_HELD:
		snprintf(buf, 128, "it can be promoted, paused or aborted");
		break;
	case ROLLOUT_PAUSED:
		snprintf(buf, 128, "it can be resumed, promoted or aborted");
		break;
	case ROLLOUT_COMPLETE:
		snprintf(buf, 128, "the way back is: rainbowctl rollback %s", service);
		break;
	case ROLLOUT_ROLLED_BACK:
		snprintf(buf, 128, "begin it anew: rainbowctl rollout retry %s", service);
		break;
	}
	return buf;
}

static int refuse(const struct rollout *rollout, const char *service, const char *verb, struct error *err)
{
	char step[64], way[128];

	if (rollout->state == ROLLOUT_NONE)
		return error_set(err, ERROR_PRECONDITION, NULL, "there is no rollout of %s to %s; %s", service, verb,
				 way_on(rollout, service, way));
	return error_set(err, ERROR_PRECONDITION, NULL,
			 "rollout %llu of %s to %s is %s in step %s, so there is nothing to %s; %s",
			 (unsigned long long)rollout->number, service, rollout->target, rollout_state_name(rollout->state),
			 step_text(rollout, step), verb, way_on(rollout, service, way));
}

static const char *said(const struct rollout_order *order)
{
	return order->reason[0] ? order->reason : "no reason was given";
}

static enum rollout_action pause_it(struct rollout *rollout, const struct rollout_order *order)
{
	if (rollout->state == ROLLOUT_PAUSED)
		return ROLLOUT_STAY;
	rollout->state = ROLLOUT_PAUSED;
	rollout->paused_at = order->now;
	set_reason(rollout, "paused: %s", said(order));
	return ROLLOUT_NOTE;
}

static enum rollout_action resume_it(struct rollout *rollout, const struct rollout_order *order)
{
	if (rollout->state != ROLLOUT_PAUSED)
		return ROLLOUT_STAY;
	end_pause(rollout, order->now);
	rollout->state = ROLLOUT_RUNNING;
	set_reason(rollout, "resumed: %s", said(order));
	return ROLLOUT_NOTE;
}

/* "promoted from step 2 of 4 (25 %): REASON (it was held: SENTENCE OF THE GATE)" */
static void note_promotion(struct rollout *rollout, const struct rollout_order *order)
{
	char step[64], left[DURATION_TEXT_SIZE];
	struct duration hold_left = {rollout_hold_left_ms(rollout, order->now)};

	step_text(rollout, step);
	if (rollout->state == ROLLOUT_HELD)
		set_reason(rollout, "promoted from step %s: %s (it was held: %s)", step, said(order), rollout->reason);
	else if (hold_left.ms)
		set_reason(rollout, "promoted from step %s: %s (%s of its hold were left)", step, said(order),
			   duration_format(hold_left, left));
	else
		set_reason(rollout, "promoted from step %s: %s", step, said(order));
}

static enum rollout_action promote_it(struct rollout *rollout, const struct rollout_order *order)
{
	note_promotion(rollout, order);
	if (is_last_step(rollout)) {
		end(rollout, ROLLOUT_COMPLETE, order->now);
		return ROLLOUT_FINISH;
	}
	begin_step(rollout, order->full ? (uint32_t)rollout->plan.stage_count - 1 : rollout->step + 1, order->now);
	if (rollout->state == ROLLOUT_HELD)
		rollout->state = ROLLOUT_RUNNING;
	return ROLLOUT_SET;
}

static int check_step(const struct rollout *rollout, const char *service, const struct rollout_order *order, struct error *err)
{
	char step[64];

	if (order->verb != ROLLOUT_PROMOTE || !order->from_step || order->from_step == rollout->step + 1)
		return 0;
	return error_set(err, ERROR_PRECONDITION, "from_step",
			 "rollout %llu of %s to %s is in step %s and not in step %u; look at it, then promote again",
			 (unsigned long long)rollout->number, service, rollout->target, step_text(rollout, step),
			 order->from_step);
}

static enum rollout_action abort_it(struct rollout *rollout, const struct rollout_order *order)
{
	char why[ROLLOUT_REASON_SIZE];

	snprintf(why, sizeof(why), "aborted: %s", said(order));
	return roll_back(rollout, order->now, why);
}

static enum rollout_action begin_anew(struct rollout *rollout, const struct rollout_order *order)
{
	char changed[sizeof(rollout->changed)];

	memcpy(changed, rollout->changed, sizeof(changed));
	rollout_begin(rollout, rollout->target, rollout->baseline, &rollout->plan, rollout->without_gates, order->reason,
		      order->now);
	memcpy(rollout->changed, changed, sizeof(changed));
	return ROLLOUT_SET;
}

int rollout_command(struct rollout *rollout, const char *service, const struct rollout_order *order,
		    enum rollout_action *action, struct error *err)
{
	static const struct {
		const char *name;
		enum rollout_action (*do_it)(struct rollout *rollout, const struct rollout_order *order);
	} verbs[] = {
	    [ROLLOUT_PAUSE] = {"pause", pause_it},       [ROLLOUT_RESUME] = {"resume", resume_it},
	    [ROLLOUT_PROMOTE] = {"promote", promote_it}, [ROLLOUT_ABORT] = {"abort", abort_it},
	    [ROLLOUT_RETRY] = {"retry", begin_anew},
	};
	bool may = order->verb == ROLLOUT_RETRY ? rollout->state == ROLLOUT_ROLLED_BACK : rollout_is_active(rollout);
	int rc = may ? check_step(rollout, service, order, err) : refuse(rollout, service, verbs[order->verb].name, err);

	if (!rc)
		*action = verbs[order->verb].do_it(rollout, order);
	return rc;
}

int rollout_offer(struct rollout *rollout, const char *service, const char *target, enum on_new_target on_new_target,
		  enum rollout_action *action, struct error *err)
{
	char step[64];

	*action = ROLLOUT_SET;
	if (!rollout_is_active(rollout))
		return 0;
	if (!strcmp(target, rollout->baseline))
		return error_set(
		    err, ERROR_CONFLICT, "target",
		    "version %s is the baseline of rollout %llu of %s to %s; to go back to it: rainbowctl rollout abort %s",
		    target, (unsigned long long)rollout->number, service, rollout->target, service);
	if (on_new_target == ON_NEW_REJECT || !strcmp(target, rollout->target))
		return error_set(err, ERROR_CONFLICT, "target",
				 "rollout %llu of %s to %s is %s in step %s; wait for its end, or abort it first: rainbowctl "
				 "rollout abort %s",
				 (unsigned long long)rollout->number, service, rollout->target,
				 rollout_state_name(rollout->state), step_text(rollout, step), service);
	if (on_new_target == ON_NEW_QUEUE) {
		text_copy(rollout->queued, sizeof(rollout->queued), target);
		*action = ROLLOUT_NOTE;
	}
	return 0;
}

void rollout_number_gates(struct rollout *rollout)
{
	uint32_t i;

	for (i = 0; i < SETTINGS_GATES_MAX; i++)
		rollout->gate_ids[i] = i + 1;
	rollout->gates_laid = SETTINGS_GATES_MAX;
}

/* What is given may be parts of the one before. */
void rollout_begin(struct rollout *rollout, const char *target, const char *baseline, const struct rollout_plan *plan,
		   bool without_gates, const char *reason, struct instant now)
{
	struct rollout fresh;

	memset(&fresh, 0, sizeof(fresh));
	fresh.number = rollout->number + 1;
	fresh.state = ROLLOUT_RUNNING;
	text_copy(fresh.target, sizeof(fresh.target), target);
	text_copy(fresh.baseline, sizeof(fresh.baseline), baseline);
	fresh.plan = *plan;
	fresh.began = now;
	fresh.without_gates = without_gates;
	set_reason(&fresh, "%s", reason);
	begin_step(&fresh, 0, now);
	rollout_number_gates(&fresh);
	*rollout = fresh;
}
