// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The hooks of an interface: egress by TC, ingress by XDP or TC, and the way from what is there to what is wanted.
 *
 * No packet may pass an interface unseen while its hooks change: an unseen packet of a live session meets a stack that resets
 * it. So the new ingress is attached before the old one goes; a packet that meets both is harmless, because what the first
 * has rewritten the second does not know. Native and generic XDP exclude each other, so TC stands in between them.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "bpf/rainbow.skel.h"
#include "common/log.h"
#include "rainbowd/adopt.h"
#include "rainbowd/attach.h"
#include "rainbowd/datapath_private.h"
#include "rainbowd/netdev.h"

struct programs {
	int xdp, ingress, egress;
};

static struct programs programs_of(const struct datapath *dp)
{
	return (struct programs){
	    .xdp = bpf_program__fd(dp->skeleton->progs.rainbow_xdp),
	    .ingress = bpf_program__fd(dp->skeleton->progs.rainbow_ingress),
	    .egress = bpf_program__fd(dp->skeleton->progs.rainbow_egress),
	};
}

/* --- one interface ----------------------------------------------------------------------------------------------------- */

/* Brings XDP of the other kind out of the way; TC ingress sees the packets meanwhile. */
static int xdp_change(const struct attach_place *place, enum rainbow_hook_kind from, enum rainbow_hook_kind to,
		      const struct programs *programs, struct error *err)
{
	int rc = attach_tc(place, ATTACH_INGRESS, programs->ingress, err);

	if (rc)
		return rc;
	attach_xdp_end(place);
	rc = attach_xdp(place, to, programs->xdp, err);
	if (rc && attach_xdp(place, from, programs->xdp, NULL))
		log_warn("datapath", "%s stays with tc: neither kind of XDP can be attached any more", place->interface);
	return rc;
}

static int ingress_set(const struct attach_place *place, enum rainbow_hook_kind kind, const struct programs *programs,
		       struct error *err)
{
	enum rainbow_hook_kind have = attach_xdp_found(place);
	int rc;

	if (kind == RAINBOW_HOOK_TC) {
		rc = attach_tc(place, ATTACH_INGRESS, programs->ingress, err);
		if (!rc)
			attach_xdp_end(place);
		return rc;
	}
	if (have && have != kind)
		rc = xdp_change(place, have, kind, programs, err);
	else
		rc = attach_xdp(place, kind, programs->xdp, err);
	if (!rc || attach_xdp_found(place))
		attach_tc_end(place, ATTACH_INGRESS);
	return rc;
}

/* What is attached there now, whatever was wanted. */
static enum rainbow_hook_kind ingress_found(const struct attach_place *place)
{
	enum rainbow_hook_kind xdp = attach_xdp_found(place);

	if (xdp)
		return xdp;
	return attach_tc_found(place, ATTACH_INGRESS) ? RAINBOW_HOOK_TC : RAINBOW_HOOK_NONE;
}

static void interface_end(const struct attach_place *place)
{
	attach_xdp_end(place);
	attach_tc_end(place, ATTACH_INGRESS);
	attach_tc_end(place, ATTACH_EGRESS);
}

/* Hardware earns native XDP; on veth and other links of this host TC is the faster and the safer one. */
static enum rainbow_hook_kind kind_choose(const struct netdev *dev)
{
	return netdev_is_physical(dev) ? RAINBOW_HOOK_XDP : RAINBOW_HOOK_TC;
}

/* As wished; *kind is what it came to. */
static int ingress_attach(const struct attach_place *place, const struct netdev *dev, const struct hook_wish *wish,
			  const struct programs *programs, enum rainbow_hook_kind *kind, struct error *err)
{
	struct error why = {};
	int rc;

	*kind = wish->kind ? wish->kind : kind_choose(dev);
	if (wish->kind || *kind == RAINBOW_HOOK_TC)
		return ingress_set(place, *kind, programs, err);
	rc = ingress_set(place, *kind, programs, &why);
	if (!rc)
		return 0;
	log_warn("datapath", "%s:auto takes tc, because: %s", wish->interface, why.message);
	*kind = RAINBOW_HOOK_TC;
	return ingress_set(place, *kind, programs, err);
}

/* Egress as it was before: with that program (none: negative). */
static void egress_back(struct datapath *dp, const struct attach_place *place, int program)
{
	struct error err;

	if (program < 0) {
		attach_tc_end(place, ATTACH_EGRESS);
	} else if (attach_tc(place, ATTACH_EGRESS, program, &err)) {
		dp->switched = true;
		log_error("datapath", "%s is half switched, nor can its egress go back: %s", place->interface, err.message);
	}
}

