/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The commands that read or print the declarative document: lint, plan, apply, export, import endpointslices. */
#ifndef RAINBOWCTL_DECLARE_H
#define RAINBOWCTL_DECLARE_H

#include <stdbool.h>

struct command;
struct invocation;
struct renderer;

bool declare_takes(const struct command *command);
/* Returns the exit code: that of the error, or DECLARE_CHANGES. */
int declare_run(const struct invocation *invocation, const struct renderer *renderer, const char *socket);

#define DECLARE_CHANGES 10 /* plan: something would change */

#endif
