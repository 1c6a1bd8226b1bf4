// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The completion script for bash: what can be known beforehand is written into it from the tables; names of services and
 * versions it asks rainbowd for, through the hidden command `complete`.
 */
#include <string.h>
#include "common/error.h"
#include "common/text.h"
#include "rainbowctl/build.h"
#include "rainbowctl/command.h"
#include "rainbowctl/completion.h"

int build_completion(const struct words *words, struct request *request, struct error *err)
{
	(void)request;
	if (strcmp(words->arguments[0], "bash"))
		return error_set(err, ERROR_BAD_INPUT, "", "no completion for '%s': there is one for bash",
				 words->arguments[0]);
	return 0;
}

int build_complete(const struct words *words, struct request *request, struct error *err)
{
	bool labels = !strcmp(words->arguments[0], "labels");
	const char *service = words->argument_count > 1 ? words->arguments[1] : NULL;
	int rc = service ? name_check(service, "service", "SERVICE", err) : 0;

	if (rc)
		return rc;
	if (!labels && strcmp(words->arguments[0], "services"))
		return error_set(err, ERROR_BAD_INPUT, "", "'%s' is none of services, labels", words->arguments[0]);
	request_begin(request, "GET", labels ? "/v1/versions" : "/v1/services");
	request_query(request, "service", labels ? service : NULL);
	return 0;
}

static const char *const script_begin =
    "# bash completion for rainbowctl; made by: rainbowctl completion bash\n"
    "_rainbowctl() {\n"
    "\tlocal cur prev words cword command options kinds kind socket=() arguments=() i\n"
    "\tif declare -F _init_completion >/dev/null; then\n"
    "\t\t_init_completion -n := || return\n"
    "\telse\n"
    "\t\twords=(\"${COMP_WORDS[@]}\") cword=$COMP_CWORD cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
    "\tfi\n";

static const char *const script_end =
    "\tif [[ $cur == -* ]]; then\n"
    "\t\tCOMPREPLY=($(compgen -W \"$options\" -- \"$cur\"))\n"
    "\t\treturn\n"
    "\tfi\n"
    "\ti=${#arguments[@]}\n"
    "\t((i < ${#kinds[@]})) || i=$((${#kinds[@]} - 1))\n"
    "\tkind=free\n"
    "\t((i < 0)) || kind=${kinds[i]}\n"
    "\tif ((${#arguments[@]} >= ${#kinds[@]})) && [[ $kind != weight ]]; then kind=free; fi\n"
    "\tcase $kind in\n"
    "\tservice) COMPREPLY=($(compgen -W \"$(\"$1\" complete services \"${socket[@]}\" 2>/dev/null)\" -- \"$cur\")) ;;\n"
    "\tlabel) COMPREPLY=($(compgen -W \"$(\"$1\" complete labels \"${arguments[0]}\" \"${socket[@]}\" 2>/dev/null)\" -- "
    "\"$cur\")) ;;\n"
    "\tweight)\n"
    "\t\tCOMPREPLY=($(compgen -S = -W \"$(\"$1\" complete labels \"${arguments[0]}\" \"${socket[@]}\" 2>/dev/null)\" -- "
    "\"$cur\"))\n"
    "\t\tcompopt -o nospace ;;\n"
    "\tshell) COMPREPLY=($(compgen -W bash -- \"$cur\")) ;;\n"
    "\tcommand) COMPREPLY=($(compgen -W \"$first\" -- \"$cur\")) ;;\n"
    "\tesac\n"
    "}\n"
    "complete -F _rainbowctl rainbowctl\n";

/* "--socket|--output|-o": a case pattern of the options that take a value. */
static void print_valued(FILE *out)
{
	const char *between = "";

	for (int id = 0; id < OPTION_COUNT; id++) {
		if (!options[id].value)
			continue;
		fprintf(out, "%s--%s", between, options[id].name);
		between = "|";
		if (options[id].letter)
			fprintf(out, "|-%c", options[id].letter);
	}
}

/* The first words of all commands, each once; or the second words of a group. */
static void print_names(FILE *out, const char *group)
{
	const char *between = "", *before = "";

	for (size_t i = 0; i < command_count; i++) {
		const char *name = commands[i].name;
		size_t first = strcspn(name, " ");

		if (!commands[i].summary)
			continue;
		if (*group && (strlen(group) != first || strncmp(name, group, first)))
			continue;
		if (!*group && strlen(before) >= first && !strncmp(before, name, first))
			continue; /* commands of a group stand together */
		fprintf(out, "%s%.*s", between, *group ? 64 : (int)first, *group ? name + first + 1 : name);
		between = " ";
		before = name;
	}
}

