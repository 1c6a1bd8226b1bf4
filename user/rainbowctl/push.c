// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See push.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "common/error.h"
#include "common/text.h"
#include "rainbowctl/client.h"
#include "rainbowctl/command.h"
#include "rainbowctl/push.h"
#include "rainbowctl/sample_line.h"

#define BATCH    1000 /* samples; a request has 1 MiB at most */
#define WHYS_MAX 4

struct push {
	FILE *in;
	char line[PUSH_LINE_MAX];
	size_t length;
	unsigned long number; /* of the last line read */
	const char *outcome;  /* "ok" or "value", as the first line has it */
	json_t *samples;
	unsigned long numbers[PUSH_SAMPLES_MAX]; /* of the lines of the samples */
	json_t *sum;                             /* the last reply, with the counts of all */
	struct why {
		char text[96];
		json_int_t count;
	} whys[WHYS_MAX]; /* why samples were of no use */
};

bool push_is_meant(const struct invocation *invocation)
{
	return strcmp(invocation->command->name, "gate push") == 0 && invocation->words.argument_count == 4;
}

/* --- all lines, checked ----------------------------------------------------------------------------------------------------------------- */

static int refuse_line(const struct push *push, const char *field, const char *what, struct error *err)
{
	return error_set(err, ERROR_BAD_INPUT, "-", "line %lu of stdin: %s%s%.400s; nothing is sent", push->number, field,
			 *field ? ": " : "", what);
}

/* 1: a line is there; 0: there is none any more. */
static int read_line(struct push *push, struct error *err)
{
	int c;

	push->number++;
	for (push->length = 0; (c = getc(push->in)) != EOF && c != '\n'; push->length++) {
		if (push->length == sizeof(push->line))
			return refuse_line(push, "", "is longer than 4096 bytes", err);
		push->line[push->length] = (char)c;
	}
	if (ferror(push->in))
		return error_set(err, ERROR_BAD_INPUT, "-", "stdin can not be read: %s; nothing is sent", strerror(errno));
	return c == '\n' || push->length;
}

static bool is_blank(const struct push *push)
{
	for (size_t i = 0; i < push->length; i++)
		if (!strchr(" \t\r", push->line[i]) || !push->line[i])
			return false;
	return true;
}

static int take_line(struct push *push, struct error *err)
{
	size_t count = json_array_size(push->samples);
	struct error what = {0};
	json_error_t where;
	json_t *sample;
	int rc;

	if (is_blank(push))
		return 0;
	if (count == PUSH_SAMPLES_MAX)
		return refuse_line(push, "", "there are more than 100000 samples, and a gate takes no more in a step", err);
	sample = json_loadb(push->line, push->length, JSON_REJECT_DUPLICATES, &where);
	if (!sample) {
		text_clean(where.text);
		return refuse_line(push, "is no JSON object", where.text, err);
	}
	rc = sample_line_check(sample, &push->outcome, &what);
	push->numbers[count] = push->number;
	json_array_append_new(push->samples, sample);
	return rc ? refuse_line(push, what.field, what.message, err) : 0;
}

static int read_all(struct push *push, struct error *err)
{
	int rc;

	push->samples = json_array();
	while ((rc = read_line(push, err)) > 0) {
		rc = take_line(push, err);
		if (rc)
			return rc;
	}
	push->number--;
	if (!rc && !json_array_size(push->samples))
		return error_set(err, ERROR_BAD_INPUT, "-", "stdin holds no sample: give one JSON object on each line");
	return rc;
}

/* --- batches ------------------------------------------------------------------------------------------------------------------------------ */

/* Of this batch, which rainbowd has refused whole: the line, if it is about one, and what became of those before. */
static int refuse_batch(const struct push *push, size_t first, const struct error *what, struct error *err)
{
	bool counted = first && !json_is_true(json_object_get(push->sum, "dry_run"));
	char line[48] = "", before[112] = "";
	const char *message = what->message, *colon = strstr(message, "]: ");
	size_t place;

	if (sscanf(what->field, "samples[%zu]", &place) == 1 && first + place < json_array_size(push->samples)) {
		snprintf(line, sizeof(line), "line %lu of stdin: ", push->numbers[first + place]);
		message = !strncmp(message, "samples[", 8) && colon ? colon + 3 : message;
	}
	if (counted)
		snprintf(before, sizeof(before), "; lines 1 to %lu are counted already; pushing them again does no harm",
			 push->numbers[first - 1]);
	return error_set(err, what->code, what->field, "%s%.340s%s", line, message, before);
}

