/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sockets of agent-client: from which address and port, to which target. Safe to call from several threads. */
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "tests/lab/client.h"

#define PORT_TRIES 64 /* source ports tried when the one in turn is still in TIME_WAIT */

static atomic_ulong turn; /* whose turn it is: target, source address */
static atomic_ulong port_turn;

static void address_advance(struct rainbow_addr *addr, unsigned long steps)
{
	unsigned long sum = 0;
	int i;

	for (i = 15; i >= 12; i--, steps >>= 8) {
		sum += addr->octet[i] + (steps & 0xff);
		addr->octet[i] = (unsigned char)sum;
		sum >>= 8;
	}
}

static uint16_t port_next(void)
{
	unsigned long span = client_options.port_high - client_options.port_low + 1ul;

	return client_options.port_low ? (uint16_t)(client_options.port_low + atomic_fetch_add(&port_turn, 1) % span) : 0;
}

static int source_bind(int fd, unsigned long n, sa_family_t family)
{
	struct rainbow_addr from = client_options.from;
	struct sockaddr_storage address;
	uint16_t port = port_next();
	int on = 1;
	socklen_t size;

	if (!client_options.from_count && !port)
		return 0;
	address_advance(&from, client_options.from_count ? n % client_options.from_count : 0);
	if (!client_options.from_count && family == AF_INET) /* any address: 0.0.0.0 as ::ffff:0.0.0.0 */
		from.octet[10] = from.octet[11] = 0xff;
	size = addr_to_sockaddr(&from, port, &address);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (!port) /* choose the port at connect, so that one port serves several targets */
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	return bind(fd, (struct sockaddr *)&address, size) ? -errno : 0;
}

static int connect_once(unsigned long n, bool blocks)
{
	const struct endpoint *target = &client_options.target[n % client_options.targets];
	const struct timeval patience = {.tv_sec = (time_t)(client_options.timeout_ms / 1000),
					 .tv_usec = (suseconds_t)(client_options.timeout_ms % 1000 * 1000)};
	struct sockaddr_storage address;
	socklen_t size = addr_to_sockaddr(&target->addr, target->port, &address);
	int type = client_options.is_udp ? SOCK_DGRAM : SOCK_STREAM;
	int fd = socket(address.ss_family, type | SOCK_CLOEXEC | (blocks ? 0 : SOCK_NONBLOCK), 0), err;

	if (fd < 0)
		return -errno;
	if (blocks) {
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	}
	err = source_bind(fd, n, address.ss_family);
	if (!err && connect(fd, (struct sockaddr *)&address, size) && errno != EINPROGRESS)
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

int client_socket(bool blocks)
{
	unsigned long n = atomic_fetch_add(&turn, 1);
	int tries, fd = -EADDRINUSE;

	for (tries = 0; tries < PORT_TRIES && (fd == -EADDRINUSE || fd == -EADDRNOTAVAIL); tries++)
		fd = connect_once(n, blocks);
	return fd;
}
