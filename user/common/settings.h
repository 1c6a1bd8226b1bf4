/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What an operator lays down for a service beyond its address: how its drains go, how many versions it may have, which gates judge
 * a new version, and by which steps a rollout goes. Plain values; settings.c reads them from JSON and prints them back, for the
 * API, the database and `rainbowctl lint` alike. Nothing here is learned.
 */
#ifndef RAINBOW_SETTINGS_H
#define RAINBOW_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include "common/duration.h"

struct error;

#define SETTINGS_NAME_SIZE  32
#define SETTINGS_TEXT_SIZE  256  /* a URL, a path */
#define SETTINGS_QUERY_SIZE 1024 /* PromQL */
#define SETTINGS_GATES_MAX  16
#define SETTINGS_STEPS_MAX  20
#define SETTINGS_FLOOR_US   1000 /* of latencies, where none is laid down */

enum on_deadline { ON_DEADLINE_RESET, ON_DEADLINE_HOLD };

/* A hook is a URL (http://, https://), which is sent a POST, or the absolute path of a program, which is run. "": none. */
struct drain_policy {
	struct duration deadline; /* 0: none, which has to be said ("none") */
	enum on_deadline on_deadline;
	struct duration warn_before;      /* before the deadline; 0: no warning */
	uint32_t pace;                    /* sessions closed a second at the deadline; 0: over the grace of ten seconds */
	struct duration keep_warm;        /* a version that has drained is not given up (on_drained) before this is over */
	char on_warn[SETTINGS_TEXT_SIZE]; /* hook */
	char warn_backends
	    [SETTINGS_TEXT_SIZE]; /* path of a POST to each backend of the version: an agent can checkpoint. "": none */
	char on_drained[SETTINGS_TEXT_SIZE]; /* hook: scale down */
};

enum on_max_versions { ON_MAX_REJECT, ON_MAX_FORCE_OLDEST };

enum gate_source {
	GATE_SOURCE_NONE = 0,
	GATE_SOURCE_KERNEL,
	GATE_SOURCE_PROMETHEUS,
	GATE_SOURCE_PUSH,
	GATE_SOURCE_WEBHOOK,
	GATE_SOURCE_COMMAND,
};

/* What the kernel measures, of those that a gate may judge. */
enum gate_signal {
	GATE_SIGNAL_NONE = 0,
	GATE_SIGNAL_TURN_LATENCY,      /* distribution: last payload of the client to first payload of the backend */
	GATE_SIGNAL_HANDSHAKE_LATENCY, /* distribution: SYN to SYN-ACK */
	GATE_SIGNAL_CONNECT_FAILURES,  /* ratio: SYNs refused or not answered */
	GATE_SIGNAL_RESETS,            /* ratio: sessions that the backend reset */
	GATE_SIGNAL_RESETS_CLIENT,     /* ratio: sessions that the client reset */
	GATE_SIGNAL_HTTP_ERRORS,       /* ratio: responses of class 5xx (services with http) */
};

enum gate_kind {
	GATE_KIND_NONE = 0,
	GATE_KIND_RATIO,        /* of sessions: yes or no */
	GATE_KIND_DISTRIBUTION, /* a number for each session (or several) */
	GATE_KIND_VALUE,        /* one number for each version, without a distribution: Prometheus */
	GATE_KIND_ANSWER,       /* whoever is asked judges himself: webhook, command */
};

enum gate_better { GATE_LOWER = 0, GATE_HIGHER };