static void add_why(struct push *push, const json_t *reply)
{
	json_int_t count = json_integer_value(json_object_get(reply, "unused"));
	const char *text = json_string_value(json_object_get(reply, "unused_why"));

	for (struct why *why = push->whys; count && text && why < push->whys + WHYS_MAX; why++) {
		if (why->count && strncmp(why->text, text, sizeof(why->text) - 1) != 0)
			continue;
		snprintf(why->text, sizeof(why->text), "%s", text);
		why->count += count;
		return;
	}
}

static void add_counts(struct push *push, json_t *reply)
{
	static const char *const keys[] = {"accepted", "known", "unused"};
	size_t i;

	add_why(push, reply);
	for (i = 0; push->sum && i < sizeof(keys) / sizeof(keys[0]); i++)
		json_object_set_new(reply, keys[i],
				    json_integer(json_integer_value(json_object_get(reply, keys[i])) +
						 json_integer_value(json_object_get(push->sum, keys[i]))));
	json_decref(push->sum);
	push->sum = reply;
}

static int send_batch(struct push *push, struct client *client, const struct request *without, size_t first, struct error *err)
{
	struct request request = *without;
	json_t *list = json_array(), *reply = NULL;
	struct error what = {0};
	int rc;

	for (size_t i = first; i < first + BATCH && i < json_array_size(push->samples); i++)
		json_array_append(list, json_array_get(push->samples, i));
	request.body = json_copy(without->body);
	json_object_set_new(request.body, "samples", list);
	rc = client_send(client, &request, &reply, &what);
	json_decref(request.body);
	if (rc)
		return refuse_batch(push, first, &what, err);
	add_counts(push, reply);
	return 0;
}

/* --- one answer --------------------------------------------------------------------------------------------------------------------------- */

/* "no rollout is under way", or of several causes each with its number. */
static const char *join_whys(const struct push *push, char *text, size_t size)
{
	size_t length = 0;

	text[0] = '\0';
	for (const struct why *why = push->whys; why < push->whys + WHYS_MAX && why->count && length < size; why++) {
		length += (size_t)snprintf(text + length, size - length, "%s%s", length ? ", " : "", why->text);
		if (push->whys[1].count && length < size)
			length += (size_t)snprintf(text + length, size - length, " (%lld)", (long long)why->count);
	}
	return text;
}

static long long counted(const struct push *push, const char *key)
{
	return (long long)json_integer_value(json_object_get(push->sum, key));
}

/* One sentence over all batches. */
static void say_sum(struct push *push)
{
	char why[WHYS_MAX * 120];

	join_whys(push, why, sizeof(why));
	json_object_set_new(push->sum, "unused_why", *why ? json_string(why) : json_null());
	json_object_set_new(push->sum, "done",
			    json_sprintf("%lu line%s read: %lld accepted, %lld known, %lld of no use%s%s", push->number,
					 push->number == 1 ? "" : "s", counted(push, "accepted"), counted(push, "known"),
					 counted(push, "unused"), *why ? ": " : "", why));
}

int push_lines(struct client *client, const struct request *request, FILE *in, json_t **reply, struct error *err)
{
	struct push *push = calloc(1, sizeof(*push));
	int rc;

	if (!push)
		return error_set(err, ERROR_INTERNAL, "", "out of memory");
	push->in = in;
	rc = read_all(push, err);
	for (size_t first = 0; !rc && first < json_array_size(push->samples); first += BATCH)
		rc = send_batch(push, client, request, first, err);
	if (!rc)
		say_sum(push);
	if (rc)
		json_decref(push->sum);
	else
		*reply = push->sum;
	json_decref(push->samples);
	free(push);
	return rc;
}
