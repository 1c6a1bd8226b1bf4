// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The model's enums as words, the same in the API, the database and the messages. */
#include <string.h>
#include <netinet/in.h>
#include "model.h"

static const char *const affinities[] = {"none", "connection", "client"};
static const char *const selections[] = {"none", "hash", "exact"};
static const char *const strays[] = {"none", "reset", "drop", "pass"};
static const char *const states[] = {"none", "active", "draining", "drained"};

#define COUNT(words) (sizeof(words) / sizeof((words)[0]))

static const char *word_of(const char *const *words, size_t count, unsigned int value)
{
	return value < count ? words[value] : "unknown";
}

/* Index 0 is "none", which nobody may ask for. */
static unsigned int word_find(const char *const *words, size_t count, const char *text)
{
	unsigned int i;

	for (i = 1; i < count; i++)
		if (strcmp(words[i], text) == 0)
			return i;
	return 0;
}

const char *affinity_name(enum rainbow_affinity affinity)
{
	return word_of(affinities, COUNT(affinities), affinity);
}

const char *selection_name(enum rainbow_selection selection)
{
	return word_of(selections, COUNT(selections), selection);
}

const char *stray_name(enum rainbow_stray stray)
{
	return word_of(strays, COUNT(strays), stray);
}

const char *version_state_name(enum rainbow_version_state state)
{
	return word_of(states, COUNT(states), state);
}

const char *on_deadline_name(enum on_deadline on_deadline)
{
	return on_deadline == ON_DEADLINE_HOLD ? "hold" : "reset";
}

const char *protocol_name(uint8_t protocol)
{
	return protocol == IPPROTO_UDP ? "udp" : "tcp";
}

enum rainbow_affinity affinity_parse(const char *text)
{
	return (enum rainbow_affinity)word_find(affinities, COUNT(affinities), text);
}

enum rainbow_selection selection_parse(const char *text)
{
	return (enum rainbow_selection)word_find(selections, COUNT(selections), text);
}

enum rainbow_stray stray_parse(const char *text)
{
	return (enum rainbow_stray)word_find(strays, COUNT(strays), text);
}

uint8_t protocol_parse(const char *text)
{
	if (strcmp(text, "tcp") == 0)
		return IPPROTO_TCP;
	return strcmp(text, "udp") == 0 ? IPPROTO_UDP : 0;
}
