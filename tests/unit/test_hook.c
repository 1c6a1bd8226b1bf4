// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* user/rainbowd/hook.c: real programs and a real web server; what they get, how each end is told, that nothing of them stays. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <event2/event.h>
#include "tests/unit/table_test.h"
#include "tests/unit/web.h"
#include "rainbowd/fetch.h"
#include "rainbowd/hook.h"

static char directory[64];
static struct web web;
static struct event_base *base;
static struct fetch *fetch;
static struct hook *hook;
static json_t *facts;

struct heard {
	int calls;
	struct hook_result result;
	bool stays; /* the loop goes on */
};

static void on_done(const struct hook_result *result, void *arg)
{
	struct heard *heard = arg;

	heard->calls++;
	heard->result = *result;
	if (!heard->stays)
		event_base_loopbreak(base);
}

/* --- the ground ------------------------------------------------------------------------------------------------------------------ */

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static const char *script(const char *body)
{
	const char *path = path_of("script");
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

	assert_true(dprintf(fd, "#!/bin/sh\n%s\n", body) > 0);
	close(fd);
	return path;
}

/* Waits for it, for two seconds at most. */
static bool appears(const char *path)
{
	for (int i = 0; i < 200; i++) {
		if (access(path, F_OK) == 0)
			return true;
		usleep(10000);
	}
	return false;
}

static const char *read_file(const char *name)
{
	static char text[8192];
	int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);
	ssize_t length = read(fd, text, sizeof(text) - 1);

	assert_true(length >= 0);
	text[length] = '\0';
	close(fd);
	return text;
}

static int setup(void **state)
{
	struct error err;

	(void)state;
	base = event_base_new();
	facts = json_pack("{s:s, s:s, s:s, s:i, s:n, s:b, s:[i]}", "event", "gate", "service", "agent", "version", "v2",
			  "sessions", 7, "nothing", "last", 1, "list", 1);
	return fetch_new(&fetch, base, &err) ?: hook_new(&hook, base, fetch, &err);
}

/* No child is left over, not even a dead one: only the web server is there. */
static int teardown(void **state)
{
	int status;

	(void)state;
	hook_free(hook);
	fetch_free(fetch);
	event_base_free(base);
	json_decref(facts);
	return waitpid(-1, &status, WNOHANG) == 0 ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
	(void)info;
	(void)type;
	(void)walk;
	return remove(path);
}

static void on_patience(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	*(bool *)arg = true;
	event_base_loopbreak(base);
}

static void run(void)
{
	const struct timeval patience = {10, 0};
	bool late = false;
	struct event *timer = evtimer_new(base, on_patience, &late);

	event_add(timer, &patience);
	event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY);
	event_free(timer);
	assert_false(late);
}

static void begin(struct heard *heard, const char *place, int64_t timeout_ms)
{
	const struct hook_order order = {.place = place, .facts = facts, .timeout = {timeout_ms}};

	memset(heard, 0, sizeof(*heard));
	assert_int_equal(hook_run(hook, &order, on_done, heard), 0);
	assert_int_equal(heard->calls, 0);
}

static void run_alone(struct heard *heard, const char *place, int64_t timeout_ms)
{
	begin(heard, place, timeout_ms);
	run();
	assert_int_equal(heard->calls, 1);
}

/* --- how it ends ----------------------------------------------------------------------------------------------------------------- */

