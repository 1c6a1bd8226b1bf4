/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* See invariants.h. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <rainbow/select.h>
#include "tests/fuzz/invariants.h"

#define PINS_MAX         4096
#define PACKET_OTHERHOST 3

static void __attribute__((format(printf, 1, 2), noreturn)) breach(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "invariant broken: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	abort();
}

/* --- pins ------------------------------------------------------------------------------------------------------------------ */

struct seen {
	struct rainbow_flow flow;
	struct rainbow_pin pin;
};

static struct seen before[PINS_MAX], now[PINS_MAX];
static size_t before_count, now_count;

static bool is_live(const struct rainbow_pin *pin)
{
	return pin->state == RAINBOW_PIN_LIVE || pin->state == RAINBOW_PIN_HALF_CLIENT || pin->state == RAINBOW_PIN_HALF_SERVER;
}

static bool is_ended(const struct rainbow_pin *pin)
{
	return pin->state == RAINBOW_PIN_CLOSING || pin->state == RAINBOW_PIN_KILLED;
}

static void see(const struct rainbow_flow *flow, const struct rainbow_pin *pin, void *arg)
{
	(void)arg;
	if (now_count == PINS_MAX)
		breach("more than %d pins", PINS_MAX);
	now[now_count].flow = *flow;
	now[now_count++].pin = *pin;
}

static int by_flow(const void *a, const void *b)
{
	return memcmp(&((const struct seen *)a)->flow, &((const struct seen *)b)->flow, sizeof(struct rainbow_flow));
}

static const struct seen *find(const struct seen *list, size_t count, const struct rainbow_flow *flow)
{
	struct seen key = {.flow = *flow};

	return bsearch(&key, list, count, sizeof(*list), by_flow);
}

/* No flow has two pins, wherever they lie. */
static void check_once(void)
{
	size_t i;

	for (i = 1; i < now_count; i++)
		if (by_flow(&now[i - 1], &now[i]) == 0)
			breach("a flow has two pins: client port %u of service %u", now[i].flow.port, now[i].flow.service);
}

/* P1: a pin that was live and is live has the version and backend that it had. */
static void check_stayed(void)
{
	size_t i;

	for (i = 0; i < before_count; i++) {
		const struct seen *then = &before[i], *same = find(now, now_count, &then->flow);

		if (!is_live(&then->pin))
			continue;
		if (!same)
			breach("a live session's pin is gone (client port %u of service %u)", then->flow.port,
			       then->flow.service);
		if (is_live(&same->pin) && (same->pin.version != then->pin.version || same->pin.backend != then->pin.backend))
			breach("a live session moved from version %u backend %u to version %u backend %u", then->pin.version,
			       then->pin.backend, same->pin.version, same->pin.backend);
	}
}

/* --- counts ---------------------------------------------------------------------------------------------------------------- */

static void check_version(uint32_t id, uint64_t live, uint64_t closing)
{
	const struct rainbow_version *v = core_version(id);
	uint64_t ended = v->ended_fin + v->ended_reset_client + v->ended_reset_server + v->ended_idle + v->ended_forced;

	if (v->opened != v->live + ended)
		breach("version %u: opened %llu, but live %llu and ended %llu", id, (unsigned long long)v->opened,
		       (unsigned long long)v->live, (unsigned long long)ended);
	if (v->live != live)
		breach("version %u: live %llu, but one by one %llu", id, (unsigned long long)v->live, (unsigned long long)live);
	if (v->closing != closing)
		breach("version %u: closing %llu, but one by one %llu", id, (unsigned long long)v->closing,
		       (unsigned long long)closing);
}

#define LOOKS 16           /* histograms are long: each 16th look sums them */
static unsigned int looks; /* since the input began */

static uint64_t sum(const __u64 bins[RAINBOW_SIGNAL_BINS])
{
	uint64_t total = 0;
	int i;

	for (i = 0; i < RAINBOW_SIGNAL_BINS; i++)
		total += bins[i];
	return total;
}

static void check_record(uint32_t id, const char *which, const struct rainbow_signal *s)
{
	if (s->joined > s->asked)
		breach("version %u, %s: joined %llu, but asked %llu", id, which, (unsigned long long)s->joined,
		       (unsigned long long)s->asked);
	if (s->answered + s->refused > s->asked)
		breach("version %u, %s: answered %llu and refused %llu, but asked %llu", id, which,
		       (unsigned long long)s->answered, (unsigned long long)s->refused, (unsigned long long)s->asked);
	if (sum(s->handshake_us) != s->answered || sum(s->duration_ms) != s->ended || sum(s->turn_us) < s->turns)
		breach("version %u, %s: a histogram has not as many as were counted", id, which);
	if (s->turned > s->turns || s->turns > s->turned * RAINBOW_TURNS_MAX || s->turns_squared < s->turns ||
	    s->turns_squared * s->turned < s->turns * s->turns)
		breach("version %u, %s: %llu turns, %llu of their squares, of %llu sessions", id, which,
		       (unsigned long long)s->turns, (unsigned long long)s->turns_squared, (unsigned long long)s->turned);
	if (s->http_1xx + s->http_2xx + s->http_3xx + s->http_4xx + s->http_5xx + s->http_other > sum(s->turn_us))
		breach("version %u, %s: more responses than turns", id, which);
}

