/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ghosts: live sessions whose client has vanished without a word. A session that is idle for the service's probe_idle_seconds is
 * listed for rainbowd, which asks its client by a segment that TCP must answer and that changes nothing (user/rainbowd/ghosts.h).
 * Whatever is heard of the session starts its silence anew; GHOST_TRIES asks into one silence, and an interval more, end it.
 *
 *   last seen          probe_idle
 *      |-- patience --|- 1 -|- 2 -|- 3 -|  ...  |- 15 -|- 16: the end, if it was asked in each of the 15 before
 *
 * It is asked when a sweep meets it in another interval than the sweep before it did: so never twice in one. Only asks that
 * rainbowd has reported as sent are counted; without rainbowd, or without asks, nobody ends. If the sweep before is so long ago
 * that the session may have spoken and fallen silent unseen, the asks until then are void.
 */
#ifndef RAINBOW_BPF_GHOST_H
#define RAINBOW_BPF_GHOST_H

#include "reclaim.h"

#define GHOST_TRIES 15

/* In jiffies. The last is for sessions that fell silent together: they are not asked all at once. */
struct ghost_pace {
	__u32 patience;
	__u32 interval;
};

static __always_inline struct ghost_pace ghost_pace(const struct sweep_state *s, const struct rainbow_flow *key,
						    __u32 probe_idle)
{
	__u32 seconds = probe_idle / GHOST_TRIES;
	struct ghost_pace pace = {.interval = (seconds ? seconds : 1) * s->hz};
	__u32 low, spread;

	__builtin_memcpy(&low, key->client.octet + 12, 4);
	spread = (low ^ key->port * 0x85ebca6bu) * 0x9e3779b1u; /* multiplicative hashing (Knuth, 6.4) */
	pace.patience = probe_idle * s->hz + (__u32)((__u64)spread * pace.interval >> 32);
	return pace;
}

/* Which interval of its silence; 0: it is not silent for long enough. */
static __always_inline __u32 ghost_interval(const struct ghost_pace *pace, __u32 silence)
{
	return silence < pace->patience ? 0 : 1 + (silence - pace->patience) / pace->interval;
}

static __always_inline void ghost_list(struct sweep_state *s, const struct rainbow_flow *key, const struct rainbow_pin *pin)
{
	__u32 index = s->due;
	struct rainbow_due *due;

	if (s->ghosts >= s->ghost_limit || index >= s->ask_limit)
		return;
	due = bpf_map_lookup_elem(&rainbow_due, &index);
	if (!due)
		return;
	due->flow = *key;
	due->pin = *pin;
	s->due = index + 1;
	s->ghosts++;
}

/* A live TCP flow, met by the sweep. 1: its client has vanished, and it was ended. */
static __always_inline int ghost_look(struct sweep_state *s, const struct rainbow_flow *key, struct rainbow_pin *pin,
				      __u32 probe_idle)
{
	__u32 seen = pin->last_seen, silence = s->now - seen, since = s->since, interval;
	struct rainbow_flow own = *key;
	struct ghost_pace pace;

	if ((__s32)silence < 0) /* a packet came while this sweep was under way */
		silence = 0;
	pace = ghost_pace(s, &own, probe_idle);
	interval = ghost_interval(&pace, silence);
	if (!interval || since > probe_idle * s->hz) {
		if (pin->asked)
			pin->asked = 0;
		return 0;
	}
	if (interval == (silence > since ? ghost_interval(&pace, silence - since) : 0))
		return 0;
	if (pin->asked < GHOST_TRIES) {
		ghost_list(s, &own, pin);
		return 0;
	}
	if (pin->last_seen != seen || !pin_kill(&own, pin, RAINBOW_END_VANISHED))
		return 0;
	s->vanished++;
	return 1;
}

/* rainbowd has sent the ask. Void if something was heard since it was listed. */
static __always_inline void ghost_count(struct rainbow_asked *asked)
{
	struct rainbow_flow flow = asked->flow;
	struct rainbow_pin *pin = pin_find(&flow);

	asked->counted = 0;
	if (!pin || !pin_is_live(pin->state) || pin->last_seen != asked->last_seen || pin->asked >= GHOST_TRIES)
		return;
	pin->asked++;
	asked->counted = 1;
}

#endif
