# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
$(BUILD)/tests/bench/%.bpf.o: tests/bench/%.bpf.c Makefile
	$(say) CLANG $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(bpf_cflags) -I. -MMD -MP -c $< -o $@

$(BUILD)/tests/bench/%.skel.h: $(BUILD)/tests/bench/%.bpf.o
	$(say) SKEL $@
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst -,_,$*)_bpf > $@

programs += bench/bench
bench/bench_src := tests/bench/bench.c tests/bench/population.c tests/bpf/scene.c tests/bpf/packet.c tests/bpf/world.c \
                   tests/bpf/world_maps.c tests/bpf/world_signals.c tests/bpf/table.c user/rainbowd/pin_table.c user/rainbowd/pin_walk.c user/rainbowd/nursery.c
bench/bench_libs := -lbpf -lelf -lz
bench/bench_needs := $(BUILD)/tests/bench/floor.skel.h
