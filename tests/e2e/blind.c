// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A stranger who sees nothing, against live sessions: from a namespace of its own it sends segments in the name of either end, with
 * every kind of number that TCP must not take, and ICMP errors. Both ends of each session are in here and say whether it noticed.
 *
 *   blind (see ends.h) --stranger NAMESPACE [--guesses N] [--seed N]
 *
 * Prints "ready N", "attacked N" (segments sent; every session is what it was), and after SIGUSR1 ends all sessions in honest ways
 * and prints "ended CLIENT-RESET SERVER-RESET FIN". Numbers that the true ends would take are not among those sent: the program
 * knows them (TCP_REPAIR), so it can go through all offsets around them.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/icmp6.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "tests/e2e/ends.h"

enum condition { IDLE, HALF_CLIENT, HALF_SERVER, FULL_SERVER, CONDITIONS };

#define EACH      6
#define FIN       1
#define SYN       2
#define RST       4
#define PSH       8
#define ACK       16
#define FAR       0x7fffffffu
#define OFFSETS   24
#define ANNOUNCED 100000 /* more than any window here */

static struct ends ends;
static struct session_table table;
static uint64_t dice_state = 1;
static unsigned long guesses = 2000, sent;
static int stranger = -1, raw;
static uint16_t window = 0xffff; /* of forged segments */

/* What a socket knows of its numbers. */
struct numbers {
	uint32_t write;  /* end of what it has to send */
	uint32_t want;   /* the number it expects next */
	uint32_t edge;   /* up to which its peer may send */
	uint16_t window; /* the same as it tells its peer */
};

/* --- packets ---------------------------------------------------------------------------------------------------------------- */

struct packet {
	uint8_t byte[200];
	size_t length;
};

static uint32_t sum(uint32_t so_far, const void *bytes, size_t length)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < length; i++)
		so_far += (uint32_t)b[i] << (i & 1 ? 0 : 8);
	return so_far;
}

static uint16_t fold(uint32_t value)
{
	while (value >> 16)
		value = (value & 0xffff) + (value >> 16);
	return htons((uint16_t)~value);
}

static bool is_v6(const union endpoint *at)
{
	return at->any.sa_family == AF_INET6;
}

static const void *address_of(const union endpoint *at)
{
	return is_v6(at) ? (const void *)&at->v6.sin6_addr : &at->v4.sin_addr;
}

static size_t address_size(const union endpoint *at)
{
	return is_v6(at) ? 16 : 4;
}

static uint32_t sum_pseudo(const union endpoint *from, const union endpoint *to, uint8_t protocol, size_t length)
{
	uint32_t value = sum(0, address_of(from), address_size(from));

	return sum(value, address_of(to), address_size(to)) + protocol + (uint32_t)length;
}

static size_t put_ip(struct packet *p, const union endpoint *from, const union endpoint *to, uint8_t protocol, size_t length)
{
	if (is_v6(from)) {
		struct ip6_hdr ip = {.ip6_plen = htons((uint16_t)length), .ip6_nxt = protocol, .ip6_hlim = 60};

		ip.ip6_vfc = 0x60;
		ip.ip6_src = from->v6.sin6_addr;
		ip.ip6_dst = to->v6.sin6_addr;
		memcpy(p->byte + p->length, &ip, sizeof(ip));
		p->length += sizeof(ip);
		return sizeof(ip);
	}
	struct iphdr ip = {.version = 4, .ihl = 5, .tot_len = htons((uint16_t)(20 + length)), .ttl = 60, .protocol = protocol};

	ip.saddr = from->v4.sin_addr.s_addr;
	ip.daddr = to->v4.sin_addr.s_addr;
	ip.check = fold(sum(0, &ip, sizeof(ip)));
	memcpy(p->byte + p->length, &ip, sizeof(ip));
	p->length += sizeof(ip);
	return sizeof(ip);
}

static void put_tcp(struct packet *p, const union endpoint *from, const union endpoint *to, uint8_t flags, uint32_t seq,
		    uint32_t ack, size_t data)
{
	struct tcphdr tcp = {.source = from->v4.sin_port, .dest = to->v4.sin_port, .seq = htonl(seq), .doff = 5};

	put_ip(p, from, to, IPPROTO_TCP, sizeof(tcp) + data);
	tcp.ack_seq = flags & ACK ? htonl(ack) : 0;
	((uint8_t *)&tcp)[13] = flags;
	tcp.window = htons(window);
	tcp.check = fold(sum(sum_pseudo(from, to, IPPROTO_TCP, sizeof(tcp) + data), &tcp, sizeof(tcp)));
	memcpy(p->byte + p->length, &tcp, sizeof(tcp));
	p->length += sizeof(tcp) + data; /* data of zeroes */
}

