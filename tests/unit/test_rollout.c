// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* user/rainbowd/rollout.c, rollout_json.c, user/common/settings_plan.c: each state with each event, a long random walk, and storage. */
#include <math.h>
#include "tests/unit/table_test.h"
#include "rainbowd/rollout.h"

#define START  1000000000000ll
#define MINUTE 60000ll
#define HOLD   (10 * MINUTE)

static struct instant at(int64_t ms)
{
	return (struct instant){START + ms};
}

static struct rollout_plan plan_of(const char *text)
{
	struct rollout_plan plan = {.on_new_target = ON_NEW_SUPERSEDE};
	struct error err = {0};

	if (rollout_plan_parse(text, (struct duration){HOLD}, "", &plan, &err))
		fail_msg("%s", err.message);
	return plan;
}

/* In the step (from 0) of 5, 25, 50, 100, which began at 0, in that state. */
static struct rollout rollout_in(enum rollout_state state, uint32_t step)
{
	struct rollout_plan plan = plan_of("5,25,50,100");
	struct rollout rollout = {0};

	rollout_begin(&rollout, "green", "blue", &plan, false, "a test", at(0));
	rollout.step = step;
	rollout.memory[0].looks = 3;
	rollout.state = state;
	if (state == ROLLOUT_NONE)
		memset(&rollout, 0, sizeof(rollout));
	if (state == ROLLOUT_HELD)
		strcpy(rollout.reason, "turn_latency: 37 of 50 sessions");
	if (state == ROLLOUT_PAUSED)
		rollout.paused_at = at(MINUTE);
	if (state >= ROLLOUT_COMPLETE)
		rollout.ended = at(MINUTE);
	return rollout;
}

static struct rollout_facts facts_at(int64_t ms, enum gate_verdict verdict)
{
	struct rollout_facts facts = {
	    .now = at(ms),
	    .gates = verdict,
	};

	strcpy(facts.gate_reason, "turn_latency: 41 of 50 sessions");
	return facts;
}

static bool memory_is_same(const struct gate_memory *a, const struct gate_memory *b)
{
	return a->verdict == b->verdict && a->looks == b->looks && a->looked_at == b->looked_at && a->bad == b->bad &&
	       a->good == b->good && a->errors == b->errors && !strcmp(a->reason, b->reason);
}

static bool plan_is_same(const struct rollout_plan *a, const struct rollout_plan *b)
{
	if (a->stage_count != b->stage_count || a->on_new_target != b->on_new_target)
		return false;
	for (size_t i = 0; i < a->stage_count; i++)
		if (a->stages[i].weight != b->stages[i].weight || a->stages[i].hold.ms != b->stages[i].hold.ms)
			return false;
	return true;
}

static bool rollout_is_same(const struct rollout *a, const struct rollout *b)
{
	for (size_t i = 0; i < SETTINGS_GATES_MAX; i++)
		if (!memory_is_same(&a->memory[i], &b->memory[i]))
			return false;
	return a->number == b->number && a->state == b->state && !strcmp(a->target, b->target) &&
	       !strcmp(a->baseline, b->baseline) && !strcmp(a->queued, b->queued) &&
	       !strcmp(a->queued_baseline, b->queued_baseline) && plan_is_same(&a->queued_plan, &b->queued_plan) &&
	       a->queued_without_gates == b->queued_without_gates && plan_is_same(&a->plan, &b->plan) && a->step == b->step &&
	       a->began.unix_ms == b->began.unix_ms && a->ended.unix_ms == b->ended.unix_ms &&
	       a->step_began.unix_ms == b->step_began.unix_ms && a->paused_ms == b->paused_ms &&
	       a->paused_at.unix_ms == b->paused_at.unix_ms && a->without_gates == b->without_gates && a->cohort == b->cohort &&
	       !strcmp(a->changed, b->changed) && !strcmp(a->reason, b->reason);
}

/* --- each state, each event ---------------------------------------------------------------------------------------------- */

enum event {
	HOLDING,        /* a minute into the step, gates inconclusive */
	HOLDING_PASS,   /* ... passed */
	HOLDING_FAIL,   /* ... failed */
	OVER_PASS,      /* the hold is over */
	OVER_UNKNOWN,   /* ... gates inconclusive */
	OVER_ERROR,     /* ... in error */
	OVER_FAIL,      /* ... failed */
	LOCKED_PASS,    /* the hold is over and the service locked */
	LOCKED_FAIL,    /* locked, and a gate failed */
	CLOSED,         /* somebody has quarantined the target */
	OVER_NO_ANSWER, /* the hold is over, and a gate that compares nothing has not decided */
	PAUSE,
	RESUME,
	PROMOTE,
	PROMOTE_FULL,
	PROMOTE_FROM,  /* from the step it is in */
	PROMOTE_STALE, /* from another */
	ABORT,
	RETRY,
	EVENTS,
};

static const char *const event_names[] = {
    "holding",
    "holding, pass",
    "holding, fail",
    "over, pass",
    "over, inconclusive",
    "over, error",
    "over, fail",
    "locked, pass",
    "locked, fail",
    "closed",
    "over, no answer",
    "pause",
    "resume",
    "promote",
    "promote --full",
    "promote --from-step",
    "promote --from-step, stale",
    "abort",
    "retry",
};

