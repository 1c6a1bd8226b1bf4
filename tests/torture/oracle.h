/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The parts of the oracle: what it was told, what the chaos ordered (excuses), one session with its history, and the crowd of all
 * sessions. The sessions speak the protocol of tests/lab/agent.h with agent-servers, by way of rainbow.
 */
#ifndef RAINBOW_TORTURE_ORACLE_H
#define RAINBOW_TORTURE_ORACLE_H

#include <jansson.h>

#include <common/addr.h>

#include "tests/lab/agent.h"
#include "tests/lab/loop.h"

struct oracle_options {
	struct endpoint to;
	struct rainbow_addr from; /* the first of `addresses` source addresses, taken in turn */
	unsigned long addresses;
	unsigned long sessions; /* to be kept open: each that ended is followed by another */
	unsigned long rate;     /* of opening, a second */
	unsigned long timeout_ms;
	uint64_t seed;
	const char *events; /* the file that the chaos writes its events to: "<monotonic ms> <text>" a line */
};
extern struct oracle_options oracle_options;

/* Numbers of this oracle alone, in the order that the seed gives. */
uint64_t oracle_random(void);
/* true for `percent` of 100 calls. */
bool oracle_chance(unsigned int percent);

/* --- oracle_excuse.c: what the chaos ordered, and when ------------------------------------------------------------------ */

enum excuse_kind {
	EXCUSE_FORCED = 0, /* sessions of a version are closed by order: name is its label */
	EXCUSE_CRASHED,    /* a backend was killed: name is the backend */
	EXCUSE_REFUSED,    /* new sessions may be refused or get no answer: name is why */
	EXCUSE_DELAYED,    /* answers may take longer than the timeout: name is why */
	EXCUSE_KINDS
};

/* From now on it holds (is_on), or no longer. A name of NULL stands for all. Returns 0 or -errno. */
int excuse_set(enum excuse_kind kind, const char *name, bool is_on);
/* Did it hold at any time since? (loop_now milliseconds) A name of NULL: for anybody. */
bool excuse_held(enum excuse_kind kind, const char *name, int64_t since);
int excuse_kind_parse(const char *word, enum excuse_kind *kind);

/*
 * Where new sessions may go. P2 is judged by it: the chaos says "any" before a change of weights, and the labels with a share after
 * its command has returned. A session may be of any version that was allowed between its opening and its greeting (its SYN may have
 * been lost and repeated), or that a steer rule for its address allowed.
 */
#define ALLOWED_ANY "any"
void allow_set(const char *labels); /* "v1,v3" or "any" */
/* A steer rule; labels NULL: there is none any more. Of several that fit, any may have been followed. */
int steer_set(const char *cidr, const char *labels);
unsigned long allow_generation(void);
bool allow_holds(const char *label, const struct rainbow_addr *client, unsigned long since_generation);

/* --- oracle_session.c --------------------------------------------------------------------------------------------------- */

enum session_state {
	SESSION_NONE = 0,
	SESSION_CONNECTING,
	SESSION_GREETING, /* waits for HELLO */
	SESSION_READY,    /* between turns */
	SESSION_ASKED,    /* waits for DONE */
	SESSION_ENDING,   /* we sent FIN and wait for theirs */
	SESSION_HALF,     /* we sent FIN and the server holds its half */
	SESSION_STALLED,  /* does not read a server that floods */
	SESSION_STATES
};

#define MOMENTS 10
struct moment {
	int64_t at;
	const char *what; /* a constant */
	unsigned long turn;
};

struct session {
	struct loop_source source;
	struct loop_timer timer; /* what it does next, or the deadline of what it waits for */
	size_t index;            /* in the crowd */
	enum session_state state;
	struct rainbow_addr from;
	uint16_t port;
	char label[AGENT_LABEL_SIZE], backend[AGENT_LABEL_SIZE]; /* empty until greeted */
	uint64_t id, context;
	unsigned long turn;
	unsigned long pause_ms; /* between turns, about; 0: only when told */
	unsigned long turns;    /* it ends after so many; 0 never */
	unsigned long generation;
	int64_t opened, asked, proven; /* proven: it last met its own server */
	unsigned int extensions;
	unsigned int moments; /* ever */
	struct moment history[MOMENTS];
	struct agent_lines in;
	struct agent_output out;
};

/* How a session may end by its own will. */
enum manner { MANNER_FIN = 0, MANNER_RST, MANNER_HALF, MANNER_STALL, MANNER_VANISH, MANNERS };
int manner_parse(const char *word, enum manner *manner);

void session_open(uint16_t port); /* port 0: any */
bool session_ask(struct session *session);
bool session_leave(struct session *session, enum manner manner);
bool session_unstall(struct session *session); /* a stalled one: ends by RST */
const char *session_address(const struct session *session, char buf[ADDR_TEXT_SIZE]);
void session_history_print(FILE *to, const struct session *session);

/* --- oracle_crowd.c ----------------------------------------------------------------------------------------------------- */

struct oracle_counts {
	unsigned long opened, turns;
	unsigned long ended_by_us[MANNERS];
	unsigned long forced, crashed, refused; /* with cause */
	unsigned long failures;
	unsigned long failed; /* no socket or port here */
	unsigned long slowest_ms;
};
extern struct oracle_counts oracle_counts;
extern bool crowd_is_calm; /* a quiet point: nothing begins, ends or speaks unless told */

void crowd_join(struct session *session);
void crowd_leave(struct session *session);
/* The other end may not have heard that this session is over. */
void crowd_ghost(const struct session *session);
void crowd_start(void);
void crowd_end(void);
json_t *crowd_answer(int count, char **words);

#endif
