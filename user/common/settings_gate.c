// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A gate as JSON and back. Which keys a gate has hangs on its source: one table says which sources take a key and which want it.
 * margin and the hard_max of ratios are percent in the document and fractions in struct gate.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/settings_gate.h"
#include "common/text.h"

#define LIMIT_MAX    1e15 /* of a number that a gate compares with */
#define DAY_MS       (24ll * 3600 * 1000)
#define DEFAULT_LOOK 50

/* By the values of the enums; nobody may ask for the first. */
const char *const gate_source_words[] = {"none", "kernel", "prometheus", "push", "webhook", "command", NULL};
const char *const gate_signal_words[] = {"none",   "turn_latency",  "handshake_latency", "connect_failures",
					 "resets", "resets_client", "http_errors",       NULL};
const char *const gate_kind_words[] = {"none", "ratio", "distribution", "value", "answer", NULL};
static const char *const better_words[] = {"lower", "higher", NULL};
static const char *const push_kinds[] = {"ratio", "distribution", NULL};

#define K (1u << GATE_SOURCE_KERNEL)
#define P (1u << GATE_SOURCE_PROMETHEUS)
#define U (1u << GATE_SOURCE_PUSH)
#define W (1u << GATE_SOURCE_WEBHOOK)
#define C (1u << GATE_SOURCE_COMMAND)

static const struct gate_key {
	const char *name;
	unsigned int taken, wanted; /* by the sources of these bits */
} keys[] = {
    {"name", K | P | U | W | C, K | P | U | W | C},
    {"source", K | P | U | W | C, K | P | U | W | C},
    {"signal", K, K},
    {"kind", U, 0},
    {"better", P | U, 0},
    {"margin", K | P | U, 0},
    {"floor", K | P | U, 0},
    {"quantile", K | U, 0},
    {"hard_max", K | P | U, 0},
    {"min_samples", K | P | U | W | C, 0},
    {"interval", P | W | C, 0},
    {"timeout", P | W | C, 0},
    {"window", P, 0},
    {"stale_after", U, 0},
    {"url", P | W, P | W},
    {"ca_file", P | W, 0},
    {"token_file", P | W, 0},
    {"command", C, C},
    {"query", P, P},
    {"samples_query", P, 0},
    {"shadow", K | P | U | W | C, 0},
};

#define KEYS (sizeof(keys) / sizeof(keys[0]))

static bool takes(const struct gate *gate, const char *key)
{
	for (size_t i = 0; i < KEYS; i++)
		if (!strcmp(keys[i].name, key))
			return keys[i].taken & 1u << gate->source;
	return false;
}

static int check_keys(const struct field *object, struct error *err)
{
	const char *names[KEYS + 1] = {NULL};

	for (size_t i = 0; i < KEYS; i++)
		names[i] = keys[i].name;
	return field_check_object(object, names, err);
}

/* What is there must fit the source, and what the source needs must be there. */
static int check_fit(const struct field *object, const struct gate *gate, struct error *err)
{
	unsigned int bit = 1u << gate->source;
	const char *source = gate_source_words[gate->source];

	for (size_t i = 0; i < KEYS; i++) {
		struct field field;
		bool given = field_member(object, keys[i].name, &field);

		if (given && !(keys[i].taken & bit))
			return field_refuse(&field, err, "a gate of source %s takes no %s", source, keys[i].name);
		if (!given && keys[i].wanted & bit)
			return field_refuse(&field, err, "is missing: a gate of source %s needs it", source);
	}
	return 0;
}

/* --- texts ------------------------------------------------------------------------------------------------------------------------ */

const char *url_complaint(const char *url)
{
	const char *host = !strncmp(url, "http://", 7) ? url + 7 : !strncmp(url, "https://", 8) ? url + 8 : NULL;

	if (!host)
		return "must begin with http:// or https://";
	if (!*host || strchr("/:?#", *host))
		return "has no host";
	for (const char *c = url; *c; c++)
		if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f)
			return "holds a blank or a character that a URL must encode";
	if (memchr(host, '@', strcspn(host, "/?#")))
		return "holds a name or password: it would be seen in status, history and exports; a token goes into a file";
	return NULL;
}

const char *path_complaint(const char *path)
{
	if (path[0] != '/')
		return "must be an absolute path, like /etc/rainbow/file";
	return strpbrk(path, "\n\t") ? "holds a line end or a tab" : NULL;
}

