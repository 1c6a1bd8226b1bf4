/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Saves the pins of live sessions for a reboot (snapshot.h): every so often, in a thread of its own so that a slow disk holds up
 * neither the sweep nor the API, and when rainbowd stops. A failure is told once, until a save succeeds.
 */
#ifndef RAINBOW_SAVER_H
#define RAINBOW_SAVER_H

#include "daemon.h"

struct saver;

int saver_new(struct saver **out, struct daemon *daemon, struct error *err);
/* Waits for a save that runs. NULL is allowed. */
void saver_free(struct saver *saver);

/* Now, in this thread. */
int saver_save(struct datapath *dp, const char *state_dir, uint64_t *saved, struct error *err);

/*
 * Before maps are removed that no rainbowd holds: saves their pins if the database in state_dir is theirs, else err says why not.
 * -ERROR_NOT_FOUND: there are no maps, so nothing to save. *dp: those maps, open, or NULL.
 */
int saver_save_pinned(const char *pin_dir, const char *state_dir, struct datapath **dp, uint64_t *saved, struct error *err);

#endif
