/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The API: HTTP/1.1 with JSON over a unix socket that root and the group "rainbow" may use. Bodies to 1 MiB, headers to 8 KiB.
 * Every path lies under /v1 and is a row of the table in routes.c. Errors are {"error":{"code","message","field"}}.
 */
#ifndef RAINBOW_API_H
#define RAINBOW_API_H

#include "daemon.h"

struct api;

int api_new(struct api **out, struct daemon *daemon, struct error *err);
/* NULL is allowed. Requests still deferred must have been finished. */
void api_free(struct api *api);

#endif
