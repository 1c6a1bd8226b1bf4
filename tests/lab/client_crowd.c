/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All sessions of agent-client: opening at a rate, commands to some of them, the sums. */
#include <stdlib.h>
#include <string.h>

#include <common/text.h>

#include "tests/lab/client.h"
#include "tests/lab/control.h"

#define OPEN_TICK_MS 10
#define END_MS       5000

static struct session **crowd;
static size_t crowd_count, crowd_room;

static struct client_version versions[CLIENT_VERSIONS];
static unsigned int version_count;
static bool expects_forced; /* of versions not met yet, too */

static unsigned long to_open;
static unsigned long open_credit; /* thousandths of a session */
static bool is_ending;

static void open_tick(struct loop_timer *timer);
static void end_fire(struct loop_timer *timer);
static struct loop_timer open_timer = {.fire = open_tick};
static struct loop_timer end_timer = {.fire = end_fire};

/* --- members ---------------------------------------------------------------------------------------------------------- */

void crowd_join(struct session *session)
{
	if (crowd_count == crowd_room) {
		crowd_room = crowd_room * 2 + 256;
		crowd = realloc(crowd, crowd_room * sizeof(struct session *));
		if (!crowd)
			abort();
	}
	session->index = crowd_count;
	crowd[crowd_count++] = session;
}

static void open_more(unsigned long count)
{
	to_open += count;
	if (to_open && !open_timer.place)
		loop_timer_set(&open_timer, 0);
}

void crowd_leave(struct session *session, bool may_replace)
{
	crowd[session->index] = crowd[--crowd_count];
	crowd[session->index]->index = session->index;
	if (is_ending && crowd_count == 0)
		loop_stop();
	else if (may_replace && client_options.replaces && !is_ending)
		open_more(1);
}

static void open_tick(struct loop_timer *timer)
{
	open_credit += client_options.rate * OPEN_TICK_MS;
	while (to_open && open_credit >= 1000) {
		open_credit -= 1000;
		to_open--;
		session_open();
	}
	if (to_open)
		loop_timer_set(timer, OPEN_TICK_MS);
	else
		open_credit = 0;
}

struct client_version *crowd_version(const char *label)
{
	unsigned int i;

	for (i = 0; i < version_count; i++) {
		if (!strcmp(versions[i].label, label))
			return &versions[i];
	}
	if (version_count == CLIENT_VERSIONS)
		return &versions[CLIENT_VERSIONS - 1];
	text_copy(versions[i].label, sizeof(versions[i].label), label);
	versions[i].expects_forced = expects_forced;
	version_count++;
	return &versions[i];
}

void crowd_start(void)
{
	open_more(client_options.sessions);
}

/* --- the end ---------------------------------------------------------------------------------------------------------- */

static void end_fire(struct loop_timer *timer)
{
	(void)timer;
	loop_stop();
}

void crowd_end(void)
{
	size_t i;

	is_ending = true;
	to_open = 0;
	for (i = crowd_count; i-- > 0;) {
		if (!session_end(crowd[i]) && crowd[i]->state != SESSION_ENDING)
			session_reset(crowd[i]);
	}
	if (crowd_count)
		loop_timer_set(&end_timer, END_MS);
	else
		loop_stop();
}

/* --- sums ------------------------------------------------------------------------------------------------------------- */

static json_t *version_stats(const struct client_version *v)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "opened", (json_int_t)v->opened, "live", (json_int_t)v->live, "ended",
			 (json_int_t)v->ended, "reset", (json_int_t)v->reset, "moved", (json_int_t)v->moved, "lost",
			 (json_int_t)v->lost, "forced", (json_int_t)v->forced);
}

static struct client_version versions_sum(void)
{
	struct client_version sum = {0};
	unsigned int i;

	for (i = 0; i < version_count; i++) {
		sum.opened += versions[i].opened;
		sum.live += versions[i].live;
		sum.ended += versions[i].ended;
		sum.reset += versions[i].reset;
		sum.moved += versions[i].moved;
		sum.lost += versions[i].lost;
		sum.forced += versions[i].forced;
	}
	return sum;
}

bool crowd_is_whole(void)
{
	struct client_version sum = versions_sum();

	return sum.moved == 0 && sum.lost == 0;
}

