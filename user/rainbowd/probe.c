// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Segments in the name of one end of a session, sent to the other: see probe.h. What the pins tell of each side is what its peer
 * has to hear: the sender's highest sequence number and the acknowledgment that goes with it.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <rainbow/checksum.h>
#include <rainbow/tcp.h>
#include "common/addr.h"
#include "rainbowd/probe.h"

#define HOPS  64
#define BURST 4 /* two of each time stamp */

struct probe {
	int v4, v6;
};

/* One segment to be. Ports in host order. */
struct segment {
	struct rainbow_addr from, to;
	uint16_t from_port, to_port;
	uint32_t seq, ack;
	uint16_t window; /* unscaled, as in the header */
	uint8_t flags;
	bool stamped; /* with the option of RFC 7323, 3.2 */
	uint32_t stamp;
};

/* Options padded in front, as all stacks send them (RFC 7323, appendix A). */
struct tcp_bytes {
	struct tcphdr header;
	uint8_t options[12];
};

/* --- bytes -------------------------------------------------------------------------------------------------------------- */

static uint64_t sum_bytes(const void *data, size_t length)
{
	const uint8_t *bytes = data;
	uint64_t sum = 0;
	uint16_t word;
	size_t i;

	for (i = 0; i + 1 < length; i += 2) {
		memcpy(&word, bytes + i, 2);
		sum += word;
	}
	return sum;
}

static size_t tcp_size(const struct segment *segment)
{
	return segment->stamped ? sizeof(struct tcp_bytes) : sizeof(struct tcphdr);
}

/* Both pseudo-headers (RFC 9293, 3.1; RFC 8200, 8.1) sum to the same form: addresses, protocol, length. */
static uint64_t sum_pseudo(const struct segment *segment)
{
	size_t skip = addr_is_v4(&segment->from) ? 12 : 0;

	return sum_bytes(segment->from.octet + skip, 16 - skip) + sum_bytes(segment->to.octet + skip, 16 - skip) +
	       htons(IPPROTO_TCP) + htons((uint16_t)tcp_size(segment));
}

static void tcp_build(struct tcp_bytes *tcp, const struct segment *segment)
{
	uint32_t stamp = htonl(segment->stamp);

	*tcp = (struct tcp_bytes){.options = {TCPOPT_NOP, TCPOPT_NOP, TCPOPT_TIMESTAMP, TCPOLEN_TIMESTAMP}};
	memcpy(tcp->options + 4, &stamp, sizeof(stamp));
	tcp->header = (struct tcphdr){
	    .source = htons(segment->from_port),
	    .dest = htons(segment->to_port),
	    .seq = htonl(segment->seq),
	    .ack_seq = htonl(segment->ack),
	    .doff = (uint16_t)(tcp_size(segment) / 4) & 15,
	    .ack = !!(segment->flags & RAINBOW_TCP_ACK),
	    .rst = !!(segment->flags & RAINBOW_TCP_RST),
	    .window = htons(segment->window),
	};
	tcp->header.check = (uint16_t)~rainbow_sum_fold(sum_pseudo(segment) + sum_bytes(tcp, tcp_size(segment)));
}

static int send_to(int fd, const struct segment *segment, const void *packet, size_t length)
{
	struct sockaddr_storage to;
	/* A raw socket takes no port, and IPv6 refuses one. */
	socklen_t size = addr_to_sockaddr(&segment->to, 0, &to);

	if (fd < 0)
		return -EAFNOSUPPORT;
	return sendto(fd, packet, length, MSG_DONTWAIT, (struct sockaddr *)&to, size) < 0 ? -errno : 0;
}

/* The kernel fills in the identification and the header's checksum (raw(7)). */
static int segment_send_v4(const struct probe *probe, const struct segment *segment)
{
	size_t size = sizeof(struct iphdr) + tcp_size(segment);
	struct {
		struct iphdr ip;
		struct tcp_bytes tcp;
	} packet = {.ip = {.version = 4,
			   .ihl = 5,
			   .tot_len = htons((uint16_t)size),
			   .frag_off = htons(IP_DF),
			   .ttl = HOPS,
			   .protocol = IPPROTO_TCP}};

	memcpy(&packet.ip.saddr, segment->from.octet + 12, 4);
	memcpy(&packet.ip.daddr, segment->to.octet + 12, 4);
	tcp_build(&packet.tcp, segment);
	return send_to(probe->v4, segment, &packet, size);
}

static int segment_send_v6(const struct probe *probe, const struct segment *segment)
{
	struct {
		struct ip6_hdr ip;
		struct tcp_bytes tcp;
	} packet = {.ip = {.ip6_plen = htons((uint16_t)tcp_size(segment)), .ip6_nxt = IPPROTO_TCP, .ip6_hlim = HOPS}};

	packet.ip.ip6_vfc = 6 << 4;
	memcpy(&packet.ip.ip6_src, &segment->from, 16);
	memcpy(&packet.ip.ip6_dst, &segment->to, 16);
	tcp_build(&packet.tcp, segment);
	return send_to(probe->v6, segment, &packet, sizeof(packet.ip) + tcp_size(segment));
}

