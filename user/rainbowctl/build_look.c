// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Requests that look, and detach. */
#include "common/addr.h"
#include "common/duration.h"
#include "common/error.h"
#include "common/text.h"
#include "rainbowctl/build.h"
#include "rainbowctl/request.h"
#include "rainbowctl/words.h"

#define LIMIT_MAX 100000 /* as rainbowd has it */

int build_status(const struct words *words, struct request *request, struct error *err)
{
	const char *service = words->argument_count ? words->arguments[0] : NULL;
	int rc = service ? name_check(service, "service", "SERVICE", err) : 0;

	if (rc)
		return rc;
	request_begin(request, "GET", "/v1/status");
	request_query(request, "service", service);
	return 0;
}

int build_sessions(const struct words *words, struct request *request, struct error *err)
{
	const char *version = words->option[OPTION_VERSION], *older = words->option[OPTION_OLDER_THAN];
	const char *limit = words->option[OPTION_LIMIT];
	struct duration duration;
	uint64_t number;
	int rc = build_service_path(words, request, "GET", err);

	if (!rc && version)
		rc = name_check(version, "version", "--version", err);
	if (!rc && older)
		rc = duration_parse(older, &duration, "--older-than", err);
	if (!rc && limit)
		rc = number_parse(limit, 1, LIMIT_MAX, &number, "--limit", err);
	if (rc)
		return rc;
	request_segment(request, "sessions");
	request_query(request, "version", version);
	request_query(request, "older_than", older);
	request_query(request, "limit", limit);
	return 0;
}

/* A client's ADDR:PORT as ?client=, written as rainbowd writes it. */
static int add_client(const char *text, struct request *request, struct error *err)
{
	struct endpoint endpoint;
	char client[ADDR_TEXT_SIZE];
	int rc = endpoint_parse(text, &endpoint, "ADDR:PORT", err);

	if (!rc)
		request_query(request, "client", endpoint_format(&endpoint.addr, endpoint.port, client));
	return rc;
}

int build_whois(const struct words *words, struct request *request, struct error *err)
{
	const char *service = words->argument_count > 1 ? words->arguments[1] : NULL;
	int rc;

	request_begin(request, "GET", "/v1/whois");
	rc = add_client(words->arguments[0], request, err);
	if (!rc && service)
		rc = name_check(service, "service", "SERVICE", err);
	if (rc)
		return rc;
	request_query(request, "service", service);
	return 0;
}

int build_explain(const struct words *words, struct request *request, struct error *err)
{
	int rc = build_service_path(words, request, "GET", err);

	if (rc)
		return rc;
	request_segment(request, "explain");
	return add_client(words->arguments[1], request, err);
}

int build_doctor(const struct words *words, struct request *request, struct error *err)
{
	(void)words, (void)err;
	request_begin(request, "GET", "/v1/doctor");
	return 0;
}

int build_detach(const struct words *words, struct request *request, struct error *err)
{
	(void)words, (void)err;
	request_begin(request, "POST", "/v1/detach");
	request_object(request);
	return 0;
}
