/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel side as the rest of rainbowd sees it: maps, hooks, and the few programs that rainbowd runs itself. datapath.c is
 * the one file that talks to libbpf. Nothing here decides anything.
 *
 * All functions return 0 or a negative code with err filled, unless said otherwise. Not thread-safe, but for
 * datapath_sweep and datapath_pins_each, which may run in one thread of their own beside everything else.
 */
#ifndef RAINBOW_DATAPATH_H
#define RAINBOW_DATAPATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <rainbow/maps.h>
#include <rainbow/signal.h>
#include "common/addr.h"
#include "common/error.h"

struct datapath;

struct datapath_config {
	const char *pin_dir; /* maps and links are pinned here; made if missing; a bpffs is mounted at its root if needed */
	uint32_t pins; /* entries of rainbow_pin; 0: as they are, or RAINBOW_DEFAULT_PINS. Another size: see datapath_hold */
	uint32_t pins_new; /* where maps are made and `pins` is 0; 0: RAINBOW_DEFAULT_PINS */
	uint32_t nursery;  /* entries of rainbow_nursery; 0: likewise */
};

/*
 * Takes the pin directory for this process (flock; a second rainbowd is refused with ERROR_CONFLICT), adopts the maps found
 * there or makes them, loads the programs, maps the arrays. Maps of an unknown schema are refused with ERROR_PRECONDITION and
 * left alone; those of the schema before are migrated. Hooks found there are switched to the programs just loaded by
 * datapath_attach, not before. *adopted says whether maps were found; if not, the new ones are not whole yet.
 */
int datapath_open(struct datapath **out, const struct datapath_config *config, bool *adopted, struct error *err);
/*
 * New maps hold all that they are to begin with, the sessions of a snapshot included: the next open adopts them. Killed before
 * this, it makes them anew. To be called before the first datapath_attach.
 */
void datapath_mark_whole(struct datapath *dp);
/* Only what is there already: a whole set of our schema that nobody holds; else -ERROR_NOT_FOUND or why not, and nothing is changed. */
int datapath_open_pinned(struct datapath **out, const char *pin_dir, struct error *err);
/* Lets go of everything; what is pinned stays and goes on working. NULL is allowed. */
void datapath_close(struct datapath *dp);
/*
 * Around the first datapath_attach after an open: where pins have to be carried over (another size, another schema), from the one to
 * the end of the other no session opens, and packets of those not yet carried over are dropped, for their senders to repeat; else
 * these do nothing. undo: where no hook could be attached as wished; if one was given our programs all the same (a change of its kind
 * was refused), the pins are carried over to the end instead. takeover.h says how.
 */
int datapath_hold(struct datapath *dp, struct error *err);
void datapath_hold_undo(struct datapath *dp);
int datapath_take_over(struct datapath *dp, struct error *err);
/* Ends it: detaches the hooks and removes the pins. Works without an open datapath; refuses while a rainbowd holds the pins
 * unless dp is that holder's (else NULL). */
int datapath_remove(const char *pin_dir, struct datapath *dp, struct error *err);

/* What the operator asks of an interface; RAINBOW_HOOK_NONE is `auto`. */
struct hook_wish {
	char interface[16];
	enum rainbow_hook_kind kind;
};
/* "eth0", "eth0:auto", "eth0:xdp", "eth0:xdp-generic", "eth0:tc". */
int hook_wish_parse(const char *text, struct hook_wish *out, struct error *err);
const char *hook_kind_name(enum rainbow_hook_kind kind); /* "xdp", "xdp-generic", "tc" */

/* Attaches, or switches in one step what an earlier rainbowd attached. */
int datapath_attach(struct datapath *dp, const struct hook_wish *wish, struct error *err);
/* Detaches from every interface that is not among the wishes. */
int datapath_detach_others(struct datapath *dp, const struct hook_wish *wishes, size_t count, struct error *err);

struct hook_info {
	uint32_t ifindex;
	struct rainbow_hook hook;
	char ingress[24]; /* how: "xdp", "xdp-generic", "tcx", "clsact" */
	char egress[24];  /* "tcx", "clsact" */
	bool attached;    /* false: the link is gone (interface removed, detached by hand) */
};
/* Up to max; returns the number. */
size_t datapath_hooks(struct datapath *dp, struct hook_info *out, size_t max);

/* The mapped arrays: plain loads and stores on what the kernel programs see. Ids from 1; never NULL for a valid id. */
struct rainbow_meta *datapath_meta(struct datapath *dp);
struct rainbow_service *datapath_service(struct datapath *dp, uint32_t id);
struct rainbow_version *datapath_version(struct datapath *dp, uint32_t id);
struct rainbow_member *datapath_member(struct datapath *dp, uint32_t version);
struct rainbow_wheel *datapath_wheel(struct datapath *dp, uint32_t service, uint32_t which);
struct rainbow_backend *datapath_backend(struct datapath *dp, uint32_t id);
struct rainbow_census *datapath_census(struct datapath *dp, uint32_t version);

