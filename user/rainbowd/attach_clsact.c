// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * TC by clsact filters: see attach_clsact.h. They are not links: they outlive rainbowd without a pin, and anyone may replace
 * them. So ours are known by their place (handle and priority) and by the maps that their program uses.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "rainbowd/attach_clsact.h"
#include "rainbowd/datapath_private.h"

#define FILTER_HANDLE    1
#define FILTER_PRIORITY  7 /* before what is added without one (49152 and down), behind what an operator puts first */
#define PROGRAM_MAPS_MAX 64

static struct bpf_tc_hook hook_at(const struct attach_place *place, enum attach_side side)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)place->ifindex,
		    .attach_point = side == ATTACH_INGRESS ? BPF_TC_INGRESS : BPF_TC_EGRESS);

	return hook;
}

/* The program at our place; 0 if there is none. libbpf reports "no such filter" as a warning, which here is an answer. */
static uint32_t program_at(const struct attach_place *place, enum attach_side side)
{
	struct bpf_tc_hook hook = hook_at(place, side);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
	int rc;

	datapath_hush(true);
	rc = bpf_tc_query(&hook, &filter);
	datapath_hush(false);
	return rc ? 0 : filter.prog_id;
}

static bool program_uses(uint32_t program, uint32_t map)
{
	uint32_t maps[PROGRAM_MAPS_MAX] = {0};
	struct bpf_prog_info info = {.nr_map_ids = PROGRAM_MAPS_MAX, .map_ids = (uint64_t)(uintptr_t)maps};
	uint32_t i, length = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(program);
	bool uses = false;

	if (fd < 0)
		return false;
	if (!bpf_obj_get_info_by_fd(fd, &info, &length))
		for (i = 0; i < info.nr_map_ids && i < PROGRAM_MAPS_MAX; i++)
			uses |= maps[i] == map;
	close(fd);
	return uses;
}

static bool is_ours(const struct attach_place *place, uint32_t program)
{
	return (place->lookup_id && program_uses(program, place->lookup_id)) ||
	       (place->lookup_id_before && program_uses(program, place->lookup_id_before));
}

uint32_t clsact_found(const struct attach_place *place, enum attach_side side)
{
	uint32_t program = program_at(place, side);

	return program && is_ours(place, program) ? program : 0;
}

static int qdisc_ensure(const struct attach_place *place, struct error *err)
{
	struct bpf_tc_hook hook = hook_at(place, ATTACH_INGRESS);
	int rc;

	datapath_hush(true);
	rc = bpf_tc_hook_create(&hook);
	datapath_hush(false);
	if (rc && rc != -EEXIST)
		return error_set(err, ERROR_PRECONDITION, "interface",
				 "%s takes no clsact qdisc: %s; is the kernel built with NET_SCH_INGRESS and NET_CLS_BPF?",
				 place->interface, strerror(-rc));
	return 0;
}

int clsact_attach(const struct attach_place *place, enum attach_side side, int prog_fd, struct error *err)
{
	const char *name = side == ATTACH_INGRESS ? "ingress" : "egress";
	struct bpf_tc_hook hook = hook_at(place, side);
	LIBBPF_OPTS(bpf_tc_opts, filter, .prog_fd = prog_fd, .flags = BPF_TC_F_REPLACE, .handle = FILTER_HANDLE,
		    .priority = FILTER_PRIORITY);
	uint32_t there;
	int rc = qdisc_ensure(place, err);

	if (rc)
		return rc;
	there = program_at(place, side);
	if (there && !is_ours(place, there))
		return error_set(
		    err, ERROR_CONFLICT, "interface",
		    "TC %s of %s has a filter of another (program id %u) where rainbow's goes; remove it: tc filter del dev %s "
		    "%s pref %d",
		    name, place->interface, there, place->interface, name, FILTER_PRIORITY);
	rc = bpf_tc_attach(&hook, &filter);
	if (rc)
		return error_set(
		    err, ERROR_PRECONDITION, "interface",
		    "TC %s of %s refuses the filter: %s; an \"ingress\" qdisc in place of clsact would (tc qdisc show dev %s)",
		    name, place->interface, strerror(-rc), place->interface);
	return 0;
}

void clsact_end(const struct attach_place *place, enum attach_side side)
{
	struct bpf_tc_hook hook = hook_at(place, side);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);

	if (!clsact_found(place, side))
		return;
	datapath_hush(true);
	bpf_tc_detach(&hook, &filter);
	datapath_hush(false);
}
