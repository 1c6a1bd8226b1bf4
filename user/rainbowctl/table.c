// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Collects cells, then measures and prints: see table.h. */
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include "common/text.h"
#include "rainbowctl/table.h"

#define CELL_SIZE  600 /* a whole tuple: four texts of 128 bytes */
#define GAP        2
#define LAST_LEAST 12

struct cell {
	char *text;
	enum style style;
};

struct table {
	const struct column *columns;
	const struct screen *screen;
	size_t column_count;
	struct cell *cells;
	size_t cell_count, cell_room;
};

struct table *table_new(const struct column *columns, const struct screen *screen)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->columns = columns;
	table->screen = screen;
	while (table->column_count < TABLE_COLUMNS && columns[table->column_count].title)
		table->column_count++;
	return table;
}

static bool make_room(struct table *table)
{
	size_t room = table->cell_room ? table->cell_room * 2 : 64;
	struct cell *cells;

	if (table->cell_count < table->cell_room)
		return true;
	cells = reallocarray(table->cells, room, sizeof(*cells));
	if (!cells)
		return false;
	table->cells = cells;
	table->cell_room = room;
	return true;
}

void table_cell(struct table *table, enum style style, const char *text)
{
	char shown[CELL_SIZE];

	if (!table || !make_room(table))
		return;
	text_shown(table->screen, text, shown, sizeof(shown));
	table->cells[table->cell_count++] = (struct cell){strdup(shown), style};
}

void table_cellf(struct table *table, enum style style, const char *format, ...)
{
	char text[CELL_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	table_cell(table, style, text);
}

static const char *cell_text(const struct cell *cell)
{
	return cell->text ? cell->text : "";
}

static bool says_nothing(const struct table *table, const char *text)
{
	return !*text || !strcmp(text, screen_none(table->screen));
}

/* Widths of the columns; 0 for one that is left out. */
static void measure(const struct table *table, size_t widths[TABLE_COLUMNS])
{
	for (size_t column = 0; column < table->column_count; column++) {
		bool empty = true;

		widths[column] = text_width(table->columns[column].title);
		for (size_t i = column; i < table->cell_count; i += table->column_count) {
			size_t width = text_width(cell_text(&table->cells[i]));

			empty = empty && says_nothing(table, cell_text(&table->cells[i]));
			widths[column] = width > widths[column] ? width : widths[column];
		}
		if (table->columns[column].optional && empty)
			widths[column] = 0;
	}
}

static size_t total_width(const struct table *table, const size_t *widths, size_t indent)
{
	size_t total = indent, last = 0;

	for (size_t column = 0; column < table->column_count; column++) {
		total += widths[column] ? widths[column] + GAP : 0;
		last = widths[column] ? column : last;
	}
	/* The last column may be cut, to a third of it or LAST_LEAST. */
	if (widths[last] > LAST_LEAST)
		total -= widths[last] - (widths[last] / 3 > LAST_LEAST ? widths[last] / 3 : LAST_LEAST);
	return total - GAP;
}

/* Leaves out spare columns until the rest fits. */
static void fit(const struct table *table, size_t widths[TABLE_COLUMNS], size_t indent)
{
	while (table->screen->width && total_width(table, widths, indent) > (size_t)table->screen->width) {
		size_t victim = TABLE_COLUMNS;
		int spare = 0;

		for (size_t column = 0; column < table->column_count; column++) {
			if (widths[column] && table->columns[column].spare > spare) {
				spare = table->columns[column].spare;
				victim = column;
			}
		}
		if (victim == TABLE_COLUMNS)
			return;
		widths[victim] = 0;
	}
}

static void print_blanks(FILE *out, size_t count)
{
	fprintf(out, "%*s", (int)count, "");
}

/* As much of the text as fits into room columns, with a mark where it is cut. */
static void print_cut(const struct screen *screen, const char *text, size_t room)
{
	size_t width = 0;

	if (text_width(text) <= room) {
		fputs(text, screen->out);
		return;
	}
	while (*text) {
		uint32_t code_point;
		size_t length = text_character(text, &code_point);
		int columns = wcwidth((wchar_t)code_point);

		if (width + (size_t)(columns > 0 ? columns : 0) + 1 > room)
			break;
		fwrite(text, 1, length, screen->out);
		width += (size_t)(columns > 0 ? columns : 0);
		text += length;
	}
	if (room)
		fputs(screen_glyph(screen, "…", "~"), screen->out);
}

struct pen {
	size_t at;     /* columns printed on this line */
	size_t blanks; /* owed before the next text, so that no line ends in blanks */
};

static void print_cell(const struct table *table, struct pen *pen, const struct column *column, size_t width, const char *text,
		       enum style style, bool last)
{
	const struct screen *screen = table->screen;
	size_t own = text_width(text), pad = own < width ? width - own : 0;
	size_t begin = pen->at + pen->blanks + (column->right ? pad : 0);
	bool cut = last && screen->width && begin + own > (size_t)screen->width;

	if (!*text) {
		pen->blanks += width;
		return;
	}
	print_blanks(screen->out, begin - pen->at);
	if (style != STYLE_PLAIN)
		fputs(screen_style(screen, style), screen->out);
	if (cut)
		print_cut(screen, text, begin < (size_t)screen->width ? (size_t)screen->width - begin : 0);
	else
		fputs(text, screen->out);
	if (style != STYLE_PLAIN)
		fputs(screen_plain(screen), screen->out);
	pen->at = begin + own;
	pen->blanks = column->right ? 0 : pad;
}

/* row: the first of its cells; NULL: the titles. */
static void print_row(const struct table *table, const size_t *widths, const struct cell *row, int indent)
{
	struct pen pen = {.blanks = (size_t)indent};
	size_t last = 0;

	for (size_t column = 0; column < table->column_count; column++)
		if (widths[column])
			last = column;
	for (size_t column = 0; column <= last; column++) {
		if (!widths[column])
			continue;
		print_cell(table, &pen, &table->columns[column], widths[column],
			   row ? cell_text(&row[column]) : table->columns[column].title, row ? row[column].style : STYLE_DIM,
			   column == last);
		pen.blanks += GAP;
	}
	fputc('\n', table->screen->out);
}

void table_print(const struct table *table, int indent)
{
	size_t widths[TABLE_COLUMNS] = {0};

	if (!table || !table->column_count)
		return;
	measure(table, widths);
	fit(table, widths, (size_t)indent);
	print_row(table, widths, NULL, indent);
	for (size_t i = 0; i + table->column_count <= table->cell_count; i += table->column_count)
		print_row(table, widths, &table->cells[i], indent);
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(table);
}
