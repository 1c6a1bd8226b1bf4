/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * agent-client: many clients of an "AI agent", for tests and the demo. In every turn it checks that the version, the backend
 * and the conversation are those of the greeting. Exit code 1 if a session was moved or lost. Bounded: --duration.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/wait.h>

#include <common/duration.h>
#include <common/error.h>
#include <common/text.h>

#include "tests/lab/client.h"
#include "tests/lab/control.h"

static const char usage_text[] =
    "usage: agent-client --to ADDR:PORT ... [OPTIONS]           sessions with turns, until told to end or --duration\n"
    "       agent-client --to ADDR:PORT ... --race THREADS --record FILE [OPTIONS]    short sessions, as fast as it goes\n"
    "       agent-client --tell PATH COMMAND                    a command to an agent; prints the answer (JSON)\n"
    "       agent-client --timed FILE COMMAND [ARGUMENT ...]    runs it; adds to FILE: CLOCK_MONOTONIC ns before, after, exit "
    "code\n"
    "  --udp            instead of TCP\n"
    "  --sessions N     to begin with (default 1), --rate N a second (default 500)\n"
    "  --interval MS    between turns, give or take a quarter (default 1000); 0: idle, turns only when told\n"
    "  --timeout MS     for a greeting, an answer, an end (default 10000)\n"
    "  --turns N        a session ends after so many turns\n"
    "  --replace        each that ended by itself, or was closed by order, is followed by another\n"
    "  --duration D     after that all sessions are ended (default 10m); --race: default 10s\n"
    "  --from ADDR[+N]  source address, or N addresses from there on, in turn\n"
    "  --ports LOW-HIGH source ports, in turn (used again as soon as may be)\n"
    "  --control PATH   socket for commands\n"
    "  --count N        --race: at most so many sessions (default 200000); --reset: ends them by RST, not FIN\n"
    "commands:\n"
    "  stats | quit                      quit ends all sessions and the program\n"
    "  open N                            more sessions\n"
    "  end|reset|half-close|stall|turn N|all [VERSION]\n"
    "                                    of that version: FIN, RST, FIN but reads on, floods itself and does not read, one "
    "turn\n"
    "  expect-forced VERSION|all|none    from now on a reset of these is by order: forced, not lost\n"
    "  interval MS | rate N | replace 0|1\n";

struct client_options client_options = {
    .sessions = 1, .rate = 500, .interval_ms = 1000, .timeout_ms = 10000, .duration_ms = 600000};

static struct {
	const char *control, *record;
	unsigned long race, count;
	bool resets, has_duration;
} other = {.count = 200000};

static void fail(const char *message)
{
	fprintf(stderr, "agent-client: %s\n", message);
	exit(2);
}

static unsigned long number(const char *text, uint64_t max, const char *option)
{
	struct error error;
	uint64_t value;

	if (number_parse(text, 0, max, &value, option, &error))
		fail(error.message);
	return (unsigned long)value;
}

static void target_parse(const char *text)
{
	struct error error;

	if (client_options.targets == CLIENT_TARGETS)
		fail("too many --to");
	if (endpoint_parse(text, &client_options.target[client_options.targets++], "--to", &error))
		fail(error.message);
}

static void from_parse(char *text)
{
	char *plus = strchr(text, '+');
	struct error error;

	client_options.from_count = plus ? number(plus + 1, 65536, "--from") : 1;
	if (plus)
		*plus = '\0';
	if (addr_parse(text, &client_options.from, "--from", &error))
		fail(error.message);
}

static void ports_parse(const char *text)
{
	if (sscanf(text, "%hu-%hu", &client_options.port_low, &client_options.port_high) != 2 || !client_options.port_low ||
	    client_options.port_high < client_options.port_low)
		fail("--ports LOW-HIGH");
}

static void duration_option(const char *text)
{
	struct duration duration;
	struct error error;

	if (duration_parse(text, &duration, "--duration", &error))
		fail(error.message);
	client_options.duration_ms = (unsigned long)duration.ms;
	other.has_duration = true;
}

enum {
	TO = 'A',
	UDP,
	SESSIONS,
	RATE,
	INTERVAL,
	TIMEOUT,
	TURNS,
	REPLACE,
	DURATION,
	FROM,
	PORTS,
	CONTROL,
	RACE,
	RECORD,
	COUNT,
	RESET
};

