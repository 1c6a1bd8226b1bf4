// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Steers: a client range goes to a named version, whatever the weights. */
#include "commands.h"

static size_t count_steers(const struct model *model)
{
	size_t i, count = 0;

	for (i = 0; i < model->count; i++)
		count += model->services[i]->steer_count;
	return count;
}

int command_steer_add(const struct model *model, struct service *service, const struct cidr *range, const char *label,
		      struct error *err)
{
	struct version *version;
	struct steer *present;
	char text[ADDR_TEXT_SIZE];
	int rc = service_get_version(service, label, &version, err);

	if (rc)
		return rc;
	cidr_format(range, text);
	if (addr_is_v4(&range->addr) != addr_is_v4(&service->at.addr))
		return error_set(err, ERROR_BAD_INPUT, "range", "%s is not of the address family of service %s", text,
				 service->name);
	if (version->state != RAINBOW_VERSION_ACTIVE)
		return error_set(err, ERROR_PRECONDITION, "version",
				 "version %s is %s and takes no new session; first: rainbowctl undrain %s %s", label,
				 version_state_name(version->state), service->name, label);
	present = service_find_steer(service, range);
	if (present) {
		present->version = version->id;
		return 0;
	}
	if (count_steers(model) >= RAINBOW_MAX_STEERS)
		return error_set(err, ERROR_PRECONDITION, "range",
				 "there are %d steers, the most there can be; remove one first", RAINBOW_MAX_STEERS);
	service_append_steer(service, &(struct steer){.range = *range, .version = version->id});
	return 0;
}

int command_steer_remove(struct service *service, const struct cidr *range, struct error *err)
{
	struct steer *steer = service_find_steer(service, range);
	char text[ADDR_TEXT_SIZE];

	if (!steer)
		return error_set(err, ERROR_NOT_FOUND, "range",
				 "service %s has no steer for %s; rainbowctl steer list shows those it has", service->name,
				 cidr_format(range, text));
	service_remove_steer(service, steer);
	return 0;
}
