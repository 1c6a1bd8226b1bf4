// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Single acts on an open datapath: rules and addresses in, counters and sessions out, and the programs that rainbowd runs
 * itself.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "bpf/rainbow.skel.h"
#include "rainbowd/datapath_private.h"
#include "rainbowd/lookup.h"

static int map_fd(const struct bpf_map *map)
{
	return bpf_map__fd(map);
}

/* --- rainbow_lookup ----------------------------------------------------------------------------------------------------- */

static struct rainbow_lookup *lookup_table(const struct datapath *dp)
{
	_Static_assert(sizeof(struct rainbow_lookup) % 8 == 0, "a table of them must have no gaps");
	return (struct rainbow_lookup *)dp->lookup.base;
}

int datapath_lookup_add(struct datapath *dp, const struct rainbow_addr *addr, uint16_t port, uint8_t protocol,
			enum rainbow_lookup_kind kind, uint32_t id, struct error *err)
{
	bool found;
	struct rainbow_lookup *slot = lookup_seek(lookup_table(dp), addr, port, protocol, &found);
	char text[ADDR_TEXT_SIZE];
	int rc;

	if (!slot)
		return error_set(err, ERROR_INTERNAL, NULL, "rainbow_lookup has no room near %s",
				 endpoint_format(addr, port, text));
	if (!found && dp->lookup_unsettled) {
		rc = datapath_barrier(dp, err);
		if (rc)
			return rc;
		dp->lookup_unsettled = false;
	}
	lookup_put(slot, addr, port, protocol, kind, id);
	return 0;
}

void datapath_lookup_remove(struct datapath *dp, const struct rainbow_addr *addr, uint16_t port, uint8_t protocol)
{
	if (lookup_remove(lookup_table(dp), addr, port, protocol))
		dp->lookup_unsettled = true;
}

void datapath_lookup_each(struct datapath *dp, void (*each)(const struct rainbow_lookup *entry, void *arg), void *arg)
{
	const struct rainbow_lookup *table = lookup_table(dp);
	uint32_t i;

	for (i = 0; i < RAINBOW_LOOKUP_SLOTS; i++)
		if (lookup_in_use(&table[i]))
			each(&table[i], arg);
}

/* --- rainbow_steer ------------------------------------------------------------------------------------------------------ */

static struct rainbow_steer_key steer_key(uint32_t service, const struct cidr *range)
{
	struct rainbow_steer_key key = {
	    .prefixlen = 32 + (addr_is_v4(&range->addr) ? 96 : 0) + range->bits,
	    .service = {(uint8_t)(service >> 24), (uint8_t)(service >> 16), (uint8_t)(service >> 8), (uint8_t)service},
	    .client = range->addr,
	};

	return key;
}

int datapath_steer_set(struct datapath *dp, uint32_t service, const struct cidr *range, uint32_t version, struct error *err)
{
	struct rainbow_steer_key key = steer_key(service, range);
	struct rainbow_steer rule = {.version = version};
	char text[ADDR_TEXT_SIZE];

	if (!bpf_map_update_elem(map_fd(dp->skeleton->maps.rainbow_steer), &key, &rule, BPF_ANY))
		return 0;
	if (errno == ENOSPC)
		return error_set(err, ERROR_PRECONDITION, "range",
				 "there are %d steer rules, which is the limit; remove one first", RAINBOW_MAX_STEERS);
	return error_set(err, ERROR_INTERNAL, "range", "the steer rule for %s can not be stored: %s", cidr_format(range, text),
			 strerror(errno));
}

int datapath_steer_remove(struct datapath *dp, uint32_t service, const struct cidr *range)
{
	struct rainbow_steer_key key = steer_key(service, range);

	return bpf_map_delete_elem(map_fd(dp->skeleton->maps.rainbow_steer), &key) ? -errno : 0;
}

void datapath_steer_clear(struct datapath *dp)
{
	int fd = map_fd(dp->skeleton->maps.rainbow_steer);
	struct rainbow_steer_key key;
	int i;

	for (i = 0; i < RAINBOW_MAX_STEERS && !bpf_map_get_next_key(fd, NULL, &key); i++)
		bpf_map_delete_elem(fd, &key);
}

static struct cidr steer_range(const struct rainbow_steer_key *key)
{
	uint8_t bits = (uint8_t)(key->prefixlen - 32);

	return (struct cidr){.addr = key->client, .bits = addr_is_v4(&key->client) && bits >= 96 ? bits - 96 : bits};
}

static uint32_t steer_service(const struct rainbow_steer_key *key)
{
	return (uint32_t)key->service[0] << 24 | (uint32_t)key->service[1] << 16 | (uint32_t)key->service[2] << 8 |
	       key->service[3];
}

/* The keys are gathered first: a walk over a trie begins anew where its last key was removed. */
int datapath_steer_each(struct datapath *dp, void (*each)(uint32_t service, const struct cidr *range, void *arg), void *arg,
			struct error *err)
{
	struct rainbow_steer_key *keys = calloc(RAINBOW_MAX_STEERS, sizeof(*keys));
	int fd = map_fd(dp->skeleton->maps.rainbow_steer);
	size_t i, count = 0;

