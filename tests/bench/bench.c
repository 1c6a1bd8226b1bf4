/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a packet costs, in ns, by BPF_PROG_TEST_RUN: rainbow beside two floors, net of an empty program, medians of rounds in which
 * they alternate. Numbers of different runs, or machines, do not compare; the ratios within one run do. Fails nothing.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "bpf/rainbow.skel.h"
#include "tests/bench/driver.h"
#include "tests/bench/floor.skel.h"
#include "tests/bench/population.h"
#include "tests/bpf/scene.h"

#define ROUNDS       11
#define PACKETS      200000u
#define MILLION      (1u << 20)
#define NEW_SESSIONS 32768u

enum target {
	TARGET_EMPTY,
	TARGET_SEND,   /* first floor */
	TARGET_LOOKUP, /* second floor */
	TARGET_RAINBOW,
	TARGETS,
	TARGET_UNMEASURED = TARGETS, /* rainbow with `signals` off, on the same maps */
};

/* One line of the table. */
struct scenario {
	const char *name;
	enum path path;
	bool is_v4;
	uint8_t protocol;
	uint32_t sessions;                    /* known ones; a power of two */
	const char *words;                    /* of scene.c: the packet, or the packets of a session in turn */
	bool is_known;                        /* the sessions are in the tables beforehand */
	void (*setting)(struct scene *scene); /* may be NULL */
	double goal;                          /* of the ratio to the second floor; 0: none */
};

struct bench {
	struct world world;
	struct rainbow_bpf *unmeasured;
	struct floor_bpf *floor;
	struct scene scene;
	struct rainbow_flow first;
};

static void die(const char *what, int error)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(error));
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

/* --- one scenario --------------------------------------------------------------------------------------------------------- */

/* Where the client stands in the packet: its last four address bytes, its port. Returns whether the packet is the client's. */
static bool template_fill(struct bench_template *template, const struct scene *scene, const char *word)
{
	struct packet packet;
	struct frame frame;
	bool from_client;

	if (!scene_packet(scene, word, &packet, &from_client))
		die(word, EINVAL);
	packet.payload = 0;
	packet_build(&frame, &packet);
	packet.payload = (uint16_t)(BENCH_PACKET - frame.length);
	packet_build(&frame, &packet);
	memcpy(template->bytes, frame.bytes, BENCH_PACKET);
	template->address_offset = (scene->is_v4 ? 26u : 34u) + (from_client ? 0 : scene->is_v4 ? 4 : 16);
	template->port_offset = (uint32_t)packet_transport_offset(&packet) + (from_client ? 0 : 2);
	return from_client;
}

static bool is_new(const struct scenario *s)
{
	return strstr(s->words, "synack") != NULL;
}

static struct bench_session floor_session(const struct bench *bench)
{
	return (struct bench_session){
	    .backend = bench->world.backend[1].address,
	    .service = bench->scene.service.addr,
	    .backend_port = 8081,
	    .service_port = 80,
	    .ifindex = bench->world.lan.ifindex,
	};
}

static void driver_fill(struct bench *bench, const struct scenario *s)
{
	struct bench_driver *driver = &bench->floor->bss->driver;
	char copy[64], *rest = copy, *word;
	uint32_t last;

	memset(driver, 0, sizeof(*driver));
	snprintf(copy, sizeof(copy), "%s", s->words);
	while ((word = strsep(&rest, " ")))
		driver->from_client |= template_fill(&driver->template[driver->phases++], &bench -> scene, word);
	memcpy(&last, bench->first.client.octet + 12, 4);
	driver->first_address = ntohl(last);
	driver->sessions = s->sessions;
	driver->random = driver->phases == 1;
	driver->inserts = is_new(s);
	driver->fresh = floor_session(bench);
	driver->seed = 1;
}

