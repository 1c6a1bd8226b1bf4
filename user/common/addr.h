/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Addresses as text and back. IPv6 with a port is written [2001:db8::1]:443 (RFC 3986, 3.2.2). */
#ifndef RAINBOW_ADDR_H
#define RAINBOW_ADDR_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <rainbow/types.h>

#define ADDR_TEXT_SIZE 64 /* holds "[v6]:65535/tcp" and "v6/128" */

struct endpoint {
	struct rainbow_addr addr;
	uint16_t port;
};

struct cidr {
	struct rainbow_addr addr; /* bits beyond `bits` are zero */
	uint8_t bits;             /* as written: 0-32 for IPv4, 0-128 for IPv6 */
};

struct error;

/* All parsers return 0 or -ERROR_BAD_INPUT with err filled (field as given); nothing is written to *out on failure. */
int addr_parse(const char *text, struct rainbow_addr *out, const char *field, struct error *err);
/* "10.0.0.1:80", "[::1]:80". Port 0 is refused. */
int endpoint_parse(const char *text, struct endpoint *out, const char *field, struct error *err);
/* "10.0.0.0/8", "10.1.2.3" (= /32), "2001:db8::/32". Host bits set are refused, naming the network meant. */
int cidr_parse(const char *text, struct cidr *out, const char *field, struct error *err);

bool addr_equal(const struct rainbow_addr *a, const struct rainbow_addr *b);
bool addr_is_v4(const struct rainbow_addr *addr);
/* Unspecified, loopback, multicast, broadcast, link-local: what can be no service's or backend's address. Returns NULL if
 * usable, else the word for it ("a loopback address"). */
const char *addr_unusable(const struct rainbow_addr *addr);
bool cidr_contains(const struct cidr *cidr, const struct rainbow_addr *addr);

/* Return buf. */
const char *addr_format(const struct rainbow_addr *addr, char buf[ADDR_TEXT_SIZE]);
const char *endpoint_format(const struct rainbow_addr *addr, uint16_t port, char buf[ADDR_TEXT_SIZE]);
const char *cidr_format(const struct cidr *cidr, char buf[ADDR_TEXT_SIZE]);

/* To a sockaddr_in (v4-mapped) or sockaddr_in6; returns its length. And back from one. */
socklen_t addr_to_sockaddr(const struct rainbow_addr *addr, uint16_t port, struct sockaddr_storage *out);
void addr_from_sockaddr(const struct sockaddr *sa, struct rainbow_addr *addr, uint16_t *port);

#endif
