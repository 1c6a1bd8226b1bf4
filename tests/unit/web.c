// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See web.h. */
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/unit/table_test.h"
#include "tests/unit/web.h"

extern char **environ;

bool web_alone(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING};
	int fd, rc;

	if (unshare(CLONE_NEWNET))
		return false;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	rc = ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
	return rc == 0;
}

static void read_port(int fd, const char *scheme, struct web *web)
{
	char line[16] = "";
	size_t length = 0;

	while (length < sizeof(line) - 1 && read(fd, line + length, 1) == 1 && line[length] != '\n')
		length++;
	assert_true(atoi(line) > 0);
	snprintf(web->url, sizeof(web->url), "%s://127.0.0.1:%d", scheme, atoi(line));
}

void web_start(struct web *web, const char *certificate, const char *key)
{
	char *argv[] = {"/usr/bin/python3", "tests/unit/web.py", (char *)certificate, (char *)key, NULL};
	posix_spawn_file_actions_t actions;
	int in[2], out[2];

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	assert_int_equal(posix_spawn(&web->pid, argv[0], &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(out[1]);
	web->hold = in[1];
	read_port(out[0], certificate ? "https" : "http", web);
	close(out[0]);
}

void web_stop(struct web *web)
{
	int status;

	close(web->hold);
	assert_int_equal(waitpid(web->pid, &status, 0), web->pid);
	assert_int_equal(status, 0);
}
