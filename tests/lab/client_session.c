/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One session of agent-client: it talks, and judges at each answer whether it still talks to the server that greeted it.
 *
 *   CONNECTING -> GREETING -> READY <-> ASKED          each may go over into ENDING, or be lost, moved or forced
 *                               +----> HALF_CLIENT, HALF_SERVER, STALLED   on command (TCP)
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "tests/lab/client.h"

#define REPEAT_MS     500 /* UDP: a question without an answer is asked again */
#define STALL_ROOM    4096
#define TROUBLES_TOLD 50

struct client_counts client_counts;

/* --- ends ------------------------------------------------------------------------------------------------------------- */

static void trouble_tell(const struct session *session, const char *what, const char *why)
{
	static unsigned int told;

	if (told++ >= TROUBLES_TOLD)
		return;
	fprintf(stderr, "agent-client: session %016" PRIx64 " (port %u, %s at %s, turn %lu) %s: %s\n", session->id,
		session->port, session->version ? session->version->label : "no version", session->backend, session->turn, what,
		why);
}

/* Over: counted in *count. */
static void session_over(struct session *session, unsigned long *count, bool may_replace)
{
	(*count)++;
	if (session->version)
		session->version->live--;
	session->state = SESSION_NONE;
	loop_timer_unset(&session->timer);
	loop_close(&session->source);
	crowd_leave(session, may_replace);
	loop_free(session);
}

static void session_moved(struct session *session, const char *why)
{
	trouble_tell(session, "moved", why);
	agent_close_resets(session->source.fd);
	session_over(session, &session->version->moved, false);
}

static void session_lost(struct session *session, const char *why)
{
	trouble_tell(session, "lost", why);
	agent_close_resets(session->source.fd);
	session_over(session, &session->version->lost, false);
}

static void session_failed(struct session *session, int err)
{
	bool is_reset = err == ECONNRESET || err == EPIPE || err == ECONNREFUSED;

	if (!session->version)
		session_over(session, is_reset ? &client_counts.refused : &client_counts.unanswered, false);
	else if (is_reset && session->version->expects_forced)
		session_over(session, &session->version->forced, true);
	else
		session_lost(session, strerror(err));
}

static void session_timed_out(struct session *session)
{
	/* UDP knows no RST: a session that was closed by order meets silence. */
	if (client_options.is_udp && session->version && session->version->expects_forced) {
		session_over(session, &session->version->forced, true);
		return;
	}
	switch (session->state) {
	case SESSION_CONNECTING:
	case SESSION_GREETING:
		session_over(session, &client_counts.unanswered, false);
		break;
	case SESSION_ASKED:
		session_lost(session, "no answer in time");
		break;
	default:
		session_lost(session, "the server did not end its half in time");
	}
}

static void fin_hear(struct session *session)
{
	if (!session->version) {
		session_over(session, &client_counts.refused, false);
	} else if (session->half && session->state != SESSION_ENDING) {
		session->state = SESSION_HALF_SERVER;
		loop_timer_unset(&session->timer);
		loop_watch(&session->source, 0);
	} else if (session->bye || session->half || session->state == SESSION_ENDING) {
		session_over(session, &session->version->ended, session->state != SESSION_ENDING || client_options.turns);
	} else {
		session_lost(session, "the server closed it");
	}
}

/* --- speaking --------------------------------------------------------------------------------------------------------- */

static void output_flush(struct session *session)
{
	int err = agent_output_write(&session->out, session->source.fd);

	if (err == -EAGAIN)
		loop_watch(&session->source, EPOLLIN | EPOLLOUT);
	else if (err && err != -ECONNREFUSED) /* of UDP: the next receive tells it again */
		session_failed(session, -err);
}

/* Says a line and waits for its answer. */
static void session_say(struct session *session, enum session_state state)
{
	session->state = state;
	session->asked = loop_now();
	loop_timer_set(&session->timer, (int64_t)(client_options.is_udp ? REPEAT_MS : client_options.timeout_ms));
	agent_output_add(&session->out, "%s\n", session->question);
	output_flush(session);
}

