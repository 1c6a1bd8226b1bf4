// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The table of options, and the splitting of a command line: see words.h. Touches nothing but its arguments. */
#include <stdio.h>
#include <string.h>
#include "common/error.h"
#include "common/text.h"
#include "rainbowctl/words.h"

static const char *const affinities[] = {"connection", "client", NULL};
static const char *const selections[] = {"hash", "exact", NULL};
static const char *const strays[] = {"reset", "drop", "pass", NULL};
static const char *const on_deadlines[] = {"reset", "hold", NULL};
static const char *const fates[] = {"keep", "drain", "reset", NULL};
static const char *const outputs[] = {"table", "json", NULL};

static const char *const on_new_targets[] = {"supersede", "queue", "reject", NULL};

static const char *const switches[] = {"on", "off", NULL};

const struct option options[OPTION_COUNT] = {
    [OPTION_AFFINITY] = {"affinity", 0, "connection|client", "what stays together: one connection (default) or all of a client",
			 affinities},
    [OPTION_SELECTION] = {"selection", 0, "hash|exact", "how weights choose: by hash (default), or counted: 5 % is 1 in 20",
			  selections},
    [OPTION_STRAY] = {"stray", 0, "reset|drop|pass", "what a packet of no session meets (default: reset)", strays},
    [OPTION_IDLE_TIMEOUT] = {"idle-timeout", 0, "D",
			     "a session without packets for so long has ended (tcp 24h, udp 5m, client 1h; at most 14d)"},
    [OPTION_CLIENT_PREFIX] = {"client-prefix", 0, "BITS",
			      "affinity client: so many bits of an IPv6 address make one client (64)"},
    [OPTION_PROBE_IDLE] =
	{"probe-idle", 0, "D",
	 "tcp: a client silent for so long is asked whether it is there; one that vanished ends (15m; 0: off)"},
    [OPTION_HTTP] = {"http", 0, "on|off", "it speaks plaintext HTTP/1: responses are counted by class (default: off)",
		     switches},
    [OPTION_BACKEND] = {"backend", 0, "ADDR:PORT[,max=N]", "serves this version, with at most N sessions at a time; repeat it"},
    [OPTION_CODE] = {"code", 0, "SHA", "the version's code, for people and logs"},
    [OPTION_MODEL] = {"model", 0, "M", "the version's model"},
    [OPTION_PROMPTS] = {"prompts", 0, "P", "the version's prompts"},
    [OPTION_TOOLS] = {"tools", 0, "T", "the version's tools"},
    [OPTION_DEADLINE] = {"deadline", 0, "D", "end of the drain, from now (default: the service's, 24h); none: never"},
    [OPTION_ON_DEADLINE] = {"on-deadline", 0, "reset|hold",
			    "at the deadline: close what is left, or go on, overdue (default: the service's, reset)",
			    on_deadlines},
    [OPTION_WAIT] = {"wait", 0, NULL, "show the progress, return when the version is drained"},
    [OPTION_TO] = {"to", 0, "LABEL", "the version that takes over (default: the largest before the last change)"},
    [OPTION_SESSIONS] = {"sessions", 0, "keep|drain|reset", "what becomes of sessions on the others (default: keep)", fates},
    [OPTION_OLDER_THAN] = {"older-than", 0, "D", "only sessions that began longer ago than this"},
    [OPTION_RATE] = {"rate", 0, "N/s", "close at most N sessions per second"},
    [OPTION_VERSION] = {"version", 0, "LABEL", "only sessions of this version"},
    [OPTION_LIMIT] = {"limit", 0, "N", "show at most N (default 100)"},
    [OPTION_OK] = {"ok", 0, NULL, "the session was good"},
    [OPTION_BAD] = {"bad", 0, NULL, "the session was bad"},
    [OPTION_VALUE] = {"value", 0, "N", "the session's number, for a gate that takes numbers"},
    [OPTION_SESSION] = {"session", 0, "ID", "the session's name; of a session only the first sample counts"},
    [OPTION_WATCH] = {"watch", 'w', NULL, "show it again each second, until Ctrl-C"},
    [OPTION_YES] = {"yes", 'y', NULL, "do not ask"},
    [OPTION_FILE] = {"file", 'f', "FILE", "the document; - is stdin"},
    [OPTION_PODS] = {"pods", 0, "FILE", "the pods, if they are not in the same list: kubectl get pods -o json"},
    [OPTION_SERVICE_PORT] = {"service-port", 0, "NAME", "which of the service's ports, where there are several"},
    [OPTION_ADDRESS] = {"address", 0, "ADDR:PORT", "what clients dial, if the list holds no Service that says it"},
    [OPTION_STEPS] = {"steps", 0, "5,25,50,100",
		      "percent of new sessions at each step; 5:30m is a step with a hold of its own"},
    [OPTION_HOLD] = {"hold", 0, "D", "how long each step lasts at the least (default: that of the service's first step, 10m)"},
    [OPTION_BASELINE] = {"baseline", 0, "LABEL",
			 "the version it is compared with, which takes the rest (default: the one with a share)"},
    [OPTION_ON_NEW_TARGET] = {"on-new-target", 0, "supersede|queue|reject",
			      "where one is under way: take its place, wait, or be refused (default: the service's)",
			      on_new_targets},
    [OPTION_NO_GATES] = {"no-gates", 0, NULL, "nothing is judged: each step goes on when its hold is over"},
    [OPTION_FULL] = {"full", 0, NULL, "to the last step at once"},
    [OPTION_FROM_STEP] = {"from-step", 0, "N", "only if it is in step N: two people can not promote it twice"},
    [OPTION_DRY_RUN] = {"dry-run", 'n', NULL, "check everything and say the effect, but change nothing"},
    [OPTION_OUTPUT] = {"output", 'o', "table|json", "for people (default) or for programs", outputs},
    [OPTION_ASCII] = {"ascii", 0, NULL, "draw without UTF-8"},
    [OPTION_SOCKET] = {"socket", 0, "PATH", "rainbowd's socket (default: $RAINBOW_SOCKET or /run/rainbow/rainbow.sock)"},
    [OPTION_REASON] = {"reason", 0, "TEXT", "why, for the history (at most 200 bytes)"},
    [OPTION_IF_GENERATION] = {"if-generation", 0, "N", "refuse if the service is at another generation than this"},
    [OPTION_FOLLOW] = {"follow", 'f', NULL, "go on with what comes, until Ctrl-C", .only = "events"},
    [OPTION_FOR] = {"for", 0, "rollout=complete|drained=LABEL", "what to wait for"},
    [OPTION_TIMEOUT] = {"timeout", 0, "D", "give up after so long (default: never)"},
    [OPTION_HELP] = {"help", 'h', NULL, "show the help of this command"},
};

