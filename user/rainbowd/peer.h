/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who is at the other end of a unix socket, and may they command rainbowd? */
#ifndef RAINBOW_PEER_H
#define RAINBOW_PEER_H

#include <stdbool.h>
#include <sys/types.h>
#include "common/error.h"

#define PEER_GROUP "rainbow" /* its members may, if it exists; root always may */

struct peer {
	uid_t uid;
	pid_t pid;
};

/* The group's id; false if there is no such group. */
bool peer_group(gid_t *group);
/* 0 and who it is, or -ERROR_PRECONDITION with a sentence for the peer. */
int peer_check(int socket, struct peer *out, struct error *err);

#endif