#define REFUSED (-ERROR_PRECONDITION)

static int send(struct rollout *rollout, enum rollout_verb verb, bool full, uint32_t from_step, int64_t ms)
{
	struct rollout_order order = {.verb = verb, .full = full, .from_step = from_step, .reason = "so it be", .now = at(ms)};
	enum rollout_action action = ROLLOUT_STAY;
	struct error err = {0};
	int rc = rollout_command(rollout, "chat", &order, &action, &err);

	if (rc && !err.message[0])
		fail_msg("refused without a word");
	return rc ? rc : (int)action;
}

static int happen(struct rollout *rollout, enum event event)
{
	static const enum gate_verdict verdicts[] = {GATE_INCONCLUSIVE, GATE_PASS,  GATE_FAIL,        GATE_PASS,
						     GATE_INCONCLUSIVE, GATE_ERROR, GATE_FAIL,        GATE_PASS,
						     GATE_FAIL,         GATE_PASS,  GATE_INCONCLUSIVE};
	struct rollout_facts facts;

	switch (event) {
	case PAUSE:
		return send(rollout, ROLLOUT_PAUSE, false, 0, HOLD);
	case RESUME:
		return send(rollout, ROLLOUT_RESUME, false, 0, HOLD);
	case PROMOTE:
		return send(rollout, ROLLOUT_PROMOTE, false, 0, HOLD);
	case PROMOTE_FULL:
		return send(rollout, ROLLOUT_PROMOTE, true, 0, HOLD);
	case PROMOTE_FROM:
		return send(rollout, ROLLOUT_PROMOTE, false, rollout->step + 1, HOLD);
	case PROMOTE_STALE:
		return send(rollout, ROLLOUT_PROMOTE, false, rollout->step + 2, HOLD);
	case ABORT:
		return send(rollout, ROLLOUT_ABORT, false, 0, HOLD);
	case RETRY:
		return send(rollout, ROLLOUT_RETRY, false, 0, HOLD);
	default:
		facts = facts_at(event <= HOLDING_FAIL ? MINUTE : HOLD, verdicts[event]);
		facts.locked = event == LOCKED_PASS || event == LOCKED_FAIL;
		facts.target_closed = event == CLOSED ? "its target was quarantined: it leaks" : NULL;
		facts.answer_missing = event == OVER_NO_ANSWER;
		return (int)rollout_next(rollout, &facts);
	}
}

#define R ROLLOUT_RUNNING
#define H ROLLOUT_HELD
#define P ROLLOUT_PAUSED
#define C ROLLOUT_COMPLETE
#define B ROLLOUT_ROLLED_BACK

#define TO(action, state, step)                                                                                                \
	{                                                                                                                      \
		ROLLOUT_##action, state, step                                                                                  \
	}
#define NO(state, step)                                                                                                        \
	{                                                                                                                      \
		REFUSED, state, step                                                                                           \
	}

/* What each event makes of a rollout in step 2 of 4: the action, the state, and the step (from 1) that it is in then. */
static const struct outcome {
	int action;
	enum rollout_state state;
	uint32_t step;
} outcomes[3][EVENTS] = {
    /* RUNNING */
    {TO(STAY, R, 2), TO(STAY, R, 2), TO(ROLL_BACK, B, 2), TO(SET, R, 3), TO(NOTE, H, 2), TO(NOTE, H, 2), TO(ROLL_BACK, B, 2),
     TO(NOTE, H, 2), TO(ROLL_BACK, B, 2), TO(ROLL_BACK, B, 2), TO(NOTE, H, 2), TO(NOTE, P, 2), TO(STAY, R, 2), TO(SET, R, 3),
     TO(SET, R, 4), TO(SET, R, 3), NO(R, 2), TO(ROLL_BACK, B, 2), NO(R, 2)},
    /* HELD: another reason is no transition */
    {TO(NOTE, R, 2), TO(NOTE, R, 2), TO(ROLL_BACK, B, 2), TO(SET, R, 3), TO(STAY, H, 2), TO(STAY, H, 2), TO(ROLL_BACK, B, 2),
     TO(STAY, H, 2), TO(ROLL_BACK, B, 2), TO(ROLL_BACK, B, 2), TO(STAY, H, 2), TO(NOTE, P, 2), TO(STAY, H, 2), TO(SET, R, 3),
     TO(SET, R, 4), TO(SET, R, 3), NO(H, 2), TO(ROLL_BACK, B, 2), NO(H, 2)},
    /* PAUSED */
    {TO(STAY, P, 2), TO(STAY, P, 2), TO(ROLL_BACK, B, 2), TO(STAY, P, 2), TO(STAY, P, 2), TO(STAY, P, 2), TO(ROLL_BACK, B, 2),
     TO(STAY, P, 2), TO(ROLL_BACK, B, 2), TO(ROLL_BACK, B, 2), TO(STAY, P, 2), TO(STAY, P, 2), TO(NOTE, R, 2), TO(SET, P, 3),
     TO(SET, P, 4), TO(SET, P, 3), NO(P, 2), TO(ROLL_BACK, B, 2), NO(P, 2)},
};

