// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * See store_json.h. The one place that knows settings_print/settings_read (settings.h) and rollout_print/rollout_read (rollout.h);
 * until both are there nothing is kept, and a text that is there is refused rather than lost.
 */
#include "store_json.h"

json_t *store_json_settings(const struct service *service)
{
	(void)service;
	return NULL;
}

json_t *store_json_rollout(const struct service *service)
{
	(void)service;
	return NULL;
}

int store_json_read(struct service *service, const char *settings, const char *rollout, struct error *err)
{
	if (*settings || *rollout)
		return error_set(err, ERROR_INTERNAL, "state-dir",
				 "the database holds settings of service %s that this rainbowd can not read", service->name);
	return 0;
}
