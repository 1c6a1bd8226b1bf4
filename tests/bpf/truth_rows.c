/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The rows. Numbered as the way of a packet in DESIGN, section 3; step 9, the bytes, is checked in every one of them. */
#include <netinet/in.h>
#include "tests/bpf/truth.h"

/* --- changes to a packet ------------------------------------------------------------------------------------------------ */

static void ip_options(struct packet *p)
{
	p->ip_options = 24;
}

static void extension(struct packet *p)
{
	p->extensions = 1;
}

static void extensions(struct packet *p)
{
	p->extensions = 3;
	p->extension_units = 4;
}

static void extensions_many(struct packet *p)
{
	p->extensions = 9;
}

static void extensions_long(struct packet *p)
{
	p->extensions = 2;
	p->extension_units = 31; /* 2 * 256 bytes */
}

static void tag(struct packet *p)
{
	p->tags = 1;
}

static void tags(struct packet *p)
{
	p->tags = 2;
}

static void tcp_options(struct packet *p)
{
	p->tcp_options = 12;
}

static void padded(struct packet *p)
{
	p->padding = 9;
}

static void last_hop(struct packet *p)
{
	p->ttl = 1;
}

static void too_long(struct packet *p)
{
	p->payload = 1700;
}

static void fragment_first(struct packet *p)
{
	p->fragment_first = true;
}

static void fragment_later(struct packet *p)
{
	p->fragment_later = true;
}

static void gre(struct packet *p)
{
	p->protocol = IPPROTO_GRE;
	p->payload = 60;
}

static void as_udp(struct packet *p)
{
	p->protocol = IPPROTO_UDP;
}

static void other_port(struct packet *p)
{
	p->target.port++;
}

static void other_address(struct packet *p)
{
	p->target.addr.octet[15] ^= 0x40;
}

static void port_zero(struct packet *p)
{
	p->source.port = 0;
}

/* Backend 3, of version 2: the last digit of its address, in decimal or hexadecimal, and its port say so. */
static void other_backend(struct packet *p)
{
	uint8_t *last = &p->source.addr.octet[15];

	p->source.port = 8083;
	*last = packet_is_v4(p) ? (uint8_t)(*last / 10 * 10 + 3) : (uint8_t)((*last & 0xf0) + 3);
}

static void no_checksum(struct packet *p)
{
	p->no_checksum = true;
}

#define LIVE       "syn synack ack"
#define CLOSING    LIVE " fin sfin-after"
#define UDP_LIVE   "ask answer ask"
#define ONE_LIVE   .live = 1, .opened = 1
#define ONE_FIN    .closing = 1, .opened = 1, .fin = 1
#define ONE_FORCED .closing = 1, .opened = 1, .forced = 1

