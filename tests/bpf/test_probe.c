// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Probes against the kernel's own TCP: two real sockets talk over lo, their sequence numbers are read from the sockets themselves
 * (TCP_REPAIR) into a pin, and what the probes do to them is judged by what the stack answers and the sockets report.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <linux/tcp.h>
#include <cmocka.h>
#include "common/addr.h"
#include "rainbowd/probe.h"
#include "ground.h"

#define SCALE 7

struct talk {
	int listener, client, server;
	struct rainbow_flow flow;
	struct rainbow_pin pin;
	struct rainbow_service service;
	struct rainbow_backend backend;
};

/* TCP_REPAIR stops the socket for a moment; TCP_REPAIR_OFF_NO_WP lets it go on without a word to its peer. */
static void numbers_read(int fd, struct rainbow_side *side)
{
	int on = TCP_REPAIR_ON, off = TCP_REPAIR_OFF_NO_WP, send_queue = TCP_SEND_QUEUE, receive_queue = TCP_RECV_QUEUE;
	socklen_t size = sizeof(side->next);

	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &send_queue, sizeof(send_queue)), 0);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &side->next, &size), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &receive_queue, sizeof(receive_queue)), 0);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &side->ack, &size), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)), 0);
}

static void endpoint_of(int fd, bool peer, struct rainbow_addr *addr, uint16_t *port)
{
	struct sockaddr_storage at;
	socklen_t size = sizeof(at);

	assert_int_equal((peer ? getpeername : getsockname)(fd, (struct sockaddr *)&at, &size), 0);
	addr_from_sockaddr((struct sockaddr *)&at, addr, port);
}

static void talk_begin(struct talk *talk, const char *address)
{
	struct rainbow_addr addr;
	struct sockaddr_storage at;
	socklen_t size;
	char word[5];

	memset(talk, 0, sizeof(*talk));
	assert_int_equal(addr_parse(address, &addr, NULL, NULL), 0);
	size = addr_to_sockaddr(&addr, 0, &at);
	talk->listener = socket(at.ss_family, SOCK_STREAM, 0);
	assert_int_equal(bind(talk->listener, (struct sockaddr *)&at, size), 0);
	assert_int_equal(listen(talk->listener, 1), 0);
	size = sizeof(at);
	assert_int_equal(getsockname(talk->listener, (struct sockaddr *)&at, &size), 0);
	talk->client = socket(at.ss_family, SOCK_STREAM, 0);
	assert_int_equal(connect(talk->client, (struct sockaddr *)&at, size), 0);
	talk->server = accept(talk->listener, NULL, NULL);
	assert_true(talk->server >= 0);
	assert_int_equal(write(talk->client, "hello", 5), 5);
	assert_int_equal(read(talk->server, word, 5), 5);
	assert_int_equal(write(talk->server, "hullo", 5), 5);
	assert_int_equal(read(talk->client, word, 5), 5);

	endpoint_of(talk->client, false, &talk->flow.client, &talk->flow.port);
	endpoint_of(talk->client, true, &talk->service.address, &talk->service.port);
	talk->service.protocol = IPPROTO_TCP;
	talk->backend.address = talk->service.address;
	talk->backend.port = talk->service.port;
	numbers_read(talk->client, &talk->pin.client);
	numbers_read(talk->server, &talk->pin.server);
	talk->pin.client_scale = talk->pin.server_scale = SCALE;
	talk->pin.client_window = talk->pin.server_window = 500;
}

static void talk_end(struct talk *talk)
{
	close(talk->client);
	close(talk->server);
	close(talk->listener);
}

/* Segments that this namespace's TCP found damaged. */
static unsigned long segments_in_error(void)
{
	char names[1024], values[1024];
	unsigned long errors = 0;
	FILE *file = fopen("/proc/net/snmp", "r");

	assert_non_null(file);
	while (fgets(names, sizeof(names), file) && fgets(values, sizeof(values), file))
		if (!strncmp(values, "Tcp:", 4)) {
			unsigned long in_csum = 0, in_errs = 0;

			sscanf(values, "Tcp: %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lu %*s %lu", &in_errs, &in_csum);
			errors = in_errs + in_csum;
		}
	fclose(file);
	return errors;
}

/* Segments that a socket has sent. An answer to a probe is one, and carries no data. */
static uint32_t segments_out(int fd)
{
	struct tcp_info info = {};
	socklen_t size = sizeof(info);

	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
	return info.tcpi_segs_out;
}

static int error_of(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	char byte;

	if (poll(&wait, 1, 2000) != 1)
		return ETIMEDOUT;
	return read(fd, &byte, 1) < 0 ? errno : 0;
}

