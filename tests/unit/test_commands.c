// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* user/rainbowd/command_*.c and model.c: what an operator may order, what becomes of the model, and why not. */
#include <netinet/in.h>
#include <stdlib.h>
#include "tests/unit/table_test.h"
#include "common/text.h"
#include "rainbowd/commands.h"
#include "rainbowd/drain.h"

#define NOW 1700000000000ll
#define DAY (24ll * 3600 * 1000)

static const struct instant now = {.unix_ms = NOW};
static struct counts counts;
static struct error err;

static struct endpoint at(const char *text)
{
	struct endpoint endpoint;

	assert_int_equal(endpoint_parse(text, &endpoint, "", NULL), 0);
	return endpoint;
}

static struct service *make_service(const char *name, const char *address)
{
	struct service *service = service_new();

	text_copy(service->name, sizeof(service->name), name);
	service->at = at(address);
	service->protocol = IPPROTO_TCP;
	return service;
}

/* What change.c does. */
static void give_ids(struct service *service)
{
	static uint32_t next;

	for (size_t i = 0; i < service->version_count; i++) {
		struct version *version = &service->versions[i];

		version->id = version->id ? version->id : ++next;
		for (size_t j = 0; j < version->backend_count; j++)
			version->backends[j].id = version->backends[j].id ? version->backends[j].id : ++next;
	}
}

static int add_version(const struct model *model, struct service *service, const char *label, const char *backend)
{
	struct backend first = {.at = at(backend)};
	struct version order = {.backends = &first, .backend_count = 1};
	int rc;

	text_copy(order.label, sizeof(order.label), label);
	rc = command_version_add(model, service, &order, NULL, now, &err);
	give_ids(service);
	return rc;
}

/* One service "web" with v1 (100 %), v2 and v3. */
static int setup(void **state)
{
	struct model *model = calloc(1, sizeof(*model));
	struct service *web = make_service("web", "10.9.0.1:80");

	memset(&counts, 0, sizeof(counts));
	memset(&err, 0, sizeof(err));
	assert_int_equal(command_service_add(model, web, &err), 0);
	web->id = 1;
	model_replace(model, NULL, web);
	assert_int_equal(add_version(model, web, "v1", "10.0.0.1:80"), 0);
	assert_int_equal(add_version(model, web, "v2", "10.0.0.2:80"), 0);
	assert_int_equal(add_version(model, web, "v3", "10.0.0.3:80"), 0);
	*state = model;
	return 0;
}

static int teardown(void **state)
{
	model_fini(*state);
	free(*state);
	return 0;
}

static struct service *web_of(void **state)
{
	return model_find_service(*state, "web");
}

static struct version *version_of(struct service *service, const char *label)
{
	struct version *version = service_find_version(service, label);

	assert_non_null(version);
	return version;
}

#define assert_weights(service, a, b, c)                                                                                       \
	do {                                                                                                                   \
		assert_int_equal(version_of(service, "v1")->weight, a);                                                        \
		assert_int_equal(version_of(service, "v2")->weight, b);                                                        \
		assert_int_equal(version_of(service, "v3")->weight, c);                                                        \
	} while (0)

#define assert_refused(call, want, words)                                                                                      \
	do {                                                                                                                   \
		memset(&err, 0, sizeof(err));                                                                                  \
		assert_int_equal(call, -(int)(want));                                                                          \
		assert_int_equal(err.code, want);                                                                              \
		if (!strstr(err.message, words))                                                                               \
			fail_msg("\"%s\" does not say \"%s\"", err.message, words);                                            \
	} while (0)

/* --- services ---------------------------------------------------------------------------------------------------------------- */

static void test_service_defaults(void **state)
{
	struct service *web = web_of(state);

	assert_int_equal(web->affinity, RAINBOW_AFFINITY_CONNECTION);
	assert_int_equal(web->selection, RAINBOW_SELECTION_HASH);
	assert_int_equal(web->stray, RAINBOW_STRAY_RESET);
	assert_int_equal(web->idle_timeout.ms, DAY);
	assert_int_equal(web->client_prefix, 64);
}

static void test_service_add_refused(void **state)
{
	static const struct {
		const char *name, *service, *address;
		int64_t idle_ms;
		enum error_code want;
		const char *words;
	} rows[] = {
	    {"1 the name is taken", "web", "10.9.0.2:80", 0, ERROR_CONFLICT, "exists already"},
	    {"2 the address is taken", "chat", "10.9.0.1:80", 0, ERROR_CONFLICT, "service web"},
	    {"3 the address is a backend", "chat", "10.0.0.1:80", 0, ERROR_CONFLICT, "backend of version v1"},
	    {"4 loopback", "chat", "127.0.0.1:80", 0, ERROR_BAD_INPUT, "loopback"},
	    {"5 too idle", "chat", "10.9.0.2:80", 15 * DAY, ERROR_BAD_INPUT, "at most 14d"},
	    {"6 not idle enough", "chat", "10.9.0.2:80", 10, ERROR_BAD_INPUT, "at least 1s"},
	    {"7 no name", "a b", "10.9.0.2:80", 0, ERROR_BAD_INPUT, "name"},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct service *service = make_service(rows[i].service, rows[i].address);

		service->idle_timeout.ms = rows[i].idle_ms;
		assert_refused(command_service_add(*state, service, &err), rows[i].want, rows[i].words);
		service_free(service);
	}
}

