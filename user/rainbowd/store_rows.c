// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The model's rows: writing a service as the difference to what it was, and reading all of them. */
#include <stdlib.h>
#include <string.h>
#include "common/text.h"
#include "store_json.h"
#include "store_rows.h"

static const char *const statement_sql[STORE_STATEMENTS] = {
    [STORE_PUT_SERVICE] = "INSERT OR REPLACE INTO service VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [STORE_PUT_VERSION] =
	"INSERT OR REPLACE INTO version VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [STORE_PUT_BACKEND] = "INSERT OR REPLACE INTO backend VALUES (?, ?, ?, ?, ?, ?, ?)",
    [STORE_PUT_STEER] = "INSERT OR REPLACE INTO steer VALUES (?, ?, ?)",
    [STORE_DROP_SERVICE] = "DELETE FROM service WHERE id = ?",
    [STORE_DROP_VERSION] = "DELETE FROM version WHERE id = ?",
    [STORE_DROP_BACKEND] = "DELETE FROM backend WHERE id = ?",
    [STORE_DROP_STEER] = "DELETE FROM steer WHERE service = ? AND range = ?",
};

/* A statement being filled: values are bound in the order of the columns. */
struct row {
	sqlite3_stmt *statement;
	int column;
};

static int row_begin(struct store *store, enum store_statement which, struct row *row, struct error *err)
{
	int rc = store_prepare(store, &store->statements[which], statement_sql[which], err);

	row->statement = store->statements[which];
	row->column = 0;
	return rc;
}

static void row_number(struct row *row, int64_t value)
{
	sqlite3_bind_int64(row->statement, ++row->column, value);
}

static void row_text(struct row *row, const char *value)
{
	sqlite3_bind_text(row->statement, ++row->column, value, -1, SQLITE_TRANSIENT);
}

/* As JSON, or "" for NULL; takes the reference. */
static void row_json(struct row *row, json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;

	row_text(row, text ? text : "");
	free(text);
	json_decref(json);
}

static int put_service(struct store *store, const struct service *service, struct error *err)
{
	char text[ADDR_TEXT_SIZE];
	struct row row;
	int rc = row_begin(store, STORE_PUT_SERVICE, &row, err);

	if (rc)
		return rc;
	row_number(&row, service->id);
	row_text(&row, service->name);
	row_text(&row, addr_format(&service->at.addr, text));
	row_number(&row, service->at.port);
	row_text(&row, protocol_name(service->protocol));
	row_text(&row, affinity_name(service->affinity));
	row_text(&row, selection_name(service->selection));
	row_text(&row, stray_name(service->stray));
	row_number(&row, service->idle_timeout.ms);
	row_number(&row, service->client_prefix);
	row_number(&row, service->generation);
	sqlite3_bind_blob(row.statement, ++row.column, service->wheel, sizeof(service->wheel), SQLITE_TRANSIENT);
	row_number(&row, service->probe_idle.ms);
	row_json(&row, store_json_settings(service));
	row_json(&row, store_json_rollout(service));
	row_number(&row, service->lock.since.unix_ms);
	row_number(&row, service->lock.uid);
	row_text(&row, service->lock.reason);
	return store_step(store, row.statement, err);
}

static int put_version(struct store *store, const struct service *service, const struct version *version, struct error *err)
{
	struct row row;
	int rc = row_begin(store, STORE_PUT_VERSION, &row, err);

	if (rc)
		return rc;
	row_number(&row, version->id);
	row_number(&row, service->id);
	row_number(&row, version - service->versions);
	row_text(&row, version->label);
	row_text(&row, version->tuple.code);
	row_text(&row, version->tuple.model);
	row_text(&row, version->tuple.prompts);
	row_text(&row, version->tuple.tools);
	row_text(&row, version_state_name(version->state));
	row_number(&row, version->weight);
	row_number(&row, version->previous_weight);
	row_number(&row, (int64_t)version->opened_before);
	row_number(&row, version->created.unix_ms);
	row_number(&row, version->drain.started.unix_ms);
	row_number(&row, version->drain.deadline.unix_ms);
	row_text(&row, on_deadline_name(version->drain.on_deadline));
	row_number(&row, version->eviction.asked.unix_ms);
	row_number(&row, version->eviction.cutoff.unix_ms);
	row_number(&row, version->eviction.rate);
	row_text(&row, version->quarantine);
	row_json(&row, store_json_duty(version));
	return store_step(store, row.statement, err);
}