	if (!keys)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	while (count < RAINBOW_MAX_STEERS && !bpf_map_get_next_key(fd, count ? &keys[count - 1] : NULL, &keys[count]))
		count++;
	for (i = 0; i < count; i++) {
		struct cidr range = steer_range(&keys[i]);

		each(steer_service(&keys[i]), &range, arg);
	}
	free(keys);
	return 0;
}

/* --- programs that rainbowd runs ------------------------------------------------------------------------------------------ */

/* A syscall program takes its context, and gives it back, in ctx_in alone. */
static int program_run(const struct bpf_program *program, void *context, size_t size, struct error *err)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = context, .ctx_size_in = (uint32_t)size);
	int rc = bpf_prog_test_run_opts(bpf_program__fd(program), &run);

	if (rc)
		return error_set(err, ERROR_INTERNAL, NULL, "the program %s can not be run: %s", bpf_program__name(program),
				 strerror(-rc));
	if (run.retval)
		return error_set(err, ERROR_INTERNAL, NULL, "the program %s gave up (%d)", bpf_program__name(program),
				 (int)run.retval);
	return 0;
}

int datapath_clock(struct datapath *dp, struct rainbow_clock *out, struct error *err)
{
	return program_run(dp->skeleton->progs.rainbow_clock, out, sizeof(*out), err);
}

int datapath_sweep(struct datapath *dp, struct rainbow_sweep *sweep, struct error *err)
{
	uint32_t limit = sweep->ask_limit < RAINBOW_DUE ? sweep->ask_limit : RAINBOW_DUE;

	memset(dp->census.base, 0, dp->census.stride * dp->census.entries);
	*sweep = (struct rainbow_sweep){.ask_limit = limit, .ghost_limit = sweep->ghost_limit, .previous = sweep->previous};
	return program_run(dp->skeleton->progs.rainbow_sweep, sweep, sizeof(*sweep), err);
}

int datapath_close_session(struct datapath *dp, struct rainbow_close *order, struct error *err)
{
	return program_run(dp->skeleton->progs.rainbow_close, order, sizeof(*order), err);
}

int datapath_count_asked(struct datapath *dp, struct rainbow_asked *asked, struct error *err)
{
	return program_run(dp->skeleton->progs.rainbow_asked, asked, sizeof(*asked), err);
}

int datapath_restore(struct datapath *dp, const struct rainbow_due *pins, size_t count, bool counted,
		     struct rainbow_restore *sum, struct error *err)
{
	struct rainbow_restore order;
	size_t done;
	int rc = 0;

	*sum = (struct rainbow_restore){.counted = counted};
	for (done = 0; !rc && done < count; done += order.count) {
		order = (struct rainbow_restore){.counted = counted};
		order.count = count - done < RAINBOW_DUE ? (uint32_t)(count - done) : RAINBOW_DUE;
		memcpy(dp->due.base, &pins[done], order.count * sizeof(*pins));
		rc = program_run(dp->skeleton->progs.rainbow_restore, &order, sizeof(order), err);
		sum->count += order.count;
		sum->restored += order.restored;
		sum->there += order.there;
		sum->full += order.full;
		sum->dropped += order.dropped;
	}
	return rc;
}

/* --- reading ------------------------------------------------------------------------------------------------------------ */

int datapath_pin_find(struct datapath *dp, const struct rainbow_flow *flow, struct rainbow_pin *out)
{
	return pin_table_find(&dp->pins, flow, out);
}

int datapath_nursling_find(struct datapath *dp, const struct rainbow_flow *flow, struct rainbow_nursling *out)
{
	return nursery_find(&dp->nursery, flow, out);
}

uint32_t datapath_pin_limit(struct datapath *dp)
{
	return datapath_meta(dp)->pin_limit;
}

uint32_t datapath_nursery_limit(struct datapath *dp)
{
	return rainbow_nursery_room(dp->nursery.count);
}

int datapath_pins_each(struct datapath *dp,
		       bool (*each)(const struct rainbow_flow *flow, const struct rainbow_pin *pin, void *arg), void *arg,
		       struct error *err)
{
	int rc = pin_table_each(&dp->pins, each, arg);

	if (rc)
		return error_set(err, ERROR_INTERNAL, NULL, "rainbow_pin can not be read: %s", strerror(-rc));
	return 0;
}

int datapath_packets(struct datapath *dp, uint32_t service, struct rainbow_packets *out)
{
	int cpus = libbpf_num_possible_cpus();
	struct rainbow_packets *values;
	int cpu, rc = 0;
	size_t i;

	memset(out, 0, sizeof(*out));
	if (cpus < 1)
		return cpus ? cpus : -EINVAL;
	values = calloc((size_t)cpus, sizeof(*values));
	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(map_fd(dp->skeleton->maps.rainbow_packets), &service, values))
		rc = -errno;
	/* Every member is one __u64. */
	for (cpu = 0; !rc && cpu < cpus; cpu++)
		for (i = 0; i < sizeof(*out) / sizeof(uint64_t); i++)
			((uint64_t *)out)[i] += ((const uint64_t *)&values[cpu])[i];
	free(values);
	return rc;
}
