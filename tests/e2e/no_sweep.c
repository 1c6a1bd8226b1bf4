// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Preloaded into rainbowd: as long as the file $NO_SWEEP is there, the kernel can not be asked to sweep, and nothing is counted. */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <rainbow/maps.h>

typedef long (*system_call)(long number, ...);

static int is_sweep(long number, const long *words)
{
	const union bpf_attr *attr = (const void *)words[1];

	/* No other of our programs has a context of this size. */
	return number == SYS_bpf && words[0] == BPF_PROG_TEST_RUN && attr->test.ctx_size_in == sizeof(struct rainbow_sweep);
}

/* libbpf's way into the kernel. */
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): libc's is reserved */
long syscall(long number, ...)
{
	system_call next = (system_call)dlsym(RTLD_NEXT, "syscall");
	const char *file = getenv("NO_SWEEP");
	long words[6];
	va_list args;
	int i;

	va_start(args, number);
	for (i = 0; i < 6; i++)
		words[i] = va_arg(args, long);
	va_end(args);
	if (file && is_sweep(number, words) && access(file, F_OK) == 0) {
		errno = EIO;
		return -1;
	}
	return next(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}
