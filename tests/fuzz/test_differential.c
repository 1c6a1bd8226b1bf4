/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The BPF object in the kernel against the same source compiled natively: the same town, the same steps (town.h, from a seed), and
 * after each of them the same action, the same bytes, the same maps. What differs is a fault of the compiler, the verifier's
 * rewriting, or (most often) of what one of the two believes of the kernel.
 *
 *   test_differential [STEPS [SEED]]
 *
 * The time is the kernel's. Where a tick fell into a step nothing is compared, and the native side takes over the kernel's maps.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "bpf/rainbow.skel.h"
#include "tests/bpf/world.h"
#include "tests/fuzz/invariants.h"

#define SESSIONS  64
#define NURSERY   16   /* full now and then */
#define DAY       8192 /* bytes; then a new town */
#define TWINS_MAX 32
#define EVERY     32 /* steps between two comparisons of what is slow to read */

static struct world world;
static struct step step;
static uint64_t seed, steps_done, compared, ticked, packets;
static uint64_t by_action[16];

/* --- a map and its twin ------------------------------------------------------------------------------------------------------ */

static struct twin {
	struct native_map *native;
	const struct native_definition *definition;
	int fd;
	uint8_t *mapped; /* arrays */
	size_t stride;
} twins[TWINS_MAX];
static size_t twin_count;

static void __attribute__((noreturn)) fail(const char *what, const char *detail)
{
	size_t i;

	fprintf(stderr, "differs: %s%s%s at step %llu of seed %llu (deed %d)\n", what, *detail ? ": " : "", detail,
		(unsigned long long)steps_done, (unsigned long long)seed, step.deed);
	if (step.deed == DEED_PACKET) {
		fprintf(stderr, "hook %d, ifindex %u, frame:", step.packet.hook, step.packet.ifindex);
		for (i = 0; i < step.packet.length && i < 128; i++)
			fprintf(stderr, " %02x", step.packet.bytes[i]);
		fprintf(stderr, "\n");
	}
	exit(1);
}

static void must(int error, const char *what)
{
	if (error)
		fail(what, strerror(errno));
}

static void twin_open(const struct bpf_map *map)
{
	struct twin *twin = &twins[twin_count++];
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size;

	twin->native = core_map(bpf_map__name(map));
	twin->fd = bpf_map__fd(map);
	native_resize(twin->native, bpf_map__max_entries(map));
	twin->definition = native_definition_of(twin->native);
	twin->stride = (bpf_map__value_size(map) + 7) / 8 * 8;
	if (bpf_map__type(map) != BPF_MAP_TYPE_ARRAY)
		return;
	size = twin->stride * bpf_map__max_entries(map);
	twin->mapped = mmap(NULL, (size + page - 1) / page * page, PROT_READ | PROT_WRITE, MAP_SHARED, twin->fd, 0);
	must(twin->mapped == MAP_FAILED, bpf_map__name(map));
}

/* The kernel's own clock is exact, and ours moves with its ticks: what is timed differs, and how often it was is the same. */
static bool is_time(const struct twin *twin, uint32_t byte)
{
	const size_t spoke = offsetof(struct rainbow_bucket, spoke), ways = offsetof(struct rainbow_bucket, way),
		     cots = offsetof(struct rainbow_nursery_bucket, cot),
		     asked = offsetof(struct rainbow_cot, nursling) + offsetof(struct rainbow_nursling, asked_ns);

	if (strcmp(twin->definition->name, "rainbow_table") == 0)
		return byte >= spoke && byte < ways;
	if (strcmp(twin->definition->name, "rainbow_nursery") == 0 && byte >= cots)
		return (byte - cots) % sizeof(struct rainbow_cot) - asked < sizeof(uint64_t);
	return false;
}

static bool is(const struct twin *twin, const char *name)
{
	return strcmp(twin->definition->name, name) == 0;
}

static long put_entry(void *map, const void *key, void *value, void *arg)
{
	struct twin *twin = arg;
	uint32_t index;

	(void)map;
	if (twin->mapped) {
		memcpy(&index, key, 4);
		memcpy(twin->mapped + twin->stride * index, value, twin->definition->value_size);
	} else {
		must(bpf_map_update_elem(twin->fd, key, value, 0), twin->definition->name);
	}
	return 0;
}

