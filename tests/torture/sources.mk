# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
programs += torture/oracle torture/stranger
torture/oracle_src    := tests/torture/oracle.c tests/torture/oracle_crowd.c tests/torture/oracle_session.c \
                         tests/torture/oracle_excuse.c $(lab_agent_src)
torture/oracle_libs   := -ljansson
torture/stranger_src  := tests/torture/stranger.c user/common/addr.c user/common/duration.c user/common/error.c user/common/text.c
torture/stranger_libs :=

# Not a program, but the chaos needs it.
test-programs: $(BUILD)/tests/torture/weather.bpf.o
$(BUILD)/tests/torture/weather.bpf.o: tests/torture/weather.bpf.c Makefile
	$(say) CLANG $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(bpf_cflags) -c $< -o $@
torture/oracle_needs := $(BUILD)/tests/torture/weather.bpf.o
