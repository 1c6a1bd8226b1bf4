// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Settings as JSON and back; gates: settings_gate.c. All that can be wrong with them is found here, for the file, the API and the
 * database alike. What is not is written as a word: "none", and "default" for the gates that the kernel has by itself.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <rainbow/types.h>
#include "common/settings_gate.h"
#include "common/text.h"

#define PACE_MAX   1000000
#define HOLD_MS    (10 * 60 * 1000)
#define STEP_WHOLE 1000

static const char *const on_deadline_words[] = {"reset", "hold", NULL};
static const char *const on_max_words[] = {"reject", "force_oldest", NULL};
static const char *const on_new_words[] = {"supersede", "queue", "reject", NULL};

/* --- drain ------------------------------------------------------------------------------------------------------------------------ */

static const char *hook_complaint(const char *hook)
{
	if (!strncmp(hook, "http:", 5) || !strncmp(hook, "https:", 6))
		return url_complaint(hook);
	return path_complaint(hook) ? "is neither a URL (http://, https://) nor the absolute path of a program" : NULL;
}

static int take_hook(const struct field *object, const char *key, char out[SETTINGS_TEXT_SIZE],
		     const char *(*complaint)(const char *text), struct error *err)
{
	struct field field;
	const char *wrong;
	int rc = field_take_text(object, key, out, SETTINGS_TEXT_SIZE, err);

	if (rc || !field_member(object, key, &field))
		return rc;
	if (!strcmp(out, "none"))
		out[0] = '\0';
	wrong = out[0] ? complaint(out) : NULL;
	return wrong ? field_refuse(&field, err, "'%.100s' %s", out, wrong) : 0;
}

/* The path of a POST: it begins with / and needs no encoding. */
static const char *request_complaint(const char *path)
{
	if (path[0] != '/')
		return "must be a path on the backends, like /drain";
	for (const char *c = path; *c; c++)
		if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f || *c == '#')
			return "holds a character that a path must encode";
	return NULL;
}

/* "50/s" */
static int take_pace(const struct field *object, uint32_t *out, struct error *err)
{
	const char *text = "";
	char digits[16] = "";
	struct field field;
	uint64_t number = 0;
	size_t length;
	int rc;

	if (!field_member(object, "pace", &field))
		return 0;
	if (json_is_number(field.json))
		return field_refuse(&field, err, "needs a unit: write it like 50/s, or none");
	rc = field_text(&field, &text, err);
	if (rc)
		return rc;
	length = strlen(text);
	if (length > 2 && length < sizeof(digits) && !strcmp(text + length - 2, "/s"))
		memcpy(digits, text, length - 2);
	if (strcmp(text, "none") && number_parse(digits, 1, PACE_MAX, &number, "", NULL))
		return field_refuse(&field, err, "'%.40s' is not a pace: write 1/s to %d/s, or none", text, PACE_MAX);
	*out = (uint32_t)number;
	return 0;
}

/* Across keys: also what stood there before. The field is the one that this object names. */
static int check_warning(const struct field *object, const struct drain_policy *drain, struct error *err)
{
	struct field field;

	if (!field_member(object, "warn_before", &field) && !field_member(object, "deadline", &field))
		field = *object;
	if (drain->warn_before.ms && !drain->deadline.ms)
		return field_refuse(&field, err, "without a deadline there is nothing to warn of before (warn_before)");
	if (drain->warn_before.ms && drain->warn_before.ms >= drain->deadline.ms)
		return field_refuse(&field, err,
				    "the warning (warn_before) must come after the drain began: be shorter than the deadline");
	if (!field_member(object, "on_warn", &field) && !field_member(object, "warn_backends", &field))
		field_member(object, "warn_before", &field);
	if ((drain->on_warn[0] || drain->warn_backends[0]) && !drain->warn_before.ms)
		return field_refuse(&field, err, "nobody is ever warned: say when, with warn_before");
	return 0;
}

static int read_drain(const struct field *object, struct drain_policy *drain, struct error *err)
{
	static const char *const keys[] = {"deadline", "on_deadline",   "warn_before", "pace", "keep_warm",
					   "on_warn",  "warn_backends", "on_drained",  NULL};
	unsigned int on_deadline = drain->on_deadline;
	int rc = field_check_object(object, keys, err);

	rc = rc ? rc : field_take_duration(object, "deadline", true, &drain->deadline, err);
	rc = rc ? rc : field_take_word(object, "on_deadline", on_deadline_words, 0, &on_deadline, err);
	drain->on_deadline = (enum on_deadline)on_deadline;
	rc = rc ? rc : field_take_duration(object, "warn_before", true, &drain->warn_before, err);
	rc = rc ? rc : take_pace(object, &drain->pace, err);
	rc = rc ? rc : field_take_duration(object, "keep_warm", true, &drain->keep_warm, err);
	rc = rc ? rc : take_hook(object, "on_warn", drain->on_warn, hook_complaint, err);
	rc = rc ? rc : take_hook(object, "warn_backends", drain->warn_backends, request_complaint, err);
	rc = rc ? rc : take_hook(object, "on_drained", drain->on_drained, hook_complaint, err);
	return rc ? rc : check_warning(object, drain, err);
}