/* The same in the last step, where that is another. */
static const struct last_row {
	enum rollout_state state;
	enum event event;
	struct outcome want;
} last[] = {
    {R, OVER_PASS, {ROLLOUT_FINISH, C, 4}},    {H, OVER_PASS, {ROLLOUT_FINISH, C, 4}},
    {P, OVER_PASS, {ROLLOUT_STAY, P, 4}},      {R, OVER_UNKNOWN, {ROLLOUT_FINISH, C, 4}}, /* nothing to compare with at 100 % */
    {H, OVER_UNKNOWN, {ROLLOUT_FINISH, C, 4}}, {P, OVER_UNKNOWN, {ROLLOUT_STAY, P, 4}},
    {R, OVER_NO_ANSWER, {ROLLOUT_NOTE, H, 4}}, /* that gate compares nothing */
    {H, OVER_NO_ANSWER, {ROLLOUT_STAY, H, 4}}, {R, HOLDING, {ROLLOUT_STAY, R, 4}},
    {R, HOLDING_PASS, {ROLLOUT_STAY, R, 4}},   {R, OVER_ERROR, {ROLLOUT_NOTE, H, 4}},
    {R, OVER_FAIL, {ROLLOUT_ROLL_BACK, B, 4}}, {P, HOLDING_FAIL, {ROLLOUT_ROLL_BACK, B, 4}},
    {R, LOCKED_PASS, {ROLLOUT_NOTE, H, 4}},    {R, PROMOTE, {ROLLOUT_FINISH, C, 4}},
    {H, PROMOTE, {ROLLOUT_FINISH, C, 4}},      {P, PROMOTE, {ROLLOUT_FINISH, C, 4}},
    {R, PROMOTE_FULL, {ROLLOUT_FINISH, C, 4}}, {R, PROMOTE_STALE, {REFUSED, R, 4}},
    {R, ABORT, {ROLLOUT_ROLL_BACK, B, 4}},
};

static void outcome_assert(struct rollout *rollout, enum event event, const struct outcome *want)
{
	struct rollout before = *rollout;
	int action = happen(rollout, event);
	char name[96];

	snprintf(name, sizeof(name), "%s in step %u: %s", rollout_state_name(before.state), before.step + 1,
		 event_names[event]);
	row_assert(action == want->action, name, "action %d, not %d", action, want->action);
	row_assert(rollout->state == want->state, name, "became %s", rollout_state_name(rollout->state));
	row_assert(rollout->step + 1 == want->step, name, "is in step %u", rollout->step + 1);
	row_assert(rollout_is_active(rollout) == !rollout->ended.unix_ms, name, "ended: %lld",
		   (long long)rollout->ended.unix_ms);
	row_assert((rollout->state == P) == (rollout->paused_at.unix_ms != 0), name, "paused_at %lld",
		   (long long)rollout->paused_at.unix_ms);
	if (action == ROLLOUT_SET)
		row_assert(!rollout->memory[0].looks && rollout->step_began.unix_ms == at(HOLD).unix_ms && !rollout->paused_ms,
			   name, "the new step is not fresh");
	if (action == ROLLOUT_STAY && before.state == H) /* only shown */
		memcpy(before.reason, rollout->reason, sizeof(before.reason));
	if (action <= 0)
		row_assert(rollout_is_same(&before, rollout), name, "it changed, and nothing is stored");
	else
		row_assert(rollout->reason[0] && strcmp(rollout->reason, before.reason), name, "no reason");
}

static void test_table(void **state)
{
	static const enum rollout_state states[] = {R, H, P};

	(void)state;
	for (size_t i = 0; i < COUNT(states); i++)
		for (enum event event = 0; event < EVENTS; event++) {
			struct rollout rollout = rollout_in(states[i], 1);

			outcome_assert(&rollout, event, &outcomes[i][event]);
		}
	for (size_t i = 0; i < COUNT(last); i++) {
		struct rollout rollout = rollout_in(last[i].state, 3);

		outcome_assert(&rollout, last[i].event, &last[i].want);
	}
}

/* What has ended, or never was, is changed by nothing but a retry of what was rolled back. */
static void test_ended(void **state)
{
	static const enum rollout_state states[] = {ROLLOUT_NONE, C, B};

	(void)state;
	for (size_t i = 0; i < COUNT(states); i++)
		for (enum event event = 0; event < EVENTS; event++) {
			struct rollout rollout = rollout_in(states[i], 1);
			struct outcome stays = {event < PAUSE ? ROLLOUT_STAY : REFUSED, states[i], rollout.step + 1};

			if (states[i] == ROLLOUT_NONE) {
				assert_int_equal(happen(&rollout, event), stays.action);
				assert_int_equal(rollout.state, ROLLOUT_NONE);
			} else if (states[i] != B || event != RETRY) {
				outcome_assert(&rollout, event, &stays);
			}
		}
}

