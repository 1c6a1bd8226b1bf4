// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A rollout as JSON and back, complete. The reader takes what it finds as a stranger's: what the machine relies on (a step within the
 * plan, weights that rise, times that can be subtracted) is checked here, so that the machine need not.
 */
#include <string.h>
#include "common/text.h"
#include "json_reader.h"
#include "rollout.h"

#define HOLD_MAX_MS (3650ll * 24 * 3600 * 1000)

/* By the values of their enums, as they are stored. */
static const char *const verdict_words[] = {"inconclusive", "pass", "fail", "error", NULL};
static const char *const on_new_words[] = {"supersede", "queue", "reject", NULL};

/* --- printing ------------------------------------------------------------------------------------------------------------ */

static json_t *print_stages(const struct rollout_plan *plan)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; array && i < plan->stage_count; i++)
		if (json_array_append_new(array, json_pack("{s:I, s:I}", "weight", (json_int_t)plan->stages[i].weight,
							   "hold_ms", (json_int_t)plan->stages[i].hold.ms))) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *print_one_memory(const struct gate_memory *memory)
{
	char reason[GATE_REASON_SIZE];

	memcpy(reason, memory->reason, sizeof(reason));
	reason[sizeof(reason) - 1] = '\0';
	text_clean(reason);
	return json_pack("{s:s, s:I, s:f, s:I, s:I, s:I, s:s}", "verdict", verdict_words[memory->verdict], "looks",
			 (json_int_t)memory->looks, "looked_at", memory->looked_at, "bad", (json_int_t)memory->bad, "good",
			 (json_int_t)memory->good, "errors", (json_int_t)memory->errors, "reason", reason);
}

static bool memory_is_empty(const struct gate_memory *memory)
{
	static const struct gate_memory empty;

	return memory->verdict == empty.verdict && !memory->looks && memory->looked_at == 0 && !memory->bad && !memory->good &&
	       !memory->errors && !memory->reason[0];
}

/* Empty ones at the end are left out. */
static json_t *print_memory(const struct gate_memory memory[SETTINGS_GATES_MAX])
{
	size_t i, count = SETTINGS_GATES_MAX;
	json_t *array = json_array();

	while (count && memory_is_empty(&memory[count - 1]))
		count--;
	for (i = 0; array && i < count; i++)
		if (json_array_append_new(array, print_one_memory(&memory[i]))) {
			json_decref(array);
			return NULL;
		}
	return array;
}

json_t *rollout_print(const struct rollout *rollout)
{
	char reason[ROLLOUT_REASON_SIZE];

	memcpy(reason, rollout->reason, sizeof(reason));
	text_clean(reason);
	return json_pack(
	    "{s:I, s:s, s:s, s:s, s:s, s:s, s:o, s:b, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:s, s:s, s:I, s:o}",
	    "number", (json_int_t)rollout->number, "state", rollout_state_words[rollout->state], "target", rollout->target,
	    "baseline", rollout->baseline, "queued", rollout->queued, "queued_baseline", rollout->queued_baseline,
	    "queued_steps", print_stages(&rollout->queued_plan), "queued_without_gates", (int)rollout->queued_without_gates,
	    "on_new_target", on_new_words[rollout->plan.on_new_target], "steps", print_stages(&rollout->plan), "step",
	    (json_int_t)rollout->step, "began_ms", (json_int_t)rollout->began.unix_ms, "ended_ms",
	    (json_int_t)rollout->ended.unix_ms, "step_began_ms", (json_int_t)rollout->step_began.unix_ms, "paused_ms",
	    (json_int_t)rollout->paused_ms, "paused_at_ms", (json_int_t)rollout->paused_at.unix_ms, "without_gates",
	    (int)rollout->without_gates, "changed", rollout->changed, "reason", reason, "cohort", (json_int_t)rollout->cohort,
	    "memory", print_memory(rollout->memory));
}

/* --- reading ------------------------------------------------------------------------------------------------------------- */

static int read_stage(const json_t *object, struct rollout_stage *stage, struct error *err)
{
	struct json_reader reader = {.object = object, .what = "step of a rollout", .err = err};

	stage->weight = (uint32_t)json_take_number(&reader, "weight", 1000);
	stage->hold.ms = json_take_number(&reader, "hold_ms", HOLD_MAX_MS);
	return json_reader_end(&reader);
}