static void asked(const char *address, unsigned int told)
{
	struct probe *probe;
	struct talk talk;
	struct error err;
	unsigned long errors = segments_in_error();
	uint32_t by_client, by_server;
	char word[2];

	assert_int_equal(probe_open(&probe, &err), 0);
	talk_begin(&talk, address);
	talk.pin.told = told & RAINBOW_TOLD_BOTH;
	by_client = segments_out(talk.client);
	by_server = segments_out(talk.server);
	assert_int_equal(probe_ask(probe, &talk.flow, &talk.pin, &talk.service, &talk.backend), 0);
	usleep(20000);
	/* Each end that was asked has answered; a duplicate of that answer is answered no further. */
	assert_int_equal(segments_out(talk.client) - by_client, told & RAINBOW_TOLD_CLIENT ? 0 : 1);
	assert_int_equal(segments_out(talk.server) - by_server, told & RAINBOW_TOLD_SERVER ? 0 : 1);
	assert_int_equal(segments_in_error(), errors);
	/* And the connection is as it was. */
	assert_int_equal(write(talk.client, "ok", 2), 2);
	assert_int_equal(read(talk.server, word, 2), 2);
	talk_end(&talk);
	probe_close(probe);
}

static void test_ask_v4(void **state)
{
	(void)state;
	asked("127.0.0.1", 0);
	asked("127.0.0.1", RAINBOW_TOLD_CLIENT);
	asked("127.0.0.1", RAINBOW_TOLD_SERVER);
	asked("127.0.0.1", RAINBOW_TOLD_BOTH);
}

static void test_ask_v6(void **state)
{
	(void)state;
	asked("2001:db8:1:2:3:4:5:6", 0);
	asked("::1", RAINBOW_TOLD_SERVER);
}

/* off: how much of what was sent to the ends the pin believes to be on its way still. */
static void reset_by(const char *address, uint32_t off)
{
	struct probe *probe;
	struct talk talk;
	struct error err;

	assert_int_equal(probe_open(&probe, &err), 0);
	talk_begin(&talk, address);
	talk.pin.client.next += off;
	talk.pin.server.next += off;
	assert_int_equal(probe_reset(probe, &talk.flow, &talk.pin, &talk.service, &talk.backend), 0);
	assert_int_equal(error_of(talk.client), ECONNRESET);
	assert_int_equal(error_of(talk.server), ECONNRESET);
	talk_end(&talk);
	probe_close(probe);
}

static void test_reset(void **state)
{
	(void)state;
	reset_by("127.0.0.1", 0);
	reset_by("::1", 0);
	reset_by("127.0.0.1", 1);
	reset_by("2001:db8:1:2:3:4:5:6", 1000);
}

static void test_reset_without_a_number_is_ignored(void **state)
{
	struct probe *probe;
	struct talk talk;
	struct error err;
	char word[2];

	(void)state;
	assert_int_equal(probe_open(&probe, &err), 0);
	talk_begin(&talk, "127.0.0.1");
	talk.pin.client.next += 1000000;
	talk.pin.server.ack = talk.pin.client.next;
	talk.pin.told = RAINBOW_TOLD_CLIENT;
	assert_int_equal(probe_reset(probe, &talk.flow, &talk.pin, &talk.service, &talk.backend), 0);
	usleep(20000);
	assert_int_equal(write(talk.client, "ok", 2), 2);
	assert_int_equal(read(talk.server, word, 2), 2);
	talk_end(&talk);
	probe_close(probe);
}

static void test_datagrams_have_none(void **state)
{
	struct rainbow_service service = {.protocol = IPPROTO_UDP};
	struct rainbow_backend backend = {};
	struct rainbow_flow flow = {.port = 1};
	struct rainbow_pin pin = {};
	struct probe *probe;
	struct error err;

	(void)state;
	assert_int_equal(probe_open(&probe, &err), 0);
	assert_int_equal(probe_ask(probe, &flow, &pin, &service, &backend), 0);
	assert_int_equal(probe_reset(probe, &flow, &pin, &service, &backend), 0);
	probe_close(probe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ask_v4),
	    cmocka_unit_test(test_ask_v6),
	    cmocka_unit_test(test_reset),
	    cmocka_unit_test(test_reset_without_a_number_is_ignored),
	    cmocka_unit_test(test_datagrams_have_none),
	};

	ground_make("test_probe");
	if (system("ip link set lo up && ip addr add 2001:db8:1:2:3:4:5:6/128 dev lo nodad"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
