// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* bpf_links at XDP and tcx, and what both have in common: see attach.h. The clsact side is in attach_clsact.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include "rainbowd/attach.h"
#include "rainbowd/attach_clsact.h"
#include "rainbowd/pin_dir.h"

/* enum bpf_attach_type since Linux 6.6; not in Debian 12's headers. */
#define ATTACH_TYPE_TCX_INGRESS 46
#define ATTACH_TYPE_TCX_EGRESS  47

#define LINK_NAME_SIZE 32
#define PROGRAMS_MAX   64 /* on one tcx hook; the kernel's own limit */

static bool without_tcx;

void attach_assume_no_tcx(bool assume)
{
	without_tcx = assume;
}

static enum bpf_attach_type tcx_type(enum attach_side side)
{
	return (enum bpf_attach_type)(side == ATTACH_INGRESS ? ATTACH_TYPE_TCX_INGRESS : ATTACH_TYPE_TCX_EGRESS);
}

static const char *side_name(enum attach_side side)
{
	return side == ATTACH_INGRESS ? "ingress" : "egress";
}

static const char *link_name(char buf[LINK_NAME_SIZE], const char *what, uint32_t ifindex)
{
	snprintf(buf, LINK_NAME_SIZE, "%s_%u", what, ifindex);
	return buf;
}

uint32_t attach_name_parse(const char *name)
{
	static const char *const prefixes[] = {"xdp_", "ingress_", "egress_"};
	size_t i;

	for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
			return (uint32_t)strtoul(name + strlen(prefixes[i]), NULL, 10);
	return 0;
}

/* --- links ------------------------------------------------------------------------------------------------------------- */

/* The program that a pinned link has on our interface, and the link's descriptor; -1 if there is no such link, or if its
 * interface is another one or gone. */
static int link_open(const struct attach_place *place, const char *name, uint32_t *program)
{
	struct bpf_link_info info = {};
	uint32_t length = sizeof(info);
	int fd = pin_dir_get(place->dir, name);

	if (fd < 0)
		return -1;
	/* xdp.ifindex lies where tcx.ifindex does, which these headers may not know. It is 0 once the interface is gone. */
	if (bpf_obj_get_info_by_fd(fd, &info, &length) || info.xdp.ifindex != place->ifindex) {
		close(fd);
		return -1;
	}
	*program = info.prog_id;
	return fd;
}

/* Detached by order first: a link whose last pin goes is let go of some time later. */
static void link_end(const struct attach_place *place, const char *name)
{
	int fd = pin_dir_get(place->dir, name);

	if (fd < 0)
		return;
	bpf_link_detach(fd);
	close(fd);
	pin_dir_unlink(place->dir, name);
}

static int link_pin(const struct attach_place *place, const char *name, int link, struct error *err)
{
	char path[PIN_PATH_SIZE];
	int rc = pin_dir_put(place->dir, name, link);

	return rc ? error_set(err, ERROR_INTERNAL, "pin-dir", "%s can not be pinned: %s", pin_dir_path(place->dir, name, path),
			      strerror(-rc))
		  : 0;
}

static int link_switch(const struct attach_place *place, int link, const char *what, int prog_fd, struct error *err)
{
	if (bpf_link_update(link, prog_fd, NULL))
		return error_set(err, ERROR_INTERNAL, "interface",
				 "the %s program on %s can not be switched: %s; the earlier rainbowd's goes on serving", what,
				 place->interface, strerror(errno));
	return 0;
}

/* --- tcx --------------------------------------------------------------------------------------------------------------- */

static int tcx_programs(uint32_t ifindex, enum attach_side side, uint32_t ids[PROGRAMS_MAX])
{
	LIBBPF_OPTS(bpf_prog_query_opts, query, .prog_ids = ids, .prog_cnt = PROGRAMS_MAX);

	if (bpf_prog_query_opts((int)ifindex, tcx_type(side), &query))
		return -errno;
	return (int)query.prog_cnt;
}

/* A kernel without tcx does not know the attach type: EINVAL. Asking changes nothing. */
static bool tcx_is_known(uint32_t ifindex)
{
	uint32_t ids[PROGRAMS_MAX];

	return !without_tcx && tcx_programs(ifindex, ATTACH_INGRESS, ids) != -EINVAL;
}

bool attach_has_tcx(void)
{
	return tcx_is_known(1); /* the attach type is looked at before the interface */
}

static int tcx_open(const struct attach_place *place, enum attach_side side, uint32_t *program)
{
	uint32_t ids[PROGRAMS_MAX];
	char name[LINK_NAME_SIZE];
	int link = link_open(place, link_name(name, side_name(side), place->ifindex), program);
	int i, count;

	if (link < 0)
		return -1;
	count = tcx_programs(place->ifindex, side, ids);
	for (i = 0; i < count; i++)
		if (ids[i] == *program)
			return link;
	close(link);
	return -1;
}

static int tcx_attach(const struct attach_place *place, enum attach_side side, int prog_fd, struct error *err)
{
	char name[LINK_NAME_SIZE];
	uint32_t before;
	int link = tcx_open(place, side, &before);
	int rc;

	if (link >= 0) {
		rc = link_switch(place, link, side_name(side), prog_fd, err);
		close(link);
		return rc;
	}
	/* Under this name lies at most a link that leads nowhere, or into another network namespace. */
	link_end(place, link_name(name, side_name(side), place->ifindex));
	link = bpf_link_create(prog_fd, (int)place->ifindex, tcx_type(side), NULL);
	if (link < 0)
		return error_set(err, ERROR_INTERNAL, "interface", "TC %s of %s refuses the program: %s", side_name(side),
				 place->interface, strerror(errno));
	rc = link_pin(place, name, link, err);
	close(link);
	return rc;
}

