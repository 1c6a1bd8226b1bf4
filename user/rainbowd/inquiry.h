/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Between sources.c and inquiry.c alone. An inquiry is one gate of one service in one step: what is under way for it, and what was
 * answered last.
 */
#ifndef RAINBOW_INQUIRY_H
#define RAINBOW_INQUIRY_H

#include <sys/queue.h>
#include "model.h"
#include "prometheus.h"
#include "sources.h"

/* What an answer belongs to. */
struct step {
	uint64_t rollout;
	uint32_t step;
	struct instant began; /* 0: no rollout is under way */
};

struct part {
	struct inquiry *inquiry; /* the argument of a question's callback is its part */
	struct prometheus_value value;
};

struct inquiry {
	TAILQ_ENTRY(inquiry) entry;
	struct sources *sources;
	char service[RAINBOW_NAME_SIZE];
	struct step step;
	struct gate gate;      /* as it was when it was asked */
	struct instant asking; /* when the last question was asked; 0: never */
	size_t under_way;
	struct part parts[PROMETHEUS_PARTS];
	struct instant asked; /* the question of the answer below; 0: none yet */
	uint64_t answer;
	struct gate_evidence evidence;
	double *bins;      /* behind it */
	uint64_t revision; /* of the samples that it was made from */
};

/* A service, and the step of it that the rest is of. */
struct watch {
	TAILQ_ENTRY(watch) entry;
	char service[RAINBOW_NAME_SIZE];
	struct step step;
};

struct sources {
	struct fetch *fetch;
	struct hook *hook;
	struct samples *samples;
	TAILQ_HEAD(, inquiry) inquiries;
	TAILQ_HEAD(, watch) watches;
	uint64_t answers;
};

static inline bool inquiry_has_samples_query(const struct inquiry *inquiry)
{
	return inquiry->gate.samples_query[0];
}

/* The evidence answers the question that was asked last. */
void inquiry_take_answer(struct inquiry *inquiry, const struct gate_evidence *evidence);
void inquiry_ask_prometheus(struct inquiry *inquiry, const struct service *service, struct instant now);
/* A webhook or a command. */
void inquiry_ask_hook(struct inquiry *inquiry, const struct service *service);

#endif
