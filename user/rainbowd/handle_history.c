// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The history: its rows, and listening to it. */
#include <event2/http.h>
#include "common/text.h"
#include "events.h"
#include "handlers.h"
#include "store.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MOST    1000

/* Of a service that was removed there is history, too. */
static int check_known(const struct daemon *daemon, const char *name, struct error *err)
{
	struct history_query query = {.service = name, .limit = 1};
	struct service *service;
	json_t *rows = NULL;
	int rc = 0;

	if (model_find_service(&daemon->model, name))
		return 0;
	rc = store_history(daemon->store, &query, &rows, err);
	if (!rc && !json_array_size(rows))
		rc = model_get_service(&daemon->model, name, &service, err);
	json_decref(rows);
	return rc;
}

static int read_service(const struct request *request, const char **service, struct error *err)
{
	int rc;

	*service = request_query(request, "service");
	if (!*service)
		return 0;
	rc = name_check(*service, "service", "service", err);
	return rc ? rc : check_known(request->daemon, *service, err);
}

int handle_history(struct request *request, json_t **reply, struct error *err)
{
	struct history_query query = {0};
	int64_t oldest, newest; /* of all services: from there one may go on with /v1/events */
	uint64_t before;
	json_t *rows;
	int rc = read_service(request, &query.service, err);

	rc = rc ? rc : request_query_number(request, "limit", 1, LIMIT_MOST, LIMIT_DEFAULT, &query.limit, err);
	rc = rc ? rc : request_query_number(request, "before", 1, INT64_MAX, 0, &before, err);
	if (rc)
		return rc;
	query.before = (int64_t)before;
	rc = store_history_bounds(request->daemon->store, &oldest, &newest, err);
	rc = rc ? rc : store_history(request->daemon->store, &query, &rows, err);
	if (!rc)
		*reply = json_pack("{s:o, s:I}", "history", rows, "newest", (json_int_t)newest);
	return rc;
}

/* Where the listener is: as it says itself, or as a browser's EventSource says it when it comes back. */
static int read_after(const struct request *request, int64_t *after, struct error *err)
{
	const char *text = evhttp_find_header(evhttp_request_get_input_headers(request->http), "Last-Event-ID");
	uint64_t id;
	int rc = 0;

	*after = -1;
	if (!text)
		text = request_query(request, "after");
	if (text)
		rc = number_parse(text, 0, INT64_MAX, &id, "after", err);
	if (text && !rc)
		*after = (int64_t)id;
	return rc;
}

int handle_events(struct request *request, json_t **reply, struct error *err)
{
	const char *service;
	int64_t after;
	int rc = read_service(request, &service, err);

	(void)reply;
	rc = rc ? rc : read_after(request, &after, err);
	rc = rc ? rc : events_listen(request->daemon->events, request->http, service, after, err);
	if (!rc)
		request->http = NULL;
	return rc;
}
