/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The fixture: namespace, devices, programs. What goes into the maps is in world_maps.c. */
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "bpf/rainbow.skel.h"
#include "tests/bpf/world.h"

#ifndef BPF_F_TEST_SKB_CHECKSUM_COMPLETE
#define BPF_F_TEST_SKB_CHECKSUM_COMPLETE (1U << 2)
#endif

bool world_is_impossible(void)
{
	if (geteuid() == 0)
		return false;
	printf("skipped: these tests load BPF programs and need root\n");
	return true;
}

static int say(const char *what)
{
	fprintf(stderr, "world: %s: %s\n", what, strerror(errno));
	return -1;
}

/* --- network ------------------------------------------------------------------------------------------------------------ */

static const char *const network[] = {
    "link set lo up",
    "link add wan0 type veth peer name wan1",
    "link add lan0 type veth peer name lan1",
    "link set wan0 address 02:00:00:00:0a:01 up",
    "link set lan0 address 02:00:00:00:0b:01 up",
    "link set wan1 up",
    "link set lan1 up",
    "address add 10.0.0.1/24 dev wan0",
    "address add 10.1.0.1/24 dev lan0",
    "address add 2001:db8::1/64 dev wan0 nodad",
    "address add 2001:db8:1::1/64 dev lan0 nodad",
    "neighbour add 10.0.0.77 lladdr 02:00:00:00:00:77 dev wan0 nud permanent",
    "neighbour add 10.0.0.254 lladdr 02:00:00:00:00:fe dev wan0 nud permanent",
    "neighbour add 2001:db8::77 lladdr 02:00:00:00:00:77 dev wan0 nud permanent",
    "neighbour add 2001:db8::fe lladdr 02:00:00:00:00:fe dev wan0 nud permanent",
    "route add 10.9.0.0/16 via 10.0.0.254",
    "route add 2001:db8:9::/48 via 2001:db8::fe",
};

/* Backends: host parts 11 to 19 on lan0, 51 to 59 on wan0. */
static void network_backends(FILE *ip)
{
	int i;

	for (i = 1; i <= 9; i++) {
		fprintf(ip, "neighbour add 10.1.0.1%d lladdr 02:00:00:00:01:00 dev lan0 nud permanent\n", i);
		fprintf(ip, "neighbour add 10.0.0.5%d lladdr 02:00:00:00:01:00 dev wan0 nud permanent\n", i);
		fprintf(ip, "neighbour add 2001:db8:1::1%d lladdr 02:00:00:00:01:00 dev lan0 nud permanent\n", i);
		fprintf(ip, "neighbour add 2001:db8::5%d lladdr 02:00:00:00:01:00 dev wan0 nud permanent\n", i);
	}
}

static int write_sysctl(const char *path, const char *value)
{
	FILE *file = fopen(path, "w");

	if (!file)
		return say(path);
	fputs(value, file);
	return fclose(file) ? say(path) : 0;
}

static int device_find(struct device *device, const char *name, uint8_t last)
{
	static const uint8_t mac[6] = {0x02, 0, 0, 0, 0, 0x01};

	device->ifindex = if_nametoindex(name);
	memcpy(device->mac, mac, 6);
	device->mac[4] = last;
	return device->ifindex ? 0 : say(name);
}

static int network_open(struct world *world)
{
	FILE *ip;
	size_t i;

	if (unshare(CLONE_NEWNET))
		return say("unshare");
	/* Without `-force`, so that the first failing line ends it. */
	ip = popen("ip -batch -", "w");
	if (!ip)
		return say("ip");
	for (i = 0; i < sizeof(network) / sizeof(*network); i++)
		fprintf(ip, "%s\n", network[i]);
	network_backends(ip);
	if (pclose(ip))
		return say("ip -batch failed");
	if (write_sysctl("/proc/sys/net/ipv4/ip_forward", "1") || write_sysctl("/proc/sys/net/ipv6/conf/all/forwarding", "1"))
		return -1;
	return device_find(&world->wan, "wan0", 0x0a) || device_find(&world->lan, "lan0", 0x0b) ? -1 : 0;
}

