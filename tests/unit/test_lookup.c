// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The address table: entries come and go in random order, crowded into few slots, and are sought by the reader's rule
 * (bpf/lookup.h), written anew here, after each step.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "rainbowd/lookup.h"

#define KEYS 4000

static struct rainbow_lookup table[RAINBOW_LOOKUP_SLOTS];

static struct rainbow_addr address(uint32_t i)
{
	struct rainbow_addr addr = {
	    {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = (uint8_t)(i >> 16), [14] = (uint8_t)(i >> 8), [15] = (uint8_t)i}};

	return addr;
}

/* As the kernel programs search. */
static uint32_t sought(const struct rainbow_addr *addr, uint16_t port, uint8_t protocol)
{
	struct rainbow_addr_words words = rainbow_addr_words(addr);
	uint32_t slot = rainbow_lookup_start(words, port, protocol);
	int i;

	for (i = 0; i < RAINBOW_LOOKUP_PROBES; i++, slot = (slot + 1) & (RAINBOW_LOOKUP_SLOTS - 1)) {
		uint64_t word = table[slot].word;

		if (rainbow_lookup_kind(word) == RAINBOW_LOOKUP_EMPTY)
			return 0;
		if (rainbow_lookup_matches(&table[slot], word, words, port, protocol))
			return rainbow_lookup_id(word);
	}
	return 0;
}

static int add(uint32_t key, uint32_t id)
{
	struct rainbow_addr addr = address(key);
	bool found;
	struct rainbow_lookup *slot = lookup_seek(table, &addr, 80, 6, &found);

	if (!slot)
		return -1;
	lookup_put(slot, &addr, 80, 6, RAINBOW_LOOKUP_BACKEND, id);
	return found;
}

static void test_random_order(void **state)
{
	static uint32_t ids[KEYS];
	uint32_t step, i;

	(void)state;
	memset(table, 0, sizeof(table));
	srandom(7);
	for (step = 1; step < 100000; step++) {
		uint32_t key = (uint32_t)random() % KEYS;
		struct rainbow_addr addr = address(key);

		if (random() % 2) {
			assert_int_equal(add(key, step), ids[key] != 0);
			ids[key] = step;
		} else {
			assert_int_equal(lookup_remove(table, &addr, 80, 6), ids[key] != 0);
			ids[key] = 0;
		}
		assert_int_equal(sought(&addr, 80, 6), ids[key]);
		assert_int_equal(sought(&addr, 80, 17), 0);
		assert_int_equal(sought(&addr, 81, 6), 0);
	}
	for (i = 0; i < KEYS; i++) {
		struct rainbow_addr addr = address(i);

		assert_int_equal(sought(&addr, 80, 6), ids[i]);
		lookup_remove(table, &addr, 80, 6);
	}
	/* No bridge outlives what it led to. */
	for (i = 0; i < RAINBOW_LOOKUP_SLOTS; i++)
		assert_int_equal(table[i].word, 0);
}

/* Addresses whose search begins at one slot: as many as a search goes, no more. */
static void test_crowded_slot(void **state)
{
	struct rainbow_addr first = address(1), addr;
	uint32_t start = rainbow_lookup_start(rainbow_addr_words(&first), 80, 6);
	uint32_t crowd[RAINBOW_LOOKUP_PROBES + 1], key, count = 0;
	size_t i;

	(void)state;
	memset(table, 0, sizeof(table));
	for (key = 1; count <= RAINBOW_LOOKUP_PROBES && key < 1u << 22; key++) {
		addr = address(key);
		if (rainbow_lookup_start(rainbow_addr_words(&addr), 80, 6) == start)
			crowd[count++] = key;
	}
	assert_int_equal(count, RAINBOW_LOOKUP_PROBES + 1);
	for (i = 0; i < RAINBOW_LOOKUP_PROBES; i++)
		assert_int_equal(add(crowd[i], (uint32_t)i + 1), 0);
	assert_int_equal(add(crowd[RAINBOW_LOOKUP_PROBES], 99), -1);
	/* One in the middle goes: those behind it are found still, and its slot serves the next. */
	addr = address(crowd[5]);
	assert_true(lookup_remove(table, &addr, 80, 6));
	addr = address(crowd[31]);
	assert_int_equal(sought(&addr, 80, 6), 32);
	assert_int_equal(add(crowd[31], 77), 1);
	assert_int_equal(add(crowd[RAINBOW_LOOKUP_PROBES], 99), 0);
	assert_int_equal(add(crowd[5], 55), -1);
}

/* As many backends as there may be, numbered the ways that people number them: none is out of reach. */
static void test_all_that_may_be(void **state)
{
	uint32_t way, i;

	(void)state;
	for (way = 0; way < 4; way++) {
		memset(table, 0, sizeof(table));
		for (i = 0; i < RAINBOW_MAX_BACKENDS + RAINBOW_MAX_SERVICES; i++) {
			struct rainbow_addr addr = address(way == 0 ? i : way == 1 ? 1 : way == 2 ? i % 256 : i << 8);
			uint16_t port = (uint16_t)(way == 1 ? 10000 + i : way == 2 ? 8000 + i / 256 : 8080);
			struct rainbow_lookup *slot;
			bool found;

			if (i % 2) /* the same in IPv6 */
				memcpy(&addr, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0", 12);
			slot = lookup_seek(table, &addr, port, 6, &found);
			if (!slot)
				fail_msg("way %u: no room for number %u", way, i);
			assert_false(found);
			lookup_put(slot, &addr, port, 6, RAINBOW_LOOKUP_BACKEND, i + 1);
			assert_int_equal(sought(&addr, port, 6), i + 1);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_random_order),
	    cmocka_unit_test(test_crowded_slot),
	    cmocka_unit_test(test_all_that_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
