// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See api.h. Everything a request holds is checked before its handler sees it: peer, path, query, size, JSON. */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include "api.h"
#include "common/log.h"
#include "common/text.h"
#include "history.h"
#include "peer.h"
#include "routes.h"

#define BODY_LIMIT   (1 << 20)
#define HEADER_LIMIT 8192
#define BACKLOG      128

struct api {
	struct daemon *daemon;
	struct evhttp *http;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/* --- requests and replies -------------------------------------------------------------------------------------------------- */

void request_forget(struct evhttp_request *http)
{
	if (!evhttp_request_get_connection(http))
		evhttp_request_free(http);
}

static void on_client_gone(struct evhttp_connection *connection, void *arg)
{
	struct request *request = arg;

	(void)connection;
	request_forget(request->http);
	request->http = NULL;
}

void request_defer(struct request *request)
{
	request->deferred = true;
	evhttp_connection_set_closecb(evhttp_request_get_connection(request->http), on_client_gone, request);
}

static void request_free(struct request *request)
{
	size_t i;

	for (i = 0; i < REQUEST_VARIABLES; i++)
		free(request->variable[i]);
	evhttp_clear_headers(&request->query);
	json_decref(request->body);
	if (request->note)
		note_fini(request->note);
	free(request->note);
	free(request);
}

static void send_json(struct evhttp_request *http, int status, json_t *reply)
{
	struct evbuffer *buffer = evbuffer_new();
	char *text = json_dumps(reply, JSON_COMPACT | JSON_REAL_PRECISION(9));

	evhttp_add_header(evhttp_request_get_output_headers(http), "Content-Type", "application/json");
	evbuffer_add_printf(buffer, "%s\n", text ? text : "{}");
	evhttp_send_reply(http, status, NULL, buffer);
	evbuffer_free(buffer);
	free(text);
}

static void send_error(struct evhttp_request *http, int status, const struct error *err)
{
	json_t *field = err->field[0] ? json_string(err->field) : json_null();
	json_t *reply = json_pack("{s:{s:s, s:s, s:o}}", "error", "code", error_code_name(err->code), "message", err->message,
				  "field", field ? field : json_null());

	send_json(http, status, reply);
	json_decref(reply);
}

/* A change says how long it took, from the request to the reply, and to which generation it led. */
static void set_took(const struct request *request, json_t *reply)
{
	int64_t generation = request->note ? request->note->generation : -1;

	if (generation >= 0 && json_object_get(reply, "generation"))
		json_object_set_new(reply, "generation", json_unless(generation == 0, json_integer(generation)));
	if (json_object_get(reply, "took_ms"))
		json_object_set_new(reply, "took_ms", json_real((double)(monotonic_us() - request->began_us) / 1000));
}

void request_finish(struct request *request, int rc, json_t *reply, const struct error *err)
{
	if (request->http && request->deferred)
		evhttp_connection_set_closecb(evhttp_request_get_connection(request->http), NULL, NULL);
	if (request->http && rc) {
		send_error(request->http, error_http_status(err->code), err);
	} else if (request->http) {
		set_took(request, reply);
		send_json(request->http, HTTP_OK, reply);
	}
	json_decref(reply);
	request_free(request);
}

const char *request_query(const struct request *request, const char *name)
{
	return evhttp_find_header(&request->query, name);
}

int request_query_number(const struct request *request, const char *name, uint64_t min, uint64_t max, uint64_t fallback,
			 uint64_t *out, struct error *err)
{
	const char *text = request_query(request, name);

	*out = fallback;
	return text ? number_parse(text, min, max, out, name, err) : 0;
}

/* --- from HTTP to a request ------------------------------------------------------------------------------------------------- */

static const char *method_name(struct evhttp_request *http)
{
	switch (evhttp_request_get_command(http)) {
	case EVHTTP_REQ_GET:
		return "GET";
	case EVHTTP_REQ_POST:
		return "POST";
	case EVHTTP_REQ_PATCH:
		return "PATCH";
	case EVHTTP_REQ_PUT:
		return "PUT";
	case EVHTTP_REQ_DELETE:
		return "DELETE";
	default:
		return "this method";
	}
}

static bool route_takes(const struct route *route, const char *name)
{
	size_t i;

	for (i = 0; route->query[i]; i++)
		if (strcmp(route->query[i], name) == 0)
			return true;
	if (!route->is_change)
		return false;
	return strcmp(name, "dry_run") == 0 || strcmp(name, "reason") == 0 ||
	       (strcmp(name, "if_generation") == 0 && strstr(route->pattern, ":service"));
}

/* What every change may be given: why, and what it expects. */
static int read_note(struct request *request, struct error *err)
{
	const char *reason = request_query(request, "reason");
	uint64_t generation = 0;
	int rc = 0;

	if (reason)
		rc = note_reason_check(reason, err);
	if (reason && !rc)
		text_copy(request->note->reason, sizeof(request->note->reason), reason);
	if (!rc && request_query(request, "if_generation"))
		rc = request_query_number(request, "if_generation", 0, UINT32_MAX, 0, &generation, err);
	if (!rc && request_query(request, "if_generation"))
		request->note->if_generation = (int64_t)generation;
	return rc;
}

static int read_query(struct request *request, const struct route *route, const char *text, struct error *err)
{
	const char *dry_run;
	struct evkeyval *pair;

	if (text && evhttp_parse_query_str(text, &request->query))
		return error_set(err, ERROR_BAD_INPUT, "query", "the part behind ? can not be read");
	TAILQ_FOREACH(pair, &request->query, next)
	if (!route_takes(route, pair->key))
		return error_set(err, ERROR_BAD_INPUT, pair->key, "%s takes no parameter %.60s", route->pattern, pair->key);
	dry_run = request_query(request, "dry_run");
	if (dry_run && strcmp(dry_run, "true") != 0 && strcmp(dry_run, "false") != 0)
		return error_set(err, ERROR_BAD_INPUT, "dry_run", "dry_run must be true or false");
	request->dry_run = dry_run && strcmp(dry_run, "true") == 0;
	return request->note ? read_note(request, err) : 0;
}

static int read_body(struct request *request, struct evhttp_request *http, struct error *err)
{
	struct evbuffer *buffer = evhttp_request_get_input_buffer(http);
	size_t length = evbuffer_get_length(buffer);
	json_error_t where;

	if (!length) {
		request->body = json_object();
		return 0;
	}
	request->body = json_loadb((const char *)evbuffer_pullup(buffer, -1), length, JSON_REJECT_DUPLICATES, &where);
	if (!request->body)
		return error_set(err, ERROR_BAD_INPUT, "body", "the body is no JSON: %s, line %d, column %d", where.text,
				 where.line, where.column);
	if (!json_is_object(request->body))
		return error_set(err, ERROR_BAD_INPUT, "body", "the body must be a JSON object: {...}");
	return 0;
}

/* The variable of the pattern with this name, or NULL. */
static const char *variable_of(const struct request *request, const struct route *route, const char *name)
{
	const char *at = route->pattern;
	size_t i;

	for (i = 0; (at = strstr(at, "/:")) && i < REQUEST_VARIABLES; i++) {
		at += 2;
		if (strncmp(at, name, strlen(name)) == 0 && strchr("/", at[strlen(name)]))
			return request->variable[i];
	}
	return NULL;
}

static void copy_clean(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text ? text : "");
	text_clean(to);
}

