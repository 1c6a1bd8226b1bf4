/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Looks for what makes rainbow fail in practice. Each finding names what was looked at, what was found, and where that is a trap,
 * the command that gets out of it. What can not be told from here is "unknown", not "ok".
 */
#ifndef RAINBOW_DOCTOR_H
#define RAINBOW_DOCTOR_H

#include <stddef.h>
#include "daemon.h"

enum doctor_verdict { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL, DOCTOR_UNKNOWN };

struct doctor_check {
	char name[24];
	char subject[96];
	enum doctor_verdict verdict;
	char fact[256];
	char fix[256]; /* "" where there is nothing to do */
};

struct doctor {
	struct daemon *daemon;
	struct doctor_check *checks;
	size_t count;
	size_t room;
};

const char *doctor_verdict_name(enum doctor_verdict verdict);
/* Appends a finding with its fact. */
struct doctor_check *doctor_add(struct doctor *doctor, const char *name, const char *subject, enum doctor_verdict verdict,
				const char *fact, ...) __attribute__((format(printf, 5, 6)));
void doctor_fix(struct doctor_check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));

void doctor_run(struct doctor *doctor);
void doctor_fini(struct doctor *doctor);

/* The groups of checks: rainbow itself (doctor_self.c), this host's settings (doctor_host.c), the ways to services and backends
 * (doctor_way.c). */
void doctor_check_self(struct doctor *doctor);
void doctor_check_host(struct doctor *doctor);
void doctor_check_ways(struct doctor *doctor);

#endif
