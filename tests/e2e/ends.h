/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Both ends of TCP sessions in one process: a thread makes sockets in the network namespace it has entered, so one program can
 * be the clients and all the backends, and knows of each session what both its stacks know. That is the truth that the tests
 * hold rainbow's counts against.
 *
 * Command line of all such programs:
 *   --clients NAMESPACE --service ADDR:PORT --version LABEL,NAMESPACE,ADDR:PORT ...
 *
 * Whatever a test did not expect ends the program with a sentence and exit code 1; waits are bounded by ENDS_PATIENCE.
 */
#ifndef RAINBOW_TESTS_ENDS_H
#define RAINBOW_TESTS_ENDS_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define ENDS_PATIENCE 20 /* seconds */
#define ENDS_VERSIONS 16

union endpoint {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct ends_version {
	char label[32];
	int netns;
	union endpoint at;
	int listener;
};

struct ends {
	int clients; /* network namespace */
	union endpoint service;
	struct ends_version version[ENDS_VERSIONS];
	size_t versions;
};

/* Takes the common options off argv; *rest is the index of the first other word. */
void ends_parse(struct ends *ends, int argc, char **argv, int *rest);
/* Moves the calling thread. */
void ends_enter(int netns);
/* Listens at each version's address. */
void ends_listen(struct ends *ends);
size_t endpoint_size(const union endpoint *at);

/* Says why and exits. */
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
int64_t now_ns(void); /* CLOCK_MONOTONIC */
/* A small generator of its own for each thread: repeatable by its seed. */
uint32_t dice(uint64_t *state, uint32_t sides);

/* One session. Each has a client address and port of its own for all its life, so opening it again reuses them. */
struct session {
	int client; /* -1: closed */
	int server;
	int version;                   /* index in ends */
	bool client_done, server_done; /* has sent its FIN */
	union endpoint from;
};

struct session_table {
	struct ends *ends;
	struct session *session;
	size_t count;
	pthread_mutex_t lock; /* over `server` and `version` while a session opens */
	pthread_cond_t accepted;
};

/* Starts the threads that accept. The sessions are closed. */
void sessions_init(struct session_table *table, struct ends *ends, size_t count);
/* By a thread in the clients' namespace. 0 when both ends have it, or -errno of connect. */
int session_open(struct session_table *table, struct session *session);
/* The client sends `size` bytes, the server sends them back, both compare. */
void session_turn(struct session *session, size_t size);
/* One end sends its FIN; returns when the other has it. */
void session_finish(struct session *session, bool by_client);
/* One end sends RST; returns when the other has it. */
void session_reset(struct session *session, bool by_client);
/* Both have sent their FINs, or nobody cares any more. */
void session_close(struct session *session);

#endif
