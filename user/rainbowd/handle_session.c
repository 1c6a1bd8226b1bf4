// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Single sessions: which there are, whose a client is, and where a new one would go. */
#include <stdlib.h>
#include <string.h>
#include <rainbow/select.h>
#include "explain.h"
#include "handlers.h"
#include "roll.h"
#include "worker.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MOST    100000

/* Now, as the pins know time. */
struct pin_time {
	int64_t seconds; /* CLOCK_MONOTONIC */
	uint32_t jiffies;
	uint32_t hz;
};

static int read_time(struct daemon *daemon, struct pin_time *now, struct error *err)
{
	struct rainbow_clock clock;
	int rc = datapath_clock(daemon->datapath, &clock, err);

	now->seconds = (int64_t)(clock.monotonic_ns / 1000000000);
	now->jiffies = (uint32_t)clock.jiffies;
	now->hz = datapath_meta(daemon->datapath)->hz;
	return rc;
}

static json_t *json_age(const struct pin_time *now, uint32_t opened)
{
	int64_t age = now->seconds - (int32_t)opened; /* signed: it may have begun before the boot */

	return json_integer(age > 0 ? age : 0);
}

static json_t *json_idle(const struct pin_time *now, uint32_t last_seen)
{
	int32_t idle = (int32_t)(now->jiffies - last_seen);

	return now->hz ? json_integer(idle > 0 ? idle / (int32_t)now->hz : 0) : json_null();
}

static json_t *json_label(const struct service *service, uint32_t id)
{
	const struct version *version = service ? service_find_version_id(service, id) : NULL;

	return version ? json_string(version->label) : json_null();
}

/* From the map: it knows removed backends too. */
static json_t *json_backend(struct daemon *daemon, uint32_t id)
{
	const struct rainbow_backend *entry;
	struct endpoint at;

	if (!id || id > RAINBOW_MAX_BACKENDS)
		return json_null();
	entry = datapath_backend(daemon->datapath, id);
	if (!entry->port)
		return json_null();
	at = (struct endpoint){.addr = entry->address, .port = entry->port};
	return json_endpoint(&at);
}

/* A client session has no port. */
static json_t *json_client(const struct rainbow_flow *flow)
{
	char text[ADDR_TEXT_SIZE];

	return json_string(flow->port ? endpoint_format(&flow->client, flow->port, text) : addr_format(&flow->client, text));
}

/* --- sessions: the walk is done in the worker ------------------------------------------------------------------------------- */

struct session_walk {
	struct work work;
	struct request *request;
	struct datapath *dp;
	struct roll roll;
	int rc;
	struct error err;
};

static bool offer(const struct rainbow_flow *flow, const struct rainbow_pin *pin, void *arg)
{
	struct session_walk *walk = arg;

	if (roll_offer(&walk->roll, flow, pin))
		return true;
	walk->rc =
	    error_set(&walk->err, ERROR_INTERNAL, NULL, "out of memory for the list of sessions; ask for fewer with limit");
	return false;
}

static void walk_run(struct work *work)
{
	struct session_walk *walk = (struct session_walk *)work;

	if (datapath_pins_each(walk->dp, offer, walk, &walk->err) && !walk->rc)
		walk->rc = -(int)walk->err.code;
	roll_finish(&walk->roll);
}

static json_t *json_entry(struct daemon *daemon, const struct service *service, const struct roll_entry *entry,
			  const struct pin_time *now)
{
	uint32_t flows = entry->kind == RAINBOW_PIN_CLIENT ? entry->flows & RAINBOW_FLOWS_COUNT : 1;

	return json_pack("{s:o, s:o, s:o, s:s, s:o, s:o, s:I}", "client", json_client(&entry->flow), "version",
			 json_label(service, entry->version), "backend", json_backend(daemon, entry->backend), "state",
			 pin_state_name(entry->state), "age_seconds", json_age(now, entry->opened), "idle_seconds",
			 json_idle(now, entry->last_seen), "flows", (json_int_t)flows);
}

static json_t *json_roll(const struct session_walk *walk, const struct pin_time *now)
{
	struct daemon *daemon = walk->request->daemon;
	const struct service *service = model_find_service(&daemon->model, walk->request->variable[0]);
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < walk->roll.count; i++)
		json_array_append_new(list, json_entry(daemon, service, &walk->roll.entries[i], now));
	return json_pack("{s:o, s:I, s:b}", "sessions", list, "total", (json_int_t)walk->roll.sessions, "truncated",
			 (int)(walk->roll.sessions > walk->roll.count));
}

