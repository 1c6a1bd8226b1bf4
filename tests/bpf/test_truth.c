/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every row of the truth table, on every path and in both address families: one cmocka test each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "tests/bpf/truth.h"

struct one {
	const struct row *row;
	enum path path;
	bool is_v4;
	char name[120];
};

static struct world world;

static void test_one(void **state)
{
	const struct one *one = *state;

	truth_run(&world, one->row, one->path, one->is_v4);
}

static size_t list_row(const struct row *row, struct one *ones, size_t count)
{
	int path, is_v4;

	for (path = 0; path < PATHS; path++) {
		if (row->paths && !(row->paths & ON(path)))
			continue;
		for (is_v4 = 0; is_v4 < 2; is_v4++) {
			struct one *one = &ones[count];

			if (row->family == (is_v4 ? FAMILY_V6 : FAMILY_V4))
				continue;
			*one = (struct one){.row = row, .path = (enum path)path, .is_v4 = is_v4};
			snprintf(one->name, sizeof(one->name), "%s [%s, IPv%d]", row->name, path_name(one->path),
				 is_v4 ? 4 : 6);
			count++;
		}
	}
	return count;
}

int main(int argc, char **argv)
{
	const struct world_config config = {.pins = 512, .nursery = 512};
	struct one *ones;
	struct CMUnitTest *tests;
	size_t i, count = 0;
	int failed;

	if (world_is_impossible())
		return 77; /* skipped */
	if (world_open(&world, &config))
		return 1;
	ones = calloc(truth_rows_count * PATHS * 2, sizeof(*ones));
	tests = calloc(truth_rows_count * PATHS * 2, sizeof(*tests));
	for (i = 0; i < truth_rows_count; i++)
		if (argc < 2 || strstr(truth_rows[i].name, argv[1]))
			count = list_row(&truth_rows[i], ones, count);
	for (i = 0; i < count; i++)
		tests[i] = (struct CMUnitTest){.name = ones[i].name, .test_func = test_one, .initial_state = &ones[i]};
	failed = _cmocka_run_group_tests("truth", tests, count, NULL, NULL);
	world_close(&world);
	free(tests);
	free(ones);
	return failed ? 1 : 0;
}