/* What is measured of sessions is what is counted of them. */
static void check_signals(uint32_t id)
{
	const struct rainbow_signal *ever = core_signal(id, RAINBOW_SLOT_EVER), *cohort = core_signal(id, town_cohort_slot(id));
	const struct rainbow_version *v = core_version(id);

	if (ever->opened != v->opened || ever->ended != v->opened - v->live)
		breach("version %u: %llu sessions opened and %llu ended, but measured were %llu and %llu", id,
		       (unsigned long long)v->opened, (unsigned long long)(v->opened - v->live),
		       (unsigned long long)ever->opened, (unsigned long long)ever->ended);
	if (looks % LOOKS)
		return;
	check_record(id, "ever", ever);
	check_record(id, "cohort", cohort);
	if (sum(cohort->turn_us) != cohort->turns || cohort->opened > ever->opened || cohort->ended > ever->ended ||
	    cohort->turns > ever->turns || cohort->asked > ever->asked)
		breach("version %u: the cohort is more than all", id);
}

static void check_counts(void)
{
	uint64_t live[TOWN_VERSIONS + 1] = {0}, closing[TOWN_VERSIONS + 1] = {0}, backend[TOWN_BACKENDS + 1] = {0};
	uint32_t id;
	size_t i;

	for (i = 0; i < now_count; i++) {
		const struct rainbow_pin *pin = &now[i].pin;

		if (!is_live(pin) && !is_ended(pin))
			continue;
		if (!pin->version || pin->version > TOWN_VERSIONS || !pin->backend || pin->backend > TOWN_BACKENDS)
			breach("a pin of version %u, backend %u", pin->version, pin->backend);
		if (pin->kind == RAINBOW_PIN_FLOW)
			continue;
		live[pin->version] += is_live(pin);
		closing[pin->version] += is_ended(pin);
		backend[pin->backend] += is_live(pin);
	}
	for (id = 1; id <= TOWN_VERSIONS; id++) {
		check_version(id, live[id], closing[id]);
		check_signals(id);
	}
	for (id = 1; id <= TOWN_BACKENDS; id++)
		if (core_backend(id)->live != backend[id])
			breach("backend %u: live %llu, but one by one %llu", id, (unsigned long long)core_backend(id)->live,
			       (unsigned long long)backend[id]);
	looks++;
	if (core_meta()->pins != now_count)
		breach("meta.pins is %llu, but one by one %zu", (unsigned long long)core_meta()->pins, now_count);
	if (now_count > core_meta()->pin_limit)
		breach("%zu pins, but the limit is %u", now_count, core_meta()->pin_limit);
}

/* A live client session has as many flows as there are live pins that joined it, and all of them are where it is. */
static void check_flows(void)
{
	size_t i, j;

	for (i = 0; i < now_count; i++) {
		const struct seen *client = &now[i];
		uint32_t flows = 0;

		if (client->pin.kind != RAINBOW_PIN_CLIENT || !is_live(&client->pin))
			continue;
		for (j = 0; j < now_count; j++) {
			const struct seen *flow = &now[j];

			/* Older than the session: it belonged to one that was closed and freed. */
			if (flow->pin.kind != RAINBOW_PIN_FLOW || !is_live(&flow->pin) ||
			    flow->pin.opened < client->pin.opened || flow->flow.service != client->flow.service ||
			    (flow->pin.flows & RAINBOW_FLOWS_INCARNATION) != (client->pin.flows & RAINBOW_FLOWS_INCARNATION) ||
			    memcmp(&flow->flow.client, &client->flow.client,
				   core_service(client->flow.service)->client_prefix / 8) != 0)
				continue;
			if (rainbow_addr_is_v4(&client->flow.client) &&
			    memcmp(&flow->flow.client, &client->flow.client, 16) != 0)
				continue;
			flows++;
			if (flow->pin.version != client->pin.version || flow->pin.backend != client->pin.backend)
				breach("a flow is on backend %u, its client's session on %u", flow->pin.backend,
				       client->pin.backend);
		}
		if (flows != (client->pin.flows & RAINBOW_FLOWS_COUNT))
			breach("a client session says %u flows, one by one they are %u",
			       client->pin.flows & RAINBOW_FLOWS_COUNT, flows);
	}
}

void invariants_begin(void)
{
	looks = 0;
	before_count = 0;
}

