// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See samples.h. From JSON to samples: sample_read.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/text.h"
#include "model.h"
#include "samples.h"
#include "store_rows.h"

#define TALLIES 64

static const char table_sql[] =
    "CREATE TABLE IF NOT EXISTS sample (service TEXT NOT NULL, gate TEXT NOT NULL, version TEXT NOT NULL, session TEXT NOT "
    "NULL,"
    " kind INTEGER NOT NULL, started_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, value REAL NOT NULL,"
    " PRIMARY KEY (service, gate, version, session)) WITHOUT ROWID;";

enum statement { PUT, COUNT, KEEP, SUMMARY, BINS, STATEMENTS };

static const char *const statement_sql[STATEMENTS] = {
    [PUT] = "INSERT OR IGNORE INTO sample VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [COUNT] = "SELECT count(*) FROM sample WHERE service = ?1 AND gate = ?2",
    [KEEP] = "DELETE FROM sample WHERE service = ?1 AND (started_ms < ?4 OR ?4 = 0 OR version NOT IN (?2, ?3))",
    [SUMMARY] = "SELECT version = ?2, count(*), total(value), max(at_ms) FROM sample WHERE service = ?1 AND version IN (?2, ?3)"
		" AND started_ms >= ?4 AND gate = ?5 AND kind = ?6 GROUP BY version",
    [BINS] = "SELECT value, sum(version = ?2), sum(version = ?3) FROM sample WHERE service = ?1 AND version IN (?2, ?3)"
	     " AND started_ms >= ?4 AND gate = ?5 AND kind = ?6 GROUP BY value ORDER BY value",
};

/* How many rows a gate has, so that not each push counts them. */
struct tally {
	char service[RAINBOW_NAME_SIZE], gate[SETTINGS_NAME_SIZE]; /* service "": free */
	uint64_t rows;
};

struct samples {
	struct store *store;
	sqlite3_stmt *statements[STATEMENTS];
	struct tally tallies[TALLIES];
	size_t next_tally;
	uint64_t revision;
};

struct sample_step sample_step_of(const struct service *service)
{
	const struct rollout *rollout = &service->rollout;

	return (struct sample_step){
	    .service = service->name,
	    .candidate = rollout->target,
	    .baseline = rollout->baseline,
	    .began = rollout_is_active(rollout) ? rollout->step_began : (struct instant){0},
	};
}

int samples_open(struct samples **out, struct store *store, struct error *err)
{
	struct samples *samples = calloc(1, sizeof(*samples));
	int i, rc = 0;

	if (!samples)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	samples->store = store;
	if (sqlite3_exec(store->db, table_sql, NULL, NULL, NULL) != SQLITE_OK)
		rc = store_fail(store, err);
	for (i = 0; !rc && i < STATEMENTS; i++)
		rc = store_prepare(store, &samples->statements[i], statement_sql[i], err);
	if (rc)
		samples_close(samples);
	else
		*out = samples;
	return rc;
}

