// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See push.h. */
#include <stdlib.h>
#include <string.h>
#include "common/error.h"
#include "rainbowctl/client.h"
#include "rainbowctl/command.h"
#include "rainbowctl/push.h"

#define BATCH 1000 /* lines; a request has 1 MiB at most */

struct push {
	struct client *client;
	const struct request *request;
	FILE *in;
	char *line;
	size_t size;
	unsigned long number; /* of the last line read */
	json_t *sum;          /* the last reply, with the counts of all */
};

bool push_is_meant(const struct invocation *invocation)
{
	return strcmp(invocation->command->name, "gate push") == 0 && invocation->words.argument_count == 4;
}

/* The next BATCH of lines as a list, an empty one at the end; NULL: one is no JSON. Empty lines are skipped. */
static json_t *read_batch(struct push *push, struct error *err)
{
	json_t *list = json_array(), *sample;
	json_error_t where;

	while (json_array_size(list) < BATCH && getline(&push->line, &push->size, push->in) >= 0) {
		push->number++;
		if (!push->line[strspn(push->line, " \t\r\n")])
			continue;
		sample = json_loads(push->line, JSON_REJECT_DUPLICATES, &where);
		if (!sample) {
			error_set(err, ERROR_BAD_INPUT, "-", "line %lu of stdin is no JSON object: %s", push->number,
				  where.text);
			json_decref(list);
			return NULL;
		}
		json_array_append_new(list, sample);
	}
	return list;
}

static void add_counts(struct push *push, json_t *reply)
{
	static const char *const keys[] = {"accepted", "known", "unused"};
	size_t i;

	for (i = 0; push->sum && i < sizeof(keys) / sizeof(keys[0]); i++)
		json_object_set_new(reply, keys[i],
				    json_integer(json_integer_value(json_object_get(reply, keys[i])) +
						 json_integer_value(json_object_get(push->sum, keys[i]))));
	json_decref(push->sum);
	push->sum = reply;
}

static int send_batch(struct push *push, json_t *list, unsigned long first, struct error *err)
{
	struct request request = *push->request;
	struct error what = {0};
	json_t *reply = NULL;
	int rc;

	request.body = json_copy(push->request->body);
	json_object_set(request.body, "samples", list);
	rc = client_send(push->client, &request, &reply, &what);
	json_decref(request.body);
	if (rc)
		return error_set(err, what.code, what.field, "lines %lu to %lu of stdin: %.400s", first, push->number,
				 what.message);
	add_counts(push, reply);
	return 0;
}

static json_int_t counted(const struct push *push, const char *key)
{
	return json_integer_value(json_object_get(push->sum, key));
}

/* One sentence over all batches. */
static void say_sum(struct push *push)
{
	json_object_set_new(
	    push->sum, "done",
	    json_sprintf("%lu lines read: %lld accepted, %lld known, %lld of no use (not of the rollout's present step)",
			 push->number, (long long)counted(push, "accepted"), (long long)counted(push, "known"),
			 (long long)counted(push, "unused")));
}

int push_lines(struct client *client, const struct request *request, FILE *in, json_t **reply, struct error *err)
{
	struct push push = {.client = client, .request = request, .in = in};
	bool more = true;
	int rc = 0;

	while (!rc && more) {
		unsigned long first = push.number + 1;
		json_t *list = read_batch(&push, err);

		more = list && json_array_size(list);
		if (!list)
			rc = -(int)err->code;
		else if (more)
			rc = send_batch(&push, list, first, err);
		json_decref(list);
	}
	free(push.line);
	if (!rc && !push.sum)
		rc = error_set(err, ERROR_BAD_INPUT, "-", "stdin holds no sample: give one JSON object on each line");
	if (!rc)
		say_sum(&push);
	if (rc)
		json_decref(push.sum);
	else
		*reply = push.sum;
	return rc;
}
