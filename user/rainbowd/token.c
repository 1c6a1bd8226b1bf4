// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See token.h. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include "token.h"

/* The one newline that editors leave at the end is no part of it; any other would end the header. */
static bool token_trim(char *token, size_t length)
{
	size_t i;

	if (length && token[length - 1] == '\n')
		length--;
	token[length] = '\0';
	for (i = 0; i < length; i++)
		if (!isgraph((unsigned char)token[i]))
			return false;
	return length > 0;
}

/* NULL: it is read; else what is wrong. */
static const char *read_from(int fd, char token[TOKEN_SIZE])
{
	struct stat info;
	ssize_t length;

	if (fd < 0 || fstat(fd, &info))
		return strerror(errno);
	if (!S_ISREG(info.st_mode))
		return "it is no file";
	length = read(fd, token, TOKEN_MAX + 1);
	if (length < 0)
		return strerror(errno);
	if (length > TOKEN_MAX)
		return "it is too large for a token";
	return token_trim(token, (size_t)length) ? NULL : "it is not one line of printable characters without blanks";
}

bool token_read(const char *path, char token[TOKEN_SIZE], char *reason, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char *wrong = read_from(fd, token);

	if (fd >= 0)
		close(fd);
	if (wrong)
		snprintf(reason, size, "token file %s: %s", path, wrong);
	return !wrong;
}
