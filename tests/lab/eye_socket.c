// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The eye looks at agents and at rainbowd, over their unix sockets: one question a connection, all of the answer. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "tests/lab/eye.h"

#define PATIENCE_SECONDS 30 /* as rainbowctl has */

static int dial(const char *path)
{
	struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if ((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		int code = -errno;

		close(fd);
		return code;
	}
	return fd;
}

/* All that comes until the other side closes; its end is marked by a zero. NULL: not in time, or no memory. Frees with free. */
static char *read_all(int fd, size_t *length)
{
	size_t size = 65536;
	char *text = malloc(size), *more;
	ssize_t n = 0;

	*length = 0;
	while (text && (n = recv(fd, text + *length, size - *length - 1, 0)) > 0) {
		*length += (size_t)n;
		if (*length < size - 1)
			continue;
		size *= 2;
		more = realloc(text, size);
		if (!more)
			free(text);
		text = more;
	}
	if (text && n < 0) {
		free(text);
		return NULL;
	}
	if (text)
		text[*length] = '\0';
	return text;
}

static char *ask(const char *path, const char *question, size_t *length, int *code)
{
	int fd = dial(path);
	char *answer = NULL;

	if (fd < 0) {
		*code = fd;
		return NULL;
	}
	*code = -ETIMEDOUT;
	if (dprintf(fd, "%s", question) > 0)
		answer = read_all(fd, length);
	close(fd);
	return answer;
}

jv eye_agent(const char *path, const char *command)
{
	char question[300], *answer;
	size_t length;
	jv seen;
	int code;

	snprintf(question, sizeof(question), "%s\n", command);
	answer = ask(path, question, &length, &code);
	if (!answer)
		return eye_nothing("%s: nobody listens: %s", path, strerror(-code));
	seen = length ? jv_parse(answer) : eye_nothing("%s: no answer", path);
	free(answer);
	return seen;
}

jv eye_api(const char *socket, const char *path)
{
	char question[600], *answer, *body;
	size_t length;
	jv seen;
	int code;

	snprintf(question, sizeof(question), "GET %s HTTP/1.0\r\nHost: rainbow\r\n\r\n", path);
	answer = ask(socket, question, &length, &code);
	if (!answer)
		return eye_nothing("%s: nobody listens: %s", socket, strerror(-code));
	body = strstr(answer, "\r\n\r\n");
	if (!body || !strstr(answer, " 200 ") || strstr(answer, " 200 ") > body)
		seen = eye_nothing("GET %s: %.200s", path, answer);
	else
		seen = jv_parse(body + 4);
	free(answer);
	return seen;
}