static void test_service_set(void **state)
{
	struct service *web = web_of(state);

	assert_refused(command_service_set(web, &(struct service_order){0}, &err), ERROR_BAD_INPUT, "nothing to set");
	assert_refused(command_service_set(web, &(struct service_order){.has_probe_idle = true, .probe_idle = {500}}, &err),
		       ERROR_BAD_INPUT, "at least 1s");
	assert_refused(
	    command_service_set(web, &(struct service_order){.has_probe_idle = true, .probe_idle = {15 * DAY}}, &err),
	    ERROR_BAD_INPUT, "at most 14d");
	web->probe_idle.ms = 0;
	assert_int_equal(command_service_set(web, &(struct service_order){.has_probe_idle = true, .probe_idle = {60000}}, &err),
			 0);
	assert_int_equal(web->probe_idle.ms, 60000);
	assert_int_equal(web->idle_timeout.ms, DAY);
	web->protocol = IPPROTO_UDP;
	assert_refused(
	    command_service_set(web, &(struct service_order){.has_idle_timeout = true, .idle_timeout = {60000}}, &err),
	    ERROR_BAD_INPUT, "can not be asked");
	web->protocol = IPPROTO_TCP;
}

static void test_same_port_other_protocol(void **state)
{
	struct service *dns = make_service("dns", "10.9.0.1:80");

	dns->protocol = IPPROTO_UDP;
	assert_int_equal(command_service_add(*state, dns, &err), 0);
	assert_int_equal(dns->idle_timeout.ms, DEFAULT_IDLE_UDP_MS);
	service_free(dns);
}

static void test_service_remove(void **state)
{
	struct service *web = web_of(state);

	assert_int_equal(command_service_remove(web, &counts, &err), 0);
	counts.live[version_of(web, "v2")->id] = 2;
	assert_refused(command_service_remove(web, &counts, &err), ERROR_PRECONDITION, "2 live sessions");
}

/* --- versions and backends --------------------------------------------------------------------------------------------------- */

static void test_first_version_takes_all(void **state)
{
	assert_weights(web_of(state), 1000, 0, 0);
}

static void test_version_add_refused(void **state)
{
	struct service *web = web_of(state);
	struct version none = {.label = "v4"};
	struct backend twins[2] = {{.at = at("10.0.0.7:80")}, {.at = at("10.0.0.7:80")}};
	struct version twice = {.label = "v4", .backends = twins, .backend_count = 2};

	assert_refused(add_version(*state, web, "v1", "10.0.0.9:80"), ERROR_CONFLICT, "exists already");
	assert_refused(add_version(*state, web, "v4", "10.0.0.1:80"), ERROR_CONFLICT, "version v1 of service web");
	assert_refused(add_version(*state, web, "v4", "10.9.0.1:80"), ERROR_CONFLICT, "service web itself");
	assert_refused(add_version(*state, web, "v4", "127.0.0.1:80"), ERROR_BAD_INPUT, "loopback");
	assert_refused(add_version(*state, web, "v4", "[2001:db8::1]:80"), ERROR_BAD_INPUT, "do not mix");
	assert_refused(add_version(*state, web, "no/name", "10.0.0.9:80"), ERROR_BAD_INPUT, "name");
	assert_refused(command_version_add(*state, web, &none, NULL, now, &err), ERROR_BAD_INPUT, "at least one backend");
	assert_refused(command_version_add(*state, web, &twice, NULL, now, &err), ERROR_BAD_INPUT, "named twice");
	assert_int_equal(web->version_count, 3);
}

static void test_versions_are_limited(void **state)
{
	struct service *web = web_of(state);
	char label[16], backend[32];

	web->settings.max_versions = RAINBOW_MAX_VERSIONS_PER_SERVICE;
	for (int i = 4; i <= RAINBOW_MAX_VERSIONS_PER_SERVICE; i++) {
		snprintf(label, sizeof(label), "v%d", i);
		snprintf(backend, sizeof(backend), "10.0.1.%d:80", i);
		assert_int_equal(add_version(*state, web, label, backend), 0);
	}
	assert_refused(add_version(*state, web, "last", "10.0.2.1:80"), ERROR_PRECONDITION, "64 versions");
}

static void test_version_remove(void **state)
{
	struct service *web = web_of(state);
	struct cidr range;

	assert_refused(command_version_remove(web, "v9", &counts, &err), ERROR_NOT_FOUND, "it has: v1, v2, v3");
	assert_refused(command_version_remove(web, "v1", &counts, &err), ERROR_PRECONDITION, "OTHER=100");
	counts.live[version_of(web, "v2")->id] = 3;
	assert_refused(command_version_remove(web, "v2", &counts, &err), ERROR_PRECONDITION, "version v2 has 3 live sessions");
	cidr_parse("10.5.0.0/16", &range, "", NULL);
	assert_int_equal(command_steer_add(*state, web, &range, "v3", &err), 0);
	assert_int_equal(command_version_remove(web, "v3", &counts, &err), 0);
	assert_null(service_find_version(web, "v3"));
	assert_int_equal(web->steer_count, 0);
}

