/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flood: spoofed packets from random addresses of a prefix and random ports to one service, through a raw socket bound to an
 * interface of the current network namespace. Bounded in number, rate and time. The sources must lead nowhere: in the lab
 * 10.99.0.0/16 and fd00:99::/32.
 */
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <common/addr.h>
#include <common/duration.h>
#include <common/error.h>
#include <common/text.h>
#include <rainbow/checksum.h>

#define BATCH       64
#define PACKET_SIZE 96

static const char usage_text[] =
    "usage: flood --interface IF --from CIDR --to ADDR:PORT --count N [--rate N] [--duration D] [--packet syn|ack|rst|udp]\n"
    "  --rate N      packets a second (default 50000), --duration D at most (default 30s)\n"
    "prints {\"sent\":N,\"ms\":N}\n";

enum packet_kind { PACKET_SYN, PACKET_ACK, PACKET_RST, PACKET_UDP };
static const char *const packet_names[] = {"syn", "ack", "rst", "udp"};

struct flood {
	const char *interface;
	struct cidr from;
	struct endpoint to;
	uint64_t count, rate;
	struct duration duration;
	enum packet_kind kind;
	bool is_v4;
	uint64_t random[2]; /* xorshift128+ */
};

static uint64_t random_next(struct flood *flood)
{
	uint64_t a = flood->random[0], b = flood->random[1];

	flood->random[0] = b;
	a ^= a << 23;
	flood->random[1] = a ^ b ^ (a >> 18) ^ (b >> 5);
	return flood->random[1] + b;
}

/* A random address of the prefix. */
static struct rainbow_addr source_choose(struct flood *flood)
{
	unsigned int fixed = flood->from.bits + (flood->is_v4 ? 96 : 0), i;
	struct rainbow_addr addr = flood->from.addr;
	unsigned char octet;

	for (i = fixed / 8; i < 16; i++) {
		octet = (unsigned char)(random_next(flood) >> 32);
		addr.octet[i] |= i == fixed / 8 ? octet & (0xff >> fixed % 8) : octet;
	}
	return addr;
}

static uint64_t sum_words(const void *data, size_t length)
{
	const unsigned char *byte = data;
	uint64_t sum = 0;
	uint16_t word;

	for (; length > 1; length -= 2, byte += 2) {
		memcpy(&word, byte, 2);
		sum += word;
	}
	return length ? sum + *byte : sum;
}

/* The checksum of a segment with its pseudo header. A v4-mapped address adds ff:ff, which is zero in this arithmetic. */
static uint16_t segment_checksum(const struct rainbow_addr *from, const struct rainbow_addr *to, uint8_t protocol,
				 const void *data, size_t length)
{
	uint64_t sum = sum_words(from, 16) + sum_words(to, 16) + htons(protocol) + htons((uint16_t)length);

	return (uint16_t)~rainbow_sum_fold(sum + sum_words(data, length));
}

static size_t tcp_make(struct flood *flood, void *at, const struct rainbow_addr *from)
{
	static const uint8_t mss[4] = {2, 4, 5, 0xb4};
	struct tcphdr *tcp = at;
	size_t length = sizeof(*tcp) + (flood->kind == PACKET_SYN ? sizeof(mss) : 0);

	memset(tcp, 0, sizeof(*tcp));
	tcp->source = htons((uint16_t)(1024 + random_next(flood) % 64512));
	tcp->dest = htons(flood->to.port);
	tcp->seq = (uint32_t)random_next(flood);
	tcp->ack_seq = flood->kind == PACKET_ACK ? (uint32_t)random_next(flood) : 0;
	tcp->doff = (unsigned int)length / 4 & 15;
	tcp->syn = flood->kind == PACKET_SYN;
	tcp->ack = flood->kind == PACKET_ACK;
	tcp->rst = flood->kind == PACKET_RST;
	tcp->window = htons(64240);
	memcpy(tcp + 1, mss, length - sizeof(*tcp));
	tcp->check = segment_checksum(from, &flood->to.addr, IPPROTO_TCP, tcp, length);
	return length;
}

static size_t udp_make(struct flood *flood, void *at, const struct rainbow_addr *from)
{
	struct udphdr *udp = at;
	size_t length = sizeof(*udp) + 8;

	memset(udp, 0, length);
	udp->source = htons((uint16_t)(1024 + random_next(flood) % 64512));
	udp->dest = htons(flood->to.port);
	udp->len = htons((uint16_t)length);
	udp->check = segment_checksum(from, &flood->to.addr, IPPROTO_UDP, udp, length);
	if (!udp->check)
		udp->check = 0xffff;
	return length;
}

/* Writes one packet; returns its length. The kernel fills in the checksum of the IPv4 header. */
static size_t packet_make(struct flood *flood, unsigned char packet[PACKET_SIZE])
{
	size_t header = flood->is_v4 ? sizeof(struct iphdr) : sizeof(struct ip6_hdr), length;
	struct rainbow_addr from = source_choose(flood);
	uint8_t protocol = flood->kind == PACKET_UDP ? IPPROTO_UDP : IPPROTO_TCP;

	memset(packet, 0, header);
	length = protocol == IPPROTO_UDP ? udp_make(flood, packet + header, &from) : tcp_make(flood, packet + header, &from);
	if (flood->is_v4) {
		struct iphdr *ip = (struct iphdr *)packet;

		ip->version = 4;
		ip->ihl = 5;
		ip->ttl = 64;
		ip->protocol = protocol;
		ip->tot_len = htons((uint16_t)(header + length));
		memcpy(&ip->saddr, from.octet + 12, 4);
		memcpy(&ip->daddr, flood->to.addr.octet + 12, 4);
	} else {
		struct ip6_hdr *ip = (struct ip6_hdr *)packet;

		ip->ip6_flow = htonl(6u << 28);
		ip->ip6_plen = htons((uint16_t)length);
		ip->ip6_nxt = protocol;
		ip->ip6_hlim = 64;
		memcpy(&ip->ip6_src, &from, 16);
		memcpy(&ip->ip6_dst, &flood->to.addr, 16);
	}
	return header + length;
}

