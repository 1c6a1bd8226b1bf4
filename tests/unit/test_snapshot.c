// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The snapshot of pins: what is written is what is read; cut at any length, or with any byte changed, it is refused whole; a full
 * disk leaves the one of before.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <zlib.h>
#include "rainbowd/snapshot.h"

#define MANY 2500 /* pins: more than two blocks */

static char directory[] = "/tmp/rainbow-snapshot-XXXXXX";

static struct snapshot_service services[] = {
    {.id = 3, .protocol = IPPROTO_TCP, .port = 80, .address = {.octet = {[15] = 1}}, .name = "chat"}};
static struct snapshot_version versions[] = {{.id = 7, .service = 3, .label = "v1"}, {.id = 8, .service = 3, .label = "v2"}};
static struct snapshot_backend backends[] = {
    {.id = 9, .version = 7, .port = 8080, .address = {.octet = {[10] = 0xff, [11] = 0xff, 10, 2, 1, 2}}}};

static const struct snapshot head = {
    .boot_id = "0123456789abcde",
    .saved_ms = 1790000000123,
    .database = 0x1122334455667788,
    .pin_limit = 3000,
    .services = services,
    .versions = versions,
    .backends = backends,
    .service_count = 1,
    .version_count = 2,
    .backend_count = 1,
};

static struct snapshot_pin pin_number(uint32_t i)
{
	struct snapshot_pin pin = {
	    .flow = {.port = (uint16_t)(1024 + i), .service = 3},
	    .version = 7,
	    .backend = 9,
	    .state = (uint8_t)(RAINBOW_PIN_LIVE + i % 3),
	    .kind = RAINBOW_PIN_SESSION,
	    .client_scale = 7,
	    .server_scale = 14,
	    .age = 86400 + i,
	    .idle = i,
	    .client = {0xfffffff0u + i, 17 * i, 65535},
	    .server = {31 * i, 0x80000000u + i, 1u << 30},
	};

	memcpy(pin.flow.client.octet + 12, &i, 4);
	return pin;
}

static int write_pins(uint32_t count, struct error *err)
{
	struct snapshot_writer writer;
	uint32_t i;
	int rc = snapshot_begin(&writer, directory, &head, err);

	if (rc)
		return rc;
	for (i = 0; i < count; i++) {
		struct snapshot_pin pin = pin_number(i);

		if (!snapshot_put(&writer, &pin))
			break;
	}
	return snapshot_commit(&writer, err);
}

static void path_of(const char *name, char path[128])
{
	snprintf(path, 128, "%s/%s", directory, name);
}

static uint8_t *slurp(size_t *length)
{
	char path[128];
	struct stat st;
	uint8_t *bytes;
	int fd;

	path_of(SNAPSHOT_NAME, path);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0 && !fstat(fd, &st));
	bytes = malloc((size_t)st.st_size + 1);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
	close(fd);
	*length = (size_t)st.st_size;
	return bytes;
}

static void check_read(const struct snapshot *read, uint32_t count)
{
	uint32_t i;

	assert_memory_equal(read->boot_id, head.boot_id, 16);
	assert_int_equal(read->saved_ms, head.saved_ms);
	assert_true(read->database == head.database);
	assert_int_equal(read->pin_limit, head.pin_limit);
	assert_int_equal(read->service_count, 1);
	assert_memory_equal(&read->services[0], &services[0], sizeof(services[0]));
	assert_int_equal(read->version_count, 2);
	assert_memory_equal(read->versions, versions, sizeof(versions));
	assert_int_equal(read->backend_count, 1);
	assert_memory_equal(read->backends, backends, sizeof(backends));
	assert_int_equal(read->pin_count, count);
	for (i = 0; i < count; i++) {
		struct snapshot_pin pin = pin_number(i);

		assert_memory_equal(&read->pins[i], &pin, sizeof(pin));
	}
}

static void test_written_is_read(void **state)
{
	static const uint32_t counts[] = {0, 1, 1023, 1024, 1025, MANY};
	struct snapshot read;
	struct error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		assert_int_equal(write_pins(counts[i], &err), 0);
		assert_int_equal(snapshot_read(directory, &read, &err), 0);
		check_read(&read, counts[i]);
		snapshot_fini(&read);
		assert_int_equal(snapshot_room(directory, head.database), head.pin_limit);
	}
	assert_int_equal(snapshot_room(directory, head.database + 1), 0);
}

static void test_none(void **state)
{
	struct snapshot read;
	char path[128];
	struct error err;

	(void)state;
	path_of(SNAPSHOT_NAME, path);
	unlink(path);
	assert_int_equal(snapshot_read(directory, &read, &err), -ERROR_NOT_FOUND);
	assert_int_equal(snapshot_room(directory, head.database), 0);
}

/* Copies of exactly that length, so that a sanitizer sees each byte read beyond it. */
static void test_torn_at_any_length(void **state)
{
	size_t length, cut;
	uint8_t *bytes;
	struct error err;

	(void)state;
	assert_int_equal(write_pins(5, &err), 0);
	bytes = slurp(&length);
	for (cut = 0; cut < length; cut++) {
		uint8_t *torn = malloc(cut ? cut : 1);
		struct snapshot read;

		memcpy(torn, bytes, cut);
		assert_int_equal(snapshot_parse(torn, cut, &read, &err), -ERROR_PRECONDITION);
		assert_true(err.message[0]);
		assert_null(read.pins);
		free(torn);
	}
	bytes[length] = 0;
	{
		struct snapshot read;

		assert_int_equal(snapshot_parse(bytes, length + 1, &read, &err), -ERROR_PRECONDITION);
	}
	free(bytes);
}

