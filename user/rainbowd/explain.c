// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See explain.h. Each rule fills the explanation and returns true, or lets the next one try. */
#include <stdio.h>
#include <rainbow/select.h>
#include "explain.h"

static bool by_session(const struct service *service, const struct explain_facts *facts, struct explanation *out)
{
	if (!facts->flow)
		return false;
	out->version = service_find_version_id(service, facts->flow->version);
	out->backend = facts->flow->backend;
	snprintf(out->rule, sizeof(out->rule), "session");
	snprintf(out->detail, sizeof(out->detail), "this client's session is live and stays where it is");
	return out->version != NULL;
}

static bool takes_new(const struct service *service, uint32_t version)
{
	const struct version *found = service_find_version_id(service, version);

	return found && found->state == RAINBOW_VERSION_ACTIVE;
}

static bool follow_client(const struct service *service, uint32_t version, uint32_t backend, const char *why,
			  struct explanation *out)
{
	out->version = service_find_version_id(service, version);
	out->backend = backend;
	snprintf(out->rule, sizeof(out->rule), "client affinity");
	snprintf(out->detail, sizeof(out->detail), "%s", why);
	return out->version != NULL;
}

/* A client session with flows holds all of the client's; one without yields to a drain and to a steer. */
static bool by_client(const struct service *service, const struct steer *steer, const struct explain_facts *facts,
		      struct explanation *out)
{
	const struct rainbow_pin *client = facts->client;
	bool stays;

	if (service->affinity != RAINBOW_AFFINITY_CLIENT)
		return false;
	stays = client && takes_new(service, client->version) && (!steer || steer->version == client->version);
	if (client && ((client->flows & RAINBOW_FLOWS_COUNT) || stays))
		return follow_client(service, client->version, client->backend,
				     "the client has a session, and its connections stay together", out);
	if (!steer && facts->choice && takes_new(service, facts->choice->version))
		return follow_client(service, facts->choice->version, facts->choice->backend,
				     "a connection of this client was sent there a moment ago", out);
	return false;
}

static bool by_steer(const struct service *service, const struct steer *steer, struct explanation *out)
{
	char range[ADDR_TEXT_SIZE];

	if (!steer)
		return false;
	out->version = service_find_version_id(service, steer->version);
	snprintf(out->rule, sizeof(out->rule), "steer");
	snprintf(out->detail, sizeof(out->detail), "the steer of %s sends it there", cidr_format(&steer->range, range));
	return true;
}

static void by_wheel(const struct service *service, const struct rainbow_flow *flow, const struct explain_facts *facts,
		     struct explanation *out)
{
	const __u64 secret[2] = {facts->secret[0], facts->secret[1]};
	struct rainbow_flow key = *flow;
	uint32_t slot;

	if (service->affinity == RAINBOW_AFFINITY_CLIENT) {
		key.port = 0;
		rainbow_client_mask(&key.client, service->client_prefix);
	}
	if (service->selection == RAINBOW_SELECTION_EXACT)
		slot = rainbow_slot_of_count(facts->cursor);
	else
		slot = rainbow_slot_of_hash(rainbow_flow_hash(secret, &key));
	out->version = service_find_version_id(service, service->wheel[slot]);
	snprintf(out->rule, sizeof(out->rule), "%s slot %u", selection_name(service->selection), slot);
	if (!out->version)
		snprintf(out->detail, sizeof(out->detail), "no version takes new sessions: it would be refused");
	else if (service->selection == RAINBOW_SELECTION_EXACT)
		snprintf(out->detail, sizeof(out->detail),
			 "if it is the very next new session, the order gives it slot %u of 1000", slot);
	else
		snprintf(out->detail, sizeof(out->detail), "its hash gives it slot %u of 1000, which is one of this version's",
			 slot);
}

struct explanation explain(const struct service *service, const struct rainbow_flow *flow, const struct explain_facts *facts)
{
	const struct steer *steer = service_steer_of(service, &flow->client);
	struct explanation out = {0};

	if (by_session(service, facts, &out) || by_client(service, steer, facts, &out) || by_steer(service, steer, &out))
		return out;
	by_wheel(service, flow, facts, &out);
	return out;
}
