/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The model as a document (common/document.h): it can be applied to a host that has nothing, and applies back to nothing, but for what
 * export.c says.
 */
#ifndef RAINBOW_EXPORT_H
#define RAINBOW_EXPORT_H

#include <jansson.h>
#include "model.h"

/* only: NULL for all services. A new reference. */
json_t *export_document(const struct model *model, const struct service *only);

#endif
