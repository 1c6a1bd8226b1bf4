/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Telling others: a hook is a URL, which is sent a POST with the facts as JSON, or the absolute path of a program, which is run (no
 * shell, no arguments). The loop does not wait for either.
 *
 * A program finds each fact that is no list or object in its environment, "service" as RAINBOW_SERVICE, all of them as RAINBOW_JSON, and
 * a PATH of the system's folders; nothing else is passed on. It runs in /, as rainbowd's user, with stdin empty, in a process group of
 * its own, which is killed at the timeout. What it leaves in the background when it ends in time is left alone.
 */
#ifndef RAINBOW_HOOK_H
#define RAINBOW_HOOK_H

#include <stdbool.h>
#include <jansson.h>
#include "common/duration.h"
#include "common/error.h"
#include "gate.h"

struct event_base;
struct fetch;
struct hook;

struct hook_order {
	const char *place;                /* URL or path */
	const json_t *facts;              /* a flat object */
	const char *token_file, *ca_file; /* of a URL; see fetch.h */
	struct duration timeout;          /* 0: 10s */
};

enum hook_outcome {
	HOOK_OK,     /* HTTP 2xx, exit code 0 */
	HOOK_FAILED, /* any other answer, or none: `reason` says what */
	HOOK_TIMEOUT,
	HOOK_CANCELLED, /* rainbowd stops, or hook_cancel */
};

struct hook_result {
	enum hook_outcome outcome;
	bool is_program;
	int code;                      /* exit code or HTTP status; 0 with HOOK_FAILED: there was none */
	char reason[GATE_REASON_SIZE]; /* a sentence, with the last line that was said: "exit code 3: no such cluster" */
	char said[GATE_REASON_SIZE];   /* that line alone; "" */
};

typedef void (*hook_done)(const struct hook_result *result, void *arg);

int hook_new(struct hook **out, struct event_base *base, struct fetch *fetch, struct error *err);
/* Kills and cancels what is left. Not from a callback; before fetch_free. The callbacks run no more hooks. */
void hook_free(struct hook *hook);

/* `done` is called once, from the loop and never from in here. 0, or -ENOMEM, and then it is not called. */
int hook_run(struct hook *hook, const struct hook_order *order, hook_done done, void *arg);
/* Those with this arg end: done(HOOK_CANCELLED) has been called when it returns. */
void hook_cancel(struct hook *hook, const void *arg);

/*
 * What the answer of a webhook or command means as a gate: 2xx or exit 0 PASS; 409 or exit 1 FAIL; 425 or exit 75 (EX_TEMPFAIL)
 * INCONCLUSIVE; anything else ERROR. The evidence is of kind ANSWER. Pure.
 */
void hook_evidence(const struct hook_result *result, struct gate_evidence *out);

#endif
