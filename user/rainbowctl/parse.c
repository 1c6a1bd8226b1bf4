// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* From argv to an invocation: see command.h. Pure. */
#include <stdio.h>
#include <string.h>
#include "common/error.h"
#include "common/text.h"
#include "rainbowctl/command.h"

#define REASON_MAX 200 /* bytes, as rainbowd has it */
#define NAMES_MAX  128 /* commands */
#define NAME_SIZE  64  /* of a command, with room for what can be none */

/* The last word of each command of a group, or the first word of every command if group is "". NULL-terminated. */
static void list_names(const char *group, const char **out, char buf[][NAME_SIZE], size_t most)
{
	size_t length = strlen(group), count = 0;

	for (size_t i = 0; i < command_count && count < most; i++) {
		const char *name = commands[i].name;

		if (!commands[i].summary || (length && (strncmp(name, group, length) || name[length] != ' ')))
			continue;
		snprintf(buf[count], NAME_SIZE, "%.*s", length ? NAME_SIZE - 1 : (int)strcspn(name, " "),
			 length ? name + length + 1 : name);
		out[count] = buf[count];
		count++;
	}
	out[count] = NULL;
}

static int refuse_command(const char *group, const char *word, struct error *err)
{
	char buf[NAMES_MAX][NAME_SIZE], all[256] = "";
	const char *names[NAMES_MAX + 1], *nearest;
	size_t length = 0;

	list_names(group, names, buf, NAMES_MAX);
	for (size_t i = 0; *group && names[i] && length < sizeof(all); i++)
		length += (size_t)snprintf(all + length, sizeof(all) - length, "%s%s", i ? ", " : "", names[i]);
	if (!word)
		return error_set(err, ERROR_BAD_INPUT, "", "'%s' needs one of: %s", group, all);
	nearest = text_nearest(word, names);
	if (nearest)
		return error_set(err, ERROR_BAD_INPUT, "", "unknown command '%s%s%s': did you mean '%s%s%s'?", group,
				 *group ? " " : "", word, group, *group ? " " : "", nearest);
	if (*group)
		return error_set(err, ERROR_BAD_INPUT, "", "unknown command '%s %s': '%s' takes one of: %s", group, word, group,
				 all);
	return error_set(err, ERROR_BAD_INPUT, "", "unknown command '%s': 'rainbowctl --help' lists them", word);
}

static void drop_arguments(struct words *words, size_t count)
{
	words->argument_count -= count;
	memmove(words->arguments, words->arguments + count, (words->argument_count + 1) * sizeof(words->arguments[0]));
}

/* Finds the command that the first arguments name and takes them away; no argument at all is "status". */
static int take_command(struct words *words, const struct command **out, struct error *err)
{
	const char *first = words->argument_count ? words->arguments[0] : "status";
	const char *second = words->argument_count > 1 ? words->arguments[1] : NULL;
	char name[NAME_SIZE];
	size_t taken = words->argument_count ? 1 : 0;

	/* The longer name first: "explain gate" is not "explain" of a service called gate. */
	*out = NULL;
	if (command_is_group(first)) {
		snprintf(name, sizeof(name), "%s %s", first, second ? second : "");
		*out = second && strlen(second) < NAME_SIZE / 2 ? command_find(name) : NULL;
		taken = *out ? 2 : taken;
		if (!*out && !command_find(first))
			return refuse_command(first, second, err);
	}
	if (!*out)
		*out = command_find(first);
	if (!*out || strchr(first, ' '))
		return refuse_command("", first, err);
	drop_arguments(words, taken);
	return 0;
}

static int refuse_option(const struct command *command, enum option_id id, struct error *err)
{
	char field[32];

	snprintf(field, sizeof(field), "--%s", options[id].name);
	if (id == OPTION_DRY_RUN)
		return error_set(err, ERROR_BAD_INPUT, field, "'%s' changes nothing: leave --dry-run out", command->name);
	return error_set(err, ERROR_BAD_INPUT, field, "no option of '%s': 'rainbowctl %s --help' lists them", command->name,
			 command->name);
}