/* rainbow_lookup. Adding what is there replaces its kind and id; removing what is not there is no error. */
int datapath_lookup_add(struct datapath *dp, const struct rainbow_addr *addr, uint16_t port, uint8_t protocol,
			enum rainbow_lookup_kind kind, uint32_t id, struct error *err);
void datapath_lookup_remove(struct datapath *dp, const struct rainbow_addr *addr, uint16_t port, uint8_t protocol);
/* Calls each for every entry in use; it may remove the entry it is shown. */
void datapath_lookup_each(struct datapath *dp, void (*each)(const struct rainbow_lookup *entry, void *arg), void *arg);

/* rainbow_steer. */
int datapath_steer_set(struct datapath *dp, uint32_t service, const struct cidr *range, uint32_t version, struct error *err);
int datapath_steer_remove(struct datapath *dp, uint32_t service, const struct cidr *range);
/* Removes all rules of all services. */
void datapath_steer_clear(struct datapath *dp);
/* Calls each for every rule of all services; it may remove the one it is shown. */
int datapath_steer_each(struct datapath *dp, void (*each)(uint32_t service, const struct cidr *range, void *arg), void *arg,
			struct error *err);

/*
 * Returns once every program that was running on any CPU when it was called has ended (promise P2): a thread visits each CPU,
 * which no softirq shares with it (0.1 ms); where that can not be (PREEMPT_RT, a CPU out of our cpuset), an RCU grace period by
 * membarrier(2) (6 ms).
 */
int datapath_barrier(struct datapath *dp, struct error *err);

/* jiffies and CLOCK_MONOTONIC now, as the programs see them. */
int datapath_clock(struct datapath *dp, struct rainbow_clock *out, struct error *err);

/* Zeroes rainbow_census, runs the sweep program. In: ask_limit, ghost_limit, previous. */
int datapath_sweep(struct datapath *dp, struct rainbow_sweep *sweep, struct error *err);
/* The sweep's rainbow_due entries, sweep->due of them; valid until the next sweep. */
const struct rainbow_due *datapath_due(struct datapath *dp);

/* Tells one session to die: in/out `order`. */
int datapath_close_session(struct datapath *dp, struct rainbow_close *order, struct error *err);
/* Notes that the client of a live session was asked: in/out `asked`. */
int datapath_count_asked(struct datapath *dp, struct rainbow_asked *asked, struct error *err);
/*
 * Puts pins into the pin table, as many as there are; counted: they open as sessions (after a reboot), else they are counted
 * already. *sum: what became of them. Not beside datapath_sweep: both use rainbow_due.
 */
int datapath_restore(struct datapath *dp, const struct rainbow_due *pins, size_t count, bool counted,
		     struct rainbow_restore *sum, struct error *err);
/* 0, or -ENOENT. */
int datapath_pin_find(struct datapath *dp, const struct rainbow_flow *flow, struct rainbow_pin *out);
int datapath_nursling_find(struct datapath *dp, const struct rainbow_flow *flow, struct rainbow_nursling *out);
/* Shows every pin (a batch dump; 0.4 s a million) until `each` returns false. Pins that come and go meanwhile may be missed. */
int datapath_pins_each(struct datapath *dp,
		       bool (*each)(const struct rainbow_flow *flow, const struct rainbow_pin *pin, void *arg), void *arg,
		       struct error *err);
/* Entries of the pin table at most, and of the nursery. */
uint32_t datapath_pin_limit(struct datapath *dp);
uint32_t datapath_nursery_limit(struct datapath *dp);
/*
 * The records of what was measured (headers/rainbow/signal.h), by rainbow_record(), and of traffic, by version. 0 or -errno; -ENOENT:
 * there is no such record. Reading sums the CPUs'; a record is made (-EEXIST: it is there) or emptied, all zero, and the latter makes it
 * if need be. To make or remove one takes an RCU grace period.
 */
int datapath_signal_read(struct datapath *dp, uint32_t record, struct rainbow_signal *out);
int datapath_signal_make(struct datapath *dp, uint32_t record);
int datapath_signal_empty(struct datapath *dp, uint32_t record);
void datapath_signal_remove(struct datapath *dp, uint32_t record);
int datapath_traffic_read(struct datapath *dp, uint32_t version, struct rainbow_traffic *out);
int datapath_traffic_empty(struct datapath *dp, uint32_t version);
/* The counters of a service (0: packets of none), summed over CPUs. */
int datapath_packets(struct datapath *dp, uint32_t service, struct rainbow_packets *out);

#endif
