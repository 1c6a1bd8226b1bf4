// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* user/rainbowctl/slices.c: what an EndpointSlice list becomes, beginning from the one in tests/e2e, changed at one place for each row. */
#include <stdlib.h>
#include "tests/unit/table_test.h"
#include "common/error.h"
#include "rainbowctl/slices.h"

#define FIXTURE "tests/e2e/endpointslices.json"
#define BOTH                                                                                                                   \
	"[{\"label\":\"v1\",\"backends\":[{\"address\":\"10.2.1.2:8080\"}]},{\"label\":\"v2\",\"backends\":[{\"address\":"     \
	"\"10.2.2.2:"                                                                                                          \
	"8080\"}]}]"

/* The member at a path of keys and indexes, "items.0.ports"; *key: the last part. */
static json_t *walk(json_t *json, const char *path, char key[64])
{
	const char *dot;

	while ((dot = strchr(path, '.'))) {
		snprintf(key, 64, "%.*s", (int)(dot - path), path);
		json = json_is_array(json) ? json_array_get(json, (size_t)atoi(key)) : json_object_get(json, key);
		path = dot + 1;
	}
	snprintf(key, 64, "%s", path);
	return json;
}

/* value NULL: it is taken out. */
static void edit(json_t *json, const char *path, const char *value)
{
	json_t *fresh = value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;
	char key[64];
	json_t *parent = walk(json, path, key);

	row_assert(parent, path, "is not in the fixture");
	if (json_is_array(parent) && fresh)
		json_array_set_new(parent, (size_t)atoi(key), fresh);
	else if (json_is_array(parent))
		json_array_remove(parent, (size_t)atoi(key));
	else if (fresh)
		json_object_set_new(parent, key, fresh);
	else
		json_object_del(parent, key);
}

static json_t *fixture(void)
{
	json_t *json = json_load_file(FIXTURE, 0, NULL);

	row_assert(json, FIXTURE, "can not be read: run it from the top of the tree");
	return json;
}

