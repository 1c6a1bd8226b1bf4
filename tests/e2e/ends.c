// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See ends.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "tests/e2e/ends.h"

#define PORTS_PER_ADDRESS 500
#define FIRST_PORT        2000
#define TURN_MAX          65536

void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("ends: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

uint32_t dice(uint64_t *state, uint32_t sides)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull; /* Knuth's MMIX */
	return (uint32_t)((*state >> 33) % sides);
}

/* --- the command line --------------------------------------------------------------------------------------------------- */

static int netns_open(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail("%s: %s", path, strerror(errno));
	return fd;
}

static void endpoint_parse(char *text, union endpoint *out)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found;
	char *port = strrchr(text, ':');
	size_t length;

	if (!port)
		fail("%s: ADDR:PORT is wanted", text);
	*port++ = '\0';
	length = strlen(text);
	if (length && *text == '[') {
		text[length - 1] = '\0';
		text++;
	}
	if (getaddrinfo(text, port, &hints, &found))
		fail("%s port %s is no address", text, port);
	memcpy(out, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
}

static void version_parse(char *text, struct ends_version *out)
{
	char *netns = strchr(text, ','), *at = netns ? strchr(netns + 1, ',') : NULL;

	if (!at)
		fail("%s: LABEL,NAMESPACE,ADDR:PORT is wanted", text);
	*netns++ = '\0';
	*at++ = '\0';
	snprintf(out->label, sizeof(out->label), "%s", text);
	out->netns = netns_open(netns);
	endpoint_parse(at, &out->at);
}

void ends_parse(struct ends *ends, int argc, char **argv, int *rest)
{
	int i;

	memset(ends, 0, sizeof(*ends));
	ends->clients = -1;
	for (i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--clients"))
			ends->clients = netns_open(argv[i + 1]);
		else if (!strcmp(argv[i], "--service"))
			endpoint_parse(argv[i + 1], &ends->service);
		else if (!strcmp(argv[i], "--version") && ends->versions < ENDS_VERSIONS)
			version_parse(argv[i + 1], &ends->version[ends->versions++]);
		else
			break;
	}
	*rest = i;
	if (ends->clients < 0 || !ends->service.any.sa_family || !ends->versions)
		fail("--clients, --service and --version are wanted");
}

/* --- sockets ------------------------------------------------------------------------------------------------------------ */

size_t endpoint_size(const union endpoint *at)
{
	return at->any.sa_family == AF_INET6 ? sizeof(at->v6) : sizeof(at->v4);
}

void ends_enter(int netns)
{
	if (setns(netns, CLONE_NEWNET))
		fail("setns: %s", strerror(errno));
}

