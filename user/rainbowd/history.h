/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The history, for those who write into it. A change of the model brings its note into its own transaction (change.h); history_note
 * is for what changes no model: a hook's outcome, a gate's new verdict, a refused command.
 */
#ifndef RAINBOW_HISTORY_H
#define RAINBOW_HISTORY_H

#include "daemon.h"
#include "note.h"

/* Stores it, durably, and tells who listens. A database that refuses is logged: nothing else fails by it. Keeps no pointer. */
void history_note(struct daemon *daemon, struct note *note);

#endif
