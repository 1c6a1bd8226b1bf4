/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which version a client's next packet meets, and by which rule: the kernel's steps 4 and 7 told again from the model. Pure: what
 * the kernel holds for this client is an argument.
 */
#ifndef RAINBOW_EXPLAIN_H
#define RAINBOW_EXPLAIN_H

#include <rainbow/maps.h>
#include "model.h"

struct explain_facts {
	uint64_t secret[2];
	uint64_t cursor;                       /* selection exact: new sessions so far */
	const struct rainbow_pin *flow;        /* of this very flow, if it is live; or NULL */
	const struct rainbow_pin *client;      /* affinity client: of its session, if it is live; or NULL */
	const struct rainbow_nursling *choice; /* affinity client: what was chosen for it a moment ago; or NULL */
};

struct explanation {
	const struct version *version; /* NULL: none */
	uint32_t backend;              /* id; 0: the one with the fewest live sessions */
	char rule[32];
	char detail[200];
};

struct explanation explain(const struct service *service, const struct rainbow_flow *flow, const struct explain_facts *facts);

#endif
