/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One session of the oracle. It judges at each answer whether it still meets the server that greeted it, and at its end whether that
 * had a cause: its own will, or an excuse that held at some time since it was last proven to live. Whatever else is a failure.
 *
 *   CONNECTING -> GREETING -> READY <-> ASKED
 *                               +----> ENDING, HALF, STALLED     by its plan or by command; vanished: gone without a word
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <common/text.h>

#include "tests/torture/oracle.h"

#define STALL_ROOM    4096
#define LINGER_MS     3000 /* how long a half-closed or stalled session stays so, about */
#define EXTENSIONS    4    /* of a timeout, while the chaos delays */
#define FAILURES_TOLD 20
#define EVENTS_TOLD   30
#define EVENTS_FOR_MS 60000
#define ADDRESS_TRIES 64

/* --- history ---------------------------------------------------------------------------------------------------------- */

static void note(struct session *session, const char *what)
{
	session->history[session->moments++ % MOMENTS] = (struct moment){loop_now(), what, session->turn};
}

const char *session_address(const struct session *session, char buf[ADDR_TEXT_SIZE])
{
	return endpoint_format(&session->from, session->port, buf);
}

static const char *const state_words[SESSION_STATES] = {
    "over", "connecting", "waits for a greeting", "ready", "waits for an answer", "ends", "half-closed", "stalled"};

void session_history_print(FILE *to, const struct session *session)
{
	unsigned int i = session->moments > MOMENTS ? session->moments - MOMENTS : 0;
	char address[ADDR_TEXT_SIZE];

	fprintf(to, "session %016" PRIx64 " of %s, %s, %s at %s, opened at %" PRId64 " ms, turn %lu\n", session->id,
		session_address(session, address), state_words[session->state],
		session->label[0] ? session->label : "no version yet",
		session->backend[0] ? session->backend : "no backend yet", session->opened, session->turn);
	for (; i < session->moments; i++) {
		const struct moment *moment = &session->history[i % MOMENTS];

		fprintf(to, "  %10" PRId64 " ms  turn %-4lu %s\n", moment->at, moment->turn, moment->what);
	}
}

/* The last events of the chaos in the life of a session, at most a minute back. */
static void events_print(int64_t since)
{
	char line[512], kept[EVENTS_TOLD][sizeof(line)];
	unsigned int count = 0, i;
	FILE *file = oracle_options.events ? fopen(oracle_options.events, "r") : NULL;

	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		if (strtoll(line, NULL, 10) >= since)
			memcpy(kept[count++ % EVENTS_TOLD], line, sizeof(line));
	}
	fclose(file);
	for (i = count > EVENTS_TOLD ? count - EVENTS_TOLD : 0; i < count; i++)
		fprintf(stderr, "  chaos %s", kept[i % EVENTS_TOLD]);
}

static void failure_tell(const struct session *session, const char *what, const char *why)
{
	int64_t since = loop_now() - EVENTS_FOR_MS;

	if (oracle_counts.failures++ >= FAILURES_TOLD)
		return;
	fprintf(stderr, "FAILURE at %" PRId64 " ms: %s: %s; last proven %" PRId64 " ms ago\n", loop_now(), what, why,
		loop_now() - session->proven);
	session_history_print(stderr, session);
	events_print(session->opened > since ? session->opened : since);
	fflush(stderr);
}

/* --- ends ------------------------------------------------------------------------------------------------------------- */

static void session_over(struct session *session)
{
	session->state = SESSION_NONE;
	loop_timer_unset(&session->timer);
	loop_close(&session->source);
	crowd_leave(session);
	loop_free(session);
}

static void session_abort(struct session *session)
{
	crowd_ghost(session);
	agent_close_resets(session->source.fd);
	session_over(session);
}

static void session_fail(struct session *session, const char *what, const char *why)
{
	failure_tell(session, what, why);
	session_abort(session);
}