static void test_retry(void **state)
{
	struct rollout rollout = rollout_in(R, 2);

	(void)state;
	strcpy(rollout.changed, "prompts");
	assert_int_equal(happen(&rollout, ABORT), ROLLOUT_ROLL_BACK);
	assert_string_equal(rollout.reason, "rolled back in step 3 of 4 (50 %): aborted: so it be");
	strcpy(rollout.queued, "red");
	assert_int_equal(send(&rollout, ROLLOUT_RETRY, false, 0, 2 * HOLD), ROLLOUT_SET);
	assert_int_equal(rollout.number, 2);
	assert_int_equal(rollout.state, R);
	assert_int_equal(rollout.step, 0);
	assert_int_equal(rollout.plan.stage_count, 4);
	assert_string_equal(rollout.target, "green");
	assert_string_equal(rollout.baseline, "blue");
	assert_string_equal(rollout.changed, "prompts");
	assert_string_equal(rollout.queued, "");
	assert_int_equal(rollout.began.unix_ms, at(2 * HOLD).unix_ms);
	assert_int_equal(rollout.ended.unix_ms, 0);
}

static void test_offer(void **state)
{
	static const struct {
		const char *name;
		enum rollout_state state;
		const char *target;
		enum on_new_target policy;
		int want;
		enum rollout_state becomes;
		const char *queued;
	} rows[] = {
	    {"1 none yet", ROLLOUT_NONE, "red", ON_NEW_REJECT, ROLLOUT_SET, ROLLOUT_NONE, ""},
	    {"2 the last has ended", C, "red", ON_NEW_REJECT, ROLLOUT_SET, C, ""},
	    {"3 supersede", R, "red", ON_NEW_SUPERSEDE, ROLLOUT_SET, R, ""},
	    {"4 supersede, paused", P, "red", ON_NEW_SUPERSEDE, ROLLOUT_SET, P, ""},
	    {"5 queue", H, "red", ON_NEW_QUEUE, ROLLOUT_NOTE, H, "red"},
	    {"6 reject", R, "red", ON_NEW_REJECT, -ERROR_CONFLICT, R, ""},
	    {"7 the same again", R, "green", ON_NEW_SUPERSEDE, -ERROR_CONFLICT, R, ""},
	    {"8 back to the baseline", R, "blue", ON_NEW_QUEUE, -ERROR_CONFLICT, R, ""},
	    {"9 the same after its end", B, "green", ON_NEW_SUPERSEDE, ROLLOUT_SET, B, ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rollout rollout = rollout_in(rows[i].state, 1);
		enum rollout_action action;
		struct error err;
		int rc = rollout_offer(&rollout, "chat", rows[i].target, rows[i].policy, &action, &err);

		row_assert((rc ? rc : (int)action) == rows[i].want, rows[i].name, "gave %d, %d", rc, action);
		row_assert(rollout.state == rows[i].becomes, rows[i].name, "became %s", rollout_state_name(rollout.state));
		row_assert(!strcmp(rollout.queued, rows[i].queued), rows[i].name, "queued %s", rollout.queued);
	}
}

/* --- time ---------------------------------------------------------------------------------------------------------------- */

static void test_pause_stops_the_clock(void **state)
{
	struct rollout rollout = rollout_in(R, 0);
	struct rollout_facts facts = facts_at(0, GATE_PASS);

	(void)state;
	send(&rollout, ROLLOUT_PAUSE, false, 0, 4 * MINUTE);
	assert_int_equal(rollout_step_ms(&rollout, at(60 * MINUTE)), 4 * MINUTE);
	send(&rollout, ROLLOUT_RESUME, false, 0, 104 * MINUTE);
	assert_int_equal(rollout_hold_left_ms(&rollout, at(104 * MINUTE)), 6 * MINUTE);
	send(&rollout, ROLLOUT_PAUSE, false, 0, 105 * MINUTE);
	send(&rollout, ROLLOUT_RESUME, false, 0, 115 * MINUTE);
	facts.now = at(120 * MINUTE - 1);
	assert_int_equal(rollout_next(&rollout, &facts), ROLLOUT_STAY);
	facts.now = at(120 * MINUTE);
	assert_int_equal(rollout_next(&rollout, &facts), ROLLOUT_SET);
	assert_int_equal(rollout_step_ms(&rollout, at(121 * MINUTE)), MINUTE);
}

/* Set back and forth again at will: never early. */
static void test_the_clock_is_set_back(void **state)
{
	static const int64_t times[] = {MINUTE, -60 * MINUTE, -1, 2 * MINUTE, -600 * MINUTE, HOLD - 1};
	struct rollout rollout = rollout_in(R, 0), held = rollout_in(H, 0);
	struct rollout_facts facts;

	(void)state;
	for (size_t i = 0; i < COUNT(times); i++) {
		facts = facts_at(times[i], GATE_PASS);
		assert_int_equal(rollout_next(&rollout, &facts), ROLLOUT_STAY);
		assert_true(rollout_step_ms(&rollout, facts.now) >= 0);
	}
	facts = facts_at(-60 * MINUTE, GATE_PASS);
	assert_int_equal(rollout_next(&held, &facts), ROLLOUT_NOTE);
	assert_int_equal(held.state, R);
	/* A pause over which the clock goes back lasted nothing, and not less. */
	send(&rollout, ROLLOUT_PAUSE, false, 0, 5 * MINUTE);
	send(&rollout, ROLLOUT_RESUME, false, 0, -50 * MINUTE);
	assert_int_equal(rollout.paused_ms, 0);
	facts = facts_at(HOLD - 1, GATE_PASS);
	assert_int_equal(rollout_next(&rollout, &facts), ROLLOUT_STAY);
}

/* --- reasons ------------------------------------------------------------------------------------------------------------- */

/* Once: each is a row of the history. But what is shown is why it is held now. */
static void test_held_is_noted_once(void **state)
{
	static const struct {
		const char *reason;
		enum rollout_action want;
	} rows[] = {
	    {"turn_latency: 1 of 50 sessions", ROLLOUT_NOTE},       {"turn_latency: 49 of 50 sessions", ROLLOUT_STAY},
	    {"judge: come back later, request 4711", ROLLOUT_STAY}, {"judge: \x01", ROLLOUT_STAY},
	    {"accuracy: 49 of 50 sessions", ROLLOUT_STAY},
	};
	struct rollout rollout = rollout_in(R, 0);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rollout_facts facts = facts_at(HOLD + (int64_t)i, GATE_INCONCLUSIVE);

		strcpy(facts.gate_reason, rows[i].reason);
		row_assert(rollout_next(&rollout, &facts) == rows[i].want, rows[i].reason, "at row %zu", i);
		row_assert(rollout.state == H && strncmp(rollout.reason, rows[i].reason, 5) == 0, rows[i].reason, "said %s",
			   rollout.reason);
	}
}

