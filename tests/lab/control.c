/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The control socket, both sides. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <common/text.h>

#include "tests/lab/control.h"
#include "tests/lab/loop.h"

#define COMMAND_SIZE 256
#define WORDS        8

struct caller {
	struct loop_source source;
	size_t length;
	char command[COMMAND_SIZE];
};

static struct loop_source listener = {.fd = -1};
static control_answer *answer_to;

json_t *control_error(const char *format, ...)
{
	char text[200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return json_pack("{s:s}", "error", text);
}

static json_t *answer_line(char *line)
{
	char *words[WORDS + 1] = {NULL}, *save = NULL, *word;
	int count = 0;

	for (word = strtok_r(line, " \r\n", &save); word && count < WORDS; word = strtok_r(NULL, " \r\n", &save))
		words[count++] = word;
	return count ? answer_to(count, words) : control_error("an empty command");
}

static void caller_answer(struct caller *caller)
{
	json_t *answer = answer_line(caller->command);
	char *text = answer ? json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;

	if (text) {
		/* A stream socket takes a few KB at once; a caller that went away is no concern of ours. */
		(void)!send(caller->source.fd, text, strlen(text), MSG_NOSIGNAL);
		(void)!send(caller->source.fd, "\n", 1, MSG_NOSIGNAL);
	}
	free(text);
	json_decref(answer);
}

static void caller_ready(struct loop_source *source, uint32_t events)
{
	struct caller *caller = container_of(source, struct caller, source);
	ssize_t n = recv(source->fd, caller->command + caller->length, COMMAND_SIZE - 1 - caller->length, MSG_DONTWAIT);

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0) {
		caller->length += (size_t)n;
		caller->command[caller->length] = '\0';
		if (!strchr(caller->command, '\n') && caller->length < COMMAND_SIZE - 1)
			return;
		caller_answer(caller);
	}
	loop_close(source);
	loop_free(caller);
}

static void listener_ready(struct loop_source *source, uint32_t events)
{
	struct caller *caller = calloc(1, sizeof(*caller));

	(void)events;
	if (!caller)
		return;
	caller->source.ready = caller_ready;
	caller->source.fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC);
	if (caller->source.fd < 0 || loop_watch(&caller->source, EPOLLIN)) {
		loop_close(&caller->source);
		free(caller);
	}
}

static int unix_socket(const char *path, struct sockaddr_un *address)
{
	int fd;

	address->sun_family = AF_UNIX;
	if (!text_copy(address->sun_path, sizeof(address->sun_path), path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

int control_listen(const char *path, control_answer *answer)
{
	struct sockaddr_un address = {0};
	int fd = unix_socket(path, &address);

	if (fd < 0)
		return fd;
	unlink(path);
	answer_to = answer;
	listener.fd = fd;
	listener.ready = listener_ready;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 16))
		return -errno;
	return loop_watch(&listener, EPOLLIN);
}

int control_tell(const char *path, const char *command)
{
	struct timeval patience = {.tv_sec = 10};
	struct sockaddr_un address = {0};
	int fd = unix_socket(path, &address), code = 2;
	char buf[4096];
	ssize_t n;

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		fprintf(stderr, "%s: nobody listens: %s\n", path, strerror(fd < 0 ? -fd : errno));
		goto out;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	dprintf(fd, "%s\n", command);
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
		if (code == 2)
			code = n > 9 && !memcmp(buf, "{\"error\":", 9);
		fwrite(buf, 1, (size_t)n, stdout);
	}
	if (code == 2)
		fprintf(stderr, "%s: no answer\n", path);
out:
	if (fd >= 0)
		close(fd);
	return code;
}
