# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A fuzzer FUZZ is LLVMFuzzerTestOneInput over fuzz/FUZZ_src. It is built twice: as a program of the tests, which replays its corpus
# (tests/fuzz/replay.c, any compiler, SAN= as you like), and by `make fuzzers` with libFuzzer, ASan and UBSan.
# COVERAGE=1 (with a BUILD of its own) builds the latter for llvm-cov as well: see docs/fuzz.md.
fuzzers :=
fuzz_native_src := $(addprefix tests/fuzz/,core.c native.c native_maps.c town.c invariants.c) tests/bpf/packet.c \
                   tests/bpf/packet_check.c

fuzzers += core
fuzz/core_src := tests/fuzz/fuzz_core.c $(fuzz_native_src)

# The readers of user space. They link their program whole, but for its main and what they include.
fuzzers += text cli answer store snapshot options request document
fuzz/text_src    := tests/fuzz/fuzz_text.c $(addprefix user/common/,addr.c duration.c error.c text.c) user/rainbowd/hook_wish.c
fuzz/cli_src     := tests/fuzz/fuzz_cli.c $(filter-out user/rainbowctl/main.c,$(ctl_src)) $(common_src)
fuzz/cli_libs    := $(libs_ctl)
fuzz/answer_src  := tests/fuzz/fuzz_answer.c $(filter-out user/rainbowctl/main.c,$(ctl_src)) $(common_src)
fuzz/answer_libs := $(libs_ctl)
fuzz/store_src   := tests/fuzz/fuzz_store.c $(addprefix user/rainbowd/,store.c store_rows.c store_history.c store_json.c rollout.c rollout_json.c json_reader.c drain_duty.c note.c shapes.c model.c words.c) $(common_src)
fuzz/store_libs  := -lsqlite3 -ljansson -lm
fuzz/snapshot_src := tests/fuzz/fuzz_snapshot.c user/rainbowd/snapshot.c $(common_src)
fuzz/snapshot_libs := -lz -ljansson -lm
fuzz/options_src := tests/fuzz/fuzz_options.c $(filter-out user/rainbowd/main.c,$(daemon_src)) $(common_src)
fuzz/options_libs := $(libs_daemon)
fuzz/request_src := tests/fuzz/fuzz_request.c $(filter-out user/rainbowd/main.c user/rainbowd/api.c,$(daemon_src)) $(common_src)
fuzz/request_libs := $(libs_daemon)
fuzzers += prometheus
fuzz/prometheus_src := tests/fuzz/fuzz_prometheus.c user/rainbowd/prometheus.c $(common_src)
fuzz/prometheus_libs := -ljansson -lm

fuzz/document_src := tests/fuzz/fuzz_document.c $(addprefix user/rainbowctl/,yaml.c yaml_place.c yaml_print.c) $(common_src)
fuzz/document_libs := -lyaml -ljansson -lm

# The kernel's programs beside their native twins.
programs += bpf/test_differential
bpf/test_differential_src := tests/fuzz/test_differential.c $(filter-out $(world_src),$(fuzz_native_src)) $(world_src)
bpf/test_differential_libs := -lbpf -lelf -lz

# What no packet reaches of them.
programs += unit/test_core
unit/test_core_src := tests/unit/test_core.c $(fuzz_native_src)
unit/test_core_libs := -lcmocka

# --- how they are built -------------------------------------------------------------------------------------------------
define fuzz_program
programs += fuzz/$(1)
fuzz/$(1)_replay_src := $$(fuzz/$(1)_src)
fuzz/$(1)_src += tests/fuzz/replay.c
endef
$(foreach f,$(fuzzers),$(eval $(call fuzz_program,$(f))))

# Unaligned reads are right for packets (and checked by the verifier where they are not). core.c without optimisation: with it and
# both sanitizers it takes minutes to compile.
fuzz_cflags := $(filter-out -fsanitize=%,$(cflags)) -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=alignment \
               -fno-sanitize-recover=all -fno-omit-frame-pointer $(if $(COVERAGE),-fprofile-instr-generate -fcoverage-mapping)
$(BUILD)/fuzz/tests/fuzz/core.o: fuzz_cflags += -O0
$(BUILD)/tests/fuzz/core.o: cflags += -fno-sanitize=alignment
fuzz_objects = $(patsubst %.c,$(BUILD)/fuzz/%.o,$(1))

$(BUILD)/fuzz/%.o: %.c Makefile tests/fuzz/sources.mk
	$(say) FUZZCC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(fuzz_cflags) -MMD -MP -c $< -o $@

define fuzz_rules
$(BUILD)/fuzz/fuzz_$(1): $(call fuzz_objects,$(fuzz/$(1)_replay_src))
	$$(say) LINK $$@
	$$(Q)$$(CLANG) -fsanitize=fuzzer,address,undefined $(if $(COVERAGE),-fprofile-instr-generate) $$^ -o $$@ $(fuzz/$(1)_libs)
endef
$(foreach f,$(fuzzers),$(eval $(call fuzz_rules,$(f))))
# Some include the skeleton.
$(BUILD)/fuzz/%.o: | $(BUILD)/bpf/rainbow.skel.h

.PHONY: fuzzers fuzz
fuzzers: $(patsubst %,$(BUILD)/fuzz/fuzz_%,$(fuzzers))

TIME ?= 60
fuzz:
	@scripts/install-deps.sh build test
	@$(MAKE) fuzzers test-programs
	@BUILD=$(BUILD) tests/fuzz/run.sh --seconds $(TIME) $(or $(FUZZ),$(fuzzers))
