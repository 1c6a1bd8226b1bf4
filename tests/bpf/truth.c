/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Runs a row of the truth table. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "tests/bpf/truth.h"

#define COUNTERS (sizeof(struct rainbow_packets) / sizeof(uint64_t))

static const char *const counter_names[COUNTERS] = {
    "passed_not_ours",    "passed_unparsed",       "passed_fragment",    "passed_by_stack", "requests",       "replies",
    "handshakes",         "icmp_errors",           "closing_answered",   "strays_reset",    "strays_dropped", "strays_passed",
    "refused_table_full", "refused_backends_full", "refused_no_version", "dropped_retry",   "held",
};

uint64_t *packets_field(struct rainbow_packets *packets, const char *name)
{
	size_t i;

	for (i = 0; i < COUNTERS; i++)
		if (!strcmp(counter_names[i], name))
			return (uint64_t *)packets + i;
	fail_msg("no counter '%s'", name);
	return NULL;
}

void packets_read(struct world *world, struct rainbow_packets out[2])
{
	out[0] = world_packets(world, 0);
	out[1] = world_packets(world, 1);
}

void packets_check(const struct rainbow_packets before[2], const struct rainbow_packets after[2], const char *name)
{
	/* What is no service's can not be counted with one. */
	bool nobodys = !strcmp(name, "passed_not_ours") || !strcmp(name, "passed_unparsed") || !strcmp(name, "passed_fragment");
	size_t service, i;

	for (service = 0; service < 2; service++) {
		for (i = 0; i < COUNTERS; i++) {
			uint64_t rose = ((const uint64_t *)&after[service])[i] - ((const uint64_t *)&before[service])[i];
			uint64_t should = service != nobodys && !strcmp(counter_names[i], name);

			if (rose != should)
				fail_msg("counter %s of service %zu rose by %lu, not %lu (awaited: %s)", counter_names[i],
					 service, (unsigned long)rose, (unsigned long)should, name);
		}
	}
}

static void check_number(const char *what, uint64_t is, uint64_t should)
{
	if (is != should)
		fail_msg("version 1: %s is %lu, not %lu", what, (unsigned long)is, (unsigned long)should);
}

static void check_tally(const struct rainbow_version *is, const struct tally *should)
{
	check_number("live", is->live, should->live);
	check_number("closing", is->closing, should->closing);
	check_number("opened", is->opened, should->opened);
	check_number("ended_fin", is->ended_fin, should->fin);
	check_number("ended_reset_client", is->ended_reset_client, should->reset_client);
	check_number("ended_reset_server", is->ended_reset_server, should->reset_server);
	check_number("ended_forced", is->ended_forced, should->forced);
	check_number("ended_idle", is->ended_idle, 0);
	check_number("ended_vanished", is->ended_vanished, 0);
	check_number("refused", is->refused, should->refused);
	check_number("opened, as the sum of live and ended,",
		     is->live + is->ended_fin + is->ended_reset_client + is->ended_reset_server + is->ended_idle +
			 is->ended_forced,
		     is->opened);
}

static void check_pin(const struct scene *scene, enum rainbow_pin_state should)
{
	struct rainbow_flow flow = scene_flow(scene);
	struct rainbow_pin pin = {};

	world_pin(scene->world, &flow, &pin);
	if (pin.state != should)
		fail_msg("the pin's state is %d, not %d", (int)pin.state, (int)should);
	if (world_pins_each(scene->world, NULL, NULL) != scene->world->meta->pins)
		fail_msg("meta.pins is not the number of pins");
}

/* Which backend the packet must go to: the session's; a new one's is what was chosen just now, of the right version. */
static uint32_t awaited_backend(const struct scene *scene, const struct row *row, uint32_t before)
{
	uint32_t id = before && !row->starts_over ? before : scene_pinned(scene);
	uint32_t version = row->version ? row->version : 1;

	if (row->fate != FATE_TO_BACKEND && row->fate != FATE_BY_STACK_TO_BACKEND)
		return 0;
	if (scene->world->backend[id].version != version)
		fail_msg("it went to backend %u of version %u, not to version %u", id, scene->world->backend[id].version,
			 version);
	return id;
}

static void check_output(const struct scene *scene, const struct row *row, const struct packet *in, bool from_client,
			 int action, const struct frame *out, uint32_t backend)
{
	struct frame expected;
	int should;
	const char *wrong;
	bool leaves = scene_expect(scene, row->fate, in, from_client, backend, &expected, &should);

	if (action != should)
		fail_msg("action is %d, not %d", action, should);
	if (!leaves)
		return;
	wrong = frame_differs(&expected, out);
	if (wrong)
		fail_msg("%s", wrong);
	wrong = row->fate == FATE_PASSES ? NULL : frame_check(out);
	if (wrong)
		fail_msg("%s is wrong", wrong);
}

void truth_run(struct world *world, const struct row *row, enum path path, bool is_v4)
{
	struct rainbow_packets before[2], after[2];
	struct packet packet;
	struct scene scene;
	struct frame out;
	bool from_client;
	uint32_t backend;
	int action;

	scene_set(&scene, world, path, is_v4, row->protocol ? row->protocol : IPPROTO_TCP);
	scene_play(&scene, row->prior);
	if (!scene_packet(&scene, row->packet, &packet, &from_client))
		fail_msg("no packet '%s'", row->packet);
	if (row->tweak)
		row->tweak(&packet);
	backend = scene_pinned(&scene);
	packets_read(world, before);
	action = scene_send(&scene, &packet, from_client, &out);
	packets_read(world, after);

	backend = awaited_backend(&scene, row, backend);
	check_output(&scene, row, &packet, from_client, action, &out, backend);
	packets_check(before, after, row->counter);
	check_tally(&world->version[1], &row->after);
	check_pin(&scene, row->pin);
}
