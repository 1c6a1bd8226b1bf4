// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See reconcile.h. */
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "commands.h"
#include "common/text.h"
#include "reconcile.h"
#include "version_room.h"

/* Commands name a field of their own request; here it is one of the document. */
__attribute__((format(printf, 4, 5))) static int placed(const struct reconcile *order, int rc, struct error *err,
							const char *format, ...)
{
	size_t length;
	va_list args;

	if (!rc || !err)
		return rc;
	length = (size_t)snprintf(err->field, sizeof(err->field), "services[%zu].", order->index);
	va_start(args, format);
	vsnprintf(err->field + length, sizeof(err->field) - length, format, args);
	va_end(args);
	text_clean(err->field);
	return rc;
}

/* --- the service ---------------------------------------------------------------------------------------------------------------------- */

static int add_service(const struct reconcile *order, struct service *after, struct error *err)
{
	const struct document_service *wanted = order->wanted;

	text_copy(after->name, sizeof(after->name), wanted->name);
	after->at = wanted->at;
	after->protocol = wanted->protocol ? wanted->protocol : IPPROTO_TCP;
	after->affinity = wanted->affinity;
	after->selection = wanted->selection;
	after->stray = wanted->stray;
	after->client_prefix = wanted->client_prefix;
	after->idle_timeout = wanted->idle_timeout;
	after->probe_idle.ms = after->protocol == IPPROTO_TCP ? DEFAULT_PROBE_IDLE_MS : 0;
	if (wanted->probe_idle_given)
		after->probe_idle = wanted->probe_idle;
	return placed(order, command_service_add(order->model, after, err), err, "address");
}

static int fixed(const struct reconcile *order, const struct service *service, const char *key, const char *is,
		 const char *wanted, struct error *err)
{
	return placed(
	    order,
	    error_set(err, ERROR_CONFLICT, NULL,
		      "the %s of service %s is %s, not %s, and is fixed since the service was added; leave it so, or add "
		      "another service",
		      key, service->name, is, wanted),
	    err, "%s", key);
}

static int check_fixed(const struct reconcile *order, const struct service *is, struct error *err)
{
	const struct document_service *wanted = order->wanted;
	char here[ADDR_TEXT_SIZE], there[ADDR_TEXT_SIZE];

	if (!addr_equal(&is->at.addr, &wanted->at.addr) || is->at.port != wanted->at.port)
		return fixed(order, is, "address", endpoint_format(&is->at.addr, is->at.port, here),
			     endpoint_format(&wanted->at.addr, wanted->at.port, there), err);
	if (wanted->protocol && wanted->protocol != is->protocol)
		return fixed(order, is, "protocol", protocol_name(is->protocol), protocol_name(wanted->protocol), err);
	if (wanted->affinity && wanted->affinity != is->affinity)
		return fixed(order, is, "affinity", affinity_name(is->affinity), affinity_name(wanted->affinity), err);
	if (wanted->selection && wanted->selection != is->selection)
		return fixed(order, is, "selection", selection_name(is->selection), selection_name(wanted->selection), err);
	if (wanted->stray && wanted->stray != is->stray)
		return fixed(order, is, "stray", stray_name(is->stray), stray_name(wanted->stray), err);
	snprintf(here, sizeof(here), "%u", is->client_prefix);
	snprintf(there, sizeof(there), "%u", wanted->client_prefix);
	if (wanted->client_prefix && wanted->client_prefix != is->client_prefix)
		return fixed(order, is, "client_prefix", here, there, err);
	return 0;
}

static int set_service(const struct reconcile *order, struct service *after, struct error *err)
{
	const struct document_service *wanted = order->wanted;
	struct service_order set = {
	    .has_idle_timeout = wanted->idle_timeout_given,
	    .has_probe_idle = wanted->probe_idle_given,
	    .idle_timeout = wanted->idle_timeout,
	    .probe_idle = wanted->probe_idle,
	};
	int rc = check_fixed(order, after, err);

	if (rc || (!set.has_idle_timeout && !set.has_probe_idle))
		return rc;
	return placed(order, command_service_set(after, &set, err), err, "%s",
		      set.has_probe_idle ? "probe_idle" : "idle_timeout");
}

/* --- versions ------------------------------------------------------------------------------------------------------------------------ */

static struct tuple tuple_of(const struct document_version *version)
{
	struct tuple tuple = {0};

	text_copy(tuple.code, sizeof(tuple.code), version->tuple[0]);
	text_copy(tuple.model, sizeof(tuple.model), version->tuple[1]);
	text_copy(tuple.prompts, sizeof(tuple.prompts), version->tuple[2]);
	text_copy(tuple.tools, sizeof(tuple.tools), version->tuple[3]);
	return tuple;
}

