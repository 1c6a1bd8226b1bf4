/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A session of agent-server: what it hears and says. TCP and UDP differ only in how a line travels. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <common/addr.h>

#include "tests/lab/server.h"

struct session *session_first;
static struct session *session_last;
struct server_counts server_counts;

static void say(struct session *session)
{
	if (session->socket >= 0)
		server_udp_send(session);
	else
		server_tcp_flush(session);
}

/* --- answers --------------------------------------------------------------------------------------------------------- */

static void done_say(struct session *session)
{
	agent_output_add(&session->out, "DONE %lu %s %s %016lx %016lx\n", session->turn, server_options.label,
			 server_options.backend, (unsigned long)session->id, (unsigned long)session->context);
	say(session);
}

static void token_say(struct session *session)
{
	agent_output_add(&session->out, "TOKEN %lu %lu from %s\n", session->turn, session->tokens_left, server_options.label);
	say(session);
}

static void answer_step(struct session *session)
{
	if (session->tokens_left == 0) {
		session->is_answering = false;
		server_counts.turns++;
		done_say(session);
		return;
	}
	token_say(session);
	session->tokens_left--;
	loop_timer_set(&session->timer, (int64_t)server_options.pause_ms);
}

static void timer_fire(struct loop_timer *timer)
{
	struct session *session = container_of(timer, struct session, timer);

	if (session->is_answering) {
		answer_step(session);
	} else if (session->holds && session->hold_ms && !session->server_finished) {
		token_say(session);
		loop_timer_set(timer, (int64_t)session->hold_ms);
	}
}

static void wrong_say(struct session *session, const char *why)
{
	server_counts.wrong++;
	agent_output_add(&session->out, "WRONG %s\n", why);
	say(session);
}

/* --- what it hears --------------------------------------------------------------------------------------------------- */

/* Half of it to one and a half, at random. */
static int64_t think_ms(void)
{
	return (int64_t)(server_options.think_ms / 2 + agent_random() % (server_options.think_ms + 1));
}

static void turn_hear(struct session *session, unsigned long turn, const char *text)
{
	bool is_repeated = session->socket >= 0 && turn == session->turn;

	if (is_repeated) { /* a datagram was lost, this way or that */
		if (!session->is_answering)
			done_say(session);
		return;
	}
	if (turn != session->turn + 1 || session->is_answering) {
		wrong_say(session, "turn");
		return;
	}
	session->turn = turn;
	session->context = agent_context(session->context, turn, text);
	if (session->server_finished)
		return;
	session->is_answering = true;
	session->tokens_left = server_options.tokens;
	if (session->is_doomed && turn > 1)
		session_reset(session);
	else if (server_options.think_ms)
		loop_timer_set(&session->timer, think_ms());
	else
		answer_step(session);
}

static void hold_hear(struct session *session, unsigned long ms)
{
	session->holds = true;
	session->hold_ms = ms;
	if (ms)
		loop_timer_set(&session->timer, (int64_t)ms);
}

void session_hear(struct session *session, char *line)
{
	unsigned long number;
	int used = 0;

	if (sscanf(line, "TURN %lu %n", &number, &used) == 1 && used) {
		turn_hear(session, number, line + used);
	} else if (sscanf(line, "HOLD %lu", &number) == 1) {
		hold_hear(session, number);
	} else if (!strcmp(line, "FLOOD")) {
		session->floods = true;
		say(session);
	} else if (!strcmp(line, "END") && session->socket >= 0) {
		agent_output_add(&session->out, "BYE\n");
		say(session);
		session_free(session, &server_counts.ended_fin);
	} else {
		wrong_say(session, "line");
	}
}

void session_greet(struct session *session)
{
	agent_output_add(&session->out, "HELLO %s %s %016lx\n", server_options.label, server_options.backend,
			 (unsigned long)session->id);
	say(session);
}

/* --- commands -------------------------------------------------------------------------------------------------------- */

bool session_close(struct session *session)
{
	if (session->socket >= 0 || session->server_finished)
		return false;
	session->is_answering = session->floods = false;
	agent_output_add(&session->out, "BYE\n");
	server_tcp_finish(session);
	return true;
}

bool session_half_close(struct session *session)
{
	if (session->socket >= 0 || session->server_finished || session->client_finished || session->is_answering)
		return false;
	agent_output_add(&session->out, "HALF\n");
	server_tcp_finish(session);
	return true;
}

bool session_reset(struct session *session)
{
	if (session->socket >= 0)
		return false;
	agent_close_resets(session->source.fd);
	session_free(session, &server_counts.ended_by_us);
	return true;
}

void session_list(const struct session *session, FILE *to)
{
	struct sockaddr_storage peer = session->peer;
	socklen_t size = sizeof(peer);
	char text[ADDR_TEXT_SIZE];
	struct rainbow_addr addr;
	uint16_t port;

	if (session->socket < 0 && getpeername(session->source.fd, (struct sockaddr *)&peer, &size))
		return; /* it has ended, and the next event tells it */
	addr_from_sockaddr((struct sockaddr *)&peer, &addr, &port);
	fprintf(to, "%s %s %s %016lx\n", endpoint_format(&addr, port, text), server_options.label, server_options.backend,
		(unsigned long)session->id);
}

/* --- birth and end --------------------------------------------------------------------------------------------------- */

struct session *session_new(int socket)
{
	struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->source.fd = -1;
	session->socket = socket;
	session->timer.fire = timer_fire;
	session->id = session->context = agent_random();
	session->is_doomed = socket < 0 && agent_random() % 1000 < server_options.resets;
	session->previous = session_last;
	if (session_last)
		session_last->next = session;
	else
		session_first = session;
	session_last = session;
	server_counts.accepted++;
	server_counts.live++;
	return session;
}

void session_free(struct session *session, unsigned long *end)
{
	(*end)++;
	server_counts.live--;
	if (session->client_finished && !session->server_finished)
		server_counts.half_client--;
	if (session->server_finished && !session->client_finished)
		server_counts.half_server--;
	loop_timer_unset(&session->timer);
	if (session->socket >= 0)
		server_udp_forget(session);
	else
		loop_close(&session->source);
	if (session->previous)
		session->previous->next = session->next;
	else
		session_first = session->next;
	if (session->next)
		session->next->previous = session->previous;
	else
		session_last = session->previous;
	loop_free(session);
}