/* The text at key, if it is there, judged by `complaint`. */
static int take_judged(const struct field *object, const char *key, char *out, const char *(*complaint)(const char *text),
		       struct error *err)
{
	struct field field;
	const char *wrong;
	int rc = field_take_text(object, key, out, SETTINGS_TEXT_SIZE, err);

	if (rc || !field_member(object, key, &field))
		return rc;
	wrong = complaint(out);
	return wrong ? field_refuse(&field, err, "'%.100s' %s", out, wrong) : 0;
}

static int take_name(const struct field *object, char out[SETTINGS_NAME_SIZE], struct error *err)
{
	const char *text = "";
	struct field field;
	int rc;

	if (!field_member(object, "name", &field))
		return field_refuse(&field, err, "is missing: each gate has a name");
	rc = field_text(&field, &text, err);
	rc = rc ? rc : name_check(text, "gate", field.path, err);
	return rc ? rc : !text_copy(out, SETTINGS_NAME_SIZE, text);
}

static bool is_word_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Substitutions are few and fixed, so that a query does not change its meaning with a name. */
static int check_substitutions(const struct field *field, const char *query, struct error *err)
{
	static const char *const known[] = {"version", "baseline", "service", "window", NULL};

	for (const char *at = strchr(query, '$'); at; at = strchr(at, '$')) {
		size_t length = 0, i = 0;
		char word[32];

		if (at[1] == '$') {
			at += 2;
			continue;
		}
		while (is_word_character(at[1 + length]))
			length++;
		if (!length)
			return field_refuse(field, err,
					    "a $ stands before one of version, baseline, service, window; a literal $ is $$");
		snprintf(word, sizeof(word), "%.*s", length < sizeof(word) ? (int)length : (int)sizeof(word) - 1, at + 1);
		while (known[i] && strcmp(known[i], word))
			i++;
		if (!known[i])
			return field_refuse(
			    field, err, "$%s is unknown: there is $version, $baseline, $service, $window; a literal $ is $$",
			    word);
		at += 1 + length;
	}
	return 0;
}

static int take_query(const struct field *object, const char *key, char out[SETTINGS_QUERY_SIZE], struct error *err)
{
	struct field field;
	int rc = field_take_text(object, key, out, SETTINGS_QUERY_SIZE, err);

	if (rc || !field_member(object, key, &field))
		return rc;
	if (!out[strspn(out, " \t\n")])
		return field_refuse(&field, err, "is empty");
	return check_substitutions(&field, out, err);
}

/* --- numbers ------------------------------------------------------------------------------------------------------------------------ */

static enum gate_kind kind_of_signal(enum gate_signal signal)
{
	return signal == GATE_SIGNAL_TURN_LATENCY || signal == GATE_SIGNAL_HANDSHAKE_LATENCY ? GATE_KIND_DISTRIBUTION
											     : GATE_KIND_RATIO;
}

static int take_kind(const struct field *object, struct gate *gate, struct error *err)
{
	unsigned int signal = 0, kind = 0;
	int rc = field_take_word(object, "signal", gate_signal_words, 1, &signal, err);

	rc = rc ? rc : field_take_word(object, "kind", push_kinds, 0, &kind, err);
	gate->signal = (enum gate_signal)signal;
	if (gate->source == GATE_SOURCE_KERNEL)
		gate->kind = kind_of_signal(gate->signal);
	else if (gate->source == GATE_SOURCE_PUSH)
		gate->kind = kind ? GATE_KIND_DISTRIBUTION : GATE_KIND_RATIO;
	else
		gate->kind = gate->source == GATE_SOURCE_PROMETHEUS ? GATE_KIND_VALUE : GATE_KIND_ANSWER;
	return rc;
}

static int take_margin(const struct field *object, struct gate *gate, struct error *err)
{
	bool ratio = gate->kind == GATE_KIND_RATIO;
	double percent = ratio ? 2 : 20;
	int rc;

	if (gate->kind == GATE_KIND_ANSWER)
		return 0;
	rc = field_take_real(object, "margin", 0, ratio ? 100 : 1000, &percent, err);
	gate->margin = percent / 100;
	return rc;
}

