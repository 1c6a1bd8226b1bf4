// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The pin directory and the maps in it, against the running kernel: made, adopted, refused, cleared, removed. Nothing
 * is attached here (test_hooks.c).
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include "rainbowd/datapath.h"
#include "rainbowd/pin_dir.h"
#include "ground.h"
#include "opened.h"
#include "table.h"

static const struct datapath_config config = {.pin_dir = GROUND_PIN_DIR, .pins = 20000, .nursery = 1000};

static struct datapath *open_or_fail(bool want_adopted)
{
	struct error err = {};
	bool adopted;

	if (opened_try(config.pins, &adopted, &err))
		fail_msg("%s", err.message);
	assert_int_equal(adopted, want_adopted);
	return opened;
}

static void refused(enum error_code code, const char *because)
{
	struct datapath *dp;
	struct error err = {};
	bool adopted;

	assert_int_equal(datapath_open(&dp, &config, &adopted, &err), -(int)code);
	assert_null(dp);
	if (!strstr(err.message, because))
		fail_msg("\"%s\" does not say \"%s\"", err.message, because);
}

/* --- made, adopted ------------------------------------------------------------------------------------------------------ */

static void test_made_and_adopted(void **state)
{
	struct datapath *dp = open_or_fail(false);
	struct rainbow_meta *meta = datapath_meta(dp);

	(void)state;
	assert_int_equal(meta->schema, RAINBOW_SCHEMA);
	assert_int_equal(meta->pin_limit, 20000);
	assert_int_equal(datapath_pin_limit(dp), 20000);
	assert_int_equal(datapath_nursery_limit(dp), 1000);
	assert_int_equal(meta->nursery_seconds, 60);
	assert_int_equal(meta->linger_seconds, 10);
	assert_int_equal(meta->tombstone_seconds, 60);
	assert_true(meta->hz >= 100 && meta->hz <= 1000);
	assert_string_equal(meta->writer, "rainbowd " RAINBOW_RELEASE);
	meta->hash_secret[1] = 42;
	strcpy(datapath_version(dp, 1024)->label, "v9");
	datapath_member(dp, 1024)->backend[255] = 4096;
	datapath_wheel(dp, 64, 1)->slot[999] = 7;
	assert_null(datapath_version(dp, 1025));
	opened_close();

	dp = open_or_fail(true);
	assert_int_equal(datapath_meta(dp)->hash_secret[1], 42);
	assert_string_equal(datapath_version(dp, 1024)->label, "v9");
	assert_int_equal(datapath_member(dp, 1024)->backend[255], 4096);
	assert_int_equal(datapath_wheel(dp, 64, 1)->slot[999], 7);
	opened_close();
}

/* An element of a mapped array whose size is no multiple of 8 lies where the kernel looks for it. */
static void test_mapping_is_what_the_kernel_sees(void **state)
{
	struct datapath *dp = open_or_fail(false);
	struct rainbow_member member;
	uint32_t id = 3;
	int fd = ground_open("rainbow_member");

	(void)state;
	datapath_member(dp, id)->count = 2;
	datapath_member(dp, id)->backend[1] = 77;
	assert_int_equal(bpf_map_lookup_elem(fd, &id, &member), 0);
	assert_int_equal(member.count, 2);
	assert_int_equal(member.backend[1], 77);
	close(fd);
	opened_close();
}

