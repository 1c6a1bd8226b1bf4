/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the chaos ordered, and when; so that an end has a cause, or has none. Pure but for the clock of the loop. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <common/error.h>
#include <common/text.h>

#include "tests/torture/oracle.h"

#define LABELS_SIZE 256
#define FOR_EVER    INT64_MAX

/* --- excuses ---------------------------------------------------------------------------------------------------------- */

struct excuse {
	enum excuse_kind kind;
	char name[AGENT_LABEL_SIZE]; /* empty: all */
	int64_t from, until;
};

static struct excuse *excuses;
static size_t excuse_count;

static const char *const kind_words[EXCUSE_KINDS] = {"forced", "crashed", "refused", "delayed"};

int excuse_kind_parse(const char *word, enum excuse_kind *kind)
{
	unsigned int i;

	for (i = 0; i < EXCUSE_KINDS; i++) {
		if (!strcmp(word, kind_words[i])) {
			*kind = (enum excuse_kind)i;
			return 0;
		}
	}
	return -EINVAL;
}

int excuse_set(enum excuse_kind kind, const char *name, bool is_on)
{
	struct excuse *excuse;
	size_t i;

	name = name ? name : "";
	for (i = 0; i < excuse_count; i++) {
		excuse = &excuses[i];
		if (excuse->kind != kind || strcmp(excuse->name, name) || excuse->until != FOR_EVER)
			continue;
		if (!is_on)
			excuse->until = loop_now();
		return 0;
	}
	if (!is_on)
		return 0;
	excuses = realloc(excuses, (excuse_count + 1) * sizeof(*excuses));
	if (!excuses)
		abort(); /* a tool for tests: without memory there is no result */
	excuse = &excuses[excuse_count++];
	*excuse = (struct excuse){.kind = kind, .from = loop_now(), .until = FOR_EVER};
	text_copy(excuse->name, sizeof(excuse->name), name);
	return 0;
}

bool excuse_held(enum excuse_kind kind, const char *name, int64_t since)
{
	const struct excuse *excuse;
	size_t i;

	for (i = excuse_count; i-- > 0;) {
		excuse = &excuses[i];
		if (excuse->kind == kind && excuse->until >= since &&
		    (!excuse->name[0] || !name || !strcmp(excuse->name, name)))
			return true;
	}
	return false;
}

/* --- where new sessions may go ------------------------------------------------------------------------------------------ */

struct allowed {
	char labels[LABELS_SIZE]; /* ",v1,v3," or ",any," */
};

struct steer {
	struct cidr range;
	char labels[LABELS_SIZE];
	unsigned long from, until; /* generations; until: the first at which it held no more */
};

static struct allowed *allowed;
static size_t allowed_count;
static struct steer *steers;
static size_t steer_count;

static void allowed_append(const char *labels)
{
	allowed = realloc(allowed, (allowed_count + 1) * sizeof(*allowed));
	if (!allowed)
		abort();
	snprintf(allowed[allowed_count++].labels, LABELS_SIZE, "%s", labels);
}

void allow_set(const char *labels)
{
	char text[LABELS_SIZE];

	snprintf(text, sizeof(text), ",%s,", labels);
	allowed_append(text);
}

unsigned long allow_generation(void)
{
	if (!allowed_count)
		allow_set(ALLOWED_ANY);
	return allowed_count - 1;
}

int steer_set(const char *cidr, const char *labels)
{
	struct cidr range;
	struct error error;
	size_t i;

	if (cidr_parse(cidr, &range, "steer", &error))
		return -EINVAL;
	allow_generation();
	allowed_append(allowed[allowed_count - 1].labels); /* a new generation, to tell before from after */
	for (i = 0; i < steer_count; i++) {
		if (steers[i].until == ULONG_MAX && steers[i].range.bits == range.bits &&
		    addr_equal(&steers[i].range.addr, &range.addr))
			steers[i].until = allowed_count - 1;
	}
	if (!labels)
		return 0;
	steers = realloc(steers, (steer_count + 1) * sizeof(*steers));
	if (!steers)
		abort();
	steers[steer_count] = (struct steer){.range = range, .from = allowed_count - 1, .until = ULONG_MAX};
	snprintf(steers[steer_count++].labels, LABELS_SIZE, ",%s,", labels);
	return 0;
}

static bool labels_have(const char *labels, const char *word)
{
	return strstr(labels, word) || strstr(labels, "," ALLOWED_ANY ",");
}

/* Under the steer rules of one generation, or without one by the weights. */
static bool generation_allows(unsigned long generation, const char *word, const struct rainbow_addr *client)
{
	bool is_steered = false;
	size_t i;

	for (i = 0; i < steer_count; i++) {
		if (generation < steers[i].from || generation >= steers[i].until || !cidr_contains(&steers[i].range, client))
			continue;
		is_steered = true;
		if (labels_have(steers[i].labels, word))
			return true;
	}
	return !is_steered && labels_have(allowed[generation].labels, word);
}

bool allow_holds(const char *label, const struct rainbow_addr *client, unsigned long since_generation)
{
	char word[AGENT_LABEL_SIZE + 2];
	unsigned long generation;

	snprintf(word, sizeof(word), ",%s,", label);
	for (generation = since_generation; generation <= allow_generation(); generation++) {
		if (generation_allows(generation, word, client))
			return true;
	}
	return false;
}
