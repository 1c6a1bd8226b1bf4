/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sessions over UDP: a table by the peer's address; one datagram is one line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/epoll.h>

#include "tests/lab/server.h"

#define SLOTS     8192
#define DATAGRAMS 256 /* of one socket before others have their turn */

static struct session *slots[SLOTS];

static struct session **slot_of(const struct sockaddr_storage *peer)
{
	const struct sockaddr_in6 *address = (const struct sockaddr_in6 *)peer;
	uint64_t hash = agent_context(0xcbf29ce484222325ull, address->sin6_port, "");
	size_t i;

	for (i = 0; i < sizeof(address->sin6_addr); i++)
		hash = (hash ^ address->sin6_addr.s6_addr[i]) * 0x100000001b3ull;
	return &slots[hash % SLOTS];
}

static bool is_peer(const struct session *session, int socket, const struct sockaddr_storage *peer)
{
	const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)&session->peer, *b = (const struct sockaddr_in6 *)peer;

	return session->socket == socket && a->sin6_port == b->sin6_port &&
	       !memcmp(&a->sin6_addr, &b->sin6_addr, sizeof(a->sin6_addr));
}

static struct session *session_find(int socket, const struct sockaddr_storage *peer)
{
	struct session *session = *slot_of(peer);

	while (session && !is_peer(session, socket, peer))
		session = session->same_slot;
	return session;
}

/* Each line leaves at once, as a datagram of its own. */
void server_udp_send(struct session *session)
{
	sendto(session->socket, session->out.buf, session->out.length, MSG_DONTWAIT, (struct sockaddr *)&session->peer,
	       sizeof(struct sockaddr_in6));
	session->out.length = 0;
}

void server_udp_forget(struct session *session)
{
	struct session **place = slot_of(&session->peer);

	while (*place != session)
		place = &(*place)->same_slot;
	*place = session->same_slot;
}

static void session_open(struct session *old, int socket, const struct sockaddr_storage *peer, uint64_t nonce)
{
	struct session *session, **slot = slot_of(peer);

	if (old && old->nonce == nonce) {
		session_greet(old);
		return;
	}
	if (old) /* the port is used again by another session */
		session_free(old, &server_counts.ended_other);
	session = session_new(socket);
	if (!session)
		return;
	session->peer = *peer;
	session->nonce = nonce;
	session->same_slot = *slot;
	*slot = session;
	session_greet(session);
}

/* From nobody that we know: a session that was moved here, or one that has ended. */
static void stranger_answer(int socket, const struct sockaddr_storage *peer, bool ends)
{
	const char *line = ends ? "BYE\n" : "WRONG session\n";

	if (!ends)
		server_counts.wrong++;
	sendto(socket, line, strlen(line), MSG_DONTWAIT, (const struct sockaddr *)peer, sizeof(struct sockaddr_in6));
}

static void datagram_hear(int socket, const struct sockaddr_storage *peer, char *line)
{
	struct session *session = session_find(socket, peer);
	unsigned long nonce;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "OPEN %lx", &nonce) == 1)
		session_open(session, socket, peer, nonce);
	else if (session)
		session_hear(session, line);
	else
		stranger_answer(socket, peer, !strcmp(line, "END"));
}

static void udp_ready(struct loop_source *source, uint32_t events)
{
	struct sockaddr_storage peer;
	char line[AGENT_LINE_SIZE];
	socklen_t size;
	ssize_t n;
	int i;

	(void)events;
	for (i = 0; i < DATAGRAMS; i++) {
		memset(&peer, 0, sizeof(peer));
		size = sizeof(peer);
		n = recvfrom(source->fd, line, sizeof(line) - 1, MSG_DONTWAIT, (struct sockaddr *)&peer, &size);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			continue;
		line[n] = '\0';
		datagram_hear(source->fd, &peer, line);
	}
}

int server_udp_listen(uint16_t port)
{
	struct loop_source *source = calloc(1, sizeof(*source));
	int fd = server_socket(SOCK_DGRAM, port), room = 4 << 20;

	if (fd < 0 || !source) {
		free(source);
		return fd < 0 ? fd : -ENOMEM;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	source->fd = fd;
	source->ready = udp_ready;
	return loop_watch(source, EPOLLIN);
}
