/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Those who listen to the history (GET /v1/events, server-sent events). Each is sent rows out of the database, from where it is, as
 * fast as it takes them: so a listener that resumes and one that follows are the same, none misses a row or gets it twice, and a slow
 * one costs no memory.
 */
#ifndef RAINBOW_EVENTS_H
#define RAINBOW_EVENTS_H

#include <stdint.h>
#include "daemon.h"

#define EVENTS_LISTENERS_MAX 64

struct events;
struct evhttp_request;

int events_new(struct events **out, struct daemon *daemon, struct error *err);
/* Ends every reply. Before the HTTP server goes. */
void events_free(struct events *events);
/* The history has grown. NULL is allowed. */
void events_poke(struct events *events);
/*
 * Takes the request over and begins its reply. service NULL: of all. after: the id of the last row that the listener has; -1: from now
 * on. -ERROR_PRECONDITION: there are EVENTS_LISTENERS_MAX; http is then still the caller's.
 */
int events_listen(struct events *events, struct evhttp_request *http, const char *service, int64_t after, struct error *err);

#endif