static int put_backend(struct store *store, const struct version *version, const struct backend *backend, struct error *err)
{
	char text[ADDR_TEXT_SIZE];
	struct row row;
	int rc = row_begin(store, STORE_PUT_BACKEND, &row, err);

	if (rc)
		return rc;
	row_number(&row, backend->id);
	row_number(&row, version->id);
	row_number(&row, backend - version->backends);
	row_text(&row, addr_format(&backend->at.addr, text));
	row_number(&row, backend->at.port);
	row_number(&row, backend->max_sessions);
	row_number(&row, backend->leaving);
	return store_step(store, row.statement, err);
}

static int put_steer(struct store *store, const struct service *service, const struct steer *steer, struct error *err)
{
	char text[ADDR_TEXT_SIZE];
	struct row row;
	int rc = row_begin(store, STORE_PUT_STEER, &row, err);

	if (rc)
		return rc;
	row_number(&row, service->id);
	row_text(&row, cidr_format(&steer->range, text));
	row_number(&row, steer->version);
	return store_step(store, row.statement, err);
}

static int drop(struct store *store, enum store_statement which, uint32_t id, struct error *err)
{
	struct row row;
	int rc = row_begin(store, which, &row, err);

	if (rc)
		return rc;
	row_number(&row, id);
	return store_step(store, row.statement, err);
}

static int drop_steer(struct store *store, const struct service *service, const struct steer *steer, struct error *err)
{
	char text[ADDR_TEXT_SIZE];
	struct row row;
	int rc = row_begin(store, STORE_DROP_STEER, &row, err);

	if (rc)
		return rc;
	row_number(&row, service->id);
	row_text(&row, cidr_format(&steer->range, text));
	return store_step(store, row.statement, err);
}

static bool backend_is_same(const struct version *was, const struct version *now, const struct backend *backend)
{
	const struct backend *old = was ? version_find_backend_id(was, backend->id) : NULL;

	return old && old - was->backends == backend - now->backends && old->leaving == backend->leaving &&
	       old->max_sessions == backend->max_sessions;
}

static int save_backends(struct store *store, const struct version *was, const struct version *now, struct error *err)
{
	size_t i;
	int rc = 0;

	for (i = 0; !rc && was && i < was->backend_count; i++)
		if (!now || !version_find_backend_id(now, was->backends[i].id))
			rc = drop(store, STORE_DROP_BACKEND, was->backends[i].id, err);
	for (i = 0; !rc && now && i < now->backend_count; i++)
		if (!backend_is_same(was, now, &now->backends[i]))
			rc = put_backend(store, now, &now->backends[i], err);
	return rc;
}

static int save_versions(struct store *store, const struct service *before, const struct service *after, struct error *err)
{
	size_t i;
	int rc = 0;

	for (i = 0; !rc && before && i < before->version_count; i++) {
		const struct version *was = &before->versions[i];

		if (after && service_find_version_id(after, was->id))
			continue;
		rc = save_backends(store, was, NULL, err);
		rc = rc ? rc : drop(store, STORE_DROP_VERSION, was->id, err);
	}
	for (i = 0; !rc && after && i < after->version_count; i++) {
		const struct version *now = &after->versions[i];

		rc = put_version(store, after, now, err);
		rc = rc ? rc : save_backends(store, before ? service_find_version_id(before, now->id) : NULL, now, err);
	}
	return rc;
}

static int save_steers(struct store *store, const struct service *before, const struct service *after, struct error *err)
{
	size_t i;
	int rc = 0;

	for (i = 0; !rc && before && i < before->steer_count; i++)
		if (!after || !service_find_steer(after, &before->steers[i].range))
			rc = drop_steer(store, before, &before->steers[i], err);
	for (i = 0; !rc && after && i < after->steer_count; i++) {
		const struct steer *was = before ? service_find_steer(before, &after->steers[i].range) : NULL;

		if (!was || was->version != after->steers[i].version)
			rc = put_steer(store, after, &after->steers[i], err);
	}
	return rc;
}