/* A gate that is past is told of: what it said, or how much of the hold was left. */
static void test_promotion_says_what_it_passed_over(void **state)
{
	struct rollout held = rollout_in(H, 1), running = rollout_in(R, 1);

	(void)state;
	happen(&held, PROMOTE);
	assert_string_equal(held.reason,
			    "promoted from step 2 of 4 (25 %): so it be (it was held: turn_latency: 37 of 50 sessions)");
	send(&running, ROLLOUT_PROMOTE, true, 2, 3 * MINUTE);
	assert_string_equal(running.reason, "promoted from step 2 of 4 (25 %): so it be (7m of its hold were left)");
}

/* However long what it is told, and wherever that is cut: whole characters, and a closing NUL. */
static void test_long_reasons(void **state)
{
	(void)state;
	for (size_t shift = 0; shift < 2; shift++) {
		struct rollout rollout = rollout_in(R, 1);
		struct rollout_facts facts = facts_at(0, GATE_FAIL);
		json_t *printed;

		for (size_t i = shift; i + 2 < sizeof(facts.gate_reason); i += 2)
			memcpy(facts.gate_reason + i, "\xc3\xa9", 3);
		assert_int_equal(rollout_next(&rollout, &facts), ROLLOUT_ROLL_BACK);
		assert_int_equal(strlen(rollout.reason), ROLLOUT_REASON_SIZE - 1);
		printed = rollout_print(&rollout);
		assert_non_null(printed);
		assert_string_equal(json_string_value(json_object_get(printed, "reason")), rollout.reason);
		json_decref(printed);
	}
}

static void test_without_gates(void **state)
{
	struct rollout rollout = rollout_in(R, 1);

	(void)state;
	rollout.without_gates = true;
	assert_int_equal(happen(&rollout, HOLDING_FAIL), ROLLOUT_STAY);
	assert_int_equal(happen(&rollout, LOCKED_FAIL), ROLLOUT_NOTE);
	assert_int_equal(happen(&rollout, OVER_ERROR), ROLLOUT_SET);
	assert_int_equal(happen(&rollout, CLOSED), ROLLOUT_ROLL_BACK);
}

static void test_worse(void **state)
{
	static const enum gate_verdict rising[] = {GATE_PASS, GATE_INCONCLUSIVE, GATE_ERROR, GATE_FAIL};

	(void)state;
	for (size_t i = 0; i < COUNT(rising); i++)
		for (size_t j = 0; j < COUNT(rising); j++)
			assert_int_equal(rollout_worse(rising[i], rising[j]), rising[i > j ? i : j]);
}

/* --- storage ------------------------------------------------------------------------------------------------------------- */

static struct rollout stored(const struct rollout *rollout)
{
	json_t *printed = rollout_print(rollout), *again;
	struct rollout read;
	struct error err;
	char *text;

	assert_non_null(printed);
	text = json_dumps(printed, 0);
	again = json_loads(text, 0, NULL);
	memset(&read, 0xa5, sizeof(read));
	if (rollout_read(again, &read, &err))
		fail_msg("%s: %s", err.message, text);
	free(text);
	json_decref(printed);
	json_decref(again);
	return read;
}

