// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The ways packets take: to the service's address, to each backend and its neighbour, and how large they may be. */
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <linux/neighbour.h>
#include "doctor.h"
#include "netdev.h"
#include "route.h"

#define NUD_USABLE (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)

static int read_accept_local(const char *interface)
{
	char path[128];
	int value = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/accept_local", interface);
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (fscanf(file, "%d", &value) != 1)
		value = -1;
	fclose(file);
	return value;
}

/* XDP restores replies before the stack sees them; with an own address as their source the stack then takes them for forged. */
static void check_accept_local(struct doctor *doctor, const struct service *service)
{
	struct hook_info hooks[RAINBOW_MAX_HOOKS];
	size_t i, count = datapath_hooks(doctor->daemon->datapath, hooks, RAINBOW_MAX_HOOKS);

	for (i = 0; i < count; i++) {
		struct doctor_check *check;

		if (hooks[i].hook.kind == RAINBOW_HOOK_TC || !addr_is_v4(&service->at.addr) ||
		    read_accept_local(hooks[i].hook.name) > 0)
			continue;
		check = doctor_add(doctor, "accept_local", hooks[i].hook.name, DOCTOR_WARN,
				   "the address of %s is an address of this host: a reply that XDP must leave to the stack "
				   "would be dropped as forged",
				   service->name);
		doctor_fix(check, "sysctl -w net.ipv4.conf.%s.accept_local=1", hooks[i].hook.name);
	}
}

static bool packets_arrive(struct doctor *doctor, const struct service *service)
{
	struct rainbow_packets p;

	return datapath_packets(doctor->daemon->datapath, service->id, &p) == 0 &&
	       p.requests + p.handshakes + p.strays_reset > 0;
}

static void check_service(struct doctor *doctor, const struct service *service)
{
	char address[ADDR_TEXT_SIZE];
	struct route_answer route;
	struct doctor_check *check;

	addr_format(&service->at.addr, address);
	if (route_get(&service->at.addr, &route) == 0 && route.local) {
		doctor_add(doctor, "service address", service->name, DOCTOR_OK, "%s is an address of this host", address);
		check_accept_local(doctor, service);
		return;
	}
	if (packets_arrive(doctor, service)) {
		doctor_add(doctor, "service address", service->name, DOCTOR_OK, "%s is routed to this host: packets arrive",
			   address);
		return;
	}
	check = doctor_add(doctor, "service address", service->name, DOCTOR_UNKNOWN,
			   "%s is no address of this host, and no packet has arrived for it", address);
	doctor_fix(check, "ip address add %s/%d dev INTERFACE; or have the clients' router route it here", address,
		   addr_is_v4(&service->at.addr) ? 32 : 128);
}

/* The largest MTU of the interfaces with a hook: clients may send as much. */
static uint32_t largest_mtu(struct doctor *doctor)
{
	struct hook_info hooks[RAINBOW_MAX_HOOKS];
	size_t i, count = datapath_hooks(doctor->daemon->datapath, hooks, RAINBOW_MAX_HOOKS);
	uint32_t mtu = 0;

	for (i = 0; i < count; i++) {
		struct netdev device;
		struct error err;

		if (netdev_get(hooks[i].hook.name, &device, &err) == 0 && device.mtu > mtu)
			mtu = device.mtu;
	}
	return mtu;
}

static void check_mtu(struct doctor *doctor, const char *subject, uint32_t ifindex, uint32_t client_mtu)
{
	char name[IF_NAMESIZE];
	struct doctor_check *check;
	struct netdev device;
	struct error err;

	if (!if_indextoname(ifindex, name) || netdev_get(name, &device, &err) || device.mtu >= client_mtu)
		return;
	check = doctor_add(doctor, "mtu", subject, DOCTOR_WARN,
			   "reached over %s with MTU %u, clients may send packets of %u: they need the ICMP errors", name,
			   device.mtu, client_mtu);
	doctor_fix(check, "ip link set %s mtu %u; or let ICMP \"too big\" through to the clients", name, client_mtu);
}