static void test_backends(void **state)
{
	struct service *web = web_of(state);
	struct backend more = {.at = at("10.0.0.4:80")}, other = {.at = at("10.0.0.2:80")};
	struct endpoint first = at("10.0.0.1:80"), unknown = at("10.0.0.99:80");
	uint64_t stay;

	assert_refused(command_backend_add(*state, web, "v1", &other, &err), ERROR_CONFLICT, "version v2");
	assert_refused(command_backend_remove(web, "v1", &unknown, &counts, &stay, &err), ERROR_NOT_FOUND, "10.0.0.99:80");
	assert_refused(command_backend_remove(web, "v1", &first, &counts, &stay, &err), ERROR_PRECONDITION, "last backend");
	assert_int_equal(command_backend_add(*state, web, "v1", &more, &err), 0);
	give_ids(web);
	assert_refused(command_backend_add(*state, web, "v1", &more, &err), ERROR_CONFLICT, "already");
	counts.backend_live[version_find_backend(version_of(web, "v1"), &first)->id] = 4;
	assert_int_equal(command_backend_remove(web, "v1", &first, &counts, &stay, &err), 0);
	assert_int_equal(stay, 4);
	assert_true(version_find_backend(version_of(web, "v1"), &first)->leaving);
	assert_refused(add_version(*state, web, "v4", "10.0.0.1:80"), ERROR_CONFLICT, "until its last session has ended");
	more.at = first;
	assert_int_equal(command_backend_add(*state, web, "v1", &more, &err), 0);
	assert_false(version_find_backend(version_of(web, "v1"), &first)->leaving);
	counts.backend_live[version_find_backend(version_of(web, "v1"), &first)->id] = 0;
	assert_int_equal(command_backend_remove(web, "v1", &first, &counts, &stay, &err), 0);
	assert_null(version_find_backend(version_of(web, "v1"), &first));
}

/* --- weights ------------------------------------------------------------------------------------------------------------------- */

static const struct weight_row {
	const char *name;
	struct weight_order orders[3];
	size_t count;
	enum error_code want;
	const char *words;
	uint32_t weights[3];
} weight_rows[] = {
    {"1 all named", {{"v1", false, 500}, {"v2", false, 300}, {"v3", false, 200}}, 3, 0, "", {500, 300, 200}},
    {"2 not named is 0", {{"v2", false, 1000}}, 1, 0, "", {0, 1000, 0}},
    {"3 one takes the rest", {{"v2", false, 1}, {"v1", true, 0}}, 2, 0, "", {999, 1, 0}},
    {"4 the rest may be nothing", {{"v2", false, 1000}, {"v1", true, 0}}, 2, 0, "", {0, 1000, 0}},
    {"5 too little", {{"v1", false, 500}, {"v2", false, 300}}, 2, ERROR_BAD_INPUT, "add up to 80", {0}},
    {"6 too much", {{"v1", false, 500}, {"v2", false, 501}}, 2, ERROR_BAD_INPUT, "add up to 100.1", {0}},
    {"7 too much, and a rest",
     {{"v1", false, 900}, {"v2", false, 200}, {"v3", true, 0}},
     3,
     ERROR_BAD_INPUT,
     "add up to 110",
     {0}},
    {"8 two rests", {{"v1", true, 0}, {"v2", true, 0}}, 2, ERROR_BAD_INPUT, "both take the rest", {0}},
    {"9 twice", {{"v1", false, 500}, {"v1", false, 500}}, 2, ERROR_BAD_INPUT, "named twice", {0}},
    {"10 unknown", {{"v9", false, 1000}}, 1, ERROR_NOT_FOUND, "it has: v1, v2, v3", {0}},
    {"11 nothing", {{"", false, 0}}, 0, ERROR_BAD_INPUT, "no weight", {0}},
};

static void test_weights(void **state)
{
	for (size_t i = 0; i < COUNT(weight_rows); i++) {
		const struct weight_row *row = &weight_rows[i];
		struct service *copy = service_clone(web_of(state));
		int rc;

		memset(&err, 0, sizeof(err));
		rc = command_set_weights(copy, row->orders, row->count, &counts, &err);
		row_assert(rc == -(int)row->want, row->name, "returned %d (%s)", rc, err.message);
		row_assert(!rc || strstr(err.message, row->words), row->name, "says \"%s\"", err.message);
		for (size_t v = 0; !rc && v < 3; v++)
			row_assert(copy->versions[v].weight == row->weights[v], row->name, "weight %zu is %u", v,
				   copy->versions[v].weight);
		service_free(copy);
	}
}

static void set_weights(struct service *service, uint32_t v1, uint32_t v2, uint32_t v3)
{
	const struct weight_order orders[] = {{"v1", false, v1}, {"v2", false, v2}, {"v3", false, v3}};

	assert_int_equal(command_set_weights(service, orders, 3, &counts, &err), 0);
}

