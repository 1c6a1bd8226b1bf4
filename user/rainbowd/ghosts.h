/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Asks the clients of idle sessions whether they are still there, at a pace of its own: the sweep lists them (bpf/ghost.h, which
 * decides), this sends, and reports to the kernel side each ask that the network took. What could not be sent, or was listed too
 * long ago (rainbowd was stopped), has not been asked.
 */
#ifndef RAINBOW_GHOSTS_H
#define RAINBOW_GHOSTS_H

#include "daemon.h"

struct ghosts;

int ghosts_new(struct ghosts **out, struct daemon *daemon, struct error *err);
void ghosts_free(struct ghosts *ghosts);
/* How many sessions the next sweep may list, if there is one every pause_ms. */
uint32_t ghosts_limit(const struct ghosts *ghosts, int64_t pause_ms);
/* What a sweep that began then has listed; those told to die among them are the closer's. */
void ghosts_take(struct ghosts *ghosts, const struct rainbow_due *due, uint32_t count, int64_t listed_ms);

#endif
