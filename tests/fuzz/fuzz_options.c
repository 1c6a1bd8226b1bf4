/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Fuzzes the options of rainbowd: the input is its arguments, a line each. Nothing is started. */
int rainbowd_main(int argc, char **argv);
#define main rainbowd_main
#include "user/rainbowd/main.c"
#undef main
#include "tests/fuzz/fuzz.h"

#define ARGUMENTS_MAX 100

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *text = malloc(size + 1), *argv[ARGUMENTS_MAX + 2] = {"rainbowd"}, *rest = text;
	struct options options = {0};
	struct error err = {0};
	int argc = 1, told;

	memcpy(text, bytes, size);
	text[size] = '\0';
	while (rest && argc <= ARGUMENTS_MAX)
		argv[argc++] = strsep(&rest, "\n");
	argv[argc] = NULL;
	optind = 0; /* begins anew */
	told = dup(STDOUT_FILENO);
	if (!freopen("/dev/null", "w", stdout))
		abort();
	if (parse_options(&options, argc, argv, &err) && !err.message[0])
		abort(); /* refused without a word */
	fflush(stdout);
	dup2(told, STDOUT_FILENO);
	close(told);
	free(text);
	return 0;
}
