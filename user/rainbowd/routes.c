// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See routes.h. */
#include <stdlib.h>
#include <string.h>
#include <event2/http.h>
#include "handlers.h"
#include "routes.h"

static const struct route routes[] = {
    {"GET", "/v1/status", handle_status, {"service"}},
    {"GET", "/v1/services", handle_service_list},
    {"POST", "/v1/services", handle_service_add, .is_change = true, .verb = "service add"},
    {"PATCH", "/v1/services/:service", handle_service_set, .is_change = true, .verb = "service set"},
    {"DELETE", "/v1/services/:service", handle_service_remove, .is_change = true, .verb = "service rm"},
    {"GET", "/v1/versions", handle_version_list, {"service"}},
    {"POST", "/v1/services/:service/versions", handle_version_add, .is_change = true, .verb = "version add"},
    {"DELETE", "/v1/services/:service/versions/:version", handle_version_remove, .is_change = true, .verb = "version rm"},
    {"POST", "/v1/services/:service/versions/:version/backends", handle_backend_add, .is_change = true, .verb = "backend add"},
    {"DELETE", "/v1/services/:service/versions/:version/backends/:backend", handle_backend_remove, .is_change = true,
     .verb = "backend rm"},
    {"PUT", "/v1/services/:service/weights", handle_set_weights, .is_change = true, .verb = "set-weight"},
    {"POST", "/v1/services/:service/versions/:version/drain", handle_drain, .is_change = true, .verb = "drain"},
    {"POST", "/v1/services/:service/versions/:version/undrain", handle_undrain, .is_change = true, .verb = "undrain"},
    {"POST", "/v1/services/:service/rollback", handle_rollback, .is_change = true, .verb = "rollback"},
    {"POST", "/v1/services/:service/versions/:version/evict", handle_evict, .is_change = true, .verb = "evict"},
    {"POST", "/v1/services/:service/rollout", handle_rollout_start, .is_change = true, .verb = "rollout start"},
    {"GET", "/v1/services/:service/rollout", handle_rollout_show},
    {"POST", "/v1/services/:service/rollout/:verb", handle_rollout_order, .is_change = true, .verb = "rollout"},
    {"GET", "/v1/services/:service/rollout/gates/:gate", handle_gate_explain},
    {"GET", "/v1/steers", handle_steer_list, {"service"}},
    {"POST", "/v1/services/:service/steers", handle_steer_add, .is_change = true, .verb = "steer add"},
    {"DELETE", "/v1/services/:service/steers/:range", handle_steer_remove, .is_change = true, .verb = "steer rm"},
    {"GET", "/v1/services/:service/sessions", handle_sessions, {"version", "older_than", "limit"}},
    {"POST", "/v1/services/:service/samples", handle_samples, .is_change = true, .verb = "gate push"},
    {"GET", "/v1/whois", handle_whois, {"client", "service"}},
    {"GET", "/v1/services/:service/explain", handle_explain, {"client"}},
    {"GET", "/v1/doctor", handle_doctor},
    {"GET", "/v1/history", handle_history, {"service", "limit", "before"}},
    {"GET", "/v1/events", handle_events, {"service", "after"}},
    {"POST", "/v1/services/:service/lock", handle_lock, .is_change = true, .verb = "lock"},
    {"DELETE", "/v1/services/:service/lock", handle_unlock, .is_change = true, .verb = "unlock"},
    {"GET", "/v1/services/:service/versions/:version/diff/:other", handle_version_diff},
    {"GET", "/v1/services/:service/versions/:version/env", handle_version_env},
    {"POST", "/v1/services/:service/versions/:version/quarantine", handle_quarantine, .is_change = true,
     .verb = "version quarantine"},
    {"DELETE", "/v1/services/:service/versions/:version/quarantine", handle_unquarantine, .is_change = true,
     .verb = "version unquarantine"},
    {"POST", "/v1/detach", handle_detach, .is_change = true, .verb = "detach"},
    {"POST", "/v1/apply", handle_apply, .is_change = true, .verb = "apply"},
    {"GET", "/v1/export", handle_export, {"service"}},
};

/* The length of the part that begins here. */
static size_t part_length(const char *at)
{
	return strcspn(at, "/");
}

/* Does the path match? Its variables then begin at start[] and are length[] long. */
static bool pattern_matches(const char *pattern, const char *path, const char **start, size_t *length)
{
	size_t count = 0;

	while (*pattern == '/' && *path == '/') {
		size_t wanted = part_length(++pattern), given = part_length(++path);

		if (*pattern == ':') {
			if (!given)
				return false;
			start[count] = path;
			length[count++] = given;
		} else if (wanted != given || strncmp(pattern, path, given) != 0) {
			return false;
		}
		pattern += wanted;
		path += given;
	}
	return !*pattern && !*path;
}

/* Percent-decoded; NULL if it holds a NUL. */
static char *decode(const char *start, size_t length)
{
	char *raw = strndup(start, length);
	size_t decoded_length;
	char *decoded = raw ? evhttp_uridecode(raw, 0, &decoded_length) : NULL;

	free(raw);
	if (decoded && strlen(decoded) != decoded_length) {
		free(decoded);
		return NULL;
	}
	return decoded;
}

static int decode_variables(char *variable[REQUEST_VARIABLES], const char **start, const size_t *length, struct error *err)
{
	size_t i;

	for (i = 0; i < REQUEST_VARIABLES && start[i]; i++) {
		variable[i] = decode(start[i], length[i]);
		if (!variable[i])
			return error_set(err, ERROR_BAD_INPUT, "path", "the path can not be decoded");
	}
	return 0;
}

int route_find(const char *method, const char *path, const struct route **out, char *variable[REQUEST_VARIABLES],
	       struct error *err)
{
	const struct route *other_method = NULL;
	size_t i;

	for (i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		const char *start[REQUEST_VARIABLES + 1] = {NULL};
		size_t length[REQUEST_VARIABLES + 1] = {0};

		if (!pattern_matches(routes[i].pattern, path, start, length))
			continue;
		if (strcmp(routes[i].method, method) == 0) {
			*out = &routes[i];
			return decode_variables(variable, start, length, err);
		}
		other_method = &routes[i];
	}
	if (other_method)
		return error_set(err, ERROR_BAD_INPUT, "method", "%s takes %s, not %s", other_method->pattern,
				 other_method->method, method);
	return error_set(err, ERROR_NOT_FOUND, "path", "there is no %.100s; all paths begin with /v1, for example /v1/status",
			 path);
}