/* It ended without our doing: is there a cause? */
static void session_ended(struct session *session, const char *how)
{
	int64_t since = session->label[0] ? session->proven : session->opened;
	bool is_crashed = excuse_held(EXCUSE_CRASHED, session->backend[0] ? session->backend : NULL, since);

	note(session, how);
	if (!session->label[0] && (is_crashed || excuse_held(EXCUSE_REFUSED, NULL, since)))
		oracle_counts.refused++;
	else if (!session->label[0])
		failure_tell(session, "a new session was refused", how);
	else if (is_crashed)
		oracle_counts.crashed++;
	else if (excuse_held(EXCUSE_FORCED, session->label, since))
		oracle_counts.forced++;
	else
		failure_tell(session, "ended without cause", how);
	session_abort(session);
}

/*
 * A backend that can not send for a while (its link is down) forgets a half-open handshake, and nobody tells a client that waits to be
 * spoken to: no patience helps it.
 */
static bool is_perhaps_forgotten(const struct session *session)
{
	return !session->label[0] && excuse_held(EXCUSE_REFUSED, NULL, session->opened);
}

static void session_timed_out(struct session *session)
{
	if (!is_perhaps_forgotten(session) && excuse_held(EXCUSE_DELAYED, NULL, session->asked) &&
	    session->extensions++ < EXTENSIONS) {
		loop_timer_set(&session->timer, (int64_t)oracle_options.timeout_ms);
		return;
	}
	session_ended(session, session->state == SESSION_ASKED    ? "no answer in time"
			       : session->state == SESSION_ENDING ? "the server did not end its half in time"
								  : "no greeting in time");
}

static void fin_hear(struct session *session)
{
	if (session->state != SESSION_ENDING) {
		session_ended(session, "the server closed it");
		return;
	}
	oracle_counts.ended_by_us[MANNER_FIN]++;
	session_over(session);
}

/* --- speaking --------------------------------------------------------------------------------------------------------- */

static void output_flush(struct session *session)
{
	int err = agent_output_write(&session->out, session->source.fd);

	if (err == -EAGAIN)
		loop_watch(&session->source, EPOLLIN | EPOLLOUT);
	else if (err)
		session_ended(session, strerror(-err));
}

static void deadline_set(struct session *session)
{
	session->asked = loop_now();
	session->extensions = 0;
	loop_timer_set(&session->timer, (int64_t)oracle_options.timeout_ms);
}

static void next_plan(struct session *session)
{
	session->state = SESSION_READY;
	loop_timer_unset(&session->timer);
	if (session->pause_ms)
		loop_timer_set(&session->timer, (int64_t)(session->pause_ms / 2 + oracle_random() % session->pause_ms));
}

bool session_ask(struct session *session)
{
	char text[32];

	if (session->state != SESSION_READY)
		return false;
	snprintf(text, sizeof(text), "say %08x", (unsigned int)oracle_random());
	session->turn++;
	session->context = agent_context(session->context, session->turn, text);
	note(session, "asks");
	session->state = SESSION_ASKED;
	deadline_set(session);
	agent_output_add(&session->out, "TURN %lu %s\n", session->turn, text);
	output_flush(session);
	return true;
}

/* --- leaving ---------------------------------------------------------------------------------------------------------- */

static const char *const manner_words[MANNERS] = {"fin", "rst", "half", "stall", "vanish"};

int manner_parse(const char *word, enum manner *manner)
{
	unsigned int i;

	for (i = 0; i < MANNERS; i++) {
		if (!strcmp(word, manner_words[i])) {
			*manner = (enum manner)i;
			return 0;
		}
	}
	return -EINVAL;
}

static void leave_fin(struct session *session)
{
	session->state = SESSION_ENDING;
	deadline_set(session);
	shutdown(session->source.fd, SHUT_WR);
	loop_watch(&session->source, EPOLLIN);
}

static void leave_half(struct session *session)
{
	agent_output_add(&session->out, "HOLD 0\n");
	output_flush(session);
	if (!session->state)
		return;
	session->state = SESSION_HALF;
	shutdown(session->source.fd, SHUT_WR);
	loop_timer_set(&session->timer, (int64_t)(LINGER_MS / 2 + oracle_random() % LINGER_MS));
}