static void test_ends_of_programs(void **state)
{
	static const struct {
		const char *body; /* of a script; an absolute path is run itself */
		enum hook_outcome outcome;
		int code;
		const char *reason;
		enum gate_verdict verdict;
	} rows[] = {
	    {"/bin/true", HOOK_OK, 0, "exit code 0", GATE_PASS},
	    {"/bin/false", HOOK_FAILED, 1, "exit code 1", GATE_FAIL},
	    {"exit 75", HOOK_FAILED, 75, "exit code 75", GATE_INCONCLUSIVE},
	    {"exit 2", HOOK_FAILED, 2, "exit code 2", GATE_ERROR},
	    {"exit 425", HOOK_FAILED, 169, "exit code 169", GATE_ERROR},
	    {"kill -9 $$", HOOK_FAILED, 0, "killed by signal 9", GATE_ERROR},
	    {"echo fine; echo 'cluster is' gone >&2; echo; exit 3", HOOK_FAILED, 3, "exit code 3: cluster is gone", GATE_ERROR},
	    {"printf 'no newline'", HOOK_OK, 0, "exit code 0: no newline", GATE_PASS},
	    {"printf 'a\\033[31m\\377b\\n'", HOOK_OK, 0, "exit code 0: a?[31m?b", GATE_PASS},
	    {"/nowhere/hook", HOOK_FAILED, 0, "can not run /nowhere/hook: No such file or directory", GATE_ERROR},
	    {"/etc/passwd", HOOK_FAILED, 0, "can not run /etc/passwd: Permission denied", GATE_ERROR},
	};
	struct gate_evidence evidence;
	struct heard heard;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		run_alone(&heard, rows[i].body[0] == '/' ? rows[i].body : script(rows[i].body), 5000);
		row_assert(heard.result.outcome == rows[i].outcome && heard.result.code == rows[i].code, rows[i].body,
			   "%d %d %s", (int)heard.result.outcome, heard.result.code, heard.result.reason);
		row_assert(strcmp(heard.result.reason, rows[i].reason) == 0, rows[i].body, "%s", heard.result.reason);
		hook_evidence(&heard.result, &evidence);
		row_assert(evidence.source == rows[i].verdict, rows[i].body, "%d", (int)evidence.source);
		assert_string_equal(evidence.reason, heard.result.reason);
		row_assert(strstr(heard.result.reason, heard.result.said), rows[i].body, "%s", heard.result.said);
	}
}

static void test_ends_of_posts(void **state)
{
	static const struct {
		const char *path;
		enum hook_outcome outcome;
		int code;
		const char *reason;
		enum gate_verdict verdict;
	} rows[] = {
	    {"/status/200", HOOK_OK, 200, "HTTP 200: answer 200", GATE_PASS},
	    {"/status/202", HOOK_OK, 202, "HTTP 202: answer 202", GATE_PASS},
	    {"/status/409", HOOK_FAILED, 409, "HTTP 409: answer 409", GATE_FAIL},
	    {"/status/425", HOOK_FAILED, 425, "HTTP 425: answer 425", GATE_INCONCLUSIVE},
	    {"/status/404", HOOK_FAILED, 404, "HTTP 404: answer 404", GATE_ERROR},
	    {"/status/500", HOOK_FAILED, 500, "HTTP 500: answer 500", GATE_ERROR},
	    {"/redirect/http://10.0.0.1/x", HOOK_FAILED, 302, "HTTP 302, give that URL instead: http://10.0.0.1/x", GATE_ERROR},
	    {"/cut", HOOK_FAILED, 0, "", GATE_ERROR},
	};
	struct gate_evidence evidence;
	struct heard heard;
	char url[128];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(url, sizeof(url), "%s%s", web.url, rows[i].path);
		run_alone(&heard, url, 5000);
		row_assert(heard.result.outcome == rows[i].outcome && heard.result.code == rows[i].code, rows[i].path, "%d %d",
			   (int)heard.result.outcome, heard.result.code);
		row_assert(!strncmp(heard.result.reason, rows[i].reason, strlen(rows[i].reason)) && heard.result.reason[0],
			   rows[i].path, "%s", heard.result.reason);
		hook_evidence(&heard.result, &evidence);
		row_assert(evidence.source == rows[i].verdict, rows[i].path, "%d", (int)evidence.source);
	}
}

/* The same number means another thing there. */
static void test_codes_are_of_their_kind(void **state)
{
	static const struct {
		struct hook_result result;
		enum gate_verdict verdict;
	} rows[] = {
	    {{.outcome = HOOK_FAILED, .code = 409, .is_program = true}, GATE_ERROR},
	    {{.outcome = HOOK_FAILED, .code = 425, .is_program = true}, GATE_ERROR},
	    {{.outcome = HOOK_FAILED, .code = 1}, GATE_ERROR},
	    {{.outcome = HOOK_FAILED, .code = 75}, GATE_ERROR},
	    {{.outcome = HOOK_TIMEOUT, .code = 1, .is_program = true}, GATE_ERROR},
	    {{.outcome = HOOK_CANCELLED, .code = 0, .is_program = true}, GATE_ERROR},
	};
	struct gate_evidence evidence;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		hook_evidence(&rows[i].result, &evidence);
		assert_int_equal(evidence.source, rows[i].verdict);
	}
}

/* --- what it gets ---------------------------------------------------------------------------------------------------------------- */

static void assert_has_line(const char *text, const char *line)
{
	const char *at = strstr(text, line);

	row_assert(at && (at == text || at[-1] == '\n') && at[strlen(line)] == '\n', line, "%s", text);
}