static int read_stages(struct json_reader *reader, const char *key, struct rollout_plan *plan)
{
	const json_t *array = json_take_array(reader, key, SETTINGS_STEPS_MAX);
	uint32_t before = 0;
	size_t i;

	for (i = 0; !reader->rc && i < json_array_size(array); i++) {
		reader->rc = read_stage(json_array_get(array, i), &plan->stages[i], reader->err);
		if (!reader->rc && plan->stages[i].weight <= before)
			json_reader_fail(reader, key, "do not rise");
		before = plan->stages[i].weight;
	}
	plan->stage_count = i;
	if (!reader->rc && i && before != 1000)
		json_reader_fail(reader, key, "do not end with 1000");
	return reader->rc;
}

static int read_one_memory(const json_t *object, struct gate_memory *memory, struct error *err)
{
	struct json_reader reader = {.object = object, .what = "memory of a gate", .err = err};

	memory->verdict = (enum gate_verdict)json_take_word(&reader, "verdict", verdict_words);
	memory->looks = json_take_u32(&reader, "looks");
	memory->looked_at = json_take_real(&reader, "looked_at");
	memory->bad = json_take_u32(&reader, "bad");
	memory->good = json_take_u32(&reader, "good");
	memory->errors = json_take_u32(&reader, "errors");
	json_take_text(&reader, "reason", memory->reason, sizeof(memory->reason));
	return json_reader_end(&reader);
}

static int read_memory(struct json_reader *reader, struct gate_memory memory[SETTINGS_GATES_MAX])
{
	const json_t *array = json_take_array(reader, "memory", SETTINGS_GATES_MAX);
	size_t i;

	for (i = 0; !reader->rc && i < json_array_size(array); i++)
		reader->rc = read_one_memory(json_array_get(array, i), &memory[i], reader->err);
	return reader->rc;
}

/* What each member says by itself is right; do they fit together? */
static int check(struct json_reader *reader, const struct rollout *rollout)
{
	bool paused = rollout->state == ROLLOUT_PAUSED, active = rollout_is_active(rollout);

	if (reader->rc || rollout->state == ROLLOUT_NONE)
		return reader->rc;
	if (!rollout->number)
		return json_reader_fail(reader, "number", "is 0, though there is one");
	if (!rollout->target[0] || !rollout->baseline[0])
		return json_reader_fail(reader, "target", "or baseline is empty");
	if (rollout->step >= rollout->plan.stage_count)
		return json_reader_fail(reader, "step", "is not one of its steps");
	if (paused != (rollout->paused_at.unix_ms != 0))
		return json_reader_fail(reader, "paused_at_ms", "does not fit the state");
	if ((rollout->queued[0] != '\0') != (rollout->queued_plan.stage_count != 0))
		return json_reader_fail(reader, "queued_steps", "does not fit what is queued");
	if (active != (rollout->ended.unix_ms == 0))
		return json_reader_fail(reader, "ended_ms", "does not fit the state");
	return 0;
}

int rollout_read(const json_t *object, struct rollout *rollout, struct error *err)
{
	struct json_reader reader = {.object = object, .what = "rollout", .err = err};
	struct rollout read;

	memset(&read, 0, sizeof(read));
	read.number = (uint64_t)json_take_number(&reader, "number", INT64_MAX);
	read.state = (enum rollout_state)json_take_word(&reader, "state", rollout_state_words);
	json_take_text(&reader, "target", read.target, sizeof(read.target));
	json_take_text(&reader, "baseline", read.baseline, sizeof(read.baseline));
	json_take_text(&reader, "queued", read.queued, sizeof(read.queued));
	json_take_text(&reader, "queued_baseline", read.queued_baseline, sizeof(read.queued_baseline));
	read_stages(&reader, "queued_steps", &read.queued_plan);
	read.queued_without_gates = json_take_bool(&reader, "queued_without_gates");
	read.plan.on_new_target = (enum on_new_target)json_take_word(&reader, "on_new_target", on_new_words);
	read_stages(&reader, "steps", &read.plan);
	read.step = json_take_u32(&reader, "step");
	read.began = json_take_instant(&reader, "began_ms");
	read.ended = json_take_instant(&reader, "ended_ms");
	read.step_began = json_take_instant(&reader, "step_began_ms");
	read.paused_ms = json_take_number(&reader, "paused_ms", JSON_TIME_MAX_MS);
	read.paused_at = json_take_instant(&reader, "paused_at_ms");
	read.without_gates = json_take_bool(&reader, "without_gates");
	json_take_text(&reader, "changed", read.changed, sizeof(read.changed));
	json_take_text(&reader, "reason", read.reason, sizeof(read.reason));
	read.cohort = json_take_u32(&reader, "cohort");
	read_memory(&reader, read.memory);
	json_reader_end(&reader);
	if (check(&reader, &read))
		return reader.rc;
	rollout_number_gates(&read);
	*rollout = read;
	return 0;
}
