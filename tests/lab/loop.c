/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The event loop: epoll, a binary heap of timers, a signalfd. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include <common/duration.h>

#include "tests/lab/loop.h"

#define BATCH 256

static int epoll_fd = -1;
static bool is_running;
static int64_t now_ms;

static struct loop_timer **heap; /* heap[1] is due first */
static size_t heap_count, heap_room;

static void **garbage;
static size_t garbage_count, garbage_room;

static struct loop_source signal_source = {.fd = -1};
static void (*signal_handler)(int signal);

/* --- timers ---------------------------------------------------------------------------------------------------------- */

static void heap_put(size_t place, struct loop_timer *timer)
{
	heap[place] = timer;
	timer->place = place;
}

static void heap_rise(size_t place, struct loop_timer *timer)
{
	for (; place > 1 && timer->due < heap[place / 2]->due; place /= 2)
		heap_put(place, heap[place / 2]);
	heap_put(place, timer);
}

static void heap_sink(size_t place, struct loop_timer *timer)
{
	size_t child;

	while ((child = place * 2) <= heap_count) {
		if (child < heap_count && heap[child + 1]->due < heap[child]->due)
			child++;
		if (timer->due <= heap[child]->due)
			break;
		heap_put(place, heap[child]);
		place = child;
	}
	heap_put(place, timer);
}

static void *grow(void *array, size_t *room, size_t needed)
{
	if (needed < *room)
		return array;
	*room = needed * 2 + 64;
	array = realloc(array, *room * sizeof(void *));
	if (!array)
		abort(); /* a tool for tests: without memory there is no result */
	return array;
}

void loop_timer_unset(struct loop_timer *timer)
{
	size_t place = timer->place;
	struct loop_timer *last;

	if (!place)
		return;
	timer->place = 0;
	last = heap[heap_count--];
	if (last == timer)
		return;
	if (place > 1 && last->due < heap[place / 2]->due)
		heap_rise(place, last);
	else
		heap_sink(place, last);
}

void loop_timer_set(struct loop_timer *timer, int64_t after_ms)
{
	loop_timer_unset(timer);
	timer->due = now_ms + after_ms;
	heap = grow(heap, &heap_room, heap_count + 2);
	heap_rise(++heap_count, timer);
}

static void timers_fire(void)
{
	struct loop_timer *timer;

	while (heap_count && heap[1]->due <= now_ms && is_running) {
		timer = heap[1];
		loop_timer_unset(timer);
		timer->fire(timer);
	}
}

static int timers_wait(void)
{
	if (!heap_count)
		return 1000;
	if (heap[1]->due <= now_ms)
		return 0;
	return heap[1]->due - now_ms > 1000 ? 1000 : (int)(heap[1]->due - now_ms);
}

/* --- sources --------------------------------------------------------------------------------------------------------- */

int loop_watch(struct loop_source *source, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	if (epoll_ctl(epoll_fd, source->is_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, source->fd, &event))
		return -errno;
	source->is_watched = true;
	return 0;
}

void loop_close(struct loop_source *source)
{
	if (source->fd < 0)
		return;
	close(source->fd);
	source->fd = -1;
	source->is_watched = false;
}

void loop_free(void *memory)
{
	garbage = grow(garbage, &garbage_room, garbage_count + 1);
	garbage[garbage_count++] = memory;
}

static void garbage_free(void)
{
	while (garbage_count)
		free(garbage[--garbage_count]);
}

static void signal_ready(struct loop_source *source, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)events;
	if (read(source->fd, &info, sizeof(info)) == sizeof(info))
		signal_handler((int)info.ssi_signo);
}

int loop_on_signal(void (*handler)(int signal))
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal_handler = handler;
	signal_source.ready = signal_ready;
	signal_source.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return signal_source.fd < 0 ? -errno : loop_watch(&signal_source, EPOLLIN);
}

/* --- the loop -------------------------------------------------------------------------------------------------------- */

int loop_init(void)
{
	signal(SIGPIPE, SIG_IGN);
	now_ms = monotonic_ms();
	is_running = true;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return epoll_fd < 0 ? -errno : 0;
}

int64_t loop_now(void)
{
	return now_ms;
}

void loop_stop(void)
{
	is_running = false;
}

void loop_run(void)
{
	struct epoll_event events[BATCH];
	struct loop_source *source;
	int i, n;

	while (is_running) {
		n = epoll_wait(epoll_fd, events, BATCH, timers_wait());
		now_ms = monotonic_ms();
		for (i = 0; i < n && is_running; i++) {
			source = events[i].data.ptr;
			if (source->fd >= 0)
				source->ready(source, events[i].events);
		}
		timers_fire();
		garbage_free();
	}
}
