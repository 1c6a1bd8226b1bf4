// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Requests about the history and what it is for: locks, quarantine, the tuple, waiting. */
#include <string.h>
#include "common/duration.h"
#include "common/error.h"
#include "common/text.h"
#include "rainbowctl/build.h"
#include "rainbowctl/request.h"
#include "rainbowctl/wait.h"
#include "rainbowctl/words.h"

#define LIMIT_MAX   1000 /* as rainbowd has it */
#define EVENTS_SEEN "20" /* rows that `events` begins with */

static int build_below_service(const struct words *words, struct request *request, const char *method, const char *last,
			       struct error *err)
{
	int rc = build_service_path(words, request, method, err);

	if (!rc)
		request_segment(request, last);
	return rc;
}

int build_lock(const struct words *words, struct request *request, struct error *err)
{
	return build_below_service(words, request, "POST", "lock", err);
}

int build_unlock(const struct words *words, struct request *request, struct error *err)
{
	return build_below_service(words, request, "DELETE", "lock", err);
}

static int build_below_version(const struct words *words, struct request *request, const char *method, const char *last,
			       struct error *err)
{
	int rc = build_version_path(words, request, method, err);

	if (!rc)
		request_segment(request, last);
	return rc;
}

int build_version_quarantine(const struct words *words, struct request *request, struct error *err)
{
	return build_below_version(words, request, "POST", "quarantine", err);
}

int build_version_unquarantine(const struct words *words, struct request *request, struct error *err)
{
	return build_below_version(words, request, "DELETE", "quarantine", err);
}

int build_version_env(const struct words *words, struct request *request, struct error *err)
{
	return build_below_version(words, request, "GET", "env", err);
}

int build_version_diff(const struct words *words, struct request *request, struct error *err)
{
	int rc = build_below_version(words, request, "GET", "diff", err);

	rc = rc ? rc : name_check(words->arguments[2], "version", "B", err);
	if (!rc)
		request_segment(request, words->arguments[2]);
	return rc;
}

static int begin_history(const struct words *words, struct request *request, const char *limit, struct error *err)
{
	const char *service = words->argument_count ? words->arguments[0] : NULL;
	int rc = service ? name_check(service, "service", "SERVICE", err) : 0;

	if (rc)
		return rc;
	request_begin(request, "GET", "/v1/history");
	request_query(request, "service", service);
	request_query(request, "limit", limit);
	return 0;
}

int build_history(const struct words *words, struct request *request, struct error *err)
{
	const char *limit = words->option[OPTION_LIMIT];
	uint64_t number;
	int rc = limit ? number_parse(limit, 1, LIMIT_MAX, &number, "--limit", err) : 0;

	return rc ? rc : begin_history(words, request, limit, err);
}

int build_events(const struct words *words, struct request *request, struct error *err)
{
	return begin_history(words, request, EVENTS_SEEN, err);
}

/* "rollout=complete", "drained=LABEL": what is asked is the status; what it must say is wait.c's. */
int build_wait(const struct words *words, struct request *request, struct error *err)
{
	const char *text = words->option[OPTION_TIMEOUT];
	struct duration timeout;
	struct wait_order order;
	int rc = wait_order_parse(words->option[OPTION_FOR], &order, err);

	if (!rc && text)
		rc = duration_parse(text, &timeout, "--timeout", err);
	rc = rc ? rc : name_check(words->arguments[0], "service", "SERVICE", err);
	if (rc)
		return rc;
	request_begin(request, "GET", "/v1/status");
	request_query(request, "service", words->arguments[0]);
	return 0;
}