/* Our programs, on both sides or on none. */
static int interface_switch(struct datapath *dp, const struct attach_place *place, enum rainbow_hook_kind kind,
			    const struct programs *programs, struct error *err)
{
	int egress = attach_tc_program(place, ATTACH_EGRESS);
	int rc = attach_tc(place, ATTACH_EGRESS, programs->egress, err);

	if (!rc) {
		rc = ingress_set(place, kind, programs, err);
		if (rc)
			egress_back(dp, place, egress);
		else
			dp->switched = true;
	}
	if (egress >= 0)
		close(egress);
	return rc;
}

/*
 * What is there is given our programs before it is changed to what is wished: where that is refused, ingress and egress still look
 * into the same table of pins.
 */
static int interface_attach(struct datapath *dp, const struct attach_place *place, const struct netdev *dev,
			    const struct hook_wish *wish, enum rainbow_hook_kind before, enum rainbow_hook_kind *kind,
			    struct error *err)
{
	struct programs programs = programs_of(dp);
	int rc = before ? interface_switch(dp, place, before, &programs, err)
			: attach_tc(place, ATTACH_EGRESS, programs.egress, err);

	return rc ? rc : ingress_attach(place, dev, wish, &programs, kind, err);
}

/* --- rainbow_hook: what the programs and a later rainbowd know of it ------------------------------------------------------ */

/* The next hops that leave by this interface: may XDP send there? They would find out by themselves, within a second. */
static void hops_tell(const struct datapath *dp, uint32_t ifindex, bool is_xdp)
{
	uint32_t i;

	for (i = 0; i < dp->hop.entries; i++) {
		struct rainbow_hop *hop = (struct rainbow_hop *)(dp->hop.base + i * dp->hop.stride);

		if (hop->ifindex == ifindex)
			__atomic_store_n(&hop->is_xdp, is_xdp, __ATOMIC_RELEASE);
	}
}

static int record_put(const struct datapath *dp, const struct netdev *dev, enum rainbow_hook_kind kind, struct error *err)
{
	struct rainbow_hook hook = {.kind = kind};

	memcpy(hook.name, dev->name, sizeof(hook.name));
	memcpy(hook.mac, dev->mac, sizeof(hook.mac));
	hops_tell(dp, dev->ifindex, kind == RAINBOW_HOOK_XDP);
	if (!bpf_map_update_elem(bpf_map__fd(dp->skeleton->maps.rainbow_hook), &dev->ifindex, &hook, BPF_ANY))
		return 0;
	if (errno == E2BIG)
		return error_set(err, ERROR_PRECONDITION, "interface", "%s is one interface too many; the limit is %d",
				 dev->name, RAINBOW_MAX_HOOKS);
	return error_set(err, ERROR_INTERNAL, "interface", "%s can not be noted in rainbow_hook: %s", dev->name,
			 strerror(errno));
}

/* Every ifindex that the map or a pinned link tells of, each once. */
struct known {
	uint32_t ifindex[4 * RAINBOW_MAX_HOOKS];
	size_t count;
};

static void known_add(struct known *known, uint32_t ifindex)
{
	size_t i;

	for (i = 0; i < known->count; i++)
		if (known->ifindex[i] == ifindex)
			return;
	if (ifindex && known->count < sizeof(known->ifindex) / sizeof(known->ifindex[0]))
		known->ifindex[known->count++] = ifindex;
}

static void known_add_name(const char *name, void *arg)
{
	known_add(arg, attach_name_parse(name));
}

static int known_collect(const struct pin_dir *dir, int hook_map, struct known *known, struct error *err)
{
	uint32_t key, *before = NULL;
	size_t i;

	known->count = 0;
	for (i = 0; i < RAINBOW_MAX_HOOKS && hook_map >= 0 && !bpf_map_get_next_key(hook_map, before, &key); i++) {
		known_add(known, key);
		before = &key;
	}
	return pin_dir_each(dir, known_add_name, known, err);
}

static void known_end(const struct pin_dir *dir, int hook_map, uint32_t lookup_id, uint32_t ifindex)
{
	struct attach_place place = {.dir = dir, .ifindex = ifindex, .interface = "", .driver = "", .lookup_id = lookup_id};

	interface_end(&place);
	if (hook_map >= 0)
		bpf_map_delete_elem(hook_map, &ifindex);
}

/* --- the interface to the rest of rainbowd -------------------------------------------------------------------------------- */