/* "model, prompts": the layers that differ; false: none does. */
static bool list_layers(const struct document_version *wanted, const struct version *is, char *text, size_t size)
{
	const char *const layers[DOCUMENT_LAYERS] = {is->tuple.code, is->tuple.model, is->tuple.prompts, is->tuple.tools};
	size_t length = 0;

	text[0] = '\0';
	for (size_t i = 0; i < DOCUMENT_LAYERS && length < size; i++)
		if (strcmp(layers[i], wanted->tuple[i]))
			length +=
			    (size_t)snprintf(text + length, size - length, "%s%s", length ? ", " : "", document_layers[i]);
	return length;
}

static int check_tuple(const struct reconcile *order, size_t index, const struct version *is, struct error *err)
{
	const struct document_version *wanted = &order->wanted->versions[index];
	char layers[64];

	if (!wanted->tuple_given || !list_layers(wanted, is, layers, sizeof(layers)))
		return 0;
	return placed(
	    order,
	    error_set(err, ERROR_CONFLICT, NULL,
		      "version %s of service %s was added with another tuple: %s; a version does not change, so give this one "
		      "a label of its own",
		      is->label, order->wanted->name, layers),
	    err, "versions[%zu].tuple", index);
}

static int add_version(const struct reconcile *order, size_t index, struct service *after, struct error *err)
{
	const struct document_version *wanted = &order->wanted->versions[index];
	struct version version = {.tuple = tuple_of(wanted)};
	int rc;

	text_copy(version.label, sizeof(version.label), wanted->label);
	for (size_t i = 0; i < wanted->backend_count; i++)
		version_append_backend(&version, &(struct backend){.at = wanted->backends[i].at,
								   .max_sessions = wanted->backends[i].max_sessions});
	rc = command_version_add(order->model, after, &version, order->counts, order->now, err);
	free(version.backends);
	return placed(order, rc, err, "versions[%zu]", index);
}

static bool names_backend(const struct document_version *wanted, const struct endpoint *at)
{
	for (size_t i = 0; i < wanted->backend_count; i++)
		if (wanted->backends[i].at.port == at->port && addr_equal(&wanted->backends[i].at.addr, &at->addr))
			return true;
	return false;
}

static int set_backend(const struct reconcile *order, size_t index, size_t place, struct service *after, struct error *err)
{
	const struct document_version *wanted = &order->wanted->versions[index];
	struct backend backend = {.at = wanted->backends[place].at, .max_sessions = wanted->backends[place].max_sessions};
	struct backend *present = version_find_backend(service_find_version(after, wanted->label), &backend.at);

	if (present && !present->leaving) {
		present->max_sessions = backend.max_sessions;
		return 0;
	}
	return placed(order, command_backend_add(order->model, after, wanted->label, &backend, err), err,
		      "versions[%zu].backends[%zu]", index, place);
}

/* New ones first: the last backend of a version with a share can not go. */
static int set_backends(const struct reconcile *order, size_t index, struct service *after, struct error *err)
{
	const struct document_version *wanted = &order->wanted->versions[index];
	const struct version *version = service_find_version(after, wanted->label);
	uint64_t stay;
	int rc = 0;

	for (size_t i = 0; !rc && i < wanted->backend_count; i++)
		rc = set_backend(order, index, i, after, err);
	for (size_t i = version->backend_count; !rc && i-- > 0;) {
		const struct endpoint at = version->backends[i].at;

		if (!names_backend(wanted, &at))
			rc = placed(order, command_backend_remove(after, wanted->label, &at, order->counts, &stay, err), err,
				    "versions[%zu].backends", index);
	}
	return rc;
}

static int set_versions(const struct reconcile *order, struct service *after, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < order->wanted->version_count; i++) {
		const struct version *is = service_find_version(after, order->wanted->versions[i].label);

		if (!is) {
			rc = add_version(order, i, after, err);
			continue;
		}
		rc = check_tuple(order, i, is, err);
		rc = rc ? rc : set_backends(order, i, after, err);
	}
	return rc;
}

/* --- weights -------------------------------------------------------------------------------------------------------------------------- */

static int undrain(const struct reconcile *order, const struct document_weight *wanted, struct service *after,
		   struct error *err)
{
	const struct version *version = service_find_version(after, wanted->label);

	if (!version || version->state == RAINBOW_VERSION_ACTIVE || (!wanted->rest && !wanted->permille))
		return 0;
	return placed(order, command_undrain(after, wanted->label, err), err, "weights.%s", wanted->label);
}

static int check_rollout_sets(const struct reconcile *order, const struct service *before, const struct service *after,
			      struct error *err)
{
	for (size_t i = 0; rollout_is_active(&after->rollout) && i < before->version_count; i++)
		if (before->versions[i].weight != after->versions[i].weight)
			return placed(
			    order,
			    error_set(err, ERROR_PRECONDITION, NULL,
				      "a rollout of %s to %s is under way and sets the weights; first: rainbowctl rollout "
				      "abort %s, or leave the weights out",
				      after->name, after->rollout.target, after->name),
			    err, "weights");
	return 0;
}