json_t *crowd_stats(void)
{
	unsigned long in[SESSION_STATES] = {0};
	struct client_version sum = versions_sum();
	json_t *stats = version_stats(&sum), *by_version = json_object();
	size_t i;

	for (i = 0; i < crowd_count; i++)
		in[crowd[i]->state]++;
	for (i = 0; i < version_count; i++)
		json_object_set_new(by_version, versions[i].label, version_stats(&versions[i]));
	json_object_update_new(
	    stats, json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "opening",
			     (json_int_t)(to_open + in[SESSION_CONNECTING] + in[SESSION_GREETING]), "waiting",
			     (json_int_t)in[SESSION_ASKED], "ending", (json_int_t)in[SESSION_ENDING], "half_closed",
			     (json_int_t)(in[SESSION_HALF_CLIENT] + in[SESSION_HALF_SERVER]), "stalled",
			     (json_int_t)in[SESSION_STALLED], "refused", (json_int_t)client_counts.refused, "unanswered",
			     (json_int_t)client_counts.unanswered, "failed", (json_int_t)client_counts.failed, "turns",
			     (json_int_t)client_counts.turns, "tokens", (json_int_t)client_counts.tokens, "slowest_ms",
			     (json_int_t)client_counts.slowest_ms, "versions", by_version));
	return stats;
}

/* --- commands --------------------------------------------------------------------------------------------------------- */

/* Does something with up to N sessions of a version (NULL: of any), beginning somewhere. */
static json_t *some_command(bool (*act)(struct session *session), const char *how_many, const char *label)
{
	uint64_t limit = UINT64_MAX, done = 0;
	size_t count = crowd_count, start = count ? agent_random() % count : 0, i;
	struct session **all, *session;

	if (!how_many || (strcmp(how_many, "all") && number_parse(how_many, 0, UINT32_MAX, &limit, NULL, NULL)))
		return control_error("how many? a number, or all");
	all = malloc((count + 1) * sizeof(*all)); /* a copy: those acted on may leave the crowd */
	if (!all)
		abort();
	memcpy(all, crowd, count * sizeof(*all));
	for (i = 0; i < count && done < limit; i++) {
		session = all[(start + i) % count];
		if (session->version && (!label || !strcmp(session->version->label, label)))
			done += act(session);
	}
	free(all);
	return json_pack("{s:I}", "sessions", (json_int_t)done);
}

static json_t *expect_forced(const char *label)
{
	bool is_all = label && !strcmp(label, "all"), is_none = label && !strcmp(label, "none");
	unsigned int i;

	if (!label)
		return control_error("of which version? a label, all or none");
	if (is_all || is_none) {
		expects_forced = is_all;
		for (i = 0; i < version_count; i++)
			versions[i].expects_forced = is_all;
	} else {
		crowd_version(label)->expects_forced = true;
	}
	return json_pack("{s:s}", "expect_forced", label);
}

static json_t *number_command(const char *text, void (*act)(unsigned long number))
{
	uint64_t number;

	if (!text || number_parse(text, 0, 1000000, &number, NULL, NULL))
		return control_error("a number, at most 1000000");
	act((unsigned long)number);
	return json_pack("{s:I}", "number", (json_int_t)number);
}

static void interval_set(unsigned long ms)
{
	size_t i;

	client_options.interval_ms = ms;
	for (i = 0; i < crowd_count; i++) {
		if (crowd[i]->state != SESSION_READY)
			continue;
		loop_timer_unset(&crowd[i]->timer);
		if (ms)
			loop_timer_set(&crowd[i]->timer, (int64_t)(agent_random() % ms));
	}
}

static void rate_set(unsigned long rate)
{
	client_options.rate = rate;
}

static void replaces_set(unsigned long replaces)
{
	client_options.replaces = replaces != 0;
}

static const struct {
	const char *name;
	bool (*act)(struct session *session);
} some_commands[] = {
    {"end", session_end},     {"reset", session_reset}, {"half-close", session_half_close},
    {"stall", session_stall}, {"turn", session_ask},
};

static const struct {
	const char *name;
	void (*act)(unsigned long number);
} number_commands[] = {
    {"open", open_more},
    {"interval", interval_set},
    {"rate", rate_set},
    {"replace", replaces_set},
};

json_t *crowd_answer(int count, char **words)
{
	size_t i;

	for (i = 0; i < sizeof(some_commands) / sizeof(some_commands[0]); i++) {
		if (!strcmp(words[0], some_commands[i].name))
			return some_command(some_commands[i].act, count > 1 ? words[1] : NULL, count > 2 ? words[2] : NULL);
	}
	for (i = 0; i < sizeof(number_commands) / sizeof(number_commands[0]); i++) {
		if (!strcmp(words[0], number_commands[i].name))
			return number_command(count > 1 ? words[1] : NULL, number_commands[i].act);
	}
	if (!strcmp(words[0], "expect-forced"))
		return expect_forced(count > 1 ? words[1] : NULL);
	if (!strcmp(words[0], "quit"))
		crowd_end();
	if (!strcmp(words[0], "stats") || !strcmp(words[0], "quit"))
		return crowd_stats();
	return control_error("no command %s", words[0]);
}
