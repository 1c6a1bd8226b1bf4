/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The other way: reads a frame that came out of a program and verifies each checksum in it (RFC 1071), and compares frames. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include "tests/bpf/packet.h"

static unsigned int load16(const uint8_t *bytes)
{
	return (unsigned int)bytes[0] << 8 | bytes[1];
}

static bool sums_to_zero(const uint8_t *bytes, size_t length, uint32_t sum)
{
	return sum_finish(sum_bytes(bytes, length, sum)) == 0;
}

static const char *check_udp(const uint8_t *bytes, size_t length, uint32_t pseudo, bool is_v4)
{
	if (length < 8 || load16(bytes + 4) < 8 || load16(bytes + 4) > length)
		return "UDP length";
	if (load16(bytes + 6) == 0)
		return is_v4 ? NULL : "UDP checksum 0 over IPv6";
	return sums_to_zero(bytes, load16(bytes + 4), pseudo) ? NULL : "UDP checksum";
}

static const char *check_quoted(const uint8_t *bytes, size_t length)
{
	if (length < 8 || bytes[0] == 0)
		return "ICMP length";
	if (length >= 28 && bytes[8] >> 4 == 4 && !sums_to_zero(bytes + 8, (bytes[8] & 15) * 4u, 0))
		return "checksum of the quoted IPv4 header";
	return NULL;
}

static const char *check_transport(uint8_t protocol, const uint8_t *bytes, size_t length, uint32_t addresses, bool is_v4)
{
	uint32_t pseudo = addresses + protocol + (uint32_t)length;

	switch (protocol) {
	case IPPROTO_TCP:
		return length >= 20 && sums_to_zero(bytes, length, pseudo) ? NULL : "TCP checksum";
	case IPPROTO_UDP:
		return check_udp(bytes, length, pseudo, is_v4);
	case IPPROTO_ICMP:
		return sums_to_zero(bytes, length, 0) ? check_quoted(bytes, length) : "ICMP checksum";
	case IPPROTO_ICMPV6:
		return sums_to_zero(bytes, length, pseudo) ? check_quoted(bytes, length) : "ICMPv6 checksum";
	default:
		return NULL;
	}
}

static const char *check_ipv4(const uint8_t *ip, size_t room)
{
	size_t header = (ip[0] & 15) * 4u, total = load16(ip + 2);

	if (header < 20 || total < header || total > room)
		return "IPv4 lengths";
	if (!sums_to_zero(ip, header, 0))
		return "IPv4 header checksum";
	return check_transport(ip[9], ip + header, total - header, sum_bytes(ip + 12, 8, 0), true);
}

static const char *check_ipv6(const uint8_t *ip, size_t room)
{
	size_t total = 40 + load16(ip + 4), offset = 40;
	uint8_t next = ip[6];

	if (total > room)
		return "IPv6 payload length";
	while (next == IPPROTO_DSTOPTS || next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING) {
		if (offset + 8 > total)
			return "IPv6 extension headers";
		next = ip[offset];
		offset += 8 * (ip[offset + 1] + 1u);
	}
	if (offset > total)
		return "IPv6 extension headers";
	return check_transport(next, ip + offset, total - offset, sum_bytes(ip + 8, 32, 0), false);
}

const char *frame_check(const struct frame *frame)
{
	const uint8_t *bytes = frame->bytes;
	size_t offset = 12;
	unsigned int type;

	if (frame->length < ETHER_SIZE)
		return "Ethernet header";
	for (type = load16(bytes + offset); (type == 0x8100 || type == 0x88a8) && offset < 20; type = load16(bytes + offset))
		offset += 4;
	offset += 2;
	if (type == 0x0800 && offset + 20 <= frame->length)
		return check_ipv4(bytes + offset, frame->length - offset);
	if (type == 0x86dd && offset + 40 <= frame->length)
		return check_ipv6(bytes + offset, frame->length - offset);
	return "not an IP packet";
}

const char *frame_differs(const struct frame *expected, const struct frame *got)
{
	static char where[160];
	size_t i;

	for (i = 0; i < expected->length && i < got->length; i++) {
		if (expected->bytes[i] != got->bytes[i]) {
			snprintf(where, sizeof(where), "byte %zu is %02x, not %02x (lengths %zu, %zu)", i, got->bytes[i],
				 expected->bytes[i], got->length, expected->length);
			return where;
		}
	}
	if (expected->length == got->length)
		return NULL;
	snprintf(where, sizeof(where), "%zu bytes, not %zu", got->length, expected->length);
	return where;
}
