/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fuzzes the whole decision core: the kernel programs as they are, over a small town. The input is a day there: its first bytes say
 * how small the tables are, the rest are steps (town.h). After each step the promises are checked (invariants.h).
 */
#include <string.h>
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/invariants.h"

#define TICK_NS   4000000ull
#define STEPS_MAX 400

static void run_packet(const struct step *step)
{
	static struct frame out;
	uint8_t bytes[NATIVE_ROOM];
	int action;

	invariants_before_packet(step);
	action = core_run(&step->packet);
	out.length = native_send(bytes);
	memcpy(out.bytes, bytes, out.length);
	invariants_check_packet(step, action, &out);
}

/* A sweep counts what lives; a session that it ends after it has counted it may be in its count or not. */
static void run_sweep(struct rainbow_sweep *sweep)
{
	uint64_t before[TOWN_VERSIONS + 1], counted;
	uint32_t version;

	for (version = 0; version <= TOWN_VERSIONS; version++) {
		*core_census(version) = (struct rainbow_census){0};
		before[version] = core_version(version)->live;
	}
	core_sweep(sweep);
	for (version = 1; version <= TOWN_VERSIONS; version++) {
		counted = core_census(version)->live;
		if (counted < core_version(version)->live || counted > before[version])
			abort(); /* drift */
	}
}

static void run(struct step *step)
{
	switch (step->deed) {
	case DEED_PACKET:
		run_packet(step);
		break;
	case DEED_TIME:
		native.jiffies += step->jiffies;
		native.ns += step->jiffies * TICK_NS;
		break;
	case DEED_SWEEP:
		run_sweep(&step->sweep);
		break;
	case DEED_CLOSE:
		core_close(&step->close);
		break;
	case DEED_MODEL:
	case DEED_ROUTES:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct reader reader = {bytes, size};
	uint32_t sessions = 4 + (reader_take(&reader) & 31), steps = 0;
	uint8_t how = reader_take(&reader);
	static struct step step;

	native_reset();
	core_init(sessions, how & 1 ? 4 : 64);
	town_build(sessions);
	native.jiffies = how & 2 ? 0xfffffff0ull : 0x1234567890ull; /* 32 bits of them wrap soon */
	native.ns = 1000000000000ull;
	core_meta()->swept = native.jiffies;
	invariants_begin();
	while (reader.left && steps++ < STEPS_MAX) {
		town_step(&reader, &step);
		run(&step);
		invariants_check_maps();
	}
	return 0;
}
