/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stands in for libbpf's bpf_helpers.h where a kernel program is compiled for user space: included ahead of the program, it takes
 * that header's guard. The helpers are those of native.c; a map is told by its definition (type, sizes), whatever its name.
 */
#ifndef RAINBOW_FUZZ_NATIVE_HELPERS_H
#define RAINBOW_FUZZ_NATIVE_HELPERS_H
#define __BPF_HELPERS__

#include <linux/bpf.h>
#include "tests/fuzz/native.h"

/* Not always: with sanitizers in it, a program that is one function takes minutes to compile. */
#undef __always_inline
#define __always_inline inline
#undef __noinline
#define __noinline         __attribute__((noinline))
#define SEC(name)          __attribute__((used))
#define __uint(name, val)  int(*name)[val]
#define __type(name, val)  typeof(val) *name
#define __array(name, val) typeof(val) *name[]
#ifndef NULL
#define NULL ((void *)0)
#endif

#define NATIVE_MAP(map)                                                                                                        \
	({                                                                                                                     \
		static struct native_map *made;                                                                                \
		made                                                                                                           \
		    ?: (made = native_map_of((map), &(const struct native_definition){                                         \
							.name = #map,                                                          \
							.type = sizeof(*(map)->type) / sizeof(int),                            \
							.entries = sizeof(*(map)->max_entries) / sizeof(int),                  \
							.key_size = sizeof(*(map)->key),                                       \
							.value_size = sizeof(*(map)->value),                                   \
						    }));                                                                       \
	})

#define bpf_map_lookup_elem(map, key)                native_lookup(NATIVE_MAP(map), key)
#define bpf_map_update_elem(map, key, value, flags)  native_update(NATIVE_MAP(map), key, value, flags)
#define bpf_map_delete_elem(map, key)                native_delete(NATIVE_MAP(map), key)
#define bpf_for_each_map_elem(map, each, arg, flags) native_for_each(NATIVE_MAP(map), (native_each)(each), arg)
#define bpf_loop(count, step, arg, flags)            native_loop(count, (native_step)(step), arg)

#define bpf_jiffies64()           (native.jiffies)
#define bpf_ktime_get_ns()        (native.ns)
#define bpf_ktime_get_coarse_ns() (native.ns)
#define bpf_get_prandom_u32()     (native.random)

#define bpf_xdp_load_bytes(ctx, offset, to, size) native_load_bytes(offset, to, size)
#define bpf_skb_load_bytes(skb, offset, to, size) native_load_bytes(offset, to, size)

#define bpf_fib_lookup(ctx, ask, size, flags)             native_fib(ask, size, flags)
#define bpf_redirect(ifindex, flags)                      native_redirect(ifindex, flags)
#define bpf_redirect_neigh(ifindex, to, size, flags)      native_redirect_neigh(ifindex, flags)
#define bpf_xdp_adjust_tail(ctx, change)                  native_xdp_adjust_tail(ctx, change)
#define bpf_skb_pull_data(skb, length)                    native_skb_pull_data(skb, length)
#define bpf_skb_change_tail(skb, length, flags)           native_skb_change_tail(skb, length, flags)
#define bpf_l4_csum_replace(skb, offset, from, to, flags) native_l4_csum_replace(skb, offset, from, to, flags)
#define bpf_csum_update(skb, sum)                         native_csum_update(skb, sum)

#endif
