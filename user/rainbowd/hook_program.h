/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Between hook.c and hook_program.c alone: a hook on its way. */
#ifndef RAINBOW_HOOK_PROGRAM_H
#define RAINBOW_HOOK_PROGRAM_H

#include <sys/queue.h>
#include <sys/types.h>
#include "hook.h"

#define HOOK_TAIL_SIZE 1024 /* so much of the end of what a program says is kept */

struct event;

struct hook_run {
	TAILQ_ENTRY(hook_run) entry;
	struct hook *hook;
	hook_done done;
	void *arg;
	bool is_program;
	char *place;
	json_t *facts;
	int64_t timeout_ms;
	/* a program: */
	pid_t pid;         /* 0: not running (any more) */
	int pidfd, output; /* -1: none */
	struct event *begun, *ended, *spoke, *late;
	bool timed_out;
	char tail[HOOK_TAIL_SIZE]; /* not terminated */
	size_t tail_length;
};

struct hook {
	struct event_base *base;
	struct fetch *fetch;
	TAILQ_HEAD(, hook_run) runs;
};

/* 0, or -ENOMEM; the program starts from the loop. */
int hook_program_begin(struct hook_run *run);
/* Kills and reaps what still runs, and lets go of all that belongs to the program. No harm for a URL. */
void hook_program_end(struct hook_run *run);
/* Calls back and frees the run. fact: "exit code 3"; said: what was said, its last line is kept. */
void hook_finish(struct hook_run *run, enum hook_outcome outcome, int code, const char *fact, const char *said, size_t length);

#endif
