// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* This host's settings: forwarding, reverse path filters, offloads. From /proc/sys and ethtool ioctls, of our own namespace. */
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include "doctor.h"

/* -1: can not be read. */
static int read_sysctl(const char *family, const char *interface, const char *name)
{
	char path[160];
	int value = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, interface, name);
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (fscanf(file, "%d", &value) != 1)
		value = -1;
	fclose(file);
	return value;
}

static bool has_family(const struct model *model, bool v4)
{
	size_t i;

	for (i = 0; i < model->count; i++)
		if (addr_is_v4(&model->services[i]->at.addr) == v4)
			return true;
	return false;
}

static void check_forwarding(struct doctor *doctor, const char *family, const char *interface)
{
	int value = read_sysctl(family, interface, "forwarding");
	struct doctor_check *check;
	char subject[96];

	snprintf(subject, sizeof(subject), "%s %s", family, interface);
	if (value > 0) {
		doctor_add(doctor, "forwarding", subject, DOCTOR_OK, "on");
		return;
	}
	check = doctor_add(doctor, "forwarding", subject, value < 0 ? DOCTOR_UNKNOWN : DOCTOR_FAIL,
			   value < 0 ? "can not be read" : "off: the stack drops what it should route to backends and clients");
	doctor_fix(check, "sysctl -w net.%s.conf.%s.forwarding=1", family, interface);
}

/* The stricter of "all" and the interface counts (ip-sysctl). */
static void check_rp_filter(struct doctor *doctor, const char *interface)
{
	int all = read_sysctl("ipv4", "all", "rp_filter"), own = read_sysctl("ipv4", interface, "rp_filter");
	int value = all > own ? all : own;
	struct doctor_check *check;

	if (all < 0 || own < 0) {
		doctor_add(doctor, "rp_filter", interface, DOCTOR_UNKNOWN, "can not be read");
		return;
	}
	if (value != 1) {
		doctor_add(doctor, "rp_filter", interface, DOCTOR_OK, value ? "loose" : "off");
		return;
	}
	check =
	    doctor_add(doctor, "rp_filter", interface, DOCTOR_WARN,
		       "strict: packets of clients (or backends) whose route back leads over another interface are dropped");
	doctor_fix(check, "sysctl -w net.ipv4.conf.%s.rp_filter=2 (and all, if that is 1)", interface);
}

/* -1: can not be read. */
static int read_ethtool(int fd, const char *interface, uint32_t command)
{
	struct ethtool_value value = {.cmd = command};
	struct ifreq request = {0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	request.ifr_data = (void *)&value;
	return ioctl(fd, SIOCETHTOOL, &request) ? -1 : (int)value.data;
}

/* Merged frames are larger than XDP takes, and can not be told apart again. */
static void check_lro(struct doctor *doctor, int fd, const char *interface)
{
	int flags = read_ethtool(fd, interface, ETHTOOL_GFLAGS);
	struct doctor_check *check;

	if (flags < 0) {
		doctor_add(doctor, "offload lro", interface, DOCTOR_UNKNOWN, "can not be read");
		return;
	}
	if (!(flags & ETH_FLAG_LRO)) {
		doctor_add(doctor, "offload lro", interface, DOCTOR_OK, "off");
		return;
	}
	check = doctor_add(doctor, "offload lro", interface, DOCTOR_WARN,
			   "on: packets that are forwarded must not be merged by the NIC");
	doctor_fix(check, "ethtool -K %s lro off", interface);
}

static void check_gro(struct doctor *doctor, int fd, const char *interface, bool xdp)
{
	int on = read_ethtool(fd, interface, ETHTOOL_GGRO);

	doctor_add(doctor, "offload gro", interface, on < 0 ? DOCTOR_UNKNOWN : DOCTOR_OK, "%s%s",
		   on < 0 ? "can not be read"
		   : on   ? "on"
			  : "off",
		   !xdp && on == 0 ? ": TC works packet by packet, which costs throughput" : "");
}

/* What local senders and veth peers leave to the device to fill in, XDP rewrites too early. */
static void check_tx_checksum(struct doctor *doctor, int fd, const char *interface, bool xdp)
{
	int on = read_ethtool(fd, interface, ETHTOOL_GTXCSUM);

	doctor_add(doctor, "offload tx", interface, on < 0 ? DOCTOR_UNKNOWN : DOCTOR_OK, "checksums %s%s",
		   on < 0 ? "can not be read"
		   : on   ? "on"
			  : "off",
		   on > 0 ? xdp ? ": fine for what this host sends; frames that arrive here must carry whole ones"
				: ": TC handles them"
			  : "");
}

static void check_interface(struct doctor *doctor, int fd, const struct hook_info *hook)
{
	bool xdp = hook->hook.kind == RAINBOW_HOOK_XDP || hook->hook.kind == RAINBOW_HOOK_XDP_GENERIC;
	const struct model *model = &doctor->daemon->model;
	const char *interface = hook->hook.name;

	if (has_family(model, true)) {
		check_forwarding(doctor, "ipv4", interface);
		check_rp_filter(doctor, interface);
	}
	if (has_family(model, false))
		check_forwarding(doctor, "ipv6", interface);
	check_lro(doctor, fd, interface);
	check_gro(doctor, fd, interface, xdp);
	check_tx_checksum(doctor, fd, interface, xdp);
}

void doctor_check_host(struct doctor *doctor)
{
	struct hook_info hooks[RAINBOW_MAX_HOOKS];
	size_t i, count = datapath_hooks(doctor->daemon->datapath, hooks, RAINBOW_MAX_HOOKS);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (has_family(&doctor->daemon->model, true))
		check_forwarding(doctor, "ipv4", "all");
	if (has_family(&doctor->daemon->model, false))
		check_forwarding(doctor, "ipv6", "all");
	for (i = 0; i < count; i++)
		check_interface(doctor, fd, &hooks[i]);
	if (fd >= 0)
		close(fd);
}
