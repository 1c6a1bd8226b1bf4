// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * user/rainbowd/sources.c: questions that are due, their answers, and that these go with the step. Against a web server that answers a
 * query with itself (labels are numbers here), real programs, and a real database.
 */
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <event2/event.h>
#include "tests/unit/table_test.h"
#include "tests/unit/web.h"
#include "common/text.h"
#include "rainbowd/fetch.h"
#include "rainbowd/hook.h"
#include "rainbowd/model.h"
#include "rainbowd/samples.h"
#include "rainbowd/sources.h"
#include "rainbowd/store.h"

#define NOW 1700000000000ll

static char directory[64];
static struct web web;
static struct event_base *base;
static struct fetch *fetch;
static struct hook *hook;
static struct store *store;
static struct samples *samples;
static struct sources *sources;
static struct service *service;
static struct gate *gate; /* its only one */
static struct error err;

static int setup(void **state)
{
	int rc;

	(void)state;
	strcpy(directory, "/tmp/rainbow-sources-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	base = event_base_new();
	rc = store_open(&store, directory, &err);
	rc = rc ? rc : samples_open(&samples, store, &err);
	rc = rc ? rc : fetch_new(&fetch, base, &err);
	rc = rc ? rc : hook_new(&hook, base, fetch, &err);
	rc = rc ? rc : sources_new(&sources, fetch, hook, samples, &err);
	service = service_new();
	strcpy(service->name, "agent");
	settings_init(&service->settings);
	service->settings.gates = gate = calloc(1, sizeof(*gate));
	service->settings.gate_count = 1;
	service->settings.gates_given = true;
	strcpy(gate->name, "quality");
	gate->interval.ms = 30000;
	gate->timeout.ms = 5000;
	service->rollout.number = 17;
	service->rollout.state = ROLLOUT_RUNNING;
	service->rollout.plan = service->settings.plan;
	service->rollout.step = 1;
	service->rollout.step_began.unix_ms = NOW;
	strcpy(service->rollout.target, "0.25");
	strcpy(service->rollout.baseline, "0.5");
	return rc;
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
	sources_free(sources);
	hook_free(hook);
	fetch_free(fetch);
	samples_close(samples);
	store_close(store);
	event_base_free(base);
	service_free(service);
	return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void ask_prometheus(const char *query, const char *samples_query)
{
	gate->source = GATE_SOURCE_PROMETHEUS;
	gate->kind = GATE_KIND_VALUE;
	snprintf(gate->url, sizeof(gate->url), "%s/prometheus/", web.url);
	strcpy(gate->query, query);
	strcpy(gate->samples_query, samples_query);
}

static struct source_evidence look(int64_t now)
{
	struct source_evidence evidence;

	sources_evidence(sources, service, gate, (struct instant){now}, &evidence);
	return evidence;
}

/* Polls at `now` and runs the loop until there is an answer with another number. */
static struct source_evidence answer_at(int64_t now)
{
	uint64_t before = look(now).answer;
	int64_t began = monotonic_ms();

	sources_poll(sources, service, (struct instant){now});
	while (look(now).answer == before && monotonic_ms() - began < 8000) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
	assert_int_not_equal(look(now).answer, before);
	return look(now);
}

/* Polls, runs the loop a while, and nothing comes. */
static void assert_nothing_comes(int64_t now, int ms)
{
	uint64_t before = look(now).answer;
	int64_t began = monotonic_ms();

	sources_poll(sources, service, (struct instant){now});
	while (monotonic_ms() - began < ms)
		event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(look(now).answer, before);
}

static void test_four_answers_are_one_evidence(void **state)
{
	struct source_evidence evidence;

	(void)state;
	ask_prometheus("$version", "1$version");
	evidence = look(NOW);
	assert_int_equal(evidence.evidence.source, GATE_INCONCLUSIVE);
	assert_string_equal(evidence.evidence.reason, "no answer yet");
	evidence = answer_at(NOW + 1000);
	assert_int_equal(evidence.evidence.source, GATE_PASS);
	assert_true(evidence.evidence.candidate.value == 0.25 && evidence.evidence.baseline.value == 0.5);
	assert_true(evidence.evidence.candidate.sessions == 10.25 && evidence.evidence.baseline.sessions == 10.5);
	assert_false(evidence.sessions_missing);
	assert_int_equal(evidence.asked.unix_ms, NOW + 1000);
}

static void test_without_samples_query(void **state)
{
	struct source_evidence evidence;

	(void)state;
	ask_prometheus("$baseline", "");
	evidence = answer_at(NOW);
	assert_true(evidence.evidence.candidate.value == 0.5 && evidence.evidence.baseline.value == 0.5);
	assert_true(evidence.sessions_missing);
}

/* The query goes empty, then errors, then comes back. */
static void test_each_answer_counts(void **state)
{
	static const struct {
		const char *query;
		enum gate_verdict source;
		const char *reason;
	} rows[] = {
	    {"$version", GATE_PASS, ""},
	    {"empty", GATE_INCONCLUSIVE, "candidate: the query gives no series"},
	    {"NaN", GATE_INCONCLUSIVE, "candidate: the query gives NaN"},
	    {"broken", GATE_ERROR, "candidate: Prometheus answers 400, bad_data: broken"},
	    {"$nothing", GATE_ERROR, "candidate: unknown variable $nothing"},
	    {"$version", GATE_PASS, ""},
	};
	struct source_evidence evidence;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		ask_prometheus(rows[i].query, "");
		evidence = answer_at(NOW + (int64_t)i * 30000);
		row_assert(evidence.evidence.source == rows[i].source, rows[i].query, "%s", evidence.evidence.reason);
		row_assert(!strncmp(evidence.evidence.reason, rows[i].reason, strlen(rows[i].reason)), rows[i].query, "%s",
			   evidence.evidence.reason);
	}
	strcpy(gate->url, "http://127.0.0.1:1");
	assert_non_null(strstr(answer_at(NOW + 900000).evidence.reason, "connect"));
	snprintf(gate->url, sizeof(gate->url), "%s/redirect/http://10.0.0.1", web.url);
	evidence = answer_at(NOW + 930000);
	assert_int_equal(evidence.evidence.source, GATE_ERROR);
	assert_non_null(strstr(evidence.evidence.reason, "give that URL instead: http://10.0.0.1/api"));
}

static void test_asked_when_due(void **state)
{
	uint64_t first;

	(void)state;
	ask_prometheus("$version", "");
	first = answer_at(NOW).answer;
	assert_nothing_comes(NOW + 29999, 100);
	assert_true(answer_at(NOW + 30000).answer > first);
	assert_nothing_comes(NOW + 30001, 100);
	assert_true(answer_at(NOW - 1000).answer > first); /* the clock was set back: not for an hour nothing */
}

/* How many questions the server has had, when it had these two. */
static int count_questions(int64_t now)
{
	struct gate_evidence evidence;

	ask_prometheus("asked", "");
	evidence = answer_at(now).evidence;
	return (int)(evidence.candidate.value > evidence.baseline.value ? evidence.candidate.value : evidence.baseline.value);
}

static void test_one_question_at_a_time(void **state)
{
	int before = count_questions(NOW);

	(void)state;
	ask_prometheus("slow", "");
	gate->timeout.ms = 60000;
	for (int i = 0; i < 5; i++)
		assert_nothing_comes(NOW + 30000 * (i + 1), 50);
	assert_int_equal(count_questions(NOW + 300000), before + 2 + 2);
}

static void test_timeout_is_an_error(void **state)
{
	struct source_evidence evidence;

	(void)state;
	ask_prometheus("slow", "");
	gate->timeout.ms = 150;
	evidence = answer_at(NOW);
	assert_int_equal(evidence.evidence.source, GATE_ERROR);
	assert_string_equal(evidence.evidence.reason, "candidate: no answer within 150 ms");
}

static void test_an_answer_gets_old(void **state)
{
	(void)state;
	ask_prometheus("$version", "");
	answer_at(NOW);
	assert_int_equal(look(NOW + 95000).evidence.source, GATE_PASS);
	assert_int_equal(look(NOW + 95001).evidence.source, GATE_INCONCLUSIVE);
	assert_string_equal(look(NOW + 95001).evidence.reason, "stale: the last answer is 1m35s old");
}

/* Also one that is under way: it was asked of another step's sessions. */
static void test_forgotten_with_the_step(void **state)
{
	(void)state;
	ask_prometheus("$version", "");
	answer_at(NOW);
	service->rollout.step = 2;
	service->rollout.step_began.unix_ms = NOW + 1000;
	assert_string_equal(look(NOW + 1000).evidence.reason, "no answer yet");
	sources_poll(sources, service, (struct instant){NOW + 1000}); /* asks at once */
	service->rollout.step = 3;
	service->rollout.state = ROLLOUT_ROLLED_BACK;
	assert_nothing_comes(NOW + 2000, 200);
	assert_string_equal(look(NOW + 2000).evidence.reason, "no answer yet");
}

/* A new query does not inherit the old one's answer; the same gate, copied with its service, does. */
static void test_forgotten_with_the_gate(void **state)
{
	struct service *copy;

	(void)state;
	ask_prometheus("$version", "");
	answer_at(NOW);
	gate->margin = 0.5;
	assert_string_equal(look(NOW).evidence.reason, "no answer yet");
	answer_at(NOW);
	copy = service_clone(service);
	service_free(service);
	service = copy;
	gate = service->settings.gates;
	assert_int_equal(look(NOW).evidence.source, GATE_PASS);
}

static const char *script(const char *body)
{
	static char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/script", directory);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	assert_true(dprintf(fd, "#!/bin/sh\n%s\n", body) > 0);
	close(fd);
	return path;
}

static void test_command(void **state)
{
	struct source_evidence evidence;

	(void)state;
	gate->source = GATE_SOURCE_COMMAND;
	gate->kind = GATE_KIND_ANSWER;
	strcpy(gate->command,
	       script("echo $RAINBOW_EVENT $RAINBOW_GATE $RAINBOW_SERVICE $RAINBOW_VERSION $RAINBOW_CANDIDATE "
		      "$RAINBOW_BASELINE $RAINBOW_STEP $RAINBOW_STEPS $RAINBOW_WEIGHT $RAINBOW_ROLLOUT; exit 1"));
	evidence = answer_at(NOW);
	assert_int_equal(evidence.evidence.source, GATE_FAIL);
	assert_string_equal(evidence.evidence.reason, "exit code 1: gate quality agent 0.25 0.25 0.5 2 4 25 17");
}

static void test_webhook(void **state)
{
	struct source_evidence evidence;

	(void)state;
	gate->source = GATE_SOURCE_WEBHOOK;
	gate->kind = GATE_KIND_ANSWER;
	snprintf(gate->url, sizeof(gate->url), "%s/status/425", web.url);
	evidence = answer_at(NOW);
	assert_int_equal(evidence.evidence.source, GATE_INCONCLUSIVE);
	assert_string_equal(evidence.evidence.reason, "HTTP 425: answer 425");
}

static bool is_alive(const char *name)
{
	char path[128], text[16] = "";
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return atoi(text) > 0 && kill(atoi(text), 0) == 0;
}

/* It judges sessions that nobody asks for any more. */
static void test_a_command_ends_with_its_step(void **state)
{
	char body[128];

	(void)state;
	gate->source = GATE_SOURCE_COMMAND;
	snprintf(body, sizeof(body), "echo $$ >%s/pid; exec sleep 600", directory);
	strcpy(gate->command, script(body));
	gate->timeout.ms = 60000;
	sources_poll(sources, service, (struct instant){NOW});
	for (int i = 0; i < 3000 && !is_alive("pid"); i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
	assert_true(is_alive("pid"));
	service->rollout.state = ROLLOUT_COMPLETE;
	sources_poll(sources, service, (struct instant){NOW});
	assert_false(is_alive("pid"));
}

static void push(const char *version, const char *session, int64_t now)
{
	const struct sample sample = {session, {0}, {0}, 1};
	const struct sample_batch batch = {
	    .step = sample_step_of(service), .gate = gate, .version = version, .list = &sample, .count = 1, .now = {now}};
	struct sample_count count;

	assert_int_equal(samples_put(samples, &batch, &count, &err), 0);
	assert_int_equal(count.accepted, 1);
}

static void test_pushed(void **state)
{
	uint64_t answer;

	(void)state;
	gate->source = GATE_SOURCE_PUSH;
	gate->kind = GATE_KIND_RATIO;
	gate->stale_after.ms = 60000;
	sources_poll(sources, service, (struct instant){NOW});
	assert_non_null(strstr(look(NOW).evidence.reason, "no sample"));
	push("0.25", "a", NOW);
	push("0.5", "b", NOW);
	assert_int_equal(look(NOW + 1000).evidence.source, GATE_PASS);
	answer = look(NOW + 1000).answer;
	assert_int_equal(look(NOW + 1500).answer, answer); /* nothing new: not to be judged again */
	push("0.25", "c", NOW + 1600);
	assert_true(look(NOW + 2500).evidence.candidate.sessions == 2);
	assert_non_null(strstr(look(NOW + 70000).evidence.reason, "stale"));
	/* The step after has its own sessions. */
	service->rollout.step_began.unix_ms = NOW + 80000;
	sources_poll(sources, service, (struct instant){NOW + 80000});
	assert_non_null(strstr(look(NOW + 80000).evidence.reason, "no sample"));
	push("0.25", "a", NOW + 80000); /* accepted again: the old row is gone */
	sources_forget(sources, "agent");
	push("0.25", "a", NOW + 80000);
}

/* With questions of all kinds under way. */
static void test_shutdown(void **state)
{
	(void)state;
	ask_prometheus("slow", "slow");
	gate->timeout.ms = 60000;
	sources_poll(sources, service, (struct instant){NOW});
	strcpy(service->name, "other");
	gate->source = GATE_SOURCE_COMMAND;
	strcpy(gate->command, script("sleep 600"));
	sources_poll(sources, service, (struct instant){NOW});
	for (int i = 0; i < 50; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_four_answers_are_one_evidence, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_without_samples_query, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_each_answer_counts, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_asked_when_due, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_one_question_at_a_time, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_timeout_is_an_error, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_an_answer_gets_old, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_forgotten_with_the_step, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_forgotten_with_the_gate, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_command, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_command_ends_with_its_step, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_webhook, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_pushed, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_shutdown, setup, teardown),
	};
	int failed;

	if (!web_alone()) {
		print_message("skipped: it needs root, for a network namespace\n");
		return 77;
	}
	web_start(&web, NULL, NULL);
	failed = cmocka_run_group_tests_name("sources", tests, NULL, NULL);
	web_stop(&web);
	return failed;
}