static int socket_open(const struct flood *flood)
{
	int fd = socket(flood->is_v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW), room = 4 << 20, err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, flood->interface, (socklen_t)strlen(flood->interface) + 1)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

/* Sends up to `count` packets; returns how many left, or -errno. */
static int batch_send(struct flood *flood, int fd, unsigned int count)
{
	static unsigned char packets[BATCH][PACKET_SIZE];
	struct mmsghdr messages[BATCH] = {0};
	struct iovec parts[BATCH];
	struct sockaddr_storage to;
	socklen_t size = addr_to_sockaddr(&flood->to.addr, 0, &to);
	unsigned int i;
	int n;

	for (i = 0; i < count; i++) {
		parts[i].iov_base = packets[i];
		parts[i].iov_len = packet_make(flood, packets[i]);
		messages[i].msg_hdr.msg_name = &to;
		messages[i].msg_hdr.msg_namelen = size;
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	n = sendmmsg(fd, messages, count, 0);
	if (n < 0)
		return errno == ENOBUFS || errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return n;
}

static int flood_run(struct flood *flood)
{
	int64_t began = monotonic_ms(), elapsed = 0;
	uint64_t sent = 0, due;
	int fd = socket_open(flood), n = fd;

	while (n >= 0 && sent < flood->count && elapsed < flood->duration.ms) {
		elapsed = monotonic_ms() - began;
		due = flood->rate * (uint64_t)(elapsed + 1) / 1000;
		if (due > flood->count)
			due = flood->count;
		if (sent >= due) {
			usleep(1000);
			continue;
		}
		n = batch_send(flood, fd, (unsigned int)(due - sent < BATCH ? due - sent : BATCH));
		sent += n > 0 ? (uint64_t)n : 0;
	}
	printf("{\"sent\":%llu,\"ms\":%lld}\n", (unsigned long long)sent, (long long)(monotonic_ms() - began));
	if (n < 0)
		fprintf(stderr, "flood: %s: %s\n", flood->interface, strerror(-n));
	close(fd);
	return sent == flood->count ? 0 : 1;
}

static void usage(int code)
{
	fputs(usage_text, code ? stderr : stdout);
	exit(code);
}

static int kind_parse(const char *text, enum packet_kind *kind, struct error *error)
{
	unsigned int i;

	for (i = 0; i < sizeof(packet_names) / sizeof(packet_names[0]); i++) {
		if (!strcmp(text, packet_names[i])) {
			*kind = (enum packet_kind)i;
			return 0;
		}
	}
	return error_set(error, ERROR_BAD_INPUT, "--packet", "%s is none of syn, ack, rst, udp", text);
}

static int option_take(struct flood *flood, const char *name, const char *value, struct error *error)
{
	if (!strcmp(name, "interface"))
		flood->interface = value;
	else if (!strcmp(name, "from"))
		return cidr_parse(value, &flood->from, "--from", error);
	else if (!strcmp(name, "to"))
		return endpoint_parse(value, &flood->to, "--to", error);
	else if (!strcmp(name, "count"))
		return number_parse(value, 1, 100000000, &flood->count, "--count", error);
	else if (!strcmp(name, "rate"))
		return number_parse(value, 1, 10000000, &flood->rate, "--rate", error);
	else if (!strcmp(name, "duration"))
		return duration_parse(value, &flood->duration, "--duration", error);
	else
		return kind_parse(value, &flood->kind, error);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
	    {"interface", required_argument, NULL, 1},
	    {"from", required_argument, NULL, 1},
	    {"to", required_argument, NULL, 1},
	    {"count", required_argument, NULL, 1},
	    {"rate", required_argument, NULL, 1},
	    {"duration", required_argument, NULL, 1},
	    {"packet", required_argument, NULL, 1},
	    {"help", no_argument, NULL, 'h'},
	    {0},
	};
	struct flood flood = {.rate = 50000, .duration.ms = 30000};
	struct error error;
	int option, index = 0;

	while ((option = getopt_long(argc, argv, "", long_options, &index)) != -1) {
		if (option != 1)
			usage(option == 'h' ? 0 : 2);
		if (option_take(&flood, long_options[index].name, optarg, &error)) {
			fprintf(stderr, "flood: %s\n", error.message);
			return 2;
		}
	}
	if (optind < argc || !flood.interface || !flood.count || !flood.to.port)
		usage(2);
	flood.is_v4 = addr_is_v4(&flood.to.addr);
	if (flood.is_v4 != addr_is_v4(&flood.from.addr)) {
		fprintf(stderr, "flood: --from and --to must be of one address family\n");
		return 2;
	}
	if (getrandom(flood.random, sizeof(flood.random), 0) != sizeof(flood.random))
		return 1;
	return flood_run(&flood);
}
