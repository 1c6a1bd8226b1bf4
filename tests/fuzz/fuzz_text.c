/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Fuzzes the readers of small texts: addresses, ranges, durations, instants, numbers, names. What is accepted comes back as itself. */
#include <string.h>
#include "tests/fuzz/fuzz.h"
#include "common/addr.h"
#include "common/duration.h"
#include "common/error.h"
#include "common/text.h"
#include "rainbowd/datapath.h"

static struct error err;

static void must(int holds)
{
	if (!holds)
		abort();
}

static void try_addresses(const char *text)
{
	struct endpoint endpoint, same_endpoint;
	struct rainbow_addr addr, same;
	struct cidr cidr, same_cidr;
	char buf[ADDR_TEXT_SIZE];

	if (!addr_parse(text, &addr, "a", &err)) {
		must(!addr_parse(addr_format(&addr, buf), &same, "a", &err) && addr_equal(&addr, &same));
		addr_unusable(&addr);
	}
	if (!endpoint_parse(text, &endpoint, "e", &err)) {
		must(endpoint.port);
		must(!endpoint_parse(endpoint_format(&endpoint.addr, endpoint.port, buf), &same_endpoint, "e", &err));
		must(addr_equal(&endpoint.addr, &same_endpoint.addr) && endpoint.port == same_endpoint.port);
	}
	if (!cidr_parse(text, &cidr, "c", &err)) {
		must(!cidr_parse(cidr_format(&cidr, buf), &same_cidr, "c", &err));
		must(addr_equal(&cidr.addr, &same_cidr.addr) && cidr.bits == same_cidr.bits &&
		     cidr_contains(&cidr, &cidr.addr));
	}
}

static void try_times(const char *text)
{
	char buf[DURATION_TEXT_SIZE > INSTANT_TEXT_SIZE ? DURATION_TEXT_SIZE : INSTANT_TEXT_SIZE];
	struct instant instant, same;
	struct duration duration;

	if (!duration_parse(text, &duration, "d", &err)) {
		must(duration.ms > 0);
		must(!duration_parse(duration_format(duration, buf), &duration, "d", &err));
	}
	if (!instant_parse(text, &instant, "i", &err) && instant.unix_ms)
		must(!instant_parse(instant_format(instant, buf), &same, "i", &err) && instant.unix_ms == same.unix_ms);
}

static void try_words(char *text)
{
	static const char *const words[] = {"drain", "undrain", "set-weight", NULL};
	struct hook_wish wish;
	uint32_t permille;
	uint64_t number;
	char buf[16];

	if (!percent_parse(text, &permille, "p", &err)) {
		must(permille <= 1000);
		must(!percent_parse(percent_format(permille, buf), &permille, "p", &err));
	}
	if (!number_parse(text, 3, 5000000000ull, &number, "n", &err))
		must(number >= 3 && number <= 5000000000ull);
	if (!name_check(text, "service", "s", &err))
		must(strlen(text) <= 31);
	tuple_text_check(text, "t", &err);
	hook_wish_parse(text, &wish, &err);
	text_nearest(text, words);
	text_clean(text);
	must(!strpbrk(text, "\x1b\x7f\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *text = malloc(size + 1);

	memcpy(text, bytes, size);
	text[size] = '\0';
	try_addresses(text);
	try_times(text);
	try_words(text);
	free(text);
	return 0;
}
