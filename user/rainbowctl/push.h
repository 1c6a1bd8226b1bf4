/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* `gate push ... -`: samples as JSON lines, sent in batches. */
#ifndef RAINBOWCTL_PUSH_H
#define RAINBOWCTL_PUSH_H

#include <stdbool.h>
#include <stdio.h>
#include <jansson.h>

struct client;
struct error;
struct invocation;
struct request;

bool push_is_meant(const struct invocation *invocation);
/*
 * request: without its samples. *reply: of all batches together. An error says the lines it is about; what was sent before them is taken,
 * and may be sent again: a session counts once.
 */
int push_lines(struct client *client, const struct request *request, FILE *in, json_t **reply, struct error *err);

#endif