/* As many entries of the same session as asked: it is played once, and its pin copied. */
static void sessions_fill(struct bench *bench, const struct scenario *s)
{
	struct rainbow_flow flow = population_flow(&bench->first, 0);
	struct bench_session session = floor_session(bench);
	struct rainbow_pin pin;
	int error;

	bench->scene.client.addr = flow.client;
	scene_port(&bench->scene, flow.port);
	if (!s->is_known)
		return;
	scene_play(&bench->scene, s->protocol == IPPROTO_TCP ? "syn synack ack data sdata" : "ask answer ask answer");
	if (!world_pin(&bench->world, &flow, &pin))
		die("no session", ENOENT);
	error = population_pin(&bench->world.pins, &bench->first, s->sessions, &pin);
	if (error)
		die("filling the pins", -error);
	error =
	    population_add(bpf_map__fd(bench->floor->maps.bench_floor), &bench->first, s->sessions, &session, sizeof(session));
	if (error)
		die("filling the floor", -error);
}

static void sessions_clear(struct bench *bench, const struct scenario *s)
{
	table_clear(&bench->world.pins);
	if (s->is_known)
		population_remove(bpf_map__fd(bench->floor->maps.bench_floor), &bench->first, s->sessions);
	bench->world.meta->pins = 0;
}

static int target_fd(const struct bench *bench, enum target target, bool is_xdp)
{
	switch (target) {
	case TARGET_EMPTY:
		return bpf_program__fd(is_xdp ? bench->floor->progs.empty_xdp : bench->floor->progs.empty_tc);
	case TARGET_SEND:
		return bpf_program__fd(is_xdp ? bench->floor->progs.send_xdp : bench->floor->progs.send_tc);
	case TARGET_LOOKUP:
		return bpf_program__fd(is_xdp ? bench->floor->progs.lookup_xdp : bench->floor->progs.lookup_tc);
	case TARGET_UNMEASURED:
		return bpf_program__fd(is_xdp ? bench->unmeasured->progs.rainbow_xdp
					      : bench->unmeasured->progs.rainbow_ingress);
	default:
		return bpf_program__fd(is_xdp ? bench->world.bpf->progs.rainbow_xdp : bench->world.bpf->progs.rainbow_ingress);
	}
}

/* ns per packet of one run, by the kernel's own clock: the call itself waits for a grace period in XDP. */
static double run(struct bench *bench, const struct device *device, bool is_xdp, uint32_t packets, int *action)
{
	struct xdp_md xdp = {.data_end = BENCH_PACKET, .ingress_ifindex = device->ifindex};
	struct __sk_buff skb = {.ifindex = device->ifindex};
	struct bench_driver *driver = &bench->floor->bss->driver;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = driver->template[0].bytes, .data_size_in = BENCH_PACKET,
		    .ctx_in = is_xdp ? (void *)&xdp : (void *)&skb, .ctx_size_in = is_xdp ? sizeof(xdp) : sizeof(skb),
		    .repeat = (int)packets);

	driver->next = driver->phase = 0;
	if (bpf_prog_test_run_opts(bpf_program__fd(is_xdp ? bench->floor->progs.drive_xdp : bench->floor->progs.drive_tc),
				   &opts))
		die("test run", errno);
	*action = (int)opts.retval;
	return opts.duration;
}

/* A program that did not do what is measured would be fast. */
static void check_action(const struct scenario *s, enum target target, int action)
{
	int should = s->path >= PATH_TC ? TC_ACT_REDIRECT : s->path == PATH_XDP_ARM ? XDP_TX : XDP_REDIRECT;

	if (s->is_known && target >= TARGET_LOOKUP && action != should) {
		fprintf(stderr, "bench: %s: action %d of program %d, not %d\n", s->name, action, (int)target, should);
		exit(1);
	}
}

static void new_sessions_forget(struct bench *bench, enum target target)
{
	if (target == TARGET_LOOKUP)
		population_remove(bpf_map__fd(bench->floor->maps.bench_floor), &bench->first, NEW_SESSIONS);
	if (target < TARGET_RAINBOW)
		return;
	table_clear(&bench->world.pins);
	bench->world.meta->pins = bench->world.meta->overflowed = bench->world.version[1].live = bench->world.backend[1].live =
	    0;
}