static void check_neighbour(struct doctor *doctor, const char *subject, const struct rainbow_addr *addr,
			    const struct route_answer *route)
{
	const struct rainbow_addr *next = route->has_gateway ? &route->gateway : addr;
	int state = neighbour_get(route->ifindex, next);
	char text[ADDR_TEXT_SIZE], name[IF_NAMESIZE] = "?";
	struct doctor_check *check;

	addr_format(next, text);
	if_indextoname(route->ifindex, name);
	if (state > 0 && (state & NUD_USABLE)) {
		doctor_add(doctor, "route", subject, DOCTOR_OK, "over %s, next hop %s answers", name, text);
	} else if (state > 0 && (state & NUD_FAILED)) {
		check =
		    doctor_add(doctor, "route", subject, DOCTOR_FAIL, "over %s, but next hop %s does not answer", name, text);
		doctor_fix(check, "see that it is up: ping %s", text);
	} else {
		check = doctor_add(doctor, "route", subject, DOCTOR_UNKNOWN, "over %s; next hop %s was not asked for lately",
				   name, text);
		doctor_fix(check, "ping -c 1 %s", text);
	}
}

static bool is_hooked(struct doctor *doctor, uint32_t ifindex)
{
	struct hook_info hooks[RAINBOW_MAX_HOOKS];
	size_t i, count = datapath_hooks(doctor->daemon->datapath, hooks, RAINBOW_MAX_HOOKS);

	for (i = 0; i < count; i++)
		if (hooks[i].ifindex == ifindex)
			return true;
	return false;
}

/* The kernel tracks connections of a network namespace only while a rule there asks for it. */
static bool tracks_connections(void)
{
	unsigned int count = 0;
	FILE *file = fopen("/proc/sys/net/netfilter/nf_conntrack_count", "re");

	if (!file)
		return false;
	if (fscanf(file, "%u", &count) != 1)
		count = 0;
	fclose(file);
	return count > 0;
}

/* Requests are sent past the stack; replies that come in where no hook is cross it. */
static void check_tracking(struct doctor *doctor, const char *subject, uint32_t ifindex)
{
	struct doctor_check *check;
	char name[IF_NAMESIZE];

	if (!if_indextoname(ifindex, name) || is_hooked(doctor, ifindex) || !tracks_connections())
		return;
	check = doctor_add(doctor, "conntrack", subject, DOCTOR_WARN,
			   "reached over %s, which has no hook: this host tracks connections and sees only the replies; rules "
			   "with NAT (as Docker's) or \"ct state invalid drop\" break them",
			   name);
	doctor_fix(check, "hook that interface, too: rainbowd --interface %s:tc", name);
}

static void check_backend(struct doctor *doctor, const struct service *service, const struct version *version,
			  const struct backend *backend, uint32_t client_mtu)
{
	char text[ADDR_TEXT_SIZE], subject[96];
	struct route_answer route;
	struct doctor_check *check;
	int rc = route_get(&backend->at.addr, &route);

	snprintf(subject, sizeof(subject), "%s %s %s", service->name, version->label,
		 endpoint_format(&backend->at.addr, backend->at.port, text));
	if (rc) {
		check = doctor_add(doctor, "route", subject, DOCTOR_FAIL, "there is no route to it (%s)", strerror(-rc));
		doctor_fix(check, "ip route add %s via GATEWAY", addr_format(&backend->at.addr, text));
		return;
	}
	if (route.local) {
		doctor_add(doctor, "route", subject, DOCTOR_OK, "an address of this host");
		return;
	}
	check_neighbour(doctor, subject, &backend->at.addr, &route);
	check_mtu(doctor, subject, route.ifindex, client_mtu);
	check_tracking(doctor, subject, route.ifindex);
}

void doctor_check_ways(struct doctor *doctor)
{
	const struct model *model = &doctor->daemon->model;
	uint32_t client_mtu = largest_mtu(doctor);
	size_t i, j, k;

	for (i = 0; i < model->count; i++) {
		const struct service *service = model->services[i];

		check_service(doctor, service);
		for (j = 0; j < service->version_count; j++)
			for (k = 0; k < service->versions[j].backend_count; k++)
				check_backend(doctor, service, &service->versions[j], &service->versions[j].backends[k],
					      client_mtu);
	}
}
