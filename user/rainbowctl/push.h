/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* `gate push ... -`: samples as JSON lines, all of which are checked before the first is sent. */
#ifndef RAINBOWCTL_PUSH_H
#define RAINBOWCTL_PUSH_H

#include <stdbool.h>
#include <stdio.h>
#include <jansson.h>

#define PUSH_SAMPLES_MAX 100000 /* at once; a gate takes no more in a step */
#define PUSH_LINE_MAX    4096   /* bytes */

struct client;
struct error;
struct invocation;
struct request;

bool push_is_meant(const struct invocation *invocation);
/*
 * request: without its samples. *reply: of all batches together. An error names the line that it is about, where it is one, and those
 * that are counted already: a later batch can be refused for what only rainbowd knows. They may be sent again: a session counts once.
 */
int push_lines(struct client *client, const struct request *request, FILE *in, json_t **reply, struct error *err);

#endif