static int interface_check(const struct hook_wish *wish, struct netdev *dev, struct error *err)
{
	int rc = netdev_get(wish->interface, dev, err);

	if (!rc && !netdev_is_ethernet(dev))
		rc = error_set(
		    err, ERROR_PRECONDITION, "interface",
		    "%s carries no Ethernet frames (a %s link), and rainbow reads nothing else; name the interface beneath it",
		    wish->interface, dev->link_kind[0] ? dev->link_kind : "raw");
	return rc;
}

int datapath_attach(struct datapath *dp, const struct hook_wish *wish, struct error *err)
{
	enum rainbow_hook_kind before, kind;
	struct netdev dev;
	int rc = interface_check(wish, &dev, err);
	struct attach_place place = {.dir = &dp->dir,
				     .interface = wish->interface,
				     .lookup_id = dp->lookup_id,
				     .lookup_id_before = dp->lookup_id_before};

	if (rc)
		return rc;
	place.ifindex = dev.ifindex;
	place.driver = dev.driver;
	before = ingress_found(&place);
	/* Noted first, so that a later rainbowd finds it whenever we die; not yet as XDP, which others would send to. */
	rc = record_put(dp, &dev, before && (before == wish->kind || !wish->kind) ? before : RAINBOW_HOOK_TC, err);
	if (rc)
		return rc;
	rc = interface_attach(dp, &place, &dev, wish, before, &kind, err);
	if (rc && !before) {
		known_end(&dp->dir, bpf_map__fd(dp->skeleton->maps.rainbow_hook), dp->lookup_id, dev.ifindex);
		return rc;
	}
	if (rc) {
		record_put(dp, &dev, ingress_found(&place), NULL);
		return rc;
	}
	log_info("datapath", "%s: %s at ingress, %s at egress", wish->interface, hook_kind_name(kind),
		 attach_tc_found(&place, ATTACH_EGRESS));
	return record_put(dp, &dev, kind, err);
}

static bool is_wished(uint32_t ifindex, const struct hook_wish *wishes, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (if_nametoindex(wishes[i].interface) == ifindex)
			return true;
	return false;
}

int datapath_detach_others(struct datapath *dp, const struct hook_wish *wishes, size_t count, struct error *err)
{
	int hook_map = bpf_map__fd(dp->skeleton->maps.rainbow_hook);
	struct known known;
	int rc = known_collect(&dp->dir, hook_map, &known, err);
	size_t i;

	for (i = 0; !rc && i < known.count; i++) {
		if (is_wished(known.ifindex[i], wishes, count))
			continue;
		hops_tell(dp, known.ifindex[i], false);
		known_end(&dp->dir, hook_map, dp->lookup_id, known.ifindex[i]);
		if (dp->lookup_id_before)
			known_end(&dp->dir, hook_map, dp->lookup_id_before, known.ifindex[i]);
	}
	return rc;
}

static void info_fill(const struct datapath *dp, uint32_t ifindex, struct hook_info *info)
{
	struct attach_place place = {
	    .dir = &dp->dir, .ifindex = ifindex, .lookup_id = dp->lookup_id, .lookup_id_before = dp->lookup_id_before};
	enum rainbow_hook_kind xdp = attach_xdp_found(&place);
	const char *ingress = xdp ? hook_kind_name(xdp) : attach_tc_found(&place, ATTACH_INGRESS);
	const char *egress = attach_tc_found(&place, ATTACH_EGRESS);

	info->ifindex = ifindex;
	info->attached = ingress && egress;
	snprintf(info->ingress, sizeof(info->ingress), "%s", ingress ? ingress : "");
	snprintf(info->egress, sizeof(info->egress), "%s", egress ? egress : "");
}

size_t datapath_hooks(struct datapath *dp, struct hook_info *out, size_t max)
{
	int hook_map = bpf_map__fd(dp->skeleton->maps.rainbow_hook);
	uint32_t key, *before = NULL;
	size_t i, count = 0;

	for (i = 0; i < RAINBOW_MAX_HOOKS && count < max && !bpf_map_get_next_key(hook_map, before, &key); i++) {
		before = &key;
		if (bpf_map_lookup_elem(hook_map, &key, &out[count].hook))
			continue;
		info_fill(dp, key, &out[count++]);
	}
	return count;
}

int hooks_clear(const struct pin_dir *dir, struct error *err)
{
	int hook_map = adopt_map_open(dir, "rainbow_hook");
	uint32_t lookup_id = adopt_map_id(dir, "rainbow_lookup");
	struct known known;
	int rc = known_collect(dir, hook_map, &known, err);
	size_t i;

	for (i = 0; !rc && i < known.count; i++)
		known_end(dir, hook_map, lookup_id, known.ifindex[i]);
	if (hook_map >= 0)
		close(hook_map);
	return rc;
}
