// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What judges and jobs push about sessions. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "handlers.h"
#include "samples.h"

/* The push gate of that name; *defaults may hold it. Not found: what there is. */
static int find_gate(const struct service *service, const char *name, struct gate defaults[SETTINGS_GATES_MAX],
		     const struct gate **out, struct error *err)
{
	size_t i, count, length = 0;
	const struct gate *gates = settings_gates(&service->settings, defaults, &count);
	char known[SETTINGS_GATES_MAX * (SETTINGS_NAME_SIZE + 2)] = "";

	for (i = 0; i < count; i++) {
		if (gates[i].source != GATE_SOURCE_PUSH)
			continue;
		if (strcmp(gates[i].name, name) == 0) {
			*out = &gates[i];
			return 0;
		}
		length += (size_t)snprintf(known + length, sizeof(known) - length, "%s%s", length ? ", " : "", gates[i].name);
	}
	if (!known[0])
		return error_set(err, ERROR_NOT_FOUND, "gate",
				 "service %s has no gate that samples are pushed to; give it one with \"source\": \"push\"",
				 service->name);
	return error_set(err, ERROR_NOT_FOUND, "gate",
			 "service %s has no gate %.64s that samples are pushed to; it has: %.300s", service->name, name, known);
}

static const char *why_unused(const struct sample_batch *batch)
{
	if (!batch->step.began.unix_ms)
		return "no rollout is under way";
	if (strcmp(batch->version, batch->step.candidate) != 0 && strcmp(batch->version, batch->step.baseline) != 0)
		return "it is neither candidate nor baseline of the rollout";
	return "the sessions began before the rollout's step";
}

static json_t *reply_to(const struct request *request, const struct sample_batch *batch, const struct sample_count *count)
{
	char unused[128] = "";
	json_t *reply;

	if (count->unused)
		snprintf(unused, sizeof(unused), ", %" PRIu64 " of no use: %s", count->unused, why_unused(batch));
	reply = reply_done(request, NULL, "samples of gate %s for version %s of %s: %" PRIu64 " accepted, %" PRIu64 " known%s",
			   batch->gate->name, batch->version, batch->step.service, count->accepted, count->known, unused);
	json_object_set_new(reply, "accepted", json_integer((json_int_t)count->accepted));
	json_object_set_new(reply, "known", json_integer((json_int_t)count->known));
	json_object_set_new(reply, "unused", json_integer((json_int_t)count->unused));
	json_object_set_new(reply, "unused_why", json_unless(!count->unused, json_string(why_unused(batch))));
	return reply;
}

static int put(struct request *request, struct sample_batch *batch, json_t **reply, struct error *err)
{
	struct sample_count count;
	struct sample *list = NULL;
	int rc = sample_read(request->body, batch->gate, batch->now, &list, &batch->count, err);

	batch->list = list;
	rc = rc ? rc : samples_put(request->daemon->samples, batch, &count, err);
	if (!rc)
		*reply = reply_to(request, batch, &count);
	free(list);
	return rc;
}

int handle_samples(struct request *request, json_t **reply, struct error *err)
{
	struct gate defaults[SETTINGS_GATES_MAX];
	struct sample_batch batch = {.now = instant_now(), .dry_run = request->dry_run};
	struct service *service;
	struct version *version;
	const char *gate = NULL;
	int rc = model_get_service(&request->daemon->model, request->variable[0], &service, err);

	if (rc)
		return rc;
	batch.step = sample_step_of(service);
	rc = body_string(request->body, "gate", true, &gate, err);
	rc = rc ? rc : body_string(request->body, "version", true, &batch.version, err);
	rc = rc ? rc : service_get_version(service, batch.version, &version, err);
	rc = rc ? rc : find_gate(service, gate, defaults, &batch.gate, err);
	return rc ? rc : put(request, &batch, reply, err);
}