const struct row truth_rows[] = {
    /* 1: parse to L4 */
    {"1.01 IPv4 options are stepped over", .family = FAMILY_V4, .packet = "syn", .tweak = ip_options, .fate = FATE_TO_BACKEND,
     .counter = "handshakes"},
    {"1.02 IPv4 options in a reply", .family = FAMILY_V4, .prior = LIVE, .packet = "sdata", .tweak = ip_options,
     .fate = FATE_TO_CLIENT, .counter = "replies", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"1.03 an IPv6 extension header is stepped over", .family = FAMILY_V6, .prior = LIVE, .packet = "data", .tweak = extension,
     .fate = FATE_TO_BACKEND, .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"1.04 several long ones", .family = FAMILY_V6, .prior = LIVE, .packet = "sdata", .tweak = extensions,
     .fate = FATE_TO_CLIENT, .counter = "replies", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"1.05 more than anyone sends pass", .family = FAMILY_V6, .prior = LIVE, .packet = "data", .tweak = extensions_many,
     .fate = FATE_PASSES, .counter = "passed_unparsed", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"1.06 headers beyond reach pass", .family = FAMILY_V6, .prior = LIVE, .packet = "data", .tweak = extensions_long,
     .fate = FATE_PASSES, .counter = "passed_unparsed", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"1.07 a VLAN tag: rewritten, the stack sends", .packet = "syn", .tweak = tag, .fate = FATE_BY_STACK_TO_BACKEND,
     .counter = "handshakes"},
    {"1.08 two VLAN tags", .prior = LIVE, .packet = "data", .tweak = tags, .fate = FATE_BY_STACK_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"1.09 a tagged reply comes in: the stack routes it", .paths = ON_REPLIES_IN, .prior = LIVE, .packet = "sdata",
     .tweak = tag, .fate = FATE_PASSES, .counter = "passed_by_stack", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"1.10 a tagged reply leaves: restored", .paths = ON_REPLIES_OUT, .prior = LIVE, .packet = "sdata", .tweak = tag,
     .fate = FATE_TO_CLIENT, .counter = "replies", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"1.11 TCP options", .prior = LIVE, .packet = "data", .tweak = tcp_options, .fate = FATE_TO_BACKEND, .counter = "requests",
     .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"1.12 bytes behind the IP packet are not its", .prior = LIVE, .packet = "ack", .tweak = padded, .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"1.13 a first fragment passes", .prior = LIVE, .packet = "data", .tweak = fragment_first, .fate = FATE_PASSES,
     .counter = "passed_fragment", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"1.14 a later fragment passes", .prior = LIVE, .packet = "data", .tweak = fragment_later, .fate = FATE_PASSES,
     .counter = "passed_fragment", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"1.15 a reply's fragment passes", .prior = LIVE, .packet = "sdata", .tweak = fragment_first, .fate = FATE_PASSES,
     .counter = "passed_fragment", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"1.16 another protocol passes", .packet = "data", .tweak = gre, .fate = FATE_PASSES, .counter = "passed_unparsed"},
    {"1.17 port 0 is nobody's", .packet = "syn", .tweak = port_zero, .fate = FATE_PASSES, .counter = "passed_unparsed"},

    /* 2: from a backend */
    {"2.01 a reply", .prior = LIVE, .packet = "sdata", .fate = FATE_TO_CLIENT, .counter = "replies", .pin = RAINBOW_PIN_LIVE,
     .after = {ONE_LIVE}},
    {"2.02 the backend's answer to a SYN", .prior = "syn", .packet = "synack", .fate = FATE_TO_CLIENT, .counter = "handshakes"},
    {"2.03 ... repeated", .prior = "syn synack", .packet = "synack", .fate = FATE_TO_CLIENT, .counter = "handshakes"},
    {"2.04 ... to another SYN is not ours", .prior = "syn", .packet = "synack-wrong", .fate = FATE_PASSES,
     .counter = "passed_not_ours"},
    {"2.05 ... in a session: the pin's", .prior = LIVE, .packet = "synack", .fate = FATE_TO_CLIENT, .counter = "replies",
     .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"2.06 the backend's own traffic passes", .packet = "sdata", .fate = FATE_PASSES, .counter = "passed_not_ours"},
    {"2.07 another backend to the same client passes", .prior = LIVE, .packet = "sdata", .tweak = other_backend,
     .fate = FATE_PASSES, .counter = "passed_not_ours", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"2.08 ... in the handshake, too", .prior = "syn", .packet = "synack", .tweak = other_backend, .fate = FATE_PASSES,
     .counter = "passed_not_ours"},
    {"2.09 the backend refuses", .prior = "syn", .packet = "srefuse", .fate = FATE_TO_CLIENT, .counter = "handshakes"},
    {"2.10 ... what was never asked", .prior = "syn", .packet = "srefuse-wrong", .fate = FATE_PASSES,
     .counter = "passed_not_ours"},
    {"2.11 it speaks before the client's ACK", .prior = "syn synack", .packet = "searly", .fate = FATE_TO_CLIENT,
     .counter = "handshakes"},
    {"2.12 a late reply of an ended session", .prior = CLOSING, .packet = "sack-after", .fate = FATE_TO_CLIENT,
     .counter = "replies", .pin = RAINBOW_PIN_CLOSING, .after = {ONE_FIN}},
    {"2.13 new weights change nothing", .prior = LIVE " turn", .packet = "sdata", .fate = FATE_TO_CLIENT, .counter = "replies",
     .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"2.14 TTL 1 comes in: the stack says so", .paths = ON_REPLIES_IN, .prior = LIVE, .packet = "sdata", .tweak = last_hop,
     .fate = FATE_PASSES, .counter = "passed_by_stack", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"2.15 longer than the route's MTU: the stack says so", .paths = ON_REPLIES_IN, .prior = LIVE, .packet = "sdata",
     .tweak = too_long, .fate = FATE_PASSES, .counter = "passed_by_stack", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},

    /* 3: to a service? */
    {"3.01 another port passes", .packet = "syn", .tweak = other_port, .fate = FATE_PASSES, .counter = "passed_not_ours"},
    {"3.02 another address passes", .packet = "syn", .tweak = other_address, .fate = FATE_PASSES, .counter = "passed_not_ours"},
    {"3.03 another protocol's port passes", .packet = "syn", .tweak = as_udp, .fate = FATE_PASSES,
     .counter = "passed_not_ours"},

    /* 4: a pin */
    {"4.01 follow the pin", .prior = LIVE, .packet = "data", .fate = FATE_TO_BACKEND, .counter = "requests",
     .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"4.02 whatever the weights are now", .prior = LIVE " turn", .packet = "data", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"4.03 or none", .prior = LIVE " empty", .packet = "data", .fate = FATE_TO_BACKEND, .counter = "requests",
     .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"4.04 draining", .prior = LIVE " turn drain", .packet = "data", .fate = FATE_TO_BACKEND, .counter = "requests",
     .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"4.05 a backend that is sick or leaves", .prior = LIVE " sick leave", .packet = "data", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"4.06 TTL 1: rewritten, the stack says so", .prior = LIVE, .packet = "data", .tweak = last_hop,
     .fate = FATE_BY_STACK_TO_BACKEND, .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"4.07 longer than the route's MTU: the stack says so", .prior = LIVE, .packet = "data", .tweak = too_long,
     .fate = FATE_BY_STACK_TO_BACKEND, .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"4.08 a SYN on a live pin goes to its backend", .prior = LIVE " turn", .packet = "syn-other", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"4.09 a segment without a flag", .prior = LIVE, .packet = "none", .fate = FATE_TO_BACKEND, .counter = "requests",
     .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},

    /* 4: the life of a session */
    {"4.20 FIN of the client: half closed is live", .prior = LIVE, .packet = "fin", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_HALF_CLIENT, .after = {ONE_LIVE}},
    {"4.21 ... repeated", .prior = LIVE " fin", .packet = "fin", .fate = FATE_TO_BACKEND, .counter = "requests",
     .pin = RAINBOW_PIN_HALF_CLIENT, .after = {ONE_LIVE}},
    {"4.22 FIN of the backend", .prior = LIVE, .packet = "sfin", .fate = FATE_TO_CLIENT, .counter = "replies",
     .pin = RAINBOW_PIN_HALF_SERVER, .after = {ONE_LIVE}},
    {"4.23 ... repeated", .prior = LIVE " sfin", .packet = "sfin", .fate = FATE_TO_CLIENT, .counter = "replies",
     .pin = RAINBOW_PIN_HALF_SERVER, .after = {ONE_LIVE}},
    {"4.24 half closed, the backend streams on", .prior = LIVE " fin", .packet = "sdata-after", .fate = FATE_TO_CLIENT,
     .counter = "replies", .pin = RAINBOW_PIN_HALF_CLIENT, .after = {ONE_LIVE}},
    {"4.25 FIN both ways ends it", .prior = LIVE " fin", .packet = "sfin-after", .fate = FATE_TO_CLIENT, .counter = "replies",
     .pin = RAINBOW_PIN_CLOSING, .after = {ONE_FIN}},
    {"4.26 ... in the other order", .prior = LIVE " sfin", .packet = "fin-after", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_CLOSING, .after = {ONE_FIN}},
    {"4.27 ... crossing", .prior = LIVE " sfin", .packet = "fin", .fate = FATE_TO_BACKEND, .counter = "requests",
     .pin = RAINBOW_PIN_CLOSING, .after = {ONE_FIN}},
    {"4.28 ... is counted once", .prior = CLOSING " sfin-after fin", .packet = "sfin-after", .fate = FATE_TO_CLIENT,
     .counter = "replies", .pin = RAINBOW_PIN_CLOSING, .after = {ONE_FIN}},
    {"4.29 the last ACK follows the ended pin", .prior = CLOSING, .packet = "ack-after", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_CLOSING, .after = {ONE_FIN}},
    {"4.30 a RST behind the end counts nothing", .prior = CLOSING, .packet = "rst-after", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_CLOSING, .after = {ONE_FIN}},
    {"4.31 a FIN out of window ends nothing", .prior = LIVE " sfin", .packet = "fin-far", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_HALF_SERVER, .after = {ONE_LIVE}},
    {"4.32 nor one that acknowledges what was not sent", .prior = LIVE " sfin", .packet = "fin-unsent", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_HALF_SERVER, .after = {ONE_LIVE}},
    {"4.33 nor one without ACK", .prior = LIVE " sfin", .packet = "fin-bare", .fate = FATE_TO_BACKEND, .counter = "requests",
     .pin = RAINBOW_PIN_HALF_SERVER, .after = {ONE_LIVE}},
    {"4.34 nor the backend's out of window", .prior = LIVE " fin", .packet = "sfin-far", .fate = FATE_TO_CLIENT,
     .counter = "replies", .pin = RAINBOW_PIN_HALF_CLIENT, .after = {ONE_LIVE}},
    {"4.35 every flag but RST and SYN is a FIN", .prior = LIVE, .packet = "xmas", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_HALF_CLIENT, .after = {ONE_LIVE}},
    {"4.40 RST of the client", .prior = LIVE, .packet = "rst", .fate = FATE_TO_BACKEND, .counter = "requests",
     .pin = RAINBOW_PIN_CLOSING, .after = {.closing = 1, .opened = 1, .reset_client = 1}},
    {"4.41 ... with ACK", .prior = LIVE, .packet = "rst+ack", .fate = FATE_TO_BACKEND, .counter = "requests",
     .pin = RAINBOW_PIN_CLOSING, .after = {.closing = 1, .opened = 1, .reset_client = 1}},
    {"4.42 ... behind data in flight", .prior = LIVE " data", .packet = "rst-after-data", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_CLOSING, .after = {.closing = 1, .opened = 1, .reset_client = 1}},
    {"4.43 ... half closed", .prior = LIVE " fin", .packet = "rst-after", .fate = FATE_TO_BACKEND, .counter = "requests",
     .pin = RAINBOW_PIN_CLOSING, .after = {.closing = 1, .opened = 1, .reset_client = 1}},
    {"4.44 ... twice counts once", .prior = LIVE " rst", .packet = "rst", .fate = FATE_TO_BACKEND, .counter = "requests",
     .pin = RAINBOW_PIN_CLOSING, .after = {.closing = 1, .opened = 1, .reset_client = 1}},
    {"4.45 ... beyond the window ends nothing", .prior = LIVE, .packet = "rst-far", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"4.46 ... ahead of it neither", .prior = LIVE, .packet = "rst-low", .fate = FATE_TO_BACKEND, .counter = "requests",
     .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"4.47 RST of the backend", .prior = LIVE, .packet = "srst", .fate = FATE_TO_CLIENT, .counter = "replies",
     .pin = RAINBOW_PIN_CLOSING, .after = {.closing = 1, .opened = 1, .reset_server = 1}},
    {"4.48 ... half closed", .prior = LIVE " fin", .packet = "srst", .fate = FATE_TO_CLIENT, .counter = "replies",
     .pin = RAINBOW_PIN_CLOSING, .after = {.closing = 1, .opened = 1, .reset_server = 1}},
    {"4.49 ... beyond the window ends nothing", .prior = LIVE, .packet = "srst-far", .fate = FATE_TO_CLIENT,
     .counter = "replies", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"4.50 both RST: the first counts", .prior = LIVE " srst", .packet = "rst", .fate = FATE_TO_BACKEND, .counter = "requests",
     .pin = RAINBOW_PIN_CLOSING, .after = {.closing = 1, .opened = 1, .reset_server = 1}},
    {"4.51 RST between what is acknowledged and what is sent", .prior = LIVE " data", .packet = "rst-before-it",
     .fate = FATE_TO_BACKEND, .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"4.52 ... at what is acknowledged: to a challenge", .prior = LIVE " data", .packet = "rst", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_CLOSING, .after = {.closing = 1, .opened = 1, .reset_client = 1}},
    {"4.53 ... one before it", .prior = LIVE " data sack-data", .packet = "rst-before-it", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"4.54 ... of the backend", .prior = LIVE " sdata", .packet = "srst-before-it", .fate = FATE_TO_CLIENT,
     .counter = "replies", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"4.55 ... at the number of its own FIN", .prior = LIVE " fin sdata-after", .packet = "rst", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_CLOSING, .after = {.closing = 1, .opened = 1, .reset_client = 1}},
    {"4.56 a FIN that is acknowledged already ends nothing", .prior = LIVE, .packet = "fin-old", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},

    /* 4: told to die */
    {"4.60 killed: the client gets an RST", .prior = LIVE " kill", .packet = "data", .fate = FATE_RESETS,
     .counter = "closing_answered", .pin = RAINBOW_PIN_KILLED, .after = {ONE_FORCED}},
    {"4.61 ... the backend, too", .prior = LIVE " kill", .packet = "sdata", .fate = FATE_RESETS, .counter = "closing_answered",
     .pin = RAINBOW_PIN_KILLED, .after = {ONE_FORCED}},
    {"4.62 ... again and again", .prior = LIVE " kill data sdata", .packet = "data", .fate = FATE_RESETS,
     .counter = "closing_answered", .pin = RAINBOW_PIN_KILLED, .after = {ONE_FORCED}},
    {"4.63 ... a bare ACK, an answer to a probe", .prior = LIVE " kill", .packet = "ack", .fate = FATE_RESETS,
     .counter = "closing_answered", .pin = RAINBOW_PIN_KILLED, .after = {ONE_FORCED}},
    {"4.64 ... half closed", .prior = LIVE " fin kill", .packet = "sdata-after", .fate = FATE_RESETS,
     .counter = "closing_answered", .pin = RAINBOW_PIN_KILLED, .after = {ONE_FORCED}},
    {"4.65 ... a FIN", .prior = LIVE " kill", .packet = "fin", .fate = FATE_RESETS, .counter = "closing_answered",
     .pin = RAINBOW_PIN_KILLED, .after = {ONE_FORCED}},
    {"4.66 ... never an RST for an RST", .prior = LIVE " kill", .packet = "rst", .fate = FATE_DROPPED,
     .counter = "closing_answered", .pin = RAINBOW_PIN_KILLED, .after = {ONE_FORCED}},
    {"4.67 ... of either side", .prior = LIVE " kill", .packet = "srst", .fate = FATE_DROPPED, .counter = "closing_answered",
     .pin = RAINBOW_PIN_KILLED, .after = {ONE_FORCED}},
    {"4.68 ... a SYN starts over", .prior = LIVE " kill turn", .packet = "syn-other", .fate = FATE_TO_BACKEND,
     .counter = "handshakes", .version = 2, .starts_over = true, .pin = RAINBOW_PIN_KILLED, .after = {ONE_FORCED}},
    {"4.69 ... with VLAN tag and options", .family = FAMILY_V4, .prior = LIVE " kill", .packet = "data", .tweak = tag,
     .fate = FATE_RESETS, .counter = "closing_answered", .pin = RAINBOW_PIN_KILLED, .after = {ONE_FORCED}},
    {"4.70 ended by itself can not be killed", .prior = CLOSING " kill", .packet = "ack-after", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_CLOSING, .after = {ONE_FIN}},
    {"4.71 the deadline has come: the client gets an RST", .prior = LIVE " drain deadline", .packet = "data",
     .fate = FATE_RESETS, .counter = "closing_answered", .pin = RAINBOW_PIN_KILLED, .after = {ONE_FORCED}},
    {"4.72 ... the backend, too", .prior = LIVE " drain deadline", .packet = "sdata", .fate = FATE_RESETS,
     .counter = "closing_answered", .pin = RAINBOW_PIN_KILLED, .after = {ONE_FORCED}},
    {"4.73 ... half closed", .prior = LIVE " fin drain deadline", .packet = "sdata-after", .fate = FATE_RESETS,
     .counter = "closing_answered", .pin = RAINBOW_PIN_KILLED, .after = {ONE_FORCED}},
    {"4.74 ... counted once", .prior = LIVE " drain deadline data sdata", .packet = "data", .fate = FATE_RESETS,
     .counter = "closing_answered", .pin = RAINBOW_PIN_KILLED, .after = {ONE_FORCED}},
    {"4.75 ... a SYN on the live pin gets an RST", .prior = LIVE " drain deadline", .packet = "syn-other", .fate = FATE_RESETS,
     .counter = "closing_answered", .pin = RAINBOW_PIN_KILLED, .after = {ONE_FORCED}},
    {"4.76 ... never an RST for an RST", .prior = LIVE " drain deadline", .packet = "rst", .fate = FATE_DROPPED,
     .counter = "closing_answered", .pin = RAINBOW_PIN_KILLED, .after = {ONE_FORCED}},
    {"4.80 a SYN on an ended pin starts over", .prior = CLOSING " turn", .packet = "syn-other", .fate = FATE_TO_BACKEND,
     .counter = "handshakes", .version = 2, .starts_over = true, .pin = RAINBOW_PIN_CLOSING, .after = {ONE_FIN}},
    {"4.81 ... and the new session takes its place", .prior = CLOSING " syn-other synack-other", .packet = "ack-other",
     .fate = FATE_TO_BACKEND, .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {.live = 1, .opened = 2, .fin = 1}},
    {"4.82 ... that of a killed one, too", .prior = LIVE " kill syn-other synack-other", .packet = "ack-other",
     .fate = FATE_TO_BACKEND, .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {.live = 1, .opened = 2, .forced = 1}},
    {"4.83 ... in another version", .prior = CLOSING " turn syn-other synack-other", .packet = "ack-other",
     .fate = FATE_TO_BACKEND, .counter = "requests", .version = 2, .pin = RAINBOW_PIN_LIVE, .after = {.opened = 1, .fin = 1}},

    /* 4: while pins are carried over */
    {"4.90 held: a live pin is followed", .prior = LIVE " hold", .packet = "data", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"4.91 ... both ways", .prior = LIVE " hold", .packet = "sdata", .fate = FATE_TO_CLIENT, .counter = "replies",
     .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"4.92 ... what may be of a pin to come waits", .prior = "hold", .packet = "data", .fate = FATE_DROPPED, .counter = "held"},
    {"4.93 ... a reply, too", .prior = "hold", .packet = "sdata", .fate = FATE_DROPPED, .counter = "held"},
    {"4.94 ... a SYN", .prior = "hold", .packet = "syn", .fate = FATE_DROPPED, .counter = "held"},
    {"4.95 ... its answer", .prior = "syn hold", .packet = "synack", .fate = FATE_DROPPED, .counter = "held"},
    {"4.96 ... the ACK that would open a session", .prior = "syn synack hold", .packet = "ack", .fate = FATE_DROPPED,
     .counter = "held"},
    {"4.97 ... on an ended pin", .prior = CLOSING " hold", .packet = "syn-other", .fate = FATE_DROPPED, .counter = "held",
     .pin = RAINBOW_PIN_CLOSING, .after = {ONE_FIN}},
    {"4.98 ... a datagram", .protocol = IPPROTO_UDP, .prior = "ask answer hold", .packet = "ask", .fate = FATE_DROPPED,
     .counter = "held"},

    /* 5: the nursery */
    {"5.01 a repeated SYN gets the same answer", .prior = "syn turn", .packet = "syn", .fate = FATE_TO_BACKEND,
     .counter = "handshakes"},
    {"5.02 another number is the backend's to judge", .prior = "syn turn", .packet = "syn-other", .fate = FATE_TO_BACKEND,
     .counter = "handshakes"},
    {"5.03 so is one after a minute", .prior = "syn turn minutes", .packet = "syn", .fate = FATE_TO_BACKEND,
     .counter = "handshakes", .version = 2, .starts_over = true},
    {"5.04 so is one whose version has drained", .prior = "syn turn drained", .packet = "syn", .fate = FATE_TO_BACKEND,
     .counter = "handshakes", .version = 2, .starts_over = true},
    {"5.05 the right ACK is promoted", .prior = "syn synack", .packet = "ack", .fate = FATE_TO_BACKEND, .counter = "requests",
     .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"5.06 ... without window scale", .prior = "syn-plain synack-plain", .packet = "ack", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"5.07 ... with data", .prior = "syn synack", .packet = "ack+data", .fate = FATE_TO_BACKEND, .counter = "requests",
     .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"5.08 ... with FIN", .prior = "syn synack", .packet = "ack+fin", .fate = FATE_TO_BACKEND, .counter = "requests",
     .pin = RAINBOW_PIN_HALF_CLIENT, .after = {ONE_LIVE}},
    {"5.09 ... of early data", .prior = "syn synack searly", .packet = "ack-early", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"5.10 ... once", .prior = "syn synack ack ack", .packet = "ack", .fate = FATE_TO_BACKEND, .counter = "requests",
     .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"5.11 ... whatever the weights are now", .prior = "syn synack turn", .packet = "ack", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"5.12 ... into a draining version", .prior = "syn synack turn drain", .packet = "ack", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"5.13 not before the backend answered", .prior = "syn", .packet = "ack", .fate = FATE_RESETS, .counter = "strays_reset"},
    {"5.14 nor what it did not say: too low", .prior = "syn synack", .packet = "ack-low", .fate = FATE_RESETS,
     .counter = "strays_reset"},
    {"5.15 ... too high", .prior = "syn synack", .packet = "ack-high", .fate = FATE_RESETS, .counter = "strays_reset"},
    {"5.16 ... from elsewhere", .prior = "syn synack", .packet = "ack-far", .fate = FATE_RESETS, .counter = "strays_reset"},
    {"5.17 a wrong guess spoils nothing", .prior = "syn synack ack-high ack-far", .packet = "ack", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"5.18 a forged SYN-ACK of another backend proves nothing", .prior = "syn synack-wrong", .packet = "ack",
     .fate = FATE_RESETS, .counter = "strays_reset"},
    {"5.19 a handshake older than a minute proves nothing", .prior = "syn synack minutes", .packet = "ack", .fate = FATE_RESETS,
     .counter = "strays_reset"},
    {"5.20 drained meanwhile: refused", .prior = "syn synack drained", .packet = "ack", .fate = FATE_RESETS,
     .counter = "refused_no_version", .after = {.refused = 1}},
    {"5.21 ... and so is the backend", .prior = "syn synack drained ack", .packet = "sdata", .fate = FATE_RESETS,
     .counter = "closing_answered", .after = {.refused = 1}},
    {"5.22 ... and what the client still says", .prior = "syn synack drained ack", .packet = "data", .fate = FATE_RESETS,
     .counter = "closing_answered", .after = {.refused = 1}},
    {"5.23 ... never an RST for an RST", .prior = "syn synack drained ack", .packet = "rst", .fate = FATE_DROPPED,
     .counter = "closing_answered", .after = {.refused = 1}},
    {"5.24 ... of either side", .prior = "syn synack drained ack", .packet = "srst", .fate = FATE_DROPPED,
     .counter = "closing_answered", .after = {.refused = 1}},
    {"5.25 the backends filled meanwhile: refused", .prior = "syn synack full", .packet = "ack", .fate = FATE_RESETS,
     .counter = "refused_backends_full", .after = {.refused = 1}},
    {"5.26 the table filled meanwhile: refused", .prior = "syn synack table-full", .packet = "ack", .fate = FATE_RESETS,
     .counter = "refused_table_full", .after = {.refused = 1}},
    {"5.27 ... and so is the backend", .prior = "syn synack table-full ack", .packet = "sdata", .fate = FATE_RESETS,
     .counter = "closing_answered", .after = {.refused = 1}},
    {"5.30 the client gives up", .prior = "syn synack", .packet = "rst", .fate = FATE_TO_BACKEND, .counter = "handshakes"},
    {"5.32 ... nor in window", .prior = "syn synack rst-before-it", .packet = "ack", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"5.33 ... nor by a SYN", .prior = "syn synack turn syn-other", .packet = "ack", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"5.34 ... nor by one before the answer", .prior = "syn syn-other synack", .packet = "ack", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"5.35 the backend answers the other attempt", .prior = "syn syn-other synack-other", .packet = "ack-other",
     .fate = FATE_TO_BACKEND, .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"5.31 ... a stranger can not do that for it", .prior = "syn synack rst-far", .packet = "ack", .fate = FATE_TO_BACKEND,
     .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},

    /* 6: strays */
    {"6.01 a stray is reset", .packet = "data", .fate = FATE_RESETS, .counter = "strays_reset"},
    {"6.02 ... a bare ACK", .packet = "ack", .fate = FATE_RESETS, .counter = "strays_reset"},
    {"6.03 ... without ACK: it is acknowledged", .packet = "fin-bare", .fate = FATE_RESETS, .counter = "strays_reset"},
    {"6.04 ... without a flag", .packet = "none", .fate = FATE_RESETS, .counter = "strays_reset"},
    {"6.05 ... a SYN-ACK", .packet = "csynack", .fate = FATE_RESETS, .counter = "strays_reset"},
    {"6.06 ... SYN and FIN", .packet = "syn+fin", .fate = FATE_RESETS, .counter = "strays_reset"},
    {"6.07 ... with TCP options", .packet = "data", .tweak = tcp_options, .fate = FATE_RESETS, .counter = "strays_reset"},
    {"6.08 ... with IPv4 options", .family = FAMILY_V4, .packet = "data", .tweak = ip_options, .fate = FATE_RESETS,
     .counter = "strays_reset"},
    {"6.09 ... with IPv6 extension headers", .family = FAMILY_V6, .packet = "data", .tweak = extensions, .fate = FATE_RESETS,
     .counter = "strays_reset"},
    {"6.10 ... tagged", .packet = "data", .tweak = tag, .fate = FATE_RESETS, .counter = "strays_reset"},
    {"6.11 ... tagged twice", .packet = "data", .tweak = tags, .fate = FATE_RESETS, .counter = "strays_reset"},
    {"6.12 ... in a padded frame", .packet = "ack", .tweak = padded, .fate = FATE_RESETS, .counter = "strays_reset"},
    {"6.13 never an RST for an RST", .packet = "rst", .fate = FATE_DROPPED, .counter = "strays_dropped"},
    {"6.14 ... with ACK", .packet = "rst+ack", .fate = FATE_DROPPED, .counter = "strays_dropped"},
    {"6.15 ... with SYN", .packet = "syn+rst", .fate = FATE_DROPPED, .counter = "strays_dropped"},
    {"6.16 policy drop", .prior = "drop-strays", .packet = "data", .fate = FATE_DROPPED, .counter = "strays_dropped"},
    {"6.17 policy drop: an RST", .prior = "drop-strays", .packet = "rst", .fate = FATE_DROPPED, .counter = "strays_dropped"},
    {"6.18 policy pass", .prior = "pass-strays", .packet = "data", .fate = FATE_PASSES, .counter = "strays_passed"},
    {"6.19 policy pass: an RST", .prior = "pass-strays", .packet = "rst", .fate = FATE_PASSES, .counter = "strays_passed"},
    {"6.20 policy drop: a SYN is no stray", .prior = "drop-strays", .packet = "syn", .fate = FATE_TO_BACKEND,
     .counter = "handshakes"},

    /* 7: new */
    {"7.01 the wheel gives the version", .packet = "syn", .fate = FATE_TO_BACKEND, .counter = "handshakes"},
    {"7.02 ... the wheel in force", .prior = "turn", .packet = "syn", .fate = FATE_TO_BACKEND, .counter = "handshakes",
     .version = 2},
    {"7.03 no version has a share: refused", .prior = "empty", .packet = "syn", .fate = FATE_RESETS,
     .counter = "refused_no_version"},
    {"7.04 a draining version takes none", .prior = "drain", .packet = "syn", .fate = FATE_RESETS,
     .counter = "refused_no_version"},
    {"7.05 a drained one neither", .prior = "drained", .packet = "syn", .fate = FATE_RESETS, .counter = "refused_no_version"},
    {"7.06 no backend is healthy: refused", .prior = "sick", .packet = "syn", .fate = FATE_RESETS,
     .counter = "refused_backends_full", .after = {.refused = 1}},
    {"7.07 all leave: refused", .prior = "leave", .packet = "syn", .fate = FATE_RESETS, .counter = "refused_backends_full",
     .after = {.refused = 1}},
    {"7.08 all are full: refused", .prior = "full", .packet = "syn", .fate = FATE_RESETS, .counter = "refused_backends_full",
     .after = {.refused = 1}},
    {"7.09 ... tagged", .prior = "full", .packet = "syn", .tweak = tag, .fate = FATE_RESETS, .counter = "refused_backends_full",
     .after = {.refused = 1}},

    /* UDP */
    {"8.01 UDP: a first datagram", .protocol = IPPROTO_UDP, .packet = "ask", .fate = FATE_TO_BACKEND, .counter = "handshakes"},
    {"8.02 UDP: its answer", .protocol = IPPROTO_UDP, .prior = "ask", .packet = "answer", .fate = FATE_TO_CLIENT,
     .counter = "handshakes"},
    {"8.03 UDP: the next one makes the session", .protocol = IPPROTO_UDP, .prior = "ask answer", .packet = "ask",
     .fate = FATE_TO_BACKEND, .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"8.04 UDP: its replies", .protocol = IPPROTO_UDP, .prior = UDP_LIVE, .packet = "answer", .fate = FATE_TO_CLIENT,
     .counter = "replies", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"8.05 UDP: new weights change nothing", .protocol = IPPROTO_UDP, .prior = UDP_LIVE " turn", .packet = "ask",
     .fate = FATE_TO_BACKEND, .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"8.06 UDP: a one-way stream stays together", .protocol = IPPROTO_UDP, .prior = "ask turn ask", .packet = "ask",
     .fate = FATE_TO_BACKEND, .counter = "handshakes"},
    {"8.07 UDP: an unasked answer passes", .protocol = IPPROTO_UDP, .packet = "answer", .fate = FATE_PASSES,
     .counter = "passed_not_ours"},
    {"8.08 UDP: killed, silence", .protocol = IPPROTO_UDP, .prior = UDP_LIVE " kill", .packet = "ask", .fate = FATE_DROPPED,
     .counter = "closing_answered", .pin = RAINBOW_PIN_KILLED, .after = {ONE_FORCED}},
    {"8.09 UDP: ... both ways", .protocol = IPPROTO_UDP, .prior = UDP_LIVE " kill", .packet = "answer", .fate = FATE_DROPPED,
     .counter = "closing_answered", .pin = RAINBOW_PIN_KILLED, .after = {ONE_FORCED}},
    {"8.10 UDP: the deadline has come", .protocol = IPPROTO_UDP, .prior = UDP_LIVE " deadline", .packet = "answer",
     .fate = FATE_DROPPED, .counter = "closing_answered", .pin = RAINBOW_PIN_KILLED, .after = {ONE_FORCED}},
    {"8.11 UDP: no version, refused in silence", .protocol = IPPROTO_UDP, .prior = "empty", .packet = "ask",
     .fate = FATE_DROPPED, .counter = "refused_no_version"},
    {"8.12 UDP: table full, refused in silence", .protocol = IPPROTO_UDP, .prior = "ask answer table-full", .packet = "ask",
     .fate = FATE_DROPPED, .counter = "refused_table_full", .after = {.refused = 1}},
    {"8.13 UDP: checksum 0 stays 0", .protocol = IPPROTO_UDP, .family = FAMILY_V4, .prior = UDP_LIVE, .packet = "ask",
     .tweak = no_checksum, .fate = FATE_TO_BACKEND, .counter = "requests", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"8.14 UDP: ... in replies", .protocol = IPPROTO_UDP, .family = FAMILY_V4, .prior = UDP_LIVE, .packet = "answer",
     .tweak = no_checksum, .fate = FATE_TO_CLIENT, .counter = "replies", .pin = RAINBOW_PIN_LIVE, .after = {ONE_LIVE}},
    {"8.15 UDP: a tagged datagram", .protocol = IPPROTO_UDP, .packet = "ask", .tweak = tag, .fate = FATE_BY_STACK_TO_BACKEND,
     .counter = "handshakes"},
};

const size_t truth_rows_count = sizeof(truth_rows) / sizeof(*truth_rows);
