/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Does one more version fit into a service, by its settings (max_versions, on_max_versions)? Asked when one is added; never when one
 * comes back (undrain, rollback), for a way back may not be closed. Nor is a limit laid down that the active ones exceed. Pure.
 */
#ifndef RAINBOW_VERSION_ROOM_H
#define RAINBOW_VERSION_ROOM_H

#include "model.h"

/*
 * 0: it fits; *forced is the id of a version that has to end for it (version_force), 0: none. Else -ERROR_PRECONDITION, and err lists the
 * draining versions with their sessions. counts NULL: unknown. A version with a share is never forced; one that is being closed already
 * makes room for the one that it was forced for, and not for another.
 */
int version_room(const struct service *service, const struct counts *counts, struct instant now, uint32_t *forced,
		 struct error *err);
/* Of a max_versions that is lower than before: -ERROR_PRECONDITION if more are active; the others are on their way out. */
int version_room_check(const struct service *service, uint32_t before, struct error *err);
/* Its deadline is now, and closes what is left. */
void version_force(struct version *version, struct instant now);

#endif
