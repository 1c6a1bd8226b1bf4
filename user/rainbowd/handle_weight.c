// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Which version takes how many of the new sessions: set-weight and rollback. */
#include <stdio.h>
#include <string.h>
#include "commands.h"
#include "common/text.h"
#include "handlers.h"

static int read_weight(const char *label, const json_t *value, struct weight_order *order, struct error *err)
{
	int rc = name_check(label, "version", "weights", err);

	if (rc)
		return rc;
	text_copy(order->label, sizeof(order->label), label);
	order->rest = json_is_null(value);
	return order->rest ? 0 : body_percent(value, label, &order->permille, err);
}

static int read_weights(const json_t *body, struct weight_order *orders, size_t *count, struct error *err)
{
	static const char *const keys[] = {"weights", NULL};
	json_t *weights = json_object_get(body, "weights"), *value;
	const char *label;
	int rc = body_check_keys(body, keys, err);

	if (rc)
		return rc;
	if (!json_is_object(weights))
		return error_set(err, ERROR_BAD_INPUT, "weights",
				 "\"weights\" is missing: an object like {\"v1\":95,\"v2\":5}");
	if (json_object_size(weights) > RAINBOW_MAX_VERSIONS_PER_SERVICE)
		return error_set(err, ERROR_BAD_INPUT, "weights", "%zu weights are given; a service can have %d versions",
				 json_object_size(weights), RAINBOW_MAX_VERSIONS_PER_SERVICE);
	*count = 0;
	json_object_foreach(weights, label, value)
	{
		rc = read_weight(label, value, &orders[(*count)++], err);
		if (rc)
			return rc;
	}
	return 0;
}

/* "v1 95 %, v2 5 %": those that have a share. */
static const char *shares_format(const struct service *service, char *text, size_t size)
{
	char percent[16];
	size_t i, used = 0;

	text[0] = '\0';
	for (i = 0; i < service->version_count && used + 48 < size; i++) {
		const struct version *version = &service->versions[i];

		if (version->weight)
			used += (size_t)snprintf(text + used, size - used, "%s%s %s %%", used ? ", " : "", version->label,
						 percent_format(version->weight, percent));
	}
	return text;
}

int handle_set_weights(struct request *request, json_t **reply, struct error *err)
{
	struct weight_order orders[RAINBOW_MAX_VERSIONS_PER_SERVICE] = {0};
	struct change change;
	char shares[400];
	size_t count = 0;
	int rc = change_begin(&change, request->daemon, request->variable[0], err);

	if (rc)
		return rc;
	rc = read_weights(request->body, orders, &count, err);
	rc = rc ? rc : command_set_weights(change.after, orders, count, &change.counts, err);
	if (!rc)
		*reply = reply_done(request, change.after, "new sessions of %s: %s", change.after->name,
				    shares_format(change.after, shares, sizeof(shares)));
	rc = rc ? rc : change_commit(&change, request->dry_run, err);
	change_end(&change);
	return rc;
}

static int read_sessions(const char *word, enum rollback_sessions *out, struct error *err)
{
	static const char *const words[] = {"keep", "drain", "reset", NULL};
	int i;

	*out = ROLLBACK_KEEP;
	if (!word)
		return 0;
	for (i = 0; words[i]; i++) {
		if (strcmp(words[i], word) == 0) {
			*out = (enum rollback_sessions)i;
			return 0;
		}
	}
	return error_set(err, ERROR_BAD_INPUT, "sessions", "unknown word %.40s for sessions; there is keep, drain, reset",
			 word);
}

/* What becomes of the sessions of the versions that lose their share. */
static const char *fate_of(const struct change *change, enum rollback_sessions sessions)
{
	static const char *const fates[] = {"; running sessions stay where they are", "; running sessions of the others drain",
					    "; running sessions of the others are being closed"};
	size_t i;

	for (i = 0; i < change->before->version_count; i++)
		if (change->before->versions[i].weight && !change->after->versions[i].weight)
			return fates[sessions];
	return "";
}

/* "; v2 drains, in quarantine: no rollout takes it", where that is new. */
static const char *quarantine_text(const struct change *change, char *text, size_t size)
{
	size_t i;

	for (i = 0; i < change->before->version_count; i++) {
		const struct version *version = &change->after->versions[i];

		if (!version->quarantine[0] || change->before->versions[i].quarantine[0])
			continue;
		snprintf(text, size, "; %s %s quarantine: no rollout takes it", version->label,
			 version->state == RAINBOW_VERSION_ACTIVE ? "is in" : "drains, in");
		return text;
	}
	return "";
}

int handle_rollback(struct request *request, json_t **reply, struct error *err)
{
	static const char *const keys[] = {"to", "sessions", NULL};
	struct rollback_order order = {.sessions = ROLLBACK_KEEP, .reason = request->note->reason, .now = instant_now()};
	const char *word = NULL;
	struct version *target = NULL;
	char quarantined[128];
	struct change change;
	int rc = change_begin(&change, request->daemon, request->variable[0], err);

	if (rc)
		return rc;
	rc = body_check_keys(request->body, keys, err);
	rc = rc ? rc : body_string(request->body, "to", false, &order.to, err);
	rc = rc ? rc : body_string(request->body, "sessions", false, &word, err);
	rc = rc ? rc : read_sessions(word, &order.sessions, err);
	rc = rc ? rc : command_rollback(change.after, &order, &change.counts, &target, err);
	if (!rc) {
		*reply = reply_done(request, change.after, "%s rolled back: all new sessions go to %s%s%s", change.after->name,
				    target->label, fate_of(&change, order.sessions),
				    quarantine_text(&change, quarantined, sizeof(quarantined)));
		text_copy(request->note->version, sizeof(request->note->version), target->label);
		json_object_set_new(*reply, "to", json_string(target->label));
	}
	rc = rc ? rc : change_commit(&change, request->dry_run, err);
	change_end(&change);
	return rc;
}
