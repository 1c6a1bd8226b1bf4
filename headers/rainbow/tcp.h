/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a TCP segment means for the session it belongs to. Pure: bpf/ runs it, tests/unit tables it.
 *
 * rainbow sees both directions (mode nat), so it knows what each end will accept, and a segment counts only where its receiver
 * takes it: an RST by its exact number, a FIN or data that moves the window if it lies in the receiver's window and acknowledges
 * nothing never sent. docs/tcp-window.md has the rule for each kind of segment, its RFC, and what it leaves to an attacker.
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
 * The window, in units of the scale and rounded down, that reaches from ack to edge. Rounding matters only where a receiver
 * announces less than it did before, and for the window of a SYN-ACK, which is not scaled (RFC 7323, 2.2): what a receiver does
 * not take must not count as an end, so the edge is never beyond the true one, and behind it by less than a unit.
 */
static inline __u16 rainbow_window(__u32 ack, __u32 edge, __u8 scale)
{
	__u32 units = (edge - ack) >> scale;

	return units > 65535 ? 65535 : (__u16)units;
}

/*
 * Does the receiver, whose window ends at `edge`, take this RST? RFC 9293, 3.10.7.4 and RFC 5961, 3.2: only at exactly the number it
 * expects next; any other in its window it answers with a challenge, and lives on. A router does not see that number while
 * something is in flight. It sees both that it can be for a true RST: all that was sent has arrived, or the RST answers what was
 * acknowledged last (a challenge, say). What lies between is a guess, or an RST that will be sent again, exact. `finished`: the
 * sender has sent its FIN; some stacks then send the RST at the FIN's own number, and Linux takes it.
 */
static inline int rainbow_takes_reset(const struct rainbow_side *receiver, __u32 edge, const struct rainbow_side *sender,
				      __u32 seq, int finished)
{
	/* What was sent beyond the window, a probe's byte, has not arrived. */
	return seq == receiver->ack || (seq == sender->next && !rainbow_seq_before(edge, seq)) ||
	       (finished && seq == sender->next - 1);
}

/*
 * Does the receiver take this FIN, of a segment [seq, end) that is in window? Not if it has acknowledged all of it (it is old, or
 * a keep-alive's), and not at the far edge, where only a window of zero lets a bare FIN in.
 */
static inline int rainbow_takes_fin(const struct rainbow_side *receiver, __u32 edge, __u32 seq, __u32 end)
{
	return rainbow_seq_before(receiver->ack, end) && (rainbow_seq_before(seq, edge) || seq == receiver->ack);
}

/*
 * Notes what a segment tells of its sender: how far it has sent, what it acknowledges, how far its peer may send. None of these
 * goes back. Writes a field only where it changed, so that a packet that turns nothing dirties no cache line.
 */
