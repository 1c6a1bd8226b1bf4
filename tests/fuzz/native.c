/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The packet and the helpers of native.h. A context holds addresses in 32 bits; so the packet lies below 4 GiB, and programs are
 * compiled as they are. Helpers check as the kernel's do (net/core/filter.c), and fail where those fail.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "tests/fuzz/native.h"
#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size)   ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

#define LOW_ADDRESS 0x20000000ul
#define MARGIN      64 /* poisoned, on both sides */

struct native native;

static struct {
	uint8_t *start; /* of the packet; a multiple of 8, which poisoning by the byte needs */
	struct xdp_md xdp;
	struct __sk_buff skb;
} buffer;

void native_poison(const void *at, size_t size)
{
	ASAN_POISON_MEMORY_REGION(at, size);
}

void native_unpoison(const void *at, size_t size)
{
	ASAN_UNPOISON_MEMORY_REGION(at, size);
}

/* --- the packet ------------------------------------------------------------------------------------------------------------- */

static void buffer_make(void)
{
	size_t size = NATIVE_ROOM + 2 * MARGIN;
	uint8_t *memory =
	    mmap((void *)LOW_ADDRESS, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (memory != (uint8_t *)LOW_ADDRESS) {
		perror("native: no memory at the address that packets lie at");
		abort();
	}
	buffer.start = memory + MARGIN;
}

/* Only these bytes are the program's. */
static void buffer_show(size_t length)
{
	native_poison(buffer.start - MARGIN, NATIVE_ROOM + 2 * MARGIN);
	native_unpoison(buffer.start, length);
}

static uint32_t low(const uint8_t *at)
{
	return (uint32_t)(uintptr_t)at;
}

void native_receive(const struct native_packet *packet)
{
	size_t linear = packet->hook == NATIVE_XDP || packet->linear > packet->length ? packet->length : packet->linear;

	if (!buffer.start)
		buffer_make();
	if (packet->length > NATIVE_ROOM)
		abort();
	native.hook = packet->hook;
	native_unpoison(buffer.start, NATIVE_ROOM);
	memcpy(buffer.start, packet->bytes, packet->length);
	buffer_show(linear);
	buffer.xdp = (struct xdp_md){
	    .data = low(buffer.start),
	    .data_end = low(buffer.start + packet->length),
	    .data_meta = low(buffer.start),
	    .ingress_ifindex = packet->ifindex,
	};
	buffer.skb = (struct __sk_buff){
	    .data = low(buffer.start),
	    .data_end = low(buffer.start + linear),
	    .data_meta = low(buffer.start),
	    .len = (uint32_t)packet->length,
	    .ifindex = packet->ifindex,
	    .ingress_ifindex = packet->ifindex,
	    .gso_size = packet->gso_size,
	    .vlan_present = packet->vlan_present,
	    .pkt_type = packet->type,
	};
}

struct xdp_md *native_xdp(void)
{
	return &buffer.xdp;
}

struct __sk_buff *native_skb(void)
{
	return &buffer.skb;
}

size_t native_send(uint8_t out[NATIVE_ROOM])
{
	size_t length = native.hook == NATIVE_XDP ? buffer.xdp.data_end - buffer.xdp.data : buffer.skb.len;

	native_unpoison(buffer.start, length);
	memcpy(out, buffer.start, length);
	return length;
}

/* --- helpers ---------------------------------------------------------------------------------------------------------------- */

long native_fib(struct bpf_fib_lookup *ask, int size, uint32_t flags)
{
	if (size != (int)sizeof(*ask) || flags)
		return -EINVAL;
	return native.fib ? native.fib(ask) : BPF_FIB_LKUP_RET_NOT_FWDED;
}

long native_redirect(uint32_t ifindex, uint64_t flags)
{
	(void)ifindex;
	if (native.hook == NATIVE_XDP)
		return flags ? XDP_ABORTED : XDP_REDIRECT;
	return flags & ~(uint64_t)BPF_F_INGRESS ? TC_ACT_SHOT : TC_ACT_REDIRECT;
}

long native_redirect_neigh(uint32_t ifindex, uint64_t flags)
{
	(void)ifindex;
	return flags ? TC_ACT_SHOT : TC_ACT_REDIRECT;
}

/* Fragments, too. */
long native_load_bytes(uint32_t offset, void *to, uint32_t size)
{
	uint32_t length = native.hook == NATIVE_XDP ? buffer.xdp.data_end - buffer.xdp.data : buffer.skb.len;
	uint32_t linear = native.hook == NATIVE_XDP ? length : buffer.skb.data_end - buffer.skb.data;

	if (offset > length || size > length - offset)
		return native.hook == NATIVE_XDP ? -EINVAL : -EFAULT;
	native_unpoison(buffer.start, length);
	memcpy(to, buffer.start + offset, size);
	buffer_show(linear);
	return 0;
}

long native_xdp_adjust_tail(struct xdp_md *ctx, int change)
{
	long length = (long)(ctx->data_end - ctx->data) + change;

	if (length < 14 || length > NATIVE_ROOM)
		return -EINVAL;
	buffer_show((size_t)length);
	if (change > 0)
		memset(buffer.start + length - change, 0, (size_t)change);
	ctx->data_end = low(buffer.start + length);
	return 0;
}

static uint32_t linear_of(const struct __sk_buff *skb)
{
	return skb->data_end - skb->data;
}

long native_skb_pull_data(struct __sk_buff *skb, uint32_t length)
{
	if (length > skb->len)
		return -ENOMEM;
	if (length > linear_of(skb)) {
		buffer_show(length);
		skb->data_end = skb->data + length;
	}
	return 0;
}

long native_skb_change_tail(struct __sk_buff *skb, uint32_t length, uint64_t flags)
{
	uint32_t linear = linear_of(skb);

	if (flags || length > NATIVE_ROOM || length < 14)
		return -EINVAL;
	native_unpoison(buffer.start, NATIVE_ROOM);
	if (length > skb->len)
		memset(buffer.start + skb->len, 0, length - skb->len);
	skb->len = length;
	linear = linear < length ? linear : length;
	buffer_show(linear);
	skb->data_end = skb->data + linear;
	skb->gso_size = 0;
	return 0;
}

/* The kernel's arithmetic, in its order: 0 and 0xffff are alike as sums, not as bytes. */
static uint32_t sum_add(uint32_t a, uint32_t b)
{
	a += b;
	return a + (a < b);
}

static uint16_t sum_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	return (uint16_t)~sum;
}

