// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* user/rainbowd/samples.c and sample_read.c with a real database: what is accepted, what counts, what stays after a kill. */
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/unit/table_test.h"
#include "common/text.h"
#include "rainbowd/handlers.h"
#include "rainbowd/samples.h"
#include "rainbowd/store.h"

#define NOW 1700000000000ll

static char directory[64];
static struct store *store;
static struct samples *samples;
static struct error err;

static const struct sample_step step = {"agent", "v2", "v1", {NOW - 60000}};
static const struct gate ratio = {
    .name = "accuracy", .source = GATE_SOURCE_PUSH, .kind = GATE_KIND_RATIO, .stale_after = {900000}};
static const struct gate cost = {.name = "cost", .source = GATE_SOURCE_PUSH, .kind = GATE_KIND_DISTRIBUTION};

static void open_all(void)
{
	assert_int_equal(store_open(&store, directory, &err), 0);
	assert_int_equal(samples_open(&samples, store, &err), 0);
}

static void close_all(void)
{
	samples_close(samples);
	store_close(store);
}

static int setup(void **state)
{
	(void)state;
	memset(&err, 0, sizeof(err));
	strcpy(directory, "/tmp/rainbow-samples-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	open_all();
	return 0;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
	(void)info;
	(void)type;
	(void)walk;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	close_all();
	return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- JSON ------------------------------------------------------------------------------------------------------------------------ */

static void test_read(void **state)
{
	static const struct {
		const struct gate *gate;
		const char *body;
		size_t count; /* 0: refused */
		const char *field, *message;
	} rows[] = {
	    {&ratio, "{'gate':'accuracy','version':'v2','session':'a','ok':true}", 1, NULL, NULL},
	    {&ratio, "{'samples':[{'session':'a','ok':true},{'session':'b','ok':false}]}", 2, NULL, NULL},
	    {&ratio, "{'session':'a','ok':true,'at':'2023-11-14T22:13:20Z','started':'2023-11-14T22:13:00Z'}", 1, NULL, NULL},
	    {&ratio, "{'session':'a','ok':true,'at':'2023-11-14T22:18:20Z'}", 1, NULL, NULL},
	    {&ratio, "{'session':'a','ok':true,'at':null}", 1, NULL, NULL},
	    {&cost, "{'session':'a','value':0.41}", 1, NULL, NULL},
	    {&cost, "{'session':'a','value':3}", 1, NULL, NULL},
	    {&ratio, "{'session':'a','ok':true,'at':'2023-11-14T22:18:21Z'}", 0, "at", "five minutes ahead"},
	    {&ratio, "{'session':'a','ok':true,'started':'2023-11-14T22:18:21Z'}", 0, "started", "five minutes ahead"},
	    {&ratio, "{'session':'a','ok':true,'at':'yesterday'}", 0, "at", ""},
	    {&ratio, "{'session':'a','ok':true,'at':5}", 0, "at", "text in quotes"},
	    {&ratio, "{'session':'a','value':0.5}", 0, "value", "yes or no"},
	    {&ratio, "{'session':'a','ok':true,'value':1}", 0, "value", "yes or no"},
	    {&ratio, "{'session':'a','ok':1}", 0, "ok", "true or false"},
	    {&ratio, "{'session':'a'}", 0, "ok", "true or false"},
	    {&cost, "{'session':'a','ok':true}", 0, "ok", "a number of each session"},
	    {&cost, "{'session':'a','value':1,'ok':true}", 0, "ok", "a number of each session"},
	    {&cost, "{'session':'a','value':'1'}", 0, "value", "must be a number"},
	    {&cost, "{'session':'a'}", 0, "value", "must be a number"},
	    {&ratio, "{'ok':true}", 0, "session", "missing"},
	    {&ratio, "{'session':'','ok':true}", 0, "session", "1 to 128 bytes"},
	    {&ratio, "{'session':'a\\nb','ok':true}", 0, "session", "1 to 128 bytes"},
	    {&ratio, "{'session':7,'ok':true}", 0, "session", "text in quotes"},
	    {&ratio, "{'session':'a','ok':true,'start':'x'}", 0, "start", "did you mean \"started\""},
	    {&ratio, "{'samples':[]}", 0, "samples", "one at least"},
	    {&ratio, "{'samples':{}}", 0, "samples", "one at least"},
	    {&ratio, "{'samples':[{'session':'a','ok':true}],'ok':true}", 0, "ok", "unknown key"},
	    {&ratio, "{'samples':[{'session':'a','ok':true},7]}", 0, "samples", "samples[1] must be an object"},
	    {&ratio, "{'samples':[{'session':'a','ok':true},{'session':'b','value':1}]}", 0, "samples[1].value",
	     "samples[1]: gate"},
	    {&ratio, "{'samples':[{'session':'a','ok':true,'gate':'x'}]}", 0, "samples[0].gate", "unknown key"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *text = strdup(rows[i].body);
		struct sample *list = NULL;
		size_t count = 0;
		json_t *body;
		int rc;

		for (char *c = text; *c; c++)
			*c = *c == '\'' ? '"' : *c;
		body = json_loads(text, 0, NULL);
		row_assert(body, rows[i].body, "no JSON");
		rc = sample_read(body, rows[i].gate, (struct instant){NOW}, &list, &count, &err);
		if (rows[i].count) {
			row_assert(rc == 0 && count == rows[i].count, rows[i].body, "%s", err.message);
		} else {
			row_assert(rc == -ERROR_BAD_INPUT && !list, rows[i].body, "%d", rc);
			row_assert(!strcmp(err.field, rows[i].field), rows[i].body, "%s", err.field);
			row_assert(strstr(err.message, rows[i].message), rows[i].body, "%s", err.message);
		}
		free(list);
		json_decref(body);
		free(text);
	}
}

/* --- putting --------------------------------------------------------------------------------------------------------------------- */

static int put_list(const struct sample_step *of, const struct gate *gate, const char *version, const struct sample *list,
		    size_t n, struct sample_count *count)
{
	const struct sample_batch batch = {
	    .step = *of, .gate = gate, .version = version, .list = list, .count = n, .now = {NOW}};

	return samples_put(samples, &batch, count, &err);
}

static struct sample_count put(const struct gate *gate, const char *version, const char *session, double value, int64_t started)
{
	struct sample_count count = {0};

	assert_int_equal(put_list(&step, gate, version, &(struct sample){session, {started}, {0}, value}, 1, &count), 0);
	return count;
}

static struct gate_evidence evidence_of(const struct gate *gate, struct sample_evidence *evidence, int64_t now)
{
	samples_evidence(samples, &step, gate, (struct instant){now}, evidence);
	return evidence->evidence;
}

static void assert_ratio(const struct gate *gate, double sessions, double events, double baseline_sessions,
			 double baseline_events)
{
	struct sample_evidence all;
	struct gate_evidence evidence = evidence_of(gate, &all, NOW);

	assert_int_equal(evidence.source, GATE_PASS);
	assert_true(evidence.candidate.sessions == sessions && evidence.candidate.events == events);
	assert_true(evidence.baseline.sessions == baseline_sessions && evidence.baseline.events == baseline_events);
	assert_null(all.bins);
}

static void test_a_session_counts_once(void **state)
{
	(void)state;
	assert_int_equal(put(&ratio, "v2", "a", 1, 0).accepted, 1);
	assert_int_equal(put(&ratio, "v2", "a", 0, 0).known, 1); /* ... as it was said first */
	assert_int_equal(put(&ratio, "v2", "b", 0, 0).accepted, 1);
	assert_int_equal(put(&ratio, "v1", "a", 1, 0).accepted, 1); /* of another version */
	assert_int_equal(put(&cost, "v2", "a", 7, 0).accepted, 1);  /* for another gate */
	assert_ratio(&ratio, 2, 1, 1, 0);
}

static void test_a_batch_that_repeats_itself(void **state)
{
	const struct sample list[] = {{"a", {0}, {0}, 1}, {"b", {0}, {0}, 1}, {"a", {0}, {0}, 0}};
	struct sample_count count;

	(void)state;
	assert_int_equal(put_list(&step, &ratio, "v2", list, 3, &count), 0);
	assert_int_equal(count.accepted, 2);
	assert_int_equal(count.known, 1);
}

/* For GATE_HIGHER the good sessions are what is counted, for GATE_LOWER the bad ones. */
static void test_events(void **state)
{
	struct gate higher = ratio;

	(void)state;
	higher.better = GATE_HIGHER;
	for (int i = 0; i < 10; i++) {
		char session[16];

		snprintf(session, sizeof(session), "s%d", i);
		put(&ratio, "v2", session, i < 7, 0);
		put(&ratio, "v1", session, i < 9, 0);
	}
	assert_ratio(&ratio, 10, 3, 10, 1);
	assert_ratio(&higher, 10, 7, 10, 9);
}

static void test_only_this_step_counts(void **state)
{
	static const struct {
		const char *name, *version;
		int64_t started, at;
		bool counts;
	} rows[] = {
	    {"began at its very beginning", "v2", NOW - 60000, 0, true},
	    {"began before", "v2", NOW - 60001, 0, false},
	    {"began before, judged now", "v2", NOW - 60001, NOW, false},
	    {"not said, judged before", "v2", 0, NOW - 60001, false},
	    {"not said, judged since", "v2", 0, NOW - 59000, true},
	    {"not said at all", "v1", 0, 0, true},
	    {"a third version", "v3", NOW, 0, false},
	};
	const struct sample_step none = {"agent", "v2", "v1", {0}};
	struct sample_count count = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct sample sample = {rows[i].name, {rows[i].started}, {rows[i].at}, 1};

		assert_int_equal(put_list(&step, &ratio, rows[i].version, &sample, 1, &count), 0);
		row_assert(count.accepted == rows[i].counts && count.unused == !rows[i].counts, rows[i].name, "%d",
			   (int)count.unused);
	}
	assert_int_equal(put_list(&none, &ratio, "v2", &(struct sample){"x", {NOW}, {0}, 1}, 1, &count), 0);
	assert_int_equal(count.unused, 1);
	assert_ratio(&ratio, 2, 0, 1, 0);
}

static void test_dry_run_stores_nothing(void **state)
{
	const struct sample sample = {"a", {0}, {0}, 1};
	const struct sample_batch batch = {
	    .step = step, .gate = &ratio, .version = "v2", .list = &sample, .count = 1, .now = {NOW}, .dry_run = true};
	struct sample_count count;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(samples_put(samples, &batch, &count, &err), 0);
		assert_int_equal(count.accepted, 1);
	}
	assert_int_equal(put(&ratio, "v2", "a", 1, 0).accepted, 1);
}

/* --- evidence -------------------------------------------------------------------------------------------------------------------- */

static void test_bins(void **state)
{
	static const double candidate[] = {3, 1, 1, 2.5}, baseline[] = {1, 7, 2.5};
	static const double values[] = {1, 2.5, 3, 7}, counts[2][4] = {{2, 1, 1, 0}, {1, 1, 0, 1}};
	struct sample_evidence all;
	struct gate_evidence evidence;
	char session[16];

	(void)state;
	for (size_t i = 0; i < COUNT(candidate); i++) {
		snprintf(session, sizeof(session), "c%zu", i);
		put(&cost, "v2", session, candidate[i], 0);
	}
	for (size_t i = 0; i < COUNT(baseline); i++) {
		snprintf(session, sizeof(session), "b%zu", i);
		put(&cost, "v1", session, baseline[i], 0);
	}
	evidence = evidence_of(&cost, &all, NOW);
	assert_int_equal(evidence.source, GATE_PASS);
	assert_true(evidence.candidate.sessions == 4 && evidence.baseline.sessions == 3);
	assert_int_equal(evidence.candidate.bin_count, 4);
	assert_int_equal(evidence.baseline.bin_count, 4);
	assert_memory_equal(evidence.candidate.values, values, sizeof(values));
	assert_memory_equal(evidence.baseline.values, values, sizeof(values));
	assert_memory_equal(evidence.candidate.bins, counts[0], sizeof(counts[0]));
	assert_memory_equal(evidence.baseline.bins, counts[1], sizeof(counts[1]));
	free(all.bins);
}

static void assert_none(const struct gate *gate, int64_t now, const char *reason)
{
	struct sample_evidence all;
	struct gate_evidence evidence = evidence_of(gate, &all, now);

	row_assert(evidence.source == GATE_INCONCLUSIVE && strstr(evidence.reason, reason), reason, "%d %s",
		   (int)evidence.source, evidence.reason);
	assert_null(all.bins);
}

static void test_nothing_to_say(void **state)
{
	struct sample_evidence all;

	(void)state;
	assert_none(&ratio, NOW, "candidate v2");
	put(&ratio, "v2", "a", 1, 0);
	assert_none(&ratio, NOW, "baseline v1");
	put(&ratio, "v1", "a", 1, 0);
	assert_ratio(&ratio, 1, 0, 1, 0);
	samples_evidence(samples, &(struct sample_step){"agent", "v2", "v1", {0}}, &ratio, (struct instant){NOW}, &all);
	assert_string_equal(all.evidence.reason, "no rollout is under way");
}

/* One arm's feed that dries up is enough: the other's new samples do not hide it. */
static void test_stale(void **state)
{
	struct sample_count count;

	(void)state;
	put(&ratio, "v2", "a", 1, 0);
	put(&ratio, "v1", "a", 1, 0);
	assert_int_equal(evidence_of(&ratio, &(struct sample_evidence){0}, NOW + 900000).source, GATE_PASS);
	assert_none(&ratio, NOW + 900001, "stale: the last sample of candidate v2 is 15m");
	assert_int_equal(put_list(&step, &ratio, "v2", &(struct sample){"b", {0}, {NOW + 1000}, 1}, 1, &count), 0);
	assert_none(&ratio, NOW + 900001, "baseline v1");
}

/* --- what stays ------------------------------------------------------------------------------------------------------------------ */

/* Pushed by a host whose clock is ahead: it counts now, and not in a step to come. */
static void test_a_clock_that_is_ahead(void **state)
{
	const struct sample_step next = {"agent", "v2", "v1", {NOW + 1000}};
	const struct sample ahead = {"by its end", {0}, {NOW + 200000}, 1};
	struct sample_count count;

	(void)state;
	assert_int_equal(put(&ratio, "v2", "by its start", 1, NOW + 200000).accepted, 1);
	assert_int_equal(put_list(&step, &ratio, "v2", &ahead, 1, &count), 0);
	assert_int_equal(put(&ratio, "v1", "a", 1, 0).accepted, 1);
	assert_ratio(&ratio, 2, 0, 1, 0);
	assert_int_equal(samples_keep(samples, &next, &err), 0);
	assert_none(&ratio, NOW + 2000, "candidate");
}

static void test_keep(void **state)
{
	const struct sample_step next = {"agent", "v2", "v1", {NOW - 1000}}, other = {"other", "v2", "v1", {NOW - 60000}};
	const struct sample_step none = {"agent", "v2", "v1", {0}};
	struct sample_evidence all;
	struct sample_count count;

	(void)state;
	put(&ratio, "v2", "old", 1, NOW - 2000);
	put(&ratio, "v2", "new", 1, NOW - 1000);
	put(&ratio, "v1", "new", 1, NOW);
	assert_int_equal(put_list(&other, &ratio, "v2", &(struct sample){"x", {0}, {0}, 1}, 1, &count), 0);
	assert_int_equal(samples_keep(samples, &next, &err), 0);
	assert_ratio(&ratio, 1, 0, 1, 0);
	assert_int_equal(put(&ratio, "v2", "old", 1, NOW - 2000).accepted, 1); /* it had gone */
	assert_int_equal(samples_keep(samples, &none, &err), 0);
	assert_none(&ratio, NOW, "candidate");
	samples_evidence(samples, &other, &ratio, (struct instant){NOW}, &all);
	assert_non_null(strstr(all.evidence.reason, "baseline")); /* its candidate is there still */
}

/* Another target took its place: the sessions of the one before are of no use, those of the baseline are. */
static void test_a_version_that_is_out_goes(void **state)
{
	const struct sample_step next = {"agent", "v3", "v1", step.began};

	(void)state;
	put(&ratio, "v2", "a", 1, 0);
	put(&ratio, "v1", "a", 1, 0);
	assert_int_equal(samples_keep(samples, &next, &err), 0);
	assert_int_equal(put(&ratio, "v2", "a", 1, 0).accepted, 1);
	assert_int_equal(put(&ratio, "v1", "a", 1, 0).known, 1);
}

/* A step began, and its clearing away has not been done yet. */
static void test_bins_of_this_step_only(void **state)
{
	const struct sample_step next = {"agent", "v2", "v1", {NOW - 1000}};
	struct sample_evidence all;

	(void)state;
	put(&cost, "v2", "old", 5, NOW - 2000);
	put(&cost, "v2", "new", 6, NOW);
	put(&cost, "v1", "new", 7, NOW);
	put(&cost, "v1", "old", 8, NOW - 1001);
	samples_evidence(samples, &next, &cost, (struct instant){NOW}, &all);
	assert_int_equal(all.evidence.candidate.bin_count, 2);
	assert_true(all.bins[0] == 6 && all.bins[1] == 7);
	assert_true(all.evidence.candidate.sessions == 1 && all.evidence.baseline.sessions == 1);
	free(all.bins);
}

/* Written, acknowledged by a byte, and killed. */
static void put_and_die(int fd)
{
	struct sample_count count;

	open_all();
	if (put_list(&step, &ratio, "v2", &(struct sample){"a", {0}, {0}, 0}, 1, &count) || count.accepted != 1)
		_exit(1);
	if (write(fd, "", 1) == 1)
		kill(getpid(), SIGKILL);
	_exit(1);
}

static void test_what_is_acknowledged_survives_a_kill(void **state)
{
	int fds[2], status;
	char byte;
	pid_t pid;

	(void)state;
	close_all();
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (!pid)
		put_and_die(fds[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(read(fds[0], &byte, 1), 1);
	close(fds[0]);
	close(fds[1]);
	open_all();
	assert_int_equal(put(&ratio, "v2", "a", 1, 0).known, 1);
	put(&ratio, "v1", "a", 1, 0);
	assert_ratio(&ratio, 1, 1, 1, 0);
}

static void fill(char (*names)[24], struct sample *list, size_t count, const struct gate *gate, const char *version)
{
	struct sample_count out;

	for (size_t i = 0; i < count; i++) {
		snprintf(names[i], sizeof(names[i]), "%c%zu", version[1], i);
		list[i] = (struct sample){names[i], {0}, {0}, (double)i};
	}
	assert_int_equal(put_list(&step, gate, version, list, count, &out), 0);
	assert_int_equal(out.accepted, count);
}

static void test_there_is_a_bound(void **state)
{
	char(*names)[24] = calloc(SAMPLES_MAX, sizeof(*names));
	struct sample *list = calloc(SAMPLES_MAX, sizeof(*list));
	struct sample_evidence all;
	struct sample_count count;
	int64_t began;

	(void)state;
	fill(names, list, SAMPLES_MAX / 2, &cost, "v2");
	fill(names, list, SAMPLES_MAX / 2 - 1, &cost, "v1");
	assert_int_equal(put_list(&step, &cost, "v1", (struct sample[]){{"x", {0}, {0}, 1}, {"y", {0}, {0}, 1}}, 2, &count),
			 -ERROR_PRECONDITION);
	assert_non_null(strstr(err.message, "99999 samples and takes 100000"));
	assert_int_equal(put(&cost, "v1", "y", 1, 0).accepted, 1); /* none of the two was stored */
	assert_int_equal(put(&cost, "v1", "y", 1, 0).known, 1);
	assert_int_equal(put_list(&step, &cost, "v1", &(struct sample){"z", {0}, {0}, 1}, 1, &count), -ERROR_PRECONDITION);
	assert_int_equal(put(&ratio, "v1", "z", 1, 0).accepted, 1); /* another gate has room */
	close_all();
	open_all(); /* counted anew */
	assert_int_equal(put_list(&step, &cost, "v1", &(struct sample){"z", {0}, {0}, 1}, 1, &count), -ERROR_PRECONDITION);
	began = monotonic_ms();
	assert_int_equal(evidence_of(&cost, &all, NOW).source, GATE_PASS);
	print_message("evidence of %d samples took %lld ms\n", SAMPLES_MAX, (long long)(monotonic_ms() - began));
	assert_int_equal(all.evidence.candidate.bin_count, SAMPLES_MAX / 2);
	free(all.bins);
	assert_int_equal(samples_keep(samples, &(struct sample_step){"agent", "v2", "v1", {NOW + 1}}, &err), 0);
	assert_int_equal(put(&cost, "v1", "z", 1, 0).accepted, 1);
	free(names);
	free(list);
}

/* Evidence of the two kinds is not mixed when a gate is laid down anew. */
static void test_kinds_are_apart(void **state)
{
	struct gate changed = ratio;

	(void)state;
	put(&ratio, "v2", "a", 1, 0);
	put(&ratio, "v1", "a", 1, 0);
	changed.kind = GATE_KIND_DISTRIBUTION;
	assert_none(&changed, NOW, "no sample");
}

/* --- the API --------------------------------------------------------------------------------------------------------------------- */

static struct service *make_service(void)
{
	struct service *service = service_new();

	strcpy(service->name, "agent");
	settings_init(&service->settings);
	service->settings.gates = calloc(3, sizeof(struct gate));
	service->settings.gates[0] = ratio;
	service->settings.gates[1] = cost;
	service->settings.gates[2] = (struct gate){.name = "query", .source = GATE_SOURCE_PROMETHEUS};
	service->settings.gate_count = 3;
	service->settings.gates_given = true;
	service_append_version(service, &(struct version){.id = 1, .label = "v1"});
	service_append_version(service, &(struct version){.id = 2, .label = "v2"});
	service->rollout.state = ROLLOUT_PAUSED;
	service->rollout.step_began = instant_now();
	strcpy(service->rollout.target, "v2");
	strcpy(service->rollout.baseline, "v1");
	return service;
}

static void test_handler(void **state)
{
	static const struct {
		const char *service, *body;
		int rc;
		const char *said; /* in what is done, or in the error */
	} rows[] = {
	    {"agent", "{'gate':'accuracy','version':'v2','session':'a','ok':true}", 0,
	     "samples of gate accuracy for version v2 of agent: 1 accepted, 0 known"},
	    {"agent", "{'gate':'accuracy','version':'v2','session':'a','ok':true}", 0, ": 0 accepted, 1 known"},
	    {"agent", "{'gate':'accuracy','version':'v2','session':'b','ok':true,'started':'2023-11-14T22:13:20Z'}", 0,
	     "0 accepted, 0 known, 1 of no use: the sessions began before the rollout's step"},
	    {"agent", "{'gate':'cost','version':'v1','samples':[{'session':'a','value':1},{'session':'b','value':2}]}", 0,
	     ": 2 accepted"},
	    {"nobody", "{'gate':'accuracy','version':'v2','session':'a','ok':true}", -ERROR_NOT_FOUND, "agent"},
	    {"agent", "{'gate':'acuracy','version':'v2','session':'a','ok':true}", -ERROR_NOT_FOUND, "it has: accuracy, cost"},
	    {"agent", "{'gate':'query','version':'v2','session':'a','ok':true}", -ERROR_NOT_FOUND, "it has: accuracy, cost"},
	    {"agent", "{'gate':'accuracy','version':'v7','session':'a','ok':true}", -ERROR_NOT_FOUND, "it has: v1, v2"},
	    {"agent", "{'gate':'cost','version':'v2','session':'a','ok':true}", -ERROR_BAD_INPUT, "a number of each session"},
	    {"agent", "{'version':'v2','session':'a','ok':true}", -ERROR_BAD_INPUT, "\"gate\" is missing"},
	    {"agent", "{'gate':'accuracy','session':'a','ok':true}", -ERROR_BAD_INPUT, "\"version\" is missing"},
	};
	static struct daemon daemon;

	(void)state;
	daemon.samples = samples;
	model_replace(&daemon.model, NULL, make_service());
	for (size_t i = 0; i < COUNT(rows); i++) {
		char *text = strdup(rows[i].body);
		struct request request = {.daemon = &daemon, .variable = {(char *)rows[i].service}};
		json_t *reply = NULL;
		const char *said;
		int rc;

		for (char *c = text; *c; c++)
			*c = *c == '\'' ? '"' : *c;
		request.body = json_loads(text, 0, NULL);
		rc = handle_samples(&request, &reply, &err);
		said = rc ? err.message : json_string_value(json_object_get(reply, "done"));
		row_assert(rc == rows[i].rc && strstr(said, rows[i].said), rows[i].body, "%d: %s", rc, said);
		said = json_string_value(json_object_get(reply, "unused_why"));
		row_assert(!said == !strstr(rows[i].said, "of no use") && (!said || strstr(rows[i].said, said)), rows[i].body,
			   "the cause apart is %s", said ? said : "none");
		json_decref(reply);
		json_decref(request.body);
		free(text);
	}
	model_fini(&daemon.model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_read, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_session_counts_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_batch_that_repeats_itself, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_events, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_only_this_step_counts, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_dry_run_stores_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_bins, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_nothing_to_say, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_stale, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_clock_that_is_ahead, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_keep, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_version_that_is_out_goes, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_bins_of_this_step_only, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_what_is_acknowledged_survives_a_kill, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_there_is_a_bound, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_kinds_are_apart, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_handler, setup, teardown),
	};

	return cmocka_run_group_tests_name("samples", tests, NULL, NULL);
}