void samples_close(struct samples *samples)
{
	int i;

	if (!samples)
		return;
	for (i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(samples->statements[i]);
	free(samples);
}

uint64_t samples_revision(const struct samples *samples)
{
	return samples->revision;
}

static void bind_text(sqlite3_stmt *statement, int column, const char *text)
{
	sqlite3_bind_text(statement, column, text, -1, SQLITE_STATIC);
}

static sqlite3_stmt *bind_step(struct samples *samples, enum statement which, const struct sample_step *step)
{
	sqlite3_stmt *statement = samples->statements[which];

	bind_text(statement, 1, step->service);
	bind_text(statement, 2, step->candidate);
	bind_text(statement, 3, step->baseline);
	sqlite3_bind_int64(statement, 4, step->began.unix_ms);
	return statement;
}

/* --- how many there are ---------------------------------------------------------------------------------------------------------- */

static int count_rows(struct samples *samples, const char *service, const char *gate, uint64_t *rows, struct error *err)
{
	sqlite3_stmt *statement = samples->statements[COUNT];
	int rc = 0;

	bind_text(statement, 1, service);
	bind_text(statement, 2, gate);
	if (sqlite3_step(statement) == SQLITE_ROW)
		*rows = (uint64_t)sqlite3_column_int64(statement, 0);
	else
		rc = store_fail(samples->store, err);
	sqlite3_reset(statement);
	return rc;
}

static int find_tally(struct samples *samples, const char *service, const char *gate, struct tally **out, struct error *err)
{
	struct tally *tally;
	int rc;

	for (tally = samples->tallies; tally < samples->tallies + TALLIES; tally++)
		if (strcmp(tally->service, service) == 0 && strcmp(tally->gate, gate) == 0) {
			*out = tally;
			return 0;
		}
	tally = &samples->tallies[samples->next_tally++ % TALLIES];
	tally->service[0] = '\0';
	rc = count_rows(samples, service, gate, &tally->rows, err);
	if (rc)
		return rc;
	text_copy(tally->service, sizeof(tally->service), service);
	text_copy(tally->gate, sizeof(tally->gate), gate);
	*out = tally;
	return 0;
}

static void forget_tallies(struct samples *samples, const char *service)
{
	struct tally *tally;

	for (tally = samples->tallies; tally < samples->tallies + TALLIES; tally++)
		if (strcmp(tally->service, service) == 0)
			tally->service[0] = '\0';
}

/* --- putting and keeping --------------------------------------------------------------------------------------------------------- */

static bool is_of_step(const struct sample_step *step, const char *version, struct instant started)
{
	return step->began.unix_ms && started.unix_ms >= step->began.unix_ms &&
	       (strcmp(version, step->candidate) == 0 || strcmp(version, step->baseline) == 0);
}

static int put_one(struct samples *samples, const struct sample_batch *batch, const struct sample *sample,
		   struct sample_count *count, struct error *err)
{
	struct instant at = sample->at.unix_ms ? sample->at : batch->now;
	struct instant started = sample->started.unix_ms ? sample->started : at;
	sqlite3_stmt *statement = samples->statements[PUT];
	int rc;

	/* No session begins after the word about it has come: by a clock that is ahead it would count for steps to come. */
	if (started.unix_ms > batch->now.unix_ms)
		started = batch->now;
	if (!is_of_step(&batch->step, batch->version, started)) {
		count->unused++;
		return 0;
	}
	bind_text(statement, 1, batch->step.service);
	bind_text(statement, 2, batch->gate->name);
	bind_text(statement, 3, batch->version);
	bind_text(statement, 4, sample->session);
	sqlite3_bind_int(statement, 5, (int)batch->gate->kind);
	sqlite3_bind_int64(statement, 6, started.unix_ms);
	sqlite3_bind_int64(statement, 7, at.unix_ms);
	sqlite3_bind_double(statement, 8, sample->value);
	rc = store_step(samples->store, statement, err);
	if (!rc && sqlite3_changes(samples->store->db))
		count->accepted++;
	else if (!rc)
		count->known++;
	return rc;
}

static int put_all(struct samples *samples, const struct sample_batch *batch, uint64_t rows, struct sample_count *count,
		   struct error *err)
{
	size_t i;
	int rc = 0;

	for (i = 0; !rc && i < batch->count; i++)
		rc = put_one(samples, batch, &batch->list[i], count, err);
	if (!rc && rows + count->accepted > SAMPLES_MAX)
		return error_set(
		    err, ERROR_PRECONDITION, "samples",
		    "gate %s of service %s holds %llu samples and takes %d at most; none of these is taken: more would not "
		    "make it surer, and room is made when the step ends",
		    batch->gate->name, batch->step.service, (unsigned long long)rows, SAMPLES_MAX);
	return rc;
}

int samples_put(struct samples *samples, const struct sample_batch *batch, struct sample_count *out, struct error *err)
{
	struct sample_count count = {0};
	struct tally *tally = NULL;
	int rc;

	if (!batch->step.began.unix_ms) { /* nothing is written while nothing is rolled out */
		*out = (struct sample_count){.unused = batch->count};
		return 0;
	}
	rc = find_tally(samples, batch->step.service, batch->gate->name, &tally, err);
	rc = rc ? rc : store_begin(samples->store, err);
	if (rc)
		return rc;
	rc = put_all(samples, batch, tally->rows, &count, err);
	if (!rc && batch->dry_run)
		store_abandon(samples->store);
	else
		rc = store_end(samples->store, rc, err);
	if (rc)
		return rc;
	*out = count;
	if (!batch->dry_run) {
		tally->rows += count.accepted;
		samples->revision += count.accepted;
	}
	return 0;
}

int samples_keep(struct samples *samples, const struct sample_step *step, struct error *err)
{
	int rc = store_step(samples->store, bind_step(samples, KEEP, step), err);

	forget_tallies(samples, step->service);
	samples->revision++;
	return rc;
}

/* --- evidence -------------------------------------------------------------------------------------------------------------------- */

struct summary {
	uint64_t count;
	double good;
	struct instant last;
};

static sqlite3_stmt *bind_gate(struct samples *samples, enum statement which, const struct sample_step *step,
			       const struct gate *gate)
{
	sqlite3_stmt *statement = bind_step(samples, which, step);

	bind_text(statement, 5, gate->name);
	sqlite3_bind_int(statement, 6, (int)gate->kind);
	return statement;
}

/* arms[1] is the candidate's. */
static int read_summary(struct samples *samples, const struct sample_step *step, const struct gate *gate,
			struct summary arms[2], struct error *err)
{
	sqlite3_stmt *statement = bind_gate(samples, SUMMARY, step, gate);
	int rc;

	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		struct summary *arm = &arms[sqlite3_column_int(statement, 0) ? 1 : 0];

		arm->count = (uint64_t)sqlite3_column_int64(statement, 1);
		arm->good = sqlite3_column_double(statement, 2);
		arm->last.unix_ms = sqlite3_column_int64(statement, 3);
	}
	rc = rc == SQLITE_DONE ? 0 : store_fail(samples->store, err);
	sqlite3_reset(statement);
	return rc;
}

