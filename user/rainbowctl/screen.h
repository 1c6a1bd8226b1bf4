/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What can be drawn where: a terminal or not, with colour or not, in UTF-8 or ASCII. Colour is on for a terminal unless
 * NO_COLOR is set or TERM is "dumb". UTF-8 is what LC_ALL, LC_CTYPE or LANG say.
 */
#ifndef RAINBOWCTL_SCREEN_H
#define RAINBOWCTL_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct screen {
	FILE *out;
	bool tty;
	bool colour;
	bool utf8;
	int width, height; /* of the terminal; 0: no bound */
};

#define SCREEN_VERSION_COLOURS 12

enum style {
	STYLE_PLAIN = 0,
	STYLE_DIM,
	STYLE_BOLD,
	STYLE_GOOD,
	STYLE_WARN,
	STYLE_BAD,
	STYLE_VERSION, /* the first of SCREEN_VERSION_COLOURS */
};

/* Reads the environment and the terminal of out. ascii: the user wants no UTF-8. */
void screen_init(struct screen *screen, FILE *out, bool ascii);
/* Escape sequences, "" without colour. */
const char *screen_style(const struct screen *screen, enum style style);
const char *screen_plain(const struct screen *screen);
/* One of two: for what ASCII can not draw. */
const char *screen_glyph(const struct screen *screen, const char *utf8, const char *ascii);
/* "–" or "-": there is no such thing here. */
const char *screen_none(const struct screen *screen);

/* Columns that a text takes on a terminal (combining marks 0, wide characters 2). */
size_t text_width(const char *text);
/* Copies what is safe to show: controls become '?', in ASCII also what is beyond it. Returns buf. */
const char *text_shown(const struct screen *screen, const char *text, char *buf, size_t size);

/*
 * The colours of a service's versions, as indexes below SCREEN_VERSION_COLOURS: by their labels, so that a version keeps its
 * colour from one reading to the next and on another machine; neighbours that would get the same take the next free one.
 */
void colours_assign(const char *const *labels, size_t count, unsigned int *out);
/* Divides `width` cells by shares (any unit, none negative): all cells are given, and none gets 0 that has a share, if they suffice. */
void cells_divide(const double *shares, size_t count, unsigned int width, unsigned int *out);

#endif