struct gate {
	char name[SETTINGS_NAME_SIZE];
	enum gate_source source;
	enum gate_signal signal; /* source kernel */
	enum gate_kind kind; /* kernel: by the signal; prometheus VALUE; push RATIO (default) or DISTRIBUTION; else ANSWER */
	enum gate_better better; /* kernel: LOWER */
	/*
	 * How much worse the candidate may be. RATIO: as a difference, 0.01 is one percentage point. DISTRIBUTION, VALUE: relative to the
	 * baseline, 0.2 is 20 %.
	 */
	double margin;
	/*
	 * A difference that is smaller is none, however large it is relative to the baseline: in the unit of the values, latencies in
	 * microseconds. DISTRIBUTION, VALUE. The kernel's latencies: 1 ms, since a version with few sessions wakes up for each packet.
	 */
	double floor;
	double quantile; /* DISTRIBUTION: that of the quantile ratio, 0.5 by default */
	bool has_hard_max;
	/* A candidate beyond it fails at once (GATE_HIGHER: below it). RATIO: as a fraction; latencies: microseconds of `quantile`. */
	double hard_max;
	uint32_t min_samples;                /* sessions in each arm; 50 by default */
	struct duration interval;            /* between two questions to prometheus, webhook, command; 30s by default */
	struct duration timeout;             /* of one question; 10s by default */
	struct duration window;              /* $window in the query; 0: since the step began */
	struct duration stale_after;         /* push: without a sample for so long it is inconclusive; 15m by default */
	char url[SETTINGS_TEXT_SIZE];        /* prometheus: base URL; webhook */
	char ca_file[SETTINGS_TEXT_SIZE];    /* absolute paths */
	char token_file[SETTINGS_TEXT_SIZE]; /* bearer token */
	char command[SETTINGS_TEXT_SIZE];
	char query[SETTINGS_QUERY_SIZE];
	char samples_query[SETTINGS_QUERY_SIZE]; /* "": the number of sessions is the kernel's */
	bool shadow;                             /* is judged and shown, and decides nothing */
};

struct rollout_stage {
	uint32_t weight;      /* permille of the new sessions */
	struct duration hold; /* at least so long */
};

enum on_new_target { ON_NEW_SUPERSEDE, ON_NEW_QUEUE, ON_NEW_REJECT };

struct rollout_plan {
	struct rollout_stage stages[SETTINGS_STEPS_MAX]; /* weights rise; the last is 1000 */
	size_t stage_count;
	enum on_new_target on_new_target;
};

struct settings {
	bool http; /* the service speaks plaintext HTTP/1: responses are counted by status class */
	struct drain_policy drain;
	uint32_t max_versions; /* that are not drained; 8 by default, at most RAINBOW_MAX_VERSIONS_PER_SERVICE */
	enum on_max_versions on_max_versions;
	struct gate *gates; /* NULL: none laid down, which means the kernel's own: settings_gates_default */
	size_t gate_count;
	bool gates_given; /* gates were laid down, perhaps none */
	struct rollout_plan plan;
};

/* Deadline 24h, 8 versions, steps 5, 25, 50, 100 % of ten minutes each, no gates given. */
void settings_init(struct settings *settings);
void settings_fini(struct settings *settings);
/* 0, or -ENOMEM. *to need not be initialised. */
int settings_copy(struct settings *to, const struct settings *from);
bool settings_equal(const struct settings *a, const struct settings *b);
/*
 * Sets what the object names and leaves the rest: keys http, drain, max_versions, on_max_versions, gates, rollout. `place` goes before
 * the names of fields in errors, "" or "services[0]."; err->field is the path of what is wrong: "services[0].gates[1].margin". On an
 * error *settings is as it was.
 *
 *   {"http": false,
 *    "drain": {"deadline": "24h", "on_deadline": "reset" | "hold", "warn_before": "30m", "pace": "50/s", "keep_warm": "1h",
 *              "on_warn": hook, "warn_backends": "/path", "on_drained": hook},  where "none" stands for what is not
 *    "max_versions": 8, "on_max_versions": "reject" | "force_oldest",
 *    "gates": "default" | [{"name", "source", ...}],  with the keys of struct gate that its source takes (settings_gate.c); margin, and
 *              hard_max of ratios, in percent, hard_max of latencies as a duration
 *    "rollout": {"steps": [{"weight": 5, "hold": "10m"}, ...], "on_new_target": "supersede" | "queue" | "reject"}}
 */
int settings_read(const json_t *object, const char *place, struct settings *settings, struct error *err);
/* What settings_read reads, complete; a new reference. */
json_t *settings_print(const struct settings *settings);
/* The gates in force: those given, else the kernel's own (turn_latency, resets, connect_failures; http_errors with http). */
const struct gate *settings_gates(const struct settings *settings, struct gate defaults[SETTINGS_GATES_MAX], size_t *count);
/* Whether any gate tells quality: whatever is not the kernel's, and no shadow. */
bool settings_judge_quality(const struct settings *settings);

/* One rollout step list, "5,25,50,100" or "5:10m,25:15m,100"; hold: where a step names none. */
int rollout_plan_parse(const char *text, struct duration hold, const char *field, struct rollout_plan *plan, struct error *err);

/* The words of the enums, NULL-terminated, by their values; the first is "none". */
extern const char *const gate_source_words[], *const gate_signal_words[], *const gate_kind_words[];

#endif