static int check_options(const struct words *words, const struct command *command, struct error *err)
{
	uint64_t taken = command_options(command);

	for (int id = 0; id < OPTION_COUNT; id++) {
		if (words->option[id] && !(taken & OPTION_BIT(id)))
			return refuse_option(command, (enum option_id)id, err);
		if (!words->option[id] && command->required & OPTION_BIT(id))
			return error_set(err, ERROR_BAD_INPUT, "", "--%s %s is missing%s", options[id].name, options[id].value,
					 id == OPTION_BACKEND ? ": give at least one" : "");
	}
	return 0;
}

static int refuse_missing(const struct argument *argument, struct error *err)
{
	return error_set(err, ERROR_BAD_INPUT, "", "%.*s is missing", (int)strcspn(argument->name, " "), argument->name);
}

static int check_arguments(const struct words *words, const struct command *command, struct error *err)
{
	size_t least = command_arguments_min(command), most = command_arguments_max(command);

	if (words->argument_count < least)
		return refuse_missing(&command->arguments[words->argument_count], err);
	if (words->argument_count > most)
		return error_set(err, ERROR_BAD_INPUT, "", "unexpected word '%s'", words->arguments[most]);
	for (size_t i = 0; i < least; i++)
		if (!*words->arguments[i])
			return error_set(err, ERROR_BAD_INPUT, command->arguments[i].name, "it is empty");
	return 0;
}

/* "service" and no more; but "explain" is a command as well. */
static bool is_only_group(const struct words *words)
{
	return words->argument_count == 1 && command_is_group(words->arguments[0]) && !command_find(words->arguments[0]);
}

/* "drain --help", "service --help", "--help": what is named is helped with, whatever else is missing or wrong. */
static int take_help(struct invocation *invocation, struct error *err)
{
	struct words *words = &invocation->words;

	invocation->command = NULL; /* it may be `help` itself */
	invocation->help_topic = words->argument_count ? words->arguments[0] : "";
	if (!*invocation->help_topic || is_only_group(words))
		return 0;
	if (take_command(words, &invocation->command, err) || !invocation->command)
		return -ERROR_BAD_INPUT;
	invocation->help_topic = invocation->command->name;
	return 0;
}

/* What every change may be given. */
static int add_common(const struct words *words, struct request *request, struct error *err)
{
	const char *reason = words->option[OPTION_REASON], *generation = words->option[OPTION_IF_GENERATION];
	uint64_t number;
	int rc = reason ? line_check(reason, REASON_MAX, "--reason", err) : 0;

	if (!rc && generation)
		rc = number_parse(generation, 0, UINT32_MAX, &number, "--if-generation", err);
	if (words_has(words, OPTION_DRY_RUN))
		request_query(request, "dry_run", "true");
	request_query(request, "reason", reason);
	request_query(request, "if_generation", generation);
	return rc;
}

static int finish(struct invocation *invocation, struct error *err)
{
	const struct words *words = &invocation->words;
	const struct command *command = invocation->command;
	int rc = check_options(words, command, err);

	if (!rc)
		rc = check_arguments(words, command, err);
	if (rc || !command->build)
		return rc;
	rc = command->build(words, &invocation->request, err);
	if (!rc && command->kind == COMMAND_CHANGE)
		rc = add_common(words, &invocation->request, err);
	return rc;
}

int invocation_parse(int argc, char *const *argv, struct invocation *invocation, struct error *err)
{
	int rc;

	memset(invocation, 0, sizeof(*invocation));
	/* As a value's name --version belongs to `sessions`; alone it asks for ours, as people expect. */
	if (argc == 1 && (!strcmp(argv[0], "--version") || !strcmp(argv[0], "-V"))) {
		invocation->release = true;
		return 0;
	}
	rc = words_split(argc, argv, &invocation->words, err);
	if (rc)
		return rc;
	if (words_has(&invocation->words, OPTION_HELP))
		return take_help(invocation, err);
	rc = take_command(&invocation->words, &invocation->command, err);
	if (rc)
		return rc;
	if (!strcmp(invocation->command->name, "help") && !check_options(&invocation->words, invocation->command, err))
		return take_help(invocation, err);
	return finish(invocation, err);
}

void invocation_fini(struct invocation *invocation)
{
	request_fini(&invocation->request);
}