static inline void rainbow_tcp_note(struct rainbow_side *sender, __u16 *window, __u8 scale,
				    const struct rainbow_segment *segment, __u32 end)
{
	__u32 ack = sender->ack, edge;

	/* Not by a number alone: what was lost before it got here is sent again. */
	if (end != segment->seq && rainbow_seq_before(sender->next, end))
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

static inline __u32 rainbow_segment_end(const struct rainbow_segment *segment)
{
	return segment->seq + segment->length + !!(segment->flags & RAINBOW_TCP_FIN);
}

/*
 * Is it what the receiver takes from this sender, by what is known of both? For segments that acknowledge. `reach` is the sender's
 * window in bytes, receiver_edge where that of the receiver ends, known to 2^receiver_scale bytes.
 */
static inline __attribute__((always_inline)) int rainbow_tcp_fits(const struct rainbow_side *sender, __u32 reach,
								  const struct rainbow_side *receiver, __u32 receiver_edge,
								  __u8 receiver_scale, const struct rainbow_segment *segment)
{
	/* Keep-alives begin one before the window; a window probe carries one byte beyond it, and its edge is known to a unit. */
	return rainbow_seq_within(segment->seq, receiver->ack - 1, receiver_edge) &&
	       !rainbow_seq_before(receiver_edge + (1u << receiver_scale), rainbow_segment_end(segment)) &&
	       rainbow_seq_within(segment->ack, sender->ack - reach - 65535, receiver->next);
}

/*
 * Judges a segment from `sender`, which has `finished` or not, to `receiver`, and notes what it tells of the sender. `window` is
 * the sender's, in units of 2^scale bytes; receiver_edge is where that of the receiver ends, known to 2^receiver_scale bytes.
 */
static inline __attribute__((always_inline)) enum rainbow_tcp_event
rainbow_tcp_step(struct rainbow_side *sender, __u16 *window, __u8 scale, int finished, const struct rainbow_side *receiver,
		 __u32 receiver_edge, __u8 receiver_scale, const struct rainbow_segment *segment)
{
	__u32 end = rainbow_segment_end(segment);

	if (segment->flags & RAINBOW_TCP_RST)
		return rainbow_takes_reset(receiver, receiver_edge, sender, segment->seq, finished) ? RAINBOW_TCP_RESET
												    : RAINBOW_TCP_NOTHING;
	/* A SYN on a live session is the stacks' affair (RFC 5961, 4.2), and each later segment acknowledges. */
	if ((segment->flags & (RAINBOW_TCP_SYN | RAINBOW_TCP_ACK)) != RAINBOW_TCP_ACK)
		return RAINBOW_TCP_NOTHING;
	if (!rainbow_tcp_fits(sender, (__u32)*window << scale, receiver, receiver_edge, receiver_scale, segment))
		return RAINBOW_TCP_NOTHING;
	rainbow_tcp_note(sender, window, scale, segment, end);
	if ((segment->flags & RAINBOW_TCP_FIN) && rainbow_takes_fin(receiver, receiver_edge, segment->seq, end))
		return RAINBOW_TCP_FINISHED;
	return RAINBOW_TCP_NOTHING;
}

static inline enum rainbow_tcp_event rainbow_tcp_step_client(struct rainbow_pin *pin, const struct rainbow_segment *segment)
{
	return rainbow_tcp_step(&pin->client, &pin->client_window, pin->client_scale, pin->state == RAINBOW_PIN_HALF_CLIENT,
				&pin->server, rainbow_edge(&pin->server, pin->server_window, pin->server_scale),
				pin->server_scale, segment);
}

static inline enum rainbow_tcp_event rainbow_tcp_step_server(struct rainbow_pin *pin, const struct rainbow_segment *segment)
{
	return rainbow_tcp_step(&pin->server, &pin->server_window, pin->server_scale, pin->state == RAINBOW_PIN_HALF_SERVER,
				&pin->client, rainbow_edge(&pin->client, pin->client_window, pin->client_scale),
				pin->client_scale, segment);
}

/* Payload that its sender had not sent before, as far as the numbers tell. Of little cost: for each packet. */
static inline int rainbow_tcp_is_new(const struct rainbow_side *sender, const struct rainbow_segment *segment)
{
	return segment->length && rainbow_seq_before(sender->next, segment->seq + segment->length);
}

/*
 * The same, and its receiver takes it: not a probe's byte, which begins where the window ends. To be asked before the step, which
 * notes it.
 */
static inline int rainbow_tcp_brings_new(const struct rainbow_pin *pin, const struct rainbow_segment *segment, int from_client)
{
	const struct rainbow_side *sender = from_client ? &pin->client : &pin->server;
	const struct rainbow_side *receiver = from_client ? &pin->server : &pin->client;
	__u16 window = from_client ? pin->client_window : pin->server_window;
	__u16 receiver_window = from_client ? pin->server_window : pin->client_window;
	__u8 scale = from_client ? pin->client_scale : pin->server_scale;
	__u8 receiver_scale = from_client ? pin->server_scale : pin->client_scale;
	__u32 edge = rainbow_edge(receiver, receiver_window, receiver_scale);

	if ((segment->flags & (RAINBOW_TCP_SYN | RAINBOW_TCP_ACK | RAINBOW_TCP_RST)) != RAINBOW_TCP_ACK)
		return 0;
	return rainbow_tcp_is_new(sender, segment) && rainbow_seq_before(segment->seq, edge) &&
	       rainbow_tcp_fits(sender, (__u32)window << scale, receiver, edge, receiver_scale, segment);
}

/*
 * For a session whose numbers are those of a snapshot. Its ends have moved on meanwhile, perhaps by more than a window: so a
 * segment says where its sender is now, whether it carries something or not. 1 once one fits what is known of both ends and
 * begins where the other has acknowledged: the numbers are good from then on. A stranger's guess in between is overwritten by
 * the sender's next segment. An RST or a SYN teaches nothing.
 */
static inline __attribute__((always_inline)) int rainbow_tcp_learn(struct rainbow_side *sender, __u16 *window, __u8 scale,
								   const struct rainbow_side *receiver, __u32 receiver_edge,
								   __u8 receiver_scale, const struct rainbow_segment *segment)
{
	int fits;

	if ((segment->flags & (RAINBOW_TCP_SYN | RAINBOW_TCP_ACK | RAINBOW_TCP_RST)) != RAINBOW_TCP_ACK)
		return 0;
	fits = rainbow_tcp_fits(sender, (__u32)*window << scale, receiver, receiver_edge, receiver_scale, segment);
	sender->next = rainbow_segment_end(segment);
	sender->ack = segment->ack;
	*window = segment->window;
	return fits && segment->seq == receiver->ack;
}

/*
 * While the numbers are those of a snapshot, an RST is believed only at exactly the number that its receiver acknowledged: with it a
 * stack answers the question whether it still has the session. `next` may be what a stranger taught us for his sender.
 */
static inline int rainbow_tcp_is_guess(const struct rainbow_side *receiver, const struct rainbow_segment *segment)
{
	return (segment->flags & RAINBOW_TCP_RST) && segment->seq != receiver->ack;
}

static inline int rainbow_tcp_learn_client(struct rainbow_pin *pin, const struct rainbow_segment *segment)
{
	return rainbow_tcp_learn(&pin->client, &pin->client_window, pin->client_scale, &pin->server,
				 rainbow_edge(&pin->server, pin->server_window, pin->server_scale), pin->server_scale, segment);
}

static inline int rainbow_tcp_learn_server(struct rainbow_pin *pin, const struct rainbow_segment *segment)
{
	return rainbow_tcp_learn(&pin->server, &pin->server_window, pin->server_scale, &pin->client,
				 rainbow_edge(&pin->client, pin->client_window, pin->client_scale), pin->client_scale, segment);
}

#endif
