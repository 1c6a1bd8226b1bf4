/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A bearer token in a file: one line of printable characters, with or without a newline at its end. */
#ifndef RAINBOW_TOKEN_H
#define RAINBOW_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#define TOKEN_MAX  4096
#define TOKEN_SIZE (TOKEN_MAX + 2)

/* False, and a sentence in reason, if the file is not there, no file, too large, or holds no token. The caller wipes the token. */
bool token_read(const char *path, char token[TOKEN_SIZE], char *reason, size_t size);

#endif
