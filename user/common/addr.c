// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Addresses as text and back: see addr.h. inet_pton() decides what an address is (no octal, no zone, no short forms). */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include "common/addr.h"
#include "common/error.h"
#include "common/text.h"

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool text_to_addr(const char *text, struct rainbow_addr *out)
{
	struct rainbow_addr addr;

	memcpy(addr.octet, v4_prefix, sizeof(v4_prefix));
	if (inet_pton(AF_INET, text, addr.octet + 12) != 1 && inet_pton(AF_INET6, text, addr.octet) != 1)
		return false;
	*out = addr;
	return true;
}

int addr_parse(const char *text, struct rainbow_addr *out, const char *field, struct error *err)
{
	if (!text_to_addr(text, out))
		return error_set(err, ERROR_BAD_INPUT, field, "'%s' is not an IP address: write 10.0.0.1 or 2001:db8::1", text);
	return 0;
}

/* Splits at the colon before the port; *host gets the address without brackets. Returns why it can not be, or NULL. */
static const char *endpoint_split(const char *text, char host[ADDR_TEXT_SIZE], const char **port)
{
	const char *end = *text == '[' ? strchr(text, ']') : strrchr(text, ':');
	const char *begin = *text == '[' ? text + 1 : text;

	if (!end)
		return *text == '[' ? "the ] is missing" : "the port is missing; write ADDR:PORT";
	if (*text != '[' && strchr(text, ':') != end)
		return "an IPv6 address with a port goes in brackets: [2001:db8::1]:80";
	if (*text == '[' && end[1] != ':')
		return "the port is missing; write [ADDR]:PORT";
	if ((size_t)(end - begin) >= ADDR_TEXT_SIZE)
		return "the address is too long";
	memcpy(host, begin, (size_t)(end - begin));
	host[end - begin] = '\0';
	if (*text == '[' && !strchr(host, ':'))
		return "brackets are for IPv6 addresses";
	*port = *text == '[' ? end + 2 : end + 1;
	return NULL;
}

int endpoint_parse(const char *text, struct endpoint *out, const char *field, struct error *err)
{
	char host[ADDR_TEXT_SIZE];
	const char *port, *why = endpoint_split(text, host, &port);
	struct endpoint endpoint;
	uint64_t number;

	if (why)
		return error_set(err, ERROR_BAD_INPUT, field, "'%s' is not an ADDR:PORT: %s", text, why);
	if (!text_to_addr(host, &endpoint.addr))
		return error_set(err, ERROR_BAD_INPUT, field, "'%s' is not an ADDR:PORT: '%s' is not an IP address", text,
				 host);
	if (number_parse(port, 1, 65535, &number, field, NULL))
		return error_set(err, ERROR_BAD_INPUT, field, "'%s' is not an ADDR:PORT: '%s' is not a port (1 to 65535)", text,
				 port);
	endpoint.port = (uint16_t)number;
	*out = endpoint;
	return 0;
}

static void keep_bits(struct rainbow_addr *addr, unsigned int bits)
{
	for (unsigned int i = 0; i < sizeof(addr->octet); i++) {
		unsigned int kept = bits > i * 8 ? bits - i * 8 : 0;

		if (kept < 8)
			addr->octet[i] &= (uint8_t)(0xff00 >> kept);
	}
}

/* The prefix length counted from the front of the 16 octets. */
static unsigned int cidr_bits128(const struct cidr *cidr)
{
	return cidr->bits + (addr_is_v4(&cidr->addr) ? 96u : 0u);
}

int cidr_parse(const char *text, struct cidr *out, const char *field, struct error *err)
{
	char host[ADDR_TEXT_SIZE], network_text[ADDR_TEXT_SIZE];
	const char *slash = strchrnul(text, '/');
	struct cidr network, written;
	unsigned int most;
	uint64_t bits;

	if ((size_t)(slash - text) >= sizeof(host))
		return error_set(err, ERROR_BAD_INPUT, field, "'%s' is not an address range: it is too long", text);
	memcpy(host, text, (size_t)(slash - text));
	host[slash - text] = '\0';
	if (!text_to_addr(host, &written.addr))
		return error_set(err, ERROR_BAD_INPUT, field,
				 "'%s' is not an address range: write 10.0.0.0/24 or 2001:db8::/32", text);
	if (addr_is_v4(&written.addr) && strchr(host, ':'))
		return error_set(err, ERROR_BAD_INPUT, field, "'%s': write an IPv4 range in dotted form, like 10.0.0.0/24",
				 text);
	most = addr_is_v4(&written.addr) ? 32 : 128;
	bits = most;
	if (*slash && number_parse(slash + 1, 0, most, &bits, field, NULL))
		return error_set(err, ERROR_BAD_INPUT, field,
				 "'%s' is not an address range: '%s' is not a prefix length (0 to %u)", text, slash + 1, most);
	written.bits = (uint8_t)bits;
	network = written;
	keep_bits(&network.addr, cidr_bits128(&written));
	if (!addr_equal(&network.addr, &written.addr))
		return error_set(err, ERROR_BAD_INPUT, field, "'%s' has bits set beyond /%u: did you mean %s?", text,
				 written.bits, cidr_format(&network, network_text));
	*out = network;
	return 0;
}

