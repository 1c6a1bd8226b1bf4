// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Two lists under one lock: jobs to run, jobs done. An eventfd wakes the loop for the second. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <errno.h>
#include <sys/eventfd.h>
#include <event2/event.h>
#include "worker.h"

struct worker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct work *waiting; /* the next first */
	struct work *finished;
	bool stop;
	int wake;
	struct event *event;
};

static void list_append(struct work **list, struct work *work)
{
	while (*list)
		list = &(*list)->next;
	work->next = NULL;
	*list = work;
}

static struct work *list_take(struct work **list)
{
	struct work *work = *list;

	if (work)
		*list = work->next;
	return work;
}

static void wake_loop(struct worker *worker)
{
	eventfd_write(worker->wake, 1);
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;

	pthread_mutex_lock(&worker->lock);
	for (;;) {
		struct work *work;

		while (!worker->waiting && !worker->stop)
			pthread_cond_wait(&worker->filled, &worker->lock);
		if (worker->stop)
			break;
		work = list_take(&worker->waiting);
		pthread_mutex_unlock(&worker->lock);
		work->run(work);
		pthread_mutex_lock(&worker->lock);
		list_append(&worker->finished, work);
		wake_loop(worker);
	}
	pthread_mutex_unlock(&worker->lock);
	return NULL;
}

static struct work *take_finished(struct worker *worker)
{
	struct work *work;

	pthread_mutex_lock(&worker->lock);
	work = list_take(&worker->finished);
	pthread_mutex_unlock(&worker->lock);
	return work;
}

static void hand_back(struct worker *worker)
{
	struct work *work;

	while ((work = take_finished(worker)))
		work->done(work);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	eventfd_t count;

	(void)what;
	eventfd_read(fd, &count);
	hand_back(arg);
}

/* Signals are for the loop's thread. */
static int start_thread(struct worker *worker)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&worker->thread, NULL, worker_main, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

int worker_new(struct worker **out, struct event_base *base, struct error *err)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	int rc;

	if (!worker)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->filled, NULL);
	worker->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	worker->event = event_new(base, worker->wake, EV_READ | EV_PERSIST, on_wake, worker);
	event_add(worker->event, NULL);
	rc = start_thread(worker);
	if (rc) {
		event_free(worker->event);
		close(worker->wake);
		free(worker);
		return error_set(err, ERROR_INTERNAL, NULL, "can not start a thread: %s", strerror(rc));
	}
	*out = worker;
	return 0;
}

void worker_submit(struct worker *worker, struct work *work)
{
	pthread_mutex_lock(&worker->lock);
	list_append(&worker->waiting, work);
	pthread_cond_signal(&worker->filled);
	pthread_mutex_unlock(&worker->lock);
}

void worker_free(struct worker *worker)
{
	struct work *work;

	if (!worker)
		return;
	pthread_mutex_lock(&worker->lock);
	worker->stop = true;
	pthread_cond_signal(&worker->filled);
	pthread_mutex_unlock(&worker->lock);
	pthread_join(worker->thread, NULL);
	while ((work = list_take(&worker->waiting))) {
		work->cancelled = true;
		work->done(work);
	}
	while ((work = list_take(&worker->finished))) {
		work->cancelled = true;
		work->done(work);
	}
	event_free(worker->event);
	close(worker->wake);
	pthread_cond_destroy(&worker->filled);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}
