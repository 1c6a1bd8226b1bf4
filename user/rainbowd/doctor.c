// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The list of findings: see doctor.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/text.h"
#include "doctor.h"
#include "features.h"
#include "handlers.h"

const char *doctor_verdict_name(enum doctor_verdict verdict)
{
	static const char *const names[] = {"ok", "warn", "fail", "unknown"};

	return names[verdict];
}

struct doctor_check *doctor_add(struct doctor *doctor, const char *name, const char *subject, enum doctor_verdict verdict,
				const char *fact, ...)
{
	struct doctor_check *check;
	va_list args;

	if (doctor->count == doctor->room) {
		doctor->room = doctor->room ? 2 * doctor->room : 64;
		doctor->checks = reallocarray(doctor->checks, doctor->room, sizeof(*doctor->checks));
		if (!doctor->checks)
			abort(); /* see model.c: must() */
	}
	check = &doctor->checks[doctor->count++];
	memset(check, 0, sizeof(*check));
	snprintf(check->name, sizeof(check->name), "%s", name);
	snprintf(check->subject, sizeof(check->subject), "%s", subject);
	check->verdict = verdict;
	va_start(args, fact);
	vsnprintf(check->fact, sizeof(check->fact), fact, args);
	va_end(args);
	return check;
}

void doctor_fix(struct doctor_check *check, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(check->fix, sizeof(check->fix), format, args);
	va_end(args);
}

void doctor_run(struct doctor *doctor)
{
	doctor_check_self(doctor);
	doctor_check_host(doctor);
	doctor_check_ways(doctor);
}

void doctor_fini(struct doctor *doctor)
{
	free(doctor->checks);
}

static json_t *json_check(const struct doctor_check *check)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", check->name, "subject", check->subject, "verdict",
			 doctor_verdict_name(check->verdict), "fact", check->fact, "fix",
			 check->fix[0] ? json_string(check->fix) : json_null());
}

static json_t *json_features(void)
{
	struct feature features[FEATURES_MAX];
	size_t i, count = features_probe(features);
	json_t *list = json_array();

	for (i = 0; i < count; i++)
		json_array_append_new(list, json_pack("{s:s, s:b, s:s}", "name", features[i].name, "there", features[i].there,
						      "used", features[i].used));
	return list;
}

int handle_doctor(struct request *request, json_t **reply, struct error *err)
{
	struct doctor doctor = {.daemon = request->daemon};
	json_t *list = json_array();
	size_t i;

	(void)err;
	doctor_run(&doctor);
	for (i = 0; i < doctor.count; i++)
		json_array_append_new(list, json_check(&doctor.checks[i]));
	doctor_fini(&doctor);
	*reply = json_pack("{s:o, s:o}", "checks", list, "features", json_features());
	return 0;
}