/* What the path names, but for the verb: "chat v1 10.2.1.2:8080". */
static void list_objects(const struct request *request, const char *verb, char *text, size_t size)
{
	size_t i, length = 0;

	text[0] = '\0';
	for (i = 0; i < REQUEST_VARIABLES && length < size; i++)
		if (request->variable[i] && request->variable[i] != verb)
			length +=
			    (size_t)snprintf(text + length, size - length, "%s%s", length ? " " : "", request->variable[i]);
}

/* Until the command says what it did, the history has what was asked. */
static void describe(struct request *request, const struct route *route)
{
	const char *verb = variable_of(request, route, "verb");
	struct note *note = request->note;
	char objects[128];

	snprintf(note->verb, sizeof(note->verb), "%s%s%.16s", route->verb, verb ? " " : "", verb ? verb : "");
	text_clean(note->verb);
	copy_clean(note->service, sizeof(note->service), variable_of(request, route, "service"));
	copy_clean(note->version, sizeof(note->version), variable_of(request, route, "version"));
	list_objects(request, verb, objects, sizeof(objects));
	note_asked(note, objects, request->body);
}

static int note_begin(struct request *request, const struct peer *peer, struct error *err)
{
	request->note = malloc(sizeof(*request->note));
	if (!request->note)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	note_init(request->note);
	note_by_peer(request->note, peer->uid, peer->pid);
	request->note->began_us = request->began_us;
	return 0;
}

