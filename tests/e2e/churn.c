// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sessions that open, turn, half-close, finish and reset at random, on reused ports, from several threads; and an exact account
 * of them by version, told at checkpoints at which nothing moves. P3 holds rainbow's counters against it.
 *
 *   churn (see ends.h) [--sessions N] [--threads N] [--seed N]
 *
 * Reads commands, one a line: "run N" (operations in all; then a checkpoint), "finish" (ends all sessions; likewise), "end". Each
 * checkpoint is one line of JSON: {"v1":{"live":1,"opened":9,"fin":4,"reset_client":3,"reset_server":1},...,"refused":0}
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/e2e/ends.h"

struct account {
	atomic_ulong live, opened, fin, reset_client, reset_server;
};

static struct ends ends;
static struct session_table table;
static struct account account[ENDS_VERSIONS];
static atomic_ulong refused; /* connects that failed otherwise than by a port still in TIME_WAIT */
static size_t sessions = 1000, threads = 4;
static uint64_t seed = 1;

static void account_end(const struct session *session, atomic_ulong *reason)
{
	account[session->version].live--;
	++*reason;
}

static void open_one(struct session *session)
{
	int error = session_open(&table, session);

	if (!error) {
		account[session->version].live++;
		account[session->version].opened++;
	} else if (error != -EADDRNOTAVAIL) {
		refused++;
	}
}

static void finish_one(struct session *session, bool client_first)
{
	if (!session->client_done && (client_first || session->server_done))
		session_finish(session, true);
	if (!session->server_done)
		session_finish(session, false);
	if (!session->client_done)
		session_finish(session, true);
	account_end(session, &account[session->version].fin);
	session_close(session);
}

static void half_close(struct session *session, bool by_client)
{
	if (session->client_done || session->server_done)
		finish_one(session, by_client);
	else
		session_finish(session, by_client);
}

static void reset_one(struct session *session, bool by_client)
{
	struct account *of = &account[session->version];

	account_end(session, by_client ? &of->reset_client : &of->reset_server);
	session_reset(session, by_client);
}

static void operate(struct session *session, uint64_t *state)
{
	uint32_t what = dice(state, 16);

	if (session->client < 0)
		open_one(session);
	else if (what < 7)
		half_close(session, what & 1);
	else if (what < 9)
		finish_one(session, what & 1);
	else if (what < 13)
		reset_one(session, what & 1);
	else if (!session->client_done && !session->server_done)
		session_turn(session, 1 + dice(state, 4000));
}

/* --- threads: each owns a part of the sessions ---------------------------------------------------------------------------- */

struct worker {
	pthread_t thread;
	size_t first, count, operations; /* operations 0: finish what is open */
	uint64_t state;
};

static void *work(void *arg)
{
	struct worker *worker = arg;

	ends_enter(ends.clients);
	for (size_t i = 0; i < worker->operations; i++)
		operate(&table.session[worker->first + dice(&worker->state, (uint32_t)worker->count)], &worker->state);
	for (size_t i = 0; !worker->operations && i < worker->count; i++)
		if (table.session[worker->first + i].client >= 0)
			finish_one(&table.session[worker->first + i], i & 1);
	return NULL;
}

static void run(struct worker *workers, size_t operations)
{
	for (size_t i = 0; i < threads; i++) {
		workers[i].operations = operations / threads;
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	for (size_t i = 0; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
}

static void checkpoint(void)
{
	printf("{");
	for (size_t i = 0; i < ends.versions; i++)
		printf("\"%s\":{\"live\":%lu,\"opened\":%lu,\"fin\":%lu,\"reset_client\":%lu,\"reset_server\":%lu},",
		       ends.version[i].label, account[i].live, account[i].opened, account[i].fin, account[i].reset_client,
		       account[i].reset_server);
	printf("\"refused\":%lu}\n", refused);
	fflush(stdout);
}

static void options(int argc, char **argv, int i)
{
	for (; i + 1 < argc; i += 2) {
		unsigned long value = strtoul(argv[i + 1], NULL, 10);

		if (!strcmp(argv[i], "--sessions") && value)
			sessions = value;
		else if (!strcmp(argv[i], "--threads") && value && value <= 64)
			threads = value;
		else if (!strcmp(argv[i], "--seed"))
			seed = value;
		else
			fail("%s %s is no option", argv[i], argv[i + 1]);
	}
	if (i < argc)
		fail("%s: too much", argv[i]);
	if (sessions < threads)
		fail("fewer sessions than threads");
}

int main(int argc, char **argv)
{
	struct worker workers[64] = {};
	char line[64];
	int rest;

	ends_parse(&ends, argc, argv, &rest);
	options(argc, argv, rest);
	ends_listen(&ends);
	sessions_init(&table, &ends, sessions);
	for (size_t i = 0; i < threads; i++)
		workers[i] =
		    (struct worker){.first = i * (sessions / threads), .count = sessions / threads, .state = seed * 1000 + i};
	while (fgets(line, sizeof(line), stdin) && strcmp(line, "end\n")) {
		run(workers, !strncmp(line, "run ", 4) ? strtoul(line + 4, NULL, 10) : 0);
		checkpoint();
	}
	return 0;
}