static int take_quantile(const struct field *object, struct gate *gate, struct error *err)
{
	struct field field;

	if (field_member(object, "quantile", &field) && gate->kind != GATE_KIND_DISTRIBUTION)
		return field_refuse(&field, err, "only a distribution has quantiles; this gate judges a ratio");
	if (gate->kind != GATE_KIND_DISTRIBUTION)
		return 0;
	gate->quantile = 0.5;
	return field_take_real(object, "quantile", 0.01, 0.999, &gate->quantile, err);
}

static bool is_latency(const struct gate *gate)
{
	return gate->source == GATE_SOURCE_KERNEL && gate->kind == GATE_KIND_DISTRIBUTION;
}

static int take_floor(const struct field *object, struct gate *gate, struct error *err)
{
	struct duration latency = {SETTINGS_FLOOR_US / 1000};
	struct field field;
	int rc;

	if (!field_member(object, "floor", &field)) {
		gate->floor = is_latency(gate) ? SETTINGS_FLOOR_US : 0;
		return 0;
	}
	if (gate->kind != GATE_KIND_DISTRIBUTION && gate->kind != GATE_KIND_VALUE)
		return field_refuse(&field, err, "a ratio has none: its margin is a difference already");
	if (!is_latency(gate))
		return field_take_real(object, "floor", 0, LIMIT_MAX, &gate->floor, err);
	rc = field_take_duration(object, "floor", true, &latency, err);
	gate->floor = (double)latency.ms * 1000;
	return rc;
}

static int take_hard_max(const struct field *object, struct gate *gate, struct error *err)
{
	struct duration latency = {0};
	double percent = 0;
	struct field field;
	int rc;

	gate->has_hard_max = field_member(object, "hard_max", &field);
	if (!gate->has_hard_max)
		return 0;
	if (is_latency(gate)) {
		rc = field_take_duration(object, "hard_max", false, &latency, err);
		gate->hard_max = (double)latency.ms * 1000;
	} else if (gate->kind == GATE_KIND_RATIO) {
		rc = field_take_real(object, "hard_max", 0, 100, &percent, err);
		gate->hard_max = percent / 100;
	} else {
		rc = field_take_real(object, "hard_max", -LIMIT_MAX, LIMIT_MAX, &gate->hard_max, err);
	}
	return rc;
}

static int take_numbers(const struct field *object, struct gate *gate, struct error *err)
{
	unsigned int better = GATE_LOWER;
	int rc = take_kind(object, gate, err);

	rc = rc ? rc : field_take_word(object, "better", better_words, 0, &better, err);
	gate->better = (enum gate_better)better;
	rc = rc ? rc : take_margin(object, gate, err);
	rc = rc ? rc : take_quantile(object, gate, err);
	rc = rc ? rc : take_floor(object, gate, err);
	rc = rc ? rc : take_hard_max(object, gate, err);
	gate->min_samples = DEFAULT_LOOK;
	return rc ? rc : field_take_number(object, "min_samples", 1, 1000000, &gate->min_samples, err);
}

/* --- times ------------------------------------------------------------------------------------------------------------------------ */

static int take_time(const struct field *object, const char *key, struct duration fallback, int64_t least_ms,
		     struct duration *out, struct error *err)
{
	struct field field;
	int rc;

	*out = fallback;
	if (!field_member(object, key, &field))
		return 0;
	rc = field_take_duration(object, key, false, out, err);
	if (!rc && (out->ms < least_ms || out->ms > DAY_MS))
		return field_refuse(&field, err, "must be from %s to 1d", least_ms < 1000 ? "100ms" : "1s");
	return rc;
}

static int take_times(const struct field *object, struct gate *gate, struct error *err)
{
	struct field field;
	int rc = 0;

	if (takes(gate, "interval")) {
		rc = take_time(object, "interval", (struct duration){30000}, 1000, &gate->interval, err);
		rc = rc ? rc : take_time(object, "timeout", (struct duration){10000}, 100, &gate->timeout, err);
	}
	rc = rc ? rc : take_time(object, "window", (struct duration){0}, 1000, &gate->window, err);
	if (!rc && takes(gate, "stale_after"))
		rc = take_time(object, "stale_after", (struct duration){15 * 60000}, 1000, &gate->stale_after, err);
	field_member(object, "timeout", &field);
	if (!rc && gate->timeout.ms > gate->interval.ms && takes(gate, "interval"))
		rc = field_refuse(&field, err, "is longer than the interval: a question would overtake the one before");
	return rc;
}