static int read_request(struct request *request, const struct route **route, const struct peer *peer, struct error *err)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request->http);
	const char *path = evhttp_uri_get_path(uri);
	int rc = route_find(method_name(request->http), path ? path : "", route, request->variable, err);

	if (!rc && (*route)->is_change)
		rc = note_begin(request, peer, err);
	rc = rc ? rc : read_query(request, *route, evhttp_uri_get_query(uri), err);
	rc = rc ? rc : read_body(request, request->http, err);
	if (!rc && request->note)
		describe(request, *route);
	return rc;
}

static int status_of(const struct error *err)
{
	return err->code == ERROR_BAD_INPUT && strcmp(err->field, "method") == 0 ? HTTP_BADMETHOD
										 : error_http_status(err->code);
}

static bool refuse_stranger(struct evhttp_request *http, struct peer *peer)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(http);
	struct error err;

	if (!peer_check(bufferevent_getfd(evhttp_connection_get_bufferevent(connection)), peer, &err))
		return false;
	send_error(http, 403, &err);
	return true;
}

static bool refuse_large(struct evhttp_request *http)
{
	struct error err;

	if (evbuffer_get_length(evhttp_request_get_input_buffer(http)) <= BODY_LIMIT)
		return false;
	error_set(&err, ERROR_BAD_INPUT, "body", "the body is larger than 1 MiB");
	send_error(http, HTTP_ENTITYTOOLARGE, &err);
	return true;
}

/*
 * The command and what came of it. A refusal stays in the history, too, if the command was well-formed: what could not be read was no
 * command yet.
 */
static int run_change(struct request *request, const struct route *route, json_t **reply, struct error *err)
{
	struct daemon *daemon = request->daemon;
	int rc;

	daemon->asking = request->note;
	rc = route->handle(request, reply, err);
	daemon->asking = NULL;
	if (request->dry_run)
		return rc;
	log_info("api", "%s %s: %s", route->method, evhttp_request_get_uri(request->http),
		 rc ? err->message : json_string_value(json_object_get(*reply, "done")) ?: "under way");
	if (rc && err->code != ERROR_BAD_INPUT) {
		/* Under a name that is none there is no history. */
		if (!model_find_service(&daemon->model, request->note->service))
			request->note->service[0] = request->note->version[0] = '\0';
		note_failed(request->note, err);
		note_fini(request->note); /* nothing has changed */
		history_note(daemon, request->note);
	}
	return rc;
}

static void on_request(struct evhttp_request *http, void *arg)
{
	struct api *api = arg;
	struct request *request;
	const struct route *route = NULL;
	struct error err = {0};
	json_t *reply = NULL;
	struct peer peer;
	int rc;

	if (refuse_stranger(http, &peer) || refuse_large(http))
		return;
	request = calloc(1, sizeof(*request));
	if (!request) {
		evhttp_send_error(http, HTTP_INTERNAL, NULL);
		return;
	}
	request->daemon = api->daemon;
	request->http = http;
	request->began_us = monotonic_us();
	TAILQ_INIT(&request->query);
	rc = read_request(request, &route, &peer, &err);
	if (rc) {
		send_error(http, status_of(&err), &err);
		request_free(request);
		return;
	}
	rc = request->note ? run_change(request, route, &reply, &err) : route->handle(request, &reply, &err);
	if (rc || !request->deferred)
		request_finish(request, rc, reply, &err);
}

