// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See census.h. The sweep runs in the worker on a copy of its own; its result is folded in when it comes back. */
#include <stdlib.h>
#include <string.h>
#include "census.h"
#include "common/log.h"
#include "drift.h"
#include "ghosts.h"
#include "worker.h"

#define VERSIONS         (RAINBOW_MAX_VERSIONS + 1)
#define SWEEP_EVERY_MS   1000
#define SWEEP_SOONEST_MS 50
#define SWEEP_SHARE      20 /* a sweep takes at most one part in so many of the time */

struct census {
	struct daemon *daemon;
	census_listener listener;
	bool running;
	bool hurried;
	bool complained;
	int64_t tried_ms; /* when the last sweep began, complete or not */
	int64_t began_ms; /* of the last complete sweep; 0: none */
	int64_t duration_ms;
	uint64_t began; /* likewise, in jiffies */
	struct rainbow_census counted[VERSIONS];
	bool drift_known;
	uint64_t drift;      /* found by the last two */
	uint64_t last_drift; /* found by the last one */
};

struct sweep_job {
	struct work work;
	struct census *census;
	int64_t began_ms, ended_ms;
	struct rainbow_sweep sweep;
	struct rainbow_census counted[VERSIONS];
	struct drift_reading before[VERSIONS];
	struct drift_reading after[VERSIONS];
	int rc;
	struct error err;
};

uint64_t census_count_ended(const struct rainbow_version *version)
{
	return version->ended_fin + version->ended_reset_client + version->ended_reset_server + version->ended_idle +
	       version->ended_forced + version->ended_vanished;
}

/* Read in the order that makes a session seen twice rather than never: see count_end of the kernel side. */
static void take_readings(struct datapath *dp, struct drift_reading *readings)
{
	uint32_t id;

	for (id = 1; id < VERSIONS; id++) {
		const struct rainbow_version *version = datapath_version(dp, id);

		readings[id].opened = __atomic_load_n(&version->opened, __ATOMIC_ACQUIRE);
		readings[id].ended = census_count_ended(version);
		readings[id].live = __atomic_load_n(&version->live, __ATOMIC_ACQUIRE);
	}
}

static void sweep_run(struct work *work)
{
	struct sweep_job *job = (struct sweep_job *)work;
	struct datapath *dp = job->census->daemon->datapath;
	uint32_t id;

	job->began_ms = monotonic_ms();
	take_readings(dp, job->before);
	job->rc = datapath_sweep(dp, &job->sweep, &job->err);
	take_readings(dp, job->after);
	for (id = 1; id < VERSIONS; id++)
		job->counted[id] = *datapath_census(dp, id);
	job->ended_ms = monotonic_ms();
}

static uint64_t sum_drift(const struct sweep_job *job)
{
	uint64_t sum = 0;
	uint32_t id;

	for (id = 1; id < VERSIONS; id++)
		sum += drift_of(&job->before[id], &job->after[id], job->counted[id].live);
	return sum;
}

/* A drift is believed when two sweeps in a row have found it. */
static void fold_drift(struct census *census, uint64_t found)
{
	uint64_t believed = found < census->last_drift ? found : census->last_drift;

	if (believed && believed != census->drift)
		log_error("census", "the live counts are off by %llu from a count one by one", (unsigned long long)believed);
	census->drift = census->drift_known ? believed : 0;
	census->last_drift = found;
	census->drift_known = true;
}

static void complain(struct census *census, const struct error *err)
{
	if (!census->complained)
		log_error("census", "sweep: %s; counts of it are unknown until one succeeds", err->message);
	census->complained = true;
}

static void sweep_done(struct work *work)
{
	struct sweep_job *job = (struct sweep_job *)work;
	struct census *census = job->census;
	uint32_t due = job->sweep.due < RAINBOW_DUE ? job->sweep.due : RAINBOW_DUE;

	census->running = false;
	if (job->work.cancelled) {
		free(job);
		return;
	}
	if (job->rc) {
		complain(census, &job->err);
		census->duration_ms = job->ended_ms - job->began_ms;
		free(job);
		return;
	}
	census->complained = false;
	census->began_ms = job->began_ms;
	census->duration_ms = job->ended_ms - job->began_ms;
	census->began = job->sweep.jiffies;
	memcpy(census->counted, job->counted, sizeof(census->counted));
	fold_drift(census, sum_drift(job));
	free(job);
	census->listener(census->daemon, datapath_due(census->daemon->datapath), due);
}

/* Between the beginnings of two sweeps, at least. */
static int64_t pause_ms(const struct census *census)
{
	int64_t pause = census->hurried ? SWEEP_SOONEST_MS : SWEEP_EVERY_MS;

	if (census->duration_ms * SWEEP_SHARE > pause)
		pause = census->duration_ms * (census->hurried ? 2 : SWEEP_SHARE);
	return pause;
}

static void start_sweep(struct census *census)
{
	struct sweep_job *job = calloc(1, sizeof(*job));

	if (!job)
		return;
	job->work.run = sweep_run;
	job->work.done = sweep_done;
	job->census = census;
	job->sweep = (struct rainbow_sweep){
	    .ask_limit = RAINBOW_DUE,
	    .ghost_limit = ghosts_limit(census->daemon->ghosts, pause_ms(census)),
	    .previous = census->began,
	};
	census->running = true;
	census->hurried = false;
	census->tried_ms = monotonic_ms();
	worker_submit(census->daemon->worker, &job->work);
}

void census_tick(struct census *census, int64_t now_ms)
{
	if (!census->running && now_ms - census->tried_ms >= pause_ms(census))
		start_sweep(census);
}

void census_hurry(struct census *census)
{
	census->hurried = true;
}

int census_new(struct census **out, struct daemon *daemon, census_listener listener, struct error *err)
{
	struct census *census = calloc(1, sizeof(*census));

	if (!census)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	census->daemon = daemon;
	census->listener = listener;
	*out = census;
	return 0;
}

void census_free(struct census *census)
{
	free(census);
}

const struct rainbow_census *census_of(const struct census *census, uint32_t version)
{
	return census->began_ms ? &census->counted[version] : NULL;
}

int64_t census_began_ms(const struct census *census)
{
	return census->began_ms;
}

int64_t census_duration_ms(const struct census *census)
{
	return census->began_ms ? census->duration_ms : -1;
}

bool census_drift(const struct census *census, uint64_t *drift)
{
	*drift = census->drift;
	return census->drift_known;
}
