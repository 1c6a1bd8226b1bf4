/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The directory on a bpffs where one rainbowd keeps its maps and links. Private to the files that talk to libbpf. Holding it
 * is holding its flock: the kernel gives that back whatever way the holder dies.
 */
#ifndef RAINBOW_PIN_DIR_H
#define RAINBOW_PIN_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include "common/error.h"

#define PIN_DIR_PATH_SIZE 256
#define PIN_PATH_SIZE     (PIN_DIR_PATH_SIZE + 64)

struct pin_dir {
	char path[PIN_DIR_PATH_SIZE];
	int fd; /* -1: not held */
};

/*
 * Takes the directory. make: mounts a bpffs at /sys/fs/bpf if there is none, and makes the directory. Not there and not to be
 * made: -ERROR_NOT_FOUND. Held by another process: -ERROR_CONFLICT, naming it.
 */
int pin_dir_open(struct pin_dir *dir, const char *path, bool make, struct error *err);
void pin_dir_close(struct pin_dir *dir);

bool pin_dir_has(const struct pin_dir *dir, const char *name);
/* The path of one pin, for bpf(2), which takes no directory descriptor. Returns buf. */
const char *pin_dir_path(const struct pin_dir *dir, const char *name, char buf[PIN_PATH_SIZE]);
/*
 * What is pinned under the name, and pinning: by the descriptor that holds the directory, so also where its bpffs has been unmounted
 * meanwhile. A descriptor, 0 or -errno.
 */
int pin_dir_get(const struct pin_dir *dir, const char *name);
int pin_dir_put(const struct pin_dir *dir, const char *name, int fd);
/* 0, -errno; a pin that is not there is no error. */
int pin_dir_unlink(const struct pin_dir *dir, const char *name);
/* Calls each for every pin; it may unlink the one it is shown. */
int pin_dir_each(const struct pin_dir *dir, void (*each)(const char *name, void *arg), void *arg, struct error *err);
/* Removes the directory itself, and the one above it if that is empty then. */
int pin_dir_remove(const struct pin_dir *dir, struct error *err);

#endif
