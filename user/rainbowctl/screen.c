// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Terminal, colours, widths: see screen.h. */
#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>
#include "common/text.h"
#include "rainbowctl/screen.h"

static bool environment_is_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
	}
	return false;
}

static bool environment_wants_colour(void)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

	return !(no_colour && *no_colour) && term && *term && strcmp(term, "dumb");
}

void screen_init(struct screen *screen, FILE *out, bool ascii)
{
	struct winsize size;

	memset(screen, 0, sizeof(*screen));
	screen->out = out;
	screen->tty = isatty(fileno(out));
	screen->colour = screen->tty && environment_wants_colour();
	screen->utf8 = !ascii && environment_is_utf8();
	if (screen->tty && !ioctl(fileno(out), TIOCGWINSZ, &size)) {
		screen->width = size.ws_col;
		screen->height = size.ws_row;
	}
	/* For wcwidth() only; it exists on each Debian, whatever the user's locale is. */
	setlocale(LC_CTYPE, "C.UTF-8");
}

const char *screen_style(const struct screen *screen, enum style style)
{
	/* Of the 256 colours those that can be read on light and dark grounds; neighbours stand apart. */
	static const char *const version_colours[SCREEN_VERSION_COLOURS] = {
	    "\033[38;5;33m",  "\033[38;5;208m", "\033[38;5;35m",  "\033[38;5;170m", "\033[38;5;44m",  "\033[38;5;178m",
	    "\033[38;5;160m", "\033[38;5;105m", "\033[38;5;106m", "\033[38;5;205m", "\033[38;5;137m", "\033[38;5;67m",
	};
	static const char *const styles[STYLE_VERSION] = {
	    [STYLE_PLAIN] = "\033[0m", [STYLE_DIM] = "\033[2m",   [STYLE_BOLD] = "\033[1m",
	    [STYLE_GOOD] = "\033[32m", [STYLE_WARN] = "\033[33m", [STYLE_BAD] = "\033[31m",
	};

	if (!screen->colour)
		return "";
	if (style < STYLE_VERSION)
		return styles[style];
	return version_colours[(style - STYLE_VERSION) % SCREEN_VERSION_COLOURS];
}

const char *screen_plain(const struct screen *screen)
{
	return screen_style(screen, STYLE_PLAIN);
}

const char *screen_glyph(const struct screen *screen, const char *utf8, const char *ascii)
{
	return screen->utf8 ? utf8 : ascii;
}

const char *screen_none(const struct screen *screen)
{
	return screen_glyph(screen, "–", "-");
}

size_t text_width(const char *text)
{
	size_t width = 0;

	while (*text) {
		uint32_t code_point;
		size_t length = text_character(text, &code_point);
		int columns = length ? wcwidth((wchar_t)code_point) : 1;

		width += columns < 0 ? 1 : (size_t)columns;
		text += length ? length : 1;
	}
	return width;
}

const char *text_shown(const struct screen *screen, const char *text, char *buf, size_t size)
{
	size_t at = 0;

	while (*text) {
		uint32_t code_point;
		size_t length = text_character(text, &code_point);
		bool shown = length && !text_is_control(code_point) && (screen->utf8 || length == 1);

		if (at + (shown ? length : 1) >= size)
			break;
		if (shown)
			memcpy(buf + at, text, length);
		else
			buf[at] = '?';
		at += shown ? length : 1;
		text += length ? length : 1;
	}
	buf[at] = '\0';
	return buf;
}

/* The sum of its characters: so v1, v2, v3 get colours that follow each other, beginning with the first. */
static unsigned int label_colour(const char *label)
{
	unsigned int sum = 1;

	for (; *label; label++)
		sum += (unsigned char)*label;
	return sum % SCREEN_VERSION_COLOURS;
}

void colours_assign(const char *const *labels, size_t count, unsigned int *out)
{
	bool used[SCREEN_VERSION_COLOURS] = {false};
	size_t free_colours = SCREEN_VERSION_COLOURS;

	for (size_t i = 0; i < count; i++) {
		unsigned int colour = label_colour(labels[i]);

		if (!free_colours) {
			memset(used, 0, sizeof(used));
			free_colours = SCREEN_VERSION_COLOURS;
		}
		while (used[colour])
			colour = (colour + 1) % SCREEN_VERSION_COLOURS;
		used[colour] = true;
		free_colours--;
		out[i] = colour;
	}
}

/* The index with the largest claim on one more cell: its share beyond what it got. */
static size_t most_short(const double *shares, const unsigned int *cells, size_t count, double per_cell)
{
	size_t best = 0;

	for (size_t i = 1; i < count; i++)
		if (shares[i] - cells[i] * per_cell > shares[best] - cells[best] * per_cell)
			best = i;
	return best;
}

void cells_divide(const double *shares, size_t count, unsigned int width, unsigned int *out)
{
	unsigned int given = 0;
	double total = 0;

	for (size_t i = 0; i < count; i++)
		total += shares[i];
	memset(out, 0, count * sizeof(*out));
	if (!(total > 0))
		return;
	for (size_t i = 0; i < count && given < width; i++)
		if (shares[i] > 0) {
			out[i] = 1;
			given++;
		}
	for (; given < width; given++)
		out[most_short(shares, out, count, total / width)]++;
}
