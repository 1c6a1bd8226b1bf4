/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where the lab's eye looks. Each returns a value of libjq that the caller frees; an invalid one with a message if nothing is there. */
#ifndef RAINBOW_LAB_EYE_H
#define RAINBOW_LAB_EYE_H

#include <jv.h>

/* The pinned map as `bpftool -j map dump` shows it, typed by its BTF; of an array without the elements that are all zeros. */
jv eye_map(const char *pin);

/* What an agent answers to a command on its control socket. */
jv eye_agent(const char *path, const char *command);

/* What rainbowd answers to GET of this path of its API. */
jv eye_api(const char *socket, const char *path);

/* An invalid value that says this. */
jv eye_nothing(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
