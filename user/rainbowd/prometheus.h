/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Prometheus' HTTP API as text in and out: the query with its variables put in, its address, and what an answer means. Pure. No data is
 * inconclusive; an error is an error; neither is ever a failed gate.
 */
#ifndef RAINBOW_PROMETHEUS_H
#define RAINBOW_PROMETHEUS_H

#include <stdbool.h>
#include "common/duration.h"
#include "common/error.h"
#include "gate.h"

#define PROMETHEUS_QUERY_SIZE 4096
#define PROMETHEUS_URL_SIZE   (SETTINGS_TEXT_SIZE + 3 * PROMETHEUS_QUERY_SIZE)

/* What may stand in a query; all of [a-zA-Z0-9._-], or the query is refused: a label can not end a string and begin PromQL. */
struct prometheus_names {
	const char *version;    /* $version: of the arm that is asked for */
	const char *baseline;   /* $baseline: the same for both arms */
	const char *service;    /* $service */
	struct duration window; /* $window, in whole seconds, one at least */
};

/* $$ is a dollar sign; another name after $ is refused with those that there are. */
int prometheus_fill(const char *query, const struct prometheus_names *names, char out[PROMETHEUS_QUERY_SIZE],
		    struct error *err);
/* base: http(s)://host[:port][/path], with or without a final /. */
int prometheus_url(const char *base, const char *query, char out[PROMETHEUS_URL_SIZE], struct error *err);

struct prometheus_value {
	enum gate_verdict verdict; /* PASS: there is a value; INCONCLUSIVE or ERROR: `reason` says why there is none */
	double value;
	char reason[GATE_REASON_SIZE];
};

/* The answer to an instant query. A scalar, or a vector of one series, is a value. */
void prometheus_read(int status, const char *body, size_t length, struct prometheus_value *out);

enum prometheus_part {
	PROMETHEUS_CANDIDATE,
	PROMETHEUS_BASELINE,
	PROMETHEUS_CANDIDATE_SAMPLES,
	PROMETHEUS_BASELINE_SAMPLES,
	PROMETHEUS_PARTS,
};

/*
 * The answers as one evidence. with_samples: the last two count as `sessions` of the arms; else those stay 0, which means that the
 * kernel's number is to be put in. The first that is no value decides, an error before what is inconclusive.
 */
void prometheus_evidence(const struct prometheus_value parts[PROMETHEUS_PARTS], bool with_samples, struct gate_evidence *out);

#endif
