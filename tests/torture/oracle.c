/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * oracle: thousands of clients with real sockets, each of which knows the server that greeted it, checks every turn against it, and
 * knows why it may end. A session that moved, or that ended without cause, is a failure: it is told with its history and the
 * events of the chaos in between. Steered by one command a line at its control socket; scripts/torture.sh does it.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <common/error.h>
#include <common/text.h>

#include "tests/lab/control.h"
#include "tests/torture/oracle.h"

static const char usage_text[] =
    "usage: oracle --to ADDR:PORT --from ADDR+N --control PATH [--sessions N] [--rate N] [--timeout MS] [--seed N] [--events "
    "FILE]\n"
    "       oracle --tell PATH COMMAND\n"
    "commands:\n"
    "  stats | quit\n"
    "  calm on|off              on: no session begins, ends or speaks by itself\n"
    "  turn                     every session takes a turn now\n"
    "  sessions N | rate N | surplus N        keep N open; open N more, once\n"
    "  leave N fin|rst|half|stall|vanish [VERSION]    N sessions end in this manner\n"
    "  unstall BACKEND          its sessions that do not read end by RST\n"
    "  reuse N                  N new sessions from ports of sessions that went without a word\n"
    "  excuse forced|crashed|refused|delayed NAME|all on|off    what sessions may meet, from now on, or no longer\n"
    "  allow any|LABEL,...      where new sessions may go; steer CIDR [LABEL,...]    the same for an address range\n"
    "  list LIVE-FILE GHOST-FILE | history ADDR:PORT|unsettled\n";

struct oracle_options oracle_options = {.rate = 500, .timeout_ms = 20000, .seed = 1};

static uint64_t random_state;

/* splitmix64 */
uint64_t oracle_random(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

bool oracle_chance(unsigned int percent)
{
	return oracle_random() % 100 < percent;
}

static void fail(const char *message)
{
	fprintf(stderr, "oracle: %s\n", message);
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

static void from_parse(char *text)
{
	char *plus = strchr(text, '+');
	struct error error;

	oracle_options.addresses = plus ? number(plus + 1, 65536, "--from") : 1;
	if (plus)
		*plus = '\0';
	if (addr_parse(text, &oracle_options.from, "--from", &error))
		fail(error.message);
}

enum { TO = 'A', FROM, SESSIONS, RATE, TIMEOUT, SEED, EVENTS, CONTROL };

static const struct option long_options[] = {
    {"to", required_argument, NULL, TO},
    {"from", required_argument, NULL, FROM},
    {"sessions", required_argument, NULL, SESSIONS},
    {"rate", required_argument, NULL, RATE},
    {"timeout", required_argument, NULL, TIMEOUT},
    {"seed", required_argument, NULL, SEED},
    {"events", required_argument, NULL, EVENTS},
    {"control", required_argument, NULL, CONTROL},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static const char *control_path;

static void option_take(int option, char *value)
{
	struct oracle_options *o = &oracle_options;
	struct error error;

	switch (option) {
	case TO:
		if (endpoint_parse(value, &o->to, "--to", &error))
			fail(error.message);
		break;
	case FROM:
		from_parse(value);
		break;
	case SESSIONS:
		o->sessions = number(value, 1000000, "--sessions");
		break;
	case RATE:
		o->rate = number(value, 1000000, "--rate");
		break;
	case TIMEOUT:
		o->timeout_ms = number(value, 3600000, "--timeout");
		break;
	case SEED:
		o->seed = number(value, UINT64_MAX, "--seed");
		break;
	case EVENTS:
		o->events = value;
		break;
	case CONTROL:
		control_path = value;
		break;
	default:
		fputs(usage_text, option == 'h' ? stdout : stderr);
		exit(option == 'h' ? 0 : 2);
	}
}

static void signal_hear(int signal)
{
	if (signal != SIGUSR1)
		loop_stop();
}

static int oracle_init(void)
{
	int err = loop_init();

	if (!err)
		err = loop_on_signal(signal_hear);
	return err ? err : control_listen(control_path, crowd_answer);
}

int main(int argc, char **argv)
{
	int option, err;

	if (argc == 4 && !strcmp(argv[1], "--tell"))
		return control_tell(argv[2], argv[3]);
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		option_take(option, optarg);
	if (optind < argc || !oracle_options.to.port || !oracle_options.addresses || !control_path)
		option_take('?', NULL);
	random_state = oracle_options.seed;
	agent_raise_descriptors(20000ul);
	err = oracle_init();
	if (err)
		fail(strerror(-err));
	crowd_start();
	loop_run();
	return oracle_counts.failures ? 1 : 0;
}