static void test_what_a_program_gets(void **state)
{
	char body[512];
	int leak = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */
	struct heard heard;
	const char *text;

	(void)state;
	setenv("SECRET_OF_RAINBOWD", "x", 1);
	signal(SIGPIPE, SIG_IGN);
	snprintf(
	    body, sizeof(body),
	    "cd %s && env >env && cat >stdin && ls /proc/self/fd >fds && grep -E '^Sig(Blk|Ign)' /proc/self/status >signals\n"
	    "ps -o pid=,pgid= -p $$ >group; readlink /proc/$PPID/cwd; echo $$ >pid",
	    directory);
	run_alone(&heard, script(body), 5000);
	assert_int_equal(heard.result.outcome, HOOK_OK);
	text = read_file("env");
	assert_has_line(text, "RAINBOW_EVENT=gate");
	assert_has_line(text, "RAINBOW_SERVICE=agent");
	assert_has_line(text, "RAINBOW_VERSION=v2");
	assert_has_line(text, "RAINBOW_SESSIONS=7");
	assert_has_line(text, "RAINBOW_NOTHING=");
	assert_has_line(text, "RAINBOW_LAST=true");
	assert_has_line(text, "RAINBOW_JSON={\"event\":\"gate\",\"service\":\"agent\",\"version\":\"v2\",\"sessions\":7,"
			      "\"nothing\":null,\"last\":true,\"list\":[1]}");
	assert_null(strstr(text, "RAINBOW_LIST"));
	assert_null(strstr(text, "SECRET"));
	assert_string_equal(read_file("stdin"), "");
	assert_string_equal(read_file("fds"), "0\n1\n2\n3\n"); /* 3 is the folder that ls reads */
	text = read_file("signals");
	assert_non_null(strstr(text, "SigBlk:\t0000000000000000"));
	/* 32 and 33 are glibc's own: its posix_spawn ignores them. */
	assert_int_equal(strtoull(strstr(text, "SigIgn:") + strlen("SigIgn:"), NULL, 16) & 0x7fffffff, 0);
	{
		int pid = 0, group = 0;

		assert_int_equal(sscanf(read_file("group"), "%d %d", &pid, &group), 2);
		assert_int_equal(pid, group);
		assert_int_not_equal(group, getpgrp());
	}
	close(leak);
}

static void test_what_a_url_gets(void **state)
{
	struct heard heard;
	char url[96];

	(void)state;
	snprintf(url, sizeof(url), "%s/echo", web.url);
	run_alone(&heard, url, 5000);
	assert_non_null(strstr(heard.result.said, "\"method\": \"POST\""));
	assert_non_null(strstr(heard.result.said, "\\\"service\\\":\\\"agent\\\""));
}

static void test_much_is_said(void **state)
{
	struct heard heard;

	(void)state;
	run_alone(&heard, script("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo the last line"), 9000);
	assert_string_equal(heard.result.reason, "exit code 0: the last line");
	run_alone(&heard, script("head -c 3000 /dev/zero | tr '\\0' y"), 5000);
	assert_int_equal(strlen(heard.result.said), sizeof(heard.result.said) - 1);
	assert_int_equal(strlen(heard.result.reason), sizeof(heard.result.reason) - 1);
}

/* --- time ------------------------------------------------------------------------------------------------------------------------ */

static bool process_is_gone(pid_t pid)
{
	for (int i = 0; i < 200; i++) {
		if (kill(pid, 0) && errno == ESRCH)
			return true;
		usleep(10000);
	}
	return false;
}

static int saved_pid(const char *name)
{
	assert_true(appears(path_of(name)));
	for (int i = 0; i < 100 && !atoi(read_file(name)); i++)
		usleep(10000);
	return atoi(read_file(name));
}

static const char *sleeper(void)
{
	static char body[512];

	snprintf(body, sizeof(body),
		 "cd %s; rm -f child parent; sleep 600 & echo $! >child; echo $$ >parent; echo asleep; wait", directory);
	return script(body);
}

/* Its children go with it; an orphan's death is its reaper's to see, so an entry that only waits for that counts as gone. */
static void assert_killed(const char *name)
{
	char path[64], state = 0;
	int pid = saved_pid(name);
	FILE *stat;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (int i = 0; i < 200 && state != 'Z'; i++) {
		stat = fopen(path, "re");
		if (!stat)
			return;
		if (fscanf(stat, "%*d %*s %c", &state) != 1)
			state = 0;
		fclose(stat);
		usleep(10000);
	}
	assert_int_equal(state, 'Z');
}

