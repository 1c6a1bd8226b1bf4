// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See prometheus.h. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>
#include "common/text.h"
#include "prometheus.h"

/* --- the question ---------------------------------------------------------------------------------------------------------------- */

static bool is_harmless(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("._-", c));
}

static bool is_name(char c)
{
	return is_harmless(c) && c != '.' && c != '-';
}

static int check_harmless(const char *variable, const char *value, struct error *err)
{
	const char *c;

	for (c = value; is_harmless(*c); c++)
		;
	if (*c || c == value)
		return error_set(err, ERROR_BAD_INPUT, "query",
				 "$%s is '%s', and only letters, digits, '.', '_' and '-' may be put into a query", variable,
				 value);
	return 0;
}

/* The value of the variable that begins at `name`, which has `length` characters. */
static int find_value(const char *name, size_t length, const struct prometheus_names *names, const char *window,
		      const char **value, struct error *err)
{
	const struct {
		const char *name, *value;
	} rows[] = {
	    {"version", names->version}, {"baseline", names->baseline}, {"service", names->service}, {"window", window}};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strlen(rows[i].name) != length || strncmp(rows[i].name, name, length) != 0)
			continue;
		*value = rows[i].value;
		return check_harmless(rows[i].name, rows[i].value, err);
	}
	if (!length)
		return error_set(err, ERROR_BAD_INPUT, "query", "a $ stands alone in the query; write $$ for a dollar sign");
	return error_set(err, ERROR_BAD_INPUT, "query",
			 "unknown variable $%.*s in the query; there is $version, $baseline, $service, "
			 "$window, and $$ for a dollar sign",
			 (int)length, name);
}

/* Appends; false if it does not fit. */
static bool append(char *out, size_t size, size_t *used, const char *text, size_t length)
{
	if (length >= size - *used)
		return false;
	memcpy(out + *used, text, length);
	*used += length;
	out[*used] = '\0';
	return true;
}

/* Takes one piece of the query, up to the next $ or that variable, and moves on behind it. */
static int take_piece(const char **at, const struct prometheus_names *names, const char *window, const char **piece,
		      size_t *length, struct error *err)
{
	size_t name_length = 0;
	int rc;

	*piece = *at;
	*length = strcspn(*at, "$");
	if (*length) {
		*at += *length;
		return 0;
	}
	if ((*at)[1] == '$') {
		*length = 1;
		*at += 2;
		return 0;
	}
	while (is_name((*at)[1 + name_length]))
		name_length++;
	rc = find_value(*at + 1, name_length, names, window, piece, err);
	*length = rc ? 0 : strlen(*piece);
	*at += 1 + name_length;
	return rc;
}

int prometheus_fill(const char *query, const struct prometheus_names *names, char out[PROMETHEUS_QUERY_SIZE], struct error *err)
{
	int64_t seconds = (names->window.ms + 999) / 1000;
	char window[24];
	size_t used = 0;

	snprintf(window, sizeof(window), "%llds", (long long)(seconds > 0 ? seconds : 1));
	out[0] = '\0';
	while (*query) {
		const char *piece;
		size_t length;
		int rc = take_piece(&query, names, window, &piece, &length, err);

		if (rc)
			return rc;
		if (!append(out, PROMETHEUS_QUERY_SIZE, &used, piece, length))
			return error_set(err, ERROR_BAD_INPUT, "query",
					 "the query is longer than %d characters with its variables put in",
					 PROMETHEUS_QUERY_SIZE - 1);
	}
	return 0;
}

int prometheus_url(const char *base, const char *query, char out[PROMETHEUS_URL_SIZE], struct error *err)
{
	size_t length = strcspn(base, "?#"), used = 0;
	bool fits;

	if (base[length])
		return error_set(err, ERROR_BAD_INPUT, "url", "'%s' must end before '%c': give http://host:port/path", base,
				 base[length]);
	while (length && base[length - 1] == '/')
		length--;
	fits = append(out, PROMETHEUS_URL_SIZE, &used, base, length) &&
	       append(out, PROMETHEUS_URL_SIZE, &used, "/api/v1/query?query=", strlen("/api/v1/query?query="));
	for (; fits && *query; query++) {
		char escaped[4];

		snprintf(escaped, sizeof(escaped), is_harmless(*query) ? "%c" : "%%%02X", (unsigned char)*query);
		fits = append(out, PROMETHEUS_URL_SIZE, &used, escaped, strlen(escaped));
	}
	return fits ? 0 : error_set(err, ERROR_BAD_INPUT, "url", "the URL and the query are too long together");
}

/* --- the answer ------------------------------------------------------------------------------------------------------------------ */

/* The server's words may stand in it: made safe to print. */
__attribute__((format(printf, 3, 4))) static void settle(struct prometheus_value *out, enum gate_verdict verdict,
							 const char *format, ...)
{
	va_list args;

	out->verdict = verdict;
	va_start(args, format);
	vsnprintf(out->reason, sizeof(out->reason), format, args);
	va_end(args);
	text_clean(out->reason);
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key)) ?: "";
}

