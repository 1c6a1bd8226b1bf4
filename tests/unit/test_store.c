// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* user/rainbowd/store.c: what is saved is what is loaded; one holder at a time; strange databases are refused. */
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include "tests/unit/table_test.h"
#include "common/text.h"
#include "rainbowd/note.h"
#include "rainbowd/store.h"

static char directory[64];
static struct error err;

static int setup(void **state)
{
	(void)state;
	memset(&err, 0, sizeof(err));
	strcpy(directory, "/tmp/rainbow-store-XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
	(void)info;
	(void)type;
	(void)walk;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct store *open_store(void)
{
	struct store *store = NULL;

	assert_int_equal(store_open(&store, directory, &err), 0);
	return store;
}

static struct service *make_service(void)
{
	struct service *service = service_new();
	struct backend backend = {.id = 21, .max_sessions = 7, .leaving = true};
	struct version version = {
	    .id = 11,
	    .label = "v1",
	    .tuple = {.code = "c0ffee", .model = "gro\xc3\x9f", .prompts = "p", .tools = "t"},
	    .state = RAINBOW_VERSION_DRAINING,
	    .weight = 250,
	    .previous_weight = 1000,
	    .opened_before = 1ull << 40,
	    .drain = {{1000}, {2000}, ON_DEADLINE_HOLD},
	    .eviction = {{3000}, {2500}, 5},
	    .created = {500},
	    .quarantine = "it loops",
	};

	service->id = 3;
	strcpy(service->name, "web");
	endpoint_parse("[2001:db8::1]:443", &service->at, "", NULL);
	service->protocol = IPPROTO_TCP;
	service->affinity = RAINBOW_AFFINITY_CLIENT;
	service->selection = RAINBOW_SELECTION_EXACT;
	service->stray = RAINBOW_STRAY_DROP;
	service->idle_timeout.ms = 12345;
	service->probe_idle.ms = 54321;
	service->client_prefix = 56;
	service->generation = 9;
	service->wheel[999] = 11;
	service->lock = (struct lock){.since = {4000}, .uid = 1000, .reason = "an incident"};
	endpoint_parse("[2001:db8::2]:80", &backend.at, "", NULL);
	version_append_backend(&version, &backend);
	service_append_version(service, &version);
	service_append_steer(service, &(struct steer){.version = 11});
	cidr_parse("2001:db8:5::/48", &service->steers[0].range, "", NULL);
	return service;
}

static void assert_same(const struct service *a, const struct service *b)
{
	const struct version *v = &a->versions[0], *w = &b->versions[0];

	assert_string_equal(a->name, b->name);
	assert_int_equal(a->id, b->id);
	assert_memory_equal(&a->at.addr, &b->at.addr, sizeof(a->at.addr));
	assert_int_equal(a->at.port, b->at.port);
	assert_int_equal(a->protocol, b->protocol);
	assert_int_equal(a->affinity, b->affinity);
	assert_int_equal(a->selection, b->selection);
	assert_int_equal(a->stray, b->stray);
	assert_int_equal(a->idle_timeout.ms, b->idle_timeout.ms);
	assert_int_equal(a->probe_idle.ms, b->probe_idle.ms);
	assert_int_equal(a->client_prefix, b->client_prefix);
	assert_int_equal(a->generation, b->generation);
	assert_memory_equal(a->wheel, b->wheel, sizeof(a->wheel));
	assert_int_equal(a->lock.since.unix_ms, b->lock.since.unix_ms);
	assert_int_equal(a->lock.uid, b->lock.uid);
	assert_string_equal(a->lock.reason, b->lock.reason);
	assert_int_equal(a->version_count, b->version_count);
	assert_string_equal(v->label, w->label);
	assert_memory_equal(&v->tuple, &w->tuple, sizeof(v->tuple));
	assert_int_equal(v->state, w->state);
	assert_int_equal(v->weight, w->weight);
	assert_int_equal(v->previous_weight, w->previous_weight);
	assert_int_equal(v->opened_before, w->opened_before);
	assert_memory_equal(&v->drain, &w->drain, sizeof(v->drain));
	assert_memory_equal(&v->eviction, &w->eviction, sizeof(v->eviction));
	assert_int_equal(v->created.unix_ms, w->created.unix_ms);
	assert_string_equal(v->quarantine, w->quarantine);
	assert_int_equal(v->backend_count, w->backend_count);
	assert_int_equal(v->backends[0].id, w->backends[0].id);
	assert_int_equal(v->backends[0].leaving, w->backends[0].leaving);
	assert_int_equal(v->backends[0].max_sessions, w->backends[0].max_sessions);
	assert_int_equal(a->steer_count, b->steer_count);
	assert_int_equal(a->steers[0].range.bits, b->steers[0].range.bits);
	assert_int_equal(a->steers[0].version, b->steers[0].version);
}

static void reload(struct store **store, struct model *model)
{
	store_close(*store);
	*store = open_store();
	model_fini(model);
	assert_int_equal(store_load(*store, model, &err), 0);
}

static void save(struct store *store, const struct service *before, const struct service *after)
{
	assert_int_equal(store_stage(store, before, after, NULL, &err), 0);
	assert_int_equal(store_commit(store, &err), 0);
}

static void test_saved_is_loaded(void **state)
{
	struct service *before = make_service(), *after = service_clone(before);
	struct store *store = open_store();
	struct model model = {0};

	(void)state;
	save(store, NULL, before);
	reload(&store, &model);
	assert_same(model.services[0], before);
	after->versions[0].state = RAINBOW_VERSION_ACTIVE;
	after->versions[0].backends[0].leaving = false;
	after->steers[0].range.bits = 49;
	save(store, before, after);
	reload(&store, &model);
	assert_same(model.services[0], after);
	save(store, after, NULL);
	reload(&store, &model);
	assert_int_equal(model.count, 0);
	store_close(store);
	service_free(before);
	service_free(after);
}

static void test_abandoned_is_forgotten(void **state)
{
	struct service *service = make_service();
	struct store *store = open_store();
	struct model model = {0};

	(void)state;
	assert_int_equal(store_stage(store, NULL, service, NULL, &err), 0);
	store_abandon(store);
	assert_int_equal(store_load(store, &model, &err), 0);
	assert_int_equal(model.count, 0);
	save(store, NULL, service);
	assert_int_equal(store_stage(store, service, NULL, NULL, &err), 0); /* never committed: as after a crash */
	reload(&store, &model);
	assert_same(model.services[0], service);
	model_fini(&model);
	store_close(store);
	service_free(service);
}

static sqlite3 *open_database(void)
{
	char path[96];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/rainbow.db", directory);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	return db;
}

/* The refusal comes with the stage, when no map has been written yet. */
static void test_locked_is_refused_at_once(void **state)
{
	struct service *service = make_service();
	struct store *store = open_store();
	sqlite3 *db = open_database();

	(void)state;
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(store_stage(store, NULL, service, NULL, &err), -ERROR_INTERNAL);
	assert_non_null(strstr(err.message, "locked"));
	assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	save(store, NULL, service);
	store_close(store);
	service_free(service);
}

/* A limit on the size of files stands for a full disk. */
static void test_full_is_refused_at_once(void **state)
{
	struct service *service = make_service();
	struct rlimit was, full = {.rlim_cur = 4096};
	struct store *store = open_store();

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	full.rlim_max = was.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
	assert_int_equal(store_stage(store, NULL, service, NULL, &err), -ERROR_INTERNAL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	save(store, NULL, service);
	store_close(store);
	service_free(service);
}

static void test_secret_stays(void **state)
{
	struct store *store = open_store();
	uint64_t first[2] = {0}, again[2] = {0};

	(void)state;
	assert_int_equal(store_secret(store, first, &err), 0);
	store_close(store);
	store = open_store();
	assert_int_equal(store_secret(store, again, &err), 0);
	assert_memory_equal(first, again, sizeof(first));
	assert_true(first[0] || first[1]);
	store_close(store);
}

static void test_wishes(void **state)
{
	const struct hook_wish wishes[] = {{"eth1", RAINBOW_HOOK_TC}, {"eth0", RAINBOW_HOOK_NONE}};
	struct store *store = open_store();
	struct hook_wish loaded[4];
	size_t count;

	(void)state;
	assert_int_equal(store_save_wishes(store, wishes, 2, &err), 0);
	assert_int_equal(store_load_wishes(store, loaded, 4, &count, &err), 0);
	assert_int_equal(count, 2);
	assert_string_equal(loaded[0].interface, "eth1");
	assert_int_equal(loaded[0].kind, RAINBOW_HOOK_TC);
	assert_string_equal(loaded[1].interface, "eth0");
	store_close(store);
}

static void test_one_at_a_time(void **state)
{
	struct store *store = open_store(), *second = NULL;

	(void)state;
	assert_int_equal(store_open(&second, directory, &err), -ERROR_CONFLICT);
	assert_non_null(strstr(err.message, "another rainbowd"));
	store_close(store);
	store_close(open_store());
}

#define OLD_TABLES                                                                                                             \
	"DROP TABLE service; DROP TABLE version; DROP TABLE history;"                                                          \
	"CREATE TABLE version (id INTEGER PRIMARY KEY, service INTEGER NOT NULL REFERENCES service (id), place INTEGER NOT "   \
	"NULL, label TEXT NOT NULL, code TEXT NOT NULL, model TEXT NOT NULL, prompts TEXT NOT NULL, tools TEXT NOT NULL,"      \
	" state TEXT NOT NULL, weight INTEGER NOT NULL, previous_weight INTEGER NOT NULL, opened_before INTEGER NOT NULL,"     \
	" created_ms INTEGER NOT NULL, drain_started_ms INTEGER NOT NULL, drain_deadline_ms INTEGER NOT NULL,"                 \
	" on_deadline TEXT NOT NULL, evict_asked_ms INTEGER NOT NULL, evict_cutoff_ms INTEGER NOT NULL,"                       \
	" evict_rate INTEGER NOT NULL, UNIQUE (service, label));"                                                              \
	"INSERT INTO version VALUES (7, 2, 0, 'v1', 'c', 'm', 'p', 't', 'draining', 0, 1000, 3, 4, 5, 6, 'hold', 8, 9, 10);"   \
	"CREATE TABLE service (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, address TEXT NOT NULL, port INTEGER NOT "    \
	"NULL, protocol TEXT NOT NULL, affinity TEXT NOT NULL, selection TEXT NOT NULL, stray TEXT NOT NULL,"                  \
	" idle_ms INTEGER NOT NULL, client_prefix INTEGER NOT NULL, generation INTEGER NOT NULL, wheel BLOB NOT NULL"

/* As an older release made it. */
static void make_old(const char *sql)
{
	char *wrong = NULL;
	sqlite3 *db;

	store_close(open_store());
	db = open_database();
	sqlite3_exec(db, sql, NULL, NULL, &wrong);
	if (wrong)
		print_error("%s\n", wrong);
	assert_null(wrong);
	sqlite3_close(db);
}

/* A database of schema 1, as 0.1.0 made it, is opened and brought to this one; once. */
static void test_schema_1_is_upgraded(void **state)
{
	struct model model = {.count = 0};
	struct store *store;

	(void)state;
	make_old(OLD_TABLES
		 ");"
		 "INSERT INTO service VALUES (1, 'dns', '10.0.0.1', 53, 'udp', 'client', 'hash', 'drop', 1000, 64, 1, "
		 "zeroblob(2000));"
		 "INSERT INTO service VALUES (2, 'web', '10.0.0.1', 80, 'tcp', 'client', 'hash', 'drop', 1000, 64, 1, "
		 "zeroblob(2000));"
		 "PRAGMA user_version = 1;");
	for (int i = 0; i < 2; i++) {
		store = open_store();
		assert_int_equal(store_load(store, &model, &err), 0);
		assert_int_equal(model.count, 2);
		assert_int_equal(model.services[0]->probe_idle.ms, 0);
		assert_int_equal(model.services[1]->probe_idle.ms, 900000);
		assert_int_equal(model.services[1]->idle_timeout.ms, 1000);
		assert_int_equal(model.services[1]->version_count, 1);
		model_fini(&model);
		store_close(store);
	}
}

/* From schema 2: nothing is locked nor in quarantine, settings are those of a new service; and what is written then is read. */
static void test_schema_2_is_upgraded(void **state)
{
	struct model model = {.count = 0};
	struct service *after;
	struct settings fresh;
	struct store *store;
	struct note note;

	(void)state;
	make_old(OLD_TABLES
		 ", probe_idle_ms INTEGER NOT NULL DEFAULT 0);"
		 "INSERT INTO service VALUES (2, 'web', '10.0.0.1', 80, 'tcp', 'client', 'hash', 'drop', 1000, 64, 1, "
		 "zeroblob(2000), 77000);"
		 "PRAGMA user_version = 2;");
	store = open_store();
	assert_int_equal(store_load(store, &model, &err), 0);
	settings_init(&fresh);
	assert_int_equal(model.services[0]->probe_idle.ms, 77000);
	assert_int_equal(model.services[0]->lock.since.unix_ms, 0);
	assert_string_equal(model.services[0]->versions[0].quarantine, "");
	assert_int_equal(model.services[0]->versions[0].eviction.rate, 10);
	assert_int_equal(model.services[0]->settings.drain.deadline.ms, fresh.drain.deadline.ms);
	after = service_clone(model.services[0]);
	after->lock = (struct lock){.since = {99}, .uid = 1000, .reason = "an incident"};
	strcpy(after->versions[0].quarantine, "it loops");
	note_of_rainbowd(&note, "lock", after, "", "locked");
	assert_int_equal(store_stage(store, model.services[0], after, &note, &err), 0);
	assert_int_equal(store_commit(store, &err), 0);
	reload(&store, &model);
	assert_int_equal(model.services[0]->lock.uid, 1000);
	assert_string_equal(model.services[0]->lock.reason, "an incident");
	assert_string_equal(model.services[0]->versions[0].quarantine, "it loops");
	model_fini(&model);
	store_close(store);
	service_free(after);
}

/* --- the history ------------------------------------------------------------------------------------------------------------ */

static json_t *history(struct store *store, struct history_query query)
{
	json_t *rows = NULL;

	query.limit = query.limit ? query.limit : 1000;
	assert_int_equal(store_history(store, &query, &rows, &err), 0);
	return rows;
}

static json_int_t id_of(const json_t *rows, size_t i)
{
	return json_integer_value(json_object_get(json_array_get(rows, i), "id"));
}

static size_t count_rows(struct store *store)
{
	json_t *rows = history(store, (struct history_query){0});
	size_t count = json_array_size(rows);

	json_decref(rows);
	return count;
}

static void tell(struct store *store, const char *service, const char *sentence)
{
	struct note note;

	note_init(&note);
	note_by_peer(&note, 1000, 77);
	strcpy(note.verb, "drain");
	strcpy(note.service, service);
	strcpy(note.sentence, sentence);
	assert_int_equal(store_note(store, &note, &err), 0);
	assert_true(note.id > 0);
}

/* The row of a change is in its transaction: it comes with it and goes with it. */
/* What was asked for, in one short line: verb, objects, body. */
static void test_what_was_asked(void **state)
{
	static const struct {
		const char *verb, *objects, *body, *sentence;
	} rows[] = {
	    {"rollout retry", "chat", NULL, "rollout retry chat"},
	    {"version rm", "chat v2", "{}", "version rm chat v2"},
	    {"set-weight", "chat", "{\"weights\":{\"v1\":100}}", "set-weight chat {\"weights\":{\"v1\":100}}"},
	    {"apply", "", "{\"rainbow\":1,\"services\":[]}", "apply of 0 services"},
	    {"apply", "", "{\"services\":[{\"name\":\"chat\",\"address\":\"10.0.0.1:80\"}]}", "apply of 1 service (chat)"},
	    {"apply", "", "{\"services\":[{\"name\":\"chat\"},7,{\"name\":\"a\\u0007i\"}]}",
	     "apply of 3 services (chat, ?, a?i)"},
	    {"service set", "chat",
	     "{\"drain\":{\"on_warn\":\"https://ops.example.com/hooks/rainbow\",\"on_drained\":\"/usr/lib/scale-down\"}}",
	     "service set chat {\"drain\":{\"on_warn\":\"https://ops.example.com/hooks/rainbow\",..."},
	    /* no half of a character */
	    {"gate push", "chat", "{\"session\":\"aüüüüüüüüüüüüüüüüüüüüüüüüüüü\"}",
	     "gate push chat {\"session\":\"aüüüüüüüüüüüüüüüüüüüüüüüü..."},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		json_t *body = rows[i].body ? json_loads(rows[i].body, 0, NULL) : NULL;
		struct note note;

		note_init(&note);
		strcpy(note.verb, rows[i].verb);
		note_asked(&note, rows[i].objects, body);
		row_assert(!strcmp(note.sentence, rows[i].sentence), rows[i].sentence, "said: %s", note.sentence);
		row_assert(strlen(note.sentence) <= NOTE_ASKED_MAX, rows[i].sentence, "is too long");
		json_decref(body);
	}
}

static void test_note_shares_its_changes_fate(void **state)
{
	struct service *before = make_service(), *after = service_clone(before);
	struct store *store = open_store();
	struct model model = {0};
	struct note note;
	json_t *rows;

	(void)state;
	save(store, NULL, before);
	note_init(&note);
	note_by_peer(&note, 1000, 77);
	strcpy(note.verb, "undrain");
	strcpy(note.service, "web");
	strcpy(note.reason, "why \"not\"");
	after->versions[0].state = RAINBOW_VERSION_ACTIVE;
	note_difference(&note, before, after);
	assert_int_equal(store_stage(store, before, after, &note, &err), 0);
	store_abandon(store);
	assert_int_equal(count_rows(store), 0);
	assert_int_equal(store_stage(store, before, after, &note, &err), 0);
	reload(&store, &model); /* never committed: as after a crash */
	assert_int_equal(count_rows(store), 0);
	assert_int_equal(store_stage(store, before, after, &note, &err), 0);
	note.took_us = 1500;
	assert_int_equal(store_note_took(store, &note, &err), 0);
	assert_int_equal(store_commit(store, &err), 0);
	reload(&store, &model);
	assert_int_equal(model.services[0]->versions[0].state, RAINBOW_VERSION_ACTIVE);
	rows = history(store, (struct history_query){0});
	assert_int_equal(json_array_size(rows), 1);
	json_object_del(json_array_get(rows, 0), "at");
	json_object_del(json_array_get(rows, 0), "at_ms");
	{
		char *text = json_dumps(json_array_get(rows, 0), JSON_COMPACT | JSON_REAL_PRECISION(5));

		assert_string_equal(
		    text,
		    "{\"id\":1,\"service\":\"web\",\"version\":null,\"actor\":\"uid 1000\",\"uid\":1000,\"pid\":77,\"verb\":"
		    "\"undrain\",\"sentence\":null,\"before\":{\"versions\":{\"v1\":{\"state\":\"draining\",\"on_deadline\":"
		    "\"hold\"}}},\"after\":{\"versions\":{\"v1\":{\"state\":\"active\",\"on_deadline\":null}}},\"reason\":"
		    "\"why \\\"not\\\"\",\"outcome\":\"ok\",\"took_ms\":1.5}");
		free(text);
	}
	json_decref(rows);
	note_fini(&note);
	model_fini(&model);
	store_close(store);
	service_free(before);
	service_free(after);
}

static void test_history_is_asked(void **state)
{
	struct store *store = open_store();
	int64_t oldest = 1, newest = 1;
	json_t *rows;

	(void)state;
	assert_int_equal(store_history_bounds(store, &oldest, &newest, &err), 0);
	assert_true(oldest == 0 && newest == 0);
	for (int i = 1; i <= 10; i++)
		tell(store, i % 2 ? "chat" : "web", "it");
	rows = history(store, (struct history_query){.limit = 3});
	assert_true(json_array_size(rows) == 3 && id_of(rows, 0) == 10 && id_of(rows, 2) == 8);
	json_decref(rows);
	rows = history(store, (struct history_query){.service = "chat", .before = 8});
	assert_true(json_array_size(rows) == 4 && id_of(rows, 0) == 7 && id_of(rows, 3) == 1);
	json_decref(rows);
	rows = history(store, (struct history_query){.after = 7, .oldest_first = true});
	assert_true(json_array_size(rows) == 3 && id_of(rows, 0) == 8 && id_of(rows, 2) == 10);
	json_decref(rows);
	rows = history(store, (struct history_query){.service = "nobody"});
	assert_int_equal(json_array_size(rows), 0);
	json_decref(rows);
	store_close(store);
}

/* The newest are kept; an id is never given again, also if all were trimmed. */
static void test_history_is_bounded(void **state)
{
	struct store *store = open_store();
	int64_t oldest, newest;

	(void)state;
	store_keep_history(store, 5);
	for (int i = 1; i <= 12; i++)
		tell(store, "chat", "it");
	assert_int_equal(store_history_bounds(store, &oldest, &newest, &err), 0);
	assert_int_equal(oldest, 8);
	assert_int_equal(newest, 12);
	assert_int_equal(count_rows(store), 5);
	store_close(store);
}

static void test_strange_databases(void **state)
{
	struct store *store = open_store();
	char path[96];
	sqlite3 *db;

	(void)state;
	store_close(store);
	db = open_database();
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(store_open(&store, directory, &err), -ERROR_PRECONDITION);
	assert_non_null(strstr(err.message, "schema 99"));
	snprintf(path, sizeof(path), "%s/rainbow.db", directory);
	assert_int_equal(truncate(path, 100), 0);
	assert_true(store_open(&store, directory, &err) < 0);
	assert_int_equal(store_open(&store, "/proc/nowhere", &err), -ERROR_BAD_INPUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_saved_is_loaded, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_abandoned_is_forgotten, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_locked_is_refused_at_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_full_is_refused_at_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_secret_stays, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_wishes, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_one_at_a_time, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_schema_1_is_upgraded, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_schema_2_is_upgraded, setup, teardown),
	    cmocka_unit_test(test_what_was_asked),
	    cmocka_unit_test_setup_teardown(test_note_shares_its_changes_fate, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_history_is_asked, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_history_is_bounded, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_strange_databases, setup, teardown),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
