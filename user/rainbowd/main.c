// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* rainbowd: options, and the way in and out. One table makes the options and their help. */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "common/log.h"
#include "common/text.h"
#include "daemon.h"
#include "saver.h"

#define DEFAULT_STATE_DIR "/var/lib/rainbow"
#define DEFAULT_SOCKET    "/run/rainbow/rainbow.sock"
#define DEFAULT_PIN_DIR   "/sys/fs/bpf/rainbow/v2"
#define DEFAULT_SAVE_MS   60000

struct options {
	struct daemon_config config;
	bool detach;
	bool leave; /* --help or --version: done */
};

struct option_row {
	const char *name;
	const char *value; /* NULL: takes none */
	const char *help;
	int (*take)(struct options *options, const char *value, struct error *err);
};

static int take_interface(struct options *options, const char *value, struct error *err)
{
	struct daemon_config *config = &options->config;
	struct hook_wish wish;
	size_t i;
	int rc = hook_wish_parse(value, &wish, err);

	if (rc)
		return rc;
	for (i = 0; i < config->wish_count; i++)
		if (strcmp(config->wishes[i].interface, wish.interface) == 0)
			return error_set(err, ERROR_BAD_INPUT, "interface", "interface %s is named twice", wish.interface);
	if (config->wish_count >= RAINBOW_MAX_HOOKS)
		return error_set(err, ERROR_BAD_INPUT, "interface", "there can be at most %d interfaces", RAINBOW_MAX_HOOKS);
	config->wishes[config->wish_count++] = wish;
	return 0;
}

static int take_path(const char **out, const char *value, const char *field, struct error *err)
{
	if (value[0] != '/')
		return error_set(err, ERROR_BAD_INPUT, field, "--%s must be a full path, beginning with /: %s", field, value);
	*out = value;
	return 0;
}

static int take_state_dir(struct options *options, const char *value, struct error *err)
{
	return take_path(&options->config.state_dir, value, "state-dir", err);
}

static int take_socket(struct options *options, const char *value, struct error *err)
{
	return take_path(&options->config.socket, value, "socket", err);
}

static int take_pin_dir(struct options *options, const char *value, struct error *err)
{
	return take_path(&options->config.pin_dir, value, "pin-dir", err);
}

static int take_number(uint32_t *out, const char *value, uint64_t min, const char *field, struct error *err)
{
	struct error what;
	uint64_t number;

	if (number_parse(value, min, RAINBOW_MAX_PINS, &number, field, &what))
		return error_set(err, what.code, field, "--%s: %.400s", field, what.message);
	*out = (uint32_t)number;
	return 0;
}

static int take_max_sessions(struct options *options, const char *value, struct error *err)
{
	return take_number(&options->config.pins, value, 1, "max-sessions", err);
}

static int take_nursery(struct options *options, const char *value, struct error *err)
{
	return take_number(&options->config.nursery, value, 128, "nursery", err);
}

static int take_history(struct options *options, const char *value, struct error *err)
{
	return take_number(&options->config.history, value, 1, "history", err);
}

static int take_save_every(struct options *options, const char *value, struct error *err)
{
	struct duration every = {0};
	struct error what;

	if (strcmp(value, "0") != 0 && duration_parse(value, &every, "save-every", &what))
		return error_set(err, what.code, "save-every", "--save-every: %.400s", what.message);
	options->config.save_every_ms = every.ms;
	return 0;
}

static int take_detach(struct options *options, const char *value, struct error *err)
{
	(void)value;
	(void)err;
	options->detach = true;
	return 0;
}

static int take_log_level(struct options *options, const char *value, struct error *err)
{
	static const char *const names[] = {"error", "warn", "info", "debug"};
	unsigned int i;

	(void)options;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], value) != 0)
			continue;
		log_set_level((enum log_level)i);
		return 0;
	}
	return error_set(err, ERROR_BAD_INPUT, "log-level", "unknown log level %s; there is error, warn, info, debug", value);
}

static int take_version(struct options *options, const char *value, struct error *err)
{
	(void)value;
	(void)err;
	printf("rainbowd %s (schema %d)\n", RAINBOW_RELEASE, RAINBOW_SCHEMA);
	options->leave = true;
	return 0;
}

static int take_help(struct options *options, const char *value, struct error *err);

