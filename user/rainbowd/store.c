// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Opening the database, its schema, transactions, and what is not of the model. The model's rows: store_rows.c. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include "common/text.h"
#include "store_rows.h"

#define STORE_SCHEMA 3

#define HISTORY_SQL                                                                                                            \
	"CREATE TABLE history (id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, service TEXT NOT NULL,"           \
	" version TEXT NOT NULL, actor TEXT NOT NULL, uid INTEGER NOT NULL, pid INTEGER NOT NULL, verb TEXT NOT NULL,"         \
	" sentence TEXT NOT NULL, before TEXT, after TEXT, reason TEXT NOT NULL, outcome TEXT NOT NULL,"                       \
	" took_us INTEGER NOT NULL);"

static const char schema_sql[] =
    "CREATE TABLE secret (id INTEGER PRIMARY KEY CHECK (id = 1), high INTEGER NOT NULL, low INTEGER NOT NULL);"
    "CREATE TABLE interface (name TEXT PRIMARY KEY, kind INTEGER NOT NULL, place INTEGER NOT NULL);"
    "CREATE TABLE service (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, address TEXT NOT NULL, port INTEGER NOT NULL,"
    " protocol TEXT NOT NULL, affinity TEXT NOT NULL, selection TEXT NOT NULL, stray TEXT NOT NULL, idle_ms INTEGER NOT NULL,"
    " client_prefix INTEGER NOT NULL, generation INTEGER NOT NULL, wheel BLOB NOT NULL,"
    " probe_idle_ms INTEGER NOT NULL DEFAULT 0, settings TEXT NOT NULL DEFAULT '', rollout TEXT NOT NULL DEFAULT '',"
    " lock_since_ms INTEGER NOT NULL DEFAULT 0, lock_uid INTEGER NOT NULL DEFAULT 0, lock_reason TEXT NOT NULL DEFAULT '');"
    "CREATE TABLE version (id INTEGER PRIMARY KEY, service INTEGER NOT NULL REFERENCES service (id), place INTEGER NOT NULL,"
    " label TEXT NOT NULL, code TEXT NOT NULL, model TEXT NOT NULL, prompts TEXT NOT NULL, tools TEXT NOT NULL,"
    " state TEXT NOT NULL, weight INTEGER NOT NULL, previous_weight INTEGER NOT NULL, opened_before INTEGER NOT NULL,"
    " created_ms INTEGER NOT NULL, drain_started_ms INTEGER NOT NULL, drain_deadline_ms INTEGER NOT NULL,"
    " on_deadline TEXT NOT NULL, evict_asked_ms INTEGER NOT NULL, evict_cutoff_ms INTEGER NOT NULL,"
    " evict_rate INTEGER NOT NULL, quarantine TEXT NOT NULL DEFAULT '', duty TEXT NOT NULL DEFAULT '',"
    " UNIQUE (service, label));"
    "CREATE TABLE backend (id INTEGER PRIMARY KEY, version INTEGER NOT NULL REFERENCES version (id), place INTEGER NOT NULL,"
    " address TEXT NOT NULL, port INTEGER NOT NULL, max_sessions INTEGER NOT NULL, leaving INTEGER NOT NULL);"
    "CREATE INDEX backend_version ON backend (version);"
    "CREATE TABLE steer (service INTEGER NOT NULL REFERENCES service (id), range TEXT NOT NULL,"
    " version INTEGER NOT NULL REFERENCES version (id), PRIMARY KEY (service, range));" HISTORY_SQL "PRAGMA user_version = 3;";

/* From each schema to the next: what was not there gets the value that a new one gets by default. */
static const char *const upgrade_sql[STORE_SCHEMA] = {
    [1] = "ALTER TABLE service ADD COLUMN probe_idle_ms INTEGER NOT NULL DEFAULT 0;"
	  "UPDATE service SET probe_idle_ms = 900000 WHERE protocol = 'tcp';"
	  "PRAGMA user_version = 2;",
    [2] = "ALTER TABLE service ADD COLUMN settings TEXT NOT NULL DEFAULT '';"
	  "ALTER TABLE service ADD COLUMN rollout TEXT NOT NULL DEFAULT '';"
	  "ALTER TABLE service ADD COLUMN lock_since_ms INTEGER NOT NULL DEFAULT 0;"
	  "ALTER TABLE service ADD COLUMN lock_uid INTEGER NOT NULL DEFAULT 0;"
	  "ALTER TABLE service ADD COLUMN lock_reason TEXT NOT NULL DEFAULT '';"
	  "ALTER TABLE version ADD COLUMN quarantine TEXT NOT NULL DEFAULT '';"
	  "ALTER TABLE version ADD COLUMN duty TEXT NOT NULL DEFAULT '';" HISTORY_SQL "PRAGMA user_version = 3;",
};

