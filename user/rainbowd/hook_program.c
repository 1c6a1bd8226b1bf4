// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Running a hook's program. Its end comes by a pidfd, not by SIGCHLD, so that no child of others is reaped here. Both outputs are one
 * pipe, of which the end is kept. A pid is signalled only while it is not reaped: it can not be another's yet.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <event2/event.h>
#include "hook_program.h"

#define FACTS_MAX     32
#define KILL_PATIENCE 1000 /* ms: a process that SIGKILL does not end sooner hangs in the kernel, and is left */

/* --- its environment ------------------------------------------------------------------------------------------------------------- */

static char *environment_name(const char *key, char *out)
{
	char *c = out;

	for (; *key; key++)
		*c++ = isalnum((unsigned char)*key) ? (char)toupper((unsigned char)*key) : '_';
	*c = '\0';
	return out;
}

/* NAME=value for a fact that is one word or number; NULL for what is none, and without memory. A NUL ends it. */
static char *environment_row(const char *key, const json_t *value)
{
	char name[64], *row = NULL, *dumped = NULL;
	const char *text = json_string_value(value);

	if (strlen(key) >= sizeof(name) || json_is_object(value) || json_is_array(value))
		return NULL;
	if (json_is_null(value))
		text = "";
	else if (!text)
		text = dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
	if (text && asprintf(&row, "RAINBOW_%s=%s", environment_name(key, name), text) < 0)
		row = NULL;
	free(dumped);
	return row;
}

static void environment_free(char **rows)
{
	size_t i;

	for (i = 0; rows && rows[i]; i++)
		free(rows[i]);
	free(rows);
}

