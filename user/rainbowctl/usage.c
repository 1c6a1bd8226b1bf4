// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Help, made from the table of commands: see usage.h. */
#include <string.h>
#include "rainbowctl/command.h"
#include "rainbowctl/usage.h"

#define OPTION_WIDTH  30
#define COMMAND_WIDTH 22

static void usage_option(FILE *out, const struct command *command, int id)
{
	bool required = command->required & OPTION_BIT(id);

	fprintf(out, " %s--%s%s%s%s", required ? "" : "[", options[id].name, options[id].value ? " " : "",
		options[id].value ? options[id].value : "", required ? "" : "]");
	if (id == OPTION_BACKEND)
		fputs(" ...", out);
}

void usage_line(FILE *out, const struct command *command)
{
	fprintf(out, "rainbowctl %s", command->name);
	for (size_t i = 0; i < COMMAND_ARGUMENTS && command->arguments[i].name; i++)
		fprintf(out, command->arguments[i].optional ? " [%s]" : " %s", command->arguments[i].name);
	for (int id = 0; id < OPTION_COUNT; id++)
		if (command->options & OPTION_BIT(id))
			usage_option(out, command, id);
}

/* Two columns; what is too long for the first has a line of its own. */
static void describe(FILE *out, const char *left, int width, const char *right)
{
	if ((int)strlen(left) > width)
		fprintf(out, "  %s\n  %*s %s\n", left, width, "", right);
	else
		fprintf(out, "  %-*s %s\n", width, left, right);
}

static void describe_option(FILE *out, int id)
{
	const struct option *option = &options[id];
	char left[64];

	snprintf(left, sizeof(left), "%c%c%s --%s%s%s", option->letter ? '-' : ' ', option->letter ? option->letter : ' ',
		 option->letter ? "," : " ", option->name, option->value ? " " : "", option->value ? option->value : "");
	describe(out, left, OPTION_WIDTH, option->help);
}

static bool belongs(const struct command *command, const char *group)
{
	size_t length = strlen(group);

	return command->summary && (!length || (!strncmp(command->name, group, length) && command->name[length] == ' '));
}

static void list_commands(FILE *out, const char *group)
{
	for (size_t i = 0; i < command_count; i++)
		if (belongs(&commands[i], group))
			describe(out, commands[i].name, COMMAND_WIDTH, commands[i].summary);
}

void usage_command(FILE *out, const struct command *command)
{
	uint64_t taken = command_options(command);

	fputs("usage: ", out);
	usage_line(out, command);
	fprintf(out, "\n\n%s%s%s\n\noptions:\n", command->summary ? command->summary : "for the completion script",
		command->detail ? "\n\n" : "", command->detail ? command->detail : "");
	for (int id = 0; id < OPTION_COUNT; id++)
		if (taken & OPTION_BIT(id))
			describe_option(out, id);
	if (command->example)
		fprintf(out, "\nexample:\n  %s\n", command->example);
	if (command_is_group(command->name)) {
		fputs("\nalso:\n", out);
		list_commands(out, command->name);
	}
}

void usage_overview(FILE *out, const char *group)
{
	fprintf(out, "usage: rainbowctl %s%sCOMMAND [options]\n\n", group, *group ? " " : "");
	if (!*group)
		fputs("Steers rainbow, which routes sessions to versions in the kernel. Without a command: status.\n\n", out);
	list_commands(out, group);
	fprintf(out, "\n'rainbowctl %s%sCOMMAND --help' shows arguments, options and an example.\n", group, *group ? " " : "");
	if (*group)
		return;
	fputs(
	    "Options may stand anywhere: --socket PATH (or RAINBOW_SOCKET), -o table|json, --ascii; for commands that change\n"
	    "something --dry-run and --reason TEXT, and if it is of one service --if-generation N.\n\n"
	    "exit codes: 0 done, 1 internal, 2 usage or bad input, 3 not found, 4 conflict, 5 precondition, 6 no rainbowd,\n"
	    "7 timed out, 10 (plan) something would change\n",
	    out);
}