/* Separates what is typed so far into the command's words and arguments. */
static void print_walk(FILE *out)
{
	fputs("\tlocal first=\"", out);
	print_names(out, "");
	fputs("\"\n\tfor ((i = 1; i < cword; i++)); do\n\t\tcase ${words[i]} in\n\t\t--socket) socket=(--socket "
	      "\"${words[i+1]}\"); ((i++)) "
	      ";;\n\t\t",
	      out);
	print_valued(out);
	fputs(") ((i++)) ;;\n\t\t-*) ;;\n\t\t*) arguments+=(\"${words[i]}\") ;;\n\t\tesac\n\tdone\n", out);
}

static void print_values(FILE *out)
{
	fputs("\tcase $prev in\n", out);
	for (int id = 0; id < OPTION_COUNT; id++) {
		if (!options[id].choices)
			continue;
		fprintf(out, "\t--%s", options[id].name);
		if (options[id].letter)
			fprintf(out, "|-%c", options[id].letter);
		fputs(") COMPREPLY=($(compgen -W \"", out);
		for (const char *const *choice = options[id].choices; *choice; choice++)
			fprintf(out, "%s%s", choice == options[id].choices ? "" : " ", *choice);
		fputs("\" -- \"$cur\")); return ;;\n", out);
	}
	fputs("\t--socket|--file|-f|--pods) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n"
	      "\t--to|--version) COMPREPLY=($(compgen -W \"$(\"$1\" complete labels \"${arguments[1]}\" \"${socket[@]}\" "
	      "2>/dev/null)\" -- "
	      "\"$cur\")); return ;;\n\t",
	      out);
	print_valued(out);
	fputs(") return ;;\n\tesac\n", out);
}

static void print_groups(FILE *out)
{
	const char *before = "";

	fputs("\tif ((${#arguments[@]} == 0)) && [[ $cur != -* ]]; then\n"
	      "\t\tCOMPREPLY=($(compgen -W \"$first\" -- \"$cur\"))\n\t\treturn\n\tfi\n"
	      "\tcommand=${arguments[0]}\n\tcase $command in\n",
	      out);
	for (size_t i = 0; i < command_count; i++) {
		size_t first = strcspn(commands[i].name, " ");
		char group[32];

		if (!commands[i].name[first] || !strncmp(before, commands[i].name, first + 1))
			continue;
		before = commands[i].name;
		fprintf(out, "\t%.*s)\n\t\tif ((${#arguments[@]} == 1)); then\n\t\t\tCOMPREPLY=($(compgen -W \"", (int)first,
			before);
		snprintf(group, sizeof(group), "%.*s", (int)first, before);
		print_names(out, group);
		fputs("\" -- \"$cur\"))\n\t\t\treturn\n\t\tfi\n\t\tcommand+=\" ${arguments[1]}\"\n"
		      "\t\targuments=(\"${arguments[@]:2}\") ;;\n",
		      out);
	}
	fputs("\t*) arguments=(\"${arguments[@]:1}\") ;;\n\tesac\n", out);
}

static void print_commands(FILE *out)
{
	static const char *const kinds[] = {"free", "service", "label", "weight", "shell", "command"};

	fputs("\tcase $command in\n", out);
	for (size_t i = 0; i < command_count; i++) {
		const struct command *command = &commands[i];
		uint64_t taken = command_options(command);

		if (!command->summary)
			continue;
		fprintf(out, "\t\"%s\") kinds=(", command->name);
		for (size_t j = 0; j < COMMAND_ARGUMENTS && command->arguments[j].name; j++)
			fprintf(out, "%s%s", j ? " " : "", kinds[command->arguments[j].kind]);
		fputs(") options=\"", out);
		for (int id = 0; id < OPTION_COUNT; id++)
			if (taken & OPTION_BIT(id))
				fprintf(out, "--%s ", options[id].name);
		fputs("\" ;;\n", out);
	}
	fputs("\t*) kinds=() options=\"--help --socket --output --ascii --watch\" ;;\n\tesac\n", out);
}

void completion_print(FILE *out)
{
	fputs(script_begin, out);
	print_walk(out);
	print_values(out);
	print_groups(out);
	print_commands(out);
	fputs(script_end, out);
}