static void walk_done(struct work *work)
{
	struct session_walk *walk = (struct session_walk *)work;
	struct pin_time now;

	if (walk->work.cancelled && !walk->rc)
		walk->rc = error_set(&walk->err, ERROR_INTERNAL, NULL, "rainbowd stops");
	if (!walk->rc)
		walk->rc = read_time(walk->request->daemon, &now, &walk->err);
	request_finish(walk->request, walk->rc, walk->rc ? NULL : json_roll(walk, &now), &walk->err);
	roll_fini(&walk->roll);
	free(walk);
}

static int read_filter(struct request *request, struct roll *roll, struct error *err)
{
	const char *label = request_query(request, "version"), *older_than = request_query(request, "older_than");
	struct service *service;
	struct version *version;
	struct duration age;
	uint64_t limit;
	int rc = model_get_service(&request->daemon->model, request->variable[0], &service, err);

	rc = rc ? rc : request_query_number(request, "limit", 1, LIMIT_MOST, LIMIT_DEFAULT, &limit, err);
	if (!rc && label)
		rc = service_get_version(service, label, &version, err);
	if (!rc && older_than)
		rc = duration_parse(older_than, &age, "older_than", err);
	if (rc)
		return rc;
	roll->limit = limit;
	roll->filter.service = service->id;
	roll->filter.version = label ? version->id : 0;
	roll->filter.limit_opened = older_than != NULL;
	roll->filter.opened_until = older_than ? (monotonic_ms() - age.ms) / 1000 - 1 : 0;
	return 0;
}

int handle_sessions(struct request *request, json_t **reply, struct error *err)
{
	struct roll roll = {0};
	struct session_walk *walk;
	int rc = read_filter(request, &roll, err);

	(void)reply;
	if (rc)
		return rc;
	walk = calloc(1, sizeof(*walk));
	if (!walk)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	walk->work.run = walk_run;
	walk->work.done = walk_done;
	walk->request = request;
	walk->dp = request->daemon->datapath;
	walk->roll = roll;
	request_defer(request);
	worker_submit(request->daemon->worker, &walk->work);
	return 0;
}

/* --- whois and explain: a few lookups ----------------------------------------------------------------------------------------- */

static int read_client(const struct request *request, struct endpoint *client, struct error *err)
{
	const char *text = request_query(request, "client");

	if (!text)
		return error_set(err, ERROR_BAD_INPUT, "client",
				 "client is missing: ADDR:PORT as the client's own end of the connection");
	return endpoint_parse(text, client, "client", err);
}

static int check_family(const struct service *service, const struct endpoint *client, struct error *err)
{
	char text[ADDR_TEXT_SIZE];

	if (addr_is_v4(&client->addr) == addr_is_v4(&service->at.addr))
		return 0;
	return error_set(err, ERROR_BAD_INPUT, "client", "%s is not of the address family of service %s: it can not dial it",
			 endpoint_format(&client->addr, client->port, text), service->name);
}

static struct rainbow_flow flow_of(const struct service *service, const struct endpoint *client)
{
	return (struct rainbow_flow){.client = client->addr, .port = client->port, .service = (uint16_t)service->id};
}

static struct rainbow_flow client_key_of(const struct service *service, const struct endpoint *client)
{
	struct rainbow_flow key = flow_of(service, client);

	key.port = 0;
	rainbow_client_mask(&key.client, service->client_prefix);
	return key;
}

/* The pin that is this client's session: of its flow, or of the client itself. */
static bool find_session(struct daemon *daemon, const struct service *service, const struct endpoint *client,
			 struct rainbow_pin *pin)
{
	struct rainbow_flow key =
	    service->affinity == RAINBOW_AFFINITY_CLIENT ? client_key_of(service, client) : flow_of(service, client);

	return datapath_pin_find(daemon->datapath, &key, pin) == 0 && pin_state_name(pin->state);
}

static json_t *json_found(struct daemon *daemon, const struct service *service, const struct rainbow_pin *pin,
			  const struct pin_time *now)
{
	const struct version *version = service_find_version_id(service, pin->version);

	return json_pack("{s:s, s:o, s:o, s:o, s:s, s:o, s:o}", "service", service->name, "version",
			 json_label(service, pin->version), "tuple", version ? json_tuple(&version->tuple) : json_null(),
			 "backend", json_backend(daemon, pin->backend), "state", pin_state_name(pin->state), "age_seconds",
			 json_age(now, pin->opened), "idle_seconds", json_idle(now, pin->last_seen));
}

