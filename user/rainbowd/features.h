/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What of the kernel rainbow makes use of where it is there, and does without where not. Each is found by asking the kernel for
 * the thing itself, never by a version number; asking changes nothing. Used by doctor.
 */
#ifndef RAINBOW_FEATURES_H
#define RAINBOW_FEATURES_H

#include <stdbool.h>
#include <stddef.h>

struct feature {
	const char *name;
	bool there;
	const char *used; /* the thing itself, or what stands in for it */
};

#define FEATURES_MAX 16

/* Fills in up to FEATURES_MAX; returns how many. */
size_t features_probe(struct feature *features);

#endif
