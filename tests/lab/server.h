/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The parts of agent-server: what it was told, what it counted, its sessions, and the two protocols that carry them. */
#ifndef RAINBOW_LAB_SERVER_H
#define RAINBOW_LAB_SERVER_H

#include <stdio.h>
#include <sys/socket.h>

#include "tests/lab/agent.h"
#include "tests/lab/loop.h"

struct server_options {
	char label[AGENT_LABEL_SIZE];
	char backend[AGENT_LABEL_SIZE];
	unsigned long tokens;   /* in each answer */
	unsigned long pause_ms; /* between them */
	unsigned long think_ms; /* before the first of them, give or take a half */
	unsigned long resets;   /* of 1,000 sessions so many are reset while they wait for their second answer */
};
extern struct server_options server_options;

/* The server's own truth. accepted = live + all that ended; half-closed sessions are live. */
struct server_counts {
	unsigned long accepted;
	unsigned long live;
	unsigned long half_client; /* live, the client sent FIN */
	unsigned long half_server; /* live, we sent FIN */
	unsigned long ended_fin;   /* FIN both ways (UDP: END) */
	unsigned long ended_reset; /* an RST came */
	unsigned long ended_by_us; /* we sent an RST */
	unsigned long ended_other; /* any other error of the socket */
	unsigned long turns;       /* answered to the end */
	unsigned long wrong;       /* turns of sessions that are not ours */
};
extern struct server_counts server_counts;

struct session {
	struct loop_source source;       /* TCP: its connection; UDP: fd is -1 */
	struct loop_timer timer;         /* the next token */
	struct session *next, *previous; /* in the order of their beginning */

	/* UDP */
	struct session *same_slot;
	int socket; /* the listener it came by; -1 for TCP */
	struct sockaddr_storage peer;
	uint64_t nonce;

	uint64_t id;
	uint64_t context;
	unsigned long turn;        /* the last one asked */
	unsigned long tokens_left; /* of the answer under way */
	bool is_answering;
	bool is_doomed; /* to be reset */
	unsigned long hold_ms;
	bool holds, floods;
	bool client_finished, server_finished;
	int error; /* of a send, until it is counted; 0 none */
	struct agent_lines in;
	struct agent_output out;
};

/* session.c */
extern struct session *session_first;    /* the oldest */
struct session *session_new(int socket); /* NULL without memory; greeted by the caller's session_greet */
void session_greet(struct session *session);
void session_hear(struct session *session, char *line);
void session_free(struct session *session, unsigned long *end);
/* On command. Return whether the session was in a state for it. */
bool session_close(struct session *session);
bool session_half_close(struct session *session);
bool session_reset(struct session *session);
/* "<client address:port> <label> <backend> <id>" and a newline. */
void session_list(const struct session *session, FILE *to);

/* server_tcp.c, server_udp.c: 0 or -errno. */
int server_tcp_listen(uint16_t port);
int server_udp_listen(uint16_t port);
void server_tcp_flush(struct session *session);
void server_tcp_finish(struct session *session); /* our FIN */
void server_udp_send(struct session *session);
void server_udp_forget(struct session *session);
/* A socket for any address, IPv4 as well as IPv6, bound to port. The descriptor or -errno. */
int server_socket(int type, uint16_t port);

#endif
