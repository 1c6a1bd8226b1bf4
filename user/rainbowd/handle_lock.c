// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Locks and quarantine: words that automation heeds. The datapath knows neither. */
#include <inttypes.h>
#include "commands.h"
#include "handlers.h"

static int read_nothing(const struct request *request, struct error *err)
{
	static const char *const keys[] = {NULL};

	return body_check_keys(request->body, keys, err);
}

int handle_lock(struct request *request, json_t **reply, struct error *err)
{
	struct change change;
	int rc = change_begin(&change, request->daemon, request->variable[0], err);

	if (rc)
		return rc;
	rc = read_nothing(request, err);
	rc = rc ? rc : command_lock(change.after, (uint32_t)request->note->uid, request->note->reason, instant_now(), err);
	if (!rc)
		*reply = reply_done(request, change.after, "service %s is locked against automation and applies",
				    change.after->name);
	rc = rc ? rc : change_commit(&change, request->dry_run, err);
	change_end(&change);
	return rc;
}

int handle_unlock(struct request *request, json_t **reply, struct error *err)
{
	struct change change;
	int rc = change_begin(&change, request->daemon, request->variable[0], err);

	if (rc)
		return rc;
	rc = read_nothing(request, err);
	command_unlock(change.after);
	if (!rc)
		*reply = reply_done(request, change.after,
				    change.before->lock.since.unix_ms ? "service %s is unlocked" : "service %s is not locked",
				    change.after->name);
	rc = rc ? rc : change_commit(&change, request->dry_run, err);
	change_end(&change);
	return rc;
}

static json_t *reply_quarantine(const struct request *request, const struct change *change)
{
	const struct service *service = change->after;
	const struct rollout *rollout = &service->rollout;

	if (!rollout_is_active(&change->before->rollout) || rollout_is_active(rollout))
		return reply_done(request, service, "version %s of %s is in quarantine: no rollout takes it",
				  request->variable[1], service->name);
	return reply_done(request, service,
			  "version %s of %s is in quarantine, and rollout %" PRIu64
			  " to it is rolled back: all new sessions go to %s",
			  request->variable[1], service->name, rollout->number, rollout->baseline);
}

int handle_quarantine(struct request *request, json_t **reply, struct error *err)
{
	struct change change;
	int rc = change_begin(&change, request->daemon, request->variable[0], err);

	if (rc)
		return rc;
	rc = read_nothing(request, err);
	rc = rc ? rc
		: command_quarantine(change.after, request->variable[1], request->note->reason, &change.counts, instant_now(),
				     err);
	if (!rc)
		*reply = reply_quarantine(request, &change);
	rc = rc ? rc : change_commit(&change, request->dry_run, err);
	change_end(&change);
	return rc;
}

int handle_unquarantine(struct request *request, json_t **reply, struct error *err)
{
	struct change change;
	int rc = change_begin(&change, request->daemon, request->variable[0], err);

	if (rc)
		return rc;
	rc = read_nothing(request, err);
	rc = rc ? rc : command_unquarantine(change.after, request->variable[1], err);
	if (!rc)
		*reply = reply_done(request, change.after, "version %s of %s is in no quarantine: a rollout may take it",
				    request->variable[1], change.after->name);
	rc = rc ? rc : change_commit(&change, request->dry_run, err);
	change_end(&change);
	return rc;
}
