// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The declarative document: apply and export. All of it is tried first, as dry runs; where one service is refused, nothing happens.
 * Then, service by service, what is new or different is put in force, and only when all of that is, what is not wanted any more goes.
 * A failure in the middle (a database that is full) puts back what was done.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "commands.h"
#include "common/log.h"
#include "common/text.h"
#include "difference.h"
#include "export.h"
#include "handlers.h"
#include "keeper.h"
#include "pilot.h"
#include "reconcile.h"

/* One service on its way. */
struct step {
	const struct document_service *wanted;
	size_t index;
	bool differs, starts_rollout;
	struct service *saved; /* as it was before `open`; NULL: there was none */
	bool open;
};

struct plan {
	struct request *request;
	struct document document;
	struct step steps[RAINBOW_MAX_SERVICES];
	size_t count;
	json_t *changes;
};

static int begin(struct plan *plan, const struct step *step, struct change *change, struct reconcile *order, struct error *err)
{
	struct daemon *daemon = plan->request->daemon;
	bool is_there = model_find_service(&daemon->model, step->wanted->name);
	int rc = change_begin(change, daemon, is_there ? step->wanted->name : NULL, err);

	*order = (struct reconcile){
	    .model = &daemon->model,
	    .wanted = step->wanted,
	    .index = step->index,
	    .counts = &change->counts,
	    .now = instant_now(),
	};
	return rc;
}

/* --- trying -------------------------------------------------------------------------------------------------------------------------- */

static int note_changes(struct plan *plan, struct step *step, const struct change *change, struct error *err)
{
	size_t count = json_array_size(plan->changes);

	difference_append(change->before, change->after, &change->counts, plan->changes);
	if (step->starts_rollout && change->before && rollout_is_active(&change->before->rollout))
		difference_append_line(plan->changes, step->wanted->name, "start a rollout of %s to %s, %s rollout %llu to %s",
				       step->wanted->name, step->wanted->target,
				       change->after->settings.plan.on_new_target == ON_NEW_QUEUE ? "after" : "in the place of",
				       (unsigned long long)change->before->rollout.number, change->before->rollout.target);
	else if (step->starts_rollout)
		difference_append_line(plan->changes, step->wanted->name, "start a rollout of %s to %s", step->wanted->name,
				       step->wanted->target);
	step->differs = json_array_size(plan->changes) > count;
	if (!step->differs || !change->before || !service_check_unlocked(change->before, err))
		return 0;
	snprintf(err->field, sizeof(err->field), "services[%zu]", step->index);
	return -(int)err->code;
}

static struct rollout_start order_of(const struct document_service *wanted, const char *reason)
{
	return (struct rollout_start){
	    .target = wanted->target,
	    .baseline = wanted->baseline[0] ? wanted->baseline : NULL,
	    .reason = reason,
	};
}

/* The command names a field of its own request; here it is one of the document. */
static int begin_rollout(const struct step *step, struct change *change, const struct rollout_start *order, struct error *err)
{
	char field[sizeof(err->field)];
	bool queued;
	int rc = command_rollout_start(change->after, order, &change->counts, instant_now(), &queued, err);

	if (!rc)
		return 0;
	text_copy(field, sizeof(field), err->field);
	snprintf(err->field, sizeof(err->field), "services[%zu].%s%.32s", step->index,
		 strcmp(field, "gates") == 0 ? "" : "rollout.", field);
	return rc;
}

/* On the copy that is thrown away: would it begin? */
static int try_rollout(const struct plan *plan, const struct step *step, struct change *change, struct error *err)
{
	const struct rollout_start order = order_of(step->wanted, plan->request->note->reason);
	return begin_rollout(step, change, &order, err);
}