int store_fail(struct store *store, struct error *err)
{
	return error_set(err, ERROR_INTERNAL, NULL, "database %s: %s; the command has no effect",
			 sqlite3_db_filename(store->db, "main"), sqlite3_errmsg(store->db));
}

static int run(struct store *store, const char *sql, struct error *err)
{
	return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : store_fail(store, err);
}

int store_begin(struct store *store, struct error *err)
{
	return run(store, "BEGIN IMMEDIATE", err);
}

int store_end(struct store *store, int rc, struct error *err)
{
	if (!rc)
		rc = run(store, "COMMIT", err);
	if (rc && !sqlite3_get_autocommit(store->db))
		run(store, "ROLLBACK", NULL);
	return rc;
}

int store_flush(struct store *store, struct error *err)
{
	int rc = sqlite3_db_cacheflush(store->db);

	if (rc == SQLITE_OK)
		return 0;
	/* What this call returns is not noted in the connection, whose message would say "not an error". */
	return error_set(err, ERROR_INTERNAL, NULL, "database %s: %s; the command has no effect",
			 sqlite3_db_filename(store->db, "main"), sqlite3_errstr(rc));
}

int store_commit(struct store *store, struct error *err)
{
	return store_end(store, 0, err);
}

void store_abandon(struct store *store)
{
	store_end(store, -ERROR_INTERNAL, NULL);
}

int store_prepare(struct store *store, sqlite3_stmt **out, const char *sql, struct error *err)
{
	if (!*out && sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) != SQLITE_OK)
		return store_fail(store, err);
	return 0;
}

int store_step(struct store *store, sqlite3_stmt *statement, struct error *err)
{
	int rc = sqlite3_step(statement) == SQLITE_DONE ? 0 : store_fail(store, err);

	sqlite3_reset(statement);
	return rc;
}

static int make_secret(struct store *store, struct error *err)
{
	sqlite3_stmt *statement = NULL;
	sqlite3_int64 secret[2];
	int rc;

	if (getrandom(secret, sizeof(secret), 0) != sizeof(secret))
		return error_set(err, ERROR_INTERNAL, NULL, "no random numbers: %s", strerror(errno));
	rc = store_prepare(store, &statement, "INSERT INTO secret VALUES (1, ?, ?)", err);
	if (rc)
		return rc;
	sqlite3_bind_int64(statement, 1, secret[0]);
	sqlite3_bind_int64(statement, 2, secret[1]);
	rc = store_step(store, statement, err);
	sqlite3_finalize(statement);
	return rc;
}

static int make_schema(struct store *store, struct error *err)
{
	int rc = store_begin(store, err);

	if (rc)
		return rc;
	rc = run(store, schema_sql, err);
	rc = rc ? rc : make_secret(store, err);
	return store_end(store, rc, err);
}

static int read_schema(struct store *store, int *schema, struct error *err)
{
	sqlite3_stmt *statement = NULL;
	int rc = store_prepare(store, &statement, "PRAGMA user_version", err);

	if (rc)
		return rc;
	if (sqlite3_step(statement) == SQLITE_ROW)
		*schema = sqlite3_column_int(statement, 0);
	else
		rc = store_fail(store, err);
	sqlite3_finalize(statement);
	return rc;
}

static int upgrade_schema(struct store *store, int schema, struct error *err)
{
	int rc = store_begin(store, err);

	if (rc)
		return rc;
	for (; !rc && schema < STORE_SCHEMA; schema++)
		rc = run(store, upgrade_sql[schema], err);
	return store_end(store, rc, err);
}

static int open_database(struct store *store, const char *path, struct error *err)
{
	int schema = 0, rc;

	if (sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
		return error_set(err, ERROR_INTERNAL, "state-dir", "database %s: %s", path, sqlite3_errmsg(store->db));
	sqlite3_busy_timeout(store->db, 2000);
	rc = run(store, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF;", err);
	rc = rc ? rc : read_schema(store, &schema, err);
	if (rc)
		return rc;
	if (schema == 0)
		return make_schema(store, err);
	if (schema > 0 && schema < STORE_SCHEMA)
		return upgrade_schema(store, schema, err);
	if (schema != STORE_SCHEMA)
		return error_set(err, ERROR_PRECONDITION, "state-dir",
				 "database %s has schema %d, this rainbowd knows %d; use the rainbowd that wrote it", path,
				 schema, STORE_SCHEMA);
	return 0;
}

static int make_directory(const char *path, struct error *err)
{
	char part[PATH_MAX];
	char *slash;

	if (!text_copy(part, sizeof(part), path))
		return error_set(err, ERROR_BAD_INPUT, "state-dir", "the state directory's path is too long");
	for (slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0755) && errno != EEXIST)
			break;
		*slash = '/';
	}
	if (mkdir(path, 0750) && errno != EEXIST)
		return error_set(err, ERROR_BAD_INPUT, "state-dir", "can not make the state directory %s: %s", path,
				 strerror(errno));
	return 0;
}

