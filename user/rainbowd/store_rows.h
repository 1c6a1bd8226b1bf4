/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* For store.c, store_rows.c, store_history.c and samples.c alone: the open database and the steps of a transaction. */
#ifndef RAINBOW_STORE_ROWS_H
#define RAINBOW_STORE_ROWS_H

#include <sqlite3.h>
#include "store.h"

enum store_statement {
	STORE_PUT_SERVICE,
	STORE_PUT_VERSION,
	STORE_PUT_BACKEND,
	STORE_PUT_STEER,
	STORE_DROP_SERVICE,
	STORE_DROP_VERSION,
	STORE_DROP_BACKEND,
	STORE_DROP_STEER,
	STORE_PUT_NOTE,
	STORE_TRIM_HISTORY,
	STORE_NOTE_TOOK,
	STORE_STATEMENTS
};

struct store {
	sqlite3 *db;
	int lock;                                   /* descriptor that holds the state directory */
	sqlite3_stmt *statements[STORE_STATEMENTS]; /* prepared once */
	uint32_t history_rows;                      /* that are kept */
};

/* Fills err from the database's last error. */
int store_fail(struct store *store, struct error *err);
int store_begin(struct store *store, struct error *err);
/* Commits if rc is 0, else rolls back; returns what became of it. */
int store_end(struct store *store, int rc, struct error *err);
/* The rows written so far go to the file now, not with the commit: here a full disk shows. */
int store_flush(struct store *store, struct error *err);
int store_prepare(struct store *store, sqlite3_stmt **out, const char *sql, struct error *err);
/* Runs a statement that returns no rows, and resets it. */
int store_step(struct store *store, sqlite3_stmt *statement, struct error *err);
/* Within a transaction. */
int store_put_note(struct store *store, struct note *note, struct error *err);

#endif