/* New versions have their ids from the dry run: steers name them. */
static int try_step(struct plan *plan, struct step *step, struct error *err)
{
	struct reconcile order;
	struct change change;
	int rc = begin(plan, step, &change, &order, err);

	if (rc)
		return rc;
	rc = reconcile_open(&order, change.after, err);
	rc = rc ? rc : change_commit(&change, true, err);
	rc = rc ? rc : reconcile_close(&order, change.after, err);
	rc = rc ? rc : reconcile_rollout(&order, change.after, &step->starts_rollout, err);
	rc = rc ? rc : note_changes(plan, step, &change, err);
	rc = rc || !step->starts_rollout ? rc : try_rollout(plan, step, &change, err);
	change_end(&change);
	return rc;
}

static int try_all(struct plan *plan, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < plan->count; i++)
		rc = try_step(plan, &plan->steps[i], err);
	return rc;
}

/* --- putting back -------------------------------------------------------------------------------------------------------------------- */

/* `saved` with what can not go any more: versions that got sessions meanwhile stay, without a share. */
static struct service *former(const struct change *change, const struct service *saved)
{
	struct service *service = service_clone(saved);

	memcpy(service->wheel, change->before->wheel, sizeof(service->wheel));
	service->generation = change->before->generation;
	for (size_t i = 0; i < service->version_count; i++) {
		struct version *version = &service->versions[i];
		const struct version *is = service_find_version_id(change->before, version->id);

		/* Backends that were removed get their ids anew. */
		for (size_t j = 0; j < version->backend_count; j++)
			if (!is || !version_find_backend_id(is, version->backends[j].id))
				version->backends[j].id = 0;
	}
	for (size_t i = 0; i < change->before->version_count; i++) {
		const struct version *added = &change->before->versions[i];
		struct version stays = *added;

		if (service_find_version_id(saved, added->id) || !change->counts.live[added->id])
			continue;
		stays.weight = 0;
		stays.backends = NULL;
		stays.backend_count = 0;
		for (size_t j = 0; j < added->backend_count; j++)
			version_append_backend(&stays, &added->backends[j]);
		service_append_version(service, &stays);
	}
	return service;
}

static int put_back(struct plan *plan, struct step *step, struct error *err)
{
	struct change change;
	int rc = change_begin(&change, plan->request->daemon, step->wanted->name, err);

	if (rc)
		return rc;
	if (step->saved) {
		service_free(change.after);
		change.after = former(&change, step->saved);
	} else {
		rc = command_service_remove(change.before, &change.counts, err);
		change_remove(&change);
	}
	rc = rc ? rc : change_commit(&change, false, err);
	change_end(&change);
	return rc;
}

static void append_name(char *list, size_t size, const char *name)
{
	size_t length = strlen(list);

	snprintf(list + length, size - length, "%s%s", length ? ", " : "", name);
}

/* The sentence of the failure, and what became of the services before it. */
static void put_all_back(struct plan *plan, size_t failed, struct error *err)
{
	char back[120] = "", stuck[120] = "", message[sizeof(err->message)];
	struct error undo = {0};

	for (size_t i = failed; i-- > 0;) {
		struct step *step = &plan->steps[i];

		if (!step->open)
			continue;
		if (!put_back(plan, step, &undo)) {
			append_name(back, sizeof(back), step->wanted->name);
			continue;
		}
		append_name(stuck, sizeof(stuck), step->wanted->name);
		log_error("apply", "service %s could not be put back: %s", step->wanted->name, undo.message);
	}
	snprintf(message, sizeof(message), "service %s: %.200s; nothing of it is in force%s%s%s%s",
		 plan->steps[failed].wanted->name, err->message, back[0] ? "; put back as they were: " : "", back,
		 stuck[0] ? "; in force, and could not be put back: " : "", stuck);
	text_copy(err->message, sizeof(err->message), message);
	text_clean(err->message);
}

/* --- doing ---------------------------------------------------------------------------------------------------------------------------- */

static int open_step(struct plan *plan, struct step *step, struct error *err)
{
	struct reconcile order;
	struct change change;
	int rc = begin(plan, step, &change, &order, err);

	if (rc)
		return rc;
	step->saved = change.before ? service_clone(change.before) : NULL;
	rc = reconcile_open(&order, change.after, err);
	rc = rc ? rc : change_commit(&change, false, err);
	step->open = !rc;
	change_end(&change);
	return rc;
}

