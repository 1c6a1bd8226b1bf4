/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel says of one interface of our network namespace, by rtnetlink: /sys may show another namespace's.
 */
#ifndef RAINBOW_NETDEV_H
#define RAINBOW_NETDEV_H

#include <stdbool.h>
#include <stdint.h>
#include "common/error.h"

struct netdev {
	uint32_t ifindex;
	char name[16];
	uint8_t mac[6];
	uint16_t type; /* ARPHRD_*, linux/if_arp.h */
	uint32_t mtu;
	char link_kind[32]; /* "veth", "bridge", "vlan"; "" for hardware and lo */
	bool on_bus;        /* a device on a bus (PCI, virtio) is behind it */
	char driver[32];    /* by ethtool, "" if it has none */
};

int netdev_get(const char *name, struct netdev *out, struct error *err);
/* Hardware, or a virtual machine's view of it: native XDP is worth it there. */
bool netdev_is_physical(const struct netdev *dev);
/* The hooks read Ethernet frames; tunnels and the like carry none. */
bool netdev_is_ethernet(const struct netdev *dev);

#endif
