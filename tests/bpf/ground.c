// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Namespaces for tests of the kernel side: see ground.h. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include "ground.h"

static void give_up(const char *test, const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", test, what, strerror(errno));
	exit(1);
}

void ground_make(const char *test)
{
	int i;

	if (geteuid()) {
		printf("skipped: %s needs root\n", test);
		exit(77);
	}
	if (unshare(CLONE_NEWNET | CLONE_NEWNS))
		give_up(test, "no namespaces");
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		give_up(test, "the mounts can not be made private");
	for (i = 0; i < 16 && !umount2("/sys/fs/bpf", MNT_DETACH); i++)
		;
}

void ground_run(const char *format, ...)
{
	char command[512];
	va_list args;
	int status;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	status = system(command);
	if (status)
		fail_msg("\"%s\" returned %d", command, status);
}

int ground_fork(void)
{
	int child = fork();

	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		alarm(60);
	}
	return child;
}

int ground_pinned(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), GROUND_PIN_DIR "/%s", name);
	return !access(path, F_OK);
}

int ground_open(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), GROUND_PIN_DIR "/%s", name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return fd;
}
