// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The table of optional features of the kernel, each with its probe: see features.h. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>
#include <linux/membarrier.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include "rainbowd/attach.h"
#include "rainbowd/barrier.h"
#include "rainbowd/features.h"

static bool has_membarrier(void)
{
	long commands = syscall(__NR_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	return commands > 0 && (commands & MEMBARRIER_CMD_GLOBAL);
}

/* In a thread of its own, which ends with the priority that it got. */
static void *urgency_try(void *arg)
{
	const struct sched_param urgent = {.sched_priority = 1};

	*(bool *)arg = !sched_setscheduler(0, SCHED_FIFO, &urgent);
	return NULL;
}

static bool has_urgency(void)
{
	pthread_t thread;
	bool there = false;

	if (!pthread_create(&thread, NULL, urgency_try, &there))
		pthread_join(thread, NULL);
	return there;
}

static bool has_jit(void)
{
	FILE *file = fopen("/proc/sys/net/core/bpf_jit_enable", "re");
	int enabled = 0;

	if (!file)
		return false;
	if (fscanf(file, "%d", &enabled) != 1)
		enabled = 0;
	fclose(file);
	return enabled > 0;
}

static bool has_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static const struct {
	const char *name;
	bool (*probe)(void);
	const char *itself, *instead;
} table[] = {
    {"tcx", attach_has_tcx, "tcx", "clsact"},
    {"barrier by visit", barrier_can_visit, "a thread on each CPU", "membarrier"},
    {"membarrier", has_membarrier, "membarrier", "the barrier by visit alone"},
    {"SCHED_FIFO", has_urgency, "SCHED_FIFO", "the normal scheduling class"},
    {"BPF JIT", has_jit, "the JIT", "the interpreter"},
    {"IPv6", has_ipv6, "IPv6", "IPv4 only"},
};

size_t features_probe(struct feature *features)
{
	size_t i, count = sizeof(table) / sizeof(table[0]);

	_Static_assert(sizeof(table) / sizeof(table[0]) <= FEATURES_MAX, "more features than room");
	for (i = 0; i < count; i++) {
		bool there = table[i].probe();

		features[i] = (struct feature){table[i].name, there, there ? table[i].itself : table[i].instead};
	}
	return count;
}
