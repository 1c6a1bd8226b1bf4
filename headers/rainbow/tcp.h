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
	__u32 window; /* scaled */
	__u32 length; /* payload bytes; flags not counted */
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
 * Judges a segment from `sender`, which has `finished` or not, to `receiver` and notes what it tells of the sender. Writes a field only where it changed,
 * so that a packet that turns nothing dirties no cache line.
 */
static inline enum rainbow_tcp_event rainbow_tcp_step(struct rainbow_side *sender, struct rainbow_side *receiver,
						      const struct rainbow_segment *segment, int finished)
{
	__u32 end = segment->seq + segment->length + !!(segment->flags & RAINBOW_TCP_FIN);
	__u32 edge;

	if (segment->flags & RAINBOW_TCP_RST)
		return rainbow_takes_reset(receiver, receiver->edge, sender, segment->seq, finished) ? RAINBOW_TCP_RESET
												     : RAINBOW_TCP_NOTHING;
	/* A SYN on a live session is the stacks' affair (RFC 5961, 4.2), and each later segment acknowledges. */
	if ((segment->flags & (RAINBOW_TCP_SYN | RAINBOW_TCP_ACK)) != RAINBOW_TCP_ACK)
		return RAINBOW_TCP_NOTHING;
	/* Keep-alives begin one before the window; a window probe carries one byte beyond it. */
	if (!rainbow_seq_within(segment->seq, receiver->ack - 1, receiver->edge) || rainbow_seq_before(receiver->edge + 1, end))
		return RAINBOW_TCP_NOTHING;
	if (!rainbow_seq_within(segment->ack, sender->ack - (sender->edge - sender->ack) - 65535, receiver->next))
		return RAINBOW_TCP_NOTHING;

	/* Not by a number alone: what was lost before it got here is sent again. */
	if (end != segment->seq && rainbow_seq_before(sender->next, end))
		sender->next = end;
	if (rainbow_seq_before(sender->ack, segment->ack))
		sender->ack = segment->ack;
	edge = segment->ack + segment->window;
	if (rainbow_seq_before(sender->edge, edge))
		sender->edge = edge;
	if ((segment->flags & RAINBOW_TCP_FIN) && rainbow_takes_fin(receiver, receiver->edge, segment->seq, end))
		return RAINBOW_TCP_FINISHED;
	return RAINBOW_TCP_NOTHING;
}

#endif
