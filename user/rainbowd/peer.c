// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The kernel says who connected (SO_PEERCRED) and in which groups they were (SO_PEERGROUPS). */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "peer.h"

bool peer_group(gid_t *group)
{
	struct group *entry = getgrnam(PEER_GROUP);

	if (entry)
		*group = entry->gr_gid;
	return entry != NULL;
}

/* The supplementary groups of the peer; NULL if they can not be had. The caller frees. */
static gid_t *peer_groups(int socket, size_t *count)
{
	socklen_t size = 0;
	gid_t *groups;

	if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0 || errno != ERANGE)
		return NULL;
	groups = malloc(size);
	if (groups && getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups, &size)) {
		free(groups);
		return NULL;
	}
	*count = size / sizeof(*groups);
	return groups;
}

static bool is_member(int socket, const struct ucred *peer, gid_t group)
{
	size_t i, count = 0;
	gid_t *groups;
	bool found = peer->gid == group;

	if (found)
		return true;
	groups = peer_groups(socket, &count);
	for (i = 0; groups && i < count; i++)
		found = found || groups[i] == group;
	free(groups);
	return found;
}

int peer_check(int socket, struct peer *out, struct error *err)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	gid_t group;

	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		return error_set(err, ERROR_PRECONDITION, NULL, "can not tell who is asking: %s", strerror(errno));
	*out = (struct peer){.uid = peer.uid, .pid = peer.pid};
	if (peer.uid == 0 || (peer_group(&group) && is_member(socket, &peer, group)))
		return 0;
	return error_set(err, ERROR_PRECONDITION, NULL,
			 "user %u may not command rainbow; be root or a member of the group " PEER_GROUP, peer.uid);
}
