/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Packets from their description: every header written field by field, big-endian, with nothing of the kernel's or of ours. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include "tests/bpf/packet.h"

static void put8(struct frame *f, unsigned int value)
{
	if (f->length >= FRAME_MAX)
		abort();
	f->bytes[f->length++] = (uint8_t)value;
}

static void put16(struct frame *f, unsigned int value)
{
	put8(f, value >> 8);
	put8(f, value);
}

static void put32(struct frame *f, uint32_t value)
{
	put16(f, value >> 16);
	put16(f, value & 0xffff);
}

static void put_bytes(struct frame *f, const void *bytes, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		put8(f, ((const uint8_t *)bytes)[i]);
}

static void store16(struct frame *f, size_t offset, unsigned int value)
{
	f->bytes[offset] = (uint8_t)(value >> 8);
	f->bytes[offset + 1] = (uint8_t)value;
}

struct endpoint at(const char *address, uint16_t port)
{
	struct endpoint end = {.port = port};

	if (inet_pton(AF_INET, address, end.addr.octet + 12) == 1) {
		end.addr.octet[10] = end.addr.octet[11] = 0xff;
		return end;
	}
	if (inet_pton(AF_INET6, address, end.addr.octet) != 1)
		abort();
	return end;
}

bool packet_is_v4(const struct packet *packet)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	return !memcmp(packet->source.addr.octet, mapped, sizeof(mapped));
}

size_t packet_ip_offset(const struct packet *packet)
{
	return ETHER_SIZE + 4 * (size_t)packet->tags;
}

size_t packet_transport_offset(const struct packet *packet)
{
	size_t ip = packet_ip_offset(packet);

	if (packet_is_v4(packet))
		return ip + 20 + packet->ip_options;
	return ip + 40 + packet->extensions * 8 * (packet->extension_units + 1u) +
	       (packet->fragment_first || packet->fragment_later ? 8 : 0);
}