bool addr_equal(const struct rainbow_addr *a, const struct rainbow_addr *b)
{
	return !memcmp(a->octet, b->octet, sizeof(a->octet));
}

bool addr_is_v4(const struct rainbow_addr *addr)
{
	return !memcmp(addr->octet, v4_prefix, sizeof(v4_prefix));
}

static const char *unusable_v4(const uint8_t *octet)
{
	if (octet[0] == 0)
		return "an unspecified address";
	if (octet[0] == 127)
		return "a loopback address";
	if (octet[0] == 169 && octet[1] == 254)
		return "a link-local address";
	if (octet[0] >= 224 && octet[0] < 240)
		return "a multicast address";
	if (octet[0] == 255 && octet[1] == 255 && octet[2] == 255 && octet[3] == 255)
		return "a broadcast address";
	return NULL;
}

const char *addr_unusable(const struct rainbow_addr *addr)
{
	static const struct rainbow_addr unspecified, loopback = {{[15] = 1}};

	if (addr_is_v4(addr))
		return unusable_v4(addr->octet + 12);
	if (addr_equal(addr, &unspecified))
		return "an unspecified address";
	if (addr_equal(addr, &loopback))
		return "a loopback address";
	if (addr->octet[0] == 0xff)
		return "a multicast address";
	if (addr->octet[0] == 0xfe && (addr->octet[1] & 0xc0) == 0x80)
		return "a link-local address";
	return NULL;
}

bool cidr_contains(const struct cidr *cidr, const struct rainbow_addr *addr)
{
	struct rainbow_addr network = *addr;

	if (addr_is_v4(&cidr->addr) != addr_is_v4(addr))
		return false;
	keep_bits(&network, cidr_bits128(cidr));
	return addr_equal(&network, &cidr->addr);
}

const char *addr_format(const struct rainbow_addr *addr, char buf[ADDR_TEXT_SIZE])
{
	if (addr_is_v4(addr))
		inet_ntop(AF_INET, addr->octet + 12, buf, ADDR_TEXT_SIZE);
	else
		inet_ntop(AF_INET6, addr->octet, buf, ADDR_TEXT_SIZE);
	return buf;
}

const char *endpoint_format(const struct rainbow_addr *addr, uint16_t port, char buf[ADDR_TEXT_SIZE])
{
	char host[INET6_ADDRSTRLEN];

	if (addr_is_v4(addr)) {
		inet_ntop(AF_INET, addr->octet + 12, host, sizeof(host));
		snprintf(buf, ADDR_TEXT_SIZE, "%s:%u", host, port);
	} else {
		inet_ntop(AF_INET6, addr->octet, host, sizeof(host));
		snprintf(buf, ADDR_TEXT_SIZE, "[%s]:%u", host, port);
	}
	return buf;
}

const char *cidr_format(const struct cidr *cidr, char buf[ADDR_TEXT_SIZE])
{
	size_t length;

	addr_format(&cidr->addr, buf);
	length = strlen(buf);
	snprintf(buf + length, ADDR_TEXT_SIZE - length, "/%u", cidr->bits);
	return buf;
}

socklen_t addr_to_sockaddr(const struct rainbow_addr *addr, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;

	memset(out, 0, sizeof(*out));
	if (addr_is_v4(addr)) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, addr->octet + 12, 4);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	memcpy(&v6->sin6_addr, addr->octet, 16);
	return sizeof(*v6);
}

void addr_from_sockaddr(const struct sockaddr *sa, struct rainbow_addr *addr, uint16_t *port)
{
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)sa;

		memcpy(addr->octet, v4_prefix, sizeof(v4_prefix));
		memcpy(addr->octet + 12, &v4->sin_addr, 4);
		*port = ntohs(v4->sin_port);
	} else {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)sa;

		memcpy(addr->octet, &v6->sin6_addr, 16);
		*port = ntohs(v6->sin6_port);
	}
}
