/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Runs a fuzzer over files, without libFuzzer: its corpus, where every crash that was found once stays. Without arguments:
 * tests/fuzz/corpus/NAME, NAME being that of the program. With some: those files and directories.
 */
#include <dirent.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "tests/fuzz/fuzz.h"

#define INPUT_MAX (1 << 20)

static unsigned int replayed;

static int replay_file(const char *path)
{
	uint8_t *bytes = malloc(INPUT_MAX), *exact;
	FILE *file = fopen(path, "r");
	size_t size;

	if (!file || !bytes) {
		perror(path);
		return 1;
	}
	size = fread(bytes, 1, INPUT_MAX, file);
	fclose(file);
	/* As long as it is, so that a sanitizer sees what reads beyond. */
	exact = malloc(size ? size : 1);
	memcpy(exact, bytes, size);
	free(bytes);
	fprintf(stderr, "%s\n", path); /* the last one told is the one that crashed */
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	replayed++;
	return 0;
}

static int replay_directory(const char *path)
{
	struct dirent **entries;
	int count = scandir(path, &entries, NULL, alphasort), failed = 0, i;
	char name[4096];

	if (count < 0) {
		perror(path);
		return 1;
	}
	for (i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			failed |= replay_file(name);
		free(entries[i]);
	}
	free(entries);
	return failed;
}

static int replay(const char *path)
{
	struct stat info;

	return !stat(path, &info) && S_ISDIR(info.st_mode) ? replay_directory(path) : replay_file(path);
}

int main(int argc, char **argv)
{
	char corpus[256];
	int failed = 0, i;

	snprintf(corpus, sizeof(corpus), "tests/fuzz/corpus/%.200s", basename(argv[0]));
	if (argc < 2)
		failed = replay(corpus);
	for (i = 1; i < argc; i++)
		failed |= replay(argv[i]);
	printf("%u inputs replayed\n", replayed);
	return failed || !replayed;
}
