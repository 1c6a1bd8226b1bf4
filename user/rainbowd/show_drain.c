// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See show_drain.h. What is not known is null, and eta_basis says why. */
#include "census.h"
#include "drain.h"
#include "eta.h"
#include "request.h"
#include "show_drain.h"

/* In how long what is left will have been closed by force; -1: never. */
static int64_t closes_ms(const struct service *service, const struct version *version, uint64_t live, struct instant now)
{
	struct instant at = drain_close_after(&version->drain, service->settings.drain.pace, live, now);

	if (!at.unix_ms)
		return -1;
	return at.unix_ms > now.unix_ms ? at.unix_ms - now.unix_ms : 0;
}

/* A bound is no estimate: where there is none, both figures are -1. */
static struct eta eta_now(struct daemon *daemon, const struct service *service, const struct version *version, uint64_t live,
			  const uint64_t durations[RAINBOW_SIGNAL_BINS])
{
	const struct rainbow_census *counted = census_of(daemon->census, version->id);
	struct instant now = instant_now();
	int64_t closes = closes_ms(service, version, live, now);
	uint64_t ages[RAINBOW_SIGNAL_BINS] = {0};
	struct eta eta;

	if (version->state == RAINBOW_VERSION_DRAINED || !live)
		return (struct eta){.basis = ETA_BY_DURATIONS};
	if (drain_is_closing(version->state, &version->drain, now))
		return (struct eta){ETA_CLOSING, closes, closes};
	/* A sweep from before may have counted sessions that have ended since, and none that began since. */
	if (!counted || !counted->live || census_began_ms(daemon->census) <= version->drain.in_force_ms)
		return (struct eta){ETA_UNCOUNTED, -1, -1};
	eta_add_census(ages, counted->age);
	eta = eta_of(durations, ages, closes);
	return eta.basis == ETA_BY_DURATIONS ? eta : (struct eta){eta.basis, -1, -1};
}

static json_t *json_seconds(int64_t ms)
{
	return json_unless(ms < 0, json_integer((ms + 999) / 1000));
}

json_t *show_drain(struct daemon *daemon, const struct service *service, const struct version *version,
		   const uint64_t durations[RAINBOW_SIGNAL_BINS])
{
	uint64_t live = __atomic_load_n(&datapath_version(daemon->datapath, version->id)->live, __ATOMIC_RELAXED);
	const struct drain *drain = &version->drain;
	struct eta eta;

	if (version->state == RAINBOW_VERSION_ACTIVE)
		return json_null();
	eta = eta_now(daemon, service, version, live, durations);
	return json_pack("{s:o, s:o, s:s, s:I, s:o, s:o, s:s, s:b, s:o}", "started", json_instant(drain->started), "deadline",
			 json_instant(drain->deadline), "on_deadline", on_deadline_name(drain->on_deadline), "remaining",
			 (json_int_t)live, "eta_seconds", json_seconds(eta.median_ms), "eta_p90_seconds",
			 json_seconds(eta.p90_ms), "eta_basis", eta_basis_name(eta.basis), "overdue",
			 version->state == RAINBOW_VERSION_DRAINING && drain_is_overdue(drain, instant_now()), "duties",
			 drain_duty_show(&version->duty, &service->settings.drain, drain->deadline));
}