/* No wait for the other end may last for ever. */
static void be_patient(int fd)
{
	const struct timeval patience = {.tv_sec = ENDS_PATIENCE};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

void ends_listen(struct ends *ends)
{
	const int one = 1;

	for (size_t i = 0; i < ends->versions; i++) {
		struct ends_version *version = &ends->version[i];

		ends_enter(version->netns);
		version->listener = socket(version->at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		setsockopt(version->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(version->listener, &version->at.any, (socklen_t)endpoint_size(&version->at)) ||
		    listen(version->listener, 4096))
			fail("%s can not listen: %s", version->label, strerror(errno));
	}
	ends_enter(ends->clients);
}

/* --- sessions ----------------------------------------------------------------------------------------------------------- */

/* Addresses from 10.1.64.1 or fd00:1:64::1 on, which the lab routes to the clients. */
static void session_address(union endpoint *from, size_t index, int family)
{
	uint32_t host = 1 + (uint32_t)(index / PORTS_PER_ADDRESS);
	uint16_t port = htons((uint16_t)(FIRST_PORT + index % PORTS_PER_ADDRESS));

	memset(from, 0, sizeof(*from));
	from->any.sa_family = (sa_family_t)family;
	if (family == AF_INET6) {
		inet_pton(AF_INET6, "fd00:1:64::", &from->v6.sin6_addr);
		from->v6.sin6_addr.s6_addr[15] = (uint8_t)host;
		from->v6.sin6_port = port;
	} else {
		from->v4.sin_addr.s_addr = htonl(0x0a014000 + host);
		from->v4.sin_port = port;
	}
}

static size_t session_index(const union endpoint *from)
{
	bool v6 = from->any.sa_family == AF_INET6;
	uint32_t host = v6 ? from->v6.sin6_addr.s6_addr[15] : ntohl(from->v4.sin_addr.s_addr) - 0x0a014000;
	uint16_t port = ntohs(v6 ? from->v6.sin6_port : from->v4.sin_port);

	return (host - 1) * PORTS_PER_ADDRESS + port - FIRST_PORT;
}

static void session_arrive(struct session_table *table, int fd, const union endpoint *from, int version)
{
	size_t index = session_index(from);

	be_patient(fd);
	pthread_mutex_lock(&table->lock);
	/* The client's own address has to arrive here, and the flow of a session only once. */
	if (index >= table->count || memcmp(&table->session[index].from.v4.sin_port, &from->v4.sin_port, 2))
		fail("%s got a connection from an address that no client has", table->ends->version[version].label);
	if (table->session[index].server >= 0)
		fail("%s got a connection of a session that has a server", table->ends->version[version].label);
	table->session[index].server = fd;
	table->session[index].version = version;
	pthread_cond_broadcast(&table->accepted);
	pthread_mutex_unlock(&table->lock);
}

struct acceptor {
	struct session_table *table;
	int version;
};

static void *accept_all(void *arg)
{
	struct acceptor *acceptor = arg;

	for (;;) {
		union endpoint from = {0};
		socklen_t size = sizeof(from);
		int fd = accept4(acceptor->table->ends->version[acceptor->version].listener, &from.any, &size, SOCK_CLOEXEC);

		if (fd >= 0)
			session_arrive(acceptor->table, fd, &from, acceptor->version);
		else if (errno != ECONNABORTED && errno != EINTR)
			fail("accept: %s", strerror(errno));
	}
	return NULL;
}

void sessions_init(struct session_table *table, struct ends *ends, size_t count)
{
	memset(table, 0, sizeof(*table));
	table->ends = ends;
	table->count = count;
	table->session = calloc(count, sizeof(*table->session));
	pthread_mutex_init(&table->lock, NULL);
	pthread_cond_init(&table->accepted, NULL);
	for (size_t i = 0; i < count; i++) {
		table->session[i].client = table->session[i].server = -1;
		session_address(&table->session[i].from, i, ends->service.any.sa_family);
	}
	for (size_t i = 0; i < ends->versions; i++) {
		struct acceptor *acceptor = malloc(sizeof(*acceptor));
		pthread_t thread;

		*acceptor = (struct acceptor){.table = table, .version = (int)i};
		pthread_create(&thread, NULL, accept_all, acceptor);
		pthread_detach(thread);
	}
}

static void session_await_server(struct session_table *table, struct session *session)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ENDS_PATIENCE;
	pthread_mutex_lock(&table->lock);
	while (session->server < 0)
		if (pthread_cond_timedwait(&table->accepted, &table->lock, &until) == ETIMEDOUT)
			fail("a client is connected but no server has the connection");
	pthread_mutex_unlock(&table->lock);
}

int session_open(struct session_table *table, struct session *session)
{
	const union endpoint *service = &table->ends->service;
	const int one = 1;
	int fd = socket(service->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error = 0;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	be_patient(fd);
	if (bind(fd, &session->from.any, (socklen_t)endpoint_size(&session->from)) ||
	    connect(fd, &service->any, (socklen_t)endpoint_size(service)))
		error = errno;
	if (error) {
		close(fd);
		return -error;
	}
	session->client_done = session->server_done = false;
	session->client = fd;
	session_await_server(table, session);
	return 0;
}

static void carry(int from, int to, const char *bytes, size_t size, char *buffer)
{
	ssize_t sent = send(from, bytes, size, MSG_NOSIGNAL);
	ssize_t got = sent == (ssize_t)size ? recv(to, buffer, size, MSG_WAITALL) : -1;

	if (got != (ssize_t)size)
		fail("a turn of %zu bytes: sent %zd, received %zd: %s", size, sent, got, strerror(errno));
	if (memcmp(bytes, buffer, size))
		fail("a turn of %zu bytes arrived changed", size);
}

void session_turn(struct session *session, size_t size)
{
	static __thread char bytes[TURN_MAX], back[TURN_MAX], again[TURN_MAX];
	static __thread uint64_t state = 1;

	size = size < TURN_MAX ? size : TURN_MAX;
	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)dice(&state, 256);
	carry(session->client, session->server, bytes, size, back);
	carry(session->server, session->client, back, size, again);
}

static void expect_end(int fd, int error, const char *who)
{
	char byte;
	ssize_t got = recv(fd, &byte, 1, 0);

	if (error ? (got >= 0 || errno != error) : got != 0)
		fail("%s expected %s and got %zd, %s", who, error ? strerror(error) : "the end", got,
		     got < 0 ? strerror(errno) : "");
}

void session_finish(struct session *session, bool by_client)
{
	int mine = by_client ? session->client : session->server, other = by_client ? session->server : session->client;

	if (shutdown(mine, SHUT_WR))
		fail("shutdown: %s", strerror(errno));
	expect_end(other, 0, by_client ? "the server" : "the client");
	*(by_client ? &session->client_done : &session->server_done) = true;
}

void session_close(struct session *session)
{
	int server = session->server;

	close(session->client);
	session->client = session->server = -1;
	close(server);
}

void session_reset(struct session *session, bool by_client)
{
	const struct linger abort = {.l_onoff = 1};
	int mine = by_client ? session->client : session->server, other = by_client ? session->server : session->client;
	bool other_read_all = by_client ? session->client_done : session->server_done;

	setsockopt(mine, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
	/* Where the other had our FIN, its read says "the end" for ever and the reset shows as EPIPE (CLOSE_WAIT). */
	if (!other_read_all) {
		close(mine);
		expect_end(other, ECONNRESET, by_client ? "the server" : "the client");
	} else {
		int64_t until = now_ns() + ENDS_PATIENCE * 1000000000ll;
		socklen_t size = sizeof(int);
		int error = 0;

		close(mine);
		while (!error && now_ns() < until)
			if (getsockopt(other, SOL_SOCKET, SO_ERROR, &error, &size))
				fail("SO_ERROR: %s", strerror(errno));
		if (error != EPIPE && error != ECONNRESET)
			fail("a half-closed end was reset and heard %s", error ? strerror(error) : "nothing");
	}
	session->client = session->server = -1;
	close(other);
}
