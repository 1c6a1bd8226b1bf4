// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sessions in every condition a drain may meet at its deadline, and what each of their ends hears. P8: both hear a reset.
 *
 *   forced (see ends.h) [--each N] [--patience SECONDS]
 *
 * Opens N sessions of each condition, prints "ready N" (sessions in all), and keeps the busy ones talking until every end of every
 * session has an error or patience is over. Then a line a condition; exit code 0 if all ends heard a reset. An end whose peer had
 * finished hears EPIPE, which is Linux's word for a reset in CLOSE_WAIT.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "tests/e2e/ends.h"

enum condition { IDLE, BUSY, HALF_CLIENT, HALF_SERVER, FULL_CLIENT, FULL_SERVER, CONDITIONS };

static const char *const condition_names[CONDITIONS] = {
    [IDLE] = "idle",
    [BUSY] = "busy",
    [HALF_CLIENT] = "half-closed by the client",
    [HALF_SERVER] = "half-closed by the server",
    [FULL_CLIENT] = "the client's window is zero",
    [FULL_SERVER] = "the server's window is zero",
};

static struct ends ends;
static struct session_table table;
static size_t each = 10;
static long patience = 30;

struct heard {
	int client, server; /* errno; 0: nothing yet */
};

/* Sends until nothing more goes: the receiver's window and our buffer are full. */
static void fill(int from, int to)
{
	const struct timeval soon = {.tv_usec = 50000};
	static const char bytes[4096];
	const int small = 4096;

	setsockopt(to, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	setsockopt(from, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	setsockopt(from, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon));
	for (int i = 0; i < 10000; i++)
		if (send(from, bytes, sizeof(bytes), MSG_NOSIGNAL) < 0) {
			if (errno != EAGAIN)
				fail("filling a window: %s", strerror(errno));
			return;
		}
	fail("a window does not fill");
}

static void prepare(struct session *session, enum condition condition)
{
	int error = session_open(&table, session);

	if (error)
		fail("connect: %s", strerror(-error));
	session_turn(session, 100);
	if (condition == HALF_CLIENT || condition == HALF_SERVER)
		session_finish(session, condition == HALF_CLIENT);
	else if (condition == FULL_CLIENT)
		fill(session->server, session->client);
	else if (condition == FULL_SERVER)
		fill(session->client, session->server);
}

/* Notes an end's first error. A busy one is busy here; the others are only asked. */
static void hear(int fd, bool is_busy, int *heard)
{
	static char bytes[16384];
	socklen_t size = sizeof(*heard);
	ssize_t n;

	if (*heard)
		return;
	if (!is_busy) {
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, heard, &size))
			fail("SO_ERROR: %s", strerror(errno));
		return;
	}
	n = send(fd, bytes, 1000, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n >= 0 || errno == EAGAIN)
		n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (n == 0)
		*heard = ENODATA; /* a FIN: not what was promised */
	else if (n < 0 && errno != EAGAIN)
		*heard = errno;
}

/* Returns how many ends have heard something. */
static size_t hear_all(struct heard *heard)
{
	size_t ends_heard = 0;

	for (size_t i = 0; i < table.count; i++) {
		bool is_busy = i / each == BUSY;

		hear(table.session[i].client, is_busy, &heard[i].client);
		hear(table.session[i].server, is_busy, &heard[i].server);
		ends_heard += (heard[i].client != 0) + (heard[i].server != 0);
	}
	return ends_heard;
}

static bool is_reset(int error, bool peer_finished)
{
	return error == ECONNRESET || (peer_finished && error == EPIPE);
}

/* Returns how many ends heard something else. */
static size_t report(enum condition condition, const struct heard *heard)
{
	size_t clients = 0, servers = 0;
	int wrong_client = 0, wrong_server = 0;

	for (size_t i = condition * each; i < (condition + 1) * each; i++) {
		if (is_reset(heard[i].client, condition == HALF_SERVER))
			clients++;
		else
			wrong_client = heard[i].client;
		if (is_reset(heard[i].server, condition == HALF_CLIENT))
			servers++;
		else
			wrong_server = heard[i].server;
	}
	printf("%s: of %zu sessions %zu clients and %zu servers heard a reset", condition_names[condition], each, clients,
	       servers);
	if (clients < each)
		printf("; a client heard: %s", wrong_client ? strerror(wrong_client) : "nothing");
	if (servers < each)
		printf("; a server heard: %s", wrong_server ? strerror(wrong_server) : "nothing");
	printf("\n");
	return 2 * each - clients - servers;
}

static void options(int argc, char **argv, int i)
{
	for (; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--each"))
			each = strtoul(argv[i + 1], NULL, 10);
		else if (!strcmp(argv[i], "--patience"))
			patience = strtol(argv[i + 1], NULL, 10);
		else
			fail("%s %s is no option", argv[i], argv[i + 1]);
	}
	if (each < 1 || each > 1000)
		fail("--each 1 to 1000 is wanted");
}

int main(int argc, char **argv)
{
	const struct timespec pause = {.tv_nsec = 5000000};
	struct heard *heard;
	size_t wrong = 0;
	int64_t until;
	int rest;

	ends_parse(&ends, argc, argv, &rest);
	options(argc, argv, rest);
	ends_listen(&ends);
	sessions_init(&table, &ends, each * CONDITIONS);
	heard = calloc(table.count, sizeof(*heard));
	for (size_t i = 0; i < table.count; i++)
		prepare(&table.session[i], (enum condition)(i / each));
	printf("ready %zu\n", table.count);
	fflush(stdout);
	until = now_ns() + patience * 1000000000ll;
	while (hear_all(heard) < 2 * table.count && now_ns() < until)
		nanosleep(&pause, NULL);
	for (int condition = 0; condition < CONDITIONS; condition++)
		wrong += report((enum condition)condition, heard);
	return wrong != 0;
}
