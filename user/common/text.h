/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Small things about strings: names that may be names, percentages, the nearest word to a mistyped one. libc only. */
#ifndef RAINBOW_TEXT_H
#define RAINBOW_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

struct error;

/*
 * A service name or version label: 1 to 31 of [A-Za-z0-9._-], beginning with a letter or digit. what is "service" or
 * "version", for the sentence.
 */
int name_check(const char *text, const char *what, const char *field, struct error *err);

/* At most `most` bytes of UTF-8 without control characters. */
int line_check(const char *text, size_t most, const char *field, struct error *err);
/* A free text of a tuple: such a line of at most 128 bytes. */
int tuple_text_check(const char *text, const char *field, struct error *err);

/* "5", "12.5", "100", "0.1", with or without a final %: tenths of a percent in *permille. Finer is refused. */
int percent_parse(const char *text, uint32_t *permille, const char *field, struct error *err);
/* 125 -> "12.5", 50 -> "5". Returns buf. */
const char *percent_format(uint32_t permille, char buf[16]);

/* An unsigned decimal number in [min, max], the whole string. */
int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *out, const char *field, struct error *err);

/* Copies with NUL; false (and nothing but an empty string) if it does not fit. */
bool text_copy(char *to, size_t size, const char *from);

/*
 * One character of UTF-8 at text: its length in bytes and code point, or 0 if the bytes there are none (overlong, surrogate,
 * cut off, beyond U+10FFFF, or the closing NUL).
 */
size_t text_character(const char *text, uint32_t *code_point);
/* True for C0, DEL and C1 controls, line separators, and the marks that turn text around or hide in it. */
bool text_is_control(uint32_t code_point);
/* Makes text safe to print and to put into JSON: each control character or byte that is no UTF-8 becomes '?'. In place. */
void text_clean(char *text);

/* The word of the list (NULL-terminated) nearest to `word` if near enough to suggest, else NULL. */
const char *text_nearest(const char *word, const char *const *list);

#endif
