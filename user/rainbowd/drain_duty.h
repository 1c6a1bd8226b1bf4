/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a drain owes its people, by the service's drain policy: a warning before the deadline (to the operator's hook, and to the backends
 * so that they can save their work), and word that the version has drained and been kept warm long enough to be given up. A pure machine,
 * drawn in drain_duty.c; its state is part of the version in the model. A duty is known by the instant it is about: another deadline is
 * warned of anew, and a version that is revived and drains again is announced anew.
 */
#ifndef RAINBOW_DRAIN_DUTY_H
#define RAINBOW_DRAIN_DUTY_H

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include <rainbow/types.h>
#include "common/duration.h"
#include "common/error.h"
#include "common/settings.h"

/* The duties, each with a hook of its own in the policy. */
enum duty {
	DUTY_WARN = 0,      /* on_warn */
	DUTY_WARN_BACKENDS, /* warn_backends */
	DUTY_DRAINED,       /* on_drained */
	DUTIES,
};

enum duty_outcome {
	DUTY_OPEN = 0, /* not tried yet, or to be tried again */
	DUTY_DONE,
	DUTY_GIVEN_UP, /* tried DUTY_TRIES times in vain */
};

#define DUTY_TRIES    4 /* the first, and again 1, 5 and 30 seconds after one that failed */
#define DUTY_WHY_SIZE 128

/* All zero in a new version. Stored with it. */
struct drain_duty {
	struct instant drained_since; /* 0: it has not, or it is not known for sure any more */
	struct duty_record {
		struct instant about; /* the deadline, or drained_since */
		struct instant tried; /* the last time */
		uint32_t tries;       /* that ended */
		enum duty_outcome outcome;
		char why[DUTY_WHY_SIZE]; /* the last try failed */
	} records[DUTIES];
};

struct duty_facts {
	struct instant now;
	const struct drain_policy *policy;
	enum rainbow_version_state state;
	struct instant deadline; /* of its drain; 0: none */
	bool live_known;         /* false: nothing is cleaned up */
	uint64_t live;
	bool under_way[DUTIES]; /* a try that has not ended yet; not stored: after a restart it is made again */
};

enum duty_step {
	DUTY_STAY = 0,
	DUTY_NOTE, /* the state has changed: store it */
	DUTY_TRY,  /* call order->duty's hook; its end goes to drain_duty_end */
};

struct duty_order {
	enum duty duty;
	struct instant about;
	uint32_t number; /* of the try, from 1 */
};

/* To be called until it says STAY; what it ordered is under way from then on. Changes *duty with DUTY_NOTE alone. */
enum duty_step drain_duty_next(struct drain_duty *duty, const struct duty_facts *facts, struct duty_order *order);
/*
 * A try has ended; why: how it failed, NULL: it has not. *duty is to be stored. DUTY_OPEN: it will be tried again; DUTY_GIVEN_UP is for the
 * history and the log.
 */
enum duty_outcome drain_duty_end(struct drain_duty *duty, const struct duty_order *order, const char *why, struct instant now);
/* The hook as it is in the policy, "" if there is none. */
const char *duty_hook(const struct drain_policy *policy, enum duty duty);
/* "on_warn", "warn_backends", "on_drained". */
const char *duty_name(enum duty duty);

/* For the database: complete, both ways. What is read but not right is refused, and *duty is then as it was. */
json_t *drain_duty_print(const struct drain_duty *duty);
int drain_duty_read(const json_t *object, struct drain_duty *duty, struct error *err);
/*
 * For people: of each duty {"outcome": "open" | "done" | "given_up", "tries", "tried", "why"} of what it is about now; null: the policy
 * names no hook for it. deadline: of the drain.
 */
json_t *drain_duty_show(const struct drain_duty *duty, const struct drain_policy *policy, struct instant deadline);

#endif
