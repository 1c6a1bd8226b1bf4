// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * See declare.h. What is wrong with a document is told with its place in the file, FILE:LINE:COLUMN, whether it was found here or by
 * rainbowd, which names the path.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/document.h"
#include "common/error.h"
#include "common/field.h"
#include "common/text.h"
#include "rainbowctl/client.h"
#include "rainbowctl/command.h"
#include "rainbowctl/declare.h"
#include "rainbowctl/screen.h"
#include "rainbowctl/slices.h"
#include "rainbowctl/yaml.h"

#define LIST_SIZE_MAX (64u << 20) /* of what kubectl prints */
#define PLACE_SIZE    400
#define ERRORS_MAX    20 /* told at once */

struct run {
	const struct invocation *invocation;
	const struct renderer *renderer;
	const char *socket;
	const char *file; /* its name in messages */
	struct yaml yaml;
	char place[PLACE_SIZE]; /* what an error is about */
	struct error err;
};

/* --- files ---------------------------------------------------------------------------------------------------------------------------- */

/* Appends to *bytes, which is the caller's in any case. */
static int read_more(FILE *stream, char **bytes, size_t *size, size_t *room, struct error *err)
{
	char *grown = *size == *room ? realloc(*bytes, *room *= 2) : *bytes;

	if (!grown)
		return error_set(err, ERROR_INTERNAL, "", "out of memory");
	*bytes = grown;
	*size += fread(*bytes + *size, 1, *room - *size, stream);
	return 0;
}

static int read_stream(FILE *stream, const char *name, size_t most, char **bytes, size_t *size, struct error *err)
{
	size_t room = 32768;
	int rc = 0;

	*bytes = malloc(room);
	if (!*bytes)
		return error_set(err, ERROR_INTERNAL, "", "out of memory");
	for (*size = 0; !rc && !feof(stream) && !ferror(stream);) {
		rc = read_more(stream, bytes, size, &room, err);
		if (*size > most)
			return error_set(err, ERROR_BAD_INPUT, "--file", "%.200s is larger than %zu MiB", name, most >> 20);
	}
	if (!rc && ferror(stream))
		rc = error_set(err, ERROR_BAD_INPUT, "--file", "can not read %.200s: %s", name, strerror(errno));
	return rc;
}

/* "-": stdin. *bytes is the caller's in any case. */
static int read_file(const char *path, size_t most, char **bytes, size_t *size, struct error *err)
{
	bool is_stdin = !strcmp(path, "-");
	FILE *stream = is_stdin ? stdin : fopen(path, "re");
	int rc;

	*bytes = NULL;
	if (!stream)
		return error_set(err, ERROR_BAD_INPUT, "--file", "can not open %.200s: %s", path, strerror(errno));
	rc = read_stream(stream, is_stdin ? "stdin" : path, most, bytes, size, err);
	if (!is_stdin)
		fclose(stream);
	return rc;
}

/* --- places ---------------------------------------------------------------------------------------------------------------------------- */

static void set_place(struct run *run, struct yaml_at at)
{
	const char *between = run->err.field[0] ? ": " : "";

	snprintf(run->place, sizeof(run->place), "%.250s:%u:%u%s%s", run->file, at.line, at.column, between, run->err.field);
	text_clean(run->place);
}

/* For programs the place goes into the sentence: their error has no other member for it. */
static int report(struct run *run)
{
	struct error err = run->err;

	if (run->renderer == &json_renderer && strncmp(run->place, "rainbowctl ", 11)) {
		snprintf(err.message, sizeof(err.message), "%.200s: %.300s", run->place, run->err.message);
		text_clean(err.message);
	}
	fflush(stdout);
	run->renderer->error(&err, run->place);
	return err.code;
}

/*
 * The first error that is found is the only one, but for unknown keys: such a key is taken out and the document looked at again, since
 * who mistypes one mistypes several. All but the last are told here.
 */
static int check(struct run *run)
{
	struct error next = {0};
	int rc = 0;

	for (int count = 0; count < ERRORS_MAX && document_check(run->yaml.json, &next); count++) {
		if (rc)
			report(run);
		run->err = next;
		rc = -(int)next.code;
		set_place(run, yaml_find(&run->yaml, next.field));
		if (strncmp(next.message, FIELD_UNKNOWN, strlen(FIELD_UNKNOWN)) || !yaml_remove(&run->yaml, next.field))
			break;
	}
	return rc;
}

/* The document of --file, checked. */
static int load(struct run *run)
{
	const char *path = run->invocation->words.option[OPTION_FILE];
	char *bytes;
	size_t size;
	int rc = read_file(path, YAML_SIZE_MAX, &bytes, &size, &run->err);

	run->file = strcmp(path, "-") ? path : "stdin";
	if (!rc) {
		rc = yaml_read(bytes, size, document_wants_text, &run->yaml, &run->err);
		if (rc)
			set_place(run, run->yaml.wrong);
	}
	free(bytes);
	return rc ? rc : check(run);
}

/* --- the commands ------------------------------------------------------------------------------------------------------------------------ */

