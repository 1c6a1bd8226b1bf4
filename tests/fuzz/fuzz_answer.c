/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fuzzes what rainbowctl makes of an answer: that of a hostile daemon, or a newer one. The first byte is the view, the second the
 * screen, the rest the answer. No control character of the answer reaches the terminal.
 */
#include <stdio.h>
#include <string.h>
#include "tests/fuzz/fuzz.h"
#include "common/error.h"
#include "rainbowctl/render.h"
#include "rainbowctl/screen.h"

static void draw(const struct renderer *renderer, enum view view, const json_t *answer, uint8_t how)
{
	static const int widths[4] = {0, 20, 80, 200};
	struct screen screen = {.utf8 = how & 1, .width = widths[how >> 1 & 3], .height = how & 8 ? 24 : 0};
	char *text = NULL;
	size_t size, i;

	screen.out = open_memstream(&text, &size);
	renderer->draw(view, answer, &screen);
	fclose(screen.out);
	for (i = 0; i < size; i++)
		/* JSON may hold a DEL; a terminal is not sent one. */
		if (((unsigned char)text[i] < ' ' && text[i] != '\n') || (text[i] == 0x7f && renderer == &table_renderer))
			abort();
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	json_t *answer;

	if (size < 2)
		return 0;
	answer = json_loadb((const char *)bytes + 2, size - 2, 0, NULL);
	if (json_is_object(answer)) {
		draw(&table_renderer, (enum view)(1 + bytes[0] % (VIEW_COUNT - 1)), answer, bytes[1]);
		draw(&json_renderer, (enum view)(1 + bytes[0] % (VIEW_COUNT - 1)), answer, bytes[1]);
	}
	json_decref(answer);
	return 0;
}