uint32_t sum_bytes(const uint8_t *bytes, size_t length, uint32_t sum)
{
	size_t i;

	for (i = 0; i + 1 < length; i += 2) {
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	if (length & 1)
		sum += (uint32_t)bytes[length - 1] << 8;
	return (sum & 0xffff) + (sum >> 16);
}

uint16_t sum_finish(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* --- writing ------------------------------------------------------------------------------------------------------------- */

static void put_ethernet(struct frame *f, const struct packet *p)
{
	int i;

	put_bytes(f, p->target_mac, 6);
	put_bytes(f, p->source_mac, 6);
	for (i = 0; i < p->tags; i++) {
		put16(f, i == 0 && p->tags == 2 ? 0x88a8 : 0x8100);
		put16(f, 100u + (unsigned int)i);
	}
	put16(f, packet_is_v4(p) ? 0x0800 : 0x86dd);
}

static void put_ipv4(struct frame *f, const struct packet *p)
{
	int i;

	put8(f, 0x40 | (5 + p->ip_options / 4));
	put8(f, 0x10);
	put16(f, 0); /* total length */
	put16(f, 0x1d1d);
	put16(f, p->fragment_first ? 0x2000 : p->fragment_later ? 185 : 0x4000);
	put8(f, p->ttl);
	put8(f, p->protocol);
	put16(f, 0);
	put_bytes(f, p->source.addr.octet + 12, 4);
	put_bytes(f, p->target.addr.octet + 12, 4);
	for (i = 0; i < p->ip_options; i++)
		put8(f, 1); /* no-operation */
}

static void put_ipv6(struct frame *f, const struct packet *p)
{
	bool fragment = p->fragment_first || p->fragment_later;
	uint8_t first = p->extensions ? IPPROTO_DSTOPTS : fragment ? IPPROTO_FRAGMENT : p->protocol;
	unsigned int i, k, size = 8 * (p->extension_units + 1u);

	put32(f, 0x61234567);
	put16(f, 0); /* payload length */
	put8(f, first);
	put8(f, p->ttl);
	put_bytes(f, p->source.addr.octet, 16);
	put_bytes(f, p->target.addr.octet, 16);
	for (i = 0; i < p->extensions; i++) {
		put8(f, i + 1u < p->extensions ? IPPROTO_DSTOPTS : fragment ? IPPROTO_FRAGMENT : p->protocol);
		put8(f, p->extension_units);
		for (k = 2; k < size; k++)
			put8(f, 0); /* Pad1 */
	}
	if (fragment) {
		put8(f, p->protocol);
		put8(f, 0);
		put16(f, p->fragment_first ? 1 : 1480);
		put32(f, 0x42424242);
	}
}

static void put_payload(struct frame *f, const struct packet *p)
{
	unsigned int i;

	for (i = 0; i < p->payload; i++)
		put8(f, p->fill + i * 7);
}

static void put_tcp(struct frame *f, const struct packet *p)
{
	unsigned int scale = p->scale == NO_SCALE ? 0 : 4;
	unsigned int i;

	put16(f, p->source.port);
	put16(f, p->target.port);
	put32(f, p->seq);
	put32(f, p->ack);
	put8(f, (5 + (p->tcp_options + scale) / 4) << 4);
	put8(f, p->flags);
	put16(f, p->window);
	put16(f, 0);
	put16(f, 0);
	for (i = 0; i < p->tcp_options; i++)
		put8(f, 1);
	if (scale) {
		put8(f, 1);
		put8(f, 3);
		put8(f, 3);
		put8(f, (unsigned int)p->scale);
	}
}

static void put_udp(struct frame *f, const struct packet *p)
{
	put16(f, p->source.port);
	put16(f, p->target.port);
	put16(f, 8u + p->payload);
	put16(f, 0);
}

static void put_icmp(struct frame *f, const struct packet *p)
{
	struct frame quoted;
	size_t offset = packet_ip_offset(p->quoted), count;

	put8(f, p->icmp_type);
	put8(f, p->icmp_code);
	put16(f, 0);
	put32(f, 0);
	packet_build(&quoted, p->quoted);
	count = quoted.length - offset;
	if (p->quoted_bytes && p->quoted_bytes < count)
		count = p->quoted_bytes;
	put_bytes(f, quoted.bytes + offset, count);
}

/* Sum of the pseudo-header (RFC 9293, 3.1; RFC 8200, 8.1). */
static uint32_t sum_pseudo(const struct packet *p, size_t length)
{
	size_t skip = packet_is_v4(p) ? 12 : 0;
	uint32_t sum = sum_bytes(p->source.addr.octet + skip, 16 - skip, 0);

	sum = sum_bytes(p->target.addr.octet + skip, 16 - skip, sum);
	return sum + p->protocol + (uint32_t)(length >> 16) + (uint32_t)(length & 0xffff);
}

static void fill_transport_checksum(struct frame *f, const struct packet *p, size_t start, size_t field)
{
	bool pseudo = p->protocol != IPPROTO_ICMP;
	size_t length = f->length - start;
	uint16_t checksum;

	if (p->no_checksum)
		return;
	if (p->raw_checksum) {
		store16(f, field, p->checksum);
		return;
	}
	checksum = sum_finish(sum_bytes(f->bytes + start, length, pseudo ? sum_pseudo(p, length) : 0));
	if (!checksum && p->protocol == IPPROTO_UDP)
		checksum = 0xffff;
	store16(f, field, checksum);
}

static void put_transport(struct frame *f, const struct packet *p)
{
	size_t start = f->length;

	if (p->fragment_later) {
		put_payload(f, p);
	} else if (p->protocol == IPPROTO_TCP) {
		put_tcp(f, p);
		put_payload(f, p);
		fill_transport_checksum(f, p, start, start + 16);
	} else if (p->protocol == IPPROTO_UDP) {
		put_udp(f, p);
		put_payload(f, p);
		fill_transport_checksum(f, p, start, start + 6);
	} else if (p->quoted) {
		put_icmp(f, p);
		fill_transport_checksum(f, p, start, start + 2);
	} else {
		put_payload(f, p);
	}
}

void packet_build(struct frame *f, const struct packet *p)
{
	size_t ip = packet_ip_offset(p);
	unsigned int i;

	f->length = 0;
	put_ethernet(f, p);
	if (packet_is_v4(p))
		put_ipv4(f, p);
	else
		put_ipv6(f, p);
	put_transport(f, p);
	if (packet_is_v4(p)) {
		store16(f, ip + 2, (unsigned int)(f->length - ip));
		store16(f, ip + 10, sum_finish(sum_bytes(f->bytes + ip, 20u + p->ip_options, 0)));
	} else {
		store16(f, ip + 4, (unsigned int)(f->length - ip - 40));
	}
	for (i = 0; i < p->padding; i++)
		put8(f, 0);
}
