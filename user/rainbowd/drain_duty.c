// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 *  of each duty:                       failed: again after 1 s, 5 s, 30 s
 *                                         +-----------+
 *            it is due (about an instant) v           |
 *    nothing -----------------------------> OPEN -----+
 *       ^                                   |  |
 *       |             it went well          |  |  failed for the fourth time
 *       |               DONE <--------------+  +-------------> GIVEN_UP
 *       |                |                                       |
 *       +----------------+-- it is due about another instant ----+
 *
 * A warning is due from deadline - warn_before up to the deadline, while sessions may live: after it, nobody can save anything. "Drained"
 * is due keep_warm after the version was first known to be drained and empty; where the count is not known, nothing is due (promise P9).
 */
#include <string.h>
#include <stdio.h>
#include "common/text.h"
#include "drain_duty.h"
#include "json_reader.h"

static const int64_t wait_ms[DUTY_TRIES] = {0, 1000, 5000, 30000}; /* before a try, since the one before ended */

const char *duty_hook(const struct drain_policy *policy, enum duty duty)
{
	switch (duty) {
	case DUTY_WARN:
		return policy->on_warn;
	case DUTY_WARN_BACKENDS:
		return policy->warn_backends;
	case DUTY_DRAINED:
		return policy->on_drained;
	case DUTIES:
		break;
	}
	return "";
}

const char *duty_name(enum duty duty)
{
	static const char *const names[] = {"on_warn", "warn_backends", "on_drained"};

	return duty < DUTIES ? names[duty] : "unknown";
}

/* --- what is due --------------------------------------------------------------------------------------------------------- */

/* Also if we were dead when the time came, as long as the deadline is ahead. */
static struct instant warning_due(const struct duty_facts *facts)
{
	struct instant deadline = facts->deadline, nothing = {0};

	if (facts->state != RAINBOW_VERSION_DRAINING || !deadline.unix_ms || !facts->policy->warn_before.ms)
		return nothing;
	if (facts->live_known && !facts->live)
		return nothing;
	if (facts->now.unix_ms >= deadline.unix_ms || facts->now.unix_ms < deadline.unix_ms - facts->policy->warn_before.ms)
		return nothing;
	return deadline;
}

static struct instant drained_due(const struct drain_duty *duty, const struct duty_facts *facts)
{
	struct instant nothing = {0};

	if (!duty->drained_since.unix_ms || !facts->live_known)
		return nothing;
	if (facts->now.unix_ms - duty->drained_since.unix_ms < facts->policy->keep_warm.ms)
		return nothing;
	return duty->drained_since;
}

/* The instant that the duty is about and due for; 0: it is not due. */
static struct instant due(const struct drain_duty *duty, const struct duty_facts *facts, enum duty which)
{
	return which == DUTY_DRAINED ? drained_due(duty, facts) : warning_due(facts);
}

/* A clock that was set back after the last try does not keep us waiting. */
static bool has_waited(const struct duty_record *record, struct instant now)
{
	int64_t waited = now.unix_ms - record->tried.unix_ms;

	return waited < 0 || waited >= wait_ms[record->tries];
}

static bool is_to_be_tried(const struct drain_duty *duty, const struct duty_facts *facts, enum duty which,
			   struct duty_order *order)
{
	const struct duty_record *record = &duty->records[which];
	struct instant about = due(duty, facts, which);

	if (!about.unix_ms || facts->under_way[which] || !duty_hook(facts->policy, which)[0])
		return false;
	*order = (struct duty_order){.duty = which, .about = about, .number = 1};
	if (record->about.unix_ms != about.unix_ms)
		return true;
	order->number = record->tries + 1;
	return record->outcome == DUTY_OPEN && has_waited(record, facts->now);
}

/* --- the machine --------------------------------------------------------------------------------------------------------- */

/* An unknown count neither begins the time of being drained nor ends it. */
static bool follow_state(struct drain_duty *duty, const struct duty_facts *facts)
{
	bool drained = facts->state == RAINBOW_VERSION_DRAINED && !(facts->live_known && facts->live);
	struct instant before = duty->drained_since;

	if (!drained)
		duty->drained_since.unix_ms = 0;
	else if (!before.unix_ms && facts->live_known)
		duty->drained_since = facts->now;
	return duty->drained_since.unix_ms != before.unix_ms;
}

enum duty_step drain_duty_next(struct drain_duty *duty, const struct duty_facts *facts, struct duty_order *order)
{
	enum duty which;