static const struct {
	const char *path, *value; /* "": nothing is changed */
	const char *port, *address;
	const char *service, *versions; /* NULL: refused with `complaint` */
	const char *complaint;
	struct slices_left_out left_out;
} rows[] = {
    {"", NULL, "agent", NULL, "10.0.0.1:80", BOTH, NULL, {1, 1, 0}},
    {"", NULL, "agent", "10.0.0.5:443", "10.0.0.5:443", BOTH, NULL, {1, 1, 0}},
    {"items.4.status", NULL, "agent", NULL, "10.96.12.7:80", BOTH, NULL, {1, 1, 0}},
    /* no Service, or one without an address */
    {"items.4", NULL, "agent", NULL, NULL, NULL, "give --address", {0}},
    {"items.4",
     "{\"kind\":\"Service\",\"metadata\":{\"name\":\"chat\",\"namespace\":\"agents\"},\"spec\":{\"clusterIP\":\"None\"}}",
     "agent",
     NULL,
     NULL,
     NULL,
     "give --address",
     {0}},
    {"", NULL, NULL, NULL, NULL, NULL, "several ports: agent, metrics; say which", {0}},
    {"", NULL, "web", NULL, NULL, NULL, "has no port web; it has: agent, metrics", {0}},
    /* ready is what is not said to be not */
    {"items.0.endpoints.2.conditions", NULL, "agent", NULL, NULL, NULL, "has no label version", {0}},
    {"items.0.endpoints.1.conditions", "{\"ready\":null}", "agent", NULL, "10.0.0.1:80", BOTH, NULL, {1, 1, 0}},
    {"items.0.endpoints.1.conditions",
     "{\"ready\":true,\"terminating\":true}",
     "agent",
     NULL,
     "10.0.0.1:80",
     "[{\"label\":\"v1\",\"backends\":[{\"address\":\"10.2.1.2:8080\"}]}]",
     NULL,
     {1, 2, 0}},
    /* the pod decides, then the slice */
    {"items.2.metadata.labels.version",
     "\"v9\"",
     "agent",
     NULL,
     "10.0.0.1:80",
     "[{\"label\":\"v9\",\"backends\":[{\"address\":\"10.2.1.2:8080\"}]},{\"label\":\"v2\",\"backends\":[{\"address\":\"10.2.2."
     "2:8080\"}]}]",
     NULL,
     {1, 1, 0}},
    {"items.3", NULL, "agent", NULL, NULL, NULL, "10.2.2.2 of slice chat-5xk2p has no label version", {0}},
    {"items.3.metadata.namespace", "\"other\"", "agent", NULL, NULL, NULL, "has no label version", {0}},
    {"items.0.metadata.labels.version", "\"slice\"", "agent", NULL, "10.0.0.1:80", BOTH, NULL, {1, 1, 0}},
    {"items.0.metadata.namespace", "\"other\"", "agent", NULL, NULL, NULL, "in two namespaces, other and agents", {0}},
    {"items.0.addressType", "\"FQDN\"", "agent", NULL, NULL, NULL, "holds names", {0}},
    {"items.0.endpoints.0.addresses", "[]", "agent", NULL, NULL, NULL, "without an address", {0}},
    {"items.0.endpoints.0.addresses", "[5]", "agent", NULL, NULL, NULL, "without an address", {0}},
    /* dual stack: those that the address can reach */
    {"items.0.endpoints.1.addresses",
     "[\"fd00::2\"]",
     "agent",
     NULL,
     "10.0.0.1:80",
     "[{\"label\":\"v1\",\"backends\":[{\"address\":\"10.2.1.2:8080\"}]}]",
     NULL,
     {1, 1, 1}},
    /* what no rainbow can have is refused here */
    {"items.3.metadata.labels.version",
     "\"a234567890123456789012345678901234567890\"",
     "agent",
     NULL,
     NULL,
     NULL,
     "at most 31",
     {0}},
    {"items.3.metadata.labels.app", "\"web\"", "agent", "10.0.0.5:80", NULL, NULL, "2 services, and one address", {0}},
    {"items", "[]", "agent", NULL, NULL, NULL, "no endpoint that is ready", {0}},
    {"items", "5", "agent", NULL, NULL, NULL, "no endpoint that is ready", {0}},
    {"items",
     "[null,5,{\"kind\":\"EndpointSlice\",\"endpoints\":5}]",
     "agent",
     NULL,
     NULL,
     NULL,
     "no endpoint that is ready",
     {0}},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		json_t *list = fixture(), *document = NULL, *service;
		struct slices slices = {.lists = {list}, .service_port = rows[i].port, .address = rows[i].address};
		struct slices_left_out left_out;
		struct error err = {ERROR_NONE};
		char *versions;
		int rc;

		if (*rows[i].path)
			edit(list, rows[i].path, rows[i].value);
		rc = slices_read(&slices, &document, &left_out, &err);
		row_assert((rc == 0) == !rows[i].complaint, rows[i].path, "row %zu returned %d: %s", i, rc, err.message);
		if (rc) {
			row_assert(strstr(err.message, rows[i].complaint), rows[i].path, "row %zu said: %s", i, err.message);
			assert_null(document);
			json_decref(list);
			continue;
		}
		service = json_array_get(json_object_get(document, "services"), 0);
		versions = json_dumps(json_object_get(service, "versions"), JSON_COMPACT);
		row_assert(!strcmp(json_string_value(json_object_get(service, "address")), rows[i].service), rows[i].path,
			   "address %s", json_string_value(json_object_get(service, "address")));
		row_assert(!strcmp(versions, rows[i].versions), rows[i].path, "versions %s", versions);
		row_assert(!memcmp(&left_out, &rows[i].left_out, sizeof(left_out)), rows[i].path, "left out %zu, %zu, %zu",
			   left_out.not_ready, left_out.terminating, left_out.other_family);
		free(versions);
		json_decref(document);
		json_decref(list);
	}
}

/* As the API itself prints lists: one kind each, and the items without. */
static void test_typed_lists(void **state)
{
	json_t *list = fixture(), *items = json_object_get(list, "items"), *document = NULL;
	json_t *slices_list = json_pack("{s:s, s:[O]}", "kind", "EndpointSliceList", "items", json_array_get(items, 1));
	json_t *pods = json_pack("{s:s, s:[O]}", "kind", "PodList", "items", json_array_get(items, 2));
	struct slices slices = {.lists = {slices_list, pods}, .address = "10.0.0.1:80"};
	struct slices_left_out left_out;
	struct error err = {ERROR_NONE};

	(void)state;
	json_object_del(json_array_get(items, 1), "kind");
	json_object_del(json_array_get(items, 2), "kind");
	row_assert(!slices_read(&slices, &document, &left_out, &err), "typed lists", "%s", err.message);
	json_decref(document);
	json_decref(slices_list);
	json_decref(pods);
	json_decref(list);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_typed_lists)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