static void clear_kernel(const struct twin *twin)
{
	uint8_t key[64];

	if (twin->mapped)
		memset(twin->mapped, 0, twin->stride * twin->definition->entries);
	else
		while (!bpf_map_get_next_key(twin->fd, NULL, key))
			must(bpf_map_delete_elem(twin->fd, key), twin->definition->name);
}

/* Counters of each CPU are compared as sums, and never copied. */
static bool is_per_cpu(const struct twin *twin)
{
	return twin->definition->type == BPF_MAP_TYPE_PERCPU_ARRAY;
}

static void to_kernel(const char *name)
{
	size_t i;

	for (i = 0; i < twin_count; i++) {
		struct twin *twin = &twins[i];

		if (is_per_cpu(twin) || (name && !is(twin, name)))
			continue;
		if (!twin->mapped)
			clear_kernel(twin);
		native_for_each_touched(twin->native, put_entry, twin);
	}
}

static long take_entry(void *map, const void *key, void *value, void *arg)
{
	struct twin *twin = arg;
	uint32_t index;

	(void)map;
	memcpy(&index, key, 4);
	memcpy(value, twin->mapped + twin->stride * index, twin->definition->value_size);
	return 0;
}

static long drop_entry(void *map, const void *key, void *value, void *arg)
{
	uint8_t own[64];

	(void)map;
	(void)value;
	memcpy(own, key, ((struct twin *)arg)->definition->key_size);
	native_delete(((struct twin *)arg)->native, own);
	return 0;
}

static void counters_from_kernel(void)
{
	uint32_t id;

	for (id = 0; id <= TOWN_SERVICES; id++)
		*core_packets(id) = world_packets(&world, id);
	for (id = 1; id <= TOWN_VERSIONS; id++) {
		*core_traffic(id) = world_traffic(&world, id);
		*core_signal(id, RAINBOW_SLOT_EVER) = world_signal(&world, id, RAINBOW_SLOT_EVER);
		*core_signal(id, town_cohort_slot(id)) = world_signal(&world, id, town_cohort_slot(id));
	}
}

static void from_kernel(void)
{
	uint8_t key[64], value[1024];
	size_t i;

	for (i = 0; i < twin_count; i++) {
		struct twin *twin = &twins[i];
		void *last = NULL;

		if (is_per_cpu(twin))
			continue;
		native_for_each_touched(twin->native, twin->mapped ? take_entry : drop_entry, twin);
		while (!twin->mapped && !bpf_map_get_next_key(twin->fd, last, key)) {
			last = key;
			if (!bpf_map_lookup_elem(twin->fd, key, value))
				native_update(twin->native, key, value, 0);
		}
	}
	counters_from_kernel();
}

static long compare_entry(void *map, const void *key, void *value, void *arg)
{
	struct twin *twin = arg;
	const uint8_t *other;
	uint8_t copy[1024];
	uint32_t index, i;
	char where[64];

	(void)map;
	memcpy(&index, key, 4);
	other = twin->mapped ? twin->mapped + twin->stride * index : copy;
	if (!twin->mapped && bpf_map_lookup_elem(twin->fd, key, copy))
		fail(twin->definition->name, "the kernel has no such entry");
	for (i = 0; i < twin->definition->value_size; i++) {
		if (other[i] == ((const uint8_t *)value)[i] || is_time(twin, i))
			continue;
		snprintf(where, sizeof(where), "entry %u, byte %u: kernel %02x, native %02x", twin->mapped ? index : 0, i,
			 other[i], ((const uint8_t *)value)[i]);
		fail(twin->definition->name, where);
	}
	return 0;
}

static void collapse(__u64 bins[RAINBOW_SIGNAL_BINS])
{
	int i;

	for (i = 1; i < RAINBOW_SIGNAL_BINS; i++) {
		bins[0] += bins[i];
		bins[i] = 0;
	}
}

/* But for how long things took. */
static struct rainbow_signal untimed(const struct rainbow_signal *signal)
{
	struct rainbow_signal copy = *signal;

