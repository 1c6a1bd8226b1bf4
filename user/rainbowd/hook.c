// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See hook.h. Running a program: hook_program.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <event2/event.h>
#include "common/text.h"
#include "fetch.h"
#include "hook_program.h"

#define DEFAULT_TIMEOUT_MS 10000

/* --- what was said --------------------------------------------------------------------------------------------------------------- */

/* Its last line that is not empty, safe to print. */
static void last_line(const char *text, size_t length, char out[GATE_REASON_SIZE])
{
	size_t begin;

	while (length && (unsigned char)text[length - 1] <= ' ')
		length--;
	for (begin = length; begin && text[begin - 1] != '\n'; begin--)
		;
	snprintf(out, GATE_REASON_SIZE, "%.*s", (int)(length - begin < GATE_REASON_SIZE ? length - begin : GATE_REASON_SIZE),
		 text + begin);
	text_clean(out);
}

void hook_finish(struct hook_run *run, enum hook_outcome outcome, int code, const char *fact, const char *said, size_t length)
{
	struct hook_result result = {.outcome = outcome, .code = code, .is_program = run->is_program};
	char reason[600];

	last_line(said, length, result.said);
	snprintf(reason, sizeof(reason), "%s%s%s", fact, result.said[0] ? ": " : "", result.said);
	snprintf(result.reason, sizeof(result.reason), "%.*s", (int)sizeof(result.reason) - 1, reason);
	text_clean(result.reason);
	TAILQ_REMOVE(&run->hook->runs, run, entry);
	hook_program_end(run);
	run->done(&result, run->arg);
	json_decref(run->facts);
	free(run->place);
	free(run);
}

/* --- a URL ----------------------------------------------------------------------------------------------------------------------- */

static void on_answer(const struct fetch_answer *answer, void *arg)
{
	static const enum hook_outcome outcomes[] = {
	    [FETCH_FAILED] = HOOK_FAILED, [FETCH_TIMEOUT] = HOOK_TIMEOUT, [FETCH_CANCELLED] = HOOK_CANCELLED};
	struct hook_run *run = arg;
	char fact[GATE_REASON_SIZE];

	if (answer->outcome != FETCH_ANSWERED) {
		hook_finish(run, outcomes[answer->outcome], 0, answer->reason, "", 0);
		return;
	}
	snprintf(fact, sizeof(fact), "HTTP %d%s%.150s", answer->status, answer->redirect ? ", give that URL instead: " : "",
		 answer->redirect ?: "");
	hook_finish(run, answer->status / 100 == 2 ? HOOK_OK : HOOK_FAILED, answer->status, fact, answer->body, answer->length);
}

static int send_post(struct hook_run *run, const struct hook_order *order)
{
	char *body = json_dumps(order->facts, JSON_COMPACT);
	const struct fetch_question question = {
	    .url = order->place,
	    .body = body,
	    .token_file = order->token_file,
	    .ca_file = order->ca_file,
	    .timeout = order->timeout,
	};
	int rc = body ? fetch_ask(run->hook->fetch, &question, on_answer, run) : -ENOMEM;

	free(body);
	return rc;
}

/* --- what others call -------------------------------------------------------------------------------------------------------------- */

int hook_new(struct hook **out, struct event_base *base, struct fetch *fetch, struct error *err)
{
	struct hook *hook = calloc(1, sizeof(*hook));

	if (!hook)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	hook->base = base;
	hook->fetch = fetch;
	TAILQ_INIT(&hook->runs);
	*out = hook;
	return 0;
}

/* Its callback has been called and it is freed when this returns. */
static void cancel(struct hook_run *run, const char *why)
{
	if (run->is_program)
		hook_finish(run, HOOK_CANCELLED, 0, why, "", 0);
	else
		fetch_cancel(run->hook->fetch, run);
}

void hook_free(struct hook *hook)
{
	struct hook_run *run;

	if (!hook)
		return;
	while ((run = TAILQ_FIRST(&hook->runs)))
		cancel(run, "rainbowd stops"); /* NOLINT(clang-analyzer-unix.Malloc): as in find_arg */
	free(hook);
}

int hook_run(struct hook *hook, const struct hook_order *order, hook_done done, void *arg)
{
	struct hook_run *run = calloc(1, sizeof(*run));
	int rc;

	if (!run)
		return -ENOMEM;
	run->hook = hook;
	run->done = done;
	run->arg = arg;
	run->is_program = order->place[0] == '/';
	run->timeout_ms = order->timeout.ms > 0 ? order->timeout.ms : DEFAULT_TIMEOUT_MS;
	run->pidfd = run->output = -1;
	run->place = strdup(order->place);
	run->facts = json_deep_copy(order->facts);
	TAILQ_INSERT_TAIL(&hook->runs, run, entry);
	rc = !run->place || !run->facts ? -ENOMEM : run->is_program ? hook_program_begin(run) : send_post(run, order);
	if (!rc)
		return 0;
	TAILQ_REMOVE(&hook->runs, run, entry);
	json_decref(run->facts);
	free(run->place);
	free(run);
	return rc;
}

static struct hook_run *find_arg(struct hook *hook, const void *arg)
{
	struct hook_run *run;

	TAILQ_FOREACH(run, &hook->runs, entry)
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see TAILQ_REMOVE take out what hook_finish frees */
	if (run->arg == arg)
		return run;
	return NULL;
}

void hook_cancel(struct hook *hook, const void *arg)
{
	struct hook_run *run;

	while ((run = find_arg(hook, arg)))
		cancel(run, "cancelled");
}

/* --- as a gate ------------------------------------------------------------------------------------------------------------------- */

static enum gate_verdict verdict_of(const struct hook_result *result)
{
	if (result->outcome == HOOK_OK)
		return GATE_PASS;
	if (result->outcome != HOOK_FAILED)
		return GATE_ERROR;
	if (result->code == (result->is_program ? 1 : 409))
		return GATE_FAIL;
	return result->code == (result->is_program ? 75 : 425) ? GATE_INCONCLUSIVE : GATE_ERROR;
}

void hook_evidence(const struct hook_result *result, struct gate_evidence *out)
{
	memset(out, 0, sizeof(*out));
	out->source = verdict_of(result);
	text_copy(out->reason, sizeof(out->reason), result->reason);
}