/* Nothing is re-ramped: killed at any instant, it goes on as if it had not been. */
static void test_a_restart_changes_nothing(void **state)
{
	static const enum rollout_state states[] = {ROLLOUT_NONE, R, H, P, C, B};

	(void)state;
	for (size_t i = 0; i < COUNT(states); i++)
		for (uint32_t step = 0; step < 4; step++)
			for (enum event event = 0; event < EVENTS; event++) {
				struct rollout a = rollout_in(states[i], step), b = stored(&a);

				assert_true(rollout_is_same(&a, &b));
				assert_int_equal(happen(&a, event), happen(&b, event));
				assert_true(rollout_is_same(&a, &b));
				b = stored(&a);
				assert_true(rollout_is_same(&a, &b));
			}
}

static void test_every_member_is_stored(void **state)
{
	struct rollout_plan plan = plan_of("0.1:1ms,12.5:3650d,100");
	struct rollout a, b;

	(void)state;
	memset(&a, 0, sizeof(a));
	plan.on_new_target = ON_NEW_QUEUE;
	rollout_begin(&a, "green-123456789012345678901234", "blue", &plan, true, "why \"so\" \xc3\xa9", at(1));
	strcpy(a.queued, "red");
	strcpy(a.queued_baseline, "green-123456789012345678901234");
	a.queued_plan = plan_of("7:1s,100:2s");
	a.queued_without_gates = true;
	strcpy(a.changed, "model, prompts");
	a.number = 1ull << 60;
	a.cohort = UINT32_MAX;
	a.state = P;
	a.step = 2;
	a.paused_ms = 17;
	a.step_began = at(2);
	a.paused_at = at(3);
	for (size_t i = 0; i < SETTINGS_GATES_MAX; i++) {
		struct gate_memory *memory = &a.memory[i];

		memory->verdict = (enum gate_verdict)(i % 4);
		memory->looks = 1 + (uint32_t)i;
		memory->looked_at = 1e17 / (3 + (double)i);
		memory->bad = 2;
		memory->good = 3;
		memory->errors = UINT32_MAX;
		snprintf(memory->reason, sizeof(memory->reason), "gate %zu", i);
	}
	b = stored(&a);
	assert_true(rollout_is_same(&a, &b));
	a.memory[2].looked_at = NAN;
	assert_null(rollout_print(&a));
}

/* Each member in turn: missing, of a wrong type, and beyond its range. */
static void test_what_is_not_read(void **state)
{
	static const struct {
		const char *key, *value;
	} rows[] = {
	    {"state", "\"paused\""},
	    {"state", "\"begun\""},
	    {"state", "\"complete\""},
	    {"number", "0"},
	    {"number", "-1"},
	    {"target", "\"\""},
	    {"baseline", "\"\""},
	    {"step", "4"},
	    {"step", "-1"},
	    {"step", "1.0"},
	    {"ended_ms", "5"},
	    {"paused_at_ms", "5"},
	    {"paused_ms", "-1"},
	    {"began_ms", "9223372036854775807"},
	    {"without_gates", "1"},
	    {"on_new_target", "\"wait\""},
	    {"memory", "[{}]"},
	    {"memory", "{}"},
	    {"more", "1"},
	    {"reason", "\"a\\u0000b\""},
	    {"target", "\"12345678901234567890123456789012\""},
	    {"steps", "[]"},
	    {"queued", "\"red\""},
	    {"queued_steps", "[{\"weight\":1000,\"hold_ms\":1}]"},
	    {"queued_steps", "[{\"weight\":50,\"hold_ms\":1}]"},
	    {"steps", "[{\"weight\":50,\"hold_ms\":1},{\"weight\":50,\"hold_ms\":1}]"},
	    {"steps", "[{\"weight\":50,\"hold_ms\":1},{\"weight\":900,\"hold_ms\":1}]"},
	    {"steps", "[{\"weight\":50,\"hold_ms\":1},{\"weight\":1001,\"hold_ms\":1}]"},
	    {"steps", "[{\"weight\":50,\"hold_ms\":1},{\"weight\":1000,\"hold_ms\":-1}]"},
	    {"memory",
	     "[{\"verdict\":\"good\",\"looks\":1,\"looked_at\":1,\"bad\":0,\"good\":0,\"errors\":0,\"reason\":\"\"}]"},
	    {"memory",
	     "[{\"verdict\":\"pass\",\"looks\":1,\"looked_at\":-1.5,\"bad\":0,\"good\":0,\"errors\":0,\"reason\":\"\"}]"},
	};
	struct rollout rollout = rollout_in(R, 1), read, before;
	json_t *printed = rollout_print(&rollout), *copy;
	struct error err;
	const char *key;
	json_t *value;

	(void)state;
	memset(&read, 0x5a, sizeof(read));
	before = read;
	for (size_t i = 0; i < COUNT(rows); i++) {
		copy = json_copy(printed);
		value = json_loads(rows[i].value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
		assert_non_null(value);
		json_object_set_new(copy, rows[i].key, value);
		row_assert(rollout_read(copy, &read, &err) == -ERROR_BAD_INPUT && err.message[0], rows[i].value, "taken as %s",
			   rows[i].key);
		json_decref(copy);
	}
	json_object_foreach(printed, key, value)
	{
		copy = json_copy(printed);
		json_object_set_new(copy, key, json_null());
		row_assert(rollout_read(copy, &read, &err) == -ERROR_BAD_INPUT && strstr(err.message, key), key,
			   "taken as null");
		json_object_del(copy, key);
		row_assert(rollout_read(copy, &read, &err) == -ERROR_BAD_INPUT && strstr(err.message, key), key, "not missed");
		json_decref(copy);
	}
	assert_int_equal(rollout_read(NULL, &read, &err), -ERROR_BAD_INPUT);
	assert_memory_equal(&read, &before, sizeof(read));
	json_decref(printed);
}

/* --- a long random walk -------------------------------------------------------------------------------------------------- */

static uint32_t seed = 4;

static uint32_t below(uint32_t limit)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)seed * limit >> 32);
}

