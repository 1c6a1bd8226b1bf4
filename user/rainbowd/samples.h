/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What judges and jobs push about sessions, for gates of source push: rows in the database, one for each (service, gate, version,
 * session). An acknowledged one survives kill -9. Only what can count is kept: sessions of candidate and baseline that began in the
 * rollout's present step; so the table is empty while nothing is rolled out. The unit is the session: said again, it counts once.
 */
#ifndef RAINBOW_SAMPLES_H
#define RAINBOW_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>
#include "common/duration.h"
#include "common/error.h"
#include "gate.h"

#define SAMPLES_MAX          100000 /* of one gate; more are refused */
#define SAMPLE_AHEAD_MS      300000 /* so far may a clock be ahead of ours */
#define SAMPLE_SESSION_BYTES 128

struct samples;
struct service;
struct store;

struct sample {
	const char *session;
	struct instant started; /* of the session; 0: not said, it counts as `at` */
	struct instant at;      /* of the judgement; 0: not said, it counts as the arrival */
	double value;           /* RATIO: 1 for ok, 0 for bad */
};

/* Which sessions count now. */
struct sample_step {
	const char *service, *candidate, *baseline;
	struct instant began; /* 0: no rollout is under way, and nothing counts */
};

struct sample_step sample_step_of(const struct service *service);

/*
 * The samples in a request's body, which point into it; *list is to be freed. `samples` is a list, or one sample stands flat in the body.
 * All or nothing: the first that is wrong is named, "samples[3]".
 */
int sample_read(const json_t *body, const struct gate *gate, struct instant now, struct sample **list, size_t *count,
		struct error *err);

/* Makes the table if it is missing. The store stays open until samples_close. */
int samples_open(struct samples **out, struct store *store, struct error *err);
void samples_close(struct samples *samples);

struct sample_count {
	uint64_t accepted; /* stored */
	uint64_t known;    /* a sample of this session is there; it stays as it is */
	uint64_t unused;   /* of no step that is under way */
};

struct sample_batch {
	struct sample_step step;
	const struct gate *gate;
	const char *version;
	const struct sample *list;
	size_t count;
	struct instant now;
	bool dry_run;
};

/* All of them or none; durable when it returns. -ERROR_PRECONDITION: there would be more than SAMPLES_MAX. */
int samples_put(struct samples *samples, const struct sample_batch *batch, struct sample_count *out, struct error *err);
/* Takes away what is not of this step. */
int samples_keep(struct samples *samples, const struct sample_step *step, struct error *err);

struct sample_evidence {
	struct gate_evidence evidence; /* share_ordered, chosen_*: 0, the kernel's to say */
	double *bins;                  /* behind the arms' pointers; free it */
};

/*
 * RATIO: what counts is bad sessions, GATE_HIGHER: good ones. DISTRIBUTION: each value that came is a bin. INCONCLUSIVE: an arm has none,
 * or none that is newer than stale_after; ERROR: the database fails.
 */
void samples_evidence(struct samples *samples, const struct sample_step *step, const struct gate *gate, struct instant now,
		      struct sample_evidence *out);
/* Rises with each one stored or taken away: while it stays, the evidence only ages. */
uint64_t samples_revision(const struct samples *samples);

#endif
