/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Segments that rainbowd itself sends, over raw sockets, to the two ends of a TCP session that was told to die. A probe is an
 * ACK one byte before the window: TCP must answer it (RFC 9293, 3.10.7.4), it disturbs nothing, and the answer passes a hook
 * that makes of it an RST with exactly the right numbers. After several unanswered probes `probe_reset` sends the RST itself,
 * with the numbers last seen, for stacks that ignore segments without a time stamp (RFC 7323, 5.2 lets them; not for RST).
 */
#ifndef RAINBOW_PROBE_H
#define RAINBOW_PROBE_H

#include <rainbow/maps.h>
#include "common/error.h"

struct probe; /* the raw sockets */

int probe_open(struct probe **out, struct error *err);
void probe_close(struct probe *probe);

/* The session: its flow and pin, its service and backend. To the ends that pin->told does not yet name. -errno. */
int probe_ask(struct probe *probe, const struct rainbow_flow *flow, const struct rainbow_pin *pin,
	      const struct rainbow_service *service, const struct rainbow_backend *backend);
int probe_reset(struct probe *probe, const struct rainbow_flow *flow, const struct rainbow_pin *pin,
		const struct rainbow_service *service, const struct rainbow_backend *backend);

#endif
