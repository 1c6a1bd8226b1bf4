/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A stream of datagrams out of v1, into v0, to 10.9.0.1, and the socket that it is addressed to: what the hooks on v0 let
 * through is received there.
 */
#ifndef RAINBOW_TESTS_STREAM_H
#define RAINBOW_TESTS_STREAM_H

#include <pthread.h>
#include <stdbool.h>

#define STREAM_PORT 9000

struct stream {
	pthread_t thread;
	bool stop;
	int receiver;
	unsigned sent;
};

void stream_begin(struct stream *stream);
void stream_end(struct stream *stream);
/* How many came through since it was asked last. */
unsigned stream_received(struct stream *stream);

#endif
