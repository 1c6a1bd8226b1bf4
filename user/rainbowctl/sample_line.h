/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What can be known of a sample without rainbowd, which alone knows the gate. Pure. */
#ifndef RAINBOWCTL_SAMPLE_LINE_H
#define RAINBOWCTL_SAMPLE_LINE_H

#include <jansson.h>

struct error;

/*
 * Keys, types, the session's name, instants. *outcome: the key that tells how the session went, "ok" or "value"; where it is not NULL
 * already, it must be that one: a gate takes one of the two. err->field: the key that is wrong, or "".
 */
int sample_line_check(const json_t *sample, const char **outcome, struct error *err);

#endif
