/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What agent-client and agent-server share: lines, output, the context. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "tests/lab/agent.h"

/* FNV-1a, 64 bits: any change of what was said, or of its order, gives another context. */
uint64_t agent_context(uint64_t context, unsigned long turn, const char *text)
{
	char line[AGENT_LINE_SIZE];
	const char *c;

	snprintf(line, sizeof(line), "%lu %s", turn, text);
	for (c = line; *c; c++)
		context = (context ^ (unsigned char)*c) * 0x100000001b3ull;
	return context;
}

uint64_t agent_random(void)
{
	uint64_t value = 0;

	while (getrandom(&value, sizeof(value), 0) != sizeof(value))
		;
	return value;
}

ssize_t agent_lines_read(struct agent_lines *lines, int fd)
{
	ssize_t n = recv(fd, lines->buf + lines->length, sizeof(lines->buf) - lines->length, MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	lines->length += (size_t)n;
	return n;
}

bool agent_lines_take(struct agent_lines *lines, char line[AGENT_LINE_SIZE])
{
	char *end = memchr(lines->buf, '\n', lines->length);
	size_t length, taken;

	if (!end && lines->length < sizeof(lines->buf))
		return false;
	length = end ? (size_t)(end - lines->buf) : sizeof(lines->buf) - 1;
	taken = end ? length + 1 : sizeof(lines->buf);
	memcpy(line, lines->buf, length);
	line[length] = '\0';
	lines->length -= taken;
	memmove(lines->buf, lines->buf + taken, lines->length);
	return true;
}

void agent_output_add(struct agent_output *output, const char *format, ...)
{
	char line[AGENT_LINE_SIZE];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n <= 0 || (size_t)n >= sizeof(line) || output->length + (size_t)n > sizeof(output->buf))
		return;
	memcpy(output->buf + output->length, line, (size_t)n);
	output->length += (size_t)n;
}

int agent_output_write(struct agent_output *output, int fd)
{
	ssize_t n;

	while (output->length) {
		n = send(fd, output->buf, output->length, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			return -errno;
		output->length -= (size_t)n;
		memmove(output->buf, output->buf + n, output->length);
	}
	return 0;
}

void agent_raise_descriptors(unsigned long count)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= count)
		return;
	limit.rlim_cur = count;
	if (limit.rlim_max < count)
		limit.rlim_max = count;
	if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
		return;
	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

void agent_close_resets(int fd)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}
