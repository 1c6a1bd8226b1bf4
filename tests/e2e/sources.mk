# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Programs of the end-to-end tests that hold both ends of many sessions at once.
programs += e2e/churn e2e/forced e2e/frames e2e/race
e2e/churn_src   := tests/e2e/churn.c tests/e2e/ends.c
e2e/churn_libs  := -lpthread
e2e/forced_src  := tests/e2e/forced.c tests/e2e/ends.c
e2e/forced_libs := -lpthread
e2e/frames_src  := tests/e2e/frames.c tests/e2e/ends.c
e2e/frames_libs := -lpthread
e2e/race_src    := tests/e2e/race.c tests/e2e/ends.c
e2e/race_libs   := -lpthread
programs += e2e/blind
e2e/blind_src   := tests/e2e/blind.c tests/e2e/ends.c
e2e/blind_libs  := -lpthread
# No program: it is preloaded into rainbowd.
test-programs: $(BUILD)/tests/e2e/no_sweep.so
$(BUILD)/tests/e2e/no_sweep.so: tests/e2e/no_sweep.c Makefile
	$(say) LINK $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -fsanitize=%,$(cflags)) -Wno-missing-prototypes -fPIC -shared $< -o $@ -ldl
programs += e2e/last_chosen
e2e/last_chosen_src  := tests/e2e/last_chosen.c
e2e/last_chosen_libs := -lbpf -lelf -lz
