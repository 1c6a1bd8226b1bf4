/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * load: the client of the comparison. A closed loop: each of N connections has one message under way. Either the connections are
 * kept (requests), or each is closed after its answer and followed by a new one (connects). Every answer is checked: its number,
 * and that a connection hears one version only. Prints one line of JSON; exit code 1 if an answer was wrong or a connection failed.
 *
 * cpu_us: the CPU time that all processes of the cgroup had meanwhile. `load cpu` prints what they had so far.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <common/addr.h>
#include <common/error.h>
#include <common/text.h>

#include "tests/lab/agent.h"
#include "tests/peers/peers.h"

#define EVENTS      256
#define TARGETS     16
#define LABELS      16
#define CPUS        1024
#define SLOWEST_US  (1 << 20)
#define PATIENCE_NS INT64_C(15000000000) /* to open the connections of `requests` */

static const char usage_text[] =
    "usage: load requests|connects --to ADDR:PORT ... [--connections N] [--ms N] [--from ADDR+N] [--cgroup DIR]\n"
    "       load cpu --cgroup DIR\n";

struct connection {
	int fd;
	unsigned int label; /* 1 + index in labels; 0: not heard yet */
	bool is_answered;   /* at least once */
	uint64_t number;
	int64_t asked;
};

static struct {
	bool keeps;
	struct endpoint target[TARGETS];
	unsigned int targets;
	uint64_t connections, ms;
	struct rainbow_addr from;
	uint64_t from_count;
	const char *cgroup; /* NULL: CPU time is not measured */
} options = {.connections = 1, .ms = 1000};

static struct {
	char text[PEERS_LABEL];
	uint64_t answers;
} labels[LABELS];

static struct {
	bool is_measuring;
	uint64_t done, wrong, failed, ready;
} counts;
static uint32_t slower[SLOWEST_US + 1]; /* how many answers took so many microseconds */
static uint64_t turn;
static int epoll_fd;

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* --- CPU time ------------------------------------------------------------------------------------------------------------- */

static unsigned int ksoftirqd[CPUS], ksoftirqds; /* their pids */

static void ksoftirqd_find(void)
{
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	char path[64], name[32];
	unsigned int pid;
	FILE *file;

	while (proc && (entry = readdir(proc)) && ksoftirqds < CPUS) {
		pid = (unsigned int)strtoul(entry->d_name, NULL, 10);
		snprintf(path, sizeof(path), "/proc/%u/comm", pid);
		file = pid ? fopen(path, "r") : NULL;
		if (!file)
			continue;
		if (fgets(name, sizeof(name), file) && !strncmp(name, "ksoftirqd/", 10))
			ksoftirqd[ksoftirqds++] = pid;
		fclose(file);
	}
	if (proc)
		closedir(proc);
}

/* The number that the format finds at the beginning of a file; ends the program if there is none. */
static int64_t file_number(const char *path, const char *format)
{
	FILE *file = fopen(path, "r");
	int64_t number;

	if (!file || fscanf(file, format, &number) != 1) {
		fprintf(stderr, "load: %s can not be read\n", path);
		exit(1);
	}
	fclose(file);
	return number;
}

/*
 * Microseconds of CPU that the processes of the cgroup had, with the softirqs that ran in them, and the kernel's threads for
 * softirqs. On veth links that is all there is: a packet is carried on by the softirq of whoever sent it.
 */
static int64_t cpu_us(void)
{
	char path[512];
	int64_t sum;
	unsigned int i;

	if (!options.cgroup)
		return 0;
	snprintf(path, sizeof(path), "%s/cpu.stat", options.cgroup);
	sum = file_number(path, "usage_usec %" SCNd64);
	for (i = 0; i < ksoftirqds; i++) {
		snprintf(path, sizeof(path), "/proc/%u/schedstat", ksoftirqd[i]);
		sum += file_number(path, "%" SCNd64) / 1000;
	}
	return sum;
}

/* --- connections ---------------------------------------------------------------------------------------------------------- */

static void source_bind(int fd)
{
	struct rainbow_addr from = options.from;
	struct sockaddr_storage address;
	unsigned int host = (unsigned int)(turn % options.from_count) + from.octet[15];
	int on = 1;

	from.octet[15] = (unsigned char)host;
	from.octet[14] = (unsigned char)(from.octet[14] + (host >> 8));
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&address, addr_to_sockaddr(&from, 0, &address)))
		counts.failed++;
}

static void connection_open(struct connection *c)
{
	const struct endpoint *target = &options.target[turn % options.targets];
	struct sockaddr_storage address;
	socklen_t size = addr_to_sockaddr(&target->addr, target->port, &address);
	struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
	int on = 1;

	c->fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	c->label = 0;
	c->asked = now_ns();
	if (c->fd < 0) {
		perror("load: socket");
		exit(1);
	}
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (options.from_count)
		source_bind(c->fd);
	turn++;
	if (connect(c->fd, (struct sockaddr *)&address, size) && errno != EINPROGRESS) {
		perror("load: connect");
		exit(1);
	}
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event);
}

static void connection_again(struct connection *c)
{
	close(c->fd);
	connection_open(c);
}

static void ask(struct connection *c)
{
	struct peers_message message = {.number = ++c->number};

	if (options.keeps)
		c->asked = now_ns();
	if (send(c->fd, &message, sizeof(message), MSG_NOSIGNAL) != sizeof(message)) {
		counts.failed++;
		connection_again(c);
	}
}

static unsigned int label_index(const char *text)
{
	unsigned int i;

	for (i = 0; i < LABELS - 1 && labels[i].text[0] && strncmp(labels[i].text, text, PEERS_LABEL); i++)
		;
	text_copy(labels[i].text, PEERS_LABEL, text);
	return i + 1;
}

