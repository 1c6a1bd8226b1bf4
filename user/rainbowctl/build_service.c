// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Requests about services, versions and backends. */
#include <stdio.h>
#include <string.h>
#include "common/addr.h"
#include "common/duration.h"
#include "common/error.h"
#include "common/text.h"
#include "rainbowctl/build.h"
#include "rainbowctl/request.h"
#include "rainbowctl/words.h"

#define IDLE_TIMEOUT_MAX_MS (14LL * 24 * 3600 * 1000) /* the kernel keeps "last seen" in 32 bits of ticks */

int build_service_path(const struct words *words, struct request *request, const char *method, struct error *err)
{
	int rc = name_check(words->arguments[0], "service", "SERVICE", err);

	if (rc)
		return rc;
	request_begin(request, method, "/v1/services");
	request_segment(request, words->arguments[0]);
	return 0;
}

int build_version_path(const struct words *words, struct request *request, const char *method, struct error *err)
{
	int rc = build_service_path(words, request, method, err);

	if (rc)
		return rc;
	rc = name_check(words->arguments[1], "version", "LABEL", err);
	if (rc)
		return rc;
	request_segment(request, "versions");
	request_segment(request, words->arguments[1]);
	return 0;
}

int build_duration_member(const struct words *words, int option, struct request *request, const char *key, struct error *err)
{
	const char *text = words->option[option];
	struct duration duration;
	char field[32];
	int rc;

	if (!text)
		return 0;
	snprintf(field, sizeof(field), "--%s", options[option].name);
	rc = duration_parse(text, &duration, field, err);
	if (!rc)
		request_string(request, key, text);
	return rc;
}

/* An address that packets can be sent to over a network. */
static int usable_endpoint(const char *text, struct endpoint *endpoint, const char *field, struct error *err)
{
	int rc = endpoint_parse(text, endpoint, field, err);
	const char *unusable;

	if (rc)
		return rc;
	unusable = addr_unusable(&endpoint->addr);
	if (unusable)
		return error_set(err, ERROR_BAD_INPUT, field,
				 "'%s' is %s, which packets from a network do not reach: give one of "
				 "an interface",
				 text, unusable);
	return 0;
}

/* "ADDR:PORT[/tcp|udp]" */
static int add_listener(const char *text, struct request *request, struct error *err)
{
	const char *field = "ADDR:PORT", *slash = strchrnul(text, '/');
	const char *protocol = *slash ? slash + 1 : "tcp";
	char address[ADDR_TEXT_SIZE];
	struct endpoint endpoint;
	int rc;

	if (strcmp(protocol, "tcp") && strcmp(protocol, "udp"))
		return error_set(err, ERROR_BAD_INPUT, field, "'%s': the protocol '%s' is none of tcp, udp", text, protocol);
	if ((size_t)(slash - text) >= sizeof(address))
		return error_set(err, ERROR_BAD_INPUT, field, "'%s' is not an ADDR:PORT: it is too long", text);
	snprintf(address, sizeof(address), "%.*s", (int)(slash - text), text);
	rc = usable_endpoint(address, &endpoint, field, err);
	if (rc)
		return rc;
	request_string(request, "address", endpoint_format(&endpoint.addr, endpoint.port, address));
	request_string(request, "protocol", protocol);
	return 0;
}

static int add_client_prefix(const struct words *words, struct request *request, struct error *err)
{
	const char *text = words->option[OPTION_CLIENT_PREFIX];
	const char *affinity = words->option[OPTION_AFFINITY];
	uint64_t bits;
	int rc;

	if (!text)
		return 0;
	if (!affinity || strcmp(affinity, "client"))
		return error_set(err, ERROR_BAD_INPUT, "--client-prefix",
				 "'%s': only --affinity client looks at the client's address", text);
	rc = number_parse(text, 1, 128, &bits, "--client-prefix", err);
	if (!rc)
		request_member(request, "client_prefix", json_integer((json_int_t)bits));
	return rc;
}

