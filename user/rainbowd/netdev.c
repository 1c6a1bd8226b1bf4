// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Facts of an interface by rtnetlink(7) and ethtool: see netdev.h. */
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include "rainbowd/netdev.h"

/* An answer holds everything about one link; without IFLA_EXT_MASK no list of virtual functions. */
#define ANSWER_SIZE 32768

struct question {
	struct nlmsghdr header;
	struct ifinfomsg link;
	struct rtattr attribute;
	char name[IFNAMSIZ];
};

static int question_send(int fd, const char *name)
{
	struct question ask = {
	    .header = {.nlmsg_len = sizeof(ask), .nlmsg_type = RTM_GETLINK, .nlmsg_flags = NLM_F_REQUEST},
	    .link = {.ifi_family = AF_UNSPEC},
	    .attribute = {.rta_len = RTA_LENGTH(sizeof(ask.name)), .rta_type = IFLA_IFNAME},
	};

	snprintf(ask.name, sizeof(ask.name), "%s", name);
	return send(fd, &ask, sizeof(ask), 0) < 0 ? -errno : 0;
}

static void text_take(char *to, size_t size, const struct rtattr *attribute)
{
	snprintf(to, size, "%.*s", (int)RTA_PAYLOAD(attribute), (const char *)RTA_DATA(attribute));
}

static void kind_take(struct netdev *dev, const struct rtattr *info)
{
	const struct rtattr *inner = RTA_DATA(info);
	int left = (int)RTA_PAYLOAD(info);

	for (; RTA_OK(inner, left); inner = RTA_NEXT(inner, left))
		if (inner->rta_type == IFLA_INFO_KIND)
			text_take(dev->link_kind, sizeof(dev->link_kind), inner);
}

static void attribute_take(struct netdev *dev, const struct rtattr *attribute)
{
	switch (attribute->rta_type & NLA_TYPE_MASK) {
	case IFLA_IFNAME:
		text_take(dev->name, sizeof(dev->name), attribute);
		break;
	case IFLA_ADDRESS:
		if (RTA_PAYLOAD(attribute) == sizeof(dev->mac))
			memcpy(dev->mac, RTA_DATA(attribute), sizeof(dev->mac));
		break;
	case IFLA_MTU:
		if (RTA_PAYLOAD(attribute) == sizeof(dev->mtu))
			memcpy(&dev->mtu, RTA_DATA(attribute), sizeof(dev->mtu));
		break;
	case IFLA_LINKINFO:
		kind_take(dev, attribute);
		break;
	case IFLA_PARENT_DEV_NAME:
		dev->on_bus = true;
		break;
	}
}

static int answer_read(const struct nlmsghdr *header, ssize_t length, struct netdev *dev)
{
	const struct ifinfomsg *link = NLMSG_DATA(header);
	const struct rtattr *attribute = IFLA_RTA(link);
	int left = (int)IFLA_PAYLOAD(header);

	if (!NLMSG_OK(header, (size_t)length))
		return -EPROTO;
	if (header->nlmsg_type == NLMSG_ERROR)
		return ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
	if (header->nlmsg_type != RTM_NEWLINK || header->nlmsg_len < NLMSG_LENGTH(sizeof(*link)))
		return -EPROTO;
	dev->ifindex = (uint32_t)link->ifi_index;
	dev->type = link->ifi_type;
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		attribute_take(dev, attribute);
	return 0;
}

static int link_ask(const char *name, struct netdev *dev)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct nlmsghdr answer[ANSWER_SIZE / sizeof(struct nlmsghdr)];
	ssize_t length;
	int rc;

	if (fd < 0)
		return -errno;
	rc = question_send(fd, name);
	if (!rc) {
		length = recv(fd, answer, sizeof(answer), 0);
		rc = length < 0 ? -errno : answer_read(answer, length, dev);
	}
	close(fd);
	return rc;
}

static void driver_ask(struct netdev *dev)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq request = {.ifr_data = (char *)&info};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	memcpy(request.ifr_name, dev->name, sizeof(dev->name));
	if (!ioctl(fd, SIOCETHTOOL, &request))
		snprintf(dev->driver, sizeof(dev->driver), "%.31s", info.driver);
	close(fd);
}

int netdev_get(const char *name, struct netdev *out, struct error *err)
{
	int rc;

	memset(out, 0, sizeof(*out));
	rc = link_ask(name, out);
	if (rc == -ENODEV)
		return error_set(err, ERROR_NOT_FOUND, "interface",
				 "there is no interface %s in this network namespace; see `ip link`", name);
	if (rc)
		return error_set(err, ERROR_INTERNAL, "interface", "interface %s: rtnetlink says %s", name, strerror(-rc));
	driver_ask(out);
	return 0;
}

bool netdev_is_physical(const struct netdev *dev)
{
	return dev->on_bus && !dev->link_kind[0];
}

bool netdev_is_ethernet(const struct netdev *dev)
{
	return dev->type == ARPHRD_ETHER || dev->type == ARPHRD_LOOPBACK;
}