static void test_any_byte_flipped(void **state)
{
	size_t length, place;
	uint8_t *bytes, change;
	struct error err;

	(void)state;
	assert_int_equal(write_pins(5, &err), 0);
	bytes = slurp(&length);
	for (place = 0; place < length; place++) {
		for (change = 1; change; change = (uint8_t)(change << 1)) {
			struct snapshot read;

			bytes[place] ^= change;
			assert_int_equal(snapshot_parse(bytes, length, &read, &err), -ERROR_PRECONDITION);
			assert_null(read.pins);
			bytes[place] ^= change;
		}
	}
	free(bytes);
}

static void sum_again(uint8_t *part, size_t length)
{
	uint32_t crc = (uint32_t)crc32_z(0, part, length);
	size_t i;

	for (i = 0; i < 4; i++)
		part[length + i] = (uint8_t)(crc >> 8 * i);
}

/* With sums that are right: a newer format, more pins than there are, a state that no pin can have. */
static void test_lies(void **state)
{
	static const struct {
		size_t place;
		uint8_t value;
		const char *says;
	} lies[] = {
	    {8, 2, "format 2"},
	    {12, 97, "header"},
	    {20, 5, "more than there can be"},
	    {59, 1, "more than there can be"},
	    {63, 1, "more than there can be"},
	    {67, 1, "more than there can be"},
	    {71, 2, "more than there can be"},
	    {79, 1, "more than there can be"},
	    {72, 4, "longer"},
	    {72, 6, "cut off"},
	    {56, 2, "cut off"},
	};
	size_t i, length, names = 56 + 2 * 36 + 24;
	uint8_t *bytes, *pins;
	struct snapshot read;
	struct error err;

	(void)state;
	assert_int_equal(write_pins(5, &err), 0);
	for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		bytes = slurp(&length);
		bytes[lies[i].place] = lies[i].value;
		sum_again(bytes, 92);
		assert_int_equal(snapshot_parse(bytes, length, &read, &err), -ERROR_PRECONDITION);
		if (!strstr(err.message, lies[i].says))
			fail_msg("byte %zu: '%s', wanted '%s'", lies[i].place, err.message, lies[i].says);
		free(bytes);
	}
	for (i = 24; i < 28; i++) { /* state, kind, scales */
		bytes = slurp(&length);
		pins = bytes + 96 + names + 4;
		pins[60 + i] = 200;
		sum_again(pins, 5 * 60);
		assert_int_equal(snapshot_parse(bytes, length, &read, &err), -ERROR_PRECONDITION);
		assert_non_null(strstr(err.message, "can not be"));
		free(bytes);
	}
}

/* A session of a client is live or not there: half closed it could never end. */
static void test_half_closed_client(void **state)
{
	static const enum rainbow_pin_state states[] = {RAINBOW_PIN_LIVE, RAINBOW_PIN_HALF_CLIENT, RAINBOW_PIN_HALF_SERVER};
	size_t i, length, names = 56 + 2 * 36 + 24;
	struct snapshot read;
	struct error err;

	(void)state;
	assert_int_equal(write_pins(5, &err), 0);
	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		uint8_t *bytes = slurp(&length), *pins = bytes + 96 + names + 4;

		memset(pins + 16, 0, 2); /* port */
		pins[24] = (uint8_t)states[i];
		pins[25] = RAINBOW_PIN_CLIENT;
		sum_again(pins, 5 * 60);
		assert_int_equal(snapshot_parse(bytes, length, &read, &err), i ? -ERROR_PRECONDITION : 0);
		snapshot_fini(&read);
		free(bytes);
	}
}

/* Longer than any snapshot, though it takes no room on the disk: refused before there is memory for it. */
static void test_too_long(void **state)
{
	struct snapshot read;
	struct error err;
	char path[128];

	(void)state;
	assert_int_equal(write_pins(5, &err), 0);
	path_of(SNAPSHOT_NAME, path);
	assert_int_equal(truncate(path, 1LL << 31), 0);
	assert_int_equal(snapshot_read(directory, &read, &err), -ERROR_PRECONDITION);
	if (!strstr(err.message, "File too large"))
		fail_msg("'%s'", err.message);
}

/* A limit on the size of files is the full disk. */
static void test_full_disk_leaves_the_old_one(void **state)
{
	struct rlimit before, small = {.rlim_cur = 70000, .rlim_max = RLIM_INFINITY};
	struct snapshot read;
	char path[128];
	struct error err;

	(void)state;
	assert_int_equal(write_pins(5, &err), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(write_pins(MANY, &err), -ERROR_INTERNAL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_non_null(strstr(err.message, "stays as it is"));
	path_of(SNAPSHOT_NAME ".next", path);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(snapshot_read(directory, &read, &err), 0);
	check_read(&read, 5);
	snapshot_fini(&read);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_written_is_read),
	    cmocka_unit_test(test_none),
	    cmocka_unit_test(test_torn_at_any_length),
	    cmocka_unit_test(test_any_byte_flipped),
	    cmocka_unit_test(test_lies),
	    cmocka_unit_test(test_half_closed_client),
	    cmocka_unit_test(test_too_long),
	    cmocka_unit_test(test_full_disk_leaves_the_old_one),
	};
	char path[128];
	int failed;

	if (!mkdtemp(directory))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	path_of(SNAPSHOT_NAME, path);
	unlink(path);
	rmdir(directory);
	return failed;
}