static void test_weights_remember_what_was(void **state)
{
	struct service *web = web_of(state);

	counts.opened[version_of(web, "v1")->id] = 77;
	set_weights(web, 700, 300, 0);
	assert_int_equal(version_of(web, "v1")->previous_weight, 1000);
	assert_int_equal(version_of(web, "v1")->opened_before, 77);
	set_weights(web, 700, 300, 0); /* no change: nothing to remember */
	assert_int_equal(version_of(web, "v1")->previous_weight, 1000);
	set_weights(web, 600, 300, 100);
	assert_int_equal(version_of(web, "v1")->previous_weight, 700);
}

static void test_draining_takes_no_share(void **state)
{
	const struct weight_order orders[] = {{"v2", false, 1000}};
	const struct drain_order order = {0};
	struct service *web = web_of(state);

	assert_int_equal(command_drain(web, "v2", &order, &counts, now, &err), 0);
	assert_refused(command_set_weights(web, orders, 1, &counts, &err), ERROR_PRECONDITION, "undrain web v2");
}

/* --- drains ---------------------------------------------------------------------------------------------------------------------- */

static void test_drain_hands_its_share_over(void **state)
{
	static const struct {
		const char *name;
		uint32_t before[3], after[3]; /* v1 drains */
	} rows[] = {
	    {"1 to the only other", {500, 500, 0}, {0, 1000, 0}},
	    {"2 in proportion", {400, 400, 200}, {0, 667, 333}},
	    {"3 what is left by rounding", {1, 998, 1}, {0, 999, 1}},
	    {"4 thirds", {334, 333, 333}, {0, 500, 500}},
	    {"5 no share, nothing to hand over", {0, 300, 700}, {0, 300, 700}},
	};
	const struct drain_order order = {0};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct service *copy = service_clone(web_of(state));

		set_weights(copy, rows[i].before[0], rows[i].before[1], rows[i].before[2]);
		row_assert(command_drain(copy, "v1", &order, &counts, now, &err) == 0, rows[i].name, "refused: %s",
			   err.message);
		for (size_t v = 0; v < 3; v++)
			row_assert(copy->versions[v].weight == rows[i].after[v], rows[i].name, "weight %zu is %u", v,
				   copy->versions[v].weight);
		service_free(copy);
	}
}

static void test_last_share_does_not_drain(void **state)
{
	const struct drain_order order = {0};

	assert_refused(
	    command_drain(web_of(state), "v1", &order, &counts, now, &err), ERROR_PRECONDITION,
	    "version v1 takes all new sessions; give another one a share first: rainbowctl set-weight web OTHER=100");
}

static void test_drain_again(void **state)
{
	const struct drain_order plain = {0}, hour = {.has_deadline = true, .deadline = {3600000}},
				 never = {.has_deadline = true, .never = true};
	const struct drain_order hold = {.has_on_deadline = true, .on_deadline = ON_DEADLINE_HOLD};
	const struct instant later = {.unix_ms = NOW + 60000};
	struct service *web = web_of(state);
	struct version *v2 = version_of(web, "v2");

	assert_int_equal(command_drain(web, "v2", &plain, &counts, now, &err), 0);
	assert_int_equal(v2->state, RAINBOW_VERSION_DRAINING);
	assert_int_equal(v2->drain.deadline.unix_ms, NOW + DAY);
	assert_int_equal(command_drain(web, "v2", &plain, &counts, later, &err), 0);
	assert_int_equal(v2->drain.started.unix_ms, NOW);
	assert_int_equal(v2->drain.deadline.unix_ms, NOW + DAY);
	assert_int_equal(command_drain(web, "v2", &hour, &counts, later, &err), 0);
	assert_int_equal(v2->drain.started.unix_ms, NOW);
	assert_int_equal(v2->drain.deadline.unix_ms, NOW + 3600000);
	assert_int_equal(command_drain(web, "v2", &hold, &counts, later, &err), 0);
	assert_int_equal(v2->drain.deadline.unix_ms, NOW + 3600000);
	assert_int_equal(v2->drain.on_deadline, ON_DEADLINE_HOLD);
	assert_int_equal(command_drain(web, "v2", &never, &counts, later, &err), 0);
	assert_int_equal(v2->drain.deadline.unix_ms, 0);
	assert_int_equal(command_undrain(web, "v2", &err), 0);
	assert_int_equal(v2->state, RAINBOW_VERSION_ACTIVE);
	assert_int_equal(v2->weight, 0);
	assert_int_equal(v2->drain.started.unix_ms, 0);
}

/* --- rollback --------------------------------------------------------------------------------------------------------------------- */

static int roll_back_to(struct service *service, const char *to, enum rollback_sessions sessions, struct version **target)
{
	const struct rollback_order order = {.to = to, .sessions = sessions, .reason = "it leaks", .now = now};

	return command_rollback(service, &order, &counts, target, &err);
}

