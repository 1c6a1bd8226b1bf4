/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The race of new sessions against the operator: threads open short sessions as fast as they can and note when each began
 * and which version greeted it. If a command is a barrier (P2), no session that began after set-weight returned may have
 * been greeted by a version without a share.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/socket.h>

#include <common/duration.h>

#include "tests/lab/client.h"

#define THREADS 256

struct run {
	int64_t began, greeted; /* CLOCK_MONOTONIC nanoseconds; began is before connect */
	int error;              /* 0, or why there was no greeting */
	char label[AGENT_LABEL_SIZE];
};

static struct run *runs;
static unsigned long run_limit;
static atomic_ulong run_next;
static atomic_bool is_over;
static bool ends_by_reset;

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int greeting_read(int fd, char label[AGENT_LABEL_SIZE])
{
	char line[AGENT_LINE_SIZE];
	ssize_t n;

	if (client_options.is_udp && dprintf(fd, "OPEN %" PRIx64 "\n", agent_random()) < 0)
		return errno;
	n = recv(fd, line, sizeof(line) - 1, 0);
	if (n <= 0)
		return n == 0 ? ECONNRESET : errno;
	line[n] = '\0';
	return sscanf(line, "HELLO %31s", label) == 1 ? 0 : EPROTO;
}

static void session_run(struct run *run)
{
	int fd;

	run->began = now_ns();
	fd = client_socket(true);
	if (fd < 0) {
		run->error = -fd;
		return;
	}
	run->error = greeting_read(fd, run->label);
	run->greeted = now_ns();
	if (client_options.is_udp)
		dprintf(fd, "END\n");
	else if (ends_by_reset)
		agent_close_resets(fd);
	close(fd);
}

static void *racer(void *nothing)
{
	unsigned long n;

	while (!is_over && (n = atomic_fetch_add(&run_next, 1)) < run_limit)
		session_run(&runs[n]);
	return nothing;
}

static int runs_write(const char *path, unsigned long count)
{
	FILE *file = fopen(path, "w");
	unsigned long i;

	if (!file)
		return -errno;
	for (i = 0; i < count; i++) {
		if (runs[i].began)
			fprintf(file, "%" PRId64 " %" PRId64 " %s %s\n", runs[i].began, runs[i].greeted,
				runs[i].label[0] ? runs[i].label : "-", runs[i].error ? strerrorname_np(runs[i].error) : "ok");
	}
	return fclose(file) ? -errno : 0;
}

static unsigned long failures_count(unsigned long count)
{
	unsigned long i, failures = 0;

	for (i = 0; i < count; i++)
		failures += runs[i].error != 0;
	return failures;
}

static unsigned int threads_start(pthread_t *ids, unsigned long wanted)
{
	unsigned int started = 0;

	while (started < wanted && started < THREADS && !pthread_create(&ids[started], NULL, racer, NULL))
		started++;
	return started;
}

int client_race(unsigned long threads, unsigned long count, bool resets, const char *record)
{
	int64_t until = monotonic_ms() + (int64_t)client_options.duration_ms;
	unsigned int started, i;
	pthread_t ids[THREADS];
	int err;

	run_limit = count;
	ends_by_reset = resets;
	runs = calloc(count, sizeof(*runs));
	if (!runs)
		return 2;
	started = threads_start(ids, threads);
	while (started && monotonic_ms() < until && run_next < run_limit)
		usleep(5000);
	is_over = true;
	for (i = 0; i < started; i++)
		pthread_join(ids[i], NULL);
	count = run_next < run_limit ? run_next : run_limit;
	err = record ? runs_write(record, count) : 0;
	if (err)
		fprintf(stderr, "agent-client: %s: %s\n", record, strerror(-err));
	printf("{\"sessions\":%lu,\"failed\":%lu}\n", count, failures_count(count));
	free(runs);
	return err || !started ? 2 : 0;
}
