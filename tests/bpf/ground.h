/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ground to test the kernel side on: a network and a mount namespace of this process alone, without a bpffs. All that is
 * attached, pinned or mounted here vanishes with the process, however it ends.
 */
#ifndef RAINBOW_TESTS_GROUND_H
#define RAINBOW_TESTS_GROUND_H

#include <stdint.h>

struct bpf_map_info;

#define GROUND_PIN_DIR "/sys/fs/bpf/rainbow/v2"

/* Leaves the program, saying so aloud, where it may not be root. */
void ground_make(const char *test);
/* Runs a command; fails the test if it fails. */
void ground_run(const char *format, ...) __attribute__((format(printf, 1, 2)));
int ground_fork(void);               /* as fork(2); the child does not outlive us, and not a minute */
int ground_pinned(const char *name); /* whether there is a pin of that name */
int ground_open(const char *name);   /* its descriptor, or a failed test */

#endif
