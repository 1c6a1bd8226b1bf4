/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The model on disk: SQLite in WAL mode with synchronous=FULL, so what was committed survives a power cut. One transaction a
 * command. One process has the state directory at a time. Nothing here decides.
 */
#ifndef RAINBOW_STORE_H
#define RAINBOW_STORE_H

#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include "datapath.h"
#include "model.h"

struct note;
struct store;

/* Makes the directory and the database if they are missing. ERROR_CONFLICT: another rainbowd has it; ERROR_PRECONDITION: it is of
 * a schema that this one does not know. */
int store_open(struct store **out, const char *state_dir, struct error *err);
void store_close(struct store *store);

int store_load(struct store *store, struct model *model, struct error *err);
/*
 * Replaces `before` by `after` (either may be NULL) in one transaction, with its note (NULL: none), all of it or nothing. stage writes
 * all but its end, so that little is left to fail: then one of commit (which may fail nevertheless) or abandon follows. In between
 * store_note_took may write how long it took.
 */
int store_stage(struct store *store, const struct service *before, const struct service *after, struct note *note,
		struct error *err);
int store_note_took(struct store *store, const struct note *note, struct error *err);
int store_commit(struct store *store, struct error *err);
void store_abandon(struct store *store);

/* --- the history (store_history.c). The newest rows are kept, HISTORY_ROWS of them if nothing else is said. */
#define HISTORY_ROWS 10000

/* A note by itself, in a transaction of its own; gives it its id. */
int store_note(struct store *store, struct note *note, struct error *err);
void store_keep_history(struct store *store, uint32_t rows);

struct history_query {
	const char *service;   /* NULL: of all */
	int64_t after, before; /* ids, neither of them included; before 0: to the end */
	uint64_t limit;
	bool oldest_first;
};

/* *rows: an array of what GET /v1/history shows. */
int store_history(struct store *store, const struct history_query *query, json_t **rows, struct error *err);
/* 0, 0: there is none. */
int store_history_bounds(struct store *store, int64_t *oldest, int64_t *newest, struct error *err);

/* The key of the selection hash; made at random with the database. It also tells whether maps and database belong together. */
int store_secret(struct store *store, uint64_t secret[2], struct error *err);

/* The interfaces that the operator wants hooked. */
int store_load_wishes(struct store *store, struct hook_wish *wishes, size_t max, size_t *count, struct error *err);
int store_save_wishes(struct store *store, const struct hook_wish *wishes, size_t count, struct error *err);

#endif
