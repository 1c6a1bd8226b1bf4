// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Log lines to stderr, each in one write so that lines of several threads do not mix: see log.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "common/log.h"
#include "common/text.h"

static enum log_level least_urgent = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
	__atomic_store_n(&least_urgent, level, __ATOMIC_RELAXED);
}

void log_line_v(enum log_level level, const char *subsystem, const char *format, va_list args)
{
	static const char *const names[] = {"ERROR", "WARN", "INFO", "DEBUG"};
	int saved_errno = errno;
	char line[1024];
	size_t length;

	if (level > __atomic_load_n(&least_urgent, __ATOMIC_RELAXED))
		return;
	length = (size_t)snprintf(line, sizeof(line) - 1, "%s %s: ", names[level], subsystem);
	if (length < sizeof(line) - 1)
		vsnprintf(line + length, sizeof(line) - 1 - length, format, args);
	length = strlen(line);
	while (length && line[length - 1] == '\n') /* libbpf's messages bring their own */
		line[--length] = '\0';
	text_clean(line); /* never longer than before */
	length = strlen(line);
	line[length++] = '\n';
	/* A log that can not be written has no better place to say so. */
	if (write(STDERR_FILENO, line, length) < 0)
		errno = 0;
	errno = saved_errno;
}

void log_line(enum log_level level, const char *subsystem, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line_v(level, subsystem, format, args);
	va_end(args);
}