static void next_turn_plan(struct session *session)
{
	unsigned long interval = client_options.interval_ms;

	session->state = SESSION_READY;
	loop_timer_unset(&session->timer);
	if (client_options.turns && session->turn >= client_options.turns)
		session_end(session);
	else if (interval)
		loop_timer_set(&session->timer, (int64_t)(interval * 3 / 4 + agent_random() % (interval / 2 + 1)));
}

bool session_ask(struct session *session)
{
	char text[32];

	if (session->state != SESSION_READY)
		return false;
	snprintf(text, sizeof(text), "say %08x", (unsigned int)agent_random());
	session->turn++;
	session->context = agent_context(session->context, session->turn, text);
	snprintf(session->question, sizeof(session->question), "TURN %lu %s", session->turn, text);
	session_say(session, SESSION_ASKED);
	return true;
}

static void timer_fire(struct loop_timer *timer)
{
	struct session *session = container_of(timer, struct session, timer);
	int64_t waited = loop_now() - session->asked;

	if (session->state == SESSION_READY) {
		session_ask(session);
	} else if (waited >= (int64_t)client_options.timeout_ms) {
		session_timed_out(session);
	} else if (client_options.is_udp) {
		agent_output_add(&session->out, "%s\n", session->question);
		loop_timer_set(timer, REPEAT_MS);
		output_flush(session);
	}
}

/* --- listening -------------------------------------------------------------------------------------------------------- */

static void hello_hear(struct session *session, const char *label, const char *backend, uint64_t id)
{
	if (session->state != SESSION_GREETING) {
		if (session->version && id != session->id)
			session_moved(session, "another server greeted it");
		return;
	}
	session->version = crowd_version(label);
	session->version->opened++;
	session->version->live++;
	session->id = session->context = id;
	memcpy(session->backend, backend, sizeof(session->backend));
	next_turn_plan(session);
	if (session->timer.place) /* spread the first turns over one interval */
		loop_timer_set(&session->timer, (int64_t)(agent_random() % client_options.interval_ms));
}

static void done_hear(struct session *session, unsigned long turn, const char *label, const char *backend, uint64_t id,
		      uint64_t context)
{
	if (turn != session->turn || session->state == SESSION_READY)
		return; /* UDP: the answer to a repetition */
	if (strcmp(label, session->version->label))
		session_moved(session, label);
	else if (strcmp(backend, session->backend))
		session_moved(session, backend);
	else if (id != session->id || context != session->context)
		session_moved(session, "the server remembers another conversation");
	else if (session->state == SESSION_ASKED) {
		client_counts.turns++;
		if ((unsigned long)(loop_now() - session->asked) > client_counts.slowest_ms)
			client_counts.slowest_ms = (unsigned long)(loop_now() - session->asked);
		next_turn_plan(session);
	}
}

static void token_hear(struct session *session, const char *label)
{
	client_counts.tokens++;
	if (session->version && strcmp(label, session->version->label))
		session_moved(session, label);
}

static void bye_hear(struct session *session)
{
	session->bye = true;
	loop_timer_unset(&session->timer);
	if (client_options.is_udp && session->version)
		session_over(session, &session->version->ended, session->state != SESSION_ENDING || client_options.turns);
}

static void line_hear(struct session *session, const char *line)
{
	char label[AGENT_LABEL_SIZE], backend[AGENT_LABEL_SIZE];
	uint64_t id, context;
	unsigned long turn;

	if (sscanf(line, "TOKEN %*u %*u from %31s", label) == 1) {
		token_hear(session, label);
	} else if (sscanf(line, "DONE %lu %31s %31s %" SCNx64 " %" SCNx64, &turn, label, backend, &id, &context) == 5) {
		if (session->version)
			done_hear(session, turn, label, backend, id, context);
	} else if (sscanf(line, "HELLO %31s %31s %" SCNx64, label, backend, &id) == 3) {
		hello_hear(session, label, backend, id);
	} else if (!strcmp(line, "BYE")) {
		bye_hear(session);
	} else if (!strcmp(line, "HALF")) {
		session->half = true;
	} else if (!strncmp(line, "WRONG", 5) && session->version) {
		session_moved(session, "the server knows nothing of it");
	}
}