static void test_second_rainbowd(void **state)
{
	struct error err = {};
	char who[32];

	(void)state;
	open_or_fail(false);
	snprintf(who, sizeof(who), "process %d", getpid());
	refused(ERROR_CONFLICT, who);
	assert_int_equal(datapath_remove(GROUND_PIN_DIR, NULL, &err), -ERROR_CONFLICT);
	opened_close();
	open_or_fail(true);
	opened_close();
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

/* kill -9 at moments of the first start, most of them about when the pins are made: what is there then is taken over or made
 * anew, never refused. */
static void test_killed_while_starting(void **state)
{
	int64_t began = now_us(), whole;
	int round;

	(void)state;
	open_or_fail(false);
	opened_close();
	whole = now_us() - began;
	opened_remove(NULL);
	for (round = 0; round < 10; round++) {
		struct timespec moment = {.tv_nsec = (long)(whole * (70 + 5 * round) / 100 % 1000000 * 1000)};
		struct datapath *dp;
		struct error err = {};
		bool adopted;
		pid_t child = ground_fork();

		if (!child) {
			if (!datapath_open(&dp, &config, &adopted, &err))
				datapath_mark_whole(dp);
			pause();
		}
		nanosleep(&moment, NULL);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		if (datapath_open(&dp, &config, &adopted, &err))
			fail_msg("round %d: %s", round, err.message);
		assert_int_equal(datapath_meta(dp)->schema, adopted ? RAINBOW_SCHEMA : 0);
		if (datapath_remove(GROUND_PIN_DIR, dp, &err))
			fail_msg("round %d: %s", round, err.message);
		datapath_close(dp);
	}
}

/* One makes and removes the directory all the time; whoever has taken it has it at its path. */
static void test_taken_while_removed(void **state)
{
	struct pin_dir dir;
	struct error err = {};
	int i, taken = 0;
	pid_t child = ground_fork();

	(void)state;
	if (!child)
		for (;;) {
			if (!pin_dir_open(&dir, GROUND_PIN_DIR, true, NULL))
				pin_dir_remove(&dir, NULL);
			pin_dir_close(&dir);
		}
	for (i = 0; i < 20000; i++) {
		int rc = pin_dir_open(&dir, GROUND_PIN_DIR, true, &err);

		if (!rc) {
			taken++;
			if (access(GROUND_PIN_DIR, F_OK))
				break;
		} else if (rc != -ERROR_CONFLICT) {
			break;
		}
		pin_dir_close(&dir);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	pin_dir_close(&dir);
	if (i < 20000)
		fail_msg("after %d times: %s", i, err.message);
	assert_true(taken);
}

static void test_half_made(void **state)
{
	struct datapath *dp = open_or_fail(false);

	(void)state;
	datapath_meta(dp)->schema = 0;
	datapath_version(dp, 1)->live = 5;
	opened_close();
	ground_run("rm " GROUND_PIN_DIR "/rainbow_wheel");
	dp = open_or_fail(false);
	assert_int_equal(datapath_version(dp, 1)->live, 0);
	datapath_meta(dp)->schema = 0;
	opened_close();
	ground_run("cd " GROUND_PIN_DIR " && for m in *; do [ $m = rainbow_meta ] || rm $m; done");
	open_or_fail(false);
	opened_close();
	ground_run("rm " GROUND_PIN_DIR "/rainbow_meta");
	open_or_fail(false);
	opened_close();
}

/* Killed before the caller has filled the new maps. */
static void test_half_filled(void **state)
{
	struct error err = {};
	bool adopted;

	(void)state;
	assert_int_equal(datapath_open(&opened, &config, &adopted, &err), 0);
	datapath_version(opened, 1)->live = 5;
	opened_close();
	assert_int_equal(datapath_version(open_or_fail(false), 1)->live, 0);
	opened_close();
}

/* --- refused ------------------------------------------------------------------------------------------------------------ */

static void test_schema_unknown(void **state)
{
	struct datapath *dp = open_or_fail(false);
	struct rainbow_meta meta;
	uint32_t index = 0;
	int fd = ground_open("rainbow_meta");

	(void)state;
	datapath_meta(dp)->schema = 99;
	opened_close();
	refused(ERROR_PRECONDITION, "schema 99");
	assert_int_equal(bpf_map_lookup_elem(fd, &index, &meta), 0);
	assert_int_equal(meta.schema, 99);
	assert_true(ground_pinned("rainbow_pin"));
	close(fd);
}

static void beside(const char *name, uint32_t schema)
{
	uint32_t index = 0, meta[22] = {schema};
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "rainbow_meta", 4, sizeof(meta), 1, NULL);
	char path[256];

	assert_true(fd >= 0);
	assert_int_equal(bpf_map_update_elem(fd, &index, meta, BPF_ANY), 0);
	ground_run("mkdir -p /sys/fs/bpf/rainbow/%s", name);
	snprintf(path, sizeof(path), "/sys/fs/bpf/rainbow/%s/rainbow_meta", name);
	assert_int_equal(bpf_obj_pin(fd, path), 0);
	close(fd);
}

/* The maps of a schema that we do not know, in a directory beside ours, keep their sessions. The one that we know: tests/e2e/upgrade.sh. */
static void test_schema_beside(void **state)
{
	static const struct {
		const char *name;
		uint32_t schema;
		const char *because; /* NULL: it is not refused */
	} rows[] = {
	    {"v3", 3, "newer schema has its maps, and sessions, in /sys/fs/bpf/rainbow/v3"},
	    {"v17", 0, "in /sys/fs/bpf/rainbow/v17"},
	    {"v1", 77, "the maps in /sys/fs/bpf/rainbow/v1 are of no schema that this rainbowd knows"},
	    {"v1", RAINBOW_SCHEMA, NULL},
	    {"v1", 0, NULL},
	    {"vx", 3, NULL},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		beside(rows[i].name, rows[i].schema);
		if (rows[i].because) {
			refused(ERROR_PRECONDITION, rows[i].because);
			assert_false(ground_pinned("rainbow_meta"));
		} else {
			open_or_fail(false);
			opened_close();
			opened_remove(NULL);
		}
		ground_run("rm -rf /sys/fs/bpf/rainbow/%s", rows[i].name);
	}
}

static void pin_stranger(const char *name, uint32_t value_size)
{
	char path[256];
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, 4, value_size, 1, NULL);

	assert_true(fd >= 0);
	snprintf(path, sizeof(path), GROUND_PIN_DIR "/%s", name);
	assert_int_equal(bpf_obj_pin(fd, path), 0);
	close(fd);
}