/* "0" is none. */
static int add_probe_idle(const struct words *words, struct request *request, struct error *err)
{
	const char *text = words->option[OPTION_PROBE_IDLE];
	struct duration duration;

	if (!text)
		return 0;
	if (strcmp(text, "0") && !duration_parse(text, &duration, "", NULL) && duration.ms > IDLE_TIMEOUT_MAX_MS)
		return error_set(err, ERROR_BAD_INPUT, "--probe-idle", "'%s' is too long: at most 14d", text);
	if (strcmp(text, "0"))
		return build_duration_member(words, OPTION_PROBE_IDLE, request, "probe_idle", err);
	request_string(request, "probe_idle", text);
	return 0;
}

static int add_idle_timeout(const struct words *words, struct request *request, struct error *err)
{
	const char *text = words->option[OPTION_IDLE_TIMEOUT];
	struct duration duration;
	int rc = build_duration_member(words, OPTION_IDLE_TIMEOUT, request, "idle_timeout", err);

	if (rc || !text)
		return rc;
	if (!duration_parse(text, &duration, "", NULL) && duration.ms > IDLE_TIMEOUT_MAX_MS)
		return error_set(err, ERROR_BAD_INPUT, "--idle-timeout", "'%s' is too long: at most 14d", text);
	return 0;
}

static void add_http(const struct words *words, struct request *request)
{
	const char *http = words->option[OPTION_HTTP];

	if (http)
		request_member(request, "http", json_boolean(!strcmp(http, "on")));
}

int build_service_add(const struct words *words, struct request *request, struct error *err)
{
	int rc = name_check(words->arguments[0], "service", "NAME", err);

	if (rc)
		return rc;
	request_begin(request, "POST", "/v1/services");
	request_string(request, "name", words->arguments[0]);
	rc = add_listener(words->arguments[1], request, err);
	if (rc)
		return rc;
	request_string(request, "affinity", words->option[OPTION_AFFINITY]);
	request_string(request, "selection", words->option[OPTION_SELECTION]);
	request_string(request, "stray", words->option[OPTION_STRAY]);
	add_http(words, request);
	rc = add_client_prefix(words, request, err);
	rc = rc ? rc : add_idle_timeout(words, request, err);
	return rc ? rc : add_probe_idle(words, request, err);
}

int build_service_set(const struct words *words, struct request *request, struct error *err)
{
	int rc = build_service_path(words, request, "PATCH", err);

	if (!rc && !words->option[OPTION_IDLE_TIMEOUT] && !words->option[OPTION_PROBE_IDLE] && !words->option[OPTION_HTTP])
		return error_set(err, ERROR_BAD_INPUT, "", "nothing to set: give --idle-timeout, --probe-idle or --http");
	if (!rc)
		add_http(words, request);
	rc = rc ? rc : add_idle_timeout(words, request, err);
	return rc ? rc : add_probe_idle(words, request, err);
}

int build_service_rm(const struct words *words, struct request *request, struct error *err)
{
	int rc = name_check(words->arguments[0], "service", "NAME", err);

	return rc ? rc : build_service_path(words, request, "DELETE", err);
}

int build_service_list(const struct words *words, struct request *request, struct error *err)
{
	(void)words, (void)err;
	request_begin(request, "GET", "/v1/services");
	return 0;
}

/* "ADDR:PORT[,max=N]" as {"address", "max_sessions"} into *out; *endpoint for comparisons. */
static int backend_parse(const char *text, const char *field, json_t **out, struct endpoint *endpoint, struct error *err)
{
	const char *comma = strchrnul(text, ',');
	char address[ADDR_TEXT_SIZE];
	uint64_t max = 0;
	int rc;

	if ((size_t)(comma - text) >= sizeof(address))
		return error_set(err, ERROR_BAD_INPUT, field, "'%s' is not an ADDR:PORT: it is too long", text);
	snprintf(address, sizeof(address), "%.*s", (int)(comma - text), text);
	rc = usable_endpoint(address, endpoint, field, err);
	if (rc)
		return rc;
	if (*comma && strncmp(comma, ",max=", 5))
		return error_set(err, ERROR_BAD_INPUT, field, "'%s': only ,max=N may follow the address", text);
	if (*comma) {
		rc = number_parse(comma + 5, 1, UINT32_MAX, &max, field, err);
		if (rc)
			return rc;
	}
	*out = json_object();
	json_object_set_new(*out, "address", json_string(endpoint_format(&endpoint->addr, endpoint->port, address)));
	json_object_set_new(*out, "max_sessions", max ? json_integer((json_int_t)max) : json_null());
	return 0;
}

