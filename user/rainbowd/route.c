// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Two questions and a hint by rtnetlink(7), one answer each. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include "common/addr.h"
#include "route.h"

#define ANSWER_SIZE 8192

struct question {
	struct nlmsghdr header;
	union {
		struct rtmsg route;
		struct ndmsg neighbour;
	} body;
	char attributes[64];
};

static int family_of(const struct rainbow_addr *addr)
{
	return addr_is_v4(addr) ? AF_INET : AF_INET6;
}

static void append_addr(struct question *question, unsigned short type, const struct rainbow_addr *addr)
{
	size_t length = addr_is_v4(addr) ? 4 : 16;
	struct rtattr *attribute = (struct rtattr *)((char *)question + NLMSG_ALIGN(question->header.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = (unsigned short)RTA_LENGTH(length);
	memcpy(RTA_DATA(attribute), addr->octet + 16 - length, length);
	question->header.nlmsg_len = NLMSG_ALIGN(question->header.nlmsg_len) + RTA_ALIGN(attribute->rta_len);
}

/* False if it has the size of neither family. */
static bool read_addr(const struct rtattr *attribute, struct rainbow_addr *out)
{
	static const struct rainbow_addr v4 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}};
	size_t length = RTA_PAYLOAD(attribute);

	if (length != 4 && length != 16)
		return false;
	*out = v4;
	memcpy(out->octet + 16 - length, RTA_DATA(attribute), length);
	return true;
}

/* The length of the answer, or -errno: that of the kernel where it refuses. */
static ssize_t ask(const struct question *question, char *answer)
{
	const struct nlmsghdr *header = (const struct nlmsghdr *)answer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	ssize_t length;

	if (fd < 0)
		return -errno;
	length = send(fd, question, question->header.nlmsg_len, 0);
	if (length >= 0)
		length = recv(fd, answer, ANSWER_SIZE, 0);
	if (length < 0)
		length = -errno;
	close(fd);
	if (length >= 0 && !NLMSG_OK(header, (size_t)length))
		return -EPROTO;
	if (length >= 0 && header->nlmsg_type == NLMSG_ERROR)
		return ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
	return length;
}

static void read_route(const struct nlmsghdr *header, struct route_answer *out)
{
	const struct rtmsg *route = NLMSG_DATA(header);
	const struct rtattr *attribute = RTM_RTA(route);
	int left = (int)RTM_PAYLOAD(header);

	memset(out, 0, sizeof(*out));
	out->local = route->rtm_type == RTN_LOCAL;
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		if (attribute->rta_type == RTA_OIF && RTA_PAYLOAD(attribute) == sizeof(out->ifindex))
			memcpy(&out->ifindex, RTA_DATA(attribute), sizeof(out->ifindex));
		if (attribute->rta_type == RTA_GATEWAY)
			out->has_gateway = read_addr(attribute, &out->gateway);
	}
}

int route_get(const struct rainbow_addr *addr, struct route_answer *out)
{
	struct question question = {
	    .header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)),
		       .nlmsg_type = RTM_GETROUTE,
		       .nlmsg_flags = NLM_F_REQUEST},
	    .body.route = {.rtm_family = (unsigned char)family_of(addr), .rtm_dst_len = addr_is_v4(addr) ? 32 : 128},
	};
	_Alignas(struct nlmsghdr) char answer[ANSWER_SIZE] = {0}; /* one that is too short reads as zeros */
	const struct nlmsghdr *header = (const struct nlmsghdr *)answer;
	ssize_t length;

	append_addr(&question, RTA_DST, addr);
	length = ask(&question, answer);
	if (length < 0)
		return (int)length;
	if (header->nlmsg_type != RTM_NEWROUTE || header->nlmsg_len < NLMSG_LENGTH(sizeof(struct rtmsg)))
		return -EPROTO;
	read_route(header, out);
	return 0;
}

int neighbour_get(uint32_t ifindex, const struct rainbow_addr *addr)
{
	struct question question = {
	    .header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ndmsg)),
		       .nlmsg_type = RTM_GETNEIGH,
		       .nlmsg_flags = NLM_F_REQUEST},
	    .body.neighbour = {.ndm_family = (unsigned char)family_of(addr), .ndm_ifindex = (int)ifindex},
	};
	_Alignas(struct nlmsghdr) char answer[ANSWER_SIZE] = {0}; /* one that is too short reads as zeros */
	const struct nlmsghdr *header = (const struct nlmsghdr *)answer;
	ssize_t length;

	append_addr(&question, NDA_DST, addr);
	length = ask(&question, answer);
	if (length == -ENOENT)
		return 0;
	if (length < 0)
		return (int)length;
	return header->nlmsg_type == RTM_NEWNEIGH ? ((const struct ndmsg *)NLMSG_DATA(header))->ndm_state : -EPROTO;
}

int neighbour_use(uint32_t ifindex, const struct rainbow_addr *addr)
{
	struct question question = {
	    .header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ndmsg)),
		       .nlmsg_type = RTM_NEWNEIGH,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK},
	    .body.neighbour = {.ndm_family = (unsigned char)family_of(addr), .ndm_ifindex = (int)ifindex, .ndm_flags = NTF_USE},
	};
	_Alignas(struct nlmsghdr) char answer[ANSWER_SIZE] = {0}; /* one that is too short reads as zeros */

	append_addr(&question, NDA_DST, addr);
	return (int)ask(&question, answer);
}
