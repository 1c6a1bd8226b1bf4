/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What differs between two states of a service, as lines for people: "+ version v3 of chat", "~ chat drain.deadline 24h -> 12h". Pure. */
#ifndef RAINBOW_DIFFERENCE_H
#define RAINBOW_DIFFERENCE_H

#include <jansson.h>
#include "model.h"

/* Appends {"service", "change"} for each to the array. before NULL: the service is new. counts: for what stays behind. */
void difference_append(const struct service *before, const struct service *after, const struct counts *counts, json_t *list);
/* The same for the settings alone. */
void difference_append_settings(const char *service, const struct settings *before, const struct settings *after, json_t *list);
void difference_append_line(json_t *list, const char *service, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
