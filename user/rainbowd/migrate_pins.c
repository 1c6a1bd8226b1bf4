// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Sessions of schema 1, and handshakes: see migrate.h. */
#include <errno.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <rainbow/tcp.h>
#include "rainbowd/adopt.h"
#include "rainbowd/datapath_private.h"
#include "rainbowd/migrate.h"
#include "rainbowd/migrate_map.h"
#include "rainbowd/pin_walk.h"
#include "rainbowd/schema_v1.h"
#include "rainbowd/takeover.h"

uint32_t migrate_pin_limit(const struct datapath *dp)
{
	int fd = adopt_map_open(&dp->old, "rainbow_pin");
	struct bpf_map_info info = {0};
	uint32_t length = sizeof(info);
	bool known = fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &length) && info.max_entries;

	if (fd >= 0)
		close(fd);
	return known ? info.max_entries : RAINBOW_DEFAULT_PINS;
}

struct handshakes {
	const struct nursery *to;
	uint32_t now;   /* jiffies, low 32 bits */
	uint32_t ticks; /* for so long they are good */
};

/* An LRU hash keeps those that have ended, too: they would take the places of those under way. */
static bool convert_nursling(const struct rainbow_flow *flow, const void *old, void *arg)
{
	const struct handshakes *handshakes = arg;
	const struct rainbow_nursling_v1 *was = old;
	const struct rainbow_nursling is = {
	    .state = was->state,
	    .version = was->version,
	    .backend = was->backend,
	    .began = was->began,
	    .client_isn = was->client_isn,
	    .server_isn = was->server_isn,
	    .server_next = was->server_next,
	    .server_edge = was->server_edge,
	    .client_scale = was->client_scale,
	    .server_scale = was->server_scale,
	};

	if (handshakes->now - is.began <= handshakes->ticks)
		nursery_put(handshakes->to, flow, &is);
	return true;
}

int migrate_handshakes(struct datapath *dp, struct error *err)
{
	const struct rainbow_meta *meta = datapath_meta(dp);
	struct handshakes handshakes = {.to = &dp->nursery, .ticks = meta->nursery_seconds * meta->hz};
	struct rainbow_clock clock;
	struct bpf_map_info info;
	int rc = datapath_clock(dp, &clock, err);
	int from = rc ? rc : migrate_map(dp, "rainbow_nursery", sizeof(struct rainbow_nursling_v1), &info, err);

	if (from < 0)
		return from;
	handshakes.now = (uint32_t)clock.jiffies;
	pin_walk(from, sizeof(struct rainbow_nursling_v1), convert_nursling, &handshakes);
	close(from);
	return 0;
}

static struct rainbow_side side_of(const struct rainbow_side_v1 *was)
{
	return (struct rainbow_side){.next = was->next, .ack = was->ack};
}

static bool convert_pin(const struct rainbow_flow *flow, const void *old, void *arg)
{
	const struct rainbow_pin_v1 *was = old;
	uint8_t client_scale = was->client_scale & 15, server_scale = was->server_scale & 15, asked = was->told >> 2;
	const struct rainbow_due due = {
	    .flow = *flow,
	    .pin = {.state = was->state,
		    .version = was->version,
		    .backend = was->backend,
		    .opened = was->opened,
		    .last_seen = was->last_seen,
		    .flows = was->flows | (was->kind == RAINBOW_PIN_CLIENT ? 0 : RAINBOW_FLOWS_UNHEARD),
		    .kind = was->kind,
		    .told = was->told & RAINBOW_TOLD_BOTH,
		    .asked = asked < 15 ? asked : 15,
		    .client_scale = client_scale,
		    .server_scale = server_scale,
		    .client_window = rainbow_window(was->client.ack, was->client.edge, client_scale),
		    .server_window = rainbow_window(was->server.ack, was->server.edge, server_scale),
		    .client = side_of(&was->client),
		    .server = side_of(&was->server)},
	};

	return takeover_put(arg, &due);
}

int migrate_pins(struct datapath *dp, struct takeover_batch *batch)
{
	struct bpf_map_info info;
	struct error err;
	int fd = migrate_map(dp, "rainbow_pin", sizeof(struct rainbow_pin_v1), &info, &err);
	int rc;

	if (fd < 0)
		return -EMEDIUMTYPE;
	rc = pin_walk(fd, sizeof(struct rainbow_pin_v1), convert_pin, batch);
	close(fd);
	return rc;
}