static const struct option_row rows[] = {
    {"interface", "IF[:KIND]", "attach to this interface; KIND is auto (default), xdp, xdp-generic or tc; repeat for more",
     take_interface},
    {"state-dir", "DIR", "the database's directory (default " DEFAULT_STATE_DIR ")", take_state_dir},
    {"socket", "PATH", "the API's socket (default " DEFAULT_SOCKET ")", take_socket},
    {"pin-dir", "DIR", "where maps and hooks are pinned, in a bpffs (default " DEFAULT_PIN_DIR ")", take_pin_dir},
    {"max-sessions", "N", "room for so many sessions; counts when the maps are made (default 262144)", take_max_sessions},
    {"nursery", "N", "room for so many unproven handshakes; likewise (default 65536)", take_nursery},
    {"save-every", "D", "save the pins for a reboot so often (default 60s; 0: only at the end)", take_save_every},
    {"history", "N", "keep the newest N rows of the history (default 10000)", take_history},
    {"detach", NULL, "save the pins, remove hooks and maps, and exit", take_detach},
    {"log-level", "LEVEL", "error, warn, info (default) or debug", take_log_level},
    {"version", NULL, "print the version and exit", take_version},
    {"help", NULL, "print this and exit", take_help},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static int take_help(struct options *options, const char *value, struct error *err)
{
	size_t i;

	(void)value;
	(void)err;
	printf("usage: rainbowd --interface IF[:KIND] ... [OPTION] ...\n\n"
	       "Routes sessions to versions. Without --interface it keeps those it had. It runs in the foreground; SIGTERM "
	       "stops it and\n"
	       "leaves the datapath running, SIGHUP applies the database and attaches again.\n\n");
	for (i = 0; i < ROWS; i++)
		printf("  --%s%s%-*s %s\n", rows[i].name, rows[i].value ? " " : "",
		       (int)(22 - strlen(rows[i].name) - (rows[i].value ? 1 : 0)), rows[i].value ? rows[i].value : "",
		       rows[i].help);
	options->leave = true;
	return 0;
}

static void fill_long_options(struct option *long_options)
{
	size_t i;

	for (i = 0; i < ROWS; i++)
		long_options[i] = (struct option){rows[i].name, rows[i].value ? required_argument : no_argument, NULL, (int)i};
}

static int parse_options(struct options *options, int argc, char **argv, struct error *err)
{
	struct option long_options[ROWS + 1] = {0};
	int row, rc;

	fill_long_options(long_options);
	while ((row = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		if (row == ':')
			return error_set(err, ERROR_BAD_INPUT, NULL, "%s needs a value; see rainbowd --help", argv[optind - 1]);
		if (row == '?')
			return error_set(err, ERROR_BAD_INPUT, NULL, "unknown option %s; see rainbowd --help",
					 argv[optind - 1]);
		rc = rows[row].take(options, optarg, err);
		if (rc || options->leave)
			return rc;
	}
	if (optind < argc)
		return error_set(err, ERROR_BAD_INPUT, NULL, "unexpected word %s; interfaces are named with --interface",
				 argv[optind]);
	return 0;
}

static int detach(const struct options *options)
{
	const struct daemon_config *config = &options->config;
	struct datapath *dp = NULL;
	struct error err, unsaved;
	uint64_t saved;
	int rc, save_rc = saver_save_pinned(config->pin_dir, config->state_dir, &dp, &saved, &unsaved);

	rc = datapath_remove(config->pin_dir, dp, &err);
	datapath_close(dp);
	if (rc) {
		fprintf(stderr, "rainbowd: %s\n", err.message);
		return err.code;
	}
	printf("detached: hooks and maps under %s are removed\n", config->pin_dir);
	if (save_rc && save_rc != -ERROR_NOT_FOUND)
		fprintf(stderr, "rainbowd: no session is saved for the next start: %s\n", unsaved.message);
	if (saved)
		printf("%" PRIu64 " pins are saved in %s: those of sessions that are still there at the next start live on\n",
		       saved, config->state_dir);
	return 0;
}

static int serve(const struct options *options)
{
	static struct daemon daemon;
	struct error err = {0};
	int code;

	signal(SIGPIPE, SIG_IGN);
	if (daemon_start(&daemon, &options->config, &err)) {
		fprintf(stderr, "rainbowd: %s\n", err.message);
		code = err.code;
	} else {
		code = daemon_run(&daemon);
	}
	daemon_stop(&daemon);
	return code;
}

int main(int argc, char **argv)
{
	struct options options = {.config = {.state_dir = DEFAULT_STATE_DIR,
					     .socket = DEFAULT_SOCKET,
					     .pin_dir = DEFAULT_PIN_DIR,
					     .save_every_ms = DEFAULT_SAVE_MS}};
	struct error err = {0};

	if (parse_options(&options, argc, argv, &err)) {
		fprintf(stderr, "rainbowd: %s\n", err.message);
		return err.code;
	}
	if (options.leave)
		return 0;
	if (geteuid() != 0) {
		fprintf(stderr, "rainbowd: must run as root: it loads programs into the kernel\n");
		return ERROR_PRECONDITION;
	}
	return options.detach ? detach(&options) : serve(&options);
}