static void leave_stall(struct session *session)
{
	int room = STALL_ROOM;

	setsockopt(session->source.fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	agent_output_add(&session->out, "FLOOD\n");
	output_flush(session);
	if (!session->state)
		return;
	session->state = SESSION_STALLED;
	loop_watch(&session->source, 0);
	loop_timer_set(&session->timer, (int64_t)(LINGER_MS + oracle_random() % (3 * LINGER_MS)));
}

/* As a laptop does that shuts: the socket is gone, and nobody hears of it. */
static void leave_vanish(struct session *session)
{
	int on = 1;

	if (setsockopt(session->source.fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on))) {
		failure_tell(session, "could not vanish", strerror(errno));
		session_abort(session);
		return;
	}
	crowd_ghost(session);
	session_over(session);
}

static void leave_rst(struct session *session)
{
	session_abort(session);
}

bool session_leave(struct session *session, enum manner manner)
{
	static void (*const leave[MANNERS])(struct session *) = {leave_fin, leave_rst, leave_half, leave_stall, leave_vanish};

	if (session->state != SESSION_READY || session->out.length)
		return false;
	note(session, manner_words[manner]);
	if (manner != MANNER_FIN) /* that is counted when the server has answered it */
		oracle_counts.ended_by_us[manner]++;
	leave[manner](session);
	return true;
}

bool session_unstall(struct session *session)
{
	leave_rst(session);
	return true;
}

/* Most by FIN; the rest spread over the other manners. */
static enum manner manner_draw(void)
{
	static const enum manner by_tenth[10] = {MANNER_FIN, MANNER_FIN, MANNER_FIN, MANNER_FIN,  MANNER_FIN,
						 MANNER_FIN, MANNER_RST, MANNER_RST, MANNER_HALF, MANNER_STALL};

	return oracle_chance(3) ? MANNER_VANISH : by_tenth[oracle_random() % 10];
}

static void timer_fire(struct loop_timer *timer)
{
	struct session *session = container_of(timer, struct session, timer);
	bool is_planned =
	    session->state == SESSION_READY || session->state == SESSION_HALF || session->state == SESSION_STALLED;

	if (is_planned && crowd_is_calm) {
		loop_timer_set(timer, 1000);
	} else if (session->state == SESSION_HALF) {
		leave_rst(session);
	} else if (session->state == SESSION_STALLED) {
		note(session, "reads again");
		leave_fin(session);
	} else if (session->state != SESSION_READY) {
		session_timed_out(session);
	} else if (session->turns && session->turn >= session->turns) {
		session_leave(session, manner_draw());
	} else {
		session_ask(session);
	}
}

/* --- listening -------------------------------------------------------------------------------------------------------- */

/* Some talk and soon end, some speak now and then, most are silent until they are told to speak. */
static void plan_draw(struct session *session)
{
	unsigned int kind = (unsigned int)(oracle_random() % 100);

	if (kind < 15) {
		session->pause_ms = 500 + oracle_random() % 1500;
		session->turns = 1 + oracle_random() % 12;
	} else if (kind < 40) {
		session->pause_ms = 5000 + oracle_random() % 15000;
		session->turns = oracle_chance(30) ? 1 + oracle_random() % 4 : 0;
	}
}

static void hello_hear(struct session *session, const char *label, const char *backend, uint64_t id)
{
	if (session->state != SESSION_GREETING || session->label[0]) {
		session_fail(session, "moved", "another server greeted it");
		return;
	}
	text_copy(session->label, sizeof(session->label), label);
	text_copy(session->backend, sizeof(session->backend), backend);
	session->id = session->context = id;
	session->proven = loop_now();
	oracle_counts.opened++;
	note(session, "greeted");
	if (!allow_holds(label, &session->from, session->generation)) {
		session_fail(session, "a new session followed old weights", label);
		return;
	}
	plan_draw(session);
	next_plan(session);
}

