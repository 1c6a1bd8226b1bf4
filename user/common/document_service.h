/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One service of a document, for document.c. */
#ifndef RAINBOW_DOCUMENT_SERVICE_H
#define RAINBOW_DOCUMENT_SERVICE_H

#include "common/document.h"
#include "common/field.h"

/* Finish with document_service_fini in any case. */
int document_service_read(const struct field *object, struct document_service *service, struct error *err);
void document_service_fini(struct document_service *service);

#endif
