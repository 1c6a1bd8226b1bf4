/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* TC by a filter on the clsact qdisc, for kernels before 6.6. Used by attach.c alone. */
#ifndef RAINBOW_ATTACH_CLSACT_H
#define RAINBOW_ATTACH_CLSACT_H

#include "rainbowd/attach.h"

/* Attaches, or replaces our filter in one step. Another's filter at our handle and priority is refused. */
int clsact_attach(const struct attach_place *place, enum attach_side side, int prog_fd, struct error *err);
/* Removes our filter; the clsact qdisc stays, since others may use it. */
void clsact_end(const struct attach_place *place, enum attach_side side);
/* The id of our program there; 0: none. */
uint32_t clsact_found(const struct attach_place *place, enum attach_side side);

#endif
