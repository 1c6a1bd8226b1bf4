/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One HTTP request to rainbowd, as data: what the command line means, before anything is sent. */
#ifndef RAINBOWCTL_REQUEST_H
#define RAINBOWCTL_REQUEST_H

#include <stdbool.h>
#include <jansson.h>

#define REQUEST_PATH_SIZE 1280 /* a reason of 200 bytes takes 600 */

struct request {
	const char *method;
	char path[REQUEST_PATH_SIZE]; /* with the query; encoded */
	json_t *body;                 /* NULL: none */
};

/* Start with a method and a path that needs no encoding; the parts that follow are encoded as they are added. */
void request_begin(struct request *request, const char *method, const char *path);
/* "/SEGMENT", percent-encoded. */
void request_segment(struct request *request, const char *segment);
/* "?KEY=VALUE", or "&..." for the second and later; nothing if value is NULL. */
void request_query(struct request *request, const char *key, const char *value);
/* A member of the body, which this makes an object; nothing if the string is NULL. */
void request_string(struct request *request, const char *key, const char *value);
/* Takes over the reference to value. */
void request_member(struct request *request, const char *key, json_t *value);
/* A body that has no member (yet): {} */
void request_object(struct request *request);
void request_fini(struct request *request);

#endif
