/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One row of the history on its way there: who did what to which service, why, what it was before and after, and what came of it.
 * Pure but for its memory; history.h stores it.
 */
#ifndef RAINBOW_NOTE_H
#define RAINBOW_NOTE_H

#include <jansson.h>
#include "model.h"

#define NOTE_SENTENCE_SIZE 512
#define NOTE_REASON_MAX    200 /* bytes */
#define NOTE_ASKED_MAX     80
#define NOTE_RAINBOWD      "rainbowd"

struct note {
	int64_t id; /* given when it is stored; 0: it is not */
	struct instant at;
	char service[RAINBOW_NAME_SIZE], version[RAINBOW_NAME_SIZE]; /* "": of none */
	char actor[32];                                              /* "uid 1000", NOTE_RAINBOWD */
	int64_t uid, pid;                                            /* of the peer; -1: of none */
	char verb[32];                                               /* "set-weight", "drained" */
	char sentence[NOTE_SENTENCE_SIZE];                           /* what it did, or was to do */
	char reason[NOTE_REASON_MAX + 1];                            /* --reason; "" */
	char outcome[NOTE_SENTENCE_SIZE + 32];                       /* "ok", or "conflict: the service is ..." */
	char *before,
	    *after;       /* JSON of what changed in the service, all of it where the service is new or gone; NULL: nothing */
	int64_t began_us; /* monotonic; 0: unknown */
	int64_t took_us;  /* until the moment before the commit */
	int64_t if_generation; /* of the command: the service must be at this one; -1: any */
	int64_t generation;    /* that the change leads to; -1: there was no change (yet) */
};

/* Outcome ok, by nobody. Finish with note_fini. */
void note_init(struct note *note);
void note_fini(struct note *note);
/* Of what rainbowd does unasked. */
void note_of_rainbowd(struct note *note, const char *verb, const struct service *service, const char *version,
		      const char *format, ...) __attribute__((format(printf, 5, 6)));
void note_tell(struct note *note, const char *format, ...) __attribute__((format(printf, 2, 3)));
/*
 * Until a command says what it did, and for ever where it is refused, the sentence is what was asked: the verb, its objects
 * ("chat v1"; may be ""), and the body (NULL: none), which of a document is only what it is about: "apply of 2 services (chat, api)". At
 * most NOTE_ASKED_MAX bytes.
 */
void note_asked(struct note *note, const char *objects, const json_t *body);
void note_by_peer(struct note *note, int64_t uid, int64_t pid);
/* A reason as a person gave it: UTF-8 without controls, at most NOTE_REASON_MAX bytes. */
int note_reason_check(const char *text, struct error *err);
/* Fills before and after: the parts that differ. Either service may be NULL. */
void note_difference(struct note *note, const struct service *before, const struct service *after);
void note_failed(struct note *note, const struct error *err);

#endif