/* --- the socket ----------------------------------------------------------------------------------------------------------------- */

static int make_parent(const char *path, struct error *err)
{
	char parent[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *slash;

	text_copy(parent, sizeof(parent), path);
	slash = strrchr(parent, '/');
	if (!slash || slash == parent)
		return 0;
	*slash = '\0';
	if (mkdir(parent, 0755) && errno != EEXIST)
		return error_set(err, ERROR_BAD_INPUT, "socket", "can not make the directory %s of the socket: %s", parent,
				 strerror(errno));
	return 0;
}

/* Is somebody listening there? A socket file without a listener was left by a daemon that was killed. */
static bool is_answered(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool answered = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;

	if (fd >= 0)
		close(fd);
	return answered;
}

/* Nothing but a socket is ever removed. */
static int clear_place(const struct sockaddr_un *address, struct error *err)
{
	struct stat info;

	if (lstat(address->sun_path, &info))
		return 0;
	if (!S_ISSOCK(info.st_mode))
		return error_set(err, ERROR_CONFLICT, "socket", "%s is there and is no socket; name another with --socket",
				 address->sun_path);
	if (is_answered(address))
		return error_set(err, ERROR_CONFLICT, "socket",
				 "another rainbowd answers on %s; stop it first, or name another with --socket",
				 address->sun_path);
	unlink(address->sun_path);
	return 0;
}

/* Open to nobody between bind and chmod. */
static int bind_socket(int fd, const struct sockaddr_un *address, struct error *err)
{
	mode_t before = umask(0177);
	int rc = bind(fd, (const struct sockaddr *)address, sizeof(*address));
	gid_t group;

	umask(before);
	if (rc || listen(fd, BACKLOG))
		return error_set(err, ERROR_BAD_INPUT, "socket", "can not listen on %s: %s", address->sun_path,
				 strerror(errno));
	if (peer_group(&group) && chown(address->sun_path, 0, group) == 0)
		chmod(address->sun_path, 0660);
	return 0;
}

static int listen_on(const char *path, int *out, struct error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, rc;

	if (!text_copy(address.sun_path, sizeof(address.sun_path), path))
		return error_set(err, ERROR_BAD_INPUT, "socket", "the socket's path is longer than %zu characters",
				 sizeof(address.sun_path) - 1);
	rc = make_parent(path, err);
	rc = rc ? rc : clear_place(&address, err);
	if (rc)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(err, ERROR_INTERNAL, "socket", "can not make a socket: %s", strerror(errno));
	rc = bind_socket(fd, &address, err);
	if (rc)
		close(fd);
	else
		*out = fd;
	return rc;
}

int api_new(struct api **out, struct daemon *daemon, struct error *err)
{
	struct api *api = calloc(1, sizeof(*api));
	int fd = -1, rc;

	if (!api)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	rc = listen_on(daemon->config.socket, &fd, err);
	if (rc) {
		free(api);
		return rc;
	}
	api->daemon = daemon;
	text_copy(api->path, sizeof(api->path), daemon->config.socket);
	api->http = evhttp_new(daemon->base);
	evhttp_set_max_headers_size(api->http, HEADER_LIMIT);
	/* Above our own limit, so that it is us who answer, in JSON; libevent refuses what is larger still. */
	evhttp_set_max_body_size(api->http, 2 * BODY_LIMIT);
	evhttp_set_allowed_methods(api->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE |
						  EVHTTP_REQ_PATCH | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_HEAD);
	evhttp_set_timeout(api->http, 60);
	evhttp_set_gencb(api->http, on_request, api);
	if (!evhttp_accept_socket_with_handle(api->http, fd))
		rc = error_set(err, ERROR_INTERNAL, "socket", "can not accept on the socket");
	if (rc)
		api_free(api);
	else
		*out = api;
	return rc;
}

void api_free(struct api *api)
{
	if (!api)
		return;
	evhttp_free(api->http);
	unlink(api->path);
	free(api);
}
