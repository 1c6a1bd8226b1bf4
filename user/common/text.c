// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Names, percentages, numbers, UTF-8 and the nearest word: see text.h. No locale is consulted; all input is hostile. */
#include <stdio.h>
#include <string.h>
#include <rainbow/types.h>
#include "common/error.h"
#include "common/text.h"

#define TUPLE_TEXT_MAX   128 /* bytes */
#define NEAREST_WORD_MAX 40  /* bytes: longer words have no near one */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alphanumeric(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

int name_check(const char *text, const char *what, const char *field, struct error *err)
{
	size_t length = strlen(text);

	if (!length)
		return error_set(err, ERROR_BAD_INPUT, field, "the %s name is empty: give 1 to %d of A-Z a-z 0-9 . _ -", what,
				 RAINBOW_NAME_SIZE - 1);
	if (length >= RAINBOW_NAME_SIZE)
		return error_set(err, ERROR_BAD_INPUT, field, "%s name '%.40s...' has %zu characters: at most %d fit", what,
				 text, length, RAINBOW_NAME_SIZE - 1);
	if (!is_alphanumeric(text[0]))
		return error_set(err, ERROR_BAD_INPUT, field, "%s name '%s' must begin with a letter or digit", what, text);
	for (const char *c = text; *c; c++)
		if (!is_alphanumeric(*c) && !strchr("._-", *c))
			return error_set(err, ERROR_BAD_INPUT, field,
					 "%s name '%s': character %zu is not one of A-Z a-z 0-9 . _ -", what, text,
					 (size_t)(c - text) + 1);
	return 0;
}

int line_check(const char *text, size_t most, const char *field, struct error *err)
{
	for (const char *at = text; *at;) {
		uint32_t code_point;
		size_t length = text_character(at, &code_point);

		if (!length)
			return error_set(err, ERROR_BAD_INPUT, field, "byte %zu of the text is not UTF-8",
					 (size_t)(at - text) + 1);
		if (text_is_control(code_point))
			return error_set(err, ERROR_BAD_INPUT, field, "byte %zu of the text begins a control character",
					 (size_t)(at - text) + 1);
		at += length;
		if ((size_t)(at - text) > most)
			return error_set(err, ERROR_BAD_INPUT, field, "the text is too long: at most %zu bytes", most);
	}
	return 0;
}

int tuple_text_check(const char *text, const char *field, struct error *err)
{
	return line_check(text, TUPLE_TEXT_MAX, field, err);
}

/* Digits at *at as a number of at most `limit`; advances *at. -1: no digit, or larger. */
static int take_number(const char **at, uint64_t limit, uint64_t *out)
{
	uint64_t value = 0;

	if (!is_digit(**at))
		return -1;
	for (; is_digit(**at); (*at)++) {
		uint64_t digit = (uint64_t)(**at - '0');

		if (value > (limit - digit) / 10 || digit > limit)
			return -1;
		value = value * 10 + digit;
	}
	*out = value;
	return 0;
}

int percent_parse(const char *text, uint32_t *permille, const char *field, struct error *err)
{
	const char *at = text;
	uint64_t whole, tenths = 0;

	if (*at == '-')
		return error_set(err, ERROR_BAD_INPUT, field, "'%s' is negative: a percentage is 0 to 100", text);
	if (!is_digit(*at))
		return error_set(err, ERROR_BAD_INPUT, field, "'%s' is not a percentage: write 5, 12.5 or 100", text);
	if (take_number(&at, 100, &whole))
		return error_set(err, ERROR_BAD_INPUT, field, "'%s' is out of range: a percentage is 0 to 100", text);
	if (*at == '.') {
		at++;
		if (!is_digit(*at))
			return error_set(err, ERROR_BAD_INPUT, field, "'%s' is not a percentage: a digit must follow the point",
					 text);
		tenths = (uint64_t)(*at++ - '0');
		if (is_digit(*at))
			return error_set(err, ERROR_BAD_INPUT, field, "'%s' is too fine: percentages go in steps of 0.1", text);
	}
	if (*at == '%')
		at++;
	if (*at)
		return error_set(err, ERROR_BAD_INPUT, field, "'%s' is not a percentage: write 5, 12.5 or 100", text);
	if (whole * 10 + tenths > 1000)
		return error_set(err, ERROR_BAD_INPUT, field, "'%s' is out of range: a percentage is 0 to 100", text);
	*permille = (uint32_t)(whole * 10 + tenths);
	return 0;
}