/* Net ns per packet of each target: the median over the rounds of its difference to the empty program in the same round. */
static void measure(struct bench *bench, const struct scenario *s, double net[TARGETS])
{
	bool is_xdp = s->path < PATH_TC;
	int tails = bpf_map__fd(is_xdp ? bench->floor->maps.bench_xdp : bench->floor->maps.bench_tc);
	const struct device *device = scene_device(&bench->scene, bench->floor->bss->driver.from_client);
	uint32_t packets = is_new(s) ? NEW_SESSIONS * bench->floor->bss->driver.phases : PACKETS;
	double took[TARGETS][ROUNDS], base;
	int round, target, slot = 0, fd, action;

	for (round = -1; round < ROUNDS; round++) { /* the first warms up */
		for (target = 0, base = 0; target < TARGETS; target++) {
			double ns;

			fd = target_fd(bench, (enum target)target, is_xdp);
			if (bpf_map_update_elem(tails, &slot, &fd, 0))
				die("tail call", errno);
			ns = run(bench, device, is_xdp, packets, &action);
			check_action(s, (enum target)target, action);
			if (is_new(s))
				new_sessions_forget(bench, (enum target)target);
			base = target == TARGET_EMPTY ? ns : base;
			if (round >= 0)
				took[target][round] = target == TARGET_EMPTY ? ns : ns - base;
		}
	}
	for (target = 0; target < TARGETS; target++)
		net[target] = median(took[target], ROUNDS);
}

static void print_scenario(const struct scenario *s, const double net[TARGETS], uint32_t phases)
{
	printf("%-44s %8.0f", s->name, net[TARGET_SEND]);
	if (s->is_known || is_new(s))
		printf(" %8.0f %8.0f %7.2f", net[TARGET_LOOKUP] * phases, net[TARGET_RAINBOW] * phases,
		       net[TARGET_RAINBOW] / net[TARGET_LOOKUP]);
	else
		printf(" %8s %8.0f %7s", "-", net[TARGET_RAINBOW] * phases, "-");
	if (s->goal > 0)
		printf("   at most %.2f", s->goal);
	printf("\n");
	fflush(stdout);
}

static void scenario_run(struct bench *bench, const struct scenario *s)
{
	double net[TARGETS];

	scene_set(&bench->scene, &bench->world, s->path, s->is_v4, s->protocol);
	world_add_signal(&bench->world, 1, RAINBOW_SLOT_EVER);
	world_member(&bench->world, 1)->count = 1; /* the packets of a handshake know their backend */
	bench->first =
	    (struct rainbow_flow){.client = s->is_v4 ? at("10.9.0.0", 0).addr : at("2001:db8:9::1:0", 0).addr, .service = 1};
	sessions_fill(bench, s);
	if (s->setting)
		s->setting(&bench->scene);
	driver_fill(bench, s);
	measure(bench, s, net);
	print_scenario(s, net, bench->floor->bss->driver.phases);
	sessions_clear(bench, s);
}

static void not_ours(struct scene *scene)
{
	scene->service.port = 81;
}

static void no_share(struct scene *scene)
{
	world_turn_wheel(scene->world, 1, 0);
}

#define TCP4 true, IPPROTO_TCP
#define TCP6 false, IPPROTO_TCP
#define UDP4 true, IPPROTO_UDP

