/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All sessions of the oracle: kept at a number, told what to do by commands, and listed to be held against the servers' lists. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <common/text.h>

#include "tests/lab/control.h"
#include "tests/torture/oracle.h"

#define TICK_MS         10
#define LINK_SETTLES_MS 3000
#define HISTORIES_TOLD  10
#define ASK_RATE        8000 /* turns begun a second, when all are told to take one */

struct oracle_counts oracle_counts;
bool crowd_is_calm;

static struct session **crowd;
static size_t crowd_count, crowd_room;

struct ghost {
	struct rainbow_addr from;
	uint16_t port;
	uint64_t id; /* 0: never greeted */
	int64_t left;
};
static struct ghost *ghosts;
static size_t ghost_count, ghost_room;

static bool is_ending;
static unsigned long surplus;     /* sessions to be opened beyond the number */
static unsigned long open_credit; /* thousandths of a session */
static size_t ask_next;           /* a place in the crowd, while all are asked; from the end to the front */

static void tick(struct loop_timer *timer);
static struct loop_timer ticker = {.fire = tick};

/* --- members ---------------------------------------------------------------------------------------------------------- */

static void *grow(void *array, size_t *room, size_t count, size_t size)
{
	if (count < *room)
		return array;
	*room = *room * 2 + 256;
	array = realloc(array, *room * size);
	if (!array)
		abort(); /* a tool for tests: without memory there is no result */
	return array;
}

void crowd_join(struct session *session)
{
	crowd = grow(crowd, &crowd_room, crowd_count, sizeof(*crowd));
	session->index = crowd_count;
	crowd[crowd_count++] = session;
}

void crowd_leave(struct session *session)
{
	crowd[session->index] = crowd[--crowd_count];
	crowd[session->index]->index = session->index;
	if (is_ending && crowd_count == 0)
		loop_stop();
}

void crowd_ghost(const struct session *session)
{
	ghosts = grow(ghosts, &ghost_room, ghost_count, sizeof(*ghosts));
	ghosts[ghost_count++] = (struct ghost){session->from, session->port, session->id, loop_now()};
}

/* --- the tick: opening, and asking all ---------------------------------------------------------------------------------- */

static bool is_wanted(void)
{
	return !crowd_is_calm && !is_ending && (surplus || crowd_count < oracle_options.sessions);
}

static void tick(struct loop_timer *timer)
{
	unsigned int asked = 0;

	open_credit += oracle_options.rate * TICK_MS;
	while (open_credit >= 1000 && is_wanted()) {
		open_credit -= 1000;
		surplus -= surplus && crowd_count >= oracle_options.sessions;
		session_open(0);
	}
	if (!is_wanted())
		open_credit = 0;
	while (ask_next > 0 && asked < ASK_RATE * TICK_MS / 1000) {
		ask_next--;
		if (ask_next < crowd_count)
			asked += session_ask(crowd[ask_next]);
	}
	loop_timer_set(timer, TICK_MS);
}

void crowd_start(void)
{
	loop_timer_set(&ticker, 0);
}

void crowd_end(void)
{
	loop_stop();
}

/* --- commands --------------------------------------------------------------------------------------------------------- */

static json_t *counts(void)
{
	unsigned long in[SESSION_STATES] = {0}, live = 0;
	const struct oracle_counts *c = &oracle_counts;
	size_t i;

	for (i = 0; i < crowd_count; i++) {
		in[crowd[i]->state]++;
		live += crowd[i]->label[0] != '\0';
	}
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:{s:I,s:I,s:I,s:I,s:I,s:I,s:I},s:I,s:I}", "live",
			 (json_int_t)live, "opening", (json_int_t)(in[SESSION_CONNECTING] + in[SESSION_GREETING]), "waiting",
			 (json_int_t)(in[SESSION_ASKED] + ask_next), "ending", (json_int_t)in[SESSION_ENDING], "half_closed",
			 (json_int_t)in[SESSION_HALF], "stalled", (json_int_t)in[SESSION_STALLED], "opened",
			 (json_int_t)c->opened, "turns", (json_int_t)c->turns, "slowest_ms", (json_int_t)c->slowest_ms,
			 "failed", (json_int_t)c->failed, "refused", (json_int_t)c->refused, "ended", "fin",
			 (json_int_t)c->ended_by_us[MANNER_FIN], "rst", (json_int_t)c->ended_by_us[MANNER_RST], "half",
			 (json_int_t)c->ended_by_us[MANNER_HALF], "stall", (json_int_t)c->ended_by_us[MANNER_STALL], "vanish",
			 (json_int_t)c->ended_by_us[MANNER_VANISH], "forced", (json_int_t)c->forced, "crashed",
			 (json_int_t)c->crashed, "perhaps_ghosts", (json_int_t)ghost_count, "failures",
			 (json_int_t)c->failures);
}

static json_t *done(unsigned long number)
{
	return json_pack("{s:I}", "done", (json_int_t)number);
}

/* The router may have heard it leave, and its server not: a backend's link was down, or its neighbour not found again yet. */
static bool is_lost_behind(const struct ghost *ghost)
{
	return excuse_held(EXCUSE_DELAYED, "backend-link", ghost->left - LINK_SETTLES_MS);
}

/*
 * "<address> <label> <backend> <id>" of each session that lives, and of those that may be ghosts "<address> <id> before|behind": where
 * their last word may have been lost, seen from the router.
 */