/* --- gates ------------------------------------------------------------------------------------------------------------------------ */

static int check_gate_name(const struct field *object, const struct gate *gates, size_t count, struct error *err)
{
	struct field name;

	field_member(object, "name", &name);
	for (size_t i = 0; i < count; i++)
		if (!strcmp(gates[i].name, gates[count].name))
			return field_refuse(&name, err, "gate %s is there already, as element %zu", gates[i].name, i);
	return 0;
}

/* A list, or the word "default". On an error too, the caller frees what is in settings->gates. */
static int read_gates(const struct field *list, struct settings *settings, struct error *err)
{
	size_t count = json_array_size(list->json);
	struct field object;
	int rc;

	if (json_is_string(list->json) && !strcmp(json_string_value(list->json), "default")) {
		settings->gates_given = false;
		return 0;
	}
	if (!json_is_array(list->json))
		return field_refuse(list, err, "must be a list of gates, or default for the kernel's own");
	rc = field_check_array(list, SETTINGS_GATES_MAX, err);
	if (rc)
		return rc;
	settings->gates_given = true;
	settings->gates = count ? calloc(count, sizeof(*settings->gates)) : NULL;
	if (count && !settings->gates)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	for (size_t i = 0; i < count && field_element(list, i, &object); i++) {
		rc = gate_read(&object, &settings->gates[i], err);
		rc = rc ? rc : check_gate_name(&object, settings->gates, i, err);
		if (rc)
			return rc;
		settings->gate_count = i + 1;
	}
	return 0;
}

/* What a gate measures, the service must speak. */
static int check_signals(const struct field *object, const struct settings *settings, struct error *err)
{
	struct field gates, gate, field;

	for (size_t i = 0; i < settings->gate_count; i++) {
		if (settings->gates[i].signal != GATE_SIGNAL_HTTP_ERRORS || settings->http)
			continue;
		if (field_member(object, "gates", &gates) && field_element(&gates, i, &gate))
			field_member(&gate, "signal", &field);
		else
			field_member(object, "http", &field);
		return field_refuse(&field, err, "gate %s counts http_errors, which needs http: true", settings->gates[i].name);
	}
	return 0;
}

/* --- rollout ------------------------------------------------------------------------------------------------------------------------ */

static int read_step(const struct field *object, struct rollout_stage *stage, struct error *err)
{
	static const char *const keys[] = {"weight", "hold", NULL};
	struct field weight;
	int rc = field_check_object(object, keys, err);

	rc = rc ? rc : field_require(object, "weight", err);
	if (rc)
		return rc;
	field_member(object, "weight", &weight);
	stage->hold.ms = HOLD_MS;
	rc = field_permille(&weight, &stage->weight, err);
	return rc ? rc : field_take_duration(object, "hold", false, &stage->hold, err);
}

static int read_steps(const struct field *list, struct rollout_plan *plan, struct error *err)
{
	struct field object, weight;
	uint32_t before = 0;
	int rc = field_check_array(list, SETTINGS_STEPS_MAX, err);

	if (rc)
		return rc;
	plan->stage_count = 0;
	for (size_t i = 0; field_element(list, i, &object); i++) {
		rc = read_step(&object, &plan->stages[i], err);
		if (rc)
			return rc;
		field_member(&object, "weight", &weight);
		if (plan->stages[i].weight <= before)
			return field_refuse(&weight, err,
					    i ? "does not rise: each step must be above the one before" : "must be above 0");
		before = plan->stages[i].weight;
		plan->stage_count = i + 1;
	}
	if (!plan->stage_count)
		return field_refuse(list, err, "there is no step; the last one must be 100");
	if (before != STEP_WHOLE)
		return field_refuse(&weight, err, "the last step must be 100");
	return 0;
}

