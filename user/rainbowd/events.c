// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * See events.h. A listener whose client does not read is sent nothing more until what waits for it is below BUFFER_LOW; one that takes
 * nothing at all for STALL_SECONDS is cut off by libevent. Rows that were trimmed before it came to them are told as a gap.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include "common/log.h"
#include "common/text.h"
#include "events.h"
#include "request.h"
#include "store.h"

#define HEARTBEAT_SECONDS 15
#define STALL_SECONDS     60
#define BUFFER_LOW        (64 << 10)
#define BATCH             50 /* rows at a time: other requests are answered in between */

struct listener {
	TAILQ_ENTRY(listener) next;
	struct events *events;
	struct evhttp_request *http;
	char service[RAINBOW_NAME_SIZE]; /* "": of all */
	int64_t last;                    /* id of the last row that was sent, or passed over */
};

struct events {
	struct daemon *daemon;
	TAILQ_HEAD(, listener) listeners;
	size_t count;
	struct event *look, *heartbeat;
};

static struct evbuffer *output_of(const struct listener *listener)
{
	return bufferevent_get_output(evhttp_connection_get_bufferevent(evhttp_request_get_connection(listener->http)));
}

static void listener_free(struct listener *listener)
{
	TAILQ_REMOVE(&listener->events->listeners, listener, next);
	listener->events->count--;
	free(listener);
}

static void on_gone(struct evhttp_connection *connection, void *arg)
{
	struct listener *listener = arg;

	(void)connection;
	request_forget(listener->http);
	listener_free(listener);
}

static void look_again(struct events *events)
{
	if (events)
		event_active(events->look, EV_TIMEOUT, 0);
}

/* What was sent has left: there may be more to send. */
static void on_sent(struct evhttp_connection *connection, void *arg)
{
	(void)connection;
	look_again(arg);
}

/* Sends what is in the buffer, and empties it. */
static void send_chunk(struct listener *listener, struct evbuffer *buffer)
{
	if (evbuffer_get_length(buffer))
		evhttp_send_reply_chunk_with_cb(listener->http, buffer, on_sent, listener->events);
}

static void send_text(struct listener *listener, const char *text)
{
	struct evbuffer *buffer = evbuffer_new();

	evbuffer_add(buffer, text, strlen(text));
	send_chunk(listener, buffer);
	evbuffer_free(buffer);
}

static void add_row(struct evbuffer *buffer, const json_t *row)
{
	char *text = json_dumps(row, JSON_COMPACT | JSON_REAL_PRECISION(9));

	evbuffer_add_printf(buffer, "id: %lld\ndata: %s\n\n", (long long)json_integer_value(json_object_get(row, "id")),
			    text ? text : "{}");
	free(text);
}

static void add_gap(struct evbuffer *buffer, int64_t from, int64_t to)
{
	evbuffer_add_printf(buffer, "event: gap\ndata: {\"from\":%lld,\"to\":%lld}\n\n", (long long)from, (long long)to);
}

/* Rows that are no more, or (a database that began anew) never were. */
static void skip_gap(struct listener *listener, int64_t oldest, int64_t newest, struct evbuffer *buffer)
{
	if (listener->last > newest) {
		add_gap(buffer, newest + 1, listener->last);
		listener->last = newest;
	} else if (listener->last && oldest && listener->last + 1 < oldest) {
		add_gap(buffer, listener->last + 1, oldest - 1);
		listener->last = oldest - 1;
	}
}

/* The next rows. *more: there may be further ones. */
static int next_rows(struct listener *listener, struct evbuffer *buffer, bool *more, struct error *err)
{
	struct store *store = listener->events->daemon->store;
	struct history_query query = {
	    .service = listener->service[0] ? listener->service : NULL, .limit = BATCH, .oldest_first = true};
	int64_t oldest, newest;
	json_t *rows = NULL, *row;
	size_t i;
	int rc = store_history_bounds(store, &oldest, &newest, err);

	if (rc)
		return rc;
	skip_gap(listener, oldest, newest, buffer);
	query.after = listener->last;
	rc = newest > listener->last ? store_history(store, &query, &rows, err) : 0;
	json_array_foreach(rows, i, row)
	{
		add_row(buffer, row);
		listener->last = (int64_t)json_integer_value(json_object_get(row, "id"));
	}
	*more = json_array_size(rows) == BATCH;
	if (!rc && !*more)
		listener->last = newest; /* what is of other services is passed over */
	json_decref(rows);
	return rc;
}

