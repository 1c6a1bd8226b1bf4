/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One request on its way through a handler: what was asked, parsed and named; and the reply. For the handlers. */
#ifndef RAINBOW_REQUEST_H
#define RAINBOW_REQUEST_H

#include <jansson.h>
#include <sys/queue.h>
#include <event2/keyvalq_struct.h>
#include "change.h"
#include "daemon.h"
#include "note.h"
#include "shapes.h"

#define REQUEST_VARIABLES 3

struct evhttp_request;

struct request {
	struct daemon *daemon;
	char *variable[REQUEST_VARIABLES]; /* the parts of the path that the route's pattern leaves open, decoded */
	json_t *body;                      /* an object; empty where none was sent */
	struct evkeyvalq query;
	bool dry_run;
	struct note *note; /* of a change: who asks and why; reply_done writes what it did */
	int64_t began_us;
	struct evhttp_request *http; /* NULL: the client has gone, or the handler has taken it */
	bool deferred;
};

/*
 * 0 and *reply (a new reference), or a negative code and err. A handler that called request_defer returns 0 without a reply, and
 * request_finish is called later.
 */
typedef int (*request_handler)(struct request *request, json_t **reply, struct error *err);

/* For the callback of a connection that closes: libevent has parted with a request that is not answered yet, if its client went. */
void request_forget(struct evhttp_request *http);
void request_defer(struct request *request);
/* Sends the reply (takes the reference), or the error if rc is not 0; frees the request. */
void request_finish(struct request *request, int rc, json_t *reply, const struct error *err);

/* NULL if it is not there. */
const char *request_query(const struct request *request, const char *name);
int request_query_number(const struct request *request, const char *name, uint64_t min, uint64_t max, uint64_t fallback,
			 uint64_t *out, struct error *err);

/* --- bodies (body.c): `object` holds no other keys than `keys` (NULL-terminated); field names the object in errors, or "" */
int body_check_keys(const json_t *object, const char *const *keys, struct error *err);
/* *out NULL if the key is missing or null and not required. */
int body_string(const json_t *object, const char *key, bool required, const char **out, struct error *err);
int body_duration(const json_t *object, const char *key, bool *given, struct duration *out, struct error *err);
/* A whole number in [min, max]; *out stays as it is if the key is missing or null. */
int body_number(const json_t *object, const char *key, uint32_t min, uint32_t max, uint32_t *out, struct error *err);
/* A percentage with at most one decimal, in permille. */
int body_percent(const json_t *value, const char *field, uint32_t *permille, struct error *err);

/* --- replies */
/*
 * The reply to a change: what it did in one sentence, and how long that took. service NULL: no generation. More members may be
 * added to it. Made before change_commit, so that the history has the sentence as well; what api.c knows only later (the time, the
 * generation) it fills in.
 */
json_t *reply_done(const struct request *request, const struct service *service, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
