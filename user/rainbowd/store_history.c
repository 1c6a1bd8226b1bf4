// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The history on disk: a row for each note, of which the newest are kept. */
#include <string.h>
#include "note.h"
#include "shapes.h"
#include "store_rows.h"

static void bind_text(sqlite3_stmt *statement, int place, const char *text)
{
	sqlite3_bind_text(statement, place, text, -1, SQLITE_STATIC); /* NULL where there is none */
}

static int insert(struct store *store, struct note *note, struct error *err)
{
	static const char sql[] =
	    "INSERT INTO history (at_ms, service, version, actor, uid, pid, verb, sentence, before, after,"
	    " reason, outcome, took_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
	int rc = store_prepare(store, &store->statements[STORE_PUT_NOTE], sql, err);
	sqlite3_stmt *statement = store->statements[STORE_PUT_NOTE];

	if (rc)
		return rc;
	if (!note->at.unix_ms)
		note->at = instant_now();
	sqlite3_bind_int64(statement, 1, note->at.unix_ms);
	bind_text(statement, 2, note->service);
	bind_text(statement, 3, note->version);
	bind_text(statement, 4, note->actor);
	sqlite3_bind_int64(statement, 5, note->uid);
	sqlite3_bind_int64(statement, 6, note->pid);
	bind_text(statement, 7, note->verb);
	bind_text(statement, 8, note->sentence);
	bind_text(statement, 9, note->before);
	bind_text(statement, 10, note->after);
	bind_text(statement, 11, note->reason);
	bind_text(statement, 12, note->outcome);
	sqlite3_bind_int64(statement, 13, note->took_us);
	rc = store_step(store, statement, err);
	if (!rc)
		note->id = sqlite3_last_insert_rowid(store->db);
	return rc;
}

/* Ids rise by one, so those to go are known without counting. */
static int trim(struct store *store, int64_t newest, struct error *err)
{
	int rc = store_prepare(store, &store->statements[STORE_TRIM_HISTORY], "DELETE FROM history WHERE id <= ?", err);

	if (rc)
		return rc;
	sqlite3_bind_int64(store->statements[STORE_TRIM_HISTORY], 1, newest - (int64_t)store->history_rows);
	return store_step(store, store->statements[STORE_TRIM_HISTORY], err);
}

int store_put_note(struct store *store, struct note *note, struct error *err)
{
	int rc = insert(store, note, err);

	return rc ? rc : trim(store, note->id, err);
}

int store_note_took(struct store *store, const struct note *note, struct error *err)
{
	sqlite3_stmt **statement = &store->statements[STORE_NOTE_TOOK];
	int rc = store_prepare(store, statement, "UPDATE history SET took_us = ? WHERE id = ?", err);

	if (rc)
		return rc;
	sqlite3_bind_int64(*statement, 1, note->took_us);
	sqlite3_bind_int64(*statement, 2, note->id);
	return store_step(store, *statement, err);
}

int store_note(struct store *store, struct note *note, struct error *err)
{
	int rc = store_begin(store, err);

	if (rc)
		return rc;
	rc = store_end(store, store_put_note(store, note, err), err);
	if (rc)
		note->id = 0;
	return rc;
}

void store_keep_history(struct store *store, uint32_t rows)
{
	store->history_rows = rows;
}

/* --- reading ------------------------------------------------------------------------------------------------------------------ */

static json_t *text_of(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	return json_text(text ? text : "");
}

static json_t *number_of(sqlite3_stmt *row, int column)
{
	int64_t number = sqlite3_column_int64(row, column);

	return json_unless(number < 0, json_integer(number));
}

static json_t *object_of(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);
	json_t *object = text ? json_loads(text, 0, NULL) : NULL;

	return object ? object : json_null();
}

static json_t *row_of(sqlite3_stmt *row)
{
	struct instant at = {.unix_ms = sqlite3_column_int64(row, 1)};

	return json_pack("{s:I, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:f}", "id",
			 (json_int_t)sqlite3_column_int64(row, 0), "at", json_instant(at), "at_ms", (json_int_t)at.unix_ms,
			 "service", text_of(row, 2), "version", text_of(row, 3), "actor", text_of(row, 4), "uid",
			 number_of(row, 5), "pid", number_of(row, 6), "verb", text_of(row, 7), "sentence", text_of(row, 8),
			 "before", object_of(row, 9), "after", object_of(row, 10), "reason", text_of(row, 11), "outcome",
			 text_of(row, 12), "took_ms", (double)sqlite3_column_int64(row, 13) / 1000);
}

static int read_rows(struct store *store, sqlite3_stmt *statement, json_t *rows, struct error *err)
{
	int step;

	while ((step = sqlite3_step(statement)) == SQLITE_ROW)
		json_array_append_new(rows, row_of(statement));
	return step == SQLITE_DONE ? 0 : store_fail(store, err);
}

int store_history(struct store *store, const struct history_query *query, json_t **rows, struct error *err)
{
	static const char columns[] =
	    "SELECT id, at_ms, service, version, actor, uid, pid, verb, sentence, before, after, reason,"
	    " outcome, took_us FROM history WHERE id > ?1 AND id < ?2 AND (?3 IS NULL OR service = ?3)";
	sqlite3_stmt *statement = NULL;
	char sql[400];
	int rc;

	sqlite3_snprintf(sizeof(sql), sql, "%s ORDER BY id %s LIMIT ?4", columns, query->oldest_first ? "ASC" : "DESC");
	rc = store_prepare(store, &statement, sql, err);
	if (rc)
		return rc;
	sqlite3_bind_int64(statement, 1, query->after);
	sqlite3_bind_int64(statement, 2, query->before ? query->before : INT64_MAX);
	bind_text(statement, 3, query->service);
	sqlite3_bind_int64(statement, 4, (int64_t)query->limit);
	*rows = json_array();
	rc = read_rows(store, statement, *rows, err);
	sqlite3_finalize(statement);
	if (rc) {
		json_decref(*rows);
		*rows = NULL;
	}
	return rc;
}

int store_history_bounds(struct store *store, int64_t *oldest, int64_t *newest, struct error *err)
{
	sqlite3_stmt *statement = NULL;
	int rc = store_prepare(store, &statement, "SELECT (SELECT min(id) FROM history), (SELECT max(id) FROM history)", err);

	if (rc)
		return rc;
	if (sqlite3_step(statement) == SQLITE_ROW) {
		*oldest = sqlite3_column_int64(statement, 0);
		*newest = sqlite3_column_int64(statement, 1);
	} else {
		rc = store_fail(store, err);
	}
	sqlite3_finalize(statement);
	return rc;
}