	collapse(copy.handshake_us);
	collapse(copy.turn_us);
	collapse(copy.duration_ms);
	return copy;
}

static void compare_signal(uint32_t version, uint32_t slot)
{
	struct rainbow_signal kernel = world_signal(&world, version, slot), own = untimed(core_signal(version, slot));
	char where[64];
	size_t i;

	kernel = untimed(&kernel);
	for (i = 0; i < sizeof(kernel) / sizeof(__u64); i++) {
		if (((const __u64 *)&kernel)[i] == ((const __u64 *)&own)[i])
			continue;
		snprintf(where, sizeof(where), "version %u, slot %u, word %zu: kernel %llu, native %llu", version, slot, i,
			 (unsigned long long)((const __u64 *)&kernel)[i], (unsigned long long)((const __u64 *)&own)[i]);
		fail("rainbow_signal", where);
	}
}

static void compare_counters(void)
{
	uint32_t id;

	for (id = 0; id <= TOWN_SERVICES; id++) {
		struct rainbow_packets sum = world_packets(&world, id);

		if (memcmp(&sum, core_packets(id), sizeof(sum)) != 0)
			fail("rainbow_packets", "");
	}
	for (id = 1; id <= TOWN_VERSIONS; id++) {
		struct rainbow_traffic sum = world_traffic(&world, id);

		if (memcmp(&sum, core_traffic(id), sizeof(sum)) != 0)
			fail("rainbow_traffic", "");
		compare_signal(id, RAINBOW_SLOT_EVER);
		compare_signal(id, town_cohort_slot(id));
	}
}

static void compare(bool all)
{
	size_t i;

	for (i = 0; i < twin_count; i++) {
		struct twin *twin = &twins[i];
		long native_count = 0, kernel_count = 0;
		uint8_t key[64], *last = NULL;

		/* A hash is walked in the kernel's order: it decides which sessions are listed first, and counted before they end. */
		if (is_per_cpu(twin) || is(twin, "rainbow_due") || is(twin, "rainbow_census") || (!twin->mapped && !all))
			continue;
		native_count = native_for_each_touched(twin->native, compare_entry, twin);
		while (!twin->mapped && !bpf_map_get_next_key(twin->fd, last, key)) {
			last = key;
			kernel_count++;
		}
		if (!twin->mapped && native_count != kernel_count)
			fail(twin->definition->name, "not the same number of entries");
	}
	if (all)
		compare_counters();
}

/* --- time -------------------------------------------------------------------------------------------------------------------- */

struct moment {
	uint64_t jiffies;
	uint64_t coarse_ns;
};

static struct moment moment_now(void)
{
	struct rainbow_clock clock = {};
	struct timespec coarse;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &clock, .ctx_size_in = sizeof(clock));

	must(bpf_prog_test_run_opts(bpf_program__fd(world.bpf->progs.rainbow_clock), &opts), "rainbow_clock");
	clock_gettime(CLOCK_MONOTONIC_COARSE, &coarse);
	return (struct moment){clock.jiffies, (uint64_t)coarse.tv_sec * 1000000000 + (uint64_t)coarse.tv_nsec};
}

static void native_is_at(struct moment at)
{
	native.jiffies = at.jiffies;
	native.ns = at.coarse_ns;
}

/* The kernel's clock can not be put forward; so what is in the tables is made older. */
static void age_pin(const struct rainbow_flow *flow, const struct rainbow_pin *pin, void *arg)
{
	uint32_t by = *(uint32_t *)arg, hz = core_meta()->hz;

	(void)flow;
	((struct rainbow_pin *)pin)->last_seen -= by;
	/* Rounded up: a flow that is left of a client's session before is told from those of the present one by its age. */
	((struct rainbow_pin *)pin)->opened -= (by + hz - 1) / hz;
}

static long age_nursery(void *map, const void *key, void *value, void *arg)
{
	struct rainbow_nursery_bucket *bucket = value;
	uint32_t i;

	(void)map;
	(void)key;
	for (i = 0; i < RAINBOW_COTS; i++)
		bucket->cot[i].nursling.began -= *(uint32_t *)arg;
	return 0;
}

