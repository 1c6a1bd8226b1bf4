/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The model as a document (common/document.h): applied to a host that has nothing it makes the same, and here it changes nothing. */
#ifndef RAINBOW_EXPORT_H
#define RAINBOW_EXPORT_H

#include <jansson.h>
#include "model.h"

/* only: NULL for all services. A new reference. */
json_t *export_document(const struct model *model, const struct service *only);

#endif