static int segment_send(const struct probe *probe, const struct segment *segment)
{
	return addr_is_v4(&segment->to) ? segment_send_v4(probe, segment) : segment_send_v6(probe, segment);
}

/* --- who says what to whom ---------------------------------------------------------------------------------------------- */

/* The window is as the sender last told it, so that even a receiver that takes the segment learns nothing new. */
static struct segment segment_to_client(const struct rainbow_flow *flow, const struct rainbow_pin *pin,
					const struct rainbow_service *service)
{
	return (struct segment){.from = service->address,
				.from_port = service->port,
				.to = flow->client,
				.to_port = flow->port,
				.ack = pin->server.ack,
				.window = pin->server_window};
}

static struct segment segment_to_backend(const struct rainbow_flow *flow, const struct rainbow_pin *pin,
					 const struct rainbow_backend *backend)
{
	return (struct segment){.from = flow->client,
				.from_port = flow->port,
				.to = backend->address,
				.to_port = backend->port,
				.ack = pin->client.ack,
				.window = pin->client_window};
}

/* One byte before what the receiver waits for. Not before what was sent: data that it has not got would make that its window. */
static int ask(const struct probe *probe, struct segment segment, const struct rainbow_side *receiver)
{
	segment.flags = RAINBOW_TCP_ACK;
	segment.seq = receiver->ack - 1;
	return segment_send(probe, &segment);
}

/*
 * An RST is taken at exactly the receiver's next expected number (RFC 5961, 3.2): what it acknowledged last, or, if its
 * acknowledgment has not reached us, all that was sent to it.
 */
static int reset(const struct probe *probe, struct segment segment, const struct rainbow_side *sender,
		 const struct rainbow_side *receiver)
{
	int rc;

	segment.flags = RAINBOW_TCP_RST | RAINBOW_TCP_ACK;
	segment.window = 0;
	segment.seq = sender->next;
	rc = segment_send(probe, &segment);
	if (!rc && receiver->ack != sender->next) {
		segment.seq = receiver->ack;
		rc = segment_send(probe, &segment);
	}
	return rc;
}

static int first_error(int a, int b)
{
	return a ? a : b;
}

int probe_ask(struct probe *probe, const struct rainbow_flow *flow, const struct rainbow_pin *pin,
	      const struct rainbow_service *service, const struct rainbow_backend *backend)
{
	int client = 0, server = 0;

	if (service->protocol != IPPROTO_TCP || !flow->port)
		return 0;
	if (!(pin->told & RAINBOW_TOLD_CLIENT))
		client = ask(probe, segment_to_client(flow, pin, service), &pin->client);
	if (!(pin->told & RAINBOW_TOLD_SERVER))
		server = ask(probe, segment_to_backend(flow, pin, backend), &pin->server);
	return first_error(client, server);
}

int probe_ask_client(struct probe *probe, const struct rainbow_flow *flow, const struct rainbow_pin *pin,
		     const struct rainbow_service *service)
{
	struct segment segment = segment_to_client(flow, pin, service);
	int i, rc = 0;

	segment.stamped = true;
	for (i = 0; i < BURST && !rc; i++) {
		segment.stamp = i & 1 ? 0x80000000u : 0;
		rc = ask(probe, segment, &pin->client);
	}
	return rc;
}

int probe_reset(struct probe *probe, const struct rainbow_flow *flow, const struct rainbow_pin *pin,
		const struct rainbow_service *service, const struct rainbow_backend *backend)
{
	int client = 0, server = 0;

	if (service->protocol != IPPROTO_TCP || !flow->port)
		return 0;
	if (!(pin->told & RAINBOW_TOLD_CLIENT))
		client = reset(probe, segment_to_client(flow, pin, service), &pin->server, &pin->client);
	if (!(pin->told & RAINBOW_TOLD_SERVER))
		server = reset(probe, segment_to_backend(flow, pin, backend), &pin->client, &pin->server);
	return first_error(client, server);
}

/* --- sockets ------------------------------------------------------------------------------------------------------------ */

int probe_open(struct probe **out, struct error *err)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	int why;

	*out = NULL;
	if (!probe)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	/* IPPROTO_RAW: the header is ours, and nothing is received. A host without IPv6 has no sessions of it either. */
	probe->v4 = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	why = errno;
	probe->v6 = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (probe->v4 < 0 && probe->v6 < 0) {
		probe_close(probe);
		return error_set(err, ERROR_PRECONDITION, NULL, "no raw sockets: %s; run rainbowd as root", strerror(why));
	}
	*out = probe;
	return 0;
}

void probe_close(struct probe *probe)
{
	if (!probe)
		return;
	if (probe->v4 >= 0)
		close(probe->v4);
	if (probe->v6 >= 0)
		close(probe->v6);
	free(probe);
}
