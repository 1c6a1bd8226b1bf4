/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Fuzzes the command line of rainbowctl: the input is its arguments, a line each. Nothing is sent. */
#include <string.h>
#include "tests/fuzz/fuzz.h"
#include "common/error.h"
#include "rainbowctl/command.h"

#define WORDS_MAX 100

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *text = malloc(size + 1), *argv[WORDS_MAX + 1], *rest = text;
	struct invocation invocation;
	struct error err = {0};
	int argc = 0;

	memcpy(text, bytes, size);
	text[size] = '\0';
	while (rest && argc < WORDS_MAX)
		argv[argc++] = strsep(&rest, "\n");
	argv[argc] = NULL;
	if (invocation_parse(argc, argv, &invocation, &err) && !err.message[0])
		abort(); /* refused without a word */
	invocation_fini(&invocation);
	free(text);
	return 0;
}