int store_stage(struct store *store, const struct service *before, const struct service *after, struct note *note,
		struct error *err)
{
	int rc = store_begin(store, err);

	if (rc)
		return rc;
	rc = save_steers(store, before, after, err);
	rc = rc ? rc : save_versions(store, before, after, err);
	if (!rc)
		rc = after ? put_service(store, after, err) : drop(store, STORE_DROP_SERVICE, before->id, err);
	if (!rc && note)
		rc = store_put_note(store, note, err);
	rc = rc ? rc : store_flush(store, err);
	return rc ? store_end(store, rc, err) : 0;
}

/* --- reading ----------------------------------------------------------------------------------------------------------- */

static const char *column_text(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	return text ? text : "";
}

static uint32_t column_u32(sqlite3_stmt *row, int column)
{
	return (uint32_t)sqlite3_column_int64(row, column);
}

static struct instant column_instant(sqlite3_stmt *row, int column)
{
	return (struct instant){.unix_ms = sqlite3_column_int64(row, column)};
}

static enum rainbow_version_state state_parse(const char *text)
{
	enum rainbow_version_state state;

	for (state = RAINBOW_VERSION_ACTIVE; state < RAINBOW_VERSION_DRAINED; state++)
		if (strcmp(version_state_name(state), text) == 0)
			break;
	return state;
}

static struct service *find_service_id(const struct model *model, uint32_t id)
{
	size_t i;

	for (i = 0; i < model->count; i++)
		if (model->services[i]->id == id)
			return model->services[i];
	return NULL;
}

static struct version *find_version_id(const struct model *model, uint32_t id)
{
	size_t i;

	for (i = 0; i < model->count; i++) {
		struct version *version = service_find_version_id(model->services[i], id);

		if (version)
			return version;
	}
	return NULL;
}

typedef int (*row_reader)(struct model *model, sqlite3_stmt *row, struct error *err);

static int bad_row(const char *table, sqlite3_stmt *row, struct error *err)
{
	return error_set(err, ERROR_INTERNAL, "state-dir",
			 "the database holds a %s that can not be (first column %s); restore it from a copy", table,
			 column_text(row, 0));
}

static int read_service(struct model *model, sqlite3_stmt *row, struct error *err)
{
	struct service *service = service_new();
	int rc;

	service->id = column_u32(row, 0);
	text_copy(service->name, sizeof(service->name), column_text(row, 1));
	service->at.port = (uint16_t)column_u32(row, 3);
	service->protocol = protocol_parse(column_text(row, 4));
	service->affinity = affinity_parse(column_text(row, 5));
	service->selection = selection_parse(column_text(row, 6));
	service->stray = stray_parse(column_text(row, 7));
	service->idle_timeout.ms = sqlite3_column_int64(row, 8);
	service->client_prefix = column_u32(row, 9);
	service->generation = column_u32(row, 10);
	service->probe_idle.ms = sqlite3_column_int64(row, 12);
	if (addr_parse(column_text(row, 2), &service->at.addr, "address", err) || !service->protocol || !service->id ||
	    service->id > RAINBOW_MAX_SERVICES || model->count >= RAINBOW_MAX_SERVICES ||
	    sqlite3_column_bytes(row, 11) != (int)sizeof(service->wheel)) {
		service_free(service);
		return bad_row("service", row, err);
	}
	memcpy(service->wheel, sqlite3_column_blob(row, 11), sizeof(service->wheel));
	service->lock.since = column_instant(row, 15);
	service->lock.uid = column_u32(row, 16);
	text_copy(service->lock.reason, sizeof(service->lock.reason), column_text(row, 17));
	rc = store_json_read(service, column_text(row, 13), column_text(row, 14), err);
	if (rc)
		service_free(service);
	else
		model_replace(model, NULL, service);
	return rc;
}

