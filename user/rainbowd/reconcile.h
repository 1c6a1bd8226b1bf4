/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From what is to what a document wants, for one service, by the commands that an operator would give. Pure. In two parts, since what
 * a steer names must have its id, and since nothing is taken away before all that is new, of all services, is in force:
 *
 *   reconcile_open   the service, its settings, versions, backends, weights; versions that the document does not name drain
 *   reconcile_close  steers; of those versions, the ones that have no session are removed
 *
 * Refused are changes of what is fixed when it is added: a service's address and ways, a version's tuple.
 */
#ifndef RAINBOW_RECONCILE_H
#define RAINBOW_RECONCILE_H

#include "common/document.h"
#include "model.h"

struct reconcile {
	const struct model *model;
	const struct document_service *wanted;
	size_t index; /* of it in the document, for err->field */
	const struct counts *counts;
	struct instant now;
};

/* after: a copy of the service, or a new one, without a name. */
int reconcile_open(const struct reconcile *order, struct service *after, struct error *err);
int reconcile_close(const struct reconcile *order, struct service *after, struct error *err);
/*
 * Whether, with `after` in force, a rollout to wanted->target is to be started: not where it is on its way, queued or has 100 %.
 * -ERROR_PRECONDITION: none may be.
 */
int reconcile_rollout(const struct reconcile *order, const struct service *after, bool *start, struct error *err);

#endif