static const struct scenario scenarios[] = {
    {"xdp: not ours", PATH_XDP, TCP4, 1024, "data", false, not_ours},
    {"xdp: request, 1 session", PATH_XDP, TCP4, 1, "data", true, NULL, 1.25},
    {"xdp: request, 1 K sessions", PATH_XDP, TCP4, 1024, "data", true},
    {"xdp: request, 4 K", PATH_XDP, TCP4, 4096, "data", true, NULL, 1.0},
    {"xdp: request, 64 K", PATH_XDP, TCP4, 65536, "data", true},
    {"xdp: request, 1 M", PATH_XDP, TCP4, MILLION, "data", true, NULL, 0.75},
    {"xdp: reply, 1 session", PATH_XDP, TCP4, 1, "sdata", true, NULL, 1.25},
    {"xdp: reply, 1 K sessions", PATH_XDP, TCP4, 1024, "sdata", true},
    {"xdp: reply, 4 K", PATH_XDP, TCP4, 4096, "sdata", true, NULL, 1.0},
    {"xdp: reply, 64 K", PATH_XDP, TCP4, 65536, "sdata", true},
    {"xdp: reply, 1 M", PATH_XDP, TCP4, MILLION, "sdata", true, NULL, 0.75},
    {"xdp: IPv6 request, 64 K", PATH_XDP, TCP6, 65536, "data", true},
    {"xdp: IPv6 reply, 64 K", PATH_XDP, TCP6, 65536, "sdata", true},
    {"xdp: UDP request, 64 K", PATH_XDP, UDP4, 65536, "ask", true},
    {"xdp: UDP reply, 64 K", PATH_XDP, UDP4, 65536, "answer", true},
    {"xdp: new session: SYN, SYN-ACK, ACK together", PATH_XDP_ARM, TCP4, NEW_SESSIONS, "syn synack ack", false, NULL, 0.8},
    {"xdp: a SYN of a flood", PATH_XDP, TCP4, MILLION, "syn", false},
    {"xdp: refused (RST)", PATH_XDP, TCP4, 1024, "syn", false, no_share},
    {"xdp: a stray (RST)", PATH_XDP, TCP4, 1024, "data", false},
    {"tc: not ours", PATH_TC, TCP4, 1024, "data", false, not_ours},
    {"tc: request, 1 session", PATH_TC, TCP4, 1, "data", true, NULL, 1.25},
    {"tc: request, 1 K sessions", PATH_TC, TCP4, 1024, "data", true},
    {"tc: request, 4 K", PATH_TC, TCP4, 4096, "data", true, NULL, 1.0},
    {"tc: request, 64 K", PATH_TC, TCP4, 65536, "data", true},
    {"tc: request, 1 M", PATH_TC, TCP4, MILLION, "data", true, NULL, 0.75},
    {"tc: reply, 64 K", PATH_TC, TCP4, 65536, "sdata", true},
    {"tc: IPv6 request, 64 K", PATH_TC, TCP6, 65536, "data", true},
    {"tc: UDP request, 64 K", PATH_TC, UDP4, 65536, "ask", true},
    {"tc: new session: SYN, SYN-ACK, ACK together", PATH_TC_ARM, TCP4, NEW_SESSIONS, "syn synack ack", false, NULL, 0.8},
    {"tc: a SYN of a flood", PATH_TC, TCP4, MILLION, "syn", false},
    {"tc: refused (RST)", PATH_TC, TCP4, 1024, "syn", false, no_share},
};

/* --- what measuring costs ------------------------------------------------------------------------------------------------- */

#define TURNS 131072u /* sessions, each of which has its first turn; a power of two */

static bool is_turn(const struct scenario *s)
{
	return s->sessions == TURNS;
}

/* Sessions that have just opened: what they say is new. */
static struct rainbow_pin fresh_pin(struct bench *bench)
{
	struct rainbow_flow flow = population_flow(&bench->first, 0);
	struct rainbow_pin pin;

	bench->scene.client.addr = flow.client;
	scene_port(&bench->scene, flow.port);
	scene_play(&bench->scene, "syn synack ack");
	if (!world_pin(&bench->world, &flow, &pin))
		die("no session", ENOENT);
	return pin;
}