static void age(uint32_t by)
{
	core_each_pin(age_pin, &by);
	native_for_each_touched(core_map("rainbow_nursery"), age_nursery, &by);
	core_meta()->swept -= by;
	to_kernel(NULL);
}

/* --- steps ------------------------------------------------------------------------------------------------------------------- */

static int native_packet(struct frame *out)
{
	uint8_t bytes[NATIVE_ROOM];
	int action = core_run(&step.packet);

	out->length = native_send(bytes);
	memcpy(out->bytes, bytes, out->length);
	return action;
}

static bool is_dropped(int action)
{
	return step.packet.hook == NATIVE_XDP ? action == XDP_DROP : action == 2; /* TC_ACT_SHOT */
}

static bool tick_fell(struct moment before)
{
	struct moment after = moment_now();

	native_is_at(after);
	return before.jiffies != after.jiffies || before.coarse_ns != after.coarse_ns;
}

static void settle(bool ticked_now)
{
	if (ticked_now) {
		ticked++;
		from_kernel();
	} else {
		compared++;
		compare(steps_done % EVERY == 0);
	}
}

static void run_packet(void)
{
	const struct device device = {.ifindex = step.packet.ifindex};
	static struct frame got, wanted;
	struct moment before = moment_now();
	int kernel, native_action;
	bool ticked_now;

	kernel = world_run(&world, (enum hook)step.packet.hook, &device, &step.frame, &got);
	/* Linux 6.18 takes no socket buffer that ends within its IP header. */
	if (kernel == -EINVAL && step.packet.length < ETHER_SIZE + 40)
		return;
	if (kernel < -1)
		fail("BPF_PROG_TEST_RUN", strerror(-kernel));
	ticked_now = tick_fell(before);
	native_action = native_packet(&wanted);
	packets++;
	by_action[(kernel + 1) & 15]++;
	if (!ticked_now && kernel != native_action) {
		char text[64];

		snprintf(text, sizeof(text), "kernel %d, native %d", kernel, native_action);
		fail("action", text);
	}
	if (!ticked_now && !is_dropped(kernel) && frame_differs(&wanted, &got))
		fail("bytes", frame_differs(&wanted, &got));
	settle(ticked_now);
}

static void clear_census(void)
{
	uint32_t version;

	for (version = 0; version <= TOWN_VERSIONS; version++)
		*core_census(version) = (struct rainbow_census){0};
}

static void run_sweep(void)
{
	struct moment before = moment_now();
	struct rainbow_sweep kernel = world_sweep(&world, RAINBOW_DUE);
	bool ticked_now = tick_fell(before);

	step.sweep.ask_limit = RAINBOW_DUE;
	clear_census();
	core_sweep(&step.sweep);
	if (!ticked_now && memcmp(&kernel, &step.sweep, sizeof(kernel)) != 0)
		fail("the sweep's sums", "");
	settle(ticked_now);
}

static void run_close(void)
{
	struct moment before = moment_now();
	bool closed = world_kill(&world, &step.close.flow, step.close.version, step.close.reason);
	bool ticked_now = tick_fell(before);

	core_close(&step.close);
	if (!ticked_now && closed != step.close.closed)
		fail("whether a session was closed", "");
	settle(ticked_now);
}

static void run(void)
{
	switch (step.deed) {
	case DEED_PACKET:
		step.packet.linear = step.packet.length;
		step.packet.gso_size = 0;
		if (step.packet.length > ETHER_SIZE)
			run_packet();
		break;
	case DEED_TIME:
		age(step.jiffies);
		break;
	case DEED_SWEEP:
		run_sweep();
		break;
	case DEED_CLOSE:
		run_close();
		break;
	case DEED_MODEL:
		to_kernel(NULL);
		break;
	case DEED_ROUTES: /* the namespace's stay as they are */
		town.routes = ROUTES_ARE_THERE;
		town.mtu = 1500;
		break;
	}
}

static void signals_begin(void)
{
	uint32_t id;

	for (id = 1; id <= TOWN_VERSIONS; id++) {
		world_add_signal(&world, id, RAINBOW_SLOT_EVER);
		world_add_signal(&world, id, town_cohort_slot(id));
	}
}