static void done_hear(struct session *session, unsigned long turn, const char *label, const char *backend, uint64_t id,
		      uint64_t context)
{
	if (strcmp(label, session->label))
		session_fail(session, "moved to another version", label);
	else if (strcmp(backend, session->backend))
		session_fail(session, "moved to another backend", backend);
	else if (id != session->id || context != session->context || turn != session->turn)
		session_fail(session, "moved", "the server remembers another conversation");
	else if (session->state == SESSION_ASKED) {
		oracle_counts.turns++;
		if ((unsigned long)(loop_now() - session->asked) > oracle_counts.slowest_ms)
			oracle_counts.slowest_ms = (unsigned long)(loop_now() - session->asked);
		session->proven = loop_now();
		note(session, "answered");
		next_plan(session);
	}
}

static void line_hear(struct session *session, const char *line)
{
	char label[AGENT_LABEL_SIZE], backend[AGENT_LABEL_SIZE];
	uint64_t id, context;
	unsigned long turn;

	if (sscanf(line, "TOKEN %*u %*u from %31s", label) == 1) {
		if (strcmp(label, session->label))
			session_fail(session, "moved to another version", label);
	} else if (sscanf(line, "DONE %lu %31s %31s %" SCNx64 " %" SCNx64, &turn, label, backend, &id, &context) == 5) {
		done_hear(session, turn, label, backend, id, context);
	} else if (sscanf(line, "HELLO %31s %31s %" SCNx64, label, backend, &id) == 3) {
		hello_hear(session, label, backend, id);
	} else if (!strncmp(line, "WRONG", 5)) {
		session_fail(session, "moved", "the server knows nothing of it");
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
		session_ended(session, strerror((int)-n));
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
		session_ended(session, strerror(socket_error(source->fd)));
		return;
	}
	if (events & EPOLLOUT) {
		if (session->state == SESSION_CONNECTING) {
			session->state = SESSION_GREETING;
			note(session, "connected");
		}
		loop_watch(source, EPOLLIN);
		output_flush(session);
	}
	if (session->state == SESSION_STALLED) {
		if (events & EPOLLHUP)
			session_ended(session, "hung up");
	} else if (session->state && events & (EPOLLIN | EPOLLHUP)) {
		session_read(session);
	}
}

/* --- birth ------------------------------------------------------------------------------------------------------------ */

static struct rainbow_addr address_draw(void)
{
	struct rainbow_addr address = oracle_options.from;
	unsigned long sum = oracle_options.addresses ? oracle_random() % oracle_options.addresses : 0;
	int i;

	for (i = 15; i >= 12 && sum; i--, sum >>= 8) {
		sum += address.octet[i];
		address.octet[i] = (unsigned char)sum;
	}
	return address;
}

/* A connecting socket or -errno. */
static int socket_connect(struct session *session, uint16_t port)
{
	struct sockaddr_storage address;
	socklen_t size = addr_to_sockaddr(&session->from, port, &address);
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, err = 0;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (!port)
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&address, size))
		err = -errno;
	size = addr_to_sockaddr(&oracle_options.to.addr, oracle_options.to.port, &address);
	if (!err && connect(fd, (struct sockaddr *)&address, size) && errno != EINPROGRESS)
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

void session_open(uint16_t port)
{
	struct session *session = calloc(1, sizeof(*session));
	struct sockaddr_storage own;
	socklen_t size = sizeof(own);
	int fd = -EADDRINUSE, tries;

	if (!session)
		abort();
	session->generation = allow_generation();
	for (tries = 0; tries < ADDRESS_TRIES && (fd == -EADDRINUSE || fd == -EADDRNOTAVAIL); tries++) {
		session->from = address_draw();
		fd = socket_connect(session, port);
	}
	if (fd < 0) {
		oracle_counts.failed++;
		free(session);
		return;
	}
	getsockname(fd, (struct sockaddr *)&own, &size);
	addr_from_sockaddr((struct sockaddr *)&own, &session->from, &session->port);
	session->source.fd = fd;
	session->source.ready = session_ready;
	session->timer.fire = timer_fire;
	session->state = SESSION_CONNECTING;
	session->opened = session->proven = loop_now();
	note(session, "opened");
	crowd_join(session);
	deadline_set(session);
	loop_watch(&session->source, EPOLLOUT);
}
