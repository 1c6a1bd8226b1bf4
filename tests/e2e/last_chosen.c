// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * When did a new session get this version last? Looks at the kernel's count without pause, from outside of rainbowd.
 *
 *   last_chosen PINS/rainbow_version LABEL     until TERM; prints that instant, unix microseconds, and the longest time between two looks
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <rainbow/maps.h>

#define LOOK_US 100

static volatile sig_atomic_t over;

static void on_term(int number)
{
	(void)number;
	over = 1;
}

static long long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000ll + now.tv_nsec / 1000;
}

static const struct rainbow_version *find(const struct rainbow_version *versions, const char *label)
{
	for (int i = 1; i <= RAINBOW_MAX_VERSIONS; i++)
		if (versions[i].state && strcmp(versions[i].label, label) == 0)
			return &versions[i];
	return NULL;
}

int main(int argc, char **argv)
{
	size_t size = (RAINBOW_MAX_VERSIONS + 1) * sizeof(struct rainbow_version);
	const struct rainbow_version *versions, *version;
	long long last = 0, look, before, slowest = 0;
	__u64 chosen, count;
	int fd = argc == 3 ? bpf_obj_get(argv[1]) : -1;

	versions = fd < 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	version = versions == MAP_FAILED ? NULL : find(versions, argv[2]);
	if (!version) {
		fprintf(stderr, "usage: last_chosen PINS/rainbow_version LABEL\n");
		return 2;
	}
	signal(SIGTERM, on_term);
	count = __atomic_load_n(&version->chosen, __ATOMIC_RELAXED);
	for (before = now_us(); !over; before = look) {
		usleep(LOOK_US);
		look = now_us();
		slowest = look - before > slowest ? look - before : slowest;
		chosen = __atomic_load_n(&version->chosen, __ATOMIC_RELAXED);
		if (chosen != count)
			last = look;
		count = chosen;
	}
	printf("%lld %lld\n", last, slowest);
	return 0;
}