/* True: it takes more, and there is more. */
static bool feed(struct listener *listener)
{
	struct evbuffer *buffer = evbuffer_new();
	struct error err;
	bool more = false;

	if (evbuffer_get_length(output_of(listener)) < BUFFER_LOW) {
		if (next_rows(listener, buffer, &more, &err))
			log_error("events", "%s", err.message);
		send_chunk(listener, buffer);
	}
	evbuffer_free(buffer);
	return more;
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct events *events = arg;
	struct listener *listener, *next;
	bool more = false;

	(void)fd;
	(void)what;
	for (listener = TAILQ_FIRST(&events->listeners); listener; listener = next) {
		next = TAILQ_NEXT(listener, next);
		more = feed(listener) || more;
	}
	if (more)
		look_again(events);
}

/* Only where nothing waits: else the client has enough to read. */
static void on_heartbeat(evutil_socket_t fd, short what, void *arg)
{
	struct events *events = arg;
	struct listener *listener, *next;

	(void)fd;
	(void)what;
	for (listener = TAILQ_FIRST(&events->listeners); listener; listener = next) {
		next = TAILQ_NEXT(listener, next);
		if (!evbuffer_get_length(output_of(listener)))
			send_text(listener, ": here\n\n");
	}
}

void events_poke(struct events *events)
{
	if (events && events->count)
		look_again(events);
}

static void begin_reply(struct listener *listener)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(listener->http);
	struct evkeyvalq *headers = evhttp_request_get_output_headers(listener->http);
	struct timeval stall = {.tv_sec = STALL_SECONDS};

	evhttp_connection_set_closecb(connection, on_gone, listener);
	bufferevent_set_timeouts(evhttp_connection_get_bufferevent(connection), NULL, &stall);
	evhttp_add_header(headers, "Content-Type", "text/event-stream");
	evhttp_add_header(headers, "Cache-Control", "no-store");
	evhttp_send_reply_start(listener->http, HTTP_OK, NULL);
	send_text(listener, "retry: 1000\n\n");
}

int events_listen(struct events *events, struct evhttp_request *http, const char *service, int64_t after, struct error *err)
{
	struct listener *listener;
	int64_t oldest, newest;
	int rc = store_history_bounds(events->daemon->store, &oldest, &newest, err);

	if (rc)
		return rc;
	if (events->count >= EVENTS_LISTENERS_MAX)
		return error_set(err, ERROR_PRECONDITION, NULL, "%d listen to the events already, the most there can be",
				 EVENTS_LISTENERS_MAX);
	listener = calloc(1, sizeof(*listener));
	if (!listener)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	listener->events = events;
	listener->http = http;
	listener->last = after < 0 ? newest : after;
	text_copy(listener->service, sizeof(listener->service), service ? service : "");
	TAILQ_INSERT_TAIL(&events->listeners, listener, next);
	events->count++;
	begin_reply(listener);
	look_again(events);
	return 0;
}

int events_new(struct events **out, struct daemon *daemon, struct error *err)
{
	struct timeval every = {.tv_sec = HEARTBEAT_SECONDS};
	struct events *events = calloc(1, sizeof(*events));

	if (!events)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	events->daemon = daemon;
	TAILQ_INIT(&events->listeners);
	events->look = evtimer_new(daemon->base, on_look, events);
	events->heartbeat = event_new(daemon->base, -1, EV_PERSIST, on_heartbeat, events);
	event_add(events->heartbeat, &every);
	*out = events;
	return 0;
}

/* The loop has ended: what can be written goes out now. */
static void end_reply(struct listener *listener)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(listener->http);
	struct bufferevent *buffer = evhttp_connection_get_bufferevent(connection);

	evhttp_connection_set_closecb(connection, NULL, NULL);
	evhttp_send_reply_end(listener->http);
	evbuffer_unfreeze(bufferevent_get_output(buffer), 1);
	evbuffer_write(bufferevent_get_output(buffer), bufferevent_getfd(buffer));
	listener_free(listener);
}

void events_free(struct events *events)
{
	struct listener *listener, *following;

	if (!events)
		return;
	for (listener = TAILQ_FIRST(&events->listeners); listener; listener = following) {
		following = TAILQ_NEXT(listener, next);
		end_reply(listener);
	}
	event_free(events->look);
	event_free(events->heartbeat);
	free(events);
}