static void day_begin(void)
{
	size_t i;

	world_reset(&world);
	native_reset();
	for (i = 0; i < twin_count; i++)
		if (!is_per_cpu(&twins[i]))
			clear_kernel(&twins[i]);
	native_is_at(moment_now());
	town_build(SESSIONS);
	core_meta()->hz = (uint32_t)sysconf(_SC_CLK_TCK) * 10 / 4;
	core_meta()->swept = native.jiffies;
#ifdef RAINBOW_WAYS
	core_meta()->buckets = native_definition_of(core_map("rainbow_table"))->entries;
#endif
	signals_begin();
	counters_from_kernel();
	to_kernel(NULL);
}

/* xorshift64*, by Marsaglia and Vigna. */
static uint8_t any_byte(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (uint8_t)(*state * 2685821657736338717ull >> 56);
}

/*
 * A day's bytes, as town_step reads them. By chance alone hardly a session gets to its first data; so three packets in four are of few
 * flows, and rightly numbered: they talk.
 */
static void day_write(uint8_t bytes[DAY + 8], uint64_t *state)
{
	size_t at, i, length;

	for (at = 0; at < DAY; at += 1 + length) {
		uint8_t *packet = &bytes[at + 1];

		bytes[at] = any_byte(state);
		length = bytes[at] < 208 ? 6 : 2;
		for (i = 0; i < length; i++)
			packet[i] = any_byte(state);
		if (length == 2 || !(any_byte(state) & 0xc0))
			continue;
		packet[0] &= 0x71; /* two clients with one port each, either side, any hook */
		packet[1] %= TOWN_SERVICES;
		packet[2] = 0xc0 | (packet[2] & 0x38 ? packet[2] % 5 : packet[2] & 15); /* seldom an end */
		packet[3] = 0;                                                          /* numbers that fit */
		packet[4] &= 0x0f;                                                      /* a payload, nothing strange */
		packet[5] = 0;
	}
}

static void play(uint64_t steps)
{
	uint64_t state = seed * 0x9e3779b97f4a7c15ull + 1;
	static uint8_t bytes[DAY + 8];
	struct reader reader = {0};

	for (steps_done = 0; steps_done < steps; steps_done++) {
		if (!reader.left) {
			day_write(bytes, &state);
			reader = (struct reader){bytes, DAY};
			day_begin();
		}
		native_is_at(moment_now());
		town_step(&reader, &step);
		run();
		if (steps_done % EVERY == 0) {
			invariants_begin();
			invariants_check_maps();
		}
	}
	compare(true);
}

static void open_all(void)
{
	const struct world_config config = {.pins = SESSIONS, .nursery = NURSERY};
	struct bpf_map *map;

	if (world_open(&world, &config))
		exit(1);
	town.wan.ifindex = world.wan.ifindex;
	town.lan.ifindex = world.lan.ifindex;
	core_init(SESSIONS, NURSERY);
	/* Not the programs' constants, nor the records, which are maps in a map. */
	bpf_object__for_each_map(map, world.bpf->obj) if (!strchr(bpf_map__name(map), '.') &&
							  strcmp(bpf_map__name(map), "rainbow_signal") != 0) twin_open(map);
}

int main(int argc, char **argv)
{
	uint64_t steps = argc > 1 ? strtoull(argv[1], NULL, 10) : 20000;

	seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	if (world_is_impossible())
		return 77;
	open_all();
	play(steps);
	printf(
	    "%llu steps, %llu packets, %llu compared, %llu not, as a tick fell into them; TC unspec %llu, XDP pass or TC shot "
	    "%llu+%llu, XDP tx %llu, XDP redirect %llu, TC redirect %llu\n",
	    (unsigned long long)steps, (unsigned long long)packets, (unsigned long long)compared, (unsigned long long)ticked,
	    (unsigned long long)by_action[0], (unsigned long long)by_action[2], (unsigned long long)by_action[3],
	    (unsigned long long)by_action[4], (unsigned long long)by_action[5], (unsigned long long)by_action[8]);
	world_close(&world);
	return compared ? 0 : 1;
}
