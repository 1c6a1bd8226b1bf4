# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
lab_agent_src := tests/lab/agent.c tests/lab/loop.c tests/lab/control.c user/common/addr.c user/common/duration.c \
                 user/common/error.c user/common/text.c

programs += lab/agent-server lab/agent-client lab/flood lab/eye
lab/agent-server_src  := tests/lab/agent-server.c tests/lab/server_session.c tests/lab/server_tcp.c tests/lab/server_udp.c \
                         $(lab_agent_src)
lab/agent-server_libs := -ljansson
lab/agent-client_src  := tests/lab/agent-client.c tests/lab/client_session.c tests/lab/client_socket.c tests/lab/client_crowd.c \
                         tests/lab/client_race.c $(lab_agent_src)
lab/agent-client_libs := -ljansson -lpthread
lab/flood_src  := tests/lab/flood.c user/common/addr.c user/common/duration.c user/common/error.c user/common/text.c
lab/flood_libs :=
lab/eye_src  := tests/lab/eye.c tests/lab/eye_map.c tests/lab/eye_socket.c
lab/eye_libs := -ljq -lbpf -lelf -lz

# Not a program, but the lab needs it.
test-programs: $(BUILD)/tests/lab/pass.bpf.o
$(BUILD)/tests/lab/pass.bpf.o: tests/lab/pass.bpf.c Makefile
	$(say) CLANG $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(bpf_cflags) -c $< -o $@
lab/agent-client_needs := $(BUILD)/tests/lab/pass.bpf.o
