// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See roll.h. */
#include <stdlib.h>
#include <string.h>
#include "roll.h"

#define ROLL_SMALL 1024

bool pin_state_is_live(enum rainbow_pin_state state)
{
	return state == RAINBOW_PIN_LIVE || state == RAINBOW_PIN_HALF_CLIENT || state == RAINBOW_PIN_HALF_SERVER;
}

const char *pin_state_name(enum rainbow_pin_state state)
{
	switch (state) {
	case RAINBOW_PIN_LIVE:
		return "live";
	case RAINBOW_PIN_HALF_CLIENT:
	case RAINBOW_PIN_HALF_SERVER:
		return "half-closed";
	case RAINBOW_PIN_CLOSING:
		return "closing";
	case RAINBOW_PIN_KILLED:
		return "killed";
	default:
		return NULL;
	}
}

static bool matches(const struct roll_filter *filter, const struct rainbow_flow *flow, const struct rainbow_pin *pin)
{
	if (filter->service && flow->service != filter->service)
		return false;
	if (filter->version && pin->version != filter->version)
		return false;
	if (pin->kind == RAINBOW_PIN_FLOW && !filter->flows)
		return false;
	if (filter->limit_opened && pin->kind != RAINBOW_PIN_FLOW && (int32_t)pin->opened > filter->opened_until)
		return false;
	return filter->live_only ? pin_state_is_live(pin->state) : pin_state_name(pin->state) != NULL;
}

static int compare(const void *left, const void *right)
{
	const struct roll_entry *a = left, *b = right;

	if (a->opened != b->opened) /* signed: it may have begun before the boot */
		return (int32_t)a->opened < (int32_t)b->opened ? -1 : 1;
	if (a->kind != b->kind)
		return a->kind == RAINBOW_PIN_CLIENT ? -1 : b->kind == RAINBOW_PIN_CLIENT ? 1 : 0;
	return memcmp(&a->flow, &b->flow, sizeof(a->flow));
}

void roll_finish(struct roll *roll)
{
	if (roll->count) /* there may be no array yet */
		qsort(roll->entries, roll->count, sizeof(*roll->entries), compare);
	if (roll->limit && roll->count > roll->limit)
		roll->count = roll->limit;
}

/* With a limit, twice as many are gathered before the younger half is thrown away. */
static bool make_room(struct roll *roll)
{
	size_t room = roll->room ? roll->room * 2 : ROLL_SMALL;
	struct roll_entry *grown;

	if (roll->count < roll->room)
		return true;
	if (roll->limit && roll->count >= 2 * roll->limit) {
		roll_finish(roll);
		return true;
	}
	grown = reallocarray(roll->entries, room, sizeof(*grown));
	if (!grown)
		return false;
	roll->entries = grown;
	roll->room = room;
	return true;
}

bool roll_offer(struct roll *roll, const struct rainbow_flow *flow, const struct rainbow_pin *pin)
{
	if (!matches(&roll->filter, flow, pin))
		return true;
	if (!make_room(roll))
		return false;
	roll->sessions += pin->kind != RAINBOW_PIN_FLOW;
	roll->entries[roll->count++] = (struct roll_entry){
	    .flow = *flow,
	    .state = pin->state,
	    .kind = (enum rainbow_pin_kind)pin->kind,
	    .version = pin->version,
	    .backend = pin->backend,
	    .opened = pin->opened,
	    .last_seen = pin->last_seen,
	    .flows = pin->flows,
	};
	return true;
}

void roll_fini(struct roll *roll)
{
	free(roll->entries);
	memset(roll, 0, sizeof(*roll));
}
