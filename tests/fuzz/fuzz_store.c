/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fuzzes the reader of the database: SQLite file damaged at some places (two bytes of where, one of what), or all of whose bytes are
 * the input where that begins as such a file does. It is loaded or refused with a word; and what was loaded can be saved.
 */
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "tests/fuzz/fuzz.h"
#include "common/error.h"
#include "common/text.h"
#include "rainbowd/store.h"

static char directory[] = "/tmp/rainbow-fuzz-store-XXXXXX";
static char database[64];
static uint8_t *whole;
static size_t whole_size;

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
	(void)info;
	(void)type;
	(void)walk;
	return remove(path);
}

static void clean(void)
{
	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void must(int holds)
{
	if (!holds)
		abort();
}

static struct service *service_known(void)
{
	struct service *service = service_new();
	struct version version = {
	    .id = 1, .label = "v1", .state = RAINBOW_VERSION_DRAINING, .weight = 0, .drain = {{1000}, {2000}, 0}};
	struct backend backend = {.id = 1, .max_sessions = 7};
	struct error err;

	text_copy(service->name, sizeof(service->name), "chat");
	must(!endpoint_parse("10.0.0.1:80", &service->at, "", &err) && !endpoint_parse("10.2.1.2:8080", &backend.at, "", &err));
	service->id = 1;
	service->protocol = 6;
	service->affinity = RAINBOW_AFFINITY_CONNECTION;
	service->selection = RAINBOW_SELECTION_HASH;
	service->stray = RAINBOW_STRAY_RESET;
	version_append_backend(service_append_version(service, &version), &backend);
	return service;
}

/* The database that is damaged then. */
static void make(void)
{
	struct service *service = service_known();
	struct hook_wish wish = {.interface = "eth0"};
	struct store *store = NULL;
	struct error err;
	FILE *file;

	must(mkdtemp(directory) != NULL);
	atexit(clean);
	must(!store_open(&store, directory, &err));
	must(!store_stage(store, NULL, service, NULL, &err) && !store_commit(store, &err) &&
	     !store_save_wishes(store, &wish, 1, &err));
	store_close(store);
	service_free(service);
	snprintf(database, sizeof(database), "%s/%s", directory, "rainbow.db");
	file = fopen(database, "r");
	must(file != NULL);
	whole = malloc(1 << 20);
	whole_size = fread(whole, 1, 1 << 20, file);
	fclose(file);
	must(whole_size > 512);
}

static void write_file(const uint8_t *bytes, size_t size)
{
	char other[80];
	FILE *file;

	snprintf(other, sizeof(other), "%s-wal", database);
	unlink(other);
	snprintf(other, sizeof(other), "%s-shm", database);
	unlink(other);
	file = fopen(database, "w");
	must(file && fwrite(bytes, 1, size, file) == size);
	fclose(file);
}

static void damage(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(whole_size);
	size_t i;

	memcpy(copy, whole, whole_size);
	for (i = 0; i + 2 < size; i += 3)
		copy[((size_t)bytes[i] << 8 | bytes[i + 1]) % whole_size] ^= bytes[i + 2];
	write_file(copy, whole_size);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct hook_wish wishes[RAINBOW_MAX_HOOKS];
	struct store *store = NULL;
	struct model model = {0};
	struct error err = {0};
	uint64_t secret[2];
	size_t count = 0;
	int rc;

	if (!whole)
		make();
	if (size > 16 && memcmp(bytes, "SQLite format 3", 16) == 0)
		write_file(bytes, size);
	else
		damage(bytes, size);
	rc = store_open(&store, directory, &err);
	rc = rc ? rc : store_load(store, &model, &err);
	rc = rc ? rc : store_secret(store, secret, &err);
	rc = rc ? rc : store_load_wishes(store, wishes, RAINBOW_MAX_HOOKS, &count, &err);
	must(!rc || err.message[0]);
	must(count <= RAINBOW_MAX_HOOKS);
	model_fini(&model);
	store_close(store);
	return 0;
}
