/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a command line said, before it means anything: options (which may stand anywhere) apart from arguments. Every option
 * of the program is in one table; a command only lists which of them it takes. So an option has the same meaning, value and
 * check in each command.
 */
#ifndef RAINBOWCTL_WORDS_H
#define RAINBOWCTL_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <rainbow/types.h>

enum option_id {
	OPTION_AFFINITY,
	OPTION_SELECTION,
	OPTION_STRAY,
	OPTION_IDLE_TIMEOUT,
	OPTION_CLIENT_PREFIX,
	OPTION_PROBE_IDLE,
	OPTION_HTTP,
	OPTION_BACKEND,
	OPTION_CODE,
	OPTION_MODEL,
	OPTION_PROMPTS,
	OPTION_TOOLS,
	OPTION_DEADLINE,
	OPTION_ON_DEADLINE,
	OPTION_WAIT,
	OPTION_TO,
	OPTION_SESSIONS,
	OPTION_OLDER_THAN,
	OPTION_RATE,
	OPTION_VERSION,
	OPTION_LIMIT,
	OPTION_OK,
	OPTION_BAD,
	OPTION_VALUE,
	OPTION_SESSION,
	OPTION_WATCH,
	OPTION_YES,
	OPTION_FILE,
	OPTION_PODS,
	OPTION_SERVICE_PORT,
	OPTION_ADDRESS,
	OPTION_STEPS,
	OPTION_HOLD,
	OPTION_BASELINE,
	OPTION_ON_NEW_TARGET,
	OPTION_NO_GATES,
	OPTION_FULL,
	OPTION_FROM_STEP,
	OPTION_DRY_RUN,
	OPTION_OUTPUT,
	OPTION_ASCII,
	OPTION_SOCKET,
	OPTION_REASON,
	OPTION_IF_GENERATION,
	OPTION_FOLLOW,
	OPTION_FOR,
	OPTION_TIMEOUT,
	OPTION_HELP,
	OPTION_COUNT,
};

#define OPTION_BIT(id) (UINT64_C(1) << (id))

struct option {
	const char *name;  /* without the dashes */
	char letter;       /* its short form, or 0; one letter may be of two options, if all but one of them are `only` */
	const char *value; /* the word for its value in usage; NULL: a flag */
	const char *help;
	const char *const *choices; /* the only values it takes, NULL-terminated; NULL: its command checks it */
	const char *only;           /* its letter is for the command that begins with this word; NULL: for all */
};

extern const struct option options[OPTION_COUNT];

#define ARGUMENTS_MAX (RAINBOW_MAX_VERSIONS_PER_SERVICE + 8)

struct words {
	const char *option[OPTION_COUNT];                       /* its value, "" for a flag, NULL if not given */
	const char *backends[RAINBOW_MAX_BACKENDS_PER_VERSION]; /* --backend may be repeated */
	size_t backend_count;
	const char *arguments[ARGUMENTS_MAX + 1];
	size_t argument_count;
};

struct error;

/*
 * Splits argv (without the program's name) into words, which point into argv. 0, or -ERROR_BAD_INPUT: an unknown option, one
 * given twice, without its value or with one it does not take, a value that is none of its choices, too many arguments.
 */
int words_split(int argc, char *const *argv, struct words *words, struct error *err);

static inline bool words_has(const struct words *words, enum option_id id)
{
	return words->option[id];
}

#endif