static void send_packet(const struct packet *p, const union endpoint *to)
{
	union endpoint where = *to;

	where.v4.sin_port = 0; /* where v6 has it, too */
	if (sendto(raw, p->byte, p->length, 0, &where.any, (socklen_t)endpoint_size(to)) < 0 && errno != ENOBUFS)
		fail("a forged packet can not be sent: %s", strerror(errno));
	sent++;
	if (sent % 200 == 0)
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL); /* 40,000 a second at most */
}

static void forge(const union endpoint *from, const union endpoint *to, uint8_t flags, uint32_t seq, uint32_t ack, size_t data)
{
	struct packet p = {.length = 0};

	put_tcp(&p, from, to, flags, seq, ack, data);
	send_packet(&p, to);
}

/* "Port unreachable", "protocol unreachable": about a segment that the service has sent to the client, it says. */
static void forge_icmp(const union endpoint *client, uint32_t seq, uint8_t code)
{
	const union endpoint *service = &ends.service;
	struct packet quoted = {.length = 0}, p = {.length = 0};
	uint8_t head[8] = {is_v6(client) ? ICMP6_DST_UNREACH : ICMP_DEST_UNREACH, code};
	uint8_t protocol = is_v6(client) ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	uint32_t value = 0;
	uint16_t check;

	put_tcp(&quoted, service, client, ACK, seq, 0, 0);
	if (is_v6(client))
		value = sum_pseudo(client, service, protocol, sizeof(head) + quoted.length);
	check = fold(sum(sum(value, head, sizeof(head)), quoted.byte, quoted.length));
	memcpy(head + 2, &check, 2);
	put_ip(&p, client, service, protocol, sizeof(head) + quoted.length);
	memcpy(p.byte + p.length, head, sizeof(head));
	memcpy(p.byte + p.length + sizeof(head), quoted.byte, quoted.length);
	p.length += sizeof(head) + quoted.length;
	send_packet(&p, service);
}

/* --- what the ends know ------------------------------------------------------------------------------------------------------ */

static void numbers_read(int fd, struct numbers *out)
{
	int on = TCP_REPAIR_ON, off = TCP_REPAIR_OFF_NO_WP, queue = TCP_SEND_QUEUE;
	struct tcp_repair_window own;
	struct tcp_info info = {.tcpi_state = 0};
	socklen_t size = sizeof(uint32_t), own_size = sizeof(own), info_size = sizeof(info);

	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) ||
	    getsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &own, &own_size) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)) ||
	    getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &out->write, &size))
		fail("TCP_REPAIR: %s", strerror(errno));
	queue = TCP_RECV_QUEUE;
	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)) ||
	    getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &out->want, &size) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)))
		fail("TCP_REPAIR: %s", strerror(errno));
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &info_size))
		fail("TCP_INFO: %s", strerror(errno));
	out->edge = own.rcv_wup + own.rcv_wnd;
	out->window = (uint16_t)((out->edge - out->want) >> info.tcpi_rcv_wscale);
}

/* Not SO_ERROR: that tells of soft errors, too, which an ICMP error is to a session. One that was reset is in TCP_CLOSE. */
static int state_of(int fd)
{
	struct tcp_info info = {.tcpi_state = 0};
	socklen_t size = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size))
		fail("TCP_INFO: %s", strerror(errno));
	return info.tcpi_state;
}

static enum condition condition_of(const struct session *session)
{
	return (enum condition)((session - table.session) / EACH);
}