static void test_rollback_default(void **state)
{
	struct service *web = web_of(state);
	struct version *target;

	assert_refused(roll_back_to(web, NULL, ROLLBACK_KEEP, &target), ERROR_PRECONDITION, "nothing to go back to");
	set_weights(web, 950, 50, 0);
	set_weights(web, 500, 500, 0);
	assert_int_equal(roll_back_to(web, NULL, ROLLBACK_KEEP, &target), 0);
	assert_string_equal(target->label, "v1");
	assert_weights(web, 1000, 0, 0);
	assert_int_equal(version_of(web, "v2")->state, RAINBOW_VERSION_ACTIVE);
	/* Once more: of two equals before, the older; which has it all. */
	assert_refused(roll_back_to(web, NULL, ROLLBACK_KEEP, &target), ERROR_PRECONDITION, "takes all new sessions already");
}

static void test_rollback_sessions(void **state)
{
	struct service *web = web_of(state);
	struct version *target;

	set_weights(web, 0, 1000, 0);
	assert_int_equal(roll_back_to(web, "v1", ROLLBACK_DRAIN, &target), 0);
	assert_int_equal(version_of(web, "v2")->state, RAINBOW_VERSION_DRAINING);
	assert_int_equal(version_of(web, "v2")->drain.deadline.unix_ms, NOW + DAY);
	assert_int_equal(version_of(web, "v3")->state, RAINBOW_VERSION_ACTIVE);
	assert_int_equal(roll_back_to(web, "v2", ROLLBACK_RESET, &target), 0);
	assert_int_equal(version_of(web, "v2")->state, RAINBOW_VERSION_ACTIVE);
	assert_int_equal(version_of(web, "v1")->state, RAINBOW_VERSION_DRAINING);
	assert_int_equal(version_of(web, "v1")->drain.deadline.unix_ms, NOW);
	assert_weights(web, 0, 1000, 0);
}

static void test_the_last_eviction_counts(void **state)
{
	struct service *web = web_of(state);
	struct version *v1 = version_of(web, "v1");

	assert_int_equal(command_evict(web, "v1", (struct duration){60000}, 5, now, &err), 0);
	assert_int_equal(v1->eviction.cutoff.unix_ms, NOW - 61000);
	assert_int_equal(command_evict(web, "v1", (struct duration){90000}, 9, now, &err), 0);
	assert_int_equal(v1->eviction.cutoff.unix_ms, NOW - 91000);
	assert_int_equal(v1->eviction.rate, 9);
	assert_int_equal(command_evict(web, "v1", (struct duration){0}, 0, now, &err), 0);
	assert_int_equal(v1->eviction.cutoff.unix_ms, NOW);
}

/* --- steers ------------------------------------------------------------------------------------------------------------------------ */

static struct cidr range_of(const char *text)
{
	struct cidr range;

	assert_int_equal(cidr_parse(text, &range, "", NULL), 0);
	return range;
}

static const struct steer *steer_of(struct service *service, const char *client)
{
	struct rainbow_addr addr;

	assert_int_equal(addr_parse(client, &addr, "", NULL), 0);
	return service_steer_of(service, &addr);
}

static void test_steers(void **state)
{
	struct cidr wide = range_of("10.5.0.0/16"), narrow = range_of("10.5.1.0/24"), six = range_of("2001:db8::/32");
	const struct drain_order order = {0};
	struct service *web = web_of(state);

	assert_refused(command_steer_add(*state, web, &six, "v2", &err), ERROR_BAD_INPUT, "address family");
	assert_int_equal(command_steer_add(*state, web, &wide, "v2", &err), 0);
	assert_int_equal(command_steer_add(*state, web, &narrow, "v3", &err), 0);
	assert_int_equal(steer_of(web, "10.5.9.1")->version, version_of(web, "v2")->id);
	assert_int_equal(steer_of(web, "10.5.1.1")->version, version_of(web, "v3")->id);
	assert_null(steer_of(web, "10.6.0.1"));
	assert_int_equal(command_steer_add(*state, web, &wide, "v1", &err), 0); /* replaces */
	assert_int_equal(web->steer_count, 2);
	assert_int_equal(command_drain(web, "v3", &order, &counts, now, &err), 0);
	assert_null(steer_of(web, "10.5.1.1"));
	assert_refused(command_steer_add(*state, web, &narrow, "v3", &err), ERROR_PRECONDITION, "undrain web v3");
	assert_int_equal(command_steer_remove(web, &wide, &err), 0);
	assert_refused(command_steer_remove(web, &wide, &err), ERROR_NOT_FOUND, "10.5.0.0/16");
}

/* --- rollouts ------------------------------------------------------------------------------------------------------------------------ */

static void start_rollout(struct service *web, const char *target, const char *baseline, enum on_new_target policy,
			  bool *queued)
{
	struct rollout_plan plan = {.stages = {{200, {1000}}, {1000, {2000}}}, .stage_count = 2, .on_new_target = policy};
	const struct rollout_start order = {
	    .target = target, .baseline = baseline, .plan = &plan, .without_gates = baseline != NULL, .reason = ""};

	assert_int_equal(command_rollout_start(web, &order, &counts, now, queued, &err), 0);
}