void invariants_check_maps(void)
{
	now_count = 0;
	core_each_pin(see, NULL);
	qsort(now, now_count, sizeof(*now), by_flow);
	check_once();
	check_stayed();
	check_counts();
	check_flows();
	memcpy(before, now, now_count * sizeof(*now));
	before_count = now_count;
}

/* --- packets --------------------------------------------------------------------------------------------------------------- */

static struct rainbow_packets counted; /* of all services, before the packet */

static void count_packets(struct rainbow_packets *sum)
{
	const size_t fields = sizeof(*sum) / sizeof(uint64_t);
	uint32_t service;
	size_t i;

	memset(sum, 0, sizeof(*sum));
	for (service = 0; service <= TOWN_SERVICES; service++)
		for (i = 0; i < fields; i++)
			((uint64_t *)sum)[i] += ((const uint64_t *)core_packets(service))[i];
}

void invariants_before_packet(const struct step *step)
{
	(void)step;
	count_packets(&counted);
}

static bool is_action(enum native_hook hook, int action)
{
	if (hook == NATIVE_XDP)
		return action == XDP_PASS || action == XDP_DROP || action == XDP_TX || action == XDP_REDIRECT;
	return action == TC_ACT_UNSPEC || action == TC_ACT_SHOT || action == TC_ACT_REDIRECT;
}

static bool is_pass(enum native_hook hook, int action)
{
	return action == (hook == NATIVE_XDP ? XDP_PASS : TC_ACT_UNSPEC);
}

static bool is_drop(enum native_hook hook, int action)
{
	return action == (hook == NATIVE_XDP ? XDP_DROP : TC_ACT_SHOT);
}

static bool is_untouched(const struct step *step, const struct frame *out)
{
	return out->length == step->packet.length && memcmp(out->bytes, step->packet.bytes, out->length) == 0;
}

/* Does the frame name the service's, or a backend's, address anywhere? What does not can not be ours. */
static bool names_us(const struct step *step)
{
	static const struct {
		const char *bytes;
		size_t length;
	} ours[] = {{"\x0a\x00\x00\x01", 4},
		    {"\x0a\x01\x00", 3},
		    {"\x20\x01\x0d\xb8\x00\x00\x00\x00", 8},
		    {"\x20\x01\x0d\xb8\x00\x01\x00\x00", 8}};
	size_t i;

	for (i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		if (memmem(step->packet.bytes, step->packet.length, ours[i].bytes, ours[i].length))
			return true;
	return false;
}

/* A request that fits a live session went to that session's backend, if anywhere. */
static void check_way(const struct step *step, const struct frame *out, const struct rainbow_packets *after)
{
	const struct rainbow_pin *pin;
	const struct rainbow_backend *backend;
	bool is_v4 = rainbow_addr_is_v4(&step->flow.client);
	size_t skip = is_v4 ? 12 : 0, offset = is_v4 ? 30 : 38;

	if (!step->fits || !step->from_client || after->requests == counted.requests)
		return;
	pin = core_pin(&step->flow);
	backend = core_backend(pin ? pin->backend : 0);
	if (!pin || memcmp(out->bytes + offset, backend->address.octet + skip, 16 - skip) != 0)
		breach("a request went elsewhere than to its session's backend %u", pin ? pin->backend : 0);
}

void invariants_check_packet(const struct step *step, int action, const struct frame *out)
{
	const size_t fields = sizeof(struct rainbow_packets) / sizeof(uint64_t);
	bool is_anothers = step->packet.hook != NATIVE_XDP && step->packet.type == PACKET_OTHERHOST;
	enum native_hook hook = step->packet.hook;
	struct rainbow_packets after;
	uint64_t changes = 0;
	const char *wrong;
	struct frame in;
	size_t i;

	count_packets(&after);
	for (i = 0; i < fields; i++)
		changes += ((const uint64_t *)&after)[i] - ((const uint64_t *)&counted)[i];
	if (changes != !is_anothers)
		breach("a packet was counted %llu times", (unsigned long long)changes);
	if (!is_action(hook, action))
		breach("action %d of hook %d", action, hook);
	if ((is_anothers || after.passed_not_ours != counted.passed_not_ours ||
	     after.passed_unparsed != counted.passed_unparsed || after.passed_fragment != counted.passed_fragment ||
	     after.passed_by_stack != counted.passed_by_stack || after.strays_passed != counted.strays_passed ||
	     !names_us(step)) &&
	    (!is_pass(hook, action) || !is_untouched(step, out)))
		breach("what is not ours was touched (action %d)", action);
	check_way(step, out, &after);
	if (is_drop(hook, action))
		return;
	in.length = step->packet.length;
	memcpy(in.bytes, step->packet.bytes, in.length);
	if (frame_check(&in))
		return;
	wrong = frame_check(out);
	if (wrong)
		breach("a right packet came out wrong: %s (action %d)", wrong, action);
}