/* A lock of its own: closing another descriptor of the database's file would drop SQLite's own locks. */
static int take_directory(struct store *store, const char *state_dir, struct error *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/rainbow.lock", state_dir);
	store->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (store->lock < 0)
		return error_set(err, ERROR_BAD_INPUT, "state-dir", "can not write in the state directory %s: %s", state_dir,
				 strerror(errno));
	if (flock(store->lock, LOCK_EX | LOCK_NB))
		return error_set(
		    err, ERROR_CONFLICT, "state-dir",
		    "another rainbowd uses the state directory %s; stop it first, or give this one another --state-dir",
		    state_dir);
	return 0;
}

int store_open(struct store **out, const char *state_dir, struct error *err)
{
	struct store *store = calloc(1, sizeof(*store));
	char path[PATH_MAX];
	int rc;

	if (!store)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	store->lock = -1;
	store->history_rows = HISTORY_ROWS;
	snprintf(path, sizeof(path), "%s/rainbow.db", state_dir);
	rc = make_directory(state_dir, err);
	rc = rc ? rc : take_directory(store, state_dir, err);
	rc = rc ? rc : open_database(store, path, err);
	if (rc)
		store_close(store);
	else
		*out = store;
	return rc;
}

void store_close(struct store *store)
{
	size_t i;

	if (!store)
		return;
	for (i = 0; i < STORE_STATEMENTS; i++)
		sqlite3_finalize(store->statements[i]);
	sqlite3_close(store->db);
	if (store->lock >= 0)
		close(store->lock);
	free(store);
}

int store_secret(struct store *store, uint64_t secret[2], struct error *err)
{
	sqlite3_stmt *statement = NULL;
	int rc = store_prepare(store, &statement, "SELECT high, low FROM secret", err);

	if (rc)
		return rc;
	if (sqlite3_step(statement) == SQLITE_ROW) {
		secret[0] = (uint64_t)sqlite3_column_int64(statement, 0);
		secret[1] = (uint64_t)sqlite3_column_int64(statement, 1);
	} else {
		rc = store_fail(store, err);
	}
	sqlite3_finalize(statement);
	return rc;
}

int store_load_wishes(struct store *store, struct hook_wish *wishes, size_t max, size_t *count, struct error *err)
{
	sqlite3_stmt *statement = NULL;
	int rc = store_prepare(store, &statement, "SELECT name, kind FROM interface ORDER BY place", err);

	*count = 0;
	while (!rc && *count < max && sqlite3_step(statement) == SQLITE_ROW) {
		struct hook_wish *wish = &wishes[(*count)++];
		const char *name = (const char *)sqlite3_column_text(statement, 0);

		text_copy(wish->interface, sizeof(wish->interface), name ? name : ""); /* NULL only in a damaged file */
		wish->kind = (enum rainbow_hook_kind)sqlite3_column_int(statement, 1);
	}
	sqlite3_finalize(statement);
	return rc;
}

static int insert_wish(struct store *store, sqlite3_stmt *statement, const struct hook_wish *wish, size_t place,
		       struct error *err)
{
	sqlite3_bind_text(statement, 1, wish->interface, -1, SQLITE_STATIC);
	sqlite3_bind_int(statement, 2, (int)wish->kind);
	sqlite3_bind_int64(statement, 3, (sqlite3_int64)place);
	return store_step(store, statement, err);
}

int store_save_wishes(struct store *store, const struct hook_wish *wishes, size_t count, struct error *err)
{
	sqlite3_stmt *statement = NULL;
	int rc = store_begin(store, err);
	size_t i;

	if (rc)
		return rc;
	rc = run(store, "DELETE FROM interface", err);
	rc = rc ? rc : store_prepare(store, &statement, "INSERT OR REPLACE INTO interface VALUES (?, ?, ?)", err);
	for (i = 0; !rc && i < count; i++)
		rc = insert_wish(store, statement, &wishes[i], i, err);
	sqlite3_finalize(statement);
	return store_end(store, rc, err);
}
