// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sends frames of every kind that is not rainbow's from one interface and receives them at another, across a bridge, which changes
 * nothing. P7: each arrives, byte for byte, as it was sent; what the bytes mean may be wrong (checksums, lengths), as that is
 * nobody's business on the way. Every other round is addressed to everybody: in TC rainbow leaves alone at once what is for another
 * host.
 *
 *   frames --from NAMESPACE INTERFACE --to NAMESPACE INTERFACE --seed N --rounds N
 *
 * Knows the lab: 10.0.0.1 and fd00::1 port 80 is a TCP service, 10.2.1.2 and fd00:2::1:2 port 8080 its backend.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "tests/e2e/ends.h"

#define FRAME_MAX    1500 /* with its Ethernet header, within the MTU also with two tags */
#define SERVICE_PORT 80
#define BACKEND_PORT 8080

struct frame {
	uint8_t byte[FRAME_MAX + 64];
	size_t length;
};

static uint64_t state;

/* --- building blocks: each appends -------------------------------------------------------------------------------------- */

static void put(struct frame *f, const void *bytes, size_t length)
{
	memcpy(f->byte + f->length, bytes, length);
	f->length += length;
}

static void put8(struct frame *f, uint8_t value)
{
	put(f, &value, 1);
}

static void put16(struct frame *f, uint16_t value)
{
	value = htons(value);
	put(f, &value, 2);
}

static void put_random(struct frame *f, size_t length)
{
	while (length--)
		put8(f, (uint8_t)dice(&state, 256));
}

static void put_address(struct frame *f, const char *text)
{
	uint8_t octets[16];
	bool v6 = strchr(text, ':');

	if (inet_pton(v6 ? AF_INET6 : AF_INET, text, octets) != 1)
		fail("%s is no address", text);
	put(f, octets, v6 ? 16 : 4);
}

/* An IPv4 header for `length` bytes that follow. The checksum is right in some, as in life. */
static void put_ipv4(struct frame *f, uint8_t protocol, uint16_t fragment, const char *from, const char *to, size_t length)
{
	uint8_t *header = f->byte + f->length;
	uint32_t sum = 0;

	put8(f, 0x45);
	put8(f, 0);
	put16(f, (uint16_t)(20 + length));
	put16(f, (uint16_t)dice(&state, 65536));
	put16(f, fragment);
	put8(f, (uint8_t)(1 + dice(&state, 255)));
	put8(f, protocol);
	put16(f, 0);
	put_address(f, from);
	put_address(f, to);
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)(header[i] << 8 | header[i + 1]);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = ~(sum + (sum >> 16)) & 0xffff;
	if (!dice(&state, 4))
		sum = dice(&state, 65536);
	header[10] = (uint8_t)(sum >> 8);
	header[11] = (uint8_t)sum;
}

static void put_ipv6(struct frame *f, uint8_t next, const char *from, const char *to, size_t length)
{
	put8(f, 0x60);
	put_random(f, 3);
	put16(f, (uint16_t)length);
	put8(f, next);
	put8(f, (uint8_t)(1 + dice(&state, 255)));
	put_address(f, from);
	put_address(f, to);
}

static void put_tcp(struct frame *f, uint16_t from, uint16_t to, uint8_t words, size_t payload)
{
	put16(f, from);
	put16(f, to);
	put_random(f, 8);
	put8(f, (uint8_t)(words << 4));
	put8(f, (uint8_t)dice(&state, 64));
	put_random(f, 6 + payload);
}

static void put_udp(struct frame *f, uint16_t from, uint16_t to, size_t payload)
{
	put16(f, from);
	put16(f, to);
	put16(f, (uint16_t)(8 + payload));
	put_random(f, 2 + payload);
}

/* --- the kinds. What they begin with, the Ethernet header, is there but for the type. --------------------------------------- */

static void made_up_type(struct frame *f)
{
	put16(f, 0x88b5); /* IEEE 802, local experimental */
	put_random(f, 1 + dice(&state, 1400));
}

static void arp_request(struct frame *f)
{
	memset(f->byte, 0xff, 6);
	put16(f, ETHERTYPE_ARP);
	put(f, "\0\1\x08\0\6\4\0\1", 8);
	put(f, f->byte + 6, 6);
	put_address(f, "10.1.0.2");
	put_random(f, 6);
	put_address(f, "10.0.0.1");
}

static void neighbour_solicitation(struct frame *f)
{
	memcpy(f->byte, "\x33\x33\xff\0\0\1", 6);
	put16(f, ETHERTYPE_IPV6);
	put_ipv6(f, 58, "fd00:1::2", "ff02::1:ff00:1", 24);
	put(f, "\x87\0", 2);
	put_random(f, 6);
	put_address(f, "fd00::1");
}

static void ping_service(struct frame *f)
{
	size_t payload = dice(&state, 1200);

	put16(f, ETHERTYPE_IP);
	put_ipv4(f, 1, 0, "10.1.0.2", "10.0.0.1", 8 + payload);
	put(f, "\x08\0", 2);
	put_random(f, 6 + payload);
}

