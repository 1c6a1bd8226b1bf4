/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The protocol between agent-client and agent-server: an AI agent in small. A session is a conversation in turns; the server
 * streams each answer in tokens, with pauses, and keeps a context, a hash of all that was said, which the client computes as
 * well. So a session that meets another server, or another version, or a restarted one, is noticed in its next turn.
 *
 * One line a message (over UDP one datagram a message), at most AGENT_LINE_SIZE bytes with its newline.
 *   client  OPEN <nonce>                UDP only: begins a session; the same nonce again is a repetition
 *   server  HELLO <label> <backend> <session>     a session begins
 *   client  TURN <n> <text>             n counts from 1
 *   server  TOKEN <n> <i> ...           some, and then
 *           DONE <n> <label> <backend> <session> <context>
 *   client  HOLD <ms>                   my FIN, next, is not the end: keep your half; a TOKEN each ms (0: none)
 *           FLOOD                       send TOKENs without a pause from now on
 *           END                         UDP only: what FIN is to TCP
 *   server  BYE                         my FIN, next, is the end (over UDP: this is the end)
 *           HALF                        my FIN, next, is not the end: I go on listening
 *           WRONG <why>                 not a turn of a session that I know
 */
#ifndef RAINBOW_LAB_AGENT_H
#define RAINBOW_LAB_AGENT_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <sys/types.h>

#define AGENT_LINE_SIZE  256
#define AGENT_LABEL_SIZE 32 /* version labels and backend names, with the closing NUL */

/* What was read and not yet taken as lines. */
struct agent_lines {
	size_t length;
	char buf[AGENT_LINE_SIZE];
};

/* What is to be written. A line that does not fit is dropped: only a peer that does not read gets there. */
struct agent_output {
	size_t length;
	char buf[2 * AGENT_LINE_SIZE];
};

/* The context after a turn; the first context is the session's id. */
uint64_t agent_context(uint64_t context, unsigned long turn, const char *text);
uint64_t agent_random(void);

/* Reads what there is room for. Bytes read, 0 at FIN, -errno. */
ssize_t agent_lines_read(struct agent_lines *lines, int fd);
/* Takes the next whole line, without its newline, into line. false: there is none yet. An overlong line is cut. */
bool agent_lines_take(struct agent_lines *lines, char line[AGENT_LINE_SIZE]);

void agent_output_add(struct agent_output *output, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Writes what the socket takes. 0 or -errno; -EAGAIN is no error: output->length tells what is left. */
int agent_output_write(struct agent_output *output, int fd);

/* Lets the process have that many descriptors, as far as it may. */
void agent_raise_descriptors(unsigned long count);
/* Makes the next close an RST. */
void agent_close_resets(int fd);

#endif
