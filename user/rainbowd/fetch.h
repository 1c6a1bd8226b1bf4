/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Asking others over HTTP without the event loop waiting: libcurl's multi interface on libevent. Only http and https; TLS is always
 * verified; no redirect is followed (the answer says where it leads); proxies of the environment and .netrc are not looked at; an
 * answer has at most FETCH_ANSWER_MAX bytes.
 */
#ifndef RAINBOW_FETCH_H
#define RAINBOW_FETCH_H

#include <stddef.h>
#include "common/duration.h"
#include "common/error.h"

#define FETCH_AT_ONCE    16 /* the others wait for their turn, in the order in which they were asked */
#define FETCH_ANSWER_MAX (1 << 20)

struct event_base;
struct fetch;

struct fetch_question {
	const char *url;
	const char *body;        /* NULL: GET; else POST it, as JSON */
	const char *token_file;  /* holds a bearer token, read at each question; NULL or "": none */
	const char *ca_file;     /* NULL or "": the system's */
	struct duration timeout; /* from its turn to the last byte; 0: 10s */
};

enum fetch_outcome { FETCH_ANSWERED, FETCH_FAILED, FETCH_TIMEOUT, FETCH_CANCELLED };

/* Valid during the callback. */
struct fetch_answer {
	enum fetch_outcome outcome;
	int status;       /* of HTTP; 0 unless ANSWERED */
	const char *body; /* with a NUL behind it; "" unless ANSWERED */
	size_t length;
	const char *redirect; /* where a 3xx leads; NULL: nowhere */
	const char *reason;   /* a sentence; "" if ANSWERED */
};

typedef void (*fetch_done)(const struct fetch_answer *answer, void *arg);

int fetch_new(struct fetch **out, struct event_base *base, struct error *err);
/* Cancels what is left. Not from a callback; the callbacks ask nothing more. */
void fetch_free(struct fetch *fetch);

/* `done` is called once, from the loop and never from in here. 0, or -ENOMEM, and then it is not called. */
int fetch_ask(struct fetch *fetch, const struct fetch_question *question, fetch_done done, void *arg);
/* All questions with this arg end: done(FETCH_CANCELLED) has been called when it returns. */
void fetch_cancel(struct fetch *fetch, const void *arg);

#endif
