/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The event loop of the lab's agents: epoll, timers, signals. One loop a process. epoll is used bare, since a session that
 * does not read (events 0) must still hear of an RST (EPOLLERR), which event libraries hide.
 */
#ifndef RAINBOW_LAB_LOOP_H
#define RAINBOW_LAB_LOOP_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

struct loop_source {
	int fd; /* -1: closed; no event is delivered any more */
	bool is_watched;
	void (*ready)(struct loop_source *source, uint32_t events);
};

struct loop_timer {
	int64_t due;  /* CLOCK_MONOTONIC milliseconds */
	size_t place; /* in the heap, from 1; 0: not set */
	void (*fire)(struct loop_timer *timer);
};

/* Return 0 or -errno. */
int loop_init(void);
/* Takes SIGINT, SIGTERM and SIGUSR1 out of their usual course and gives them to the handler, between events. */
int loop_on_signal(void (*handler)(int signal));
/* Begins to watch, or changes the events watched (EPOLLIN, EPOLLOUT, ... or 0 for errors only). */
int loop_watch(struct loop_source *source, uint32_t events);
/* Closes the descriptor; -1 is fine. The memory must live on until the current event is done: see loop_free. */
void loop_close(struct loop_source *source);
/* Frees memory (malloc) once no event of the current batch can refer to it. */
void loop_free(void *memory);

void loop_timer_set(struct loop_timer *timer, int64_t after_ms); /* from now; replaces what was set */
void loop_timer_unset(struct loop_timer *timer);

int64_t loop_now(void); /* of the current event, CLOCK_MONOTONIC milliseconds */
void loop_run(void);    /* until loop_stop */
void loop_stop(void);

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#endif