/* --- TC, of either sort ------------------------------------------------------------------------------------------------ */

int attach_tc(const struct attach_place *place, enum attach_side side, int prog_fd, struct error *err)
{
	int rc;

	if (!tcx_is_known(place->ifindex))
		return clsact_attach(place, side, prog_fd, err);
	rc = tcx_attach(place, side, prog_fd, err);
	if (!rc)
		clsact_end(place, side);
	return rc;
}

void attach_tc_end(const struct attach_place *place, enum attach_side side)
{
	char name[LINK_NAME_SIZE];

	link_end(place, link_name(name, side_name(side), place->ifindex));
	clsact_end(place, side);
}

const char *attach_tc_found(const struct attach_place *place, enum attach_side side)
{
	uint32_t program;
	int link = tcx_open(place, side, &program);

	if (link >= 0) {
		close(link);
		return "tcx";
	}
	return clsact_found(place, side) ? "clsact" : NULL;
}

int attach_tc_program(const struct attach_place *place, enum attach_side side)
{
	uint32_t program;
	int link = tcx_open(place, side, &program);

	if (link >= 0)
		close(link);
	else
		program = clsact_found(place, side);
	return program ? bpf_prog_get_fd_by_id(program) : -1;
}

/* --- XDP --------------------------------------------------------------------------------------------------------------- */

static int xdp_open(const struct attach_place *place, enum rainbow_hook_kind *kind)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	char name[LINK_NAME_SIZE];
	uint32_t program = 0;
	int link = link_open(place, link_name(name, "xdp", place->ifindex), &program);

	*kind = RAINBOW_HOOK_NONE;
	if (link < 0)
		return -1;
	if (!bpf_xdp_query((int)place->ifindex, 0, &query)) {
		if (query.drv_prog_id == program)
			*kind = RAINBOW_HOOK_XDP;
		else if (query.skb_prog_id == program)
			*kind = RAINBOW_HOOK_XDP_GENERIC;
	}
	if (*kind)
		return link;
	close(link);
	return -1;
}

/* Another's program in the way: "" or a sentence's middle that names it. */
static void xdp_foreign(const struct attach_place *place, char *buf, size_t size)
{
	struct bpf_prog_info info = {};
	uint32_t length = sizeof(info), id = 0;
	int fd;

	buf[0] = '\0';
	if (bpf_xdp_query_id((int)place->ifindex, 0, &id) || !id)
		return;
	fd = bpf_prog_get_fd_by_id(id);
	if (fd >= 0) {
		bpf_obj_get_info_by_fd(fd, &info, &length);
		close(fd);
	}
	snprintf(buf, size, "\"%s\", id %u", info.name, id);
}

static int xdp_refused(const struct attach_place *place, enum rainbow_hook_kind kind, int why, struct error *err)
{
	char foreign[64];

	xdp_foreign(place, foreign, sizeof(foreign));
	if (foreign[0])
		return error_set(
		    err, ERROR_CONFLICT, "interface",
		    "%s carries another XDP program already (%s); remove it (ip link set dev %s xdp off), or say --interface "
		    "%s:tc",
		    place->interface, foreign, place->interface, place->interface);
	if (kind == RAINBOW_HOOK_XDP)
		return error_set(
		    err, ERROR_PRECONDITION, "interface",
		    "native XDP on %s is refused by its driver (%s): %s%s; say --interface %s:xdp-generic or %s:tc",
		    place->interface, place->driver[0] ? place->driver : "unnamed", strerror(why),
		    why == ERANGE || why == EINVAL ? " (often: an MTU above about 3500)" : "", place->interface,
		    place->interface);
	return error_set(err, ERROR_PRECONDITION, "interface", "generic XDP on %s is refused: %s; say --interface %s:tc",
			 place->interface, strerror(why), place->interface);
}

static int xdp_create(const struct attach_place *place, enum rainbow_hook_kind kind, int prog_fd, struct error *err)
{
	LIBBPF_OPTS(bpf_link_create_opts, how, .flags = kind == RAINBOW_HOOK_XDP ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
	char name[LINK_NAME_SIZE];
	int link, rc;

	link_end(place, link_name(name, "xdp", place->ifindex)); /* as for tcx */
	link = bpf_link_create(prog_fd, (int)place->ifindex, BPF_XDP, &how);
	if (link < 0)
		return xdp_refused(place, kind, errno, err);
	rc = link_pin(place, name, link, err);
	close(link);
	return rc;
}

int attach_xdp(const struct attach_place *place, enum rainbow_hook_kind kind, int prog_fd, struct error *err)
{
	enum rainbow_hook_kind found;
	int link = xdp_open(place, &found);
	int rc;

	if (link < 0)
		return xdp_create(place, kind, prog_fd, err);
	rc = found == kind ? link_switch(place, link, "XDP", prog_fd, err)
			   : error_set(err, ERROR_INTERNAL, "interface", "%s carries the other kind of XDP", place->interface);
	close(link);
	return rc;
}

void attach_xdp_end(const struct attach_place *place)
{
	char name[LINK_NAME_SIZE];

	link_end(place, link_name(name, "xdp", place->ifindex));
}

enum rainbow_hook_kind attach_xdp_found(const struct attach_place *place)
{
	enum rainbow_hook_kind kind;
	int link = xdp_open(place, &kind);

	if (link >= 0)
		close(link);
	return kind;
}
