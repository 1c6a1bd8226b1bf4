/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Closes sessions by force: finds them with a walk over the pins, closes them oldest first at the pace of pace.h, and asks their
 * ends until both have heard. What is to be closed is written in the model before, and is closed only as long as that says so; the
 * closer itself remembers nothing across a restart: the keeper orders again what is not finished.
 */
#ifndef RAINBOW_CLOSER_H
#define RAINBOW_CLOSER_H

#include "daemon.h"

struct closer;

enum closer_purpose {
	CLOSER_DEADLINE,
	CLOSER_EVICT,
	CLOSER_COUNT, /* only finds them: a dry run */
};

struct closer_order {
	enum closer_purpose purpose;
	uint32_t service;
	uint32_t version;
	struct instant cutoff; /* those that began at or before; 0: all */
	uint32_t rate;         /* sessions a second; 0: all within the grace time */
	/* Once they are found: how many sessions will be closed. May be NULL. */
	void (*found)(void *arg, int rc, uint64_t sessions, const struct error *err);
	void *arg;
};

int closer_new(struct closer **out, struct daemon *daemon, struct error *err);
void closer_free(struct closer *closer);
/* One order for the same version and purpose runs at a time; a later one takes its place (but for CLOSER_COUNT). */
void closer_start(struct closer *closer, const struct closer_order *order);
enum closer_state { CLOSER_NONE, CLOSER_BUSY, CLOSER_FINISHED };

/* How far such an order is. Finished: remembered until it is forgotten; a deadline only if its walk met nothing left to close. */
enum closer_state closer_state_of(const struct closer *closer, uint32_t version, enum closer_purpose purpose);
/* How many sessions it has closed so far. */
uint64_t closer_closed(const struct closer *closer, uint32_t version, enum closer_purpose purpose);
void closer_forget(struct closer *closer, uint32_t version, enum closer_purpose purpose);
/* To be called when the model has changed: abandons the orders that it no longer gives. */
void closer_review(struct closer *closer);
/* Asks the ends of killed sessions that the sweep found. */
void closer_ask_due(struct closer *closer, const struct rainbow_due *due, uint32_t count);

#endif