static void measure_both(struct bench *bench, const struct scenario *s, double net[2])
{
	const enum target targets[] = {TARGET_EMPTY, TARGET_UNMEASURED, TARGET_RAINBOW};
	bool is_xdp = s->path < PATH_TC;
	int tails = bpf_map__fd(is_xdp ? bench->floor->maps.bench_xdp : bench->floor->maps.bench_tc), round, i, slot = 0, fd,
	    action;
	const struct device *device = scene_device(&bench->scene, bench->floor->bss->driver.from_client);
	struct rainbow_pin fresh = {};
	double took[2][ROUNDS], base = 0;

	if (is_turn(s))
		fresh = fresh_pin(bench);
	for (round = -1; round < ROUNDS; round++) {
		for (i = 0; i < 3; i++) {
			double ns;

			fd = target_fd(bench, targets[i], is_xdp);
			if (bpf_map_update_elem(tails, &slot, &fd, 0))
				die("tail call", errno);
			if (is_turn(s) && population_pin(&bench->world.pins, &bench->first, TURNS, &fresh))
				die("filling the pins", ENOSPC);
			ns = run(bench, device, is_xdp, is_new(s) ? NEW_SESSIONS * 3 : is_turn(s) ? TURNS : PACKETS, &action);
			check_action(s, targets[i], action);
			if (is_new(s))
				new_sessions_forget(bench, targets[i]);
			base = i ? base : ns;
			if (round >= 0 && i)
				took[i - 1][round] = ns - base;
		}
	}
	for (i = 0; i < 2; i++)
		net[i] = median(took[i], ROUNDS) * bench->floor->bss->driver.phases;
}

static void speaks_http(struct scene *scene)
{
	scene->world->service[1].http = 1;
}

static const struct scenario measured[] = {
    {"xdp: request, 1 session", PATH_XDP, TCP4, 1, "data", true, NULL, 10},
    {"xdp: request", PATH_XDP, TCP4, 4096, "data", true, NULL, 10},
    {"xdp: reply", PATH_XDP, TCP4, 4096, "sdata", true, NULL, 10},
    {"xdp: IPv6 request", PATH_XDP, TCP6, 4096, "data", true, NULL, 10},
    {"xdp: UDP request", PATH_XDP, UDP4, 4096, "ask", true, NULL, 10},
    {"xdp: turn: request and reply together", PATH_XDP_ARM, TCP4, TURNS, "data sdata", true},
    {"xdp: turn of HTTP", PATH_XDP_ARM, TCP4, TURNS, "data sdata", true, speaks_http},
    {"xdp: new session: SYN, SYN-ACK, ACK together", PATH_XDP_ARM, TCP4, NEW_SESSIONS, "syn synack ack", false},
    {"tc: request", PATH_TC, TCP4, 4096, "data", true, NULL, 10},
    {"tc: reply", PATH_TC, TCP4, 4096, "sdata", true, NULL, 10},
    {"tc: turn: request and reply together", PATH_TC_ARM, TCP4, TURNS, "data sdata", true},
    {"tc: turn of HTTP", PATH_TC_ARM, TCP4, TURNS, "data sdata", true, speaks_http},
    {"tc: new session: SYN, SYN-ACK, ACK together", PATH_TC_ARM, TCP4, NEW_SESSIONS, "syn synack ack", false},
};

static void measured_run(struct bench *bench, const struct scenario *s)
{
	double net[2];

	scene_set(&bench->scene, &bench->world, s->path, s->is_v4, s->protocol);
	world_member(&bench->world, 1)->count = 1;
	world_add_signal(&bench->world, 1, RAINBOW_SLOT_EVER);
	world_begin_cohort(&bench->world, 1, 1); /* both records are written */
	bench->first =
	    (struct rainbow_flow){.client = s->is_v4 ? at("10.9.0.0", 0).addr : at("2001:db8:9::1:0", 0).addr, .service = 1};
	if (!is_turn(s))
		sessions_fill(bench, s);
	if (s->setting)
		s->setting(&bench->scene);
	driver_fill(bench, s);
	measure_both(bench, s, net);
	printf("%-44s %8s %8.0f %8.0f %7.0f", s->name, "", net[0], net[1], net[1] - net[0]);
	if (s->goal > 0)
		printf("   at most %.0f", s->goal);
	printf("\n");
	fflush(stdout);
	if (is_turn(s))
		table_clear(&bench->world.pins);
	else
		sessions_clear(bench, s);
	bench->world.meta->pins = 0;
}

