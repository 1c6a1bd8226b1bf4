/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Segments that rainbowd itself sends, over raw sockets, to the ends of a TCP session. A probe is an ACK one byte before the
 * window, as a keep-alive is (RFC 9293, 3.8.4): TCP must answer it (3.10.7.4) and takes nothing from it, and the answer passes a
 * hook. If the session was told to die, that makes of it an RST with exactly the right numbers. After several unanswered probes `probe_reset` sends the RST itself,
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
/*
 * Asks the client of a live session. In a burst, against loss; and with time stamps, since there are stacks that drop a segment
 * without one where they were agreed on (RFC 7323, 3.2). What they should say rainbow does not know, and need not: a segment
 * outside of the window is answered whatever its time stamp is, and none is taken over from it. Half of all values is old to the
 * receiver, and some stacks do not answer those either: so it is asked with two values, of which one is old and one new.
 */
int probe_ask_client(struct probe *probe, const struct rainbow_flow *flow, const struct rainbow_pin *pin,
		     const struct rainbow_service *service);

#endif
