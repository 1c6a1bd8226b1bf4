/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One command from copy to acknowledgement: begin gives a copy of the service to edit; commit writes it to the database, applies it to the
 * maps (a barrier), ends the transaction and puts it in the model's place. A database that refuses does so before a map is touched;
 * where it fails at the very end, the maps are put back. Its row in the history is written in the same transaction: the history has what
 * was acknowledged, and nothing else. Where a step of a rollout comes into force by it, the step's cohort begins then: if we are killed
 * in between, the number that was stored with the step tells that it did not.
 */
#ifndef RAINBOW_CHANGE_H
#define RAINBOW_CHANGE_H

#include "daemon.h"
#include "note.h"

struct change {
	struct daemon *daemon;
	struct service *before; /* NULL: the service is added */
	struct service *after;  /* to be edited; NULL: it is removed */
	struct counts counts;   /* of the service's versions and backends, when it began */
	bool owned;             /* after belongs to the change, not yet to the model */
	struct note
	    *note; /* its row in the history: by change_begin that of the command under way, or NULL, which leaves none */
};

/* name NULL: a new service. -ERROR_NOT_FOUND, or -ERROR_CONFLICT: it is not at the generation that the command expects. */
int change_begin(struct change *change, struct daemon *daemon, const char *name, struct error *err);
/* The service goes. */
void change_remove(struct change *change);
/* The wheel of `after`, by its weights; commit does it, too. For who has to tell the kernel before. */
void change_turn(struct change *change);
/* dry_run: checks what can be checked. `after` stays readable until change_end. */
int change_commit(struct change *change, bool dry_run, struct error *err);
void change_end(struct change *change);

#endif
