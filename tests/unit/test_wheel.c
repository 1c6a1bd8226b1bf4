// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* user/rainbowd/wheel.c: exact shares, evenly spread; and no slot that changes hands without need. */
#include "tests/unit/table_test.h"
#include "rainbowd/wheel.h"

#define SLOTS RAINBOW_WHEEL_SLOTS

static unsigned int count_of(const uint16_t *slot, size_t from, size_t length, uint16_t version)
{
	unsigned int count = 0;
	size_t i;

	for (i = from; i < from + length; i++)
		count += slot[i % SLOTS] == version;
	return count;
}

static const struct {
	const char *name;
	struct wheel_share shares[8];
	size_t count;
} tables[] = {
    {"one", {{7, 1000}}, 1},
    {"halves", {{1, 500}, {2, 500}}, 2},
    {"5 %", {{1, 950}, {2, 50}}, 2},
    {"0.1 %", {{1, 999}, {2, 1}}, 2},
    {"thirds", {{1, 334}, {2, 333}, {3, 333}}, 3},
    {"ramp", {{1, 700}, {2, 250}, {3, 50}}, 3},
    {"many", {{1, 125}, {2, 125}, {3, 125}, {4, 125}, {5, 125}, {6, 125}, {7, 249}, {8, 1}}, 8},
    {"odd", {{3, 617}, {9, 211}, {4, 101}, {8, 71}}, 4},
    {"with a zero", {{1, 0}, {2, 1000}}, 2},
};

static void test_exact_is_exact(void **state)
{
	uint16_t slot[SLOTS];

	(void)state;
	for (size_t t = 0; t < COUNT(tables); t++) {
		wheel_fill_exact(tables[t].shares, tables[t].count, slot);
		for (size_t i = 0; i < tables[t].count; i++)
			row_assert(count_of(slot, 0, SLOTS, tables[t].shares[i].version) == tables[t].shares[i].permille,
				   tables[t].name, "share %zu is wrong", i);
	}
}

/* The k-th slot of a version lies in its own k-th part of the wheel. */
static void test_exact_is_even(void **state)
{
	uint16_t slot[SLOTS];

	(void)state;
	for (size_t t = 0; t < COUNT(tables); t++) {
		wheel_fill_exact(tables[t].shares, tables[t].count, slot);
		for (size_t i = 0; i < tables[t].count; i++) {
			unsigned int permille = tables[t].shares[i].permille, k = 0;

			for (unsigned int s = 0; s < SLOTS; s++) {
				if (slot[s] != tables[t].shares[i].version)
					continue;
				row_assert(s >= k * SLOTS / permille && s < ((k + 1) * SLOTS + permille - 1) / permille,
					   tables[t].name, "turn %u of share %zu lies in slot %u", k, i, s);
				k++;
			}
		}
	}
}

static void test_exact_five_percent_is_one_in_twenty(void **state)
{
	const struct wheel_share shares[] = {{1, 600}, {2, 350}, {3, 50}};
	uint16_t slot[SLOTS];

	(void)state;
	wheel_fill_exact(shares, 3, slot);
	for (size_t i = 0; i < SLOTS; i += 20)
		assert_int_equal(count_of(slot, i, 20, 3), 1);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* Random shares that add up to 1000. */
static void random_shares(struct wheel_share *shares, size_t count, uint32_t *seed)
{
	unsigned int left = SLOTS;

	for (size_t i = 0; i < count; i++) {
		unsigned int permille = i + 1 == count ? left : next_random(seed) % (left / 2 + 1);

		shares[i] = (struct wheel_share){(uint16_t)(i + 1), (uint16_t)permille};
		left -= permille;
	}
}

static void test_exact_fills_any_shares(void **state)
{
	struct wheel_share shares[RAINBOW_MAX_VERSIONS_PER_SERVICE];
	uint16_t slot[SLOTS];
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 300; round++) {
		size_t count = 1 + next_random(&seed) % RAINBOW_MAX_VERSIONS_PER_SERVICE;

		random_shares(shares, count, &seed);
		wheel_fill_exact(shares, count, slot);
		for (size_t i = 0; i < count; i++)
			assert_int_equal(count_of(slot, 0, SLOTS, shares[i].version), shares[i].permille);
	}
}

static unsigned int moved(const uint16_t *a, const uint16_t *b)
{
	unsigned int count = 0;

	for (size_t i = 0; i < SLOTS; i++)
		count += a[i] != b[i];
	return count;
}

/* No more than the sum of what grows. */
static unsigned int must_move(const struct wheel_share *from, const struct wheel_share *to, size_t count)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < count; i++)
		if (to[i].permille > from[i].permille)
			sum += to[i].permille - from[i].permille;
	return sum;
}

static void test_hash_moves_no_more_than_it_must(void **state)
{
	struct wheel_share from[16] = {{0}}, to[16] = {{0}};
	uint16_t before[SLOTS] = {0}, after[SLOTS];
	uint32_t seed = 7;

	(void)state;
	random_shares(from, 16, &seed);
	wheel_fill_hash(from, 16, before, before);
	for (int round = 0; round < 300; round++) {
		random_shares(to, 16, &seed);
		wheel_fill_hash(to, 16, before, after);
		for (size_t i = 0; i < 16; i++)
			assert_int_equal(count_of(after, 0, SLOTS, to[i].version), to[i].permille);
		assert_int_equal(moved(before, after), must_move(from, to, 16));
		memcpy(before, after, sizeof(before));
		memcpy(from, to, sizeof(from));
	}
}

/* A ramp that is rolled back and begun again meets the same clients. */
static void test_hash_ramp_meets_the_same_slots(void **state)
{
	const struct wheel_share all[] = {{1, 1000}, {2, 0}}, ramp[] = {{1, 950}, {2, 50}};
	uint16_t first[SLOTS] = {0}, again[SLOTS];

	(void)state;
	wheel_fill_hash(all, 2, first, first);
	wheel_fill_hash(ramp, 2, first, first);
	memcpy(again, first, sizeof(again));
	wheel_fill_hash(all, 2, again, again);
	wheel_fill_hash(ramp, 2, again, again);
	assert_memory_equal(first, again, sizeof(first));
}

static void test_nobody_has_a_share(void **state)
{
	uint16_t slot[SLOTS] = {5};

	(void)state;
	wheel_fill_exact(NULL, 0, slot);
	assert_int_equal(count_of(slot, 0, SLOTS, 0), SLOTS);
	slot[3] = 5;
	wheel_fill_hash(NULL, 0, slot, slot);
	assert_int_equal(count_of(slot, 0, SLOTS, 0), SLOTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_exact_is_exact),
	    cmocka_unit_test(test_exact_is_even),
	    cmocka_unit_test(test_exact_five_percent_is_one_in_twenty),
	    cmocka_unit_test(test_exact_fills_any_shares),
	    cmocka_unit_test(test_hash_moves_no_more_than_it_must),
	    cmocka_unit_test(test_hash_ramp_meets_the_same_slots),
	    cmocka_unit_test(test_nobody_has_a_share),
	};

	return cmocka_run_group_tests_name("wheel", tests, NULL, NULL);
}
