/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The model on disk: SQLite in WAL mode with synchronous=FULL, so what was committed survives a power cut. One transaction a
 * command. One process has the state directory at a time. Nothing here decides.
 */
#ifndef RAINBOW_STORE_H
#define RAINBOW_STORE_H

#include <stddef.h>
#include <stdint.h>
#include "datapath.h"
#include "model.h"

struct store;

/* Makes the directory and the database if they are missing. ERROR_CONFLICT: another rainbowd has it; ERROR_PRECONDITION: it is of
 * a schema that this one does not know. */
int store_open(struct store **out, const char *state_dir, struct error *err);
void store_close(struct store *store);

int store_load(struct store *store, struct model *model, struct error *err);
/*
 * Replaces `before` by `after` (either may be NULL) in one transaction, all of it or nothing. stage writes all but its end, so that
 * little is left to fail: then one of commit (which may fail nevertheless) or abandon follows.
 */
int store_stage(struct store *store, const struct service *before, const struct service *after, struct error *err);
int store_commit(struct store *store, struct error *err);
void store_abandon(struct store *store);

/* The key of the selection hash; made at random with the database. It also tells whether maps and database belong together. */
int store_secret(struct store *store, uint64_t secret[2], struct error *err);

/* The interfaces that the operator wants hooked. */
int store_load_wishes(struct store *store, struct hook_wish *wishes, size_t max, size_t *count, struct error *err);
int store_save_wishes(struct store *store, const struct hook_wish *wishes, size_t count, struct error *err);

#endif