/* What waits is kept as it was ordered, and goes with a rollback. */
static void test_a_target_that_waits(void **state)
{
	struct service *web = web_of(state);
	struct version *target;
	bool queued;

	start_rollout(web, "v2", NULL, ON_NEW_SUPERSEDE, &queued);
	assert_false(queued);
	start_rollout(web, "v3", "v2", ON_NEW_QUEUE, &queued);
	assert_true(queued);
	assert_string_equal(web->rollout.target, "v2");
	assert_string_equal(web->rollout.queued, "v3");
	assert_string_equal(web->rollout.queued_baseline, "v2");
	assert_int_equal(web->rollout.queued_plan.stage_count, 2);
	assert_true(web->rollout.queued_without_gates);
	assert_int_equal(roll_back_to(web, NULL, ROLLBACK_KEEP, &target), 0);
	assert_string_equal(target->label, "v1");
	assert_int_equal(web->rollout.state, ROLLOUT_ROLLED_BACK);
	assert_string_equal(web->rollout.queued, "");
	assert_int_equal(web->rollout.queued_plan.stage_count, 0);
}

/* While a rollout brings it in it is no way back; to its baseline there is one, and no rollout leads there. */
static void test_the_ways_of_a_rollout(void **state)
{
	struct service *web = web_of(state);
	struct rollout_plan plan = {.stages = {{500, {1000}}, {1000, {1000}}}, .stage_count = 2};
	const struct rollout_start back = {.target = "v1", .plan = &plan, .reason = ""};
	struct version *target;
	bool queued;

	start_rollout(web, "v2", NULL, ON_NEW_SUPERSEDE, &queued);
	assert_refused(roll_back_to(web, "v2", ROLLBACK_KEEP, &target), ERROR_PRECONDITION, "promote web --full");
	assert_int_equal(web->rollout.state, ROLLOUT_RUNNING);
	assert_refused(command_rollout_start(web, &back, &counts, now, &queued, &err), ERROR_CONFLICT, "rollout abort web");
	assert_int_equal(roll_back_to(web, NULL, ROLLBACK_KEEP, &target), 0);
	assert_int_equal(version_of(web, "v2")->drain.deadline.unix_ms, NOW + DAY);
	assert_string_equal(version_of(web, "v2")->quarantine,
			    "rollout 1: rolled back in step 1 of 2 (20 %): aborted: it leaks");
}

/* The abort drains the candidate; who wants its sessions closed has them closed. */
static void test_a_rollout_is_rolled_back_with_its_sessions(void **state)
{
	struct service *web = web_of(state);
	struct version *target;
	bool queued;

	start_rollout(web, "v2", NULL, ON_NEW_SUPERSEDE, &queued);
	assert_int_equal(roll_back_to(web, NULL, ROLLBACK_RESET, &target), 0);
	assert_string_equal(target->label, "v1");
	assert_int_equal(version_of(web, "v1")->state, RAINBOW_VERSION_ACTIVE);
	assert_int_equal(version_of(web, "v2")->state, RAINBOW_VERSION_DRAINING);
	assert_int_equal(version_of(web, "v2")->drain.deadline.unix_ms, NOW);
	assert_int_equal(version_of(web, "v3")->state, RAINBOW_VERSION_ACTIVE);
	assert_weights(web, 1000, 0, 0);
}

/* It is not proven, and would get what the other leaves. */
static void test_no_baseline_on_its_way_in(void **state)
{
	struct rollout_plan plan = {.stages = {{50, {1000}}, {1000, {1000}}}, .stage_count = 2};
	const struct rollout_start third = {.target = "v3", .baseline = "v2", .plan = &plan, .reason = ""};
	struct service *web = web_of(state);
	bool queued;

	start_rollout(web, "v2", NULL, ON_NEW_SUPERSEDE, &queued);
	assert_refused(command_rollout_start(web, &third, &counts, now, &queued, &err), ERROR_CONFLICT, "promote web --full");
	assert_weights(web, 800, 200, 0);
}

/* Else the document that brought it in would bring it in again. */
static void test_what_was_complete_is_judged_by_the_rollback(void **state)
{
	struct service *web = web_of(state);
	const struct rollout_order full = {.verb = ROLLOUT_PROMOTE, .full = true, .reason = "", .now = now};
	const struct rollout_start again = {.target = "v2", .reason = ""};
	struct version *target;
	bool queued;

	start_rollout(web, "v2", NULL, ON_NEW_SUPERSEDE, &queued);
	assert_int_equal(command_rollout_order(web, &full, &counts, &err), 0);
	assert_int_equal(command_rollout_order(web, &full, &counts, &err), 0);
	assert_int_equal(web->rollout.state, ROLLOUT_COMPLETE);
	assert_int_equal(roll_back_to(web, NULL, ROLLBACK_KEEP, &target), 0);
	assert_weights(web, 1000, 0, 0);
	assert_int_equal(version_of(web, "v2")->state, RAINBOW_VERSION_ACTIVE);
	assert_string_equal(version_of(web, "v2")->quarantine, "rollout 1: complete, then rolled back by hand: it leaks");
	assert_refused(command_rollout_start(web, &again, &counts, now, &queued, &err), ERROR_PRECONDITION, "in quarantine");
	assert_refused(command_version_remove(web, "v2", &counts, &err), ERROR_PRECONDITION, "unquarantine web v2");
	/* To another version it is only that: a way to there. */
	version_of(web, "v2")->quarantine[0] = '\0';
	set_weights(web, 0, 1000, 0);
	assert_int_equal(roll_back_to(web, "v3", ROLLBACK_KEEP, &target), 0);
	assert_string_equal(version_of(web, "v2")->quarantine, "");
}