/* What the target's share is, as far as the caller would have set it. */
static uint32_t exposure_after(const struct rollout *rollout, int action, uint32_t before)
{
	switch (action) {
	case ROLLOUT_SET:
		return rollout->plan.stages[rollout->step].weight;
	case ROLLOUT_FINISH:
		return 1000;
	case ROLLOUT_ROLL_BACK:
		return 0;
	default:
		return before;
	}
}

static void walk_begin(struct rollout *rollout, int64_t now)
{
	static const char *const plans[] = {"5,25,50,100", "100", "1:1m,100:1m", "0.1:1s,10:5m,20:1h,30:1m,100:30m"};
	struct rollout_plan plan = plan_of(plans[below(COUNT(plans))]);

	rollout_begin(rollout, "green", "blue", &plan, below(8) == 0, "walk", at(now));
}

/* One automatic step, checked against what may be at all. */
static void walk_next(struct rollout *rollout, int64_t now, uint32_t *exposure)
{
	struct rollout before = *rollout;
	struct rollout_facts facts = facts_at(now, (enum gate_verdict)below(3));
	bool active = rollout_is_active(rollout), failed, evidence;
	int64_t left = rollout_hold_left_ms(rollout, facts.now);
	int action;
	uint32_t share;

	if (below(8) == 0) /* GATE_FAIL is 2; errors are 3 */
		facts.gates = GATE_ERROR;
	if (facts.gates == GATE_FAIL && below(4))
		facts.gates = GATE_PASS;
	facts.locked = below(4) == 0;
	facts.target_closed = below(100) ? NULL : "it was drained";
	facts.answer_missing = below(4) == 0;
	failed = facts.gates == GATE_FAIL && !rollout->without_gates;
	evidence = facts.gates == GATE_PASS || rollout->without_gates;
	action = (int)rollout_next(rollout, &facts);
	share = exposure_after(rollout, action, *exposure);
	if (!active)
		assert_true(action == ROLLOUT_STAY && rollout->state == before.state);
	if (active && (failed || facts.target_closed))
		assert_true(action == ROLLOUT_ROLL_BACK && rollout->state == B);
	if (active && !failed && !facts.target_closed)
		assert_true(action != ROLLOUT_ROLL_BACK);
	if (share > *exposure || action == ROLLOUT_SET)
		assert_true(evidence && !facts.locked && before.state != P && left == 0 && rollout->step == before.step + 1);
	if (action == ROLLOUT_FINISH)
		assert_true(before.step + 1 == before.plan.stage_count && before.state != P && !facts.locked && left == 0 &&
			    !failed);
	if (action == ROLLOUT_FINISH && facts.gates == GATE_INCONCLUSIVE && !rollout->without_gates)
		assert_false(facts.answer_missing);
	if (action == ROLLOUT_STAY && before.state == H)
		memcpy(before.reason, rollout->reason, sizeof(before.reason));
	if (action == ROLLOUT_STAY)
		assert_memory_equal(&before, rollout, sizeof(before));
	*exposure = share;
}

static void walk_order(struct rollout *rollout, int64_t now, uint32_t *exposure)
{
	enum rollout_verb verb = (enum rollout_verb)below(5);
	bool full = below(8) == 0;
	uint32_t from = below(3) ? 0 : 1 + below(4);
	struct rollout before = *rollout;
	int action;

	if (verb == ROLLOUT_ABORT && below(4))
		verb = ROLLOUT_RESUME;
	action = send(rollout, verb, full, from, now);
	if (action < 0)
		assert_memory_equal(&before, rollout, sizeof(before));
	if (verb == ROLLOUT_PROMOTE && action == ROLLOUT_SET)
		assert_int_equal(rollout->step, full ? rollout->plan.stage_count - 1 : before.step + 1);
	if (verb == ROLLOUT_PROMOTE && action > 0 && from)
		assert_int_equal(from, before.step + 1);
	if (!rollout_is_active(&before) && verb != ROLLOUT_RETRY)
		assert_true(action < 0);
	*exposure = exposure_after(rollout, action, *exposure);
}

