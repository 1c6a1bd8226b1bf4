/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What drains owe their people, carried out: the warning before a deadline to the operator's hook and to the backends, and word that a
 * version has drained. drain_duty.c decides what is due; what has been done is stored with the version and told in the history.
 */
#ifndef RAINBOW_DUTIES_H
#define RAINBOW_DUTIES_H

#include "daemon.h"

struct duties;

int duties_new(struct duties **out, struct daemon *daemon, struct error *err);
/* After hook_free: no hook ends any more. What could not be stored is lost, and is called again after the next start. */
void duties_free(struct duties *duties);
/* To be called about once a second for each version. True if the model has changed: pointers into it are void. */
bool duties_step(struct duties *duties, const struct service *service, const struct version *version);

#endif
