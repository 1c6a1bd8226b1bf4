/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets for the tests, made from a description and checked by code of their own: nothing here includes rainbow/checksum.h,
 * so the two can not be wrong alike. An expected packet is made as the given one is, from scratch, with all its checksums.
 */
#ifndef RAINBOW_TEST_PACKET_H
#define RAINBOW_TEST_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "user/common/addr.h"

#define FRAME_MAX  2048
#define ETHER_SIZE 14
#define NO_SCALE   -1

enum tcp_flag {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
};

struct frame {
	uint8_t bytes[FRAME_MAX];
	size_t length;
};

/* What a packet says. Zeroed fields mean: untagged, no options, no payload, IPv4 or IPv6 by the source's family. */
struct packet {
	uint8_t target_mac[6];
	uint8_t source_mac[6];
	int tags; /* VLAN tags: 0 to 2 */
	struct endpoint source;
	struct endpoint target;
	uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP, or anything else: then the payload follows the IP header */
	uint8_t ttl;
	uint8_t ip_options;      /* IPv4: bytes of options, a multiple of 4, up to 40 */
	uint8_t extensions;      /* IPv6: destination options headers ahead of the transport header */
	uint8_t extension_units; /* length field of each: 8 * (units + 1) bytes */
	bool fragment_first;     /* more fragments follow */
	bool fragment_later;     /* offset 1480: no transport header inside */
	uint32_t seq;
	uint32_t ack;
	uint8_t flags; /* enum tcp_flag */
	uint16_t window;
	int scale;           /* window scale option, or NO_SCALE */
	uint8_t tcp_options; /* further bytes of options, a multiple of 4 */
	bool no_checksum;    /* UDP: sent with checksum 0 */
	bool raw_checksum;   /* transport checksum is `checksum` as it stands, not computed */
	uint16_t checksum;
	uint16_t payload; /* bytes */
	uint8_t fill;     /* their pattern */
	uint16_t padding; /* bytes behind the IP packet, as of short frames */
	/* An ICMP error about another packet: protocol ICMP or ICMPv6. */
	const struct packet *quoted;
	uint16_t quoted_bytes; /* of the quoted IP packet: as much as is there if 0 */
	uint8_t icmp_type;
	uint8_t icmp_code;
};

/* "10.0.0.1", 80. Aborts on what is no address. */
struct endpoint at(const char *address, uint16_t port);
bool packet_is_v4(const struct packet *packet);

void packet_build(struct frame *frame, const struct packet *packet);
/* Offset of the IP header, of the transport header. */
size_t packet_ip_offset(const struct packet *packet);
size_t packet_transport_offset(const struct packet *packet);

/* RFC 1071 over the bytes, big-endian, not complemented. */
uint32_t sum_bytes(const uint8_t *bytes, size_t length, uint32_t sum);
uint16_t sum_finish(uint32_t sum);

/* Reads the frame anew and checks each checksum in it, that of a quoted header too. NULL if all are right, else which is not. */
const char *frame_check(const struct frame *frame);
/* NULL if alike, else where they differ (a static buffer). */
const char *frame_differs(const struct frame *expected, const struct frame *got);

#endif