/* The same programs but for one constant. */
static void unmeasured_open(struct bench *bench)
{
	struct bpf_map *map, *other;

	bench->unmeasured = rainbow_bpf__open();
	if (!bench->unmeasured)
		die("opening the skeleton", errno);
	bench->unmeasured->rodata->rainbow_config.signals = 0;
	bpf_object__for_each_map(map, bench->unmeasured->obj)
	{
		other = bpf_object__find_map_by_name(bench->world.bpf->obj, bpf_map__name(map));
		if (!bpf_map__is_internal(map) && bpf_map__reuse_fd(map, bpf_map__fd(other)))
			die(bpf_map__name(map), errno);
	}
	if (rainbow_bpf__load(bench->unmeasured))
		die("loading the programs", errno);
}

static void signals_run(struct bench *bench, const char *pattern)
{
	size_t i;

	unmeasured_open(bench);
	printf("\nwith `signals` and without\n%-44s %8s %8s %8s %7s   %s\n", "", "", "without", "with", "more", "goal");
	for (i = 0; i < sizeof(measured) / sizeof(*measured); i++)
		if (!pattern || !strcmp(pattern, "signals") || strstr(measured[i].name, pattern))
			measured_run(bench, &measured[i]);
	rainbow_bpf__destroy(bench->unmeasured);
}

/* --- a million sessions --------------------------------------------------------------------------------------------------- */

static void sweep_run(struct bench *bench)
{
	const struct scenario million = {"", PATH_XDP, TCP4, MILLION, "data", true};
	struct rainbow_sweep sweep = {};
	double took[5], begin;
	int i;

	scene_set(&bench->scene, &bench->world, PATH_XDP, true, IPPROTO_TCP);
	bench->first = (struct rainbow_flow){.client = at("10.9.0.0", 0).addr, .service = 1};
	sessions_fill(bench, &million);
	for (i = 0; i < 5; i++) {
		begin = now();
		sweep = world_sweep(&bench->world, 0);
		took[i] = (now() - begin) * 1e3;
	}
	printf("%-44s %8.0f ms for %llu sessions          at most 150 ms a million\n", "sweep", median(took, 5),
	       (unsigned long long)sweep.entries);
	sessions_clear(bench, &million);
}

static uint64_t table_memory(const struct world *world)
{
	return map_memory(bpf_map__fd(world->bpf->maps.rainbow_table)) + map_memory(bpf_map__fd(world->bpf->maps.rainbow_pin));
}

/* Of the maps that grow with the sessions that there may be; the kernel makes them when they are asked for. */
static void memory_run(const struct bench *bench)
{
	printf("%-44s %8.0f bytes a session by fdinfo   at most 176\n", "memory of the pin table",
	       (double)table_memory(&bench->world) / bench->world.pin_limit);
}

static void bench_open(struct bench *bench)
{
	const struct world_config config = {.pins = MILLION, .nursery = RAINBOW_DEFAULT_NURSERY};

	if (world_open(&bench->world, &config))
		exit(1);
	bench->floor = floor_bpf__open();
	if (!bench->floor)
		die("opening the floor", errno);
	bpf_map__set_max_entries(bench->floor->maps.bench_floor, MILLION);
	if (floor_bpf__load(bench->floor))
		die("loading the floor", errno);
}

int main(int argc, char **argv)
{
	struct bench bench = {};
	struct utsname os;
	size_t i;

	if (argc > 1 && !strcmp(argv[1], "fill"))
		return population_fill(argc - 2, argv + 2);
	if (world_is_impossible())
		return 77; /* skipped */
	bench_open(&bench);
	uname(&os);
	printf("ns per packet by BPF_PROG_TEST_RUN, net of an empty program; medians of %d alternating rounds of %u packets,\n"
	       "sessions in random order; Linux %s\n\n",
	       ROUNDS, PACKETS, os.release);
	printf("%-44s %8s %8s %8s %7s   %s\n", "", "XDP_TX", "lookup", "rainbow", "ratio", "goal");
	for (i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++)
		if (argc < 2 || strstr(scenarios[i].name, argv[1]))
			scenario_run(&bench, &scenarios[i]);
	signals_run(&bench, argc < 2 ? NULL : argv[1]);
	printf("\n");
	if (argc < 2 || strstr("sweep", argv[1]))
		sweep_run(&bench);
	memory_run(&bench);
	floor_bpf__destroy(bench.floor);
	world_close(&bench.world);
	return 0;
}
