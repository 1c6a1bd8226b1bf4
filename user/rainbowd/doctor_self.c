// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Is rainbow itself well? Hooks, the pin table, the counts, drains, handshakes that nobody finishes. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "census.h"
#include "doctor.h"
#include "drain.h"
#include "netdev.h"

static const struct hook_info *find_hook(const struct hook_info *hooks, size_t count, const char *interface)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(hooks[i].hook.name, interface) == 0)
			return &hooks[i];
	return NULL;
}

static void check_veth(struct doctor *doctor, const struct hook_wish *wish, const struct hook_info *hook)
{
	struct doctor_check *check;
	struct netdev device;
	struct error err;

	if (hook->hook.kind != RAINBOW_HOOK_XDP || netdev_get(wish->interface, &device, &err) ||
	    strcmp(device.link_kind, "veth") != 0)
		return;
	check = doctor_add(doctor, "hook", wish->interface, DOCTOR_WARN,
			   "native XDP on a veth: what it sends back stalls unless the peer has an XDP program, what it "
			   "redirects to a peer without "
			   "GRO is lost, and checksums left to be filled in are wrong; TC is faster there, too");
	doctor_fix(check, "--interface %s:tc; or at each peer: an XDP program that passes all, ethtool -K PEER gro on tx off",
		   wish->interface);
}

static void check_hook(struct doctor *doctor, const struct hook_wish *wish, const struct hook_info *hook)
{
	struct doctor_check *check;

	if (hook && hook->attached) {
		doctor_add(doctor, "hook", wish->interface, DOCTOR_OK, "%s at ingress, %s at egress", hook->ingress,
			   hook->egress);
		check_veth(doctor, wish, hook);
		return;
	}
	check = doctor_add(doctor, "hook", wish->interface, DOCTOR_FAIL, "not attached: packets pass this interface unseen");
	doctor_fix(check,
		   "see that the interface is there (ip link show %s); rainbowd tries again every 10 s, at once with SIGHUP",
		   wish->interface);
}

static void check_hooks(struct doctor *doctor)
{
	const struct daemon_config *config = &doctor->daemon->config;
	struct hook_info hooks[RAINBOW_MAX_HOOKS];
	size_t i, count = datapath_hooks(doctor->daemon->datapath, hooks, RAINBOW_MAX_HOOKS);

	for (i = 0; i < config->wish_count; i++)
		check_hook(doctor, &config->wishes[i], find_hook(hooks, count, config->wishes[i].interface));
}

static void check_pins(struct doctor *doctor)
{
	struct datapath *dp = doctor->daemon->datapath;
	uint64_t used = __atomic_load_n(&datapath_meta(dp)->pins, __ATOMIC_RELAXED), limit = datapath_pin_limit(dp);
	enum doctor_verdict verdict = used >= limit ? DOCTOR_FAIL : used * 10 >= limit * 9 ? DOCTOR_WARN : DOCTOR_OK;
	struct doctor_check *check = doctor_add(doctor, "pins", "rainbow_pin", verdict, "%" PRIu64 " of %" PRIu64 " in use%s",
						used, limit, used >= limit ? ": new sessions are refused" : "");

	if (verdict != DOCTOR_OK)
		doctor_fix(
		    check,
		    "make the table larger when no session runs: rainbowd --detach, then rainbowd --max-sessions %" PRIu64
		    " ...",
		    limit * 4);
}

static void check_drift(struct doctor *doctor)
{
	struct doctor_check *check;
	uint64_t drift;

	if (!census_drift(doctor->daemon->census, &drift)) {
		doctor_add(doctor, "drift", "live counts", DOCTOR_UNKNOWN, "no sweep has been completed yet");
		return;
	}
	check = doctor_add(doctor, "drift", "live counts", drift ? DOCTOR_FAIL : DOCTOR_OK,
			   "a count one by one differs by %" PRIu64, drift);
	if (drift)
		doctor_fix(check, "this is a fault of rainbow: please report it with the output of bpftool map dump");
}

static void check_refusals(struct doctor *doctor, const struct service *service)
{
	struct rainbow_packets p;
	struct doctor_check *check;

	if (datapath_packets(doctor->daemon->datapath, service->id, &p)) {
		doctor_add(doctor, "refused", service->name, DOCTOR_UNKNOWN, "the counters can not be read");
		return;
	}
	if (!p.refused_table_full && !p.refused_backends_full && !p.refused_no_version) {
		doctor_add(doctor, "refused", service->name, DOCTOR_OK, "no new session was refused");
		return;
	}
	check = doctor_add(
	    doctor, "refused", service->name, DOCTOR_WARN,
	    "new sessions were refused: %llu as the table was full, %llu as all backends were, %llu as no version took any",
	    p.refused_table_full, p.refused_backends_full, p.refused_no_version);
	doctor_fix(check, "a larger --max-sessions; more backends or a higher max=; rainbowctl set-weight %s LABEL=100",
		   service->name);
}

/* Choices were made, and not one handshake was proven: the answers do not come back through this host. */
static void check_handshakes(struct doctor *doctor, const struct service *service, const struct version *version)
{
	const struct rainbow_version *entry = datapath_version(doctor->daemon->datapath, version->id);
	struct doctor_check *check;
	char subject[96];

	if (!entry->chosen || entry->opened)
		return;
	snprintf(subject, sizeof(subject), "%s %s", service->name, version->label);
	check = doctor_add(
	    doctor, "route back", subject, DOCTOR_FAIL,
	    "%llu new sessions were sent to it and none came to be: its backends do not answer, or answer past this host",
	    entry->chosen);
	doctor_fix(check, "see that they listen; then make this host their way back to the clients: ip route replace default "
			  "via ADDRESS-OF-THIS-HOST");
}

static void check_drain(struct doctor *doctor, const struct service *service, const struct version *version)
{
	struct doctor_check *check;
	char subject[96];

	if (version->state != RAINBOW_VERSION_DRAINING || !drain_is_overdue(&version->drain, instant_now()))
		return;
	snprintf(subject, sizeof(subject), "%s %s", service->name, version->label);
	check = doctor_add(doctor, "drain", subject, DOCTOR_WARN, "past its deadline with %llu live sessions",
			   datapath_version(doctor->daemon->datapath, version->id)->live);
	if (version->drain.on_deadline == ON_DEADLINE_HOLD)
		doctor_fix(check, "rainbowctl evict %s %s", service->name, version->label);
}

void doctor_check_self(struct doctor *doctor)
{
	const struct model *model = &doctor->daemon->model;
	size_t i, j;

	check_hooks(doctor);
	check_pins(doctor);
	check_drift(doctor);
	for (i = 0; i < model->count; i++) {
		const struct service *service = model->services[i];

		check_refusals(doctor, service);
		for (j = 0; j < service->version_count; j++) {
			check_handshakes(doctor, service, &service->versions[j]);
			check_drain(doctor, service, &service->versions[j]);
		}
	}
}
