/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What rainbowd does unasked, a few times a second: steps drains, has sessions closed, lets backends go that nobody uses any
 * more, frees retired ids, attaches hooks that were lost. Decisions are drain.c's and ids.c's.
 */
#ifndef RAINBOW_KEEPER_H
#define RAINBOW_KEEPER_H

#include "daemon.h"

struct keeper;

int keeper_new(struct keeper **out, struct daemon *daemon, struct error *err);
void keeper_free(struct keeper *keeper);
/* Looks at everything soon. */
void keeper_poke(struct keeper *keeper);

#endif