static void count_answer(struct connection *c, const struct peers_message *message)
{
	unsigned int label = label_index(message->label);
	int64_t us = (now_ns() - c->asked) / 1000;

	if (message->number != c->number || (c->label && c->label != label))
		counts.wrong++;
	c->label = label;
	counts.ready += !c->is_answered;
	c->is_answered = true;
	if (!counts.is_measuring)
		return;
	counts.done++;
	labels[label - 1].answers++;
	slower[us < SLOWEST_US ? us : SLOWEST_US]++;
}

static void hear(struct connection *c)
{
	struct peers_message message;
	ssize_t length = recv(c->fd, &message, sizeof(message), 0);

	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length != sizeof(message)) {
		counts.failed++;
		connection_again(c);
		return;
	}
	count_answer(c, &message);
	if (options.keeps)
		ask(c);
	else
		connection_again(c);
}

static void connection_event(struct connection *c, uint32_t events)
{
	struct epoll_event reads = {.events = EPOLLIN, .data.ptr = c};

	if (events & EPOLLOUT && !(events & EPOLLERR)) {
		epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &reads);
		ask(c);
	} else {
		hear(c);
	}
}

/* --- the run -------------------------------------------------------------------------------------------------------------- */

/* Runs until the moment, or until all connections had an answer. */
static void run(int64_t until, bool ends_when_ready)
{
	struct epoll_event events[EVENTS];
	int i, n;

	while (now_ns() < until && !(ends_when_ready && counts.ready == options.connections)) {
		n = epoll_wait(epoll_fd, events, EVENTS, 100);
		for (i = 0; i < n; i++)
			connection_event(events[i].data.ptr, events[i].events);
	}
}

static unsigned int quantile_us(double part)
{
	uint64_t left = (uint64_t)((double)counts.done * part);
	unsigned int us;

	for (us = 0; us < SLOWEST_US && left >= slower[us]; us++)
		left -= slower[us];
	return us;
}

static void print(double seconds, int64_t cpu)
{
	unsigned int i;

	printf("{\"done\":%" PRIu64 ",\"seconds\":%.3f,\"cpu_us\":%" PRId64 ",\"p50_us\":%u,\"p99_us\":%u,\"wrong\":%" PRIu64
	       ",\"failed\":%" PRIu64 ",\"labels\":{",
	       counts.done, seconds, cpu, quantile_us(0.5), quantile_us(0.99), counts.wrong, counts.failed);
	for (i = 0; i < LABELS && labels[i].text[0]; i++)
		printf("%s\"%s\":%" PRIu64, i ? "," : "", labels[i].text, labels[i].answers);
	printf("}}\n");
}

static int measure(void)
{
	struct connection *all = calloc(options.connections, sizeof(*all));
	int64_t began, cpu, wall;
	uint64_t i;

	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	for (i = 0; i < options.connections && all; i++)
		connection_open(&all[i]);
	run(now_ns() + PATIENCE_NS, true);
	if (counts.ready < options.connections) {
		fprintf(stderr, "load: only %" PRIu64 " of %" PRIu64 " connections were answered within 15 s\n", counts.ready,
			options.connections);
		return 1;
	}
	counts.is_measuring = true;
	began = now_ns();
	cpu = cpu_us();
	run(began + (int64_t)options.ms * 1000000, false);
	cpu = cpu_us() - cpu;
	wall = now_ns() - began;
	print((double)wall / 1e9, cpu);
	return counts.wrong || counts.failed || !counts.done;
}

/* --- options -------------------------------------------------------------------------------------------------------------- */

static int from_parse(char *text, struct error *error)
{
	char *plus = strchr(text, '+');

	options.from_count = 1;
	if (plus) {
		*plus = '\0';
		if (number_parse(plus + 1, 1, 10000, &options.from_count, "--from", error))
			return -EINVAL;
	}
	return addr_parse(text, &options.from, "--from", error);
}

static int option_take(int option, char *value, struct error *error)
{
	switch (option) {
	case 't':
		if (options.targets == TARGETS)
			return error_set(error, ERROR_BAD_INPUT, "--to", "at most %d of it", TARGETS);
		return endpoint_parse(value, &options.target[options.targets++], "--to", error);
	case 'c':
		return number_parse(value, 1, 19000, &options.connections, "--connections", error);
	case 'm':
		return number_parse(value, 1, 600000, &options.ms, "--ms", error);
	case 'g':
		options.cgroup = value;
		return 0;
	default:
		return from_parse(value, error);
	}
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
	    {"to", required_argument, NULL, 't'},     {"connections", required_argument, NULL, 'c'},
	    {"ms", required_argument, NULL, 'm'},     {"from", required_argument, NULL, 'f'},
	    {"cgroup", required_argument, NULL, 'g'}, {0},
	};
	struct error error;
	int option;

	if (argc < 2 || (strcmp(argv[1], "requests") && strcmp(argv[1], "connects") && strcmp(argv[1], "cpu"))) {
		fputs(usage_text, stderr);
		return 2;
	}
	options.keeps = !strcmp(argv[1], "requests");
	while ((option = getopt_long(argc - 1, argv + 1, "", long_options, NULL)) != -1) {
		if (option == '?' || option_take(option, optarg, &error)) {
			fprintf(stderr, "load: %s\n", option == '?' ? usage_text : error.message);
			return 2;
		}
	}
	ksoftirqd_find();
	if (!strcmp(argv[1], "cpu")) {
		printf("%" PRId64 "\n", cpu_us());
		return !options.cgroup;
	}
	if (!options.targets) {
		fputs(usage_text, stderr);
		return 2;
	}
	agent_raise_descriptors(options.connections + 100);
	return measure();
}
