/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The protocol between load and serve: messages of one fixed size. A request is a number, repeated; the answer is the label of
 * the version that answers, and the request's number. So each answer tells whose it is and what it answers.
 */
#ifndef RAINBOW_PEERS_H
#define RAINBOW_PEERS_H

#include <stdint.h>

#define PEERS_MESSAGE 64
#define PEERS_LABEL   16

struct peers_message {
	char label[PEERS_LABEL]; /* of the answering version; zero in requests */
	uint64_t number;
	char padding[PEERS_MESSAGE - PEERS_LABEL - 8];
};

_Static_assert(sizeof(struct peers_message) == PEERS_MESSAGE, "one size on both sides");

#endif
