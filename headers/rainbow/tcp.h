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

/* Is it what the receiver takes from this sender, by what is known of both? For segments that acknowledge. */
static inline int rainbow_tcp_fits(const struct rainbow_side *sender, const struct rainbow_side *receiver,
				   const struct rainbow_segment *segment)
{
	__u32 end = segment->seq + segment->length + !!(segment->flags & RAINBOW_TCP_FIN);

	/* Keep-alives begin one before the window; a window probe carries one byte beyond it. */
	return rainbow_seq_within(segment->seq, receiver->ack - 1, receiver->edge) &&
	       !rainbow_seq_before(receiver->edge + 1, end) &&
	       rainbow_seq_within(segment->ack, sender->ack - (sender->edge - sender->ack) - 65535, receiver->next);
}

/*
 * For a session whose numbers are those of a snapshot. Its ends have moved on meanwhile, perhaps by more than a window: so a
 * segment that does not fit says where its sender is now. 1 once a segment fits, which takes both ends' consent: the numbers are
 * good from then on. A stranger's guess in between is overwritten by the sender's next segment. An RST or a SYN teaches nothing.
 */
static inline int rainbow_tcp_learn(struct rainbow_side *sender, const struct rainbow_side *receiver,
				    const struct rainbow_segment *segment)
{
	if ((segment->flags & (RAINBOW_TCP_SYN | RAINBOW_TCP_ACK | RAINBOW_TCP_RST)) != RAINBOW_TCP_ACK)
		return 0;
	if (rainbow_tcp_fits(sender, receiver, segment))
		return 1;
	sender->next = segment->seq + segment->length + !!(segment->flags & RAINBOW_TCP_FIN);
	sender->ack = segment->ack;
	sender->edge = segment->ack + segment->window;
	return 0;
}

/*
 * Judges a segment from `sender` to `receiver` and notes what it tells of the sender. Writes a field only where it changed,
 * so that a packet that turns nothing dirties no cache line.
 */
static inline enum rainbow_tcp_event rainbow_tcp_step(struct rainbow_side *sender, struct rainbow_side *receiver,
						      const struct rainbow_segment *segment)
{
	__u32 end = segment->seq + segment->length + !!(segment->flags & RAINBOW_TCP_FIN);
	__u32 edge;

	if (segment->flags & RAINBOW_TCP_RST)
		return rainbow_seq_within(segment->seq, receiver->ack, sender->next) ? RAINBOW_TCP_RESET : RAINBOW_TCP_NOTHING;
	/* A SYN on a live session is the stacks' affair (RFC 5961, 4.2), and each later segment acknowledges. */
	if ((segment->flags & (RAINBOW_TCP_SYN | RAINBOW_TCP_ACK)) != RAINBOW_TCP_ACK)
		return RAINBOW_TCP_NOTHING;
	if (!rainbow_tcp_fits(sender, receiver, segment))
		return RAINBOW_TCP_NOTHING;

	if (rainbow_seq_before(sender->next, end))
		sender->next = end;
	if (rainbow_seq_before(sender->ack, segment->ack))
		sender->ack = segment->ack;
	edge = segment->ack + segment->window;
	if (rainbow_seq_before(sender->edge, edge))
		sender->edge = edge;
	return segment->flags & RAINBOW_TCP_FIN ? RAINBOW_TCP_FINISHED : RAINBOW_TCP_NOTHING;
}

#endif
