// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Weights: setting them, handing a share over. They always add up to 1000, once a service has a version. */
#include <string.h>
#include "commands.h"
#include "common/text.h"

bool weights_differ(const struct service *a, const struct service *b)
{
	size_t i;

	if (a->version_count != b->version_count)
		return true;
	for (i = 0; i < a->version_count; i++)
		if (a->versions[i].id != b->versions[i].id || a->versions[i].weight != b->versions[i].weight)
			return true;
	return false;
}

void weights_remember(struct service *service, const struct counts *counts)
{
	size_t i;

	for (i = 0; i < service->version_count; i++) {
		struct version *version = &service->versions[i];

		version->previous_weight = version->weight;
		version->opened_before = counts->opened[version->id];
	}
}

/* Checks one order and writes the weight it asks for into weights[], by place of its version. */
static int take_order(const struct service *service, const struct weight_order *order, uint32_t *weights, bool *named,
		      struct error *err)
{
	struct version *version;
	size_t place;
	int rc = service_get_version(service, order->label, &version, err);

	if (rc)
		return rc;
	place = (size_t)(version - service->versions);
	if (named[place])
		return error_set(err, ERROR_BAD_INPUT, "weights", "version %s is named twice", order->label);
	named[place] = true;
	weights[place] = order->rest ? 0 : order->permille;
	return 0;
}

/* Adds up, and gives the rest to the one that takes it. */
static int settle_sum(const struct service *service, const struct weight_order *orders, size_t count, uint32_t *weights,
		      struct error *err)
{
	const struct weight_order *rest = NULL;
	uint32_t sum = 0;
	char text[16];
	size_t i;

	for (i = 0; i < count; i++) {
		if (orders[i].rest && rest)
			return error_set(err, ERROR_BAD_INPUT, "weights", "%s and %s both take the rest; only one version can",
					 rest->label, orders[i].label);
		if (orders[i].rest)
			rest = &orders[i];
		else
			sum += orders[i].permille;
	}
	if (sum > 1000 || (sum < 1000 && !rest))
		return error_set(err, ERROR_BAD_INPUT, "weights",
				 "the weights add up to %s, not 100; name a version without a number to give it the rest",
				 percent_format(sum, text));
	if (rest)
		weights[service_find_version(service, rest->label) - service->versions] = 1000 - sum;
	return 0;
}

static int check_takes_share(const struct service *service, const struct version *version, struct error *err)
{
	if (version->state != RAINBOW_VERSION_ACTIVE)
		return error_set(err, ERROR_PRECONDITION, "weights",
				 "version %s is %s and can have no share; first: rainbowctl undrain %s %s", version->label,
				 version_state_name(version->state), service->name, version->label);
	if (!version_active_backends(version))
		return error_set(err, ERROR_PRECONDITION, "weights",
				 "version %s has no backend; add one first: rainbowctl backend add %s %s ADDR:PORT",
				 version->label, service->name, version->label);
	return 0;
}

int command_set_weights(struct service *service, const struct weight_order *orders, size_t count, const struct counts *counts,
			struct error *err)
{
	uint32_t weights[RAINBOW_MAX_VERSIONS_PER_SERVICE] = {0};
	bool named[RAINBOW_MAX_VERSIONS_PER_SERVICE] = {false};
	bool changed = false;
	size_t i;
	int rc;

	if (!count)
		return error_set(err, ERROR_BAD_INPUT, "weights", "no weight is given; for example %s",
				 service->version_count ? "{\"weights\":{\"LABEL\":100}}" : "add a version first");
	for (i = 0; i < count; i++) {
		rc = take_order(service, &orders[i], weights, named, err);
		if (rc)
			return rc;
	}
	rc = settle_sum(service, orders, count, weights, err);
	for (i = 0; !rc && i < service->version_count; i++) {
		changed = changed || weights[i] != service->versions[i].weight;
		if (weights[i])
			rc = check_takes_share(service, &service->versions[i], err);
	}
	if (!rc && changed)
		rc = rollout_guard(service, NULL, err);
	if (rc)
		return rc;
	if (changed)
		weights_remember(service, counts);
	for (i = 0; i < service->version_count; i++)
		service->versions[i].weight = weights[i];
	return 0;
}

static uint32_t sum_of_others(const struct service *service, const struct version *from)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < service->version_count; i++)
		if (&service->versions[i] != from && service->versions[i].state == RAINBOW_VERSION_ACTIVE)
			sum += service->versions[i].weight;
	return sum;
}

/* In proportion, rounding down; what rounding leaves goes to the largest remainders, so the sum stays exact. */
int weights_hand_over(struct service *service, struct version *from, struct error *err)
{
	uint32_t remainder[RAINBOW_MAX_VERSIONS_PER_SERVICE] = {0};
	uint32_t sum = sum_of_others(service, from), left = from->weight;
	size_t i;

	if (!from->weight)
		return 0;
	if (!sum)
		return error_set(
		    err, ERROR_PRECONDITION, "version",
		    "version %s takes all new sessions; give another one a share first: rainbowctl set-weight %s OTHER=100",
		    from->label, service->name);
	for (i = 0; i < service->version_count; i++) {
		struct version *version = &service->versions[i];
		uint32_t product = version->weight * from->weight;

		if (version == from || version->state != RAINBOW_VERSION_ACTIVE || !version->weight)
			continue;
		version->weight += product / sum;
		left -= product / sum;
		remainder[i] = product % sum;
	}
	for (; left; left--) {
		size_t most = 0;

		for (i = 1; i < service->version_count; i++)
			if (remainder[i] > remainder[most])
				most = i;
		service->versions[most].weight++;
		remainder[most] = 0;
	}
	from->weight = 0;
	return 0;
}