/* NULL without memory. */
static char **environment_new(const json_t *facts)
{
	char **rows = calloc(FACTS_MAX + 3, sizeof(*rows)), *all = json_dumps(facts, JSON_COMPACT);
	json_t *json_text = all ? json_string(all) : NULL;
	size_t count = 2;
	const char *key;
	json_t *value;

	if (!rows || !all)
		goto out_of_memory;
	rows[0] = strdup("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	rows[1] = environment_row("json", json_text);
	if (!rows[0] || !rows[1])
		goto out_of_memory;
	json_object_foreach((json_t *)facts, key, value)
	{
		if (count < FACTS_MAX + 2 && (rows[count] = environment_row(key, value)))
			count++;
	}
	json_decref(json_text);
	free(all);
	return rows;
out_of_memory:
	json_decref(json_text);
	free(all);
	environment_free(rows);
	return NULL;
}

/* --- its output ------------------------------------------------------------------------------------------------------------------ */

/* Only the last bytes stay. */
static void tail_append(struct hook_run *run, const char *bytes, size_t length)
{
	size_t drop;

	if (length > sizeof(run->tail)) {
		bytes += length - sizeof(run->tail);
		length = sizeof(run->tail);
	}
	drop = run->tail_length + length > sizeof(run->tail) ? run->tail_length + length - sizeof(run->tail) : 0;
	memmove(run->tail, run->tail + drop, run->tail_length - drop);
	memcpy(run->tail + run->tail_length - drop, bytes, length);
	run->tail_length += length - drop;
}

/* A pipeful at a time: a program that never stops talking does not keep the loop. */
static bool take_output(struct hook_run *run)
{
	char bytes[4096];
	ssize_t length;
	int i;

	for (i = 0; i < 16; i++) {
		length = read(run->output, bytes, sizeof(bytes));
		if (length <= 0)
			return length < 0 && (errno == EAGAIN || errno == EINTR);
		tail_append(run, bytes, (size_t)length);
	}
	return true;
}

static void on_spoke(evutil_socket_t fd, short what, void *arg)
{
	struct hook_run *run = arg;

	(void)fd;
	(void)what;
	if (!take_output(run))
		event_del(run->spoke);
}

/* --- its end --------------------------------------------------------------------------------------------------------------------- */

static void tell_end(struct hook_run *run, const siginfo_t *info)
{
	char fact[80];

	if (run->timed_out) {
		snprintf(fact, sizeof(fact), "no end within %lld ms, killed", (long long)run->timeout_ms);
		hook_finish(run, HOOK_TIMEOUT, 0, fact, run->tail, run->tail_length);
	} else if (info->si_code == CLD_EXITED) {
		snprintf(fact, sizeof(fact), "exit code %d", info->si_status);
		hook_finish(run, info->si_status ? HOOK_FAILED : HOOK_OK, info->si_status, fact, run->tail, run->tail_length);
	} else {
		snprintf(fact, sizeof(fact), "killed by signal %d", info->si_status);
		hook_finish(run, HOOK_FAILED, 0, fact, run->tail, run->tail_length);
	}
}

static void on_ended(evutil_socket_t fd, short what, void *arg)
{
	struct hook_run *run = arg;
	siginfo_t info = {0};
	int rc;

	(void)fd;
	(void)what;
	rc = waitid(P_PIDFD, (id_t)run->pidfd, &info, WEXITED | WNOHANG);
	if (!rc && !info.si_pid)
		return;
	run->pid = 0;
	take_output(run);
	if (rc)
		hook_finish(run, HOOK_FAILED, 0, "its exit code was taken by another", run->tail, run->tail_length);
	else
		tell_end(run, &info);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	struct hook_run *run = arg;

	(void)fd;
	(void)what;
	run->timed_out = true;
	kill(-run->pid, SIGKILL);
}

static void event_drop(struct event **event)
{
	if (*event)
		event_free(*event);
	*event = NULL;
}

static void close_drop(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void hook_program_end(struct hook_run *run)
{
	struct pollfd ended = {.fd = run->pidfd, .events = POLLIN};
	siginfo_t info;

	if (run->pid) {
		kill(-run->pid, SIGKILL);
		poll(&ended, 1, KILL_PATIENCE);
		waitid(P_PIDFD, (id_t)run->pidfd, &info, WEXITED | WNOHANG);
		run->pid = 0;
	}
	event_drop(&run->begun);
	event_drop(&run->ended);
	event_drop(&run->spoke);
	event_drop(&run->late);
	close_drop(&run->pidfd);
	close_drop(&run->output);
}

/* --- its beginning --------------------------------------------------------------------------------------------------------------- */

/* No signal is blocked or ignored in it, no descriptor but the three is open. */
static int spawn(struct hook_run *run, int output, char **environment)
{
	short flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	char *argv[] = {run->place, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, flags);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawn_file_actions_init(&actions);
	rc = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	rc = rc ? rc : posix_spawn_file_actions_adddup2(&actions, output, 1);
	rc = rc ? rc : posix_spawn_file_actions_adddup2(&actions, 1, 2);
	rc = rc ? rc : posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	rc = rc ? rc : posix_spawn_file_actions_addchdir_np(&actions, "/");
	rc = rc ? rc : posix_spawn(&run->pid, run->place, &actions, &attributes, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	if (rc)
		run->pid = 0;
	return rc;
}

/* 0, or an error number. */
static int start(struct hook_run *run)
{
	char **environment = environment_new(run->facts);
	int pipes[2], rc;

	if (!environment)
		return ENOMEM;
	if (pipe2(pipes, O_CLOEXEC)) {
		environment_free(environment);
		return errno;
	}
	run->output = pipes[0];
	fcntl(run->output, F_SETFL, O_NONBLOCK);
	rc = spawn(run, pipes[1], environment);
	close(pipes[1]);
	environment_free(environment);
	if (rc)
		return rc;
	run->pidfd = pidfd_open(run->pid, 0);
	return run->pidfd < 0 ? errno : 0;
}

/* Without a pidfd there is nothing to wait with: it is killed, and waited for at once. */
static void fail_start(struct hook_run *run, int rc)
{
	char fact[GATE_REASON_SIZE];

	if (run->pid && run->pidfd < 0) {
		kill(-run->pid, SIGKILL);
		waitpid(run->pid, NULL, 0);
		run->pid = 0;
	}
	snprintf(fact, sizeof(fact), "can not run %.180s: %s", run->place, strerror(rc));
	hook_finish(run, HOOK_FAILED, 0, fact, "", 0);
}

static void on_begun(evutil_socket_t fd, short what, void *arg)
{
	struct hook_run *run = arg;
	struct timeval timeout = {run->timeout_ms / 1000, run->timeout_ms % 1000 * 1000};
	int rc = start(run);

	(void)fd;
	(void)what;
	if (rc) {
		fail_start(run, rc);
		return;
	}
	run->ended = event_new(run->hook->base, run->pidfd, EV_READ | EV_PERSIST, on_ended, run);
	run->spoke = event_new(run->hook->base, run->output, EV_READ | EV_PERSIST, on_spoke, run);
	run->late = evtimer_new(run->hook->base, on_late, run);
	if (!run->ended || !run->spoke || !run->late) {
		hook_finish(run, HOOK_FAILED, 0, "out of memory", "", 0);
		return;
	}
	event_add(run->ended, NULL);
	event_add(run->spoke, NULL);
	event_add(run->late, &timeout);
}

int hook_program_begin(struct hook_run *run)
{
	run->begun = event_new(run->hook->base, -1, 0, on_begun, run);
	if (!run->begun)
		return -ENOMEM;
	event_active(run->begun, 0, 0);
	return 0;
}
