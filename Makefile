# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# rainbow: `make help` lists what can be made.
# V=1 shows the commands, SAN=address,undefined builds user space with sanitizers, WERROR=1 makes warnings errors.

VERSION   := 0.1.0
PREFIX    ?= /usr/local
SBINDIR   ?= $(PREFIX)/sbin
MANDIR    ?= $(PREFIX)/share/man
COMPDIR   ?= $(PREFIX)/share/bash-completion/completions
SAN       ?=
BUILD     ?= build$(if $(SAN),-san)
CC        ?= gcc
CLANG     ?= clang
BPFTOOL   ?= $(shell command -v bpftool || echo /usr/sbin/bpftool)

ifeq ($(V),1)
Q :=
say :=
else
Q := @
say = @printf '  %-8s %s\n'
MAKEFLAGS += --no-print-directory
endif

werror    := $(if $(WERROR)$(CI),-Werror)
packages  := libbpf libevent jansson sqlite3 libcurl yaml-0.1
pkg_cflags := $(shell pkg-config --cflags $(packages) 2>/dev/null)
libs_daemon := -lbpf -lelf -lz -levent -lcurl -ljansson -lsqlite3 -lpthread -lm
libs_ctl    := -lcurl -ljansson -lyaml -lm

CFLAGS    ?= -O2 -g
cflags    := -std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-missing-field-initializers \
             $(werror) -D_GNU_SOURCE -DRAINBOW_RELEASE='"$(VERSION)"' -Iheaders -Iuser -I$(BUILD) -I. $(pkg_cflags) \
             $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all) $(CFLAGS)
ldflags   := $(if $(SAN),-fsanitize=$(SAN)) $(LDFLAGS)
# The BPF headers of the multiarch folder, which `-target bpf` does not search by itself.
bpf_cflags := -O2 -g -target bpf -mcpu=v3 -std=gnu11 -Wall -Wextra -Wno-unused-function -Wno-unused-parameter \
             $(werror) -Iheaders -Ibpf -I/usr/include/$(shell $(CC) -print-multiarch)

