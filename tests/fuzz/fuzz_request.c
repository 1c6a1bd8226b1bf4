/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fuzzes the API: the input is "METHOD PATH?QUERY", a line, and the body. Read as api.c reads it, then handed to its handler, over
 * a model of one service; changes as dry runs, since there is no kernel side behind. Not: doctor, which looks at this host, detach,
 * and evict, whose reply waits for a walk of the pins.
 */
#include "user/rainbowd/api.c"
#include "tests/fuzz/fuzz.h"
#include "rainbowd/handlers.h"
#include "rainbowd/keeper.h"
#include "rainbowd/datapath_private.h"

static struct daemon daemon_;

static struct mapping array(uint32_t entries, size_t size)
{
	return (struct mapping){.base = calloc(entries, size), .stride = size, .length = entries * size, .entries = entries};
}

/* One that takes yes or no of a session, and one that takes numbers. */
static void add_gates(struct settings *settings)
{
	settings_init(settings);
	settings->gates = calloc(2, sizeof(*settings->gates));
	settings->gate_count = 2;
	settings->gates_given = true;
	settings->gates[0] = (struct gate){.name = "accuracy", .source = GATE_SOURCE_PUSH, .kind = GATE_KIND_RATIO};
	settings->gates[1] = (struct gate){.name = "cost", .source = GATE_SOURCE_PUSH, .kind = GATE_KIND_DISTRIBUTION};
}

static struct service *service_known(void)
{
	struct service *service = service_new();
	struct error err;
	int i;

	text_copy(service->name, sizeof(service->name), "chat");
	endpoint_parse("10.0.0.1:80", &service->at, "", &err);
	service->id = 1;
	service->protocol = 6;
	service->affinity = RAINBOW_AFFINITY_CONNECTION;
	service->selection = RAINBOW_SELECTION_HASH;
	service->stray = RAINBOW_STRAY_RESET;
	service->client_prefix = 64;
	add_gates(&service->settings);
	for (i = 1; i <= 2; i++) {
		struct version version = {.id = (uint32_t)i, .state = RAINBOW_VERSION_ACTIVE, .weight = i == 1 ? 1000 : 0};
		struct backend backend = {.id = (uint32_t)i};

		snprintf(version.label, sizeof(version.label), "v%d", i);
		endpoint_parse(i == 1 ? "10.2.1.2:8080" : "10.2.2.2:8080", &backend.at, "", &err);
		version_append_backend(service_append_version(service, &version), &backend);
	}
	return service;
}

static void daemon_make(void)
{
	struct datapath *dp = calloc(1, sizeof(*dp));
	struct error err;

	memset(&dp->dir, 0xff, sizeof(dp->dir)); /* no descriptor is one */
	dp->meta = array(1, sizeof(struct rainbow_meta));
	dp->service = array(RAINBOW_MAX_SERVICES + 1, sizeof(struct rainbow_service));
	dp->version = array(RAINBOW_MAX_VERSIONS + 1, sizeof(struct rainbow_version));
	dp->backend = array(RAINBOW_MAX_BACKENDS + 1, sizeof(struct rainbow_backend));
	dp->wheel = array(2 * (RAINBOW_MAX_SERVICES + 1), sizeof(struct rainbow_wheel));
	daemon_.datapath = dp;
	daemon_.base = event_base_new(); /* never runs */
	if (keeper_new(&daemon_.keeper, &daemon_, &err))
		abort();
	model_replace(&daemon_.model, NULL, service_known());
}

/* Handlers that need no more than the model and the arrays. */
static bool can_handle(const struct route *route)
{
	return (route->is_change && route->handle != handle_detach && route->handle != handle_evict) ||
	       route->handle == handle_service_list || route->handle == handle_steer_list;
}

static void handle(struct request *request, const char *method, char *target, const uint8_t *body, size_t size)
{
	struct evhttp_request *http = evhttp_request_new(NULL, NULL);
	const struct route *route = NULL;
	const struct peer peer = {.uid = 1000, .pid = 1};
	char *query = strchr(target, '?');
	struct error err = {0};
	json_t *reply = NULL;
	int rc;

	if (query)
		*query++ = '\0';
	evbuffer_add(evhttp_request_get_input_buffer(http), body, size);
	rc = route_find(method, target, &route, request->variable, &err);
	if (!rc && route->is_change)
		rc = note_begin(request, &peer, &err);
	rc = rc ? rc : read_query(request, route, query, &err);
	rc = rc ? rc : read_body(request, http, &err);
	if (!rc && request->note)
		describe(request, route);
	request->dry_run = true;
	daemon_.asking = request->note;
	if (!rc && can_handle(route))
		rc = route->handle(request, &reply, &err);
	if (rc && !err.message[0])
		abort(); /* refused without a word */
	json_decref(reply);
	evhttp_request_free(http);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const uint8_t *end = memchr(bytes, '\n', size);
	size_t length = end ? (size_t)(end - bytes) : size;
	char *line, *target;
	struct request *request;

	if (!daemon_.datapath)
		daemon_make();
	line = strndup((const char *)bytes, length);
	target = strchr(line, ' ');
	if (target) {
		*target++ = '\0';
		request = calloc(1, sizeof(*request));
		request->daemon = &daemon_;
		TAILQ_INIT(&request->query);
		handle(request, line, target, end ? end + 1 : bytes, end ? size - length - 1 : 0);
		request_free(request);
	}
	free(line);
	return 0;
}
