/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * serve: the backend of the comparison, as cheap as a server can be: one thread, each message of peers.h answered at once.
 * usage: serve LABEL PORT
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <common/text.h>

#include "tests/lab/agent.h"
#include "tests/peers/peers.h"

#define EVENTS  256
#define BACKLOG 8192

static const char *label;

static int listen_at(uint16_t port)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, BACKLOG)) {
		perror("serve");
		exit(1);
	}
	return fd;
}

static void watch(int epoll, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		close(fd);
}

static void accept_all(int epoll, int listener)
{
	int fd, on = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		watch(epoll, fd);
	}
}

/* A client has at most one message under way, so it arrives whole or the client is not ours. */
static void answer(int fd)
{
	struct peers_message message;
	ssize_t length = recv(fd, &message, sizeof(message), 0);

	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length == sizeof(message)) {
		text_copy(message.label, sizeof(message.label), label);
		if (send(fd, &message, sizeof(message), MSG_NOSIGNAL) == sizeof(message))
			return;
	}
	close(fd);
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	int epoll = epoll_create1(EPOLL_CLOEXEC), listener, i, n;

	if (argc != 3) {
		fprintf(stderr, "usage: serve LABEL PORT\n");
		return 2;
	}
	label = argv[1];
	agent_raise_descriptors(65536);
	listener = listen_at((uint16_t)atoi(argv[2]));
	watch(epoll, listener);
	for (;;) {
		n = epoll_wait(epoll, events, EVENTS, -1);
		for (i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				accept_all(epoll, listener);
			else
				answer(events[i].data.fd);
		}
	}
}
