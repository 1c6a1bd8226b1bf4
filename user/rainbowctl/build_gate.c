// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Requests to gates: how sessions went. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "common/error.h"
#include "common/text.h"
#include "rainbowctl/build.h"
#include "rainbowctl/request.h"
#include "rainbowctl/words.h"

static const enum option_id outcomes[] = {OPTION_OK, OPTION_BAD, OPTION_VALUE};

static size_t count_outcomes(const struct words *words)
{
	size_t i, count = 0;

	for (i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++)
		count += words_has(words, outcomes[i]);
	return count;
}

static int add_value(const char *text, struct request *request, struct error *err)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !isfinite(value))
		return error_set(err, ERROR_BAD_INPUT, "--value", "'%s' is no number", text);
	request_member(request, "value", json_real(value));
	return 0;
}

static int add_sample(const struct words *words, struct request *request, struct error *err)
{
	const char *session = words->option[OPTION_SESSION];

	if (!session)
		return error_set(err, ERROR_BAD_INPUT, "",
				 "--session ID is missing: a session counts once, so it needs a name");
	if (count_outcomes(words) != 1)
		return error_set(err, ERROR_BAD_INPUT, "", "how did the session go? give one of --ok, --bad, --value N");
	if (tuple_text_check(session, "--session", err))
		return -ERROR_BAD_INPUT;
	request_string(request, "session", session);
	if (words_has(words, OPTION_VALUE))
		return add_value(words->option[OPTION_VALUE], request, err);
	request_member(request, "ok", json_boolean(words_has(words, OPTION_OK)));
	return 0;
}

/* "-": the samples are read from stdin, by push.c. */
static int check_stdin(const struct words *words, struct error *err)
{
	if (strcmp(words->arguments[3], "-") != 0)
		return error_set(err, ERROR_BAD_INPUT, "", "unexpected word '%s'", words->arguments[3]);
	if (count_outcomes(words) || words_has(words, OPTION_SESSION))
		return error_set(err, ERROR_BAD_INPUT, "-",
				 "the samples come from stdin: leave --session, --ok, --bad and --value out");
	return 0;
}

int build_gate_push(const struct words *words, struct request *request, struct error *err)
{
	int rc = build_service_path(words, request, "POST", err);

	rc = rc ? rc : name_check(words->arguments[1], "gate", "GATE", err);
	rc = rc ? rc : name_check(words->arguments[2], "version", "VERSION", err);
	if (rc)
		return rc;
	request_segment(request, "samples");
	request_string(request, "gate", words->arguments[1]);
	request_string(request, "version", words->arguments[2]);
	return words->argument_count == 4 ? check_stdin(words, err) : add_sample(words, request, err);
}
