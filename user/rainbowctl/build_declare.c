// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Requests about the declarative document; its body is read from a file by declare.c, since builders do no I/O. */
#include <string.h>
#include "common/addr.h"
#include "common/error.h"
#include "common/text.h"
#include "rainbowctl/build.h"
#include "rainbowctl/request.h"
#include "rainbowctl/words.h"

int build_file(const struct words *words, struct request *request, struct error *err)
{
	(void)words, (void)request, (void)err;
	return 0;
}

int build_apply(const struct words *words, struct request *request, struct error *err)
{
	(void)words, (void)err;
	request_begin(request, "POST", "/v1/apply");
	return 0;
}

int build_plan(const struct words *words, struct request *request, struct error *err)
{
	int rc = build_apply(words, request, err);

	request_query(request, "dry_run", "true");
	return rc;
}

int build_export(const struct words *words, struct request *request, struct error *err)
{
	const char *service = words->argument_count ? words->arguments[0] : NULL;
	int rc = service ? name_check(service, "service", "SERVICE", err) : 0;

	if (rc)
		return rc;
	request_begin(request, "GET", "/v1/export");
	request_query(request, "service", service);
	return 0;
}

int build_import(const struct words *words, struct request *request, struct error *err)
{
	const char *address = words->option[OPTION_ADDRESS], *pods = words->option[OPTION_PODS];
	struct endpoint endpoint;

	(void)request;
	if (pods && !strcmp(pods, "-") && !strcmp(words->option[OPTION_FILE], "-"))
		return error_set(err, ERROR_BAD_INPUT, "--pods", "stdin is read for --file already: put both lists into one");
	return address ? endpoint_parse(address, &endpoint, "--address", err) : 0;
}