static int read_version(struct model *model, sqlite3_stmt *row, struct error *err)
{
	struct service *service = find_service_id(model, column_u32(row, 1));
	struct version version = {.id = column_u32(row, 0)};

	if (!service || !version.id || version.id > RAINBOW_MAX_VERSIONS ||
	    service->version_count >= RAINBOW_MAX_VERSIONS_PER_SERVICE)
		return bad_row("version", row, err);
	text_copy(version.label, sizeof(version.label), column_text(row, 3));
	text_copy(version.tuple.code, TUPLE_TEXT_SIZE, column_text(row, 4));
	text_copy(version.tuple.model, TUPLE_TEXT_SIZE, column_text(row, 5));
	text_copy(version.tuple.prompts, TUPLE_TEXT_SIZE, column_text(row, 6));
	text_copy(version.tuple.tools, TUPLE_TEXT_SIZE, column_text(row, 7));
	version.state = state_parse(column_text(row, 8));
	version.weight = column_u32(row, 9);
	version.previous_weight = column_u32(row, 10);
	version.opened_before = (uint64_t)sqlite3_column_int64(row, 11);
	version.created = column_instant(row, 12);
	version.drain.started = column_instant(row, 13);
	version.drain.deadline = column_instant(row, 14);
	version.drain.on_deadline = strcmp(column_text(row, 15), "hold") == 0 ? ON_DEADLINE_HOLD : ON_DEADLINE_RESET;
	version.eviction.asked = column_instant(row, 16);
	version.eviction.cutoff = column_instant(row, 17);
	version.eviction.rate = column_u32(row, 18);
	text_copy(version.quarantine, sizeof(version.quarantine), column_text(row, 19));
	if (store_json_read_duty(&version, column_text(row, 20), err))
		return -(int)err->code;
	service_append_version(service, &version);
	return 0;
}

static int read_backend(struct model *model, sqlite3_stmt *row, struct error *err)
{
	struct version *version = find_version_id(model, column_u32(row, 1));
	struct backend backend = {.id = column_u32(row, 0)};

	backend.at.port = (uint16_t)column_u32(row, 4);
	backend.max_sessions = column_u32(row, 5);
	backend.leaving = column_u32(row, 6) != 0;
	if (!version || !backend.id || backend.id > RAINBOW_MAX_BACKENDS ||
	    version->backend_count >= RAINBOW_MAX_BACKENDS_PER_VERSION ||
	    addr_parse(column_text(row, 3), &backend.at.addr, "address", err))
		return bad_row("backend", row, err);
	version_append_backend(version, &backend);
	return 0;
}

static int read_steer(struct model *model, sqlite3_stmt *row, struct error *err)
{
	struct service *service = find_service_id(model, column_u32(row, 0));
	struct steer steer = {.version = column_u32(row, 2)};

	if (!service || !service_find_version_id(service, steer.version) ||
	    cidr_parse(column_text(row, 1), &steer.range, "range", err))
		return bad_row("steer", row, err);
	service_append_steer(service, &steer);
	return 0;
}

static int read_rows(struct store *store, struct model *model, const char *sql, row_reader read, struct error *err)
{
	sqlite3_stmt *statement = NULL;
	int rc = store_prepare(store, &statement, sql, err);
	int step = SQLITE_DONE;

	while (!rc && (step = sqlite3_step(statement)) == SQLITE_ROW)
		rc = read(model, statement, err);
	if (!rc && step != SQLITE_DONE)
		rc = store_fail(store, err);
	sqlite3_finalize(statement);
	return rc;
}

int store_load(struct store *store, struct model *model, struct error *err)
{
	int rc = read_rows(store, model, "SELECT * FROM service ORDER BY name", read_service, err);

	rc = rc ? rc : read_rows(store, model, "SELECT * FROM version ORDER BY service, place", read_version, err);
	rc = rc ? rc : read_rows(store, model, "SELECT * FROM backend ORDER BY version, place", read_backend, err);
	return rc ? rc : read_rows(store, model, "SELECT * FROM steer ORDER BY service, range", read_steer, err);
}