static int set_weights(const struct reconcile *order, struct service *after, struct error *err)
{
	struct weight_order orders[RAINBOW_MAX_VERSIONS_PER_SERVICE];
	const struct document_service *wanted = order->wanted;
	struct service *before;
	int rc = 0;

	if (!wanted->weight_count)
		return 0;
	before = service_clone(after);
	for (size_t i = 0; i < wanted->weight_count; i++) {
		orders[i] = (struct weight_order){.rest = wanted->weights[i].rest, .permille = wanted->weights[i].permille};
		text_copy(orders[i].label, sizeof(orders[i].label), wanted->weights[i].label);
		rc = rc ? rc : undrain(order, &wanted->weights[i], after, err);
	}
	rc = rc ? rc
		: placed(order, command_set_weights(after, orders, wanted->weight_count, order->counts, err), err, "weights");
	rc = rc ? rc : check_rollout_sets(order, before, after, err);
	service_free(before);
	return rc;
}

/*
 * The first versions of a service. With a baseline, as in a document exported in the middle of a rollout, the target is as unproven as it
 * was; without one there is nothing to compare it with, and no session that could suffer.
 */
static int give_first_all(const struct reconcile *order, struct service *after, struct error *err)
{
	const struct document_service *wanted = order->wanted;
	struct weight_order all = {.permille = 1000};

	text_copy(all.label, sizeof(all.label), wanted->baseline[0] ? wanted->baseline : wanted->target);
	return placed(order, command_set_weights(after, &all, 1, order->counts, err), err,
		      wanted->baseline[0] ? "rollout.baseline" : "rollout.target");
}

/* Those of new versions were never in force: no rollback may lead to them. */
static void forget_weights(struct service *after)
{
	for (size_t i = 0; i < after->version_count; i++)
		after->versions[i].previous_weight = 0;
}

/* --- what the document does not name ---------------------------------------------------------------------------------------------- */

/* One without backends can not be named, and export leaves it out: it stays as it is. */
static bool is_unnamed(const struct reconcile *order, const struct version *version)
{
	return order->wanted->versions_given && version_active_backends(version) &&
	       !document_find_version(order->wanted, version->label);
}

static int drain_unnamed(const struct reconcile *order, struct service *after, const struct version *version, struct error *err)
{
	const struct drain_policy *policy = &after->settings.drain;
	struct drain_order drain = {
	    .has_deadline = true,
	    .never = !policy->deadline.ms,
	    .deadline = policy->deadline,
	    .has_on_deadline = true,
	    .on_deadline = policy->on_deadline,
	};
	const struct rollout *rollout = &after->rollout;

	if (rollout_is_active(rollout) &&
	    (!strcmp(rollout->target, version->label) || !strcmp(rollout->baseline, version->label)))
		return placed(
		    order,
		    error_set(err, ERROR_PRECONDITION, NULL,
			      "version %s is not named here, but a rollout of %s from %s to %s is under way; name it, or "
			      "first: rainbowctl rollout abort %s",
			      version->label, after->name, rollout->baseline, rollout->target, after->name),
		    err, "versions");
	return placed(order, command_drain(after, version->label, &drain, order->counts, order->now, err), err, "versions");
}

static int drain_all_unnamed(const struct reconcile *order, struct service *after, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < after->version_count; i++)
		if (after->versions[i].state == RAINBOW_VERSION_ACTIVE && is_unnamed(order, &after->versions[i]))
			rc = drain_unnamed(order, after, &after->versions[i], err);
	return rc;
}

/*
 * A quarantine is a memory: without it the next document could roll the same version out again. So such a version stays, and lets its
 * backends go, whose addresses others may get.
 */
static int remove_unnamed(const struct reconcile *order, struct service *after, const char *label, struct error *err)
{
	struct version *version = service_find_version(after, label);
	uint64_t stay;
	int rc = 0;

	if (!version->quarantine[0])
		return command_version_remove(after, label, order->counts, err);
	for (size_t i = version->backend_count; !rc && i-- > 0;) {
		const struct endpoint at = version->backends[i].at;

		rc = command_backend_remove(after, label, &at, order->counts, &stay, err);
	}
	return rc;
}

static int remove_all_unnamed(const struct reconcile *order, struct service *after, struct error *err)
{
	int rc = 0;

	for (size_t i = after->version_count; !rc && i-- > 0;) {
		const struct version *version = &after->versions[i];
		char label[RAINBOW_NAME_SIZE];

		if (!is_unnamed(order, version) || order->counts->live[version->id])
			continue;
		text_copy(label, sizeof(label), version->label);
		rc = placed(order, remove_unnamed(order, after, label, err), err, "versions");
	}
	return rc;
}

