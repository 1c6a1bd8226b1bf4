/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The completion script for bash, made from the table of commands. */
#ifndef RAINBOWCTL_COMPLETION_H
#define RAINBOWCTL_COMPLETION_H

#include <stdio.h>

void completion_print(FILE *out);

#endif