/* [when, "number"] */
static void read_sample(const json_t *sample, struct prometheus_value *out)
{
	const char *text = json_string_value(json_array_get(sample, 1));
	char *end = NULL;
	double value = text ? strtod(text, &end) : 0;

	if (!text || end == text || *end)
		settle(out, GATE_ERROR, "the answer holds no number where one is due%s%.60s", text ? ": " : "",
		       text ? text : "");
	else if (isnan(value))
		settle(out, GATE_INCONCLUSIVE, "the query gives NaN, as a division of nothing by nothing does");
	else if (isinf(value))
		settle(out, GATE_INCONCLUSIVE, "the query gives %s, as a division by nothing does",
		       value > 0 ? "+Inf" : "-Inf");
	else
		*out = (struct prometheus_value){.verdict = GATE_PASS, .value = value};
}

static void read_vector(const json_t *result, struct prometheus_value *out)
{
	size_t count = json_array_size(result);
	const json_t *sample = json_object_get(json_array_get(result, 0), "value");

	if (!json_is_array(result))
		settle(out, GATE_ERROR, "the answer is a vector without series, not even none");
	else if (count == 0)
		settle(out, GATE_INCONCLUSIVE,
		       "the query gives no series: nothing was measured yet, or its labels fit nothing");
	else if (count > 1)
		settle(out, GATE_INCONCLUSIVE, "the query gives %zu series where one is due; put sum() or the like around it",
		       count);
	else if (!sample)
		settle(out, GATE_ERROR,
		       "the query gives no number but a histogram; put histogram_quantile() or the like around it");
	else
		read_sample(sample, out);
}

static void read_data(const json_t *data, struct prometheus_value *out)
{
	const char *type = text_of(data, "resultType");
	const json_t *result = json_object_get(data, "result");

	if (strcmp(type, "scalar") == 0)
		read_sample(result, out);
	else if (strcmp(type, "vector") == 0)
		read_vector(result, out);
	else if (strcmp(type, "matrix") == 0)
		settle(out, GATE_ERROR, "the query gives a range of time, not a value; leave the [...] at its end out");
	else
		settle(out, GATE_ERROR, "the query gives a result of type '%.40s', not a value", type);
}

static void refuse_status(int status, const json_t *answer, const char *body, struct prometheus_value *out)
{
	const char *error = text_of(answer, "error");
	int line = (int)strcspn(body, "\r\n");

	if (*error)
		settle(out, GATE_ERROR, "Prometheus answers %d, %s: %.160s", status, text_of(answer, "errorType"), error);
	else
		settle(out, GATE_ERROR, "the server answers HTTP %d%s%.*s", status, line ? ": " : "", line < 120 ? line : 120,
		       body);
}

void prometheus_read(int status, const char *body, size_t length, struct prometheus_value *out)
{
	json_t *answer = json_loadb(body, length, JSON_DECODE_INT_AS_REAL, NULL);
	const char *said = text_of(answer, "status");

	memset(out, 0, sizeof(*out));
	if (status != 200 || strcmp(said, "error") == 0)
		refuse_status(status, answer, body, out);
	else if (!answer)
		settle(out, GATE_ERROR, "the answer is no JSON; is it Prometheus that answers there?");
	else if (strcmp(said, "success") != 0)
		settle(out, GATE_ERROR, "the answer does not say \"success\"; is it Prometheus that answers there?");
	else
		read_data(json_object_get(answer, "data"), out);
	json_decref(answer);
}

/* --- the evidence ---------------------------------------------------------------------------------------------------------------- */

static const char *const part_names[PROMETHEUS_PARTS] = {"candidate", "baseline", "candidate's samples", "baseline's samples"};

/* The first part of this verdict, or PROMETHEUS_PARTS. */
static size_t find_verdict(const struct prometheus_value *parts, size_t count, enum gate_verdict verdict)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (parts[i].verdict == verdict)
			return i;
	return PROMETHEUS_PARTS;
}

static bool holds(const struct prometheus_value *parts, size_t count, enum gate_verdict verdict, struct gate_evidence *out)
{
	size_t part = find_verdict(parts, count, verdict);

	if (part == PROMETHEUS_PARTS)
		return false;
	out->source = verdict;
	snprintf(out->reason, sizeof(out->reason), "%s: %.220s", part_names[part], parts[part].reason);
	text_clean(out->reason);
	return true;
}

static bool refuse_negative(const struct prometheus_value *parts, size_t part, struct gate_evidence *out)
{
	if (parts[part].value >= 0)
		return false;
	out->source = GATE_ERROR;
	snprintf(out->reason, sizeof(out->reason), "%s: the query gives %g, which is no number of samples", part_names[part],
		 parts[part].value);
	return true;
}

void prometheus_evidence(const struct prometheus_value parts[PROMETHEUS_PARTS], bool with_samples, struct gate_evidence *out)
{
	size_t count = with_samples ? PROMETHEUS_PARTS : PROMETHEUS_CANDIDATE_SAMPLES;

	memset(out, 0, sizeof(*out));
	if (holds(parts, count, GATE_ERROR, out) || holds(parts, count, GATE_INCONCLUSIVE, out))
		return;
	if (with_samples && (refuse_negative(parts, PROMETHEUS_CANDIDATE_SAMPLES, out) ||
			     refuse_negative(parts, PROMETHEUS_BASELINE_SAMPLES, out)))
		return;
	out->source = GATE_PASS;
	out->candidate.value = parts[PROMETHEUS_CANDIDATE].value;
	out->baseline.value = parts[PROMETHEUS_BASELINE].value;
	if (!with_samples)
		return;
	out->candidate.sessions = parts[PROMETHEUS_CANDIDATE_SAMPLES].value;
	out->baseline.sessions = parts[PROMETHEUS_BASELINE_SAMPLES].value;
}