static int run_lint(struct run *run)
{
	int rc = load(run);
	size_t services;

	if (rc)
		return rc;
	services = json_array_size(json_object_get(run->yaml.json, "services"));
	if (run->renderer == &json_renderer) {
		json_t *reply = json_pack("{s:s, s:I}", "file", run->file, "services", (json_int_t)services);
		struct screen screen;

		screen_init(&screen, stdout, false);
		json_renderer.draw(VIEW_NONE, reply, &screen);
		json_decref(reply);
	} else {
		printf("%s: %zu service%s, nothing is wrong with it\n", run->file, services, services == 1 ? "" : "s");
	}
	return 0;
}

static int ask(struct run *run, const struct request *request, json_t **reply)
{
	struct client *client = client_new(run->socket, &run->err);
	int rc = client ? client_send(client, request, reply, &run->err) : -(int)run->err.code;

	client_free(client);
	return rc;
}

/* plan and apply */
static int run_document(struct run *run, bool plan)
{
	struct request request = run->invocation->request;
	json_t *reply = NULL;
	struct screen screen;
	int rc = load(run);

	if (rc)
		return rc;
	request.body = run->yaml.json;
	rc = ask(run, &request, &reply);
	if (rc && !strncmp(run->err.field, "services[", 9))
		set_place(run, yaml_find(&run->yaml, run->err.field));
	if (!rc) {
		screen_init(&screen, stdout, words_has(&run->invocation->words, OPTION_ASCII));
		run->renderer->draw(VIEW_CHANGES, reply, &screen);
		rc = plan && json_array_size(json_object_get(reply, "changes")) ? DECLARE_CHANGES : 0;
	}
	json_decref(reply);
	return rc;
}

static int run_plan(struct run *run)
{
	return run_document(run, true);
}

static int run_apply(struct run *run)
{
	return run_document(run, false);
}

/* For people it is YAML. */
static int print(struct run *run, const json_t *document)
{
	struct screen screen;

	if (run->renderer != &json_renderer)
		return yaml_print(document, stdout, &run->err);
	screen_init(&screen, stdout, false);
	json_renderer.draw(VIEW_NONE, document, &screen);
	return 0;
}

static int run_export(struct run *run)
{
	json_t *reply = NULL;
	int rc = ask(run, &run->invocation->request, &reply);

	rc = rc ? rc : print(run, reply);
	json_decref(reply);
	return rc;
}

static int load_list(struct run *run, const char *path, json_t **out)
{
	json_error_t where;
	char *bytes;
	size_t size;
	int rc = read_file(path, LIST_SIZE_MAX, &bytes, &size, &run->err);

	run->file = strcmp(path, "-") ? path : "stdin";
	if (!rc) {
		*out = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &where);
		if (!*out) {
			rc = error_set(&run->err, ERROR_BAD_INPUT, "", "it is no JSON: %s", where.text);
			set_place(run, (struct yaml_at){(unsigned int)where.line, (unsigned int)where.column});
		}
	}
	free(bytes);
	return rc;
}

static void say_left_out(const struct slices_left_out *left_out)
{
	if (left_out->not_ready || left_out->terminating || left_out->other_family)
		fprintf(stderr,
			"left out: %zu endpoints that are not ready, %zu that terminate, %zu of the other address family\n",
			left_out->not_ready, left_out->terminating, left_out->other_family);
}

static int run_import(struct run *run)
{
	const struct words *words = &run->invocation->words;
	json_t *lists[2] = {NULL}, *document = NULL;
	struct slices_left_out left_out;
	int rc = load_list(run, words->option[OPTION_FILE], &lists[0]);

	if (!rc && words_has(words, OPTION_PODS))
		rc = load_list(run, words->option[OPTION_PODS], &lists[1]);
	if (!rc) {
		const struct slices slices = {
		    .lists = {lists[0], lists[1]},
		    .service_port = words->option[OPTION_SERVICE_PORT],
		    .address = words->option[OPTION_ADDRESS],
		};

		rc = slices_read(&slices, &document, &left_out, &run->err);
	}
	if (!rc) {
		say_left_out(&left_out);
		rc = print(run, document);
	}
	json_decref(document);
	json_decref(lists[0]);
	json_decref(lists[1]);
	return rc;
}

/* --- which ------------------------------------------------------------------------------------------------------------------------------ */

static const struct declare {
	const char *command;
	int (*run)(struct run *run);
} declares[] = {
    {"lint", run_lint}, {"plan", run_plan}, {"apply", run_apply}, {"export", run_export}, {"import endpointslices", run_import},
};

static const struct declare *find(const struct command *command)
{
	for (size_t i = 0; i < sizeof(declares) / sizeof(declares[0]); i++)
		if (!strcmp(declares[i].command, command->name))
			return &declares[i];
	return NULL;
}

bool declare_takes(const struct command *command)
{
	return find(command);
}

int declare_run(const struct invocation *invocation, const struct renderer *renderer, const char *socket)
{
	struct run run = {.invocation = invocation, .renderer = renderer, .socket = socket};
	int rc;

	snprintf(run.place, sizeof(run.place), "rainbowctl %s", invocation->command->name);
	rc = find(invocation->command)->run(&run);
	if (rc < 0)
		rc = report(&run);
	yaml_fini(&run.yaml);
	return rc;
}
