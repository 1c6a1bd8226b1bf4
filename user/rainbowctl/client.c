// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * HTTP over the unix socket by libcurl. When no answer comes, the socket is tried once more by hand, only to learn from errno
 * what to advise; libcurl keeps that to itself.
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "common/error.h"
#include "rainbowctl/client.h"
#include "rainbowctl/request.h"

#define REPLY_MAX       (64u << 20) /* a million sessions in a list */
#define CONNECT_SECONDS 5L
#define ANSWER_SECONDS  30L
#define SILENCE_SECONDS 45L                                      /* of a stream: three of its heartbeats */
#define BODY_FLAGS      (JSON_COMPACT | JSON_REAL_PRECISION(15)) /* 15 digits: 33.3 stays 33.3 */

struct client {
	CURL *curl;
	struct sockaddr_un address;
	struct curl_slist *headers;
};

struct buffer {
	char *data;
	size_t length, room;
};

struct client *client_new(const char *socket_path, struct error *err)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client || curl_global_init(CURL_GLOBAL_DEFAULT) || !(client->curl = curl_easy_init())) {
		client_free(client);
		error_set(err, ERROR_INTERNAL, "", "libcurl does not start: no memory?");
		return NULL;
	}
	client->address.sun_family = AF_UNIX;
	if (!*socket_path || strlen(socket_path) >= sizeof(client->address.sun_path)) {
		client_free(client);
		error_set(err, ERROR_BAD_INPUT, "--socket", "'%s' can be no socket: give a path of 1 to %zu bytes", socket_path,
			  sizeof(client->address.sun_path) - 1);
		return NULL;
	}
	strcpy(client->address.sun_path, socket_path);
	client->headers = curl_slist_append(NULL, "Content-Type: application/json");
	return client;
}

void client_free(struct client *client)
{
	if (!client)
		return;
	curl_slist_free_all(client->headers);
	curl_easy_cleanup(client->curl);
	free(client);
}

static size_t collect(char *data, size_t size, size_t count, void *context)
{
	struct buffer *buffer = context;
	size_t length = size * count;

	if (buffer->length + length > REPLY_MAX)
		return 0;
	if (buffer->length + length > buffer->room) {
		size_t room = (buffer->length + length) * 2;
		char *grown = realloc(buffer->data, room);

		if (!grown)
			return 0;
		buffer->data = grown;
		buffer->room = room;
	}
	memcpy(buffer->data + buffer->length, data, length);
	buffer->length += length;
	return length;
}

static int connect_errno(const struct client *client)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc = fd < 0 || connect(fd, (const struct sockaddr *)&client->address, sizeof(client->address)) ? errno : 0;

	if (fd >= 0)
		close(fd);
	return rc;
}

static int refuse_unconnected(const struct client *client, struct error *err)
{
	const char *path = client->address.sun_path;
	int reason = connect_errno(client);

	switch (reason) {
	case ENOENT:
	case ENOTDIR:
		return error_set(err, ERROR_UNREACHABLE, "",
				 "there is no socket %s: is rainbowd running? Start it, or name its socket with --socket or "
				 "RAINBOW_SOCKET",
				 path);
	case ECONNREFUSED:
		return error_set(err, ERROR_UNREACHABLE, "", "nobody listens at %s: rainbowd has stopped. Start it again",
				 path);
	case EACCES:
	case EPERM:
		return error_set(err, ERROR_UNREACHABLE, "", "no permission for %s: be root or a member of the group rainbow",
				 path);
	case EAGAIN:
	case 0:
		return error_set(err, ERROR_UNREACHABLE, "", "rainbowd does not take the connection at %s: is it overloaded?",
				 path);
	default:
		return error_set(err, ERROR_UNREACHABLE, "", "can not connect to %s: %s", path, strerror(reason));
	}
}

/* The connection stood, but no whole answer came: a change may or may not have been made. */
static int refuse_unanswered(const struct client *client, const struct request *request, CURLcode code, struct error *err)
{
	const char *unsure =
	    strcmp(request->method, "GET") ? "; if the change was made is unknown: see 'rainbowctl status'" : "";

	if (code == CURLE_OPERATION_TIMEDOUT)
		return error_set(err, ERROR_UNREACHABLE, "", "rainbowd at %s did not answer within %ld s%s",
				 client->address.sun_path, ANSWER_SECONDS, unsure);
	if (code == CURLE_WRITE_ERROR)
		return error_set(err, ERROR_INTERNAL, "", "the answer is larger than %u MiB: ask for less", REPLY_MAX >> 20);
	return error_set(err, ERROR_UNREACHABLE, "", "rainbowd at %s closed the connection without an answer (%s)%s",
			 client->address.sun_path, curl_easy_strerror(code), unsure);
}