const char *percent_format(uint32_t permille, char buf[16])
{
	if (permille % 10)
		snprintf(buf, 16, "%u.%u", permille / 10, permille % 10);
	else
		snprintf(buf, 16, "%u", permille / 10);
	return buf;
}

int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *out, const char *field, struct error *err)
{
	const char *at = text;
	uint64_t value;

	while (is_digit(*at))
		at++;
	if (*at || at == text)
		return error_set(err, ERROR_BAD_INPUT, field, "'%s' is not a whole number", text);
	at = text;
	if (take_number(&at, max, &value) || value < min)
		return error_set(err, ERROR_BAD_INPUT, field, "'%s' is out of range: give %llu to %llu", text,
				 (unsigned long long)min, (unsigned long long)max);
	*out = value;
	return 0;
}

bool text_copy(char *to, size_t size, const char *from)
{
	size_t length = strlen(from);

	if (!size)
		return false;
	if (length >= size) {
		to[0] = '\0';
		return false;
	}
	memcpy(to, from, length + 1);
	return true;
}

size_t text_character(const char *text, uint32_t *code_point)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* smaller in so many bytes is overlong */
	const unsigned char *byte = (const unsigned char *)text;
	size_t length = byte[0] < 0x80   ? 1
			: byte[0] < 0xc0 ? 0
			: byte[0] < 0xe0 ? 2
			: byte[0] < 0xf0 ? 3
			: byte[0] < 0xf8 ? 4
					 : 0;
	uint32_t value;

	if (!length || !byte[0])
		return 0;
	value = length == 1 ? byte[0] : byte[0] & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (byte[i] & 0x3fu);
	}
	if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*code_point = value;
	return length;
}

bool text_is_control(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return true;
	/* Separators of lines and paragraphs, zero-width and direction marks, the byte order mark. */
	return (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x2069) || c == 0xfeff;
}

void text_clean(char *text)
{
	char *to = text;

	for (const char *at = text; *at;) {
		uint32_t code_point;
		size_t length = text_character(at, &code_point);

		if (!length || text_is_control(code_point)) {
			*to++ = '?';
			at += length ? length : 1;
			continue;
		}
		memmove(to, at, length);
		to += length;
		at += length;
	}
	*to = '\0';
}

static int min_of_three(int a, int b, int c)
{
	int least = a < b ? a : b;

	return least < c ? least : c;
}

/* Edit distance in which two neighbours swapped count as one mistake (optimal string alignment). */
static int distance(const char *a, const char *b)
{
	int row[3][NEAREST_WORD_MAX + 2];
	int length_a = (int)strlen(a), length_b = (int)strlen(b);

	for (int j = 0; j <= length_b; j++)
		row[0][j] = j;
	for (int i = 1; i <= length_a; i++) {
		int *now = row[i % 3], *before = row[(i + 2) % 3], *before2 = row[(i + 1) % 3];

		now[0] = i;
		for (int j = 1; j <= length_b; j++) {
			now[j] = min_of_three(before[j] + 1, now[j - 1] + 1, before[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before2[j - 2] + 1 < now[j])
				now[j] = before2[j - 2] + 1;
		}
	}
	return row[length_a % 3][length_b];
}

const char *text_nearest(const char *word, const char *const *list)
{
	size_t length = strlen(word);
	const char *nearest = NULL;
	int least;

	if (!length || length > NEAREST_WORD_MAX)
		return NULL;
	least = length < 3 ? 2 : 2 + (int)length / 4; /* mistakes must be fewer than this */
	for (; *list; list++) {
		int mistakes;

		if (strlen(*list) > NEAREST_WORD_MAX)
			continue;
		/* A beginning ("sess") is as near as one mistake. */
		mistakes = length >= 3 && !strncmp(word, *list, length) ? 1 : distance(word, *list);
		if (mistakes < least && mistakes < (int)strlen(*list)) {
			least = mistakes;
			nearest = *list;
		}
	}
	return nearest;
}
