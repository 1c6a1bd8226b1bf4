/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a TCP segment means for the session it belongs to. Pure: bpf/ runs it, tests/unit tables it.
 *
 * rainbow sees both directions (mode nat), so it knows what each end will accept. A RST counts as an end only where the
 * receiver would take it: RFC 9293, 3.10.7.4 and RFC 5961, 3.2 ask for the exact next sequence number; a router knows that
 * number up to what is in flight, which is the stretch from the receiver's last acknowledgment to the sender's last byte. A
 * FIN, or data that moves the window, must lie in the receiver's window and acknowledge nothing never sent (RFC 5961, 5.2).
 */
#ifndef RAINBOW_TCP_H
#define RAINBOW_TCP_H

#include <rainbow/maps.h>

#define RAINBOW_TCP_FIN 0x01
#define RAINBOW_TCP_SYN 0x02
#define RAINBOW_TCP_RST 0x04
#define RAINBOW_TCP_ACK 0x10

struct rainbow_segment {
	__u32 seq;
	__u32 ack;
	__u32 length; /* payload bytes; flags not counted */
	__u16 window; /* as in the header: not scaled */
	__u8 flags;   /* RAINBOW_TCP_* */
};

enum rainbow_tcp_event {
	RAINBOW_TCP_NOTHING = 0, /* also: a segment that its receiver will not accept */
	RAINBOW_TCP_FINISHED,    /* the sender closed its half */
	RAINBOW_TCP_RESET,       /* the sender reset the session */
};

/* Sequence numbers wrap (RFC 9293, 3.4): a is before b if the way from a to b is shorter than the way back. */
static inline int rainbow_seq_before(__u32 a, __u32 b)
{
	return (__s32)(a - b) < 0;
}

/* Does seq lie in [from, to]? */
static inline int rainbow_seq_within(__u32 seq, __u32 from, __u32 to)
{
	return !rainbow_seq_before(seq, from) && !rainbow_seq_before(to, seq);
}

/* The sequence number up to which a side lets its peer send. */
static inline __u32 rainbow_edge(const struct rainbow_side *side, __u16 window, __u8 scale)
{
	return side->ack + ((__u32)window << scale);
}

/*
 * The window, in units of the scale and rounded up, that reaches from ack to edge. Rounded up, since a receiver rounds the window
 * that it announces down: its edge seems to go back by less than a unit where it has not moved (RFC 7323, 2.4).
 */
static inline __u16 rainbow_window(__u32 ack, __u32 edge, __u8 scale)
{
	__u32 units = (edge - ack + (1u << scale) - 1) >> scale;

	return units > 65535 ? 65535 : (__u16)units;
}

/*
 * Notes what a segment tells of its sender: how far it has sent, what it acknowledges, how far its peer may send. None of these
 * goes back. Writes a field only where it changed, so that a packet that turns nothing dirties no cache line.
 */
static inline void rainbow_tcp_note(struct rainbow_side *sender, __u16 *window, __u8 scale,
				    const struct rainbow_segment *segment, __u32 end)
{
	__u32 ack = sender->ack, edge;

	if (rainbow_seq_before(sender->next, end))
		sender->next = end;
	if (segment->ack == ack && segment->window == *window)
		return;
	edge = rainbow_edge(sender, *window, scale);
	if (rainbow_seq_before(ack, segment->ack))
		sender->ack = ack = segment->ack;
	if (rainbow_seq_before(edge, segment->ack + ((__u32)segment->window << scale)))
		edge = segment->ack + ((__u32)segment->window << scale);
	*window = rainbow_window(ack, edge, scale);
}

/*
 * Judges a segment from `sender` to `receiver`, whose windows are `window` and `receiver_window`, and notes what it tells of the
 * sender.
 */
static inline __attribute__((always_inline)) enum rainbow_tcp_event
rainbow_tcp_step(struct rainbow_side *sender, __u16 *window, __u8 scale, const struct rainbow_side *receiver,
		 __u32 receiver_edge, const struct rainbow_segment *segment)
{
	__u32 end = segment->seq + segment->length + !!(segment->flags & RAINBOW_TCP_FIN);
	__u32 reach;

	if (segment->flags & RAINBOW_TCP_RST)
		return rainbow_seq_within(segment->seq, receiver->ack, sender->next) ? RAINBOW_TCP_RESET : RAINBOW_TCP_NOTHING;
	/* A SYN on a live session is the stacks' affair (RFC 5961, 4.2), and each later segment acknowledges. */
	if ((segment->flags & (RAINBOW_TCP_SYN | RAINBOW_TCP_ACK)) != RAINBOW_TCP_ACK)
		return RAINBOW_TCP_NOTHING;
	/* Keep-alives begin one before the window; a window probe carries one byte beyond it. */
	if (!rainbow_seq_within(segment->seq, receiver->ack - 1, receiver_edge) || rainbow_seq_before(receiver_edge + 1, end))
		return RAINBOW_TCP_NOTHING;
	reach = (__u32)*window << scale;
	if (!rainbow_seq_within(segment->ack, sender->ack - reach - 65535, receiver->next))
		return RAINBOW_TCP_NOTHING;
	rainbow_tcp_note(sender, window, scale, segment, end);
	return segment->flags & RAINBOW_TCP_FIN ? RAINBOW_TCP_FINISHED : RAINBOW_TCP_NOTHING;
}

static inline enum rainbow_tcp_event rainbow_tcp_step_client(struct rainbow_pin *pin, const struct rainbow_segment *segment)
{
	return rainbow_tcp_step(&pin->client, &pin->client_window, pin->client_scale, &pin->server,
				rainbow_edge(&pin->server, pin->server_window, pin->server_scale), segment);
}

static inline enum rainbow_tcp_event rainbow_tcp_step_server(struct rainbow_pin *pin, const struct rainbow_segment *segment)
{
	return rainbow_tcp_step(&pin->server, &pin->server_window, pin->server_scale, &pin->client,
				rainbow_edge(&pin->client, pin->client_window, pin->client_scale), segment);
}

#endif