/* Where to, and how; not yet what becomes of the answer. */
static void set_request(struct client *client, const struct request *request, const char *url, const char *body)
{
	CURL *curl = client->curl;

	curl_easy_reset(curl); /* keeps the connection */
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->address.sun_path);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, client->headers);
	if (!strcmp(request->method, "GET"))
		return;
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
	if (strcmp(request->method, "DELETE") || body)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body ? body : "");
}

/* Sends; the whole answer into *buffer. */
static int transfer(struct client *client, const struct request *request, struct buffer *buffer, long *status,
		    struct error *err)
{
	char *body = request->body ? json_dumps(request->body, BODY_FLAGS) : NULL;
	char url[REQUEST_PATH_SIZE + 32] = "http://rainbow";
	CURL *curl = client->curl;
	CURLcode code;

	strncat(url, request->path, sizeof(url) - strlen(url) - 1);
	set_request(client, request, url, body);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, ANSWER_SECONDS);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, buffer);
	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status);
	free(body);
	if (code == CURLE_COULDNT_CONNECT)
		return refuse_unconnected(client, err);
	return code ? refuse_unanswered(client, request, code, err) : 0;
}

/* {"error":{"code","message","field"}} */
static int take_error(const json_t *reply, long status, struct error *err)
{
	const json_t *error = json_object_get(reply, "error");
	const char *message = json_string_value(json_object_get(error, "message"));
	const char *field = json_string_value(json_object_get(error, "field"));
	enum error_code code = error_code_parse(json_string_value(json_object_get(error, "code")));

	if (!message)
		return error_set(err, ERROR_INTERNAL, "", "rainbowd answered %ld without saying why", status);
	return error_set(err, code ? code : ERROR_INTERNAL, field, "%s", message);
}

int client_send(struct client *client, const struct request *request, json_t **reply, struct error *err)
{
	struct buffer buffer = {0};
	long status = 0;
	int rc = transfer(client, request, &buffer, &status, err);

	if (rc)
		goto out;
	*reply = json_loadb(buffer.data ? buffer.data : "", buffer.length, 0, NULL);
	if (status < 200 || status > 299) {
		rc = take_error(*reply, status, err);
	} else if (!json_is_object(*reply)) {
		rc = error_set(err, ERROR_INTERNAL, "", "rainbowd's answer is no JSON object: is it of the same release as %s?",
			       RAINBOW_RELEASE);
	}
	if (rc) {
		json_decref(*reply);
		*reply = NULL;
	}
out:
	free(buffer.data);
	return rc;
}

struct stream {
	CURL *curl;
	client_take *take;
	void *context;
	bool ended;           /* by take */
	struct buffer answer; /* that is no stream but an error */
};

static size_t pass_on(char *data, size_t size, size_t count, void *context)
{
	struct stream *stream = context;
	long status = 0;

	curl_easy_getinfo(stream->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200)
		return collect(data, size, count, &stream->answer);
	stream->ended = !stream->take(stream->context, data, size * count);
	return stream->ended ? 0 : size * count;
}

static int stream_end(struct client *client, struct stream *stream, CURLcode code, struct error *err)
{
	const char *path = client->address.sun_path;
	json_t *reply;
	long status = 0;
	int rc;

	curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
	if (stream->ended)
		return 0;
	if (code == CURLE_COULDNT_CONNECT)
		return refuse_unconnected(client, err);
	if (code || status == 200)
		return error_set(err, ERROR_UNREACHABLE, "", "rainbowd at %s ended the stream", path);
	reply = json_loadb(stream->answer.data ? stream->answer.data : "", stream->answer.length, 0, NULL);
	rc = take_error(reply, status, err);
	json_decref(reply);
	return rc;
}

int client_stream(struct client *client, const struct request *request, client_take *take, void *context, struct error *err)
{
	struct stream stream = {.curl = client->curl, .take = take, .context = context};
	char url[REQUEST_PATH_SIZE + 32] = "http://rainbow";
	CURLcode code;
	int rc;

	strncat(url, request->path, sizeof(url) - strlen(url) - 1);
	set_request(client, request, url, NULL);
	curl_easy_setopt(client->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(client->curl, CURLOPT_LOW_SPEED_TIME, SILENCE_SECONDS);
	curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, pass_on);
	curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, &stream);
	code = curl_easy_perform(client->curl);
	rc = stream_end(client, &stream, code, err);
	free(stream.answer.data);
	return rc;
}
