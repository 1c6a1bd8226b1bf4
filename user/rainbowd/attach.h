/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One program at one place of one interface: XDP, TC ingress, TC egress. Private to the files that talk to libbpf; what is
 * wanted where is decided in hooks.c.
 *
 * XDP and tcx attach by bpf_links, pinned as xdp_<ifindex>, ingress_<ifindex>, egress_<ifindex>: by index and not by name, since
 * an interface may be renamed and a bpffs takes no dot ("eth0.100"). A link is trusted only if the kernel says that its
 * program is on that interface: indices are reused, in other network namespaces above all. Kernels before 6.6 have no tcx; there
 * TC is a clsact filter, which is ours if its program uses our maps.
 */
#ifndef RAINBOW_ATTACH_H
#define RAINBOW_ATTACH_H

#include <stdbool.h>
#include <stdint.h>
#include <rainbow/types.h>
#include "common/error.h"

struct pin_dir;

enum attach_side { ATTACH_INGRESS, ATTACH_EGRESS };

struct attach_place {
	const struct pin_dir *dir;
	uint32_t ifindex;
	const char *interface;     /* for messages */
	const char *driver;        /* likewise; may be "" */
	uint32_t lookup_id;        /* map id of rainbow_lookup: what makes a clsact filter ours */
	uint32_t lookup_id_before; /* of the set that is migrated; 0: none is */
};

/* Attaches, or switches what is there to prog_fd in one step. */
int attach_tc(const struct attach_place *place, enum attach_side side, int prog_fd, struct error *err);
void attach_tc_end(const struct attach_place *place, enum attach_side side);
/* "tcx", "clsact", or NULL: nothing of ours there. */
const char *attach_tc_found(const struct attach_place *place, enum attach_side side);
/* The descriptor of the program of ours that is there; negative: none. */
int attach_tc_program(const struct attach_place *place, enum attach_side side);

/* kind: RAINBOW_HOOK_XDP or _XDP_GENERIC. The other kind must not be attached. */
int attach_xdp(const struct attach_place *place, enum rainbow_hook_kind kind, int prog_fd, struct error *err);
void attach_xdp_end(const struct attach_place *place);
/* The kind of ours that is there, or RAINBOW_HOOK_NONE. */
enum rainbow_hook_kind attach_xdp_found(const struct attach_place *place);

/* The ifindex in the name of a pinned link; 0: no link's name. */
uint32_t attach_name_parse(const char *name);

/* Asks the kernel; needs no interface. */
bool attach_has_tcx(void);
/* For tests: behave as on a kernel without tcx. */
void attach_assume_no_tcx(bool assume);

#endif
