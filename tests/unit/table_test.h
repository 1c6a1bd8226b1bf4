/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* For unit tests: cmocka with what it wants included first, and a way to say which row of a table failed. */
#ifndef RAINBOW_TABLE_TEST_H
#define RAINBOW_TABLE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Fails, naming the row. */
#define row_assert(condition, row, ...)                                                                                        \
	do {                                                                                                                   \
		if (!(condition)) {                                                                                            \
			print_error("row '%s': ", row);                                                                        \
			print_error(__VA_ARGS__);                                                                              \
			print_error("\n");                                                                                     \
			fail();                                                                                                \
		}                                                                                                              \
	} while (0)

#endif