int handle_whois(struct request *request, json_t **reply, struct error *err)
{
	struct daemon *daemon = request->daemon;
	const char *only = request_query(request, "service");
	struct service *service = NULL;
	struct endpoint client;
	struct rainbow_pin pin;
	struct pin_time now;
	json_t *list;
	size_t i;
	int rc = read_client(request, &client, err);

	if (!rc && only)
		rc = model_get_service(&daemon->model, only, &service, err);
	rc = rc ? rc : read_time(daemon, &now, err);
	if (rc)
		return rc;
	list = json_array();
	for (i = 0; i < daemon->model.count; i++) {
		const struct service *each = daemon->model.services[i];

		if ((!service || each == service) && find_session(daemon, each, &client, &pin))
			json_array_append_new(list, json_found(daemon, each, &pin, &now));
	}
	if (!json_array_size(list)) {
		json_decref(list);
		return error_set(err, ERROR_NOT_FOUND, "client", "%s has no session%s%s", request_query(request, "client"),
				 only ? " of service " : "", only ? only : "");
	}
	*reply = json_pack("{s:o, s:o}", "client", json_endpoint(&client), "sessions", list);
	return 0;
}

/* As the kernel would look for it; dead and ended ones count for nothing. */
static const struct rainbow_pin *find_live(struct daemon *daemon, const struct rainbow_flow *key, struct rainbow_pin *pin)
{
	return datapath_pin_find(daemon->datapath, key, pin) == 0 && pin_state_is_live(pin->state) ? pin : NULL;
}

/* A choice older than nursery_seconds has been forgotten. */
static const struct rainbow_nursling *find_choice(struct daemon *daemon, const struct rainbow_flow *key,
						  struct rainbow_nursling *nursling)
{
	const struct rainbow_meta *meta = datapath_meta(daemon->datapath);
	struct rainbow_clock clock;
	struct error err;

	if (datapath_nursling_find(daemon->datapath, key, nursling) || datapath_clock(daemon->datapath, &clock, &err))
		return NULL;
	return (uint32_t)clock.jiffies - nursling->began > meta->nursery_seconds * meta->hz ? NULL : nursling;
}

static bool has_place(const struct rainbow_backend *entry)
{
	return entry->state == RAINBOW_BACKEND_ACTIVE && entry->healthy &&
	       (!entry->max_sessions || entry->live < entry->max_sessions);
}

/* 0: all are full. Among equals the kernel's hash decides; this names the first. */
static uint32_t fewest_live(struct daemon *daemon, const struct version *version)
{
	const struct rainbow_backend *best = NULL;
	uint32_t id = 0;
	size_t i;

	for (i = 0; i < version->backend_count; i++) {
		const struct rainbow_backend *entry = datapath_backend(daemon->datapath, version->backends[i].id);

		if (!has_place(entry) || (best && entry->live >= best->live))
			continue;
		best = entry;
		id = version->backends[i].id;
	}
	return id;
}

int handle_explain(struct request *request, json_t **reply, struct error *err)
{
	struct daemon *daemon = request->daemon;
	struct rainbow_pin flow_pin, client_pin;
	struct rainbow_nursling nursling;
	struct rainbow_flow flow, key;
	struct explain_facts facts = {0};
	struct explanation why;
	struct service *service;
	struct endpoint client;
	int rc = model_get_service(&daemon->model, request->variable[0], &service, err);

	rc = rc ? rc : read_client(request, &client, err);
	rc = rc ? rc : check_family(service, &client, err);
	if (rc)
		return rc;
	flow = flow_of(service, &client);
	key = client_key_of(service, &client);
	memcpy(facts.secret, daemon->secret, sizeof(facts.secret));
	facts.cursor = datapath_service(daemon->datapath, service->id)->cursor;
	facts.flow = find_live(daemon, &flow, &flow_pin);
	facts.client = find_live(daemon, &key, &client_pin);
	facts.choice = find_choice(daemon, &key, &nursling);
	why = explain(service, &flow, &facts);
	if (why.version && !why.backend)
		why.backend = fewest_live(daemon, why.version);
	*reply = json_pack("{s:s, s:o, s:o, s:s, s:s, s:o}", "service", service->name, "client", json_endpoint(&client),
			   "version", why.version ? json_string(why.version->label) : json_null(), "rule",
			   why.version ? why.rule : "none", "detail", why.detail, "backend", json_backend(daemon, why.backend));
	return 0;
}
