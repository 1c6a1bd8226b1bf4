// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Steers: list, add, remove. */
#include "commands.h"
#include "handlers.h"

static void list_steers(const struct service *service, json_t *list)
{
	char range[ADDR_TEXT_SIZE];
	size_t i;

	for (i = 0; i < service->steer_count; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "service", service->name, "range",
						      cidr_format(&service->steers[i].range, range), "version",
						      service_find_version_id(service, service->steers[i].version)->label));
}

int handle_steer_list(struct request *request, json_t **reply, struct error *err)
{
	const struct model *model = &request->daemon->model;
	const char *only = request_query(request, "service");
	struct service *service = NULL;
	json_t *list;
	size_t i;

	if (only && model_get_service(model, only, &service, err))
		return -(int)err->code;
	list = json_array();
	for (i = 0; i < model->count; i++)
		if (!service || model->services[i] == service)
			list_steers(model->services[i], list);
	*reply = json_pack("{s:o}", "steers", list);
	return 0;
}

static int read_steer(const json_t *body, struct cidr *range, const char **version, struct error *err)
{
	static const char *const keys[] = {"range", "version", NULL};
	const char *text = NULL;
	int rc = body_check_keys(body, keys, err);

	rc = rc ? rc : body_string(body, "range", true, &text, err);
	rc = rc ? rc : cidr_parse(text, range, "range", err);
	return rc ? rc : body_string(body, "version", true, version, err);
}

int handle_steer_add(struct request *request, json_t **reply, struct error *err)
{
	char text[ADDR_TEXT_SIZE];
	const char *version = NULL;
	struct change change;
	struct cidr range;
	int rc = change_begin(&change, request->daemon, request->variable[0], err);

	if (rc)
		return rc;
	rc = read_steer(request->body, &range, &version, err);
	rc = rc ? rc : command_steer_add(&request->daemon->model, change.after, &range, version, err);
	if (!rc)
		*reply = reply_done(request, change.after, "new sessions of %s from %s go to version %s", change.after->name,
				    cidr_format(&range, text), version);
	rc = rc ? rc : change_commit(&change, request->dry_run, err);
	change_end(&change);
	return rc;
}

int handle_steer_remove(struct request *request, json_t **reply, struct error *err)
{
	char text[ADDR_TEXT_SIZE];
	struct change change;
	struct cidr range;
	int rc = change_begin(&change, request->daemon, request->variable[0], err);

	if (rc)
		return rc;
	rc = cidr_parse(request->variable[1], &range, "range", err);
	rc = rc ? rc : command_steer_remove(change.after, &range, err);
	if (!rc)
		*reply = reply_done(request, change.after, "new sessions of %s from %s follow the weights again",
				    change.after->name, cidr_format(&range, text));
	rc = rc ? rc : change_commit(&change, request->dry_run, err);
	change_end(&change);
	return rc;
}
