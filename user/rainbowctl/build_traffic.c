// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Requests about traffic: who gets new sessions, and when running ones end. */
#include <stdio.h>
#include <string.h>
#include "common/addr.h"
#include "common/error.h"
#include "common/text.h"
#include "rainbowctl/build.h"
#include "rainbowctl/request.h"
#include "rainbowctl/words.h"

#define WEIGHT_FIELD "LABEL=PERCENT"
#define RATE_MAX     1000000

struct weight_sum {
	uint32_t permille;
	const char *rest; /* the label that takes what is left, or NULL */
};

/* One "LABEL=PERCENT" or "LABEL" into the object. */
static int add_weight(const char *word, json_t *weights, struct weight_sum *sum, struct error *err)
{
	const char *equals = strchrnul(word, '=');
	char label[2 * RAINBOW_NAME_SIZE]; /* room for one that is too long to be quoted */
	uint32_t permille;
	int rc;

	snprintf(label, sizeof(label), "%.*s", (int)(equals - word), word);
	rc = name_check(label, "version", WEIGHT_FIELD, err);
	if (rc)
		return rc;
	if (json_object_get(weights, label))
		return error_set(err, ERROR_BAD_INPUT, WEIGHT_FIELD, "version '%s' is given twice: give each version once",
				 label);
	if (!*equals) {
		if (sum->rest)
			return error_set(err, ERROR_BAD_INPUT, WEIGHT_FIELD,
					 "'%s' and '%s' are both without a number: only one version can take the rest",
					 sum->rest, word);
		sum->rest = word;
		json_object_set_new(weights, label, json_null());
		return 0;
	}
	rc = percent_parse(equals + 1, &permille, word, err);
	if (rc)
		return rc;
	sum->permille += permille;
	/* With the 15 digits that the body is written in, tenths stay tenths. */
	json_object_set_new(weights, label, permille % 10 ? json_real(permille / 10.0) : json_integer(permille / 10));
	return 0;
}

static int check_sum(const struct weight_sum *sum, struct error *err)
{
	char total[16], off[16];

	percent_format(sum->permille, total);
	if (sum->permille > 1000)
		return error_set(err, ERROR_BAD_INPUT, WEIGHT_FIELD,
				 "the weights sum to %s %%, which is %s too much: they must sum to 100", total,
				 percent_format(sum->permille - 1000, off));
	if (sum->permille < 1000 && !sum->rest)
		return error_set(
		    err, ERROR_BAD_INPUT, WEIGHT_FIELD,
		    "the weights sum to %s %%, and %s is missing to 100: give it to a version, or name one version without "
		    "a number to take the rest",
		    total, percent_format(1000 - sum->permille, off));
	return 0;
}

int build_set_weight(const struct words *words, struct request *request, struct error *err)
{
	struct weight_sum sum = {0};
	json_t *weights;
	int rc = build_service_path(words, request, "PUT", err);

	if (rc)
		return rc;
	request_segment(request, "weights");
	weights = json_object();
	request_member(request, "weights", weights);
	for (size_t i = 1; i < words->argument_count; i++) {
		rc = add_weight(words->arguments[i], weights, &sum, err);
		if (rc)
			return rc;
	}
	return check_sum(&sum, err);
}

int build_drain(const struct words *words, struct request *request, struct error *err)
{
	const char *deadline = words->option[OPTION_DEADLINE];
	int rc = build_version_path(words, request, "POST", err);

	if (rc)
		return rc;
	request_segment(request, "drain");
	request_object(request);
	request_string(request, "on_deadline", words->option[OPTION_ON_DEADLINE]);
	if (deadline && !strcmp(deadline, "none")) {
		request_string(request, "deadline", deadline);
		return 0;
	}
	return build_duration_member(words, OPTION_DEADLINE, request, "deadline", err);
}

int build_undrain(const struct words *words, struct request *request, struct error *err)
{
	int rc = build_version_path(words, request, "POST", err);

	if (rc)
		return rc;
	request_segment(request, "undrain");
	request_object(request);
	return 0;
}

int build_rollback(const struct words *words, struct request *request, struct error *err)
{
	const char *to = words->option[OPTION_TO];
	int rc = build_service_path(words, request, "POST", err);

	if (rc)
		return rc;
	if (to) {
		rc = name_check(to, "version", "--to", err);
		if (rc)
			return rc;
	}
	request_segment(request, "rollback");
	request_object(request);
	request_string(request, "to", to);
	request_string(request, "sessions", words->option[OPTION_SESSIONS]);
	return 0;
}

/* "100/s" */
static int add_rate(const char *text, struct request *request, struct error *err)
{
	const char *slash = strchrnul(text, '/');
	uint64_t rate;
	char number[24];
	int rc;

	if (strcmp(slash, "/s"))
		return error_set(err, ERROR_BAD_INPUT, "--rate", "'%s' is not a rate: write 100/s, for 100 sessions per second",
				 text);
	if ((size_t)(slash - text) >= sizeof(number))
		return error_set(err, ERROR_BAD_INPUT, "--rate", "'%s' is out of range: give 1/s to %d/s", text, RATE_MAX);
	snprintf(number, sizeof(number), "%.*s", (int)(slash - text), text);
	rc = number_parse(number, 1, RATE_MAX, &rate, "--rate", err);
	if (!rc)
		request_member(request, "rate", json_integer((json_int_t)rate));
	return rc;
}

int build_evict(const struct words *words, struct request *request, struct error *err)
{
	int rc = build_version_path(words, request, "POST", err);

	if (rc)
		return rc;
	request_segment(request, "evict");
	request_object(request);
	rc = build_duration_member(words, OPTION_OLDER_THAN, request, "older_than", err);
	if (rc || !words->option[OPTION_RATE])
		return rc;
	return add_rate(words->option[OPTION_RATE], request, err);
}

/* The range as rainbowd writes it, "10.1.2.3" as "10.1.2.3/32". */
static int range_text(const char *text, char out[ADDR_TEXT_SIZE], struct error *err)
{
	struct cidr range;
	int rc = cidr_parse(text, &range, "CIDR", err);

	if (!rc)
		cidr_format(&range, out);
	return rc;
}

int build_steer_add(const struct words *words, struct request *request, struct error *err)
{
	char range[ADDR_TEXT_SIZE];
	int rc = build_service_path(words, request, "POST", err);

	if (rc)
		return rc;
	request_segment(request, "steers");
	rc = range_text(words->arguments[1], range, err);
	if (rc)
		return rc;
	rc = name_check(words->arguments[2], "version", "LABEL", err);
	if (rc)
		return rc;
	request_string(request, "range", range);
	request_string(request, "version", words->arguments[2]);
	return 0;
}

int build_steer_rm(const struct words *words, struct request *request, struct error *err)
{
	char range[ADDR_TEXT_SIZE];
	int rc = build_service_path(words, request, "DELETE", err);

	if (rc)
		return rc;
	rc = range_text(words->arguments[1], range, err);
	if (rc)
		return rc;
	request_segment(request, "steers");
	request_segment(request, range);
	return 0;
}

int build_steer_list(const struct words *words, struct request *request, struct error *err)
{
	(void)words, (void)err;
	request_begin(request, "GET", "/v1/steers");
	return 0;
}
