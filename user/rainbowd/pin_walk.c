// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See pin_walk.h. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <bpf/bpf.h>
#include "rainbowd/pin_walk.h"

#define BATCH     4096 /* pins a system call */
#define BATCH_MAX (1u << 20)

struct batch {
	struct rainbow_flow *flows;
	uint8_t *pins;
	size_t value_size;
	uint32_t room;
	uint32_t count;
	uint32_t place; /* where the next one begins */
	bool begun;
};

static void batch_free(struct batch *batch)
{
	free(batch->flows);
	free(batch->pins);
}

static int batch_grow(struct batch *batch)
{
	uint32_t room = batch->room ? 2 * batch->room : BATCH;

	if (room > BATCH_MAX)
		return -ENOSPC;
	batch_free(batch);
	batch->flows = calloc(room, sizeof(*batch->flows));
	batch->pins = calloc(room, batch->value_size);
	batch->room = room;
	return batch->flows && batch->pins ? 0 : -ENOMEM;
}

/* 0: there is more; 1: that was the last; -errno. One hash bucket is never split, so a batch may be too small for it. */
static int batch_next(struct batch *batch, int fd)
{
	int rc;

	do {
		uint32_t next = 0;

		batch->count = batch->room;
		rc = bpf_map_lookup_batch(fd, batch->begun ? &batch->place : NULL, &next, batch->flows, batch->pins,
					  &batch->count, NULL)
			 ? -errno
			 : 0;
		if (!rc || rc == -ENOENT) {
			batch->place = next;
			batch->begun = true;
			return rc == -ENOENT;
		}
	} while (rc == -ENOSPC && !(rc = batch_grow(batch)));
	return rc;
}

int pin_walk(int map, size_t value_size, bool (*each)(const struct rainbow_flow *flow, const void *pin, void *arg), void *arg)
{
	struct batch batch = {.value_size = value_size};
	int rc = batch_grow(&batch);
	uint32_t i;

	while (!rc) {
		rc = batch_next(&batch, map);
		for (i = 0; rc >= 0 && i < batch.count; i++)
			if (!each(&batch.flows[i], batch.pins + i * value_size, arg)) {
				rc = 1;
				break;
			}
	}
	batch_free(&batch);
	return rc < 0 ? rc : 0;
}