/* --- programs and maps -------------------------------------------------------------------------------------------------- */

/* NULL on failure. Entries lie round_up(value size, 8) bytes apart. */
static void *map_array(const struct bpf_map *map)
{
	size_t size = ((size_t)bpf_map__value_size(map) + 7) / 8 * 8 * bpf_map__max_entries(map);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *at_memory = mmap(NULL, (size + page - 1) / page * page, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	if (at_memory == MAP_FAILED) {
		say(bpf_map__name(map));
		return NULL;
	}
	return at_memory;
}

static int maps_open(struct world *w)
{
	static const __u64 secret[RAINBOW_TABLE_SECRET] = {0x243f6a8885a308d3ull, 0x13198a2e03707345ull, 0xa4093822299f31d1ull,
							   0x082efa98ec4e6c89ull, 0x452821e638d01377ull};

	if (pin_table_open(&w->pins, bpf_map__fd(w->bpf->maps.rainbow_table), rainbow_table_buckets(w->pin_limit), secret,
			   bpf_map__fd(w->bpf->maps.rainbow_pin)))
		return say("rainbow_table");
	if (nursery_open(&w->nursery, bpf_map__fd(w->bpf->maps.rainbow_nursery),
			 bpf_map__max_entries(w->bpf->maps.rainbow_nursery), secret))
		return say("rainbow_nursery");
	w->meta = map_array(w->bpf->maps.rainbow_meta);
	w->lookup = map_array(w->bpf->maps.rainbow_lookup);
	w->service = map_array(w->bpf->maps.rainbow_service);
	w->version = map_array(w->bpf->maps.rainbow_version);
	w->wheel = map_array(w->bpf->maps.rainbow_wheel);
	w->backend = map_array(w->bpf->maps.rainbow_backend);
	w->census = map_array(w->bpf->maps.rainbow_census);
	w->due = map_array(w->bpf->maps.rainbow_due);
	w->hop = map_array(w->bpf->maps.rainbow_hop);
	w->member = map_array(w->bpf->maps.rainbow_member);
	if (!w->meta || !w->lookup || !w->service || !w->version || !w->wheel || !w->backend || !w->census || !w->due ||
	    !w->hop || !w->member)
		return -1;
	return 0;
}

static int programs_open(struct world *world, const struct world_config *config)
{
	struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};

	setrlimit(RLIMIT_MEMLOCK, &all);
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	world->bpf = rainbow_bpf__open();
	if (!world->bpf)
		return say("opening the skeleton");
	world->bpf->rodata->rainbow_config.signals = !config->unmeasured;
	world->pin_limit = config->pins;
	bpf_map__set_max_entries(world->bpf->maps.rainbow_table, rainbow_table_buckets(config->pins));
	bpf_map__set_max_entries(world->bpf->maps.rainbow_pin, rainbow_table_overflow(config->pins));
	bpf_map__set_max_entries(world->bpf->maps.rainbow_nursery, rainbow_nursery_buckets(config->nursery));
	if (rainbow_bpf__load(world->bpf))
		return say("loading the programs");
	return 0;
}

int world_open(struct world *world, const struct world_config *config)
{
	memset(world, 0, sizeof(*world));
	if (network_open(world) || programs_open(world, config) || maps_open(world))
		return -1;
	world_reset(world);
	return 0;
}

void world_close(struct world *world)
{
	pin_table_close(&world->pins);
	nursery_close(&world->nursery);
	rainbow_bpf__destroy(world->bpf);
	world->bpf = NULL;
}

/* --- running ------------------------------------------------------------------------------------------------------------ */