static void test_random_walk(void **state)
{
	unsigned int ends[ROLLOUT_ROLLED_BACK + 1] = {0};
	struct rollout rollout = {0};
	uint32_t exposure = 0;
	int64_t now = 0;

	(void)state;
	for (unsigned int i = 0; i < 100000; i++) {
		if (!rollout_is_active(&rollout) && below(20) == 0) {
			ends[rollout.state]++;
			walk_begin(&rollout, now);
			exposure = rollout.plan.stages[0].weight;
		}
		now += (int64_t)below(3 * MINUTE);
		if (below(50) == 0)
			now -= (int64_t)below(30 * MINUTE);
		if (below(10) == 0)
			walk_order(&rollout, now, &exposure);
		else
			walk_next(&rollout, now, &exposure);
		assert_true(rollout.state == ROLLOUT_NONE || rollout.step < rollout.plan.stage_count);
		if (rollout_is_active(&rollout))
			assert_int_equal(exposure, rollout.plan.stages[rollout.step].weight);
		assert_true(rollout_step_ms(&rollout, at(now)) >= 0);
		if (below(16) == 0)
			rollout = stored(&rollout);
	}
	assert_true(ends[C] > 20 && ends[B] > 200); /* else the walk met too little */
}

/* --- plans --------------------------------------------------------------------------------------------------------------- */

static void test_plans(void **state)
{
	static const struct {
		const char *text;
		size_t count;
		uint32_t first, last;
		int64_t first_hold, last_hold;
	} rows[] = {
	    {"5,25,50,100", 4, 50, 1000, HOLD, HOLD},
	    {"5:10m,25:15m,100", 3, 50, 1000, 10 * MINUTE, HOLD},
	    {"100", 1, 1000, 1000, HOLD, HOLD},
	    {"0.1:1s,100:1h30m", 2, 1, 1000, 1000, 90 * MINUTE},
	    {"5%,12.5%:1h,100%", 3, 50, 1000, HOLD, HOLD},
	    {"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,100", 20, 10, 1000, HOLD, HOLD},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rollout_plan plan = plan_of(rows[i].text);

		row_assert(plan.stage_count == rows[i].count, rows[i].text, "%zu steps", plan.stage_count);
		row_assert(plan.stages[0].weight == rows[i].first && plan.stages[0].hold.ms == rows[i].first_hold, rows[i].text,
			   "first %u %lld", plan.stages[0].weight, (long long)plan.stages[0].hold.ms);
		row_assert(plan.stages[rows[i].count - 1].weight == rows[i].last &&
			       plan.stages[rows[i].count - 1].hold.ms == rows[i].last_hold,
			   rows[i].text, "last %u", plan.stages[rows[i].count - 1].weight);
	}
}

static void test_plans_refused(void **state)
{
	static const struct {
		const char *text, *complaint;
	} rows[] = {
	    {"", "there is no step"},
	    {"5,25,25,100", "step 3: 25 % is not more than the 25 % before it"},
	    {"50,5,100", "step 2: 5 % is not more than the 50 %"},
	    {"5,25,50", "step 3: it is the last one and gives 50 %; the last step must be 100"},
	    {"5,100,100", "step 3: 100 % is not more"},
	    {"0,100", "step 1: a weight of 0"},
	    {"5,101", "step 2: '101' is out of range"},
	    {"5,0.05,100", "step 2: '0.05' is too fine"},
	    {"5,-5,100", "step 2: '-5' is negative"},
	    {"5:10,100", "step 1: '10' is not a duration: a number needs a unit"},
	    {"5,25:0s,100", "step 2: '0s' is not a duration"},
	    {"5:,100", "step 1: '' is not a duration"},
	    {"5,,100", "step 2: '' is not a percentage"},
	    {"5,100,", "step 3: '' is not a percentage"},
	    {"5, 100", "step 2: ' 100' is not a percentage"},
	    {"5:10m:5m,100", "step 1: '10m:5m' is not a duration"},
	    {"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,100", "step 21: it is one too many; a rollout has at most 20"},
	    {"5,11111111111111111111111111111111111111111111111111111111111111111111,100",
	     "step 2: '11111111111111111111...' is too"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rollout_plan plan = {.stage_count = 4711};
		struct error err = {0};
		int rc = rollout_plan_parse(rows[i].text, (struct duration){HOLD}, "--steps", &plan, &err);

		row_assert(rc == -ERROR_BAD_INPUT && plan.stage_count == 4711, rows[i].text, "returned %d", rc);
		row_assert(strstr(err.message, rows[i].complaint) && !strcmp(err.field, "--steps"), rows[i].text, "said: %s",
			   err.message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_ended),
	    cmocka_unit_test(test_retry),
	    cmocka_unit_test(test_offer),
	    cmocka_unit_test(test_pause_stops_the_clock),
	    cmocka_unit_test(test_the_clock_is_set_back),
	    cmocka_unit_test(test_held_is_noted_once),
	    cmocka_unit_test(test_promotion_says_what_it_passed_over),
	    cmocka_unit_test(test_long_reasons),
	    cmocka_unit_test(test_without_gates),
	    cmocka_unit_test(test_worse),
	    cmocka_unit_test(test_a_restart_changes_nothing),
	    cmocka_unit_test(test_every_member_is_stored),
	    cmocka_unit_test(test_what_is_not_read),
	    cmocka_unit_test(test_random_walk),
	    cmocka_unit_test(test_plans),
	    cmocka_unit_test(test_plans_refused),
	};

	return cmocka_run_group_tests_name("rollout", tests, NULL, NULL);
}