common_src := $(wildcard user/common/*.c)
daemon_src := $(wildcard user/rainbowd/*.c)
ctl_src    := $(wildcard user/rainbowctl/*.c)
objects     = $(patsubst %.c,$(BUILD)/%.o,$(1))

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all help test-programs install uninstall clean format lint check check-sanitizers check-valgrind check-kernels coverage \
        demo bench bench-peers torture deps

all: $(BUILD)/rainbowd $(BUILD)/rainbowctl ## build rainbowd and rainbowctl into build/

help: ## this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@printf '  make %-16s %s\n' fuzz "every reader of outside bytes under libFuzzer; TIME=60 seconds each, FUZZ='core store' some"
	@printf '  %s\n' "V=1 shows commands; SAN=address,undefined adds sanitizers; PREFIX=, DESTDIR= for install"

# --- the kernel side, embedded by its skeleton -------------------------------------------------------------------------
$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c Makefile
	$(say) CLANG $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(bpf_cflags) -MMD -MP -c $< -o $@

$(BUILD)/bpf/%.skel.h: $(BUILD)/bpf/%.bpf.o
	$(say) SKEL $@
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst -,_,$*)_bpf > $@

# --- user space ---------------------------------------------------------------------------------------------------------
$(BUILD)/%.o: %.c Makefile
	$(say) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(cflags) -MMD -MP -c $< -o $@

$(call objects,$(daemon_src)): | $(BUILD)/bpf/rainbow.skel.h

$(BUILD)/rainbowd: $(call objects,$(daemon_src) $(common_src))
	$(say) LINK $@
	$(Q)$(CC) $(ldflags) $^ -o $@ $(libs_daemon)

$(BUILD)/rainbowctl: $(call objects,$(ctl_src) $(common_src))
	$(say) LINK $@
	$(Q)$(CC) $(ldflags) $^ -o $@ $(libs_ctl)

# --- tests: each folder names its programs and what they link -----------------------------------------------------------
# In tests/*/sources.mk: programs += NAME; NAME_src := files; NAME_libs := -l...; NAME_needs := order-only prerequisites
programs :=
include $(wildcard tests/*/sources.mk)

define program_rules
$(call objects,$($(1)_src)): | $(BUILD)/bpf/rainbow.skel.h $($(1)_needs)
$(BUILD)/tests/$(1): $(call objects,$($(1)_src))
	$$(say) LINK $$@
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC) $$(ldflags) $$^ -o $$@ $($(1)_libs)
endef
$(foreach p,$(programs),$(eval $(call program_rules,$(p))))

test-programs: $(patsubst %,$(BUILD)/tests/%,$(programs))

# --- the two commands ---------------------------------------------------------------------------------------------------
# Both install what is missing, build, and clean up after themselves. They need root: they load BPF and make namespaces.
check: ## all tests: unit, bpf, e2e (root; installs what is missing)
	@scripts/check.sh $(CHECK)

check-kernels: ## the bpf tests and a short e2e on Debian's stock 6.1 and 6.12 kernels, in QEMU (root; fetches them once)
	@scripts/check-kernels.sh $(CHECK)

demo: ## real sessions routed, ramped, rolled back and drained, in namespaces (root; installs what is missing)
	@scripts/install-deps.sh build demo
	@$(MAKE) all test-programs
	@scripts/demo.sh

bench: ## ns per packet as ratios to a floor; set-weight, sweep and memory at a million pins (root)
	@scripts/install-deps.sh build test
	@$(MAKE) all test-programs
	@scripts/bench.sh

bench-peers: ## rainbow beside nftables, HAProxy, nginx and plain forwarding; writes docs/comparison.md (root; PEERS="--rounds 3")
	@scripts/install-deps.sh build test peers
	@$(MAKE) all test-programs
	@scripts/bench-peers.sh $(PEERS)

torture: ## thousands of real sessions under a seeded chaos: SEED= TIME=10m SESSIONS=50000 TOPOLOGY= EVENTS= (root)
	@scripts/install-deps.sh build test
	@$(MAKE) all test-programs
	@$(MAKE) BUILD=$(BUILD)/next VERSION=next $(BUILD)/next/rainbowd
	@BUILD=$(BUILD) scripts/torture.sh $(if $(SEED),SEED=$(SEED)) TIME=$(or $(TIME),10m) SESSIONS=$(or $(SESSIONS),50000) \
		$(if $(TOPOLOGY),TOPOLOGY=$(TOPOLOGY)) $(if $(EVENTS),EVENTS="$(EVENTS)")

deps: ## install the packages that building and testing need (root)
	@scripts/install-deps.sh

format: ## clang-format everything that is C
	@git ls-files '*.c' '*.h' | xargs clang-format -i

# --- looking for mistakes: each target installs the tools it needs -------------------------------------------------------
lint: export LINT_CFLAGS = $(subst ',,$(cflags))
lint: export LINT_BPF_CFLAGS = $(bpf_cflags) -I.
lint: ## format, shellcheck, man pages, cppcheck, clang-tidy; every finding is an error
	@scripts/install-deps.sh build test lint
	@$(MAKE) $(patsubst %,$(BUILD)/%.skel.h,bpf/rainbow $(patsubst %.bpf.c,%,$(wildcard tests/bench/*.bpf.c)))
	@scripts/lint.sh $(CHECK)

check-sanitizers: ## unit and e2e tests with address, leak and undefined-behaviour sanitizers, lines counted (root)
	@scripts/sanitizers.sh $(CHECK)

check-valgrind: ## rainbowd under valgrind, steered through its API (root)
	@scripts/install-deps.sh build test lint
	@$(MAKE) all test-programs $(BUILD)/tests/memcheck/kernel_wrote.so
	@tests/memcheck/rainbowd.sh

coverage: ## lines that check-sanitizers ran, by folder and file (root)
	@scripts/install-deps.sh build test lint
	@scripts/coverage.sh

install: all ## install into $(DESTDIR)$(PREFIX)
	install -D -m 755 $(BUILD)/rainbowd $(DESTDIR)$(SBINDIR)/rainbowd
	install -D -m 755 $(BUILD)/rainbowctl $(DESTDIR)$(SBINDIR)/rainbowctl
	install -D -m 644 user/rainbowd/rainbowd.8 $(DESTDIR)$(MANDIR)/man8/rainbowd.8
	install -D -m 644 user/rainbowctl/rainbowctl.8 $(DESTDIR)$(MANDIR)/man8/rainbowctl.8
	$(BUILD)/rainbowctl completion bash > $(BUILD)/rainbowctl.bash
	install -D -m 644 $(BUILD)/rainbowctl.bash $(DESTDIR)$(COMPDIR)/rainbowctl

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(SBINDIR)/rainbowd $(DESTDIR)$(SBINDIR)/rainbowctl $(DESTDIR)$(MANDIR)/man8/rainbowd.8 \
	      $(DESTDIR)$(MANDIR)/man8/rainbowctl.8 $(DESTDIR)$(COMPDIR)/rainbowctl

clean: ## remove build/, build-san/ and build-cov/
	rm -rf build build-san build-cov

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