/* Does not fit to the backends before it: the same again, or the other IP version. */
static int check_among(const struct endpoint *seen, size_t count, const struct endpoint *next, struct error *err)
{
	char text[ADDR_TEXT_SIZE];

	endpoint_format(&next->addr, next->port, text);
	for (size_t i = 0; i < count; i++)
		if (addr_equal(&seen[i].addr, &next->addr) && seen[i].port == next->port)
			return error_set(err, ERROR_BAD_INPUT, "--backend", "'%s' is given twice: give each backend once",
					 text);
	if (count && addr_is_v4(&seen[0].addr) != addr_is_v4(&next->addr))
		return error_set(err, ERROR_BAD_INPUT, "--backend", "'%s': IPv4 and IPv6 do not mix in a service", text);
	return 0;
}

static int add_backends(const struct words *words, json_t *list, struct error *err)
{
	struct endpoint seen[RAINBOW_MAX_BACKENDS_PER_VERSION];

	for (size_t i = 0; i < words->backend_count; i++) {
		json_t *backend = NULL;
		int rc = backend_parse(words->backends[i], "--backend", &backend, &seen[i], err);

		if (rc)
			return rc;
		json_array_append_new(list, backend);
		rc = check_among(seen, i, &seen[i], err);
		if (rc)
			return rc;
	}
	return 0;
}

static int add_tuple(const struct words *words, struct request *request, struct error *err)
{
	static const enum option_id parts[] = {OPTION_CODE, OPTION_MODEL, OPTION_PROMPTS, OPTION_TOOLS};
	json_t *tuple = json_object();

	request_member(request, "tuple", tuple);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const char *text = words->option[parts[i]];
		char field[32];
		int rc;

		if (!text)
			continue;
		snprintf(field, sizeof(field), "--%s", options[parts[i]].name);
		rc = tuple_text_check(text, field, err);
		if (rc)
			return rc;
		json_object_set_new(tuple, options[parts[i]].name, json_string(text));
	}
	return 0;
}

int build_version_add(const struct words *words, struct request *request, struct error *err)
{
	json_t *list;
	int rc = build_service_path(words, request, "POST", err);

	if (rc)
		return rc;
	request_segment(request, "versions");
	rc = name_check(words->arguments[1], "version", "LABEL", err);
	if (rc)
		return rc;
	request_string(request, "label", words->arguments[1]);
	list = json_array();
	request_member(request, "backends", list);
	rc = add_backends(words, list, err);
	if (rc)
		return rc;
	return add_tuple(words, request, err);
}

int build_version_rm(const struct words *words, struct request *request, struct error *err)
{
	return build_version_path(words, request, "DELETE", err);
}

int build_version_list(const struct words *words, struct request *request, struct error *err)
{
	int rc = words->argument_count ? name_check(words->arguments[0], "service", "SERVICE", err) : 0;

	if (rc)
		return rc;
	request_begin(request, "GET", "/v1/versions");
	request_query(request, "service", words->argument_count ? words->arguments[0] : NULL);
	return 0;
}

int build_backend_add(const struct words *words, struct request *request, struct error *err)
{
	struct endpoint endpoint;
	json_t *backend = NULL;
	int rc = build_version_path(words, request, "POST", err);

	if (rc)
		return rc;
	request_segment(request, "backends");
	rc = backend_parse(words->arguments[2], "ADDR:PORT", &backend, &endpoint, err);
	request->body = backend;
	return rc;
}

int build_backend_rm(const struct words *words, struct request *request, struct error *err)
{
	struct endpoint endpoint;
	char text[ADDR_TEXT_SIZE];
	int rc = build_version_path(words, request, "DELETE", err);

	if (rc)
		return rc;
	rc = endpoint_parse(words->arguments[2], &endpoint, "ADDR:PORT", err);
	if (rc)
		return rc;
	request_segment(request, "backends");
	request_segment(request, endpoint_format(&endpoint.addr, endpoint.port, text));
	return 0;
}