static void session_read(struct session *session)
{
	char line[AGENT_LINE_SIZE];
	ssize_t n;

	do {
		n = agent_lines_read(&session->in, session->source.fd);
		while (session->state && agent_lines_take(&session->in, line))
			line_hear(session, line);
	} while (n > 0 && session->state);
	if (!session->state)
		return;
	if (n == 0)
		fin_hear(session);
	else if (n != -EAGAIN && n != -EINTR)
		session_failed(session, (int)-n);
}

static int socket_error(int fd)
{
	socklen_t size = sizeof(int);
	int err = 0;

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size);
	return err;
}

static void session_ready(struct loop_source *source, uint32_t events)
{
	struct session *session = container_of(source, struct session, source);

	if (events & EPOLLERR) {
		session_failed(session, socket_error(source->fd));
		return;
	}
	if (events & EPOLLOUT) {
		if (session->state == SESSION_CONNECTING)
			session->state = SESSION_GREETING;
		loop_watch(source, EPOLLIN);
		output_flush(session);
	}
	if (session->state == SESSION_STALLED || session->state == SESSION_HALF_SERVER) {
		if (events & EPOLLHUP)
			session_failed(session, ECONNRESET);
	} else if (session->state && events & (EPOLLIN | EPOLLHUP)) {
		session_read(session);
	}
}

/* --- commands --------------------------------------------------------------------------------------------------------- */

bool session_end(struct session *session)
{
	if (session->state == SESSION_HALF_SERVER) {
		session_over(session, &session->version->ended, false);
		return true;
	}
	if (session->state != SESSION_READY && session->state != SESSION_ASKED)
		return false;
	if (client_options.is_udp) {
		strcpy(session->question, "END");
		session_say(session, SESSION_ENDING);
		return true;
	}
	session->state = SESSION_ENDING;
	session->asked = loop_now();
	loop_timer_set(&session->timer, (int64_t)client_options.timeout_ms);
	shutdown(session->source.fd, SHUT_WR);
	return true;
}

bool session_reset(struct session *session)
{
	if (!session->version)
		return false;
	agent_close_resets(session->source.fd);
	session_over(session, &session->version->reset, false);
	return true;
}

bool session_half_close(struct session *session)
{
	if (client_options.is_udp || session->state != SESSION_READY || session->out.length)
		return false;
	session->state = SESSION_HALF_CLIENT;
	loop_timer_unset(&session->timer);
	agent_output_add(&session->out, "HOLD 0\n");
	output_flush(session);
	if (session->state)
		shutdown(session->source.fd, SHUT_WR);
	return true;
}

bool session_stall(struct session *session)
{
	int room = STALL_ROOM;

	if (client_options.is_udp || session->state != SESSION_READY)
		return false;
	setsockopt(session->source.fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	session->state = SESSION_STALLED;
	loop_timer_unset(&session->timer);
	agent_output_add(&session->out, "FLOOD\n");
	output_flush(session);
	if (session->state)
		loop_watch(&session->source, 0);
	return true;
}

/* --- birth ------------------------------------------------------------------------------------------------------------ */

static uint16_t own_port(int fd)
{
	struct sockaddr_in6 address = {0}; /* the port lies where sockaddr_in has it */
	socklen_t size = sizeof(address);

	getsockname(fd, (struct sockaddr *)&address, &size);
	return ntohs(address.sin6_port);
}

void session_open(void)
{
	struct session *session = calloc(1, sizeof(*session));
	int fd = session ? client_socket(false) : -ENOMEM;

	if (fd < 0) {
		client_counts.failed++;
		free(session);
		return;
	}
	session->source.fd = fd;
	session->source.ready = session_ready;
	session->timer.fire = timer_fire;
	session->port = own_port(fd);
	strcpy(session->backend, "?");
	crowd_join(session);
	if (client_options.is_udp) {
		loop_watch(&session->source, EPOLLIN);
		snprintf(session->question, sizeof(session->question), "OPEN %" PRIx64, agent_random());
		session_say(session, SESSION_GREETING);
		return;
	}
	session->state = SESSION_CONNECTING;
	session->asked = loop_now();
	loop_timer_set(&session->timer, (int64_t)client_options.timeout_ms);
	loop_watch(&session->source, EPOLLOUT);
}
