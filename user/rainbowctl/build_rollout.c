// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Requests about rollouts and their gates. */
#include "common/error.h"
#include "common/settings.h"
#include "common/text.h"
#include "rainbowctl/build.h"
#include "rainbowctl/request.h"
#include "rainbowctl/words.h"

#define ANY_HOLD_MS 1000 /* to check the steps by; rainbowd has the service's own */

static int check_steps(const char *text, struct error *err)
{
	struct rollout_plan plan;

	return text ? rollout_plan_parse(text, (struct duration){ANY_HOLD_MS}, "--steps", &plan, err) : 0;
}

int build_rollout_start(const struct words *words, struct request *request, struct error *err)
{
	const char *baseline = words->option[OPTION_BASELINE], *steps = words->option[OPTION_STEPS];
	int rc = build_service_path(words, request, "POST", err);

	rc = rc ? rc : name_check(words->arguments[1], "version", "LABEL", err);
	rc = rc || !baseline ? rc : name_check(baseline, "version", "--baseline", err);
	rc = rc ? rc : check_steps(steps, err);
	if (rc)
		return rc;
	request_segment(request, "rollout");
	request_string(request, "target", words->arguments[1]);
	request_string(request, "baseline", baseline);
	request_string(request, "steps", steps);
	request_string(request, "on_new_target", words->option[OPTION_ON_NEW_TARGET]);
	if (words_has(words, OPTION_NO_GATES))
		request_member(request, "gates", json_false());
	return build_duration_member(words, OPTION_HOLD, request, "hold", err);
}

static int build_order(const struct words *words, struct request *request, const char *verb, struct error *err)
{
	int rc = build_service_path(words, request, "POST", err);

	if (rc)
		return rc;
	request_segment(request, "rollout");
	request_segment(request, verb);
	request_object(request);
	return 0;
}

int build_rollout_status(const struct words *words, struct request *request, struct error *err)
{
	int rc = build_service_path(words, request, "GET", err);

	if (!rc)
		request_segment(request, "rollout");
	return rc;
}

int build_rollout_promote(const struct words *words, struct request *request, struct error *err)
{
	const char *from = words->option[OPTION_FROM_STEP];
	uint64_t step;
	int rc = build_order(words, request, "promote", err);

	if (!rc && words_has(words, OPTION_FULL))
		request_member(request, "full", json_true());
	if (rc || !from)
		return rc;
	rc = number_parse(from, 1, SETTINGS_STEPS_MAX, &step, "--from-step", err);
	if (!rc)
		request_member(request, "from_step", json_integer((json_int_t)step));
	return rc;
}

int build_rollout_pause(const struct words *words, struct request *request, struct error *err)
{
	return build_order(words, request, "pause", err);
}

int build_rollout_resume(const struct words *words, struct request *request, struct error *err)
{
	return build_order(words, request, "resume", err);
}

int build_rollout_abort(const struct words *words, struct request *request, struct error *err)
{
	return build_order(words, request, "abort", err);
}

int build_rollout_retry(const struct words *words, struct request *request, struct error *err)
{
	return build_order(words, request, "retry", err);
}

int build_explain_gate(const struct words *words, struct request *request, struct error *err)
{
	int rc = build_service_path(words, request, "GET", err);

	rc = rc ? rc : name_check(words->arguments[1], "gate", "GATE", err);
	if (rc)
		return rc;
	request_segment(request, "rollout");
	request_segment(request, "gates");
	request_segment(request, words->arguments[1]);
	return 0;
}
