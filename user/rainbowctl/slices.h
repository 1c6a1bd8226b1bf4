/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From Kubernetes' EndpointSlices (discovery.k8s.io/v1) to a document. Pure. An endpoint's service is the label `app`, its version
 * the label `version`: of its pod, if that is given, else of its slice, which carries those of its Service.
 */
#ifndef RAINBOWCTL_SLICES_H
#define RAINBOWCTL_SLICES_H

#include <jansson.h>

struct error;

struct slices {
	const json_t *lists[2];   /* as kubectl prints them, of EndpointSlices, Pods, Services; NULL: none */
	const char *service_port; /* NULL: slices have one */
	const char *address;      /* what clients dial; NULL: as the Service says */
};

struct slices_left_out {
	size_t not_ready, terminating, other_family;
};

/* 0 with *document (a new reference), which document_check finds good, or a negative code and err. */
int slices_read(const struct slices *slices, json_t **document, struct slices_left_out *left_out, struct error *err);

#endif
