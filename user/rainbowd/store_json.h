/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What of the model is kept as JSON: a service's settings and its rollout, a version's duties. For the database and the history. */
#ifndef RAINBOW_STORE_JSON_H
#define RAINBOW_STORE_JSON_H

#include <jansson.h>
#include "model.h"

/* New references; NULL: nothing is to be kept, and the column is "". */
json_t *store_json_settings(const struct service *service);
json_t *store_json_rollout(const struct service *service);
json_t *store_json_duty(const struct version *version);
/* From the columns' text; "" leaves what a new one has. -ERROR_INTERNAL or what the reader says: they can not be read. */
int store_json_read(struct service *service, const char *settings, const char *rollout, struct error *err);
int store_json_read_duty(struct version *version, const char *duty, struct error *err);

#endif
