/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Puts the model into force: the one file that decides in which order the kernel's maps are written. Every state in between is
 * legal, and a kill -9 at any point leaves one that apply_reconcile repairs:
 *
 *   backends, then the version that names them, then the wheel that names the version, then (a barrier later) what closes:
 *   steers, states, backends that leave. Removal is the mirror. Pins are never touched.
 */
#ifndef RAINBOW_APPLY_H
#define RAINBOW_APPLY_H

#include "datapath.h"
#include "ids.h"
#include "model.h"

/*
 * Puts `after` in force in the place of `before`; NULL: no such service. When it returns 0, nothing new follows `before` on any
 * CPU. A version that is removed or becomes drained must have no live session once it is closed, or -ERROR_PRECONDITION. On
 * failure `before` is in force again.
 */
int apply_service(struct datapath *dp, const struct service *before, const struct service *after, struct error *err);

/* Puts `before` back in force, whatever sessions `after` has got meanwhile: they stay. */
int apply_undo(struct datapath *dp, const struct service *before, const struct service *after, struct error *err);

/*
 * At start: makes the maps say what the model says, whatever they said. What the maps know and the model does not keeps its live
 * sessions, takes no new ones, and its id is retired. ids: filled from both.
 */
int apply_reconcile(struct datapath *dp, const struct model *model, struct ids *ids, int64_t now_ms, struct error *err);

/* Tells the kernel the deadlines of all drains anew, as the clock is now. */
int apply_deadlines(struct datapath *dp, const struct model *model, struct error *err);

/* Clears the entries of retired ids that are ripe, and frees the ids. Returns how many. */
unsigned int apply_release(struct datapath *dp, struct ids *ids, const struct ids_seen *seen, int64_t walk_ms,
			   int64_t nursery_ms);

#endif
