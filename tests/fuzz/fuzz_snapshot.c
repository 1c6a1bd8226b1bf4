/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fuzzes the reader of the snapshot of pins: the input as it is, and again with its sums made right, since behind wrong ones nothing
 * is looked at. It is refused with a word and leaves nothing, or each value that was read is one that can be.
 */
#include <string.h>
#include <zlib.h>
#include "tests/fuzz/fuzz.h"
#include "rainbowd/snapshot.h"

/* As snapshot.h says. */
#define HEADER 96
#define BLOCK  (1024 * 60)

static void must(int holds)
{
	if (!holds)
		abort();
}

static uint64_t number_at(const uint8_t *at, size_t bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | at[bytes];
	return value;
}

/* Sums a part, as far as it is there. Returns how many bytes it takes with its sum. */
static size_t part_sum(uint8_t *part, size_t length, size_t left)
{
	uint32_t sum, i;

	if (length > left || left - length < 4)
		return left;
	sum = (uint32_t)crc32_z(0, part, length);
	for (i = 0; i < 4; i++)
		part[length + i] = (uint8_t)(sum >> 8 * i);
	return length + 4;
}

static void sums_make(uint8_t *bytes, size_t size)
{
	uint64_t names, pins;
	size_t at;

	if (size < HEADER)
		return;
	names = number_at(bytes + 56, 4) * 56 + number_at(bytes + 60, 4) * 36 + number_at(bytes + 64, 4) * 24;
	pins = number_at(bytes + 72, 8);
	at = part_sum(bytes, HEADER - 4, size);
	at += part_sum(bytes + at, names, size - at);
	for (pins = pins < size ? pins * 60 : 0; pins && at < size; pins -= pins < BLOCK ? pins : BLOCK)
		at += part_sum(bytes + at, pins < BLOCK ? pins : BLOCK, size - at);
}

static void check_whole(const struct snapshot *snapshot)
{
	uint64_t i;

	must(snapshot->service_count <= RAINBOW_MAX_SERVICES && snapshot->version_count <= RAINBOW_MAX_VERSIONS &&
	     snapshot->backend_count <= RAINBOW_MAX_BACKENDS && snapshot->pin_count <= RAINBOW_MAX_PINS);
	for (i = 0; i < snapshot->service_count; i++)
		must(strnlen(snapshot->services[i].name, RAINBOW_NAME_SIZE) < RAINBOW_NAME_SIZE);
	for (i = 0; i < snapshot->version_count; i++)
		must(strnlen(snapshot->versions[i].label, RAINBOW_NAME_SIZE) < RAINBOW_NAME_SIZE);
	for (i = 0; i < snapshot->pin_count; i++) {
		const struct snapshot_pin *pin = &snapshot->pins[i];

		must(pin->state == RAINBOW_PIN_LIVE || pin->state == RAINBOW_PIN_HALF_CLIENT ||
		     pin->state == RAINBOW_PIN_HALF_SERVER);
		must((pin->kind == RAINBOW_PIN_CLIENT) == !pin->flow.port);
		must(pin->kind != RAINBOW_PIN_CLIENT || pin->state == RAINBOW_PIN_LIVE);
		must(pin->client_scale <= 14 && pin->server_scale <= 14);
	}
}

static void read_it(const uint8_t *bytes, size_t size)
{
	struct error err = {0};
	struct snapshot snapshot;

	if (snapshot_parse(bytes, size, &snapshot, &err))
		must(err.message[0] && !snapshot.services && !snapshot.versions && !snapshot.backends && !snapshot.pins);
	else
		check_whole(&snapshot);
	snapshot_fini(&snapshot);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size + 1);

	must(copy != NULL);
	memcpy(copy, bytes, size);
	read_it(copy, size);
	sums_make(copy, size);
	read_it(copy, size);
	free(copy);
	return 0;
}