/* A person's words about a version outlast the machine's. */
static void test_quarantine_ends_the_rollout(void **state)
{
	struct service *web = web_of(state);
	bool queued;

	start_rollout(web, "v2", NULL, ON_NEW_SUPERSEDE, &queued);
	assert_int_equal(command_quarantine(web, "v3", "untested", &counts, now, &err), 0);
	assert_int_equal(web->rollout.state, ROLLOUT_RUNNING);
	assert_int_equal(command_quarantine(web, "v2", "leaks, ticket 123", &counts, now, &err), 0);
	assert_int_equal(web->rollout.state, ROLLOUT_ROLLED_BACK);
	assert_weights(web, 1000, 0, 0);
	assert_int_equal(version_of(web, "v2")->state, RAINBOW_VERSION_DRAINING);
	assert_string_equal(version_of(web, "v2")->quarantine, "leaks, ticket 123");
	assert_non_null(strstr(web->rollout.reason, "leaks, ticket 123"));
}

/* It drained when another took its place, or since it was the baseline: that is no judgement. */
static void test_a_target_that_drains_is_taken_again(void **state)
{
	struct service *web = web_of(state);
	bool queued;

	start_rollout(web, "v2", NULL, ON_NEW_SUPERSEDE, &queued);
	start_rollout(web, "v3", NULL, ON_NEW_SUPERSEDE, &queued);
	assert_string_equal(web->rollout.baseline, "v1");
	assert_int_equal(version_of(web, "v2")->state, RAINBOW_VERSION_DRAINING);
	start_rollout(web, "v2", NULL, ON_NEW_SUPERSEDE, &queued);
	assert_int_equal(version_of(web, "v2")->state, RAINBOW_VERSION_ACTIVE);
	assert_int_equal(version_of(web, "v3")->state, RAINBOW_VERSION_DRAINING);
	assert_weights(web, 800, 200, 0);
}

/* The baseline has no share at 100 %, but all of it after a rollback. */
static void test_the_way_back_keeps_its_backend(void **state)
{
	struct service *web = web_of(state);
	struct rollout_plan plan = {.stages = {{1000, {1000}}}, .stage_count = 1};
	const struct rollout_start order = {.target = "v2", .plan = &plan, .reason = ""};
	const struct endpoint only = at("10.0.0.1:80");
	struct version *target;
	uint64_t stay;
	bool queued;

	assert_int_equal(command_rollout_start(web, &order, &counts, now, &queued, &err), 0);
	assert_int_equal(version_of(web, "v1")->weight, 0);
	assert_refused(command_backend_remove(web, "v1", &only, &counts, &stay, &err), ERROR_PRECONDITION, "under way");
	assert_int_equal(roll_back_to(web, NULL, ROLLBACK_KEEP, &target), 0);
	assert_string_equal(target->label, "v1");
}

static void lay_gates(struct service *web, const char *list)
{
	json_t *object = json_pack("{s:o}", "gates", json_loads(list, 0, NULL));

	assert_int_equal(command_settings_read(web, object, "", &err), 0);
	json_decref(object);
}

/* Gates by name: a letter, whose margin may differ. */
#define GATE(name, margin) "{\"name\":\"" name "\",\"source\":\"kernel\",\"signal\":\"resets\",\"margin\":" margin "}"

static void test_retry_needs_its_baseline(void **state)
{
	struct service *web = web_of(state);
	struct weight_order orders[] = {{.label = "v3", .permille = 1000}, {.label = "v1"}};
	const struct rollout_order retry = {.verb = ROLLOUT_RETRY, .reason = "", .now = now};
	struct version *target;
	bool queued;

	start_rollout(web, "v2", NULL, ON_NEW_SUPERSEDE, &queued);
	assert_int_equal(roll_back_to(web, NULL, ROLLBACK_KEEP, &target), 0);
	assert_refused(command_rollout_order(web, &retry, &counts, &err), ERROR_PRECONDITION, "unquarantine web v2");
	version_of(web, "v2")->quarantine[0] = '\0';
	lay_gates(web, "[]");
	assert_refused(command_rollout_order(web, &retry, &counts, &err), ERROR_PRECONDITION, "has no gate");
	lay_gates(web, "[" GATE("a", "1") "]");
	assert_int_equal(command_set_weights(web, orders, 2, &counts, &err), 0);
	assert_refused(command_rollout_order(web, &retry, &counts, &err), ERROR_PRECONDITION, "v1, which v2 was compared with");
	orders[0].permille = 0;
	orders[1].permille = 1000;
	assert_int_equal(command_set_weights(web, orders, 2, &counts, &err), 0);
	assert_int_equal(command_rollout_order(web, &retry, &counts, &err), 0);
	assert_int_equal(version_of(web, "v2")->weight, 200);
	assert_int_equal(version_of(web, "v2")->state, RAINBOW_VERSION_ACTIVE);
}