static void test_timeout_kills_the_group(void **state)
{
	int64_t began = monotonic_ms();
	struct heard heard;

	(void)state;
	run_alone(&heard, sleeper(), 300);
	assert_int_equal(heard.result.outcome, HOOK_TIMEOUT);
	assert_string_equal(heard.result.reason, "no end within 300 ms, killed: asleep");
	assert_in_range(monotonic_ms() - began, 290, 3000);
	assert_true(process_is_gone(saved_pid("parent")));
	assert_killed("child");
}

static void test_timeout_of_a_post(void **state)
{
	struct heard heard;
	char url[96];

	(void)state;
	snprintf(url, sizeof(url), "%s/slow", web.url);
	run_alone(&heard, url, 200);
	assert_int_equal(heard.result.outcome, HOOK_TIMEOUT);
	assert_string_equal(heard.result.reason, "no answer within 200 ms");
}

/* A child that goes on holds the output open: the hook has ended nevertheless. */
static void test_what_it_leaves_behind_does_not_hold_it(void **state)
{
	int64_t began = monotonic_ms();
	struct heard heard;
	char body[256];

	(void)state;
	snprintf(body, sizeof(body), "sleep 600 & echo $! >%s/left; echo started", directory);
	run_alone(&heard, script(body), 5000);
	assert_string_equal(heard.result.reason, "exit code 0: started");
	assert_true(monotonic_ms() - began < 3000);
	assert_int_equal(kill(saved_pid("left"), SIGKILL), 0); /* it lives on */
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	++*(int *)arg;
}

static void test_the_loop_goes_on(void **state)
{
	const struct timeval every = {0, 10000};
	int ticks = 0;
	struct event *tick = event_new(base, -1, EV_PERSIST, on_tick, &ticks);
	struct heard heard;

	(void)state;
	event_add(tick, &every);
	run_alone(&heard, script("sleep 0.5"), 5000);
	assert_true(ticks >= 20);
	event_free(tick);
}

/* The exit code of a child that is another's stays there for him. */
static void test_children_of_others_are_left_to_them(void **state)
{
	struct heard heard;
	int status = 0;
	pid_t other = fork();

	(void)state;
	if (!other)
		_exit(42);
	run_alone(&heard, script("sleep 0.1; exit 7"), 5000);
	assert_int_equal(heard.result.code, 7);
	assert_int_equal(waitpid(other, &status, 0), other);
	assert_int_equal(WEXITSTATUS(status), 42);
}

/* --- the end --------------------------------------------------------------------------------------------------------------------- */

static void test_cancel_and_shutdown(void **state)
{
	struct heard program, post, never;
	struct error err;
	char url[96];

	(void)state;
	snprintf(url, sizeof(url), "%s/slow", web.url);
	begin(&program, sleeper(), 60000);
	begin(&post, url, 60000);
	program.stays = post.stays = true;
	event_base_loop(base, EVLOOP_ONCE);
	saved_pid("child");
	begin(&never, "/bin/true", 60000); /* not even begun */
	hook_cancel(hook, &never);
	assert_int_equal(never.result.outcome, HOOK_CANCELLED);
	assert_int_equal(post.calls, 0);
	hook_free(hook);
	assert_int_equal(program.calls, 1);
	assert_int_equal(program.result.outcome, HOOK_CANCELLED);
	assert_int_equal(post.calls, 1);
	assert_int_equal(post.result.outcome, HOOK_CANCELLED);
	assert_true(process_is_gone(saved_pid("parent")));
	assert_killed("child");
	assert_int_equal(hook_new(&hook, base, fetch, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_ends_of_programs, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_ends_of_posts, setup, teardown),
	    cmocka_unit_test(test_codes_are_of_their_kind),
	    cmocka_unit_test_setup_teardown(test_what_a_program_gets, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_what_a_url_gets, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_much_is_said, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_timeout_kills_the_group, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_timeout_of_a_post, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_what_it_leaves_behind_does_not_hold_it, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_the_loop_goes_on, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_children_of_others_are_left_to_them, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_cancel_and_shutdown, setup, teardown),
	};
	int failed;

	if (!web_alone()) {
		print_message("skipped: it needs root, for a network namespace\n");
		return 77;
	}
	strcpy(directory, "/tmp/rainbow-hook-XXXXXX");
	if (!mkdtemp(directory))
		return 1;
	web_start(&web, NULL, NULL);
	failed = cmocka_run_group_tests_name("hook", tests, NULL, NULL);
	web_stop(&web);
	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return failed;
}
