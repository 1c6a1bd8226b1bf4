/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The parts of agent-client: what it was told, one session, the crowd of all sessions, and the race of new sessions. */
#ifndef RAINBOW_LAB_CLIENT_H
#define RAINBOW_LAB_CLIENT_H

#include <jansson.h>

#include <common/addr.h>

#include "tests/lab/agent.h"
#include "tests/lab/loop.h"

#define CLIENT_TARGETS  16
#define CLIENT_VERSIONS 64

struct client_options {
	struct endpoint target[CLIENT_TARGETS]; /* taken in turn */
	unsigned int targets;
	bool is_udp;
	unsigned long sessions;    /* to begin with */
	unsigned long rate;        /* of opening, a second */
	unsigned long interval_ms; /* between turns, give or take a quarter; 0: only when told */
	unsigned long timeout_ms;  /* for a greeting, an answer, an end */
	unsigned long turns;       /* a session ends after so many; 0: when told */
	bool replaces;             /* a session that ended by itself, or was reset by order, is followed by another */
	unsigned long duration_ms;
	struct rainbow_addr from;     /* first source address */
	unsigned long from_count;     /* addresses taken in turn; 0: what the kernel chooses */
	uint16_t port_low, port_high; /* source ports taken in turn; 0: what the kernel chooses */
};
extern struct client_options client_options;

/* What happened to the sessions of one version. opened = live + ended + reset + moved + lost + forced. */
struct client_version {
	char label[AGENT_LABEL_SIZE];
	bool expects_forced; /* the operator ordered it: a reset is no loss from now on */
	unsigned long opened, live, ended, reset, moved, lost, forced;
};

struct client_counts {
	unsigned long refused;    /* RST or ICMP before the greeting */
	unsigned long unanswered; /* no greeting in time */
	unsigned long failed;     /* no socket or port here */
	unsigned long turns, tokens;
	unsigned long slowest_ms; /* the longest way from a turn to the end of its answer */
};
extern struct client_counts client_counts;

enum session_state {
	SESSION_NONE = 0,
	SESSION_CONNECTING,
	SESSION_GREETING,    /* waits for HELLO */
	SESSION_READY,       /* between turns */
	SESSION_ASKED,       /* waits for DONE */
	SESSION_ENDING,      /* we sent FIN (UDP: END) and wait for theirs */
	SESSION_HALF_CLIENT, /* we sent FIN and the server holds its half */
	SESSION_HALF_SERVER, /* the server sent FIN and goes on listening */
	SESSION_STALLED,     /* does not read a server that floods */
	SESSION_STATES
};

struct session {
	struct loop_source source;
	struct loop_timer timer; /* next turn, or the deadline of what it waits for (UDP: or the next repetition) */
	size_t index;            /* in the crowd */
	enum session_state state;
	struct client_version *version; /* NULL until greeted */
	char backend[AGENT_LABEL_SIZE];
	uint64_t nonce, id, context;
	unsigned long turn;
	int64_t asked;                  /* when it began to wait for what it waits for */
	char question[AGENT_LINE_SIZE]; /* UDP: to be repeated */
	bool bye, half;                 /* the server told that its FIN comes, and what it means */
	uint16_t port;                  /* ours, for messages */
	struct agent_lines in;
	struct agent_output out;
};

/* client_session.c. A session that is over calls crowd_leave and frees itself. */
void session_open(void);
/* On command; return whether the session was in a state for it. */
bool session_ask(struct session *session);
bool session_end(struct session *session);
bool session_reset(struct session *session);
bool session_half_close(struct session *session);
bool session_stall(struct session *session);

/* client_socket.c: a socket that is connecting to the next target, or -errno. */
int client_socket(bool blocks);

/* client_crowd.c */
void crowd_join(struct session *session);
void crowd_leave(struct session *session, bool may_replace);
/* The record of a label; all beyond CLIENT_VERSIONS share the last. */
struct client_version *crowd_version(const char *label);
void crowd_start(void);
void crowd_end(void); /* ends all sessions; loop_stop is called when the last is gone, or after five seconds */
json_t *crowd_stats(void);
json_t *crowd_answer(int count, char **words);
bool crowd_is_whole(void); /* nothing moved, nothing lost */

/* client_race.c: threads open short sessions as fast as they can. Returns an exit code. */
int client_race(unsigned long threads, unsigned long count, bool resets, const char *record);

#endif