static const struct option long_options[] = {
    {"to", required_argument, NULL, TO},
    {"udp", no_argument, NULL, UDP},
    {"sessions", required_argument, NULL, SESSIONS},
    {"rate", required_argument, NULL, RATE},
    {"interval", required_argument, NULL, INTERVAL},
    {"timeout", required_argument, NULL, TIMEOUT},
    {"turns", required_argument, NULL, TURNS},
    {"replace", no_argument, NULL, REPLACE},
    {"duration", required_argument, NULL, DURATION},
    {"from", required_argument, NULL, FROM},
    {"ports", required_argument, NULL, PORTS},
    {"control", required_argument, NULL, CONTROL},
    {"race", required_argument, NULL, RACE},
    {"record", required_argument, NULL, RECORD},
    {"count", required_argument, NULL, COUNT},
    {"reset", no_argument, NULL, RESET},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static void option_take(int option, char *value)
{
	struct client_options *o = &client_options;

	switch (option) {
	case TO:
		target_parse(value);
		break;
	case UDP:
		o->is_udp = true;
		break;
	case SESSIONS:
		o->sessions = number(value, 1000000, "--sessions");
		break;
	case RATE:
		o->rate = number(value, 1000000, "--rate");
		break;
	case INTERVAL:
		o->interval_ms = number(value, 86400000, "--interval");
		break;
	case TIMEOUT:
		o->timeout_ms = number(value, 86400000, "--timeout");
		break;
	case TURNS:
		o->turns = number(value, 1000000000, "--turns");
		break;
	case REPLACE:
		o->replaces = true;
		break;
	case DURATION:
		duration_option(value);
		break;
	case FROM:
		from_parse(value);
		break;
	case PORTS:
		ports_parse(value);
		break;
	case CONTROL:
		other.control = value;
		break;
	case RACE:
		other.race = number(value, 256, "--race");
		break;
	case RECORD:
		other.record = value;
		break;
	case COUNT:
		other.count = number(value, 10000000, "--count");
		break;
	case RESET:
		other.resets = true;
		break;
	default:
		fputs(usage_text, option == 'h' ? stdout : stderr);
		exit(option == 'h' ? 0 : 2);
	}
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Runs a command and notes the moment it began and the moment it was seen to end. */
static int run_timed(const char *path, char **command)
{
	FILE *file = fopen(path, "a");
	int64_t before = now_ns(), after;
	pid_t pid = file ? fork() : -1;
	int status = 0, code;

	if (pid < 0)
		fail(strerror(errno));
	if (pid == 0) {
		execvp(command[0], command);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	after = now_ns();
	code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	fprintf(file, "%" PRId64 " %" PRId64 " %d\n", before, after, code);
	fclose(file);
	return code;
}

static void signal_hear(int signal)
{
	if (signal != SIGUSR1) {
		loop_stop();
		return;
	}
	json_dumpf(crowd_stats(), stderr, JSON_COMPACT);
	fputc('\n', stderr);
}

static void duration_over(struct loop_timer *timer)
{
	(void)timer;
	crowd_end();
}

static int run_crowd(void)
{
	static struct loop_timer end = {.fire = duration_over};
	json_t *stats;
	int err = loop_init();

	if (!err)
		err = loop_on_signal(signal_hear);
	if (!err && other.control)
		err = control_listen(other.control, crowd_answer);
	if (err)
		fail(strerror(-err));
	loop_timer_set(&end, (int64_t)client_options.duration_ms);
	crowd_start();
	loop_run();
	stats = crowd_stats();
	json_dumpf(stats, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(stats);
	return crowd_is_whole() ? 0 : 1;
}

int main(int argc, char **argv)
{
	int option;

	if (argc == 4 && !strcmp(argv[1], "--tell"))
		return control_tell(argv[2], argv[3]);
	if (argc >= 4 && !strcmp(argv[1], "--timed"))
		return run_timed(argv[2], argv + 3);
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		option_take(option, optarg);
	if (optind < argc || !client_options.targets)
		option_take('?', NULL);
	agent_raise_descriptors(client_options.sessions + 20000);
	if (!other.race)
		return run_crowd();
	if (!other.has_duration)
		client_options.duration_ms = 10000;
	return client_race(other.race, other.count, other.resets, other.record);
}
