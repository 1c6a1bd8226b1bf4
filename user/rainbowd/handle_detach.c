// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The end: hooks and maps go, and rainbowd with them. The database stays. */
#include <inttypes.h>
#include <event2/event.h>
#include "handlers.h"
#include "history.h"

static uint64_t count_live(struct daemon *daemon)
{
	uint64_t live = 0;
	uint32_t id;

	for (id = 1; id <= RAINBOW_MAX_VERSIONS; id++)
		live += datapath_version(daemon->datapath, id)->live;
	return live;
}

int handle_detach(struct request *request, json_t **reply, struct error *err)
{
	static const char *const keys[] = {NULL};
	struct timeval soon = {.tv_usec = 100000}; /* the reply goes out first */
	uint64_t live = count_live(request->daemon);
	int rc = body_check_keys(request->body, keys, err);

	if (rc)
		return rc;
	*reply = reply_done(request, NULL, "hooks and maps removed; %" PRIu64 " live session%s cut", live,
			    live == 1 ? " is" : "s are");
	json_object_set_new(*reply, "live", json_integer((json_int_t)live));
	if (request->dry_run)
		return 0;
	history_note(request->daemon, request->note);
	request->daemon->remove = true;
	event_base_loopexit(request->daemon->base, &soon);
	return 0;
}
