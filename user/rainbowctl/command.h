/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Commands. One table (commands.c) makes dispatch, usage, help, completion and errors. A command line is parsed by a pure
 * function into an invocation: which command, which request, how to show the reply. Nothing is sent before all of it is
 * known to be well-formed.
 */
#ifndef RAINBOWCTL_COMMAND_H
#define RAINBOWCTL_COMMAND_H

#include "rainbowctl/render.h"
#include "rainbowctl/request.h"
#include "rainbowctl/words.h"

struct error;

enum command_kind {
	COMMAND_READ,
	COMMAND_CHANGE, /* takes --dry-run; its reply is the effect */
	COMMAND_LOCAL,  /* needs no daemon: help, completion */
};

/* What completion offers in an argument's place. */
enum argument_kind {
	ARGUMENT_FREE = 0,
	ARGUMENT_SERVICE,
	ARGUMENT_LABEL,
	ARGUMENT_WEIGHT, /* a label with = */
	ARGUMENT_SHELL,
	ARGUMENT_COMMAND,
};

struct argument {
	const char *name; /* in usage; in errors up to the first blank */
	enum argument_kind kind;
	bool optional;
	bool repeated; /* the last one only */
};

#define COMMAND_ARGUMENTS 4

struct command {
	const char *name; /* "drain", "service add" */
	enum command_kind kind;
	enum view view; /* how its reply is shown */
	struct argument arguments[COMMAND_ARGUMENTS];
	uint64_t options;    /* OPTION_BIT of its own ones; those of its kind come on top */
	bool of_all;         /* a change of no one service, so without --if-generation */
	uint64_t required;   /* those of them that must be given */
	const char *summary; /* one line; NULL: in no list */
	const char *detail;  /* paragraphs for --help, or NULL */
	const char *example;
	/* Checks the arguments and fills the request: 0, or -ERROR_BAD_INPUT. NULL: there is nothing to check or send. */
	int (*build)(const struct words *words, struct request *request, struct error *err);
};

extern const struct command commands[];
extern const size_t command_count;

struct invocation {
	const struct command *command; /* NULL: only help was asked for, and help_topic says of what */
	const char *help_topic;        /* NULL: no help; "": of everything; "service": of that group */
	bool release;                  /* --version alone: print which rainbow this is */
	struct words words;
	struct request request;
};

/*
 * argv without the program's name. 0 or -ERROR_BAD_INPUT with err (field: the option or argument). No I/O, no environment. On
 * failure the command is set as far as it was recognised. Finish with invocation_fini() in any case.
 */
int invocation_parse(int argc, char *const *argv, struct invocation *invocation, struct error *err);
void invocation_fini(struct invocation *invocation);

/* Options that a command takes, with those of its kind. */
uint64_t command_options(const struct command *command);
/* Arguments that must, and that can be given. */
size_t command_arguments_min(const struct command *command);
size_t command_arguments_max(const struct command *command);
/* The command of exactly this name, or NULL. */
const struct command *command_find(const char *name);
/* True if "GROUP ..." is a command: "service", "steer". */
bool command_is_group(const char *word);

#endif