static void other_protocol(struct frame *f)
{
	static const uint8_t protocols[] = {0, 2, 4, 41, 47, 50, 51, 89, 132, 255};
	size_t payload = 4 + dice(&state, 1000);

	put16(f, ETHERTYPE_IP);
	put_ipv4(f, protocols[dice(&state, sizeof(protocols))], 0, "10.1.0.2", "10.0.0.1", payload);
	put_random(f, payload);
}

static void other_port(struct frame *f)
{
	size_t payload = dice(&state, 1000);

	put16(f, ETHERTYPE_IP);
	put_ipv4(f, 6, 0, "10.1.0.2", "10.0.0.1", 20 + payload);
	put_tcp(f, 4000, SERVICE_PORT + 1, 5, payload);
}

static void other_address(struct frame *f)
{
	size_t payload = dice(&state, 1000);

	put16(f, ETHERTYPE_IP);
	put_ipv4(f, 6, 0, "10.1.0.2", "10.0.0.2", 20 + payload);
	put_tcp(f, 4000, SERVICE_PORT, 5, payload);
}

static void udp_to_tcp_service(struct frame *f)
{
	size_t payload = dice(&state, 1000);

	put16(f, ETHERTYPE_IP);
	put_ipv4(f, 17, 0, "10.1.0.2", "10.0.0.1", 8 + payload);
	put_udp(f, 4000, SERVICE_PORT, payload);
}

static void fragment_to_service(struct frame *f)
{
	size_t payload = 8 * (1 + dice(&state, 100));

	put16(f, ETHERTYPE_IP);
	put_ipv4(f, 6, dice(&state, 2) ? 0x2000 : (uint16_t)(1 + dice(&state, 8000)), "10.1.0.2", "10.0.0.1", 20 + payload);
	put_tcp(f, 4000, SERVICE_PORT, 5, payload);
}

static void ipv6_other_port(struct frame *f)
{
	size_t payload = dice(&state, 1000);

	put16(f, ETHERTYPE_IPV6);
	put_ipv6(f, 6, "fd00:1::2", "fd00::1", 20 + payload);
	put_tcp(f, 4000, SERVICE_PORT + 1, 5, payload);
}

static void ipv6_other_address_behind_options(struct frame *f)
{
	size_t payload = dice(&state, 1000);

	put16(f, ETHERTYPE_IPV6);
	put_ipv6(f, 60, "fd00:1::2", "fd00::2", 8 + 20 + payload);
	put(f, "\6\0\1\4\0\0\0\0", 8); /* destination options: padding */
	put_tcp(f, 4000, SERVICE_PORT, 5, payload);
}

static void ipv6_fragment_to_service(struct frame *f)
{
	size_t payload = dice(&state, 1000);

	put16(f, ETHERTYPE_IPV6);
	put_ipv6(f, 44, "fd00:1::2", "fd00::1", 8 + 20 + payload);
	put(f, "\6\0\0\1", 4);
	put_random(f, 4);
	put_tcp(f, 4000, SERVICE_PORT, 5, payload);
}

static void tagged_other_port(struct frame *f)
{
	int tags = 1 + (int)dice(&state, 2);

	if (tags == 2) {
		put16(f, 0x88a8);
		put16(f, (uint16_t)(1 + dice(&state, 4000)));
	}
	put16(f, ETHERTYPE_VLAN);
	put16(f, (uint16_t)(1 + dice(&state, 4000)));
	other_port(f);
}

static void garbage_ipv4(struct frame *f)
{
	put16(f, ETHERTYPE_IP);
	put_random(f, 1 + dice(&state, 100));
}

static void garbage_ipv6(struct frame *f)
{
	put16(f, ETHERTYPE_IPV6);
	put_random(f, 1 + dice(&state, 100));
}

static void backends_own(struct frame *f)
{
	size_t payload = dice(&state, 1000);

	put16(f, ETHERTYPE_IP);
	put_ipv4(f, 6, 0, "10.2.1.2", "10.1.0.2", 20 + payload);
	put_tcp(f, BACKEND_PORT, 4000, 5, payload);
}

static void tcp_header_too_short(struct frame *f)
{
	put16(f, ETHERTYPE_IP);
	put_ipv4(f, 6, 0, "10.1.0.2", "10.0.0.1", 20);
	put_tcp(f, 4000, SERVICE_PORT, (uint8_t)dice(&state, 5), 0);
}

static void tcp_truncated(struct frame *f)
{
	put16(f, ETHERTYPE_IP);
	put_ipv4(f, 6, 0, "10.1.0.2", "10.0.0.1", 20);
	put_tcp(f, 4000, SERVICE_PORT, 5, 0);
	f->length -= 1 + dice(&state, 19);
}

static void strange_error(struct frame *f)
{
	put16(f, ETHERTYPE_IP);
	put_ipv4(f, 1, 0, "10.1.0.2", "10.0.0.1", 8 + 28);
	put(f, "\x03\x03", 2);
	put_random(f, 6);
	put_ipv4(f, 17, 0, "10.0.0.9", "10.1.0.2", 8);
	put_udp(f, 53, 4000, 0);
}

