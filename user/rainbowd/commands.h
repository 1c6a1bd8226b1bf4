/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What an operator may order, as pure functions: each judges an order against the model and the counts and carries it out on
 * `service`, a copy that change.c then applies. Time is an argument. On a refusal (a negative code, err filled) the copy is to be
 * thrown away. Ids of new things are 0, the wheel is not yet turned: change.c does both.
 */
#ifndef RAINBOW_COMMANDS_H
#define RAINBOW_COMMANDS_H

#include "model.h"

#define DEFAULT_IDLE_TCP_MS    (24ll * 3600 * 1000)
#define DEFAULT_IDLE_UDP_MS    (5ll * 60 * 1000)
#define DEFAULT_IDLE_CLIENT_MS (3600ll * 1000)
#define MAX_IDLE_MS            (14ll * 24 * 3600 * 1000) /* 32 bits of jiffies wrap after 49 days at 1000 a second */
#define DEFAULT_PROBE_IDLE_MS  (15ll * 60 * 1000)        /* TCP */
#define DEFAULT_CLIENT_PREFIX  64

/* --- services (command_service.c). An order is a service with the fields name, at, protocol; the others zero for the default. */
int command_service_add(const struct model *model, struct service *service, struct error *err);
/* What is not given stays. */
struct service_order {
	bool has_idle_timeout, has_probe_idle;
	struct duration idle_timeout, probe_idle;
};

int command_service_set(struct service *service, const struct service_order *order, struct error *err);
int command_service_remove(const struct service *service, const struct counts *counts, struct error *err);

/* --- versions and backends (command_version.c) */
/*
 * `order`: label, tuple, backends; takes no ownership. The first version of a service takes all new sessions. Where there are as many
 * as max_versions allows, it is refused, or the one that has been draining the longest is forced to end.
 */
int command_version_add(const struct model *model, struct service *service, const struct version *order,
			const struct counts *counts, struct instant now, struct error *err);
int command_version_remove(struct service *service, const char *label, const struct counts *counts, struct error *err);
int command_backend_add(const struct model *model, struct service *service, const char *label, const struct backend *order,
			struct error *err);
/* *stay: the sessions that stay on it until they end. */
int command_backend_remove(struct service *service, const char *label, const struct endpoint *at, const struct counts *counts,
			   uint64_t *stay, struct error *err);

/* --- weights (command_weight.c) */
struct weight_order {
	char label[RAINBOW_NAME_SIZE];
	bool rest;         /* takes what the others leave */
	uint32_t permille; /* if not */
};

int command_set_weights(struct service *service, const struct weight_order *orders, size_t count, const struct counts *counts,
			struct error *err);
/* Remembers the weights and counts as they are, before a change of weights. */
void weights_remember(struct service *service, const struct counts *counts);
/* Gives the share of `from` to the other active versions that have one, in proportion. 0, or -ERROR_PRECONDITION if there is none. */
int weights_hand_over(struct service *service, struct version *from, struct error *err);
bool weights_differ(const struct service *a, const struct service *b);

/* --- drains, rollbacks, evictions (command_drain.c) */
struct drain_order {
	bool has_deadline;
	bool never; /* the deadline "none" */
	struct duration deadline;
	bool has_on_deadline;
	enum on_deadline on_deadline;
};

int command_drain(struct service *service, const char *label, const struct drain_order *order, const struct counts *counts,
		  struct instant now, struct error *err);
int command_undrain(struct service *service, const char *label, struct error *err);

enum rollback_sessions { ROLLBACK_KEEP, ROLLBACK_DRAIN, ROLLBACK_RESET };

struct rollback_order {
	const char *to; /* NULL: the version that had the largest share before the last change */
	enum rollback_sessions sessions;
	const char *reason; /* never NULL */
	struct instant now;
};

/*
 * *target: where to. A rollout that is under way is aborted; what one that is complete brought in is quarantined when this leads back to
 * where it came from: a document that names it as target still would roll it out again.
 */
int command_rollback(struct service *service, const struct rollback_order *order, const struct counts *counts,
		     struct version **target, struct error *err);
/* older_than 0: all sessions. Takes the place of an order under way. */
int command_evict(struct service *service, const char *label, struct duration older_than, uint32_t rate, struct instant now,
		  struct error *err);

/* --- locks and quarantine (command_lock.c) */
/* For automation and declarative applies, before they change anything. -ERROR_CONFLICT: it names who locked it, since when and why. */
int service_check_unlocked(const struct service *service, struct error *err);
int command_lock(struct service *service, uint32_t uid, const char *reason, struct instant now, struct error *err);
void command_unlock(struct service *service);
/* A rollout to this version ends with it, as by `rollout abort`. */
int command_quarantine(struct service *service, const char *label, const char *reason, const struct counts *counts,
		       struct instant now, struct error *err);
int command_unquarantine(struct service *service, const char *label, struct error *err);

/* --- rollouts (command_rollout.c) */
struct rollout_start {
	const char *target;
	const char *baseline;            /* NULL: the one other version with a share, or that of the rollout that gives way */
	const struct rollout_plan *plan; /* NULL: the service's */
	bool without_gates;
	const char *reason; /* never NULL */
};

/* The first step is in force with it. *queued: another one is under way, and this target waits behind it. */
int command_rollout_start(struct service *service, const struct rollout_start *order, const struct counts *counts,
			  struct instant now, bool *queued, struct error *err);
/* Nothing waits any more. */
void command_rollout_unqueue(struct service *service);
int command_rollout_order(struct service *service, const struct rollout_order *order, const struct counts *counts,
			  struct error *err);
/* The rollout's number and why; in the place of nothing else. */
void command_rollout_quarantine(struct version *target, const struct rollout *rollout, const char *why);
/* Carries out on the service what its rollout's machine decided. */
int command_rollout_do(struct service *service, enum rollout_action action, const struct counts *counts, struct instant now,
		       struct error *err);
/*
 * settings_read for a service that may be in a rollout: what a gate remembers goes with the gate to its new place, and one that was laid
 * down anew, or otherwise than before, remembers nothing.
 */
int command_settings_read(struct service *service, const json_t *object, const char *place, struct error *err);
/*
 * -ERROR_PRECONDITION while a rollout sets the weights: for commands that would set them, or (label) that would drain or remove one
 * of its two versions.
 */
int rollout_guard(const struct service *service, const char *label, struct error *err);

/* Begins or ends a drain by the service's policy: for those who decide it. */
void version_begin_drain(struct version *version, const struct drain_policy *policy, struct instant now);
void version_end_drain(struct version *version);

/* --- steers (command_steer.c) */
int command_steer_add(const struct model *model, struct service *service, const struct cidr *range, const char *label,
		      struct error *err);
int command_steer_remove(struct service *service, const struct cidr *range, struct error *err);

#endif
