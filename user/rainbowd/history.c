// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See history.h. */
#include "common/log.h"
#include "events.h"
#include "history.h"
#include "store.h"

void history_note(struct daemon *daemon, struct note *note)
{
	struct error err;

	if (note->began_us)
		note->took_us = monotonic_us() - note->began_us;
	if (store_note(daemon->store, note, &err))
		log_error("history", "not noted: %s (%s)", note->sentence, err.message);
	else
		events_poke(daemon->events);
}
