/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Gates as JSON, for settings_json.c. */
#ifndef RAINBOW_SETTINGS_GATE_H
#define RAINBOW_SETTINGS_GATE_H

#include "common/field.h"
#include "common/settings.h"

int gate_read(const struct field *object, struct gate *gate, struct error *err);
json_t *gate_print(const struct gate *gate);

/* NULL where the text is an http:// or https:// URL without a name and password in it, else what is wrong. */
const char *url_complaint(const char *url);
/* NULL where the text is an absolute path. */
const char *path_complaint(const char *path);

#endif