static void test_shape_differs(void **state)
{
	(void)state;
	open_or_fail(false);
	opened_close();
	ground_run("rm " GROUND_PIN_DIR "/rainbow_version");
	refused(ERROR_PRECONDITION, "rainbow_version");
	pin_stranger("rainbow_version", 64);
	refused(ERROR_PRECONDITION, "value size 64");
	assert_true(ground_pinned("rainbow_version"));
}

static void test_foreign_directory(void **state)
{
	(void)state;
	open_or_fail(false);
	opened_close();
	opened_remove(NULL);
	ground_run("mkdir -p " GROUND_PIN_DIR);
	pin_stranger("cilium_maps", 8);
	refused(ERROR_PRECONDITION, "cilium_maps");
	assert_true(ground_pinned("cilium_maps"));
	ground_run("rm " GROUND_PIN_DIR "/cilium_maps");
	pin_stranger("rainbow_meta", 2);
	refused(ERROR_PRECONDITION, "left alone");
	assert_true(ground_pinned("rainbow_meta"));
}

static void test_sessions_without_meta(void **state)
{
	struct rainbow_flow flow = {.port = 1, .service = 1};
	struct rainbow_pin pin = {.state = RAINBOW_PIN_LIVE};
	struct pin_table table;

	(void)state;
	open_or_fail(false);
	assert_int_equal(table_open_pinned(&table, GROUND_PIN_DIR), 0);
	assert_int_equal(table_put(&table, &flow, &pin), 0);
	table_let_go(&table);
	opened_close();
	ground_run("rm " GROUND_PIN_DIR "/rainbow_meta");
	refused(ERROR_PRECONDITION, "holds sessions");
	assert_true(ground_pinned("rainbow_pin"));
}

static void test_size_differs(void **state)
{
	struct datapath_config other = config;
	struct datapath *dp;
	struct error err = {};
	bool adopted;

	(void)state;
	open_or_fail(false);
	opened_close();
	/* Another number of pins is test_takeover's. */
	other.nursery = 3 * config.nursery;
	assert_int_equal(datapath_open(&dp, &other, &adopted, &err), -ERROR_PRECONDITION);
	assert_non_null(strstr(err.message, "rainbow_nursery"));
	other.pins = other.nursery = 0;
	assert_int_equal(datapath_open(&dp, &other, &adopted, &err), 0);
	assert_int_equal(datapath_pin_limit(dp), 20000);
	datapath_close(dp);
}

static void test_bad_directories(void **state)
{
	static const struct {
		const char *path, *because;
		enum error_code code;
	} cases[] = {
	    {"rainbow", "absolute", ERROR_BAD_INPUT},
	    {"/", "absolute", ERROR_BAD_INPUT},
	    {"/tmp/rainbow-test/v1", "not on a bpffs", ERROR_PRECONDITION},
	    {"/sys/fs/bpf/a.b/v1", "can not be made", ERROR_PRECONDITION},
	};
	size_t i;

	(void)state;
	open_or_fail(false);
	opened_close();
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct datapath_config bad = {.pin_dir = cases[i].path};
		struct datapath *dp;
		struct error err = {};
		bool adopted;

		assert_int_equal(datapath_open(&dp, &bad, &adopted, &err), -(int)cases[i].code);
		if (!strstr(err.message, cases[i].because))
			fail_msg("\"%s\" does not say \"%s\"", err.message, cases[i].because);
	}
	assert_int_equal(access("/tmp/rainbow-test", F_OK), -1);
}

static void test_removed(void **state)
{
	struct datapath *dp = open_or_fail(false);
	struct error err = {};

	(void)state;
	assert_int_equal(datapath_remove(GROUND_PIN_DIR, dp, &err), 0);
	opened_close();
	assert_int_equal(access("/sys/fs/bpf/rainbow", F_OK), -1);
	assert_int_equal(access("/sys/fs/bpf", F_OK), 0);
	assert_int_equal(datapath_remove(GROUND_PIN_DIR, NULL, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_made_and_adopted, opened_remove),
	    cmocka_unit_test_teardown(test_mapping_is_what_the_kernel_sees, opened_remove),
	    cmocka_unit_test_teardown(test_second_rainbowd, opened_remove),
	    cmocka_unit_test_teardown(test_killed_while_starting, opened_remove),
	    cmocka_unit_test_teardown(test_taken_while_removed, opened_remove),
	    cmocka_unit_test_teardown(test_half_made, opened_remove),
	    cmocka_unit_test_teardown(test_half_filled, opened_remove),
	    cmocka_unit_test_teardown(test_schema_unknown, opened_remove),
	    cmocka_unit_test_teardown(test_schema_beside, opened_remove),
	    cmocka_unit_test_teardown(test_shape_differs, opened_remove),
	    cmocka_unit_test_teardown(test_foreign_directory, opened_remove),
	    cmocka_unit_test_teardown(test_sessions_without_meta, opened_remove),
	    cmocka_unit_test_teardown(test_size_differs, opened_remove),
	    cmocka_unit_test_teardown(test_bad_directories, opened_remove),
	    cmocka_unit_test_teardown(test_removed, opened_remove),
	};

	ground_make("test_datapath");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
