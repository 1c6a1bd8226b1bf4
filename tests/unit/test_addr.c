// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* user/common/addr.c: addresses, endpoints and ranges from hostile text, and back. */
#include <arpa/inet.h>
#include "tests/unit/table_test.h"
#include "common/addr.h"
#include "common/error.h"

#define LONG_TEXT "1111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"

static void test_endpoint(void **state)
{
	static const struct {
		const char *text, *back, *complaint;
	} rows[] = {
	    {"10.0.0.1:80", "10.0.0.1:80", NULL},
	    {"255.1.2.3:65535", "255.1.2.3:65535", NULL},
	    {"10.0.0.1:00080", "10.0.0.1:80", NULL},
	    {"[2001:db8::1]:443", "[2001:db8::1]:443", NULL},
	    {"[2001:DB8:0:0:0:0:0:1]:443", "[2001:db8::1]:443", NULL},
	    {"[::ffff:10.0.0.1]:80", "10.0.0.1:80", NULL},
	    {"[::]:1", "[::]:1", NULL},
	    {"", NULL, "the port is missing"},
	    {":", NULL, "'' is not an IP address"},
	    {":80", NULL, "'' is not an IP address"},
	    {"10.0.0.1", NULL, "the port is missing"},
	    {"10.0.0.1:", NULL, "'' is not a port"},
	    {"10.0.0.1:0", NULL, "'0' is not a port"},
	    {"10.0.0.1:65536", NULL, "'65536' is not a port"},
	    {"10.0.0.1:-1", NULL, "'-1' is not a port"},
	    {"10.0.0.1:+80", NULL, "'+80' is not a port"},
	    {"10.0.0.1:80 ", NULL, "'80 ' is not a port"},
	    {"10.0.0.1:http", NULL, "'http' is not a port"},
	    {"10.0.0.1:99999999999999999999", NULL, "is not a port"},
	    {"10.0.0.1:80:90", NULL, "brackets"},
	    {"10.0.0:80", NULL, "'10.0.0' is not an IP address"},
	    {"10.0.0.256:80", NULL, "not an IP address"},
	    {"010.0.0.1:80", NULL, "not an IP address"},
	    {"0x0a.0.0.1:80", NULL, "not an IP address"},
	    {" 10.0.0.1:80", NULL, "not an IP address"},
	    {"localhost:80", NULL, "'localhost' is not an IP address"},
	    {"2001:db8::1:443", NULL, "in brackets"},
	    {"2001:db8::1", NULL, "in brackets"},
	    {"[2001:db8::1]", NULL, "the port is missing"},
	    {"[2001:db8::1]443", NULL, "the port is missing"},
	    {"[2001:db8::1:443", NULL, "the ] is missing"},
	    {"[2001:db8::1]:443]", NULL, "not a port"},
	    {"[10.0.0.1]:80", NULL, "brackets are for IPv6"},
	    {"[]:80", NULL, "brackets are for IPv6"},
	    {"[fe80::1%eth0]:80", NULL, "not an IP address"},
	    {"[2001:db8::1::2]:80", NULL, "not an IP address"},
	    {LONG_TEXT ":80", NULL, "too long"},
	    {"[" LONG_TEXT "]:80", NULL, "too long"},
	    {"\xff\xff:80", NULL, "not an IP address"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct endpoint endpoint = {.port = 4711};
		struct error err = {ERROR_NONE};
		char text[ADDR_TEXT_SIZE];
		int rc = endpoint_parse(rows[i].text, &endpoint, "ADDR:PORT", &err);

		row_assert(rc == (rows[i].back ? 0 : -ERROR_BAD_INPUT), rows[i].text, "returned %d", rc);
		if (rows[i].back) {
			endpoint_format(&endpoint.addr, endpoint.port, text);
			row_assert(!strcmp(text, rows[i].back), rows[i].text, "came back as %s", text);
		} else {
			row_assert(strstr(err.message, rows[i].complaint), rows[i].text, "said: %s", err.message);
			row_assert(endpoint.port == 4711, rows[i].text, "was written");
		}
	}
}

static void test_cidr(void **state)
{
	static const struct {
		const char *text, *back, *complaint;
	} rows[] = {
	    {"10.0.0.0/8", "10.0.0.0/8", NULL},
	    {"10.1.2.3", "10.1.2.3/32", NULL},
	    {"10.1.2.3/32", "10.1.2.3/32", NULL},
	    {"0.0.0.0/0", "0.0.0.0/0", NULL},
	    {"10.128.0.0/9", "10.128.0.0/9", NULL},
	    {"2001:db8::/32", "2001:db8::/32", NULL},
	    {"2001:db8::1", "2001:db8::1/128", NULL},
	    {"::/0", "::/0", NULL},
	    {"10.0.0.1/24", NULL, "did you mean 10.0.0.0/24?"},
	    {"10.64.0.0/9", NULL, "did you mean 10.0.0.0/9?"},
	    {"10.0.0.0/0", NULL, "did you mean 0.0.0.0/0?"},
	    {"2001:db8::1/64", NULL, "did you mean 2001:db8::/64?"},
	    {"10.0.0.0/33", NULL, "'33' is not a prefix length (0 to 32)"},
	    {"2001:db8::/129", NULL, "'129' is not a prefix length (0 to 128)"},
	    {"10.0.0.0/", NULL, "'' is not a prefix length"},
	    {"10.0.0.0/-1", NULL, "not a prefix length"},
	    {"10.0.0.0/255.0.0.0", NULL, "not a prefix length"},
	    {"10.0.0.0/8/8", NULL, "not a prefix length"},
	    {"10.0.0/8", NULL, "not an address range"},
	    {"/8", NULL, "not an address range"},
	    {"", NULL, "not an address range"},
	    {"any", NULL, "not an address range"},
	    {"::ffff:10.0.0.0/104", NULL, "dotted form"},
	    {LONG_TEXT "/8", NULL, "too long"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct error err = {ERROR_NONE};
		char text[ADDR_TEXT_SIZE];
		struct cidr cidr;
		int rc = cidr_parse(rows[i].text, &cidr, "CIDR", &err);

		row_assert(rc == (rows[i].back ? 0 : -ERROR_BAD_INPUT), rows[i].text, "returned %d", rc);
		if (rows[i].back)
			row_assert(!strcmp(cidr_format(&cidr, text), rows[i].back), rows[i].text, "came back as %s", text);
		else
			row_assert(strstr(err.message, rows[i].complaint), rows[i].text, "said: %s", err.message);
	}
}

static void test_contains(void **state)
{
	static const struct {
		const char *range, *addr;
		bool inside;
	} rows[] = {
	    {"10.0.0.0/8", "10.255.255.255", true},
	    {"10.0.0.0/8", "11.0.0.0", false},
	    {"10.128.0.0/9", "10.127.255.255", false},
	    {"10.128.0.0/9", "10.128.0.0", true},
	    {"10.1.2.3/32", "10.1.2.3", true},
	    {"10.1.2.3/32", "10.1.2.2", false},
	    {"0.0.0.0/0", "192.0.2.1", true},
	    {"::/0", "192.0.2.1", false},
	    {"0.0.0.0/0", "2001:db8::1", false},
	    {"2001:db8::/33", "2001:db8:7fff::1", true},
	    {"2001:db8::/33", "2001:db8:8000::1", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rainbow_addr addr;
		struct cidr cidr;

		assert_int_equal(cidr_parse(rows[i].range, &cidr, "", NULL), 0);
		assert_int_equal(addr_parse(rows[i].addr, &addr, "", NULL), 0);
		row_assert(cidr_contains(&cidr, &addr) == rows[i].inside, rows[i].range, "%s", rows[i].addr);
	}
}

static void test_unusable(void **state)
{
	static const struct {
		const char *addr, *word;
	} rows[] = {
	    {"10.0.0.1", NULL},
	    {"192.0.2.1", NULL},
	    {"128.0.0.1", NULL},
	    {"2001:db8::1", NULL},
	    {"fd00::1", NULL},
	    {"fec0::1", NULL},
	    {"0.0.0.0", "unspecified"},
	    {"127.0.0.1", "loopback"},
	    {"127.255.0.1", "loopback"},
	    {"169.254.1.1", "link-local"},
	    {"224.0.0.1", "multicast"},
	    {"239.255.255.255", "multicast"},
	    {"255.255.255.255", "broadcast"},
	    {"::", "unspecified"},
	    {"::1", "loopback"},
	    {"::ffff:127.0.0.1", "loopback"},
	    {"ff02::1", "multicast"},
	    {"fe80::1", "link-local"},
	    {"febf::1", "link-local"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rainbow_addr addr;
		const char *word;

		assert_int_equal(addr_parse(rows[i].addr, &addr, "", NULL), 0);
		word = addr_unusable(&addr);
		row_assert(rows[i].word ? word && strstr(word, rows[i].word) : !word, rows[i].addr, "gave %s",
			   word ? word : "usable");
	}
}

static void test_sockaddr(void **state)
{
	static const char *const texts[] = {"10.1.2.3:80", "[2001:db8::5]:65535"};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct sockaddr_storage storage;
		struct endpoint there, back;

		assert_int_equal(endpoint_parse(texts[i], &there, "", NULL), 0);
		addr_to_sockaddr(&there.addr, there.port, &storage);
		addr_from_sockaddr((const struct sockaddr *)&storage, &back.addr, &back.port);
		assert_true(addr_equal(&there.addr, &back.addr));
		assert_int_equal(there.port, back.port);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_endpoint), cmocka_unit_test(test_cidr),     cmocka_unit_test(test_contains),
	    cmocka_unit_test(test_unusable), cmocka_unit_test(test_sockaddr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