static int close_step(struct plan *plan, const struct step *step, struct error *err)
{
	struct reconcile order;
	struct change change;
	int rc = begin(plan, step, &change, &order, err);

	if (rc)
		return rc;
	rc = reconcile_close(&order, change.after, err);
	rc = rc ? rc : change_commit(&change, false, err);
	change_end(&change);
	return rc;
}

/* As `rainbowctl rollout start` does; all of the document is in force already. */
static int start_rollout(struct request *request, const struct step *step, struct error *err)
{
	const struct rollout_start order = order_of(step->wanted, request->note->reason);
	struct change change;
	int rc = change_begin(&change, request->daemon, step->wanted->name, err);

	if (rc)
		return rc;
	rc = begin_rollout(step, &change, &order, err);
	rc = rc ? rc : change_commit(&change, false, err);
	change_end(&change);
	return rc;
}

/* All is in force but what the sentence names. */
static int still_open(int rc, const struct step *step, struct error *err)
{
	char message[sizeof(err->message)];

	snprintf(message, sizeof(message),
		 "all that is new or different is in force, but of service %s not all is done: %.300s", step->wanted->name,
		 err->message);
	text_copy(err->message, sizeof(err->message), message);
	text_clean(err->message);
	return rc;
}

static int do_all(struct plan *plan, struct error *err)
{
	for (size_t i = 0; i < plan->count; i++) {
		int rc = plan->steps[i].differs ? open_step(plan, &plan->steps[i], err) : 0;

		if (rc) {
			put_all_back(plan, i, err);
			return rc;
		}
	}
	for (size_t i = 0; i < plan->count; i++) {
		int rc = plan->steps[i].differs ? close_step(plan, &plan->steps[i], err) : 0;

		if (rc)
			return still_open(rc, &plan->steps[i], err);
	}
	for (size_t i = 0; i < plan->count; i++) {
		int rc = plan->steps[i].starts_rollout ? start_rollout(plan->request, &plan->steps[i], err) : 0;

		if (rc)
			return still_open(rc, &plan->steps[i], err);
	}
	return 0;
}

static int read_plan(struct plan *plan, struct error *err)
{
	int rc = document_read(plan->request->body, &plan->document, err);

	for (size_t i = 0; !rc && i < plan->document.service_count; i++)
		plan->steps[plan->count++] = (struct step){.wanted = &plan->document.services[i], .index = i};
	return rc;
}

static json_t *reply_plan(const struct plan *plan)
{
	size_t count = json_array_size(plan->changes);
	json_t *reply;

	if (!count)
		reply = reply_done(plan->request, NULL, "all is as the document wants it");
	else
		reply = reply_done(plan->request, NULL, "%zu change%s", count, count == 1 ? "" : "s");
	json_object_set(reply, "changes", plan->changes);
	return reply;
}

int handle_apply(struct request *request, json_t **reply, struct error *err)
{
	struct plan *plan = calloc(1, sizeof(*plan));
	int rc;

	if (!plan)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	plan->request = request;
	plan->changes = json_array();
	rc = read_plan(plan, err);
	rc = rc ? rc : try_all(plan, err);
	if (!rc && !request->dry_run)
		rc = do_all(plan, err);
	if (!rc)
		*reply = reply_plan(plan);
	if (!request->dry_run)
		keeper_poke(request->daemon->keeper);
	for (size_t i = 0; i < plan->count; i++)
		service_free(plan->steps[i].saved);
	document_fini(&plan->document);
	json_decref(plan->changes);
	free(plan);
	return rc;
}

int handle_export(struct request *request, json_t **reply, struct error *err)
{
	const char *name = request_query(request, "service");
	struct service *only = NULL;
	int rc = name ? model_get_service(&request->daemon->model, name, &only, err) : 0;

	if (!rc)
		*reply = export_document(&request->daemon->model, only);
	return rc;
}