static const struct kind {
	const char *name;
	void (*make)(struct frame *f);
} kinds[] = {
    {"a made-up ethertype", made_up_type},
    {"ARP", arp_request},
    {"IPv6 neighbour solicitation", neighbour_solicitation},
    {"ping of the service's address", ping_service},
    {"another IP protocol", other_protocol},
    {"another TCP port", other_port},
    {"another address", other_address},
    {"UDP to a TCP service", udp_to_tcp_service},
    {"a fragment", fragment_to_service},
    {"IPv6, another port", ipv6_other_port},
    {"IPv6, another address behind options", ipv6_other_address_behind_options},
    {"an IPv6 fragment", ipv6_fragment_to_service},
    {"tagged, another port", tagged_other_port},
    {"garbage called IPv4", garbage_ipv4},
    {"garbage called IPv6", garbage_ipv6},
    {"a backend's own traffic", backends_own},
    {"a TCP header too short", tcp_header_too_short},
    {"a truncated TCP header", tcp_truncated},
    {"an ICMP error about something else", strange_error},
};

/* --- sending and receiving ---------------------------------------------------------------------------------------------- */

static int packet_socket(const char *netns, const char *interface, uint8_t mac[6])
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	struct ifreq ask = {};
	char path[128];
	const int one = 1;
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail("%s: %s", path, strerror(errno));
	ends_enter(fd);
	close(fd);
	at.sll_ifindex = (int)if_nametoindex(interface);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	snprintf(ask.ifr_name, sizeof(ask.ifr_name), "%s", interface);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) || ioctl(fd, SIOCGIFHWADDR, &ask) ||
	    setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)))
		fail("%s in %s: %s", interface, netns, strerror(errno));
	memcpy(mac, ask.ifr_hwaddr.sa_data, 6);
	return fd;
}

/* The kernel takes the outer tag out of a frame that it hands over; here it is put back. */
static void tag_restore(struct frame *f, struct msghdr *message)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(message);
	struct tpacket_auxdata aux;
	uint16_t tag[2];

	if (!c || c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
		return;
	memcpy(&aux, CMSG_DATA(c), sizeof(aux));
	if (!(aux.tp_status & TP_STATUS_VLAN_VALID))
		return;
	tag[0] = htons(aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid : ETHERTYPE_VLAN);
	tag[1] = htons(aux.tp_vlan_tci);
	memmove(f->byte + 16, f->byte + 12, f->length - 12);
	memcpy(f->byte + 12, tag, 4);
	f->length += 4;
}

static bool receive(int fd, struct frame *f)
{
	char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct iovec part = {.iov_base = f->byte, .iov_len = FRAME_MAX + 32};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	ssize_t length = recvmsg(fd, &message, MSG_DONTWAIT);

	if (length < 14)
		return false;
	f->length = (size_t)length;
	tag_restore(f, &message);
	return true;
}

/* Two seconds are long on a local link. Other frames (IPv6's own) come by, too. */
static bool arrives(int fd, const struct frame *sent)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	int64_t until = now_ns() + 2000000000ll;
	struct frame got;

	while (now_ns() < until) {
		while (receive(fd, &got))
			if (got.length == sent->length && !memcmp(got.byte, sent->byte, sent->length))
				return true;
		poll(&wait, 1, 100);
	}
	return false;
}

int main(int argc, char **argv)
{
	const size_t count = sizeof(kinds) / sizeof(kinds[0]);
	static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint8_t from_mac[6], to_mac[6];
	size_t rounds, lost = 0;
	int from, to;

	if (argc != 11 || strcmp(argv[1], "--from") || strcmp(argv[4], "--to") || strcmp(argv[7], "--seed") ||
	    strcmp(argv[9], "--rounds"))
		fail("usage: frames --from NAMESPACE INTERFACE --to NAMESPACE INTERFACE --seed N --rounds N");
	from = packet_socket(argv[2], argv[3], from_mac);
	to = packet_socket(argv[5], argv[6], to_mac);
	state = strtoull(argv[8], NULL, 10);
	rounds = strtoul(argv[10], NULL, 10);
	for (size_t i = 0; i < rounds * count; i++) {
		const struct kind *kind = &kinds[i % count];
		struct frame f = {};

		put(&f, i / count % 2 ? to_mac : everybody, 6);
		put(&f, from_mac, 6);
		kind->make(&f);
		if (send(from, f.byte, f.length, 0) != (ssize_t)f.length)
			fail("%s of %zu bytes can not be sent: %s", kind->name, f.length, strerror(errno));
		if (arrives(to, &f))
			continue;
		printf("did not arrive as it was sent: %s, %zu bytes (round %zu)\n", kind->name, f.length, i / count);
		if (++lost == 5)
			break;
	}
	printf("%zu frames of %zu kinds, %zu did not arrive as they were\n", rounds * count, count, lost);
	return lost != 0;
}
