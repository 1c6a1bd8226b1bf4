// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A stream of datagrams into an interface: see stream.h. */
#include <arpa/inet.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <cmocka.h>
#include "stream.h"

static void *stream_run(void *arg)
{
	struct stream *stream = arg;
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("v1"), .sll_halen = 6};
	struct {
		struct ethhdr eth;
		struct iphdr ip;
		struct udphdr udp;
		uint8_t data[8];
	} __attribute__((packed)) frame = {
	    .eth = {.h_proto = htons(ETH_P_IP)},
	    .ip = {.version = 4, .ihl = 5, .tot_len = htons(36), .ttl = 64, .protocol = 17},
	    .udp = {.source = htons(1234), .dest = htons(STREAM_PORT), .len = htons(16)},
	};
	struct timespec pause_us = {.tv_nsec = 20 * 1000};
	struct ifreq request = {.ifr_name = "v0"};
	int fd = socket(AF_PACKET, SOCK_RAW, 0), i;
	uint16_t words[10];
	uint32_t sum = 0;

	ioctl(fd, SIOCGIFHWADDR, &request);
	memcpy(frame.eth.h_dest, request.ifr_hwaddr.sa_data, 6);
	frame.eth.h_source[0] = 2;
	frame.ip.saddr = inet_addr("10.9.0.2");
	frame.ip.daddr = inet_addr("10.9.0.1");
	memcpy(words, &frame.ip, sizeof(words));
	for (i = 0; i < 10; i++)
		sum += words[i];
	frame.ip.check = (uint16_t) ~((sum & 0xffff) + (sum >> 16));
	while (!__atomic_load_n(&stream->stop, __ATOMIC_RELAXED)) {
		if (sendto(fd, &frame, sizeof(frame), 0, (struct sockaddr *)&to, sizeof(to)) > 0)
			stream->sent++;
		nanosleep(&pause_us, NULL);
	}
	close(fd);
	return NULL;
}

unsigned stream_received(struct stream *stream)
{
	unsigned count = 0;
	char data[64];

	while (recv(stream->receiver, data, sizeof(data), MSG_DONTWAIT) >= 0)
		count++;
	return count;
}

void stream_begin(struct stream *stream)
{
	struct sockaddr_in at = {
	    .sin_family = AF_INET, .sin_port = htons(STREAM_PORT), .sin_addr.s_addr = inet_addr("10.9.0.1")};

	*stream = (struct stream){.receiver = socket(AF_INET, SOCK_DGRAM, 0)};
	assert_int_equal(bind(stream->receiver, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(pthread_create(&stream->thread, NULL, stream_run, stream), 0);
}

void stream_end(struct stream *stream)
{
	__atomic_store_n(&stream->stop, true, __ATOMIC_RELAXED);
	pthread_join(stream->thread, NULL);
	close(stream->receiver);
}