static int option_find_name(const char *name, size_t length)
{
	for (int id = 0; id < OPTION_COUNT; id++)
		if (strlen(options[id].name) == length && !strncmp(options[id].name, name, length))
			return id;
	return -1;
}

/* first: the command's first word, or "". A letter that is its command's own goes before one that is for all. */
static int option_find_letter(char letter, const char *first)
{
	int found = -1;

	for (int id = 0; id < OPTION_COUNT; id++) {
		if (!options[id].letter || options[id].letter != letter)
			continue;
		if (options[id].only && !strcmp(options[id].only, first))
			return id;
		if (!options[id].only)
			found = id;
	}
	return found;
}

/* Is the word after this one its value? Of a letter that only one command has, there is no command yet to tell. */
static bool takes_next(const char *word)
{
	size_t length = strlen(word);
	int id;

	if (word[0] != '-' || length < 2)
		return false;
	if (word[1] == '-')
		id = strchr(word, '=') ? -1 : option_find_name(word + 2, length - 2);
	else
		id = option_find_letter(word[length - 1], "");
	return id >= 0 && options[id].value;
}

/* The first word that is no option, nor the value of one: the command's. */
static const char *first_word(int argc, char *const *argv)
{
	for (int i = 0; i < argc; i++) {
		if (argv[i][0] != '-')
			return argv[i];
		i += takes_next(argv[i]);
	}
	return "";
}

static int refuse_unknown(const char *word, size_t name_length, struct error *err)
{
	const char *names[OPTION_COUNT + 1] = {NULL};
	char name[48];
	const char *nearest;

	for (int id = 0; id < OPTION_COUNT; id++)
		names[id] = options[id].name;
	snprintf(name, sizeof(name), "%.*s", (int)name_length, word + 2);
	nearest = !strncmp(word, "--", 2) ? text_nearest(name, names) : NULL;
	if (nearest)
		return error_set(err, ERROR_BAD_INPUT, "", "unknown option '%s': did you mean --%s?", word, nearest);
	return error_set(err, ERROR_BAD_INPUT, "", "unknown option '%s'", word);
}

