// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See store_json.h. */
#include <string.h>
#include "store_json.h"

json_t *store_json_settings(const struct service *service)
{
	return settings_print(&service->settings);
}

json_t *store_json_rollout(const struct service *service)
{
	return service->rollout.number || service->rollout.queued[0] ? rollout_print(&service->rollout) : NULL;
}

json_t *store_json_duty(const struct version *version)
{
	static const struct drain_duty none;

	return memcmp(&version->duty, &none, sizeof(none)) == 0 ? NULL : drain_duty_print(&version->duty);
}

static int parse(const char *text, const char *what, const char *name, json_t **out, struct error *err)
{
	*out = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	if (*out)
		return 0;
	return error_set(err, ERROR_INTERNAL, "state-dir", "the database is damaged: %s of %s is no JSON", what, name);
}

int store_json_read(struct service *service, const char *settings, const char *rollout, struct error *err)
{
	json_t *json = NULL;
	int rc = 0;

	if (*settings) {
		rc = parse(settings, "settings", service->name, &json, err);
		rc = rc ? rc : settings_read(json, "", &service->settings, err);
		json_decref(json);
	}
	if (!rc && *rollout) {
		rc = parse(rollout, "rollout", service->name, &json, err);
		rc = rc ? rc : rollout_read(json, &service->rollout, err);
		json_decref(json);
	}
	return rc;
}

int store_json_read_duty(struct version *version, const char *duty, struct error *err)
{
	json_t *json = NULL;
	int rc;

	if (!*duty)
		return 0;
	rc = parse(duty, "duty", version->label, &json, err);
	rc = rc ? rc : drain_duty_read(json, &version->duty, err);
	json_decref(json);
	return rc;
}