static int take_texts(const struct field *object, struct gate *gate, struct error *err)
{
	int rc = take_judged(object, "url", gate->url, url_complaint, err);

	rc = rc ? rc : take_judged(object, "ca_file", gate->ca_file, path_complaint, err);
	rc = rc ? rc : take_judged(object, "token_file", gate->token_file, path_complaint, err);
	rc = rc ? rc : take_judged(object, "command", gate->command, path_complaint, err);
	rc = rc ? rc : take_query(object, "query", gate->query, err);
	return rc ? rc : take_query(object, "samples_query", gate->samples_query, err);
}

int gate_read(const struct field *object, struct gate *gate, struct error *err)
{
	unsigned int source = 0;
	int rc = check_keys(object, err);

	memset(gate, 0, sizeof(*gate));
	rc = rc ? rc : take_name(object, gate->name, err);
	rc = rc ? rc : field_require(object, "source", err);
	rc = rc ? rc : field_take_word(object, "source", gate_source_words, 1, &source, err);
	gate->source = (enum gate_source)source;
	rc = rc ? rc : check_fit(object, gate, err);
	rc = rc ? rc : take_numbers(object, gate, err);
	rc = rc ? rc : take_times(object, gate, err);
	rc = rc ? rc : take_texts(object, gate, err);
	return rc ? rc : field_take_bool(object, "shadow", &gate->shadow, err);
}

/* --- printing ------------------------------------------------------------------------------------------------------------------------ */

/* 12 digits: 0.29 * 100 is 29 again. */
static json_t *number(double value)
{
	char text[32];

	snprintf(text, sizeof(text), "%.12g", value);
	value = strtod(text, NULL);
	return value == (double)(json_int_t)value ? json_integer((json_int_t)value) : json_real(value);
}

static void put_text(json_t *object, const char *key, const char *text)
{
	if (text[0])
		json_object_set_new(object, key, json_string(text));
}

static void put_duration(json_t *object, const char *key, struct duration duration)
{
	char text[DURATION_TEXT_SIZE];

	if (duration.ms)
		json_object_set_new(object, key, json_string(duration_exact(duration, text)));
}

static json_t *print_latency(double microseconds)
{
	char text[DURATION_TEXT_SIZE];

	return json_string(duration_exact((struct duration){(int64_t)(microseconds / 1000)}, text));
}

static json_t *print_hard_max(const struct gate *gate)
{
	if (is_latency(gate))
		return print_latency(gate->hard_max);
	return number(gate->kind == GATE_KIND_RATIO ? gate->hard_max * 100 : gate->hard_max);
}

static void print_numbers(const struct gate *gate, json_t *object)
{
	if (gate->signal)
		put_text(object, "signal", gate_signal_words[gate->signal]);
	if (gate->source == GATE_SOURCE_PUSH)
		put_text(object, "kind", gate_kind_words[gate->kind]);
	if (takes(gate, "better"))
		put_text(object, "better", better_words[gate->better]);
	if (gate->kind != GATE_KIND_ANSWER)
		json_object_set_new(object, "margin", number(gate->margin * 100));
	if (gate->kind == GATE_KIND_DISTRIBUTION)
		json_object_set_new(object, "quantile", number(gate->quantile));
	if (is_latency(gate))
		json_object_set_new(object, "floor", print_latency(gate->floor));
	else if (gate->floor > 0)
		json_object_set_new(object, "floor", number(gate->floor));
	if (gate->has_hard_max)
		json_object_set_new(object, "hard_max", print_hard_max(gate));
	json_object_set_new(object, "min_samples", json_integer(gate->min_samples));
}

json_t *gate_print(const struct gate *gate)
{
	json_t *object = json_object();

	put_text(object, "name", gate->name);
	put_text(object, "source", gate_source_words[gate->source]);
	print_numbers(gate, object);
	put_duration(object, "interval", gate->interval);
	put_duration(object, "timeout", gate->timeout);
	put_duration(object, "window", gate->window);
	put_duration(object, "stale_after", gate->stale_after);
	put_text(object, "url", gate->url);
	put_text(object, "ca_file", gate->ca_file);
	put_text(object, "token_file", gate->token_file);
	put_text(object, "command", gate->command);
	put_text(object, "query", gate->query);
	put_text(object, "samples_query", gate->samples_query);
	if (gate->shadow)
		json_object_set_new(object, "shadow", json_true());
	return object;
}
