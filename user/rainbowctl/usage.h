/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Help, made from the table of commands. */
#ifndef RAINBOWCTL_USAGE_H
#define RAINBOWCTL_USAGE_H

#include <stdio.h>

struct command;

/* "rainbowctl drain SERVICE LABEL [--deadline D] ...", in one line without its end. */
void usage_line(FILE *out, const struct command *command);
void usage_command(FILE *out, const struct command *command);
/* Of all commands, or of those of a group ("service"); "" is all. */
void usage_overview(FILE *out, const char *group);

#endif