/* --- steers -------------------------------------------------------------------------------------------------------------------------- */

static bool names_range(const struct document_service *wanted, const struct cidr *range)
{
	for (size_t i = 0; i < wanted->steer_count; i++)
		if (wanted->steers[i].range.bits == range->bits && addr_equal(&wanted->steers[i].range.addr, &range->addr))
			return true;
	return false;
}

/* As with versions: one to a version without backends stays. */
static bool is_steer_unnamed(const struct reconcile *order, const struct service *after, const struct steer *steer)
{
	const struct version *version = service_find_version_id(after, steer->version);

	return version_active_backends(version) && !names_range(order->wanted, &steer->range);
}

static int set_steer(const struct reconcile *order, size_t index, struct service *after, struct error *err)
{
	const struct document_steer *wanted = &order->wanted->steers[index];
	const struct steer *is = service_find_steer(after, &wanted->range);
	const struct version *version = service_find_version(after, wanted->version);

	if (is && version && is->version == version->id)
		return 0;
	return placed(order, command_steer_add(order->model, after, &wanted->range, wanted->version, err), err, "steers[%zu]",
		      index);
}

static int set_steers(const struct reconcile *order, struct service *after, struct error *err)
{
	int rc = 0;

	if (!order->wanted->steers_given)
		return 0;
	for (size_t i = after->steer_count; i-- > 0;)
		if (is_steer_unnamed(order, after, &after->steers[i]))
			service_remove_steer(after, &after->steers[i]);
	for (size_t i = 0; !rc && i < order->wanted->steer_count; i++)
		rc = set_steer(order, i, after, err);
	return rc;
}

/* --- the two parts ------------------------------------------------------------------------------------------------------------------------ */

/*
 * As many as a service can have, where it has none yet: those of an exported document may have been on their way out, which max_versions
 * does not count.
 */
static int set_first_versions(const struct reconcile *order, struct service *after, struct error *err)
{
	uint32_t most = after->settings.max_versions;
	int rc;

	after->settings.max_versions = RAINBOW_MAX_VERSIONS_PER_SERVICE;
	rc = set_versions(order, after, err);
	after->settings.max_versions = most;
	return rc;
}

int reconcile_open(const struct reconcile *order, struct service *after, struct error *err)
{
	bool had_versions = after->version_count > 0;
	uint32_t most = after->settings.max_versions;
	char place[32];
	int rc = after->name[0] ? set_service(order, after, err) : add_service(order, after, err);

	snprintf(place, sizeof(place), "services[%zu].", order->index);
	rc = rc ? rc : command_settings_read(after, order->wanted->settings, place, err);
	rc = rc ? rc : had_versions ? set_versions(order, after, err) : set_first_versions(order, after, err);
	rc = rc ? rc : set_weights(order, after, err);
	if (!rc && order->wanted->target[0] && !had_versions)
		rc = give_first_all(order, after, err);
	if (!had_versions)
		forget_weights(after);
	rc = rc ? rc : drain_all_unnamed(order, after, err);
	if (!rc && had_versions)
		rc = placed(order, version_room_check(after, most, err), err, "max_versions");
	return rc;
}

int reconcile_close(const struct reconcile *order, struct service *after, struct error *err)
{
	int rc = set_steers(order, after, err);

	return rc ? rc : remove_all_unnamed(order, after, err);
}

int reconcile_rollout(const struct reconcile *order, const struct service *after, bool *start, struct error *err)
{
	const struct rollout *rollout = &after->rollout;
	const char *target = order->wanted->target;
	struct version *version;
	int rc;

	*start = false;
	if (!target[0])
		return 0;
	rc = placed(order, service_get_version(after, target, &version, err), err, "rollout.target");
	if (rc || version->weight == 1000)
		return rc;
	if (rollout_is_active(rollout) && (!strcmp(rollout->target, target) || !strcmp(rollout->queued, target)))
		return 0;
	if (version->quarantine[0])
		return placed(order,
			      error_set(err, ERROR_PRECONDITION, NULL,
					"version %s of %s is in quarantine: %s; first: rainbowctl version unquarantine %s %s",
					target, after->name, version->quarantine, after->name, target),
			      err, "rollout.target");
	if (rollout_is_active(rollout) && after->settings.plan.on_new_target == ON_NEW_REJECT)
		return placed(
		    order,
		    error_set(err, ERROR_PRECONDITION, NULL,
			      "a rollout of %s to %s is under way, and on_new_target is reject; wait for its end, or abort it",
			      after->name, rollout->target),
		    err, "rollout.target");
	*start = true;
	if (!order->wanted->baseline[0])
		return 0;
	return placed(order, service_get_version(after, order->wanted->baseline, &version, err), err, "rollout.baseline");
}
