/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The declarative document: services with their versions, weights, steers and settings, as one JSON object (rainbow.yaml is the same
 * in YAML). Reading it finds all that can be known to be wrong without asking rainbowd; rainbowd reads it again, and compares it
 * with what is.
 *
 *   {"rainbow": 1, "services": [{"name", "address": "10.0.0.1:80", "protocol", "affinity", "selection", "stray", "idle_timeout",
 *     "probe_idle", "client_prefix", and the keys of settings.h, with "rollout": {"target": LABEL, "baseline": LABEL} beside its steps,
 *     "versions": [{"label", "tuple": {"code", "model", "prompts", "tools"}, "backends": [{"address", "max_sessions"}]}],
 *     "weights": {LABEL: PERCENT or null for the rest}, "steers": [{"range", "version"}]}]}
 *
 * A key that is left out leaves what is; where nothing is yet, the default. A list that is given is whole: what it does not name goes.
 */
#ifndef RAINBOW_DOCUMENT_H
#define RAINBOW_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include <rainbow/types.h>
#include "common/addr.h"
#include "common/duration.h"
#include "common/error.h"

#define DOCUMENT_FORMAT     1
#define DOCUMENT_LAYERS     4   /* of a tuple, in the order of document_layers */
#define DOCUMENT_LAYER_SIZE 129 /* as a tuple's text has it */

struct document_backend {
	struct endpoint at;
	uint32_t max_sessions; /* 0: no limit */
};

struct document_version {
	char label[RAINBOW_NAME_SIZE];
	bool tuple_given;
	char tuple[DOCUMENT_LAYERS][DOCUMENT_LAYER_SIZE];
	struct document_backend *backends;
	size_t backend_count;
};

struct document_weight {
	char label[RAINBOW_NAME_SIZE];
	bool rest;
	uint32_t permille;
};

struct document_steer {
	struct cidr range;
	char version[RAINBOW_NAME_SIZE];
};

struct document_service {
	char name[RAINBOW_NAME_SIZE];
	struct endpoint at;
	/* 0: not given */
	uint8_t protocol;
	enum rainbow_affinity affinity;
	enum rainbow_selection selection;
	enum rainbow_stray stray;
	uint32_t client_prefix;
	bool idle_timeout_given, probe_idle_given;
	struct duration idle_timeout, probe_idle;
	json_t *settings;               /* the keys of settings_read that are given */
	char target[RAINBOW_NAME_SIZE]; /* rollout.target; "" */
	char baseline
	    [RAINBOW_NAME_SIZE]; /* rollout.baseline: what it is compared with, and what a new service begins with; "" */
	bool versions_given, steers_given;
	struct document_version *versions;
	size_t version_count;
	struct document_weight *weights;
	size_t weight_count; /* 0: not given */
	struct document_steer *steers;
	size_t steer_count;
};

struct document {
	struct document_service *services;
	size_t service_count;
};

extern const char *const document_layers[DOCUMENT_LAYERS + 1];

/* 0, or a negative code with err->field the path of what is wrong. Finish with document_fini in any case. */
int document_read(const json_t *json, struct document *document, struct error *err);
void document_fini(struct document *document);
/* document_read, of which only the judgement is wanted. */
int document_check(const json_t *json, struct error *err);
/*
 * Whether the document has a text at this path, so that YAML's 12e4567 or 0123 is one, quoted or not: everywhere but at the few
 * keys that take numbers and booleans.
 */
bool document_wants_text(const char *path);

const struct document_version *document_find_version(const struct document_service *service, const char *label);

#endif