/* "hash, exact" */
static const char *list_words(const char *const *list, char *buf, size_t size)
{
	size_t length = 0;

	buf[0] = '\0';
	for (; *list && length < size; list++)
		length += (size_t)snprintf(buf + length, size - length, "%s%s", length ? ", " : "", *list);
	return buf;
}

static int check_choice(const struct option *option, const char *value, const char *field, struct error *err)
{
	const char *nearest;
	char all[64];

	for (const char *const *choice = option->choices; *choice; choice++)
		if (!strcmp(*choice, value))
			return 0;
	list_words(option->choices, all, sizeof(all));
	nearest = text_nearest(value, option->choices);
	if (nearest)
		return error_set(err, ERROR_BAD_INPUT, field, "'%s' is none of %s: did you mean %s?", value, all, nearest);
	return error_set(err, ERROR_BAD_INPUT, field, "'%s' is none of %s", value, all);
}

static int take_option(struct words *words, enum option_id id, const char *value, struct error *err)
{
	const struct option *option = &options[id];
	char field[32];

	snprintf(field, sizeof(field), "--%s", option->name);
	if (option->value && !*value)
		return error_set(err, ERROR_BAD_INPUT, field, "its value is empty: give %s", option->value);
	if (option->choices && check_choice(option, value, field, err))
		return -ERROR_BAD_INPUT;
	if (id == OPTION_BACKEND) {
		if (words->backend_count == RAINBOW_MAX_BACKENDS_PER_VERSION)
			return error_set(err, ERROR_BAD_INPUT, field, "a version has at most %d backends",
					 RAINBOW_MAX_BACKENDS_PER_VERSION);
		words->backends[words->backend_count++] = value;
	} else if (words->option[id] && option->value) {
		return error_set(err, ERROR_BAD_INPUT, field, "given twice, as '%s' and '%s': give it once", words->option[id],
				 value);
	}
	words->option[id] = value;
	return 0;
}

static int refuse_missing_value(const struct option *option, struct error *err)
{
	char field[32];

	snprintf(field, sizeof(field), "--%s", option->name);
	return error_set(err, ERROR_BAD_INPUT, field, "its value is missing: give %s", option->value);
}

/* "--name", "--name value", "--name=value". *next is the following word of argv or NULL; *used tells if it was taken. */
static int take_long(struct words *words, const char *word, const char *next, bool *used, struct error *err)
{
	size_t length = strcspn(word + 2, "=");
	int id = option_find_name(word + 2, length);
	const char *value = word[2 + length] ? word + 2 + length + 1 : NULL;

	if (id < 0)
		return refuse_unknown(word, length, err);
	if (!options[id].value && value)
		return error_set(err, ERROR_BAD_INPUT, "", "'%s': --%s takes no value", word, options[id].name);
	if (options[id].value && !value) {
		if (!next)
			return refuse_missing_value(&options[id], err);
		value = next;
		*used = true;
	}
	return take_option(words, (enum option_id)id, value ? value : "", err);
}

/* "-w", "-wn", "-o json", "-ojson" */
static int take_short(struct words *words, const char *first, const char *word, const char *next, bool *used, struct error *err)
{
	for (const char *letter = word + 1; *letter; letter++) {
		int id = option_find_letter(*letter, first);
		const char *value = "";
		int rc;

		if (id < 0)
			return refuse_unknown(word, 0, err);
		if (options[id].value) {
			value = letter[1] ? letter + 1 : next;
			if (!value)
				return refuse_missing_value(&options[id], err);
			*used = !letter[1];
		}
		rc = take_option(words, (enum option_id)id, value, err);
		if (rc || options[id].value)
			return rc;
	}
	return 0;
}

int words_split(int argc, char *const *argv, struct words *words, struct error *err)
{
	const char *first = first_word(argc, argv);
	bool options_ended = false;

	memset(words, 0, sizeof(*words));
	for (int i = 0; i < argc; i++) {
		const char *word = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
		bool used = false;
		int rc = 0;

		if (options_ended || word[0] != '-' || !word[1]) {
			if (words->argument_count == ARGUMENTS_MAX)
				return error_set(err, ERROR_BAD_INPUT, "", "too many words, from '%s' on", word);
			words->arguments[words->argument_count++] = word;
		} else if (!strcmp(word, "--")) {
			options_ended = true;
		} else if (word[1] == '-') {
			rc = take_long(words, word, next, &used, err);
		} else {
			rc = take_short(words, first, word, next, &used, err);
		}
		if (rc)
			return rc;
		i += used;
	}
	return 0;
}