static int run_xdp(struct world *world, const struct device *device, const struct frame *in, struct frame *out)
{
	struct xdp_md ctx = {.data_end = (uint32_t)in->length, .ingress_ifindex = device->ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->bytes, .data_size_in = (uint32_t)in->length, .data_out = out->bytes,
		    .data_size_out = FRAME_MAX, .ctx_in = &ctx, .ctx_size_in = sizeof(ctx));
	int error = bpf_prog_test_run_opts(bpf_program__fd(world->bpf->progs.rainbow_xdp), &opts);

	out->length = opts.data_size_out;
	return error ? -errno : (int)opts.retval;
}

static int run_tc(struct world *world, enum hook hook, const struct device *device, const struct frame *in, struct frame *out,
		  uint32_t flags)
{
	struct bpf_program *program =
	    hook == HOOK_EGRESS ? world->bpf->progs.rainbow_egress : world->bpf->progs.rainbow_ingress;
	struct __sk_buff ctx = {.ifindex = device->ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->bytes, .data_size_in = (uint32_t)in->length, .data_out = out->bytes,
		    .data_size_out = FRAME_MAX, .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .flags = flags);
	int error = bpf_prog_test_run_opts(bpf_program__fd(program), &opts);

	out->length = opts.data_size_out;
	return error ? -errno : (int)opts.retval;
}

int world_run(struct world *world, enum hook hook, const struct device *device, const struct frame *in, struct frame *out)
{
	if (hook == HOOK_XDP)
		return run_xdp(world, device, in, out);
	return run_tc(world, hook, device, in, out, 0);
}

int world_run_complete(struct world *world, enum hook hook, const struct device *device, const struct frame *in)
{
	struct frame out;

	return run_tc(world, hook, device, in, &out, BPF_F_TEST_SKB_CHECKSUM_COMPLETE);
}

/* Runs a syscall program, whose context is written back in place. */
static void run_syscall(const struct bpf_program *program, void *context, size_t size)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = context, .ctx_size_in = (uint32_t)size);

	if (bpf_prog_test_run_opts(bpf_program__fd(program), &opts) || (int)opts.retval < 0) {
		say(bpf_program__name(program));
		abort();
	}
}

static struct rainbow_sweep run_sweep(struct world *world, struct rainbow_sweep sweep)
{
	memset(world->census, 0, sizeof(*world->census) * (RAINBOW_MAX_VERSIONS + 1));
	run_syscall(world->bpf->progs.rainbow_sweep, &sweep, sizeof(sweep));
	return sweep;
}

struct rainbow_sweep world_sweep(struct world *world, uint32_t ask_limit)
{
	return run_sweep(world, (struct rainbow_sweep){.ask_limit = ask_limit});
}

struct rainbow_sweep world_sweep_ghosts(struct world *world, uint32_t ghost_limit, uint32_t since)
{
	struct rainbow_clock now = {};

	run_syscall(world->bpf->progs.rainbow_clock, &now, sizeof(now));
	return run_sweep(world, (struct rainbow_sweep){
				    .ask_limit = RAINBOW_DUE, .ghost_limit = ghost_limit, .previous = now.jiffies - since});
}

bool world_asked(struct world *world, uint32_t index)
{
	const struct rainbow_due *due = &world->due[index];
	struct rainbow_asked asked = {.flow = due->flow, .last_seen = due->pin.last_seen};

	run_syscall(world->bpf->progs.rainbow_asked, &asked, sizeof(asked));
	return asked.counted;
}

bool world_kill(struct world *world, const struct rainbow_flow *flow, uint32_t version, enum rainbow_end reason)
{
	struct rainbow_close order = {.flow = *flow, .version = version, .reason = reason};

	run_syscall(world->bpf->progs.rainbow_close, &order, sizeof(order));
	return order.closed;
}

uint32_t world_jiffies(struct world *world)
{
	struct rainbow_clock now = {};

	run_syscall(world->bpf->progs.rainbow_clock, &now, sizeof(now));
	return (uint32_t)now.jiffies;
}
