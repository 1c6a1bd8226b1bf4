/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* rainbowd put together: what main.c starts, the API commands, and the keeper keeps. Lives in the event loop's thread. */
#ifndef RAINBOW_DAEMON_H
#define RAINBOW_DAEMON_H

#include "datapath.h"
#include "ids.h"
#include "model.h"

struct api;
struct census;
struct closer;
struct duties;
struct event_base;
struct fetch;
struct events;
struct ghosts;
struct hook;
struct keeper;
struct note;
struct pilot;
struct probe;
struct restore;
struct samples;
struct saver;
struct sources;
struct store;
struct worker;

struct daemon_config {
	const char *state_dir;
	const char *socket;
	const char *pin_dir;
	uint32_t pins; /* 0: as they are, or the default */
	uint32_t nursery;
	int64_t save_every_ms; /* the pins, for a reboot; 0: only at the end */
	uint32_t history;      /* rows that are kept; 0: HISTORY_ROWS */
	struct hook_wish wishes[RAINBOW_MAX_HOOKS];
	size_t wish_count; /* 0: those of the database */
};

struct daemon {
	struct daemon_config config; /* wishes: those in force */
	struct instant started;
	struct event_base *base;
	struct datapath *datapath;
	struct store *store;
	struct model model;
	struct ids ids;
	uint64_t secret[2];
	struct probe *
	    probe; /* NULL: no raw sockets; idle sessions then hear of their end with their next packet, and no ghost is found */
	struct samples *samples;
	struct fetch *fetch;
	struct hook *hook;
	struct sources *sources;
	struct worker *worker;
	struct census *census;
	struct closer *closer;
	struct ghosts *ghosts;
	struct keeper *keeper;
	struct duties *duties;
	struct pilot *pilot;
	struct saver *saver;
	struct restore *restore; /* NULL: nobody is to be asked */
	struct events *events;   /* who listens to the history */
	struct note *asking;     /* of the command whose handler runs now; NULL: none does */
	struct api *api;
	bool made;   /* the maps were not there before */
	bool remove; /* on the way out, remove hooks and maps */
};

/* Everything up to and with the open socket. */
int daemon_start(struct daemon *daemon, const struct daemon_config *config, struct error *err);
/* Runs until a signal or a detach order; returns the exit code. */
int daemon_run(struct daemon *daemon);
/* Leaves the datapath running, unless `remove` is set. */
void daemon_stop(struct daemon *daemon);

/* Attaches what is wished and not attached. Returns how many are attached. err: of the last that failed. */
size_t daemon_attach(struct daemon *daemon, struct error *err);
/* SIGHUP: maps from the model again, hooks again. */
void daemon_reload(struct daemon *daemon);

#endif