static void fill(int from, int to)
{
	const struct timeval soon = {.tv_usec = 50000};
	static const char bytes[4096];
	const int small = 4096;

	setsockopt(to, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	setsockopt(from, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	setsockopt(from, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon));
	for (int i = 0; i < 10000; i++)
		if (send(from, bytes, sizeof(bytes), MSG_NOSIGNAL) < 0)
			return;
	fail("a window does not fill");
}

static void prepare(struct session *session)
{
	enum condition condition = condition_of(session);
	int error = session_open(&table, session);

	if (error)
		fail("connect: %s", strerror(-error));
	session_turn(session, 1000);
	if (condition == HALF_CLIENT || condition == HALF_SERVER)
		session_finish(session, condition == HALF_CLIENT);
	else if (condition == FULL_SERVER)
		fill(session->client, session->server);
}

/* --- the attack -------------------------------------------------------------------------------------------------------------- */

/* One direction: in the name of `from`, whose segments the receiver meets with the numbers r; the sender's are s. */
struct aim {
	const union endpoint *from, *to;
	struct numbers r, s;
	bool finished; /* the sender has sent its FIN: the receiver takes an RST at its number, too */
};

static bool is_in_window(const struct aim *aim, uint32_t seq)
{
	return seq - aim->r.want < aim->r.edge - aim->r.want || seq == aim->r.want;
}

static void attack_offset(const struct aim *aim, uint32_t seq)
{
	/* What the receiver has never sent, and what is too old for any window. */
	const uint32_t bad_acks[] = {aim->r.write + 1, aim->r.write + 2, aim->r.write + 1000000, aim->s.want - 0x40000000u,
				     aim->s.want - FAR};

	if (seq != aim->r.want && !(aim->finished && seq == aim->r.want - 1)) {
		forge(aim->from, aim->to, RST, seq, 0, 0);
		forge(aim->from, aim->to, RST | ACK, seq, aim->r.write, 0);
		forge(aim->from, aim->to, RST | SYN, seq, 0, 0);
		forge(aim->from, aim->to, RST | FIN | ACK, seq, aim->r.write, 0);
	}
	/*
	 * With the one right acknowledgment, which a blind attacker has not got. At the edge itself Linux takes that and the window,
	 * though nothing else, and rainbow allows for a probe's byte: those numbers are the knowledge of one who sees the session.
	 */
	if (!is_in_window(aim, seq)) {
		window = aim->s.window;
		forge(aim->from, aim->to, ACK, seq, aim->s.want, 0);
		if (seq != aim->r.edge) {
			forge(aim->from, aim->to, FIN | ACK, seq, aim->s.want, 0);
			forge(aim->from, aim->to, PSH | ACK, seq, aim->s.want, 1);
		}
		window = 0xffff;
	}
	for (size_t i = 0; i < sizeof(bad_acks) / sizeof(*bad_acks); i++) {
		forge(aim->from, aim->to, FIN | ACK, seq, bad_acks[i], 0);
		forge(aim->from, aim->to, PSH | ACK, seq, bad_acks[i], 100);
	}
	forge(aim->from, aim->to, FIN, seq, 0, 0);
	forge(aim->from, aim->to, SYN, seq, 0, 0);
	forge(aim->from, aim->to, SYN | ACK, seq, aim->r.write, 0);
	forge(aim->from, aim->to, SYN | FIN, seq, 0, 0);
	forge(aim->from, aim->to, 0, seq, 0, 0);
}

static uint32_t random_number(void)
{
	return dice(&dice_state, 0x80000000u) << 1 | dice(&dice_state, 2);
}

/* As one who knows nothing does it. */
static void attack_guess(const struct aim *aim)
{
	uint32_t seq = random_number();

	if (is_in_window(aim, seq) || seq == aim->r.want - 1)
		return;
	forge(aim->from, aim->to, RST, seq, 0, 0);
	forge(aim->from, aim->to, FIN | ACK, seq, random_number(), 0);
	forge(aim->from, aim->to, SYN, seq, 0, 0);
}

static void attack_direction(const struct aim *aim)
{
	uint32_t want = aim->r.want, edge = aim->r.edge, middle = want + (edge - want) / 2;
	const uint32_t numbers[OFFSETS] = {
	    want - FAR, want - 0x40000000u, want - 70000, want - 65537, want - 65536, want - 65535, want - 1460,  want - 3,
	    want - 2,   want - 1,           want,         want + 1,     want + 2,     want + 3,     want + 1460,  middle,
	    edge - 2,   edge - 1,           edge,         edge + 1,     edge + 2,     edge + 65535, edge + 65536, want + FAR,
	};

	for (size_t i = 0; i < OFFSETS; i++)
		attack_offset(aim, numbers[i]);
	for (unsigned long i = 0; i < guesses / table.count / 2; i++)
		attack_guess(aim);
}

/* Each end says its window once more: with the first answer that it owes, Linux rounds it up, and only then the edge stays put. */
static void settle(struct session *session)
{
	struct numbers client, server;

	numbers_read(session->client, &client);
	numbers_read(session->server, &server);
	window = client.window;
	forge(&session->from, &ends.service, ACK, server.want - 1, client.want, 0);
	window = server.window;
	forge(&ends.version[session->version].at, &session->from, ACK, client.want - 1, server.want, 0);
	window = 0xffff;
}

static void attack(struct session *session)
{
	const union endpoint *backend = &ends.version[session->version].at;
	enum condition condition = condition_of(session);
	struct aim as_client = {.from = &session->from, .to = &ends.service, .finished = condition == HALF_CLIENT};
	struct aim as_server = {.from = backend, .to = &session->from, .finished = condition == HALF_SERVER};

	numbers_read(session->server, &as_client.r);
	numbers_read(session->client, &as_client.s);
	/* Out of memory, Linux takes back a window that it has announced, which no router can know. */
	if (condition == FULL_SERVER)
		as_client.r.edge = as_client.r.want + ANNOUNCED;
	as_server.r = as_client.s;
	as_server.s = as_client.r;
	attack_direction(&as_client);
	attack_direction(&as_server);
	for (uint8_t code = 0; code < 5; code++) {
		forge_icmp(&session->from, as_client.r.write - 1, code);
		forge_icmp(&session->from, as_client.r.write, code);
		forge_icmp(&session->from, random_number(), code);
	}
}

/* --- honest ends ------------------------------------------------------------------------------------------------------------- */

static void end_all(void)
{
	unsigned int reset_client = 0, reset_server = 0, fin = 0;

	for (size_t i = 0; i < table.count; i++) {
		struct session *session = &table.session[i];
		enum condition condition = condition_of(session);
		unsigned int how = (unsigned int)(i % EACH);

		if (condition == FULL_SERVER || how < 2) {
			const struct linger abort = {.l_onoff = 1};
			bool by_client = condition == FULL_SERVER || how == 0;

			setsockopt(by_client ? session->client : session->server, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
			close(by_client ? session->client : session->server);
			*(by_client ? &reset_client : &reset_server) += 1;
			continue;
		}
		if (condition != HALF_CLIENT)
			session_finish(session, true);
		if (condition != HALF_SERVER)
			session_finish(session, false);
		session_close(session);
		fin++;
	}
	printf("ended %u %u %u\n", reset_client, reset_server, fin);
	fflush(stdout);
}

static void options(int argc, char **argv, int i)
{
	char path[128];

	for (; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--guesses")) {
			guesses = strtoul(argv[i + 1], NULL, 10);
		} else if (!strcmp(argv[i], "--seed")) {
			dice_state = strtoul(argv[i + 1], NULL, 10);
		} else if (!strcmp(argv[i], "--stranger")) {
			snprintf(path, sizeof(path), "/run/netns/%s", argv[i + 1]);
			stranger = open(path, O_RDONLY | O_CLOEXEC);
		} else {
			fail("%s %s is no option", argv[i], argv[i + 1]);
		}
	}
	if (stranger < 0)
		fail("--stranger NAMESPACE is wanted");
}

static void raw_open(void)
{
	ends_enter(stranger);
	raw = socket(ends.service.any.sa_family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (raw < 0)
		fail("raw socket: %s", strerror(errno));
	ends_enter(ends.clients);
}

int main(int argc, char **argv)
{
	int *before, rest, signal;
	sigset_t go;

	ends_parse(&ends, argc, argv, &rest);
	options(argc, argv, rest);
	sigemptyset(&go);
	sigaddset(&go, SIGUSR1);
	sigprocmask(SIG_BLOCK, &go, NULL);
	ends_listen(&ends);
	sessions_init(&table, &ends, EACH * CONDITIONS);
	raw_open();
	before = calloc(2 * table.count, sizeof(*before));
	for (size_t i = 0; i < table.count; i++)
		prepare(&table.session[i]);
	nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL); /* delayed ACKs */
	for (size_t i = 0; i < table.count; i++)
		settle(&table.session[i]);
	nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
	for (size_t i = 0; i < table.count; i++) {
		before[2 * i] = state_of(table.session[i].client);
		before[2 * i + 1] = state_of(table.session[i].server);
	}
	printf("ready %zu\n", table.count);
	fflush(stdout);
	for (size_t i = 0; i < table.count; i++)
		attack(&table.session[i]);
	nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL); /* the last ones arrive */
	for (size_t i = 0; i < table.count; i++) {
		struct session *session = &table.session[i];

		if (state_of(session->client) != before[2 * i] || state_of(session->server) != before[2 * i + 1])
			fail("session %zu: its ends were in states %d and %d and are in %d and %d", i, before[2 * i],
			     before[2 * i + 1], state_of(session->client), state_of(session->server));
		if (condition_of(session) == IDLE)
			session_turn(session, 1000);
	}
	printf("attacked %lu\n", sent);
	fflush(stdout);
	sigwait(&go, &signal);
	end_all();
	sigwait(&go, &signal);
	return 0;
}
