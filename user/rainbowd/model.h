/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the operator wrote, nested as it was written: services, their versions, backends, weights, steers, drains. Ids are the
 * indexes into the kernel's arrays, given by ids.c. What the kernel counts is not here: deciding functions get it as
 * an argument (struct counts). A command edits a copy of one service; the copy is then applied, stored, and takes its
 * place (change.c).
 */
#ifndef RAINBOW_MODEL_H
#define RAINBOW_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <rainbow/types.h>
#include "common/addr.h"
#include "common/duration.h"
#include "common/error.h"
#include "common/settings.h"
#include "drain_duty.h"
#include "rollout.h"

#define TUPLE_TEXT_SIZE 129
#define QUARANTINE_SIZE 256

struct tuple {
	char code[TUPLE_TEXT_SIZE];
	char model[TUPLE_TEXT_SIZE];
	char prompts[TUPLE_TEXT_SIZE];
	char tools[TUPLE_TEXT_SIZE];
};

struct backend {
	uint32_t id; /* 0: not given yet */
	struct endpoint at;
	uint32_t max_sessions; /* 0: no limit */
	bool leaving;          /* removed by the operator; stays until its last session ends */
};

/* Zero unless the version is draining or drained. */
struct drain {
	struct instant started;
	struct instant deadline; /* none: 0 */
	enum on_deadline on_deadline;
	int64_t in_force_ms; /* CLOCK_MONOTONIC when it was (after a start: was again) in force on all CPUs; not stored */
};

/* An order to close the sessions of a version that began at or before `cutoff`; it is kept until it is carried out. */
struct eviction {
	struct instant asked; /* 0: no such order */
	struct instant cutoff;
	uint32_t rate; /* sessions a second; 0: as fast as a drain at its deadline */
};

struct version {
	uint32_t id;
	char label[RAINBOW_NAME_SIZE];
	struct tuple tuple;
	enum rainbow_version_state state;
	uint32_t weight;          /* permille of the new sessions */
	uint32_t previous_weight; /* before the last change of weights */
	uint64_t opened_before;   /* its counter of opened sessions at that change */
	struct drain drain;
	struct drain_duty duty; /* what its drain owes, and what was done of it */
	struct eviction eviction;
	struct instant created;
	char quarantine[QUARANTINE_SIZE]; /* why no rollout may take it again; "": none */
	struct backend *backends;
	size_t backend_count;
};

struct steer {
	struct cidr range;
	uint32_t version; /* id */
};

/* Against automation, and against declarative applies. */
struct lock {
	struct instant since; /* 0: not locked */
	uint32_t uid;         /* of who locked it */
	char reason[QUARANTINE_SIZE];
};

struct service {
	uint32_t id;
	char name[RAINBOW_NAME_SIZE];
	struct endpoint at;
	uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	enum rainbow_affinity affinity;
	enum rainbow_selection selection;
	enum rainbow_stray stray;
	struct duration idle_timeout;
	struct duration probe_idle; /* 0: clients of idle sessions are not asked */
	uint32_t client_prefix;
	uint32_t generation;      /* of the wheel; 0: never turned */
	struct version *versions; /* in the order of adding */
	size_t version_count;
	struct steer *steers;
	size_t steer_count;
	struct settings settings;
	struct rollout rollout; /* the last one, under way or ended */
	struct lock lock;
	uint16_t wheel[RAINBOW_WHEEL_SLOTS]; /* version ids; follows from the weights and the wheel before */
};

struct model {
	struct service *services[RAINBOW_MAX_SERVICES]; /* sorted by name */
	size_t count;
};

/* What the kernel counts, by id, at the time of a command. */
struct counts {
	uint64_t live[RAINBOW_MAX_VERSIONS + 1];
	uint64_t opened[RAINBOW_MAX_VERSIONS + 1];
	uint64_t backend_live[RAINBOW_MAX_BACKENDS + 1];
};

void model_fini(struct model *model);
/* Puts `after` (owned by the model from now on) in the place of the service `before`; either may be NULL. Frees `before`. */
void model_replace(struct model *model, struct service *before, struct service *after);
struct service *model_find_service(const struct model *model, const char *name);
/* As above; -ERROR_NOT_FOUND names what there is. */
int model_get_service(const struct model *model, const char *name, struct service **out, struct error *err);
/* NULL: there is no such service, or it has no such version. */
const struct version *model_find_version(const struct model *model, uint32_t service, uint32_t version);
/* The service and the backend or service that holds this address, port and protocol; NULL if free. */
const struct service *model_find_endpoint(const struct model *model, const struct endpoint *at, uint8_t protocol,
					  const struct version **version, const struct backend **backend);

struct service *service_new(void);
struct service *service_clone(const struct service *service);
void service_free(struct service *service);
struct version *service_find_version(const struct service *service, const char *label);
struct version *service_find_version_id(const struct service *service, uint32_t id);
int service_get_version(const struct service *service, const char *label, struct version **out, struct error *err);
/* Appends; returns the place, valid until the next append. */
struct version *service_append_version(struct service *service, const struct version *version);
void service_remove_version(struct service *service, struct version *version);
struct steer *service_append_steer(struct service *service, const struct steer *steer);
void service_remove_steer(struct service *service, struct steer *steer);
struct steer *service_find_steer(const struct service *service, const struct cidr *range);
/* The steer of the longest range that holds addr and leads to an active version, or NULL. */
const struct steer *service_steer_of(const struct service *service, const struct rainbow_addr *addr);

struct backend *version_find_backend(const struct version *version, const struct endpoint *at);
struct backend *version_find_backend_id(const struct version *version, uint32_t id);
struct backend *version_append_backend(struct version *version, const struct backend *backend);
void version_remove_backend(struct version *version, struct backend *backend);
size_t version_active_backends(const struct version *version);

const char *affinity_name(enum rainbow_affinity affinity);
const char *selection_name(enum rainbow_selection selection);
const char *stray_name(enum rainbow_stray stray);
const char *version_state_name(enum rainbow_version_state state);
const char *on_deadline_name(enum on_deadline on_deadline);
const char *protocol_name(uint8_t protocol);
/* 0 for an unknown word. */
enum rainbow_affinity affinity_parse(const char *text);
enum rainbow_selection selection_parse(const char *text);
enum rainbow_stray stray_parse(const char *text);
uint8_t protocol_parse(const char *text);

#endif