static void test_memory_goes_with_its_gate(void **state)
{
	struct service *web = web_of(state);
	struct gate_memory *memory = web->rollout.memory;
	const uint32_t *ids = web->rollout.gate_ids;
	uint32_t laid;
	json_t *other = json_pack("{s:i}", "max_versions", 7);

	lay_gates(web, "[" GATE("a", "1") "," GATE("b", "1") "," GATE("c", "1") "]");
	rollout_number_gates(&web->rollout);
	laid = web->rollout.gates_laid;
	for (uint32_t i = 0; i < 3; i++)
		memory[i].looks = i + 1;
	assert_int_equal(command_settings_read(web, other, "", &err), 0); /* says nothing of gates */
	lay_gates(web, "[" GATE("a", "1") "," GATE("b", "1") "," GATE("c", "1") "]");
	assert_int_equal(memory[2].looks, 3);
	assert_int_equal(web->rollout.gates_laid, laid);
	lay_gates(web, "[" GATE("c", "1") "," GATE("d", "1") "," GATE("b", "2") "," GATE("a", "1") "]");
	assert_int_equal(memory[0].looks, 3);
	assert_int_equal(memory[1].looks, 0);
	assert_int_equal(memory[2].looks, 0); /* another margin: another gate */
	assert_int_equal(memory[3].looks, 1);
	assert_int_equal(ids[0], 3);
	assert_int_equal(ids[3], 1);
	assert_true(ids[1] > laid && ids[2] > laid && ids[1] != ids[2]);
	assert_true(web->rollout.gates_laid > ids[2]);
	laid = web->rollout.gates_laid;
	lay_gates(web, "[" GATE("c", "1") "]");
	assert_int_equal(memory[3].looks, 0);
	lay_gates(web, "[" GATE("b", "2") "," GATE("c", "1") "]");
	assert_int_equal(ids[1], 3);
	assert_true(ids[0] > laid); /* it was gone: it is new */
	json_decref(other);
}

/* --- the model itself ---------------------------------------------------------------------------------------------------------------- */

static void test_model_is_sorted(void **state)
{
	struct model *model = *state;
	struct service *chat = make_service("chat", "10.9.0.3:80"), *zoo = make_service("zoo", "10.9.0.4:80"), *out;

	model_replace(model, NULL, zoo);
	model_replace(model, NULL, chat);
	assert_string_equal(model->services[0]->name, "chat");
	assert_string_equal(model->services[2]->name, "zoo");
	model_replace(model, zoo, NULL);
	assert_int_equal(model->count, 2);
	assert_refused(model_get_service(model, "zoo", &out, &err), ERROR_NOT_FOUND, "there is: chat, web");
}

/* A list of names that is cut says so. */
static void test_long_lists_are_cut_with_a_sign(void **state)
{
	struct model *model = *state;
	struct service *out;
	char name[16];

	for (int i = 10; i < 72; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		model_replace(model, NULL, make_service(name, "10.9.0.3:80"));
	}
	assert_refused(model_get_service(model, "zoo", &out, &err), ERROR_NOT_FOUND, "there is: s10, s11, ");
	assert_non_null(strstr(err.message, " and "));
	assert_string_equal(err.message + strlen(err.message) - strlen(" more"), " more");
}

static void test_clone_is_deep(void **state)
{
	struct service *web = web_of(state), *copy = service_clone(web);

	version_of(copy, "v1")->backends[0].max_sessions = 9;
	service_remove_version(copy, version_of(copy, "v2"));
	assert_int_equal(version_of(web, "v1")->backends[0].max_sessions, 0);
	assert_int_equal(web->version_count, 3);
	service_free(copy);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_service_defaults),
	    TEST(test_service_add_refused),
	    TEST(test_service_set),
	    TEST(test_same_port_other_protocol),
	    TEST(test_service_remove),
	    TEST(test_first_version_takes_all),
	    TEST(test_version_add_refused),
	    TEST(test_versions_are_limited),
	    TEST(test_version_remove),
	    TEST(test_backends),
	    TEST(test_weights),
	    TEST(test_weights_remember_what_was),
	    TEST(test_draining_takes_no_share),
	    TEST(test_drain_hands_its_share_over),
	    TEST(test_last_share_does_not_drain),
	    TEST(test_drain_again),
	    TEST(test_rollback_default),
	    TEST(test_rollback_sessions),
	    TEST(test_the_last_eviction_counts),
	    TEST(test_steers),
	    TEST(test_a_target_that_waits),
	    TEST(test_the_ways_of_a_rollout),
	    TEST(test_a_rollout_is_rolled_back_with_its_sessions),
	    TEST(test_no_baseline_on_its_way_in),
	    TEST(test_what_was_complete_is_judged_by_the_rollback),
	    TEST(test_quarantine_ends_the_rollout),
	    TEST(test_a_target_that_drains_is_taken_again),
	    TEST(test_the_way_back_keeps_its_backend),
	    TEST(test_retry_needs_its_baseline),
	    TEST(test_memory_goes_with_its_gate),
	    TEST(test_model_is_sorted),
	    TEST(test_long_lists_are_cut_with_a_sign),
	    TEST(test_clone_is_deep),
	};

	return cmocka_run_group_tests_name("commands", tests, NULL, NULL);
}
