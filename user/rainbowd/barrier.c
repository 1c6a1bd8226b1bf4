// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * datapath_barrier: when it returns, no program on the hooks still runs that was running before it was called.
 *
 * XDP and TC programs run with bottom halves off, so a CPU that runs a thread of ours in between runs none of them: a thread
 * that has been on each CPU once is a barrier. It runs SCHED_FIFO, not to wait behind busy ones. Programs preempt on
 * PREEMPT_RT, and a CPU outside our cpuset can not be visited: there RCU says when all readers of before have ended. CPUs that
 * come or go meanwhile are none of our care: one that comes sees the new state, one that goes has ended its programs.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <linux/membarrier.h>
#include "rainbowd/barrier.h"
#include "rainbowd/datapath.h"

#define CPUS_MAX 8192

static bool kernel_is_realtime(void)
{
	struct utsname name;

	return !access("/sys/kernel/realtime", F_OK) || (!uname(&name) && strstr(name.version, "PREEMPT_RT"));
}

static int cpu_visit(int cpu, cpu_set_t *set, size_t size)
{
	CPU_ZERO_S(size, set);
	CPU_SET_S((size_t)cpu, size, set);
	/* Returns after the thread has moved. */
	if (sched_setaffinity(0, size, set))
		return -errno;
	return sched_getcpu() == cpu ? 0 : -EAGAIN;
}

/* Every CPU of a list such as "0-3,8". */
static int list_visit(const char *list, cpu_set_t *set, size_t size)
{
	int first, last, cpu, rc = 0, read;

	while (!rc && sscanf(list, "%d%n", &first, &read) == 1) {
		list += read;
		last = first;
		if (sscanf(list, "-%d%n", &last, &read) == 1)
			list += read;
		if (first < 0 || last < first || last >= CPUS_MAX)
			return -ERANGE;
		for (cpu = first; !rc && cpu <= last; cpu++)
			rc = cpu_visit(cpu, set, size);
		list += *list == ',';
	}
	return rc;
}

static int online_read(char *list, size_t size)
{
	FILE *file = fopen("/sys/devices/system/cpu/online", "re");
	int rc = -ENOENT;

	if (!file)
		return rc;
	if (fgets(list, (int)size, file) && strchr(list, '\n'))
		rc = 0;
	fclose(file);
	return rc;
}

static void *visitor_run(void *arg)
{
	const struct sched_param urgent = {.sched_priority = 1};
	size_t size = CPU_ALLOC_SIZE(CPUS_MAX);
	cpu_set_t *set = CPU_ALLOC(CPUS_MAX);
	char list[4096];
	int rc = set ? online_read(list, sizeof(list)) : -ENOMEM;

	if (!rc) {
		sched_setscheduler(0, SCHED_FIFO, &urgent); /* where it is not allowed, patience does as well */
		rc = list_visit(list, set, size);
	}
	CPU_FREE(set);
	*(int *)arg = rc;
	return NULL;
}

int barrier_by_visit(void)
{
	pthread_t visitor;
	int outcome = -ECANCELED;
	int rc = -pthread_create(&visitor, NULL, visitor_run, &outcome);

	if (rc)
		return rc;
	pthread_join(visitor, NULL);
	return outcome;
}

int barrier_by_rcu(void)
{
	return syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) ? -errno : 0;
}

bool barrier_can_visit(void)
{
	return !kernel_is_realtime() && !barrier_by_visit();
}

int datapath_barrier(struct datapath *dp, struct error *err)
{
	int rc = -ENOTSUP;

	(void)dp; /* of every datapath at once */
	/* Stores made before this call come before whatever the visitor or RCU orders. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!kernel_is_realtime())
		rc = barrier_by_visit();
	if (rc)
		rc = barrier_by_rcu();
	if (rc)
		return error_set(
		    err, ERROR_INTERNAL, NULL,
		    "no way to wait for the programs that run: not every CPU can be visited, and membarrier(2) says %s; take "
		    "rainbowd out of its cpuset",
		    strerror(-rc));
	return 0;
}
