# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Not a program, and needs valgrind's headers: only `make check-valgrind` makes it.
$(BUILD)/tests/memcheck/kernel_wrote.so: tests/memcheck/kernel_wrote.c Makefile
	$(say) LINK $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(cflags) -Wno-missing-prototypes -fPIC -shared $< -o $@ -ldl
