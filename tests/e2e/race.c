// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * New sessions, from several threads without a pause, while commands change where they go. Each command is sent to rainbowd's API
 * here, so that no process start lies between its answer and the clock. P2: a session that began (connect was called) after
 * the answer and was there before the next command goes where the command said.
 *
 *   race (see ends.h) --socket PATH [--threads N] [--sessions N] < commands
 *
 * After each command it waits for N sessions to be judged (500), then sends the next. A command is a line "LABEL[,LABEL...] METHOD PATH [BODY]": the versions that may get new sessions once it has returned. Prints
 * a line of facts for each, and exits 1 if any session went wrong.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "tests/e2e/ends.h"

#define THREADS_MAX  32
#define COMMANDS_MAX 1000

/* What one thread met, in the order of time. */
struct seen {
	int64_t began, opened; /* CLOCK_MONOTONIC: before connect, after the greeting */
	int version;
};

struct racer {
	pthread_t thread;
	size_t count, room;
	struct seen *seen;
	size_t failed;
};

struct order {
	char allowed[128];
	char method[8];
	char path[160];
	char body[256];
	int64_t sent, answered;
};

static struct ends ends;
static struct order orders[COMMANDS_MAX];
static size_t order_count;
static const char *socket_path;
static size_t threads = 8;
static size_t sessions = 500;
static atomic_bool over;
static atomic_llong answered;      /* when the last command was */
static atomic_size_t after_it;     /* sessions that began later than that, and are open */
static atomic_int_fast64_t latest; /* beginning of a session that has opened; of several, nearly the last */

/* --- servers: greet with the number of their version ----------------------------------------------------------------------- */

static void *greet_all(void *arg)
{
	const struct linger abort = {.l_onoff = 1};
	size_t version = (size_t)arg;

	for (;;) {
		int fd = accept4(ends.version[version].listener, NULL, NULL, SOCK_CLOEXEC);
		char greeting = (char)('0' + version), byte;

		if (fd < 0)
			continue;
		if (send(fd, &greeting, 1, MSG_NOSIGNAL) == 1)
			recv(fd, &byte, 1, 0); /* the client resets it: no TIME_WAIT on either side, so ports never run out */
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
		close(fd);
	}
	return NULL;
}

/* Several a version: one waits for its client's reset. */
static void greeters_start(void)
{
	for (size_t i = 0; i < ends.versions; i++)
		for (size_t n = 0; n < threads; n++) {
			pthread_t thread;

			pthread_create(&thread, NULL, greet_all, (void *)i);
			pthread_detach(thread);
		}
}

/* --- clients --------------------------------------------------------------------------------------------------------------- */

static void seen_add(struct racer *racer, struct seen seen)
{
	if (racer->count == racer->room) {
		racer->room = racer->room ? 2 * racer->room : 4096;
		racer->seen = realloc(racer->seen, racer->room * sizeof(*racer->seen));
		if (!racer->seen)
			fail("no memory");
	}
	racer->seen[racer->count++] = seen;
}

