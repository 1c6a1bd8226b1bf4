// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Building a request: see request.h. Every part was checked before and has a bound (names 31 bytes, addresses 64, numbers and
 * durations 64), so the path always fits; were it cut, rainbowd would find no such object.
 */
#include <stdio.h>
#include <string.h>
#include "rainbowctl/request.h"

void request_begin(struct request *request, const char *method, const char *path)
{
	memset(request, 0, sizeof(*request));
	request->method = method;
	snprintf(request->path, sizeof(request->path), "%s", path);
}

static bool is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c));
}

static void append_encoded(struct request *request, const char *text)
{
	size_t length = strlen(request->path);

	for (; *text && length + 4 <= sizeof(request->path); text++) {
		unsigned char c = (unsigned char)*text;
		const char *format = is_unreserved(c) ? "%c" : "%%%02X";

		length += (size_t)snprintf(request->path + length, sizeof(request->path) - length, format, c);
	}
}

static void append(struct request *request, const char *text)
{
	size_t length = strlen(request->path);

	snprintf(request->path + length, sizeof(request->path) - length, "%s", text);
}

void request_segment(struct request *request, const char *segment)
{
	append(request, "/");
	append_encoded(request, segment);
}

void request_query(struct request *request, const char *key, const char *value)
{
	if (!value)
		return;
	append(request, strchr(request->path, '?') ? "&" : "?");
	append(request, key);
	append(request, "=");
	append_encoded(request, value);
}

void request_object(struct request *request)
{
	if (!request->body)
		request->body = json_object();
}

void request_member(struct request *request, const char *key, json_t *value)
{
	request_object(request);
	json_object_set_new(request->body, key, value);
}

void request_string(struct request *request, const char *key, const char *value)
{
	if (value)
		request_member(request, key, json_string(value));
}

void request_fini(struct request *request)
{
	json_decref(request->body);
	request->body = NULL;
}
