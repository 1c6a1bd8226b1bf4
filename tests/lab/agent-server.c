/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * agent-server: one version of an "AI agent" behind one backend, for tests and the demo. Thousands of sessions in one
 * process, TCP and UDP (the protocol is in agent.h). It keeps its own truth, to be held against rainbow's counts: one line
 * of JSON on SIGUSR1 (to stdout) and on the control socket.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <common/error.h>
#include <common/text.h>

#include "tests/lab/control.h"
#include "tests/lab/server.h"

#define PORTS 64

static const char usage_text[] =
    "usage: agent-server --label VERSION --listen tcp:PORT|udp:PORT ... [--backend NAME] [--tokens N] [--pause MS]\n"
    "                    [--think MS] [--resets N] [--control PATH]\n"
    "  --tokens N   tokens of each answer (default 4), --pause MS between them (default 20)\n"
    "  --think MS   before the first token of an answer, give or take a half (default 0)\n"
    "  --resets N   of 1,000 sessions so many are reset while they wait for their second answer (default 0)\n"
    "commands at the control socket (agent-client --tell PATH COMMAND):\n"
    "  stats            what it counted\n"
    "  close N|all      ends so many sessions by FIN, oldest first; the clients are told\n"
    "  half-close N|all sends FIN but goes on listening\n"
    "  reset N|all      ends them by RST\n"
    "  list FILE        writes a line for each session: client address, label, backend, id\n"
    "  quit\n";

struct server_options server_options = {.label = "v1", .backend = "backend", .tokens = 4, .pause_ms = 20};

static json_t *stats(void)
{
	const struct server_counts *c = &server_counts;

	return json_pack("{s:s,s:s,s:I,s:I,s:{s:I,s:I},s:{s:I,s:I,s:I,s:I},s:I,s:I}", "label", server_options.label, "backend",
			 server_options.backend, "accepted", (json_int_t)c->accepted, "live", (json_int_t)c->live,
			 "half_closed", "client", (json_int_t)c->half_client, "server", (json_int_t)c->half_server, "ended",
			 "fin", (json_int_t)c->ended_fin, "reset", (json_int_t)c->ended_reset, "reset_by_us",
			 (json_int_t)c->ended_by_us, "other", (json_int_t)c->ended_other, "turns", (json_int_t)c->turns,
			 "wrong", (json_int_t)c->wrong);
}

/* Does something with the oldest sessions that are in a state for it. */
static json_t *sessions_command(bool (*act)(struct session *session), const char *how_many)
{
	struct session *session = session_first, *next;
	uint64_t limit = UINT64_MAX, done = 0;

	if (!how_many || (strcmp(how_many, "all") && number_parse(how_many, 0, UINT32_MAX, &limit, NULL, NULL)))
		return control_error("how many? a number, or all");
	for (; session && done < limit; session = next) {
		next = session->next;
		done += act(session);
	}
	return json_pack("{s:I}", "sessions", (json_int_t)done);
}

static json_t *list_write(const char *path)
{
	FILE *file = path ? fopen(path, "w") : NULL;
	struct session *session;
	unsigned long listed = 0;

	for (session = session_first; file && session; session = session->next, listed++)
		session_list(session, file);
	if (!file || fclose(file))
		return control_error("%s: %s", path ? path : "list FILE", strerror(errno));
	return json_pack("{s:I}", "sessions", (json_int_t)listed);
}

static json_t *answer(int count, char **words)
{
	(void)count;
	if (!strcmp(words[0], "stats"))
		return stats();
	if (!strcmp(words[0], "close"))
		return sessions_command(session_close, words[1]);
	if (!strcmp(words[0], "half-close"))
		return sessions_command(session_half_close, words[1]);
	if (!strcmp(words[0], "reset"))
		return sessions_command(session_reset, words[1]);
	if (!strcmp(words[0], "list"))
		return list_write(words[1]);
	if (!strcmp(words[0], "quit")) {
		loop_stop();
		return stats();
	}
	return control_error("no command %s", words[0]);
}

static void signal_hear(int signal)
{
	json_t *object;

	if (signal != SIGUSR1) {
		loop_stop();
		return;
	}
	object = stats();
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(object);
}

/* "tcp:8080" */
static int listen_at(const char *text)
{
	bool is_udp = !strncmp(text, "udp:", 4);
	struct error error;
	uint64_t port;
	int err;

	if (!is_udp && strncmp(text, "tcp:", 4)) {
		fprintf(stderr, "agent-server: --listen tcp:PORT or udp:PORT, not %s\n", text);
		return -EINVAL;
	}
	if (number_parse(text + 4, 1, 65535, &port, "port", &error)) {
		fprintf(stderr, "agent-server: %s\n", error.message);
		return -EINVAL;
	}
	err = is_udp ? server_udp_listen((uint16_t)port) : server_tcp_listen((uint16_t)port);
	if (err)
		fprintf(stderr, "agent-server: %s: %s\n", text, strerror(-err));
	return err;
}

static void usage(int code)
{
	fputs(usage_text, code ? stderr : stdout);
	exit(code);
}

static const struct option long_options[] = {
    {"label", required_argument, NULL, 'l'},  {"backend", required_argument, NULL, 'b'},
    {"listen", required_argument, NULL, 'p'}, {"tokens", required_argument, NULL, 't'},
    {"pause", required_argument, NULL, 'm'},  {"control", required_argument, NULL, 'c'},
    {"think", required_argument, NULL, 'k'},  {"resets", required_argument, NULL, 'r'},
    {"help", no_argument, NULL, 'h'},         {0},
};

/* Returns how many things to listen at were named; the control socket goes to *control. */
static int options_parse(int argc, char **argv, const char *listen[PORTS], const char **control)
{
	int option, count = 0;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 'l':
			text_copy(server_options.label, sizeof(server_options.label), optarg);
			break;
		case 'b':
			text_copy(server_options.backend, sizeof(server_options.backend), optarg);
			break;
		case 'p':
			if (count < PORTS)
				listen[count++] = optarg;
			break;
		case 't':
			server_options.tokens = strtoul(optarg, NULL, 10);
			break;
		case 'm':
			server_options.pause_ms = strtoul(optarg, NULL, 10);
			break;
		case 'k':
			server_options.think_ms = strtoul(optarg, NULL, 10);
			break;
		case 'r':
			server_options.resets = strtoul(optarg, NULL, 10);
			break;
		case 'c':
			*control = optarg;
			break;
		default:
			usage(option == 'h' ? 0 : 2);
		}
	}
	return count;
}

int main(int argc, char **argv)
{
	const char *listen[PORTS], *control = NULL;
	int i, count = options_parse(argc, argv, listen, &control);

	if (count == 0 || optind < argc)
		usage(2);
	agent_raise_descriptors(65536);
	if (loop_init() || loop_on_signal(signal_hear)) {
		perror("agent-server");
		return 1;
	}
	for (i = 0; i < count; i++) {
		if (listen_at(listen[i]))
			return 1;
	}
	if (control && (i = control_listen(control, answer))) {
		fprintf(stderr, "agent-server: %s: %s\n", control, strerror(-i));
		return 1;
	}
	loop_run();
	return 0;
}