	if (follow_state(duty, facts))
		return DUTY_NOTE;
	for (which = 0; which < DUTIES; which++)
		if (is_to_be_tried(duty, facts, which, order))
			return DUTY_TRY;
	return DUTY_STAY;
}

enum duty_outcome drain_duty_end(struct drain_duty *duty, const struct duty_order *order, const char *why, struct instant now)
{
	struct duty_record *record = &duty->records[order->duty];

	if (record->about.unix_ms != order->about.unix_ms)
		*record = (struct duty_record){.about = order->about};
	record->tried = now;
	record->tries++;
	record->outcome = !why ? DUTY_DONE : record->tries < DUTY_TRIES ? DUTY_OPEN : DUTY_GIVEN_UP;
	snprintf(record->why, sizeof(record->why), "%s", why ? why : "");
	text_clean(record->why);
	return record->outcome;
}

/* --- stored -------------------------------------------------------------------------------------------------------------- */

static const char *const outcome_words[] = {"open", "done", "given_up", NULL};

static json_t *print_record(const struct duty_record *record)
{
	return json_pack("{s:I, s:I, s:I, s:s, s:s}", "about_ms", (json_int_t)record->about.unix_ms, "tried_ms",
			 (json_int_t)record->tried.unix_ms, "tries", (json_int_t)record->tries, "outcome",
			 outcome_words[record->outcome], "why", record->why);
}

json_t *drain_duty_print(const struct drain_duty *duty)
{
	return json_pack("{s:I, s:o, s:o, s:o}", "drained_since_ms", (json_int_t)duty->drained_since.unix_ms,
			 duty_name(DUTY_WARN), print_record(&duty->records[DUTY_WARN]), duty_name(DUTY_WARN_BACKENDS),
			 print_record(&duty->records[DUTY_WARN_BACKENDS]), duty_name(DUTY_DRAINED),
			 print_record(&duty->records[DUTY_DRAINED]));
}

static int read_record(const json_t *object, const char *what, struct duty_record *record, struct error *err)
{
	struct json_reader reader = {.object = object, .what = what, .err = err};

	record->about = json_take_instant(&reader, "about_ms");
	record->tried = json_take_instant(&reader, "tried_ms");
	record->tries = (uint32_t)json_take_number(&reader, "tries", DUTY_TRIES);
	record->outcome = (enum duty_outcome)json_take_word(&reader, "outcome", outcome_words);
	json_take_text(&reader, "why", record->why, sizeof(record->why));
	if (!json_reader_end(&reader) && record->outcome == DUTY_OPEN && record->tries == DUTY_TRIES)
		json_reader_fail(&reader, "tries", "leave none to be made");
	return reader.rc;
}

int drain_duty_read(const json_t *object, struct drain_duty *duty, struct error *err)
{
	struct json_reader reader = {.object = object, .what = "duties of a drain", .err = err};
	struct drain_duty read = {.drained_since = json_take_instant(&reader, "drained_since_ms")};
	enum duty which;

	for (which = 0; which < DUTIES; which++) {
		const json_t *record = json_take(&reader, duty_name(which));

		if (record)
			reader.rc = read_record(record, duty_name(which), &read.records[which], err);
	}
	if (json_reader_end(&reader))
		return reader.rc;
	*duty = read;
	return 0;
}

/* --- shown --------------------------------------------------------------------------------------------------------------- */

/* What was done about another instant is the history's to tell. */
static json_t *show_record(const struct duty_record *record, struct instant about)
{
	static const struct duty_record untried = {0};
	char tried[INSTANT_TEXT_SIZE];

	if (!about.unix_ms || record->about.unix_ms != about.unix_ms)
		record = &untried;
	if (record->tried.unix_ms)
		instant_format(record->tried, tried);
	return json_pack("{s:s, s:I, s:s?, s:s?}", "outcome", outcome_words[record->outcome], "tries",
			 (json_int_t)record->tries, "tried", record->tried.unix_ms ? tried : NULL, "why",
			 record->why[0] ? record->why : NULL);
}

json_t *drain_duty_show(const struct drain_duty *duty, const struct drain_policy *policy, struct instant deadline)
{
	json_t *object = json_object();
	enum duty which;

	for (which = 0; which < DUTIES; which++) {
		struct instant about = which == DUTY_DRAINED ? duty->drained_since : deadline;
		bool hooked = duty_hook(policy, which)[0];

		json_object_set_new(object, duty_name(which), hooked ? show_record(&duty->records[which], about) : json_null());
	}
	return object;
}
