// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* user/rainbowd/give.c: an address that was in use a moment ago takes up its old id, or waits until another service is done with it. */
#include <netinet/in.h>
#include <stdlib.h>
#include "tests/unit/table_test.h"
#include "rainbowd/give.h"

#define NOW 1000000

static struct rainbow_meta meta;
static struct rainbow_service services[RAINBOW_MAX_SERVICES + 1];
static struct rainbow_backend backends[RAINBOW_MAX_BACKENDS + 1];
static struct ids ids;
static struct error err;

/* --- the maps, without a kernel --------------------------------------------------------------------------------------------- */

struct rainbow_meta *datapath_meta(struct datapath *dp)
{
	(void)dp;
	return &meta;
}

struct rainbow_service *datapath_service(struct datapath *dp, uint32_t id)
{
	(void)dp;
	return &services[id];
}

struct rainbow_backend *datapath_backend(struct datapath *dp, uint32_t id)
{
	(void)dp;
	return &backends[id];
}

static struct endpoint at(const char *text)
{
	struct endpoint endpoint;

	assert_int_equal(endpoint_parse(text, &endpoint, "", NULL), 0);
	return endpoint;
}

/* Service 1 is chat; backend 1 and, retired, backend 2 are its; backend 3, retired, was service 2's. */
static int setup(void **state)
{
	static const struct {
		uint32_t id, service;
		const char *at;
	} rows[] = {{1, 1, "10.2.1.1:80"}, {2, 1, "10.2.1.2:80"}, {3, 2, "10.2.1.3:80"}};

	(void)state;
	memset(&ids, 0, sizeof(ids));
	memset(services, 0, sizeof(services));
	memset(backends, 0, sizeof(backends));
	meta.nursery_seconds = 60;
	services[1] = (struct rainbow_service){"chat", at("10.1.0.1:80").addr, 80, IPPROTO_TCP, .in_use = 1};
	services[2] = (struct rainbow_service){"mail", at("10.1.0.1:25").addr, 25, IPPROTO_TCP, .in_use = 1};
	ids_hold(&ids, ID_SERVICE, 1);
	ids_hold(&ids, ID_SERVICE, 2);
	ids_hold(&ids, ID_VERSION, 1);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rainbow_backend *entry = &backends[rows[i].id];

		entry->address = at(rows[i].at).addr;
		entry->port = at(rows[i].at).port;
		entry->protocol = IPPROTO_TCP;
		entry->state = RAINBOW_BACKEND_LEAVING;
		entry->service = rows[i].service;
		ids_hold(&ids, ID_BACKEND, rows[i].id);
	}
	ids_retire(&ids, ID_BACKEND, 2, NOW - 5000);
	ids_retire(&ids, ID_BACKEND, 3, NOW - 5000);
	return 0;
}

static struct service *make_service(uint32_t id, const char *address, uint8_t protocol, const char *backend)
{
	struct service *service = service_new();
	struct version *version = service_append_version(service, &(struct version){.label = "v9"});

	service->id = id;
	service->at = at(address);
	service->protocol = protocol;
	version_append_backend(version, &(struct backend){.at = at(backend)});
	return service;
}

static void test_backends(void **state)
{
	static const struct {
		const char *name, *at;
		uint32_t service;
		uint8_t protocol;
		uint64_t live;
		uint32_t want; /* 0: refused */
		const char *word;
	} rows[] = {
	    {"1 a new address", "10.2.1.9:80", 1, IPPROTO_TCP, 0, 4, NULL},
	    {"2 its own of before", "10.2.1.2:80", 1, IPPROTO_TCP, 0, 2, NULL},
	    {"3 with live sessions", "10.2.1.2:80", 1, IPPROTO_TCP, 7, 2, NULL},
	    {"4 another port", "10.2.1.2:81", 1, IPPROTO_TCP, 0, 4, NULL},
	    {"5 another protocol", "10.2.1.2:80", 1, IPPROTO_UDP, 0, 4, NULL},
	    {"6 of another service", "10.2.1.3:80", 1, IPPROTO_TCP, 0, 0, "service mail until a moment ago"},
	    {"7 with live sessions", "10.2.1.3:80", 1, IPPROTO_TCP, 2, 0, "2 live sessions of service mail"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct service *service = make_service(rows[i].service, "10.1.0.1:80", rows[i].protocol, rows[i].at);
		struct version *version = &service->versions[0];
		int rc;

		setup(state);
		backends[2].live = backends[3].live = rows[i].live;
		rc = give_ids(NULL, &ids, service, NOW, &err);
		row_assert(rc == (rows[i].want ? 0 : -ERROR_PRECONDITION), rows[i].name, "rc %d", rc);
		row_assert(version->id == 2, rows[i].name, "version id %u", version->id);
		row_assert(version->backends[0].id == rows[i].want, rows[i].name, "id %u", version->backends[0].id);
		row_assert(!rows[i].word || strstr(err.message, rows[i].word), rows[i].name, "%s", err.message);
		service_free(service);
	}
}

/* Nothing has happened until it is held: a dry run leaves it to be released at its time. */
static void test_taken_up_is_retired_until_held(void **state)
{
	struct service *service = make_service(1, "10.1.0.1:80", IPPROTO_TCP, "10.2.1.2:80");

	(void)state;
	assert_int_equal(give_ids(NULL, &ids, service, NOW, &err), 0);
	assert_true(ids_is_retired(&ids, ID_BACKEND, 2));
	assert_int_equal(ids.retired_ms[ID_BACKEND][2], NOW - 5000);
	ids_hold(&ids, ID_BACKEND, 2);
	assert_false(ids_is_retired(&ids, ID_BACKEND, 2));
	service_free(service);
}

static void test_the_wait_is_named(void **state)
{
	struct service *service = make_service(1, "10.1.0.1:80", IPPROTO_TCP, "10.2.1.3:80");

	(void)state;
	assert_int_equal(give_ids(NULL, &ids, service, NOW, &err), -ERROR_PRECONDITION);
	assert_non_null(strstr(err.message, "in 70 seconds"));
	assert_int_equal(give_ids(NULL, &ids, service, NOW + 500000, &err), -ERROR_PRECONDITION);
	assert_non_null(strstr(err.message, "in 10 seconds"));
	service_free(service);
}

/* Removed and added again, a service finds its backends of before. */
static void test_services(void **state)
{
	struct service *service = make_service(0, "10.1.0.1:25", IPPROTO_TCP, "10.2.1.3:80");

	(void)state;
	ids_retire(&ids, ID_SERVICE, 2, NOW);
	assert_int_equal(give_ids(NULL, &ids, service, NOW, &err), 0);
	assert_int_equal(service->id, 2);
	assert_int_equal(service->versions[0].backends[0].id, 3);
	service_free(service);
	service = make_service(0, "10.2.1.3:80", IPPROTO_TCP, "10.2.1.9:80"); /* dialled where a backend was */
	assert_int_equal(give_ids(NULL, &ids, service, NOW, &err), -ERROR_PRECONDITION);
	assert_int_equal(service->id, 0);
	service_free(service);
	service = make_service(0, "10.1.0.9:25", IPPROTO_TCP, "10.2.1.9:80");
	assert_int_equal(give_ids(NULL, &ids, service, NOW, &err), 0);
	assert_int_equal(service->id, 3);
	service_free(service);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_backends, setup),
	    cmocka_unit_test_setup(test_taken_up_is_retired_until_held, setup),
	    cmocka_unit_test_setup(test_the_wait_is_named, setup),
	    cmocka_unit_test_setup(test_services, setup),
	};

	return cmocka_run_group_tests_name("give", tests, NULL, NULL);
}
