/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sessions over TCP: accepting, reading, writing, and telling the ends apart. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/epoll.h>

#include "tests/lab/server.h"

#define ACCEPTS 256 /* of one listener before others have their turn */

int server_socket(int type, uint16_t port)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any};
	int fd = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, off = 0, err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any))) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static unsigned long *end_of_error(int err)
{
	return err == ECONNRESET || err == EPIPE ? &server_counts.ended_reset : &server_counts.ended_other;
}

static int socket_error(int fd)
{
	socklen_t size = sizeof(int);
	int err = 0;

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size);
	return err;
}

/* Tokens without a pause, as long as the socket takes them. */
static int flood(struct session *session)
{
	int err = 0;

	while (!err && session->out.length == 0) {
		agent_output_add(&session->out, "TOKEN 0 0 and on and on and on and on and on and on and on and on\n");
		err = agent_output_write(&session->out, session->source.fd);
	}
	return err;
}

/* A send that fails takes the error off the socket, so it is kept here; tcp_ready is called next (EPOLLHUP) and counts it. */
void server_tcp_flush(struct session *session)
{
	int err = agent_output_write(&session->out, session->source.fd);

	if (!err && session->floods)
		err = flood(session);
	if (err == -EAGAIN)
		loop_watch(&session->source, session->client_finished ? EPOLLOUT : EPOLLIN | EPOLLOUT);
	else if (err)
		session->error = -err;
}

void server_tcp_finish(struct session *session)
{
	server_tcp_flush(session);
	session->out.length = 0;
	if (session->client_finished) {
		session_free(session, &server_counts.ended_fin);
		return;
	}
	shutdown(session->source.fd, SHUT_WR);
	session->server_finished = true;
	server_counts.half_server++;
}

static void client_finish(struct session *session)
{
	if (!session->holds || session->server_finished) {
		session_free(session, &server_counts.ended_fin);
		return;
	}
	session->client_finished = true;
	server_counts.half_client++;
	loop_watch(&session->source, 0); /* the FIN would be reported for ever; errors still are */
}

static void tcp_read(struct session *session)
{
	char line[AGENT_LINE_SIZE];
	ssize_t n;

	do {
		n = agent_lines_read(&session->in, session->source.fd);
		while (session->source.fd >= 0 && agent_lines_take(&session->in, line))
			session_hear(session, line);
	} while (n > 0 && session->source.fd >= 0);
	if (session->source.fd < 0)
		return;
	if (n == 0)
		client_finish(session);
	else if (n != -EAGAIN && n != -EINTR)
		session_free(session, end_of_error((int)-n));
}

static void tcp_ready(struct loop_source *source, uint32_t events)
{
	struct session *session = container_of(source, struct session, source);

	if (session->error || events & EPOLLERR) {
		session_free(session, end_of_error(session->error ? session->error : socket_error(source->fd)));
		return;
	}
	if (events & EPOLLOUT) {
		loop_watch(source, session->client_finished ? 0 : EPOLLIN);
		server_tcp_flush(session);
	}
	if (events & (EPOLLIN | EPOLLHUP)) {
		if (session->client_finished)
			session_free(session, &server_counts.ended_other);
		else
			tcp_read(session);
	}
}

static bool tcp_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct session *session;

	if (fd < 0) {
		if (errno != EAGAIN && errno != ECONNABORTED)
			perror("agent-server: accept");
		return errno == ECONNABORTED;
	}
	session = session_new(-1);
	if (!session) {
		close(fd);
		return false;
	}
	session->source.fd = fd;
	session->source.ready = tcp_ready;
	loop_watch(&session->source, EPOLLIN);
	session_greet(session);
	return true;
}

static void listener_ready(struct loop_source *source, uint32_t events)
{
	int i;

	(void)events;
	for (i = 0; i < ACCEPTS && tcp_accept(source->fd); i++)
		;
}

int server_tcp_listen(uint16_t port)
{
	struct loop_source *listener = calloc(1, sizeof(*listener));
	int fd = server_socket(SOCK_STREAM, port);

	if (fd < 0 || !listener) {
		free(listener);
		return fd < 0 ? fd : -ENOMEM;
	}
	listener->fd = fd;
	listener->ready = listener_ready;
	if (listen(fd, 8192)) {
		free(listener);
		return -errno;
	}
	return loop_watch(listener, EPOLLIN);
}