static void session_try(struct racer *racer)
{
	const struct timeval patience = {.tv_sec = ENDS_PATIENCE};
	const struct linger abort = {.l_onoff = 1};
	struct seen seen = {.began = now_ns()};
	int fd = socket(ends.service.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char greeting = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
	if (!connect(fd, &ends.service.any, (socklen_t)endpoint_size(&ends.service)) && recv(fd, &greeting, 1, 0) == 1) {
		seen.opened = now_ns();
		seen.version = greeting - '0';
		seen_add(racer, seen);
		after_it += seen.began > answered;
		latest = seen.began;
	} else {
		racer->failed++;
	}
	close(fd);
}

static void *race(void *arg)
{
	ends_enter(ends.clients);
	while (!over)
		session_try(arg);
	return NULL;
}

/* --- commands -------------------------------------------------------------------------------------------------------------- */

static void orders_read(void)
{
	char line[640];

	while (fgets(line, sizeof(line), stdin)) {
		struct order *order = &orders[order_count];

		if (order_count == COMMANDS_MAX)
			fail("more than %d commands", COMMANDS_MAX);
		if (sscanf(line, "%127s %7s %159s %255[^\n]", order->allowed, order->method, order->path, order->body) < 3)
			fail("no command: %s", line);
		order_count++;
	}
}

/* HTTP/1.0: the answer ends with the connection. */
static void order_send(struct order *order)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char request[640], answer[2048];
	size_t length = 0;
	ssize_t got;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", socket_path);
	snprintf(request, sizeof(request), "%s %s HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		 order->method, order->path, strlen(order->body), order->body);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)))
		fail("%s: %s", socket_path, strerror(errno));
	order->sent = now_ns();
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
		fail("rainbowd takes no command: %s", strerror(errno));
	got = recv(fd, answer, sizeof(answer) - 1, 0);
	order->answered = now_ns();
	for (; got > 0; got = recv(fd, answer + length, sizeof(answer) - 1 - length, 0))
		length += (size_t)got;
	answer[length] = '\0';
	if (strncmp(answer + 8, " 200", 4))
		fail("%s %s %s was answered: %s", order->method, order->path, order->body, answer);
	close(fd);
}

static void sessions_await(const char *path)
{
	const struct timespec tick = {.tv_nsec = 1000000};
	int64_t until = now_ns() + ENDS_PATIENCE * 1000000000ll;

	for (after_it = 0; after_it < sessions; nanosleep(&tick, NULL))
		if (now_ns() > until)
			fail("%s: only %zu of %zu sessions came after it", path, (size_t)after_it, sessions);
}

static void orders_send(void)
{
	sessions_await("the beginning");
	for (size_t i = 0; i < order_count; i++) {
		order_send(&orders[i]);
		answered = orders[i].answered;
		sessions_await(orders[i].path);
	}
}

/* --- the judgement ---------------------------------------------------------------------------------------------------------- */

static bool is_allowed(const struct order *order, int version)
{
	char wanted[40], all[160];

	snprintf(all, sizeof(all), ",%.128s,", order->allowed);
	snprintf(wanted, sizeof(wanted), ",%s,", ends.version[version].label);
	return strstr(all, wanted) != NULL;
}

/* Returns how many went wrong. */
static size_t judge(const struct order *order, int64_t next_sent, const struct racer *racers)
{
	size_t judged = 0, wrong = 0;
	int64_t soonest = INT64_MAX, latest_wrong = 0;

	for (size_t r = 0; r < threads; r++)
		for (size_t i = 0; i < racers[r].count; i++) {
			const struct seen *seen = &racers[r].seen[i];

			if (seen->began <= order->answered || seen->opened >= next_sent)
				continue;
			judged++;
			if (seen->began - order->answered < soonest)
				soonest = seen->began - order->answered;
			if (!is_allowed(order, seen->version)) {
				wrong++;
				latest_wrong = seen->began - order->answered;
			}
		}
	printf("%s: answered in %ld us; then %zu sessions, the first %ld us later; %zu wrong", order->allowed,
	       (order->answered - order->sent) / 1000, judged, judged ? soonest / 1000 : -1, wrong);
	if (wrong)
		printf(", one of them %ld us after the answer", latest_wrong / 1000);
	printf("\n");
	return wrong;
}

static void options(int argc, char **argv, int i)
{
	for (; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--socket"))
			socket_path = argv[i + 1];
		else if (!strcmp(argv[i], "--threads"))
			threads = strtoul(argv[i + 1], NULL, 10);
		else if (!strcmp(argv[i], "--sessions"))
			sessions = strtoul(argv[i + 1], NULL, 10);
		else
			fail("%s %s is no option", argv[i], argv[i + 1]);
	}
	if (!socket_path || threads < 1 || threads > THREADS_MAX || !sessions)
		fail("--socket PATH, --threads 1 to %d and --sessions 1 or more are wanted", THREADS_MAX);
}

int main(int argc, char **argv)
{
	struct racer racers[THREADS_MAX] = {};
	size_t wrong = 0, failed = 0, all = 0;
	int rest;

	ends_parse(&ends, argc, argv, &rest);
	options(argc, argv, rest);
	orders_read();
	ends_listen(&ends);
	greeters_start();
	for (size_t i = 0; i < threads; i++)
		pthread_create(&racers[i].thread, NULL, race, &racers[i]);
	orders_send();
	over = true;
	for (size_t i = 0; i < threads; i++) {
		pthread_join(racers[i].thread, NULL);
		failed += racers[i].failed;
		all += racers[i].count;
	}
	for (size_t i = 0; i < order_count; i++)
		wrong += judge(&orders[i], i + 1 < order_count ? orders[i + 1].sent : INT64_MAX, racers);
	printf("%zu commands, %zu sessions, %zu failed, %zu wrong\n", order_count, all, failed, wrong);
	return wrong || failed || !order_count;
}
