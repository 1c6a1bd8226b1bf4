/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A table whose columns are as wide as what is in them, measured as a terminal shows it. */
#ifndef RAINBOWCTL_TABLE_H
#define RAINBOWCTL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include "rainbowctl/screen.h"

struct column {
	const char *title; /* NULL ends the list */
	bool right;        /* numbers */
	bool optional;     /* left out if it says nothing in any row */
	int spare;         /* above 0: left out where the terminal is too narrow, the highest first */
};

#define TABLE_COLUMNS 16

struct table;

/* columns must live as long as the table; NULL if there is no memory. */
struct table *table_new(const struct column *columns, const struct screen *screen);
/* Cells in the order of the columns; rows begin by themselves. The text is copied, and made safe to show. */
void table_cell(struct table *table, enum style style, const char *text);
void table_cellf(struct table *table, enum style style, const char *format, ...) __attribute__((format(printf, 3, 4)));
/*
 * Prints with `indent` blanks before each line. Too wide for the terminal: spare columns are left out; the last
 * column is cut where the terminal ends.
 */
void table_print(const struct table *table, int indent);
void table_free(struct table *table);

#endif