/* False: nothing can be said of this arm, and the evidence says why. */
static bool arm_speaks(const struct summary *arm, const char *name, const char *version, const struct gate *gate,
		       struct instant now, struct gate_evidence *evidence)
{
	int64_t silent_ms = now.unix_ms - arm->last.unix_ms;
	char silent[DURATION_TEXT_SIZE];

	evidence->source = GATE_INCONCLUSIVE;
	if (!arm->count)
		snprintf(evidence->reason, sizeof(evidence->reason), "no sample of a session of %s %s that began in this step",
			 name, version);
	else if (gate->stale_after.ms && silent_ms > gate->stale_after.ms)
		snprintf(evidence->reason, sizeof(evidence->reason), "stale: the last sample of %s %s is %s old", name, version,
			 duration_format((struct duration){silent_ms}, silent));
	else
		evidence->source = GATE_PASS;
	return evidence->source == GATE_PASS;
}

static void fill_ratio(const struct summary *summary, const struct gate *gate, struct gate_arm *arm)
{
	arm->sessions = (double)summary->count;
	arm->events = gate->better == GATE_HIGHER ? summary->good : arm->sessions - summary->good;
}

/* At most so many bins as there are samples. */
static int fill_bins(struct samples *samples, const struct sample_step *step, const struct gate *gate, size_t most,
		     struct sample_evidence *out, struct error *err)
{
	struct gate_arm *candidate = &out->evidence.candidate, *baseline = &out->evidence.baseline;
	double *values = most ? calloc(3 * most, sizeof(*values)) : NULL;
	sqlite3_stmt *statement = bind_gate(samples, BINS, step, gate);
	size_t count = 0;
	int rc = 0;

	out->bins = values;
	if (!values)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	while (count < most && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
		values[count] = sqlite3_column_double(statement, 0);
		values[most + count] = sqlite3_column_double(statement, 1);
		values[2 * most + count] = sqlite3_column_double(statement, 2);
		count++;
	}
	rc = rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : store_fail(samples->store, err);
	sqlite3_reset(statement);
	candidate->values = baseline->values = values;
	candidate->bins = values + most;
	baseline->bins = values + 2 * most;
	candidate->bin_count = baseline->bin_count = count;
	return rc;
}

static int gather(struct samples *samples, const struct sample_step *step, const struct gate *gate, struct instant now,
		  struct sample_evidence *out, struct error *err)
{
	struct summary arms[2] = {0};
	struct gate_evidence *evidence = &out->evidence;
	int rc = read_summary(samples, step, gate, arms, err);

	if (rc || !arm_speaks(&arms[1], "candidate", step->candidate, gate, now, evidence) ||
	    !arm_speaks(&arms[0], "baseline", step->baseline, gate, now, evidence))
		return rc;
	fill_ratio(&arms[1], gate, &evidence->candidate);
	fill_ratio(&arms[0], gate, &evidence->baseline);
	return gate->kind == GATE_KIND_RATIO ? 0 : fill_bins(samples, step, gate, arms[0].count + arms[1].count, out, err);
}

void samples_evidence(struct samples *samples, const struct sample_step *step, const struct gate *gate, struct instant now,
		      struct sample_evidence *out)
{
	struct error err = {0};

	memset(out, 0, sizeof(*out));
	if (!step->began.unix_ms) {
		snprintf(out->evidence.reason, sizeof(out->evidence.reason), "no rollout is under way");
		return;
	}
	if (!gather(samples, step, gate, now, out, &err))
		return;
	free(out->bins);
	memset(out, 0, sizeof(*out));
	out->evidence.source = GATE_ERROR;
	snprintf(out->evidence.reason, sizeof(out->evidence.reason), "%.*s", (int)sizeof(out->evidence.reason) - 1,
		 err.message);
}