static json_t *list_write(const char *live_path, const char *ghost_path)
{
	FILE *live = fopen(live_path, "w"), *ghost = fopen(ghost_path, "w");
	char address[ADDR_TEXT_SIZE];
	size_t i;

	for (i = 0; live && i < crowd_count; i++) {
		if (crowd[i]->label[0])
			fprintf(live, "%s %s %s %016" PRIx64 "\n", session_address(crowd[i], address), crowd[i]->label,
				crowd[i]->backend, crowd[i]->id);
	}
	for (i = 0; ghost && i < ghost_count; i++)
		fprintf(ghost, "%s %016" PRIx64 " %s\n", endpoint_format(&ghosts[i].from, ghosts[i].port, address),
			ghosts[i].id, is_lost_behind(&ghosts[i]) ? "behind" : "before");
	if (!live || !ghost || fclose(live) || fclose(ghost))
		return control_error("%s, %s: %s", live_path, ghost_path, strerror(errno));
	return done(crowd_count);
}

static bool is_unsettled(const struct session *session)
{
	return session->state == SESSION_CONNECTING || session->state == SESSION_GREETING || session->state == SESSION_ASKED ||
	       session->state == SESSION_ENDING;
}

/* Writes to stderr what is known of the session of that address, or of those that wait for something; answers with addresses. */
static json_t *history_tell(const char *wanted)
{
	bool wants_unsettled = !strcmp(wanted, "unsettled");
	json_t *found = json_array();
	char address[ADDR_TEXT_SIZE];
	size_t i;

	for (i = 0; i < crowd_count && json_array_size(found) < HISTORIES_TOLD; i++) {
		session_address(crowd[i], address);
		if (wants_unsettled ? !is_unsettled(crowd[i]) : strcmp(address, wanted))
			continue;
		session_history_print(stderr, crowd[i]);
		json_array_append_new(found, json_string(address));
	}
	return json_pack("{s:o}", "found", found);
}

/* `count` sessions, beginning somewhere, end in this manner; of one version if it is named. */
static json_t *leave_some(uint64_t count, enum manner manner, const char *label)
{
	size_t i = crowd_count, start = crowd_count ? oracle_random() % crowd_count : 0, tried;
	uint64_t left = count;

	for (tried = 0; tried < i && left && crowd_count; tried++) {
		struct session *session = crowd[(start + i - tried) % crowd_count];

		if (!label || !strcmp(session->label, label))
			left -= session_leave(session, manner);
	}
	return done(count - left);
}

/*
 * Sessions that do not read end by RST, before a backend is killed: its kernel goes on holding what they did not read, without a
 * server that could say so.
 */
static json_t *unstall(const char *backend)
{
	unsigned long count = 0;
	size_t i;

	for (i = crowd_count; i-- > 0;) {
		if (i < crowd_count && crowd[i]->state == SESSION_STALLED && !strcmp(crowd[i]->backend, backend))
			count += session_unstall(crowd[i]);
	}
	return done(count);
}

/* New sessions from the ports that ghosts had: their pins may still be there. */
static json_t *reuse_ports(uint64_t count)
{
	uint64_t i;

	for (i = 0; i < count && i < ghost_count; i++)
		session_open(ghosts[ghost_count - 1 - i].port);
	return done(i);
}

static json_t *excuse_command(const char *kind_word, const char *name, const char *switch_word)
{
	enum excuse_kind kind;

	if (!kind_word || !name || !switch_word || excuse_kind_parse(kind_word, &kind))
		return control_error("excuse KIND NAME|all on|off");
	return done((unsigned long)excuse_set(kind, strcmp(name, "all") ? name : NULL, !strcmp(switch_word, "on")));
}

static json_t *calm_command(const char *word)
{
	crowd_is_calm = word && !strcmp(word, "on");
	if (crowd_is_calm)
		surplus = 0;
	return done(crowd_count);
}

json_t *crowd_answer(int count, char **words)
{
	enum manner manner;
	uint64_t number = 0;

	(void)count;
	if (!strcmp(words[0], "stats"))
		return counts();
	if (!strcmp(words[0], "calm"))
		return calm_command(words[1]);
	if (!strcmp(words[0], "turn")) {
		ask_next = crowd_count;
		return done(ask_next);
	}
	if (!strcmp(words[0], "excuse"))
		return count < 4 ? control_error("excuse KIND NAME|all on|off") : excuse_command(words[1], words[2], words[3]);
	if (!strcmp(words[0], "allow") && count > 1) {
		allow_set(words[1]);
		return done(allow_generation());
	}
	if (!strcmp(words[0], "steer") && count > 1)
		return steer_set(words[1], words[2]) ? control_error("no range: %s", words[1]) : done(allow_generation());
	if (!strcmp(words[0], "list") && count > 2)
		return list_write(words[1], words[2]);
	if (!strcmp(words[0], "history") && count > 1)
		return history_tell(words[1]);
	if (!strcmp(words[0], "unstall") && count > 1)
		return unstall(words[1]);
	if (!strcmp(words[0], "quit")) {
		crowd_end();
		return counts();
	}
	if (count < 2 || number_parse(words[1], 0, 1000000, &number, NULL, NULL))
		return control_error("no command %s, or it needs a number", words[0]);
	if (!strcmp(words[0], "surplus")) {
		surplus = (unsigned long)number;
		return done(surplus);
	}
	if (!strcmp(words[0], "sessions")) {
		oracle_options.sessions = (unsigned long)number;
		return done(crowd_count);
	}
	if (!strcmp(words[0], "rate")) {
		oracle_options.rate = (unsigned long)number;
		return done(crowd_count);
	}
	if (!strcmp(words[0], "reuse"))
		return reuse_ports(number);
	if (!strcmp(words[0], "leave") && count > 2 && !manner_parse(words[2], &manner))
		return leave_some(number, manner, count > 3 ? words[3] : NULL);
	return control_error("no command %s", words[0]);
}
