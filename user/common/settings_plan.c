// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The steps of a rollout as one text, "5:10m,25:15m,100": see settings.h. What is wrong is said with the number of its step. */
#include <stdio.h>
#include <string.h>
#include "common/error.h"
#include "common/settings.h"
#include "common/text.h"

#define STAGE_TEXT_SIZE 64
#define FULL            1000 /* permille */

static int stage_wrong(size_t number, const struct error *inner, const char *field, struct error *err)
{
	return error_set(err, inner->code, field, "step %zu: %s", number, inner->message);
}

/* "25" or "25:15m"; takes `text` apart. */
static int stage_parse(char *text, struct duration hold, struct rollout_stage *stage, struct error *err)
{
	char *colon = strchr(text, ':');
	int rc;

	*stage = (struct rollout_stage){.hold = hold};
	if (colon)
		*colon = '\0';
	rc = percent_parse(text, &stage->weight, NULL, err);
	if (!rc && !stage->weight)
		rc = error_set(err, ERROR_BAD_INPUT, NULL,
			       "a weight of 0 gives the new version nothing; begin with 0.1 or more");
	return !rc && colon ? duration_parse(colon + 1, &stage->hold, NULL, err) : rc;
}

static int stage_append(struct rollout_plan *plan, const struct rollout_stage *stage, struct error *err)
{
	const struct rollout_stage *last = plan->stage_count ? &plan->stages[plan->stage_count - 1] : NULL;
	char now[16], before[16];

	if (last && stage->weight <= last->weight)
		return error_set(err, ERROR_BAD_INPUT, NULL, "%s %% is not more than the %s %% before it; weights must rise",
				 percent_format(stage->weight, now), percent_format(last->weight, before));
	if (plan->stage_count == SETTINGS_STEPS_MAX)
		return error_set(err, ERROR_BAD_INPUT, NULL, "it is one too many; a rollout has at most %d steps",
				 SETTINGS_STEPS_MAX);
	plan->stages[plan->stage_count++] = *stage;
	return 0;
}

/* One step of the list, `length` bytes at `text`. */
static int take_stage(const char *text, size_t length, struct duration hold, struct rollout_plan *plan, struct error *err)
{
	char word[STAGE_TEXT_SIZE];
	struct rollout_stage stage;
	int rc;

	if (length >= sizeof(word))
		return error_set(err, ERROR_BAD_INPUT, NULL, "'%.20s...' is too long; write 25 or 25:15m", text);
	memcpy(word, text, length);
	word[length] = '\0';
	rc = stage_parse(word, hold, &stage, err);
	return rc ? rc : stage_append(plan, &stage, err);
}

static int check_end(const struct rollout_plan *plan, struct error *err)
{
	uint32_t weight = plan->stages[plan->stage_count - 1].weight;
	char text[16];

	if (weight == FULL)
		return 0;
	return error_set(err, ERROR_BAD_INPUT, NULL, "it is the last one and gives %s %%; the last step must be 100",
			 percent_format(weight, text));
}

int rollout_plan_parse(const char *text, struct duration hold, const char *field, struct rollout_plan *plan, struct error *err)
{
	struct rollout_plan parsed = {.on_new_target = plan->on_new_target};
	const char *at = text;
	struct error inner;
	size_t number = 0, length;

	if (!*text)
		return error_set(err, ERROR_BAD_INPUT, field, "there is no step; write 5,25,50,100 or 5:10m,25:15m,100");
	for (;; at += length + 1) {
		length = strcspn(at, ",");
		number++;
		if (take_stage(at, length, hold, &parsed, &inner))
			return stage_wrong(number, &inner, field, err);
		if (!at[length])
			break;
	}
	if (check_end(&parsed, &inner))
		return stage_wrong(number, &inner, field, err);
	*plan = parsed;
	return 0;
}