/* Of a buffer whose checksum is complete (CHECKSUM_NONE). */
long native_l4_csum_replace(struct __sk_buff *skb, uint32_t offset, uint64_t from, uint64_t to, uint64_t flags)
{
	const uint64_t known = BPF_F_MARK_MANGLED_0 | BPF_F_MARK_ENFORCE | BPF_F_PSEUDO_HDR | BPF_F_HDR_FIELD_MASK;
	bool is_mangled_0 = flags & BPF_F_MARK_MANGLED_0;
	uint16_t field;

	if (flags & ~known)
		return -EINVAL;
	if (offset > 0xffff || offset & 1 || native_skb_pull_data(skb, offset + 2))
		return -EFAULT;
	memcpy(&field, buffer.start + offset, 2);
	if (is_mangled_0 && !(flags & BPF_F_MARK_ENFORCE) && !field)
		return 0;
	if (flags & BPF_F_HDR_FIELD_MASK || from)
		return -EINVAL; /* rainbow tells deltas only */
	field = sum_fold(sum_add((uint32_t)to, ~(uint32_t)field));
	if (is_mangled_0 && !field)
		field = 0xffff;
	memcpy(buffer.start + offset, &field, 2);
	return 0;
}

long native_csum_update(struct __sk_buff *skb, uint32_t sum)
{
	(void)skb;
	(void)sum;
	return -EOPNOTSUPP; /* only a buffer that a device has summed has such a sum */
}
