/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* HTTP over rainbowd's unix socket. One client, many requests; not for several threads. */
#ifndef RAINBOWCTL_CLIENT_H
#define RAINBOWCTL_CLIENT_H

#include <stdbool.h>
#include <jansson.h>

struct client;
struct request;
struct error;

/* A path that fits no socket is refused as bad input. NULL with err filled. */
struct client *client_new(const char *socket_path, struct error *err);
/*
 * Sends and waits (at most 30 s). 0 with *reply (an object; the caller's), or the negative code of rainbowd's error, or
 * -ERROR_UNREACHABLE with the reason and its fix, or -ERROR_INTERNAL if the reply is no JSON object.
 */
int client_send(struct client *client, const struct request *request, json_t **reply, struct error *err);
/*
 * Sends and gives what comes to `take` as it comes, until it returns false (0), the answer ends, or nothing has come for a while
 * (-ERROR_UNREACHABLE); or the negative code of rainbowd's error.
 */
typedef bool client_take(void *context, const char *data, size_t length);
int client_stream(struct client *client, const struct request *request, client_take *take, void *context, struct error *err);
void client_free(struct client *client);

#endif