static int read_rollout(const struct field *object, struct rollout_plan *plan, struct error *err)
{
	static const char *const keys[] = {"steps", "on_new_target", NULL};
	unsigned int on_new = plan->on_new_target;
	struct field steps;
	int rc = field_check_object(object, keys, err);

	if (!rc && field_member(object, "steps", &steps))
		rc = read_steps(&steps, plan, err);
	rc = rc ? rc : field_take_word(object, "on_new_target", on_new_words, 0, &on_new, err);
	plan->on_new_target = (enum on_new_target)on_new;
	return rc;
}

/* --- all of it ------------------------------------------------------------------------------------------------------------------------ */

/* Into a copy whose gates, if they are read, are its own. */
static int read_all(const struct field *object, struct settings *settings, bool *gates_read, struct error *err)
{
	static const char *const keys[] = {"http", "drain", "max_versions", "on_max_versions", "gates", "rollout", NULL};
	unsigned int on_max = settings->on_max_versions;
	struct field field;
	int rc = field_check_object(object, keys, err);

	rc = rc ? rc : field_take_bool(object, "http", &settings->http, err);
	if (!rc && field_member(object, "drain", &field))
		rc = read_drain(&field, &settings->drain, err);
	rc = rc ? rc
		: field_take_number(object, "max_versions", 1, RAINBOW_MAX_VERSIONS_PER_SERVICE, &settings->max_versions, err);
	rc = rc ? rc : field_take_word(object, "on_max_versions", on_max_words, 0, &on_max, err);
	settings->on_max_versions = (enum on_max_versions)on_max;
	if (!rc && field_member(object, "gates", &field)) {
		*gates_read = true;
		settings->gates = NULL;
		settings->gate_count = 0;
		rc = read_gates(&field, settings, err);
	}
	if (!rc && field_member(object, "rollout", &field))
		rc = read_rollout(&field, &settings->plan, err);
	return rc ? rc : check_signals(object, settings, err);
}

int settings_read(const json_t *object, const char *place, struct settings *settings, struct error *err)
{
	struct settings read = *settings;
	bool gates_read = false;
	struct field field;
	int rc;

	field_begin(&field, object, place);
	rc = read_all(&field, &read, &gates_read, err);
	if (rc) {
		if (gates_read)
			free(read.gates);
		return rc;
	}
	if (gates_read)
		free(settings->gates);
	*settings = read;
	return 0;
}

static json_t *print_duration(struct duration duration)
{
	char text[DURATION_TEXT_SIZE];

	return json_string(duration_exact(duration, text));
}

static json_t *print_pace(uint32_t pace)
{
	return pace ? json_sprintf("%u/s", pace) : json_string("none");
}

static json_t *print_hook(const char *hook)
{
	return json_string(hook[0] ? hook : "none");
}

static json_t *print_drain(const struct drain_policy *drain)
{
	return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "deadline", print_duration(drain->deadline), "on_deadline",
			 on_deadline_words[drain->on_deadline], "warn_before", print_duration(drain->warn_before), "pace",
			 print_pace(drain->pace), "keep_warm", print_duration(drain->keep_warm), "on_warn",
			 print_hook(drain->on_warn), "warn_backends", print_hook(drain->warn_backends), "on_drained",
			 print_hook(drain->on_drained));
}

static json_t *print_gates(const struct settings *settings)
{
	json_t *list;

	if (!settings->gates_given)
		return json_string("default");
	list = json_array();
	for (size_t i = 0; i < settings->gate_count; i++)
		json_array_append_new(list, gate_print(&settings->gates[i]));
	return list;
}

static json_t *print_steps(const struct rollout_plan *plan)
{
	json_t *list = json_array();

	for (size_t i = 0; i < plan->stage_count; i++) {
		uint32_t weight = plan->stages[i].weight;

		json_array_append_new(list, json_pack("{s:o, s:o}", "weight",
						      weight % 10 ? json_real(weight / 10.0) : json_integer(weight / 10),
						      "hold", print_duration(plan->stages[i].hold)));
	}
	return list;
}

json_t *settings_print(const struct settings *settings)
{
	return json_pack("{s:b, s:o, s:I, s:s, s:o, s:{s:o, s:s}}", "http", (int)settings->http, "drain",
			 print_drain(&settings->drain), "max_versions", (json_int_t)settings->max_versions, "on_max_versions",
			 on_max_words[settings->on_max_versions], "gates", print_gates(settings), "rollout", "steps",
			 print_steps(&settings->plan), "on_new_target", on_new_words[settings->plan.on_new_target]);
}

bool settings_equal(const struct settings *a, const struct settings *b)
{
	json_t *printed_a = settings_print(a), *printed_b = settings_print(b);
	bool equal = printed_a && json_equal(printed_a, printed_b);

	json_decref(printed_a);
	json_decref(printed_b);
	return equal;
}
