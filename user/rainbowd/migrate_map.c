// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See migrate_map.h. */
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "rainbowd/adopt.h"
#include "rainbowd/datapath_private.h"
#include "rainbowd/migrate_map.h"

int migrate_refuse(struct datapath *dp, const char *name, const char *why, struct error *err)
{
	return error_set(err, ERROR_PRECONDITION, "pin-dir",
			 "%s in %s is not as schema 1 has it (%s); it is left alone. To end it: rainbowd --detach --pin-dir %s",
			 name, dp->old.path, why, dp->dir.path);
}

int migrate_map(struct datapath *dp, const char *name, uint32_t value_size, struct bpf_map_info *info, struct error *err)
{
	uint32_t length = sizeof(*info);
	int fd = adopt_map_open(&dp->old, name);

	memset(info, 0, sizeof(*info));
	if (fd < 0)
		return migrate_refuse(dp, name, strerror(-fd), err);
	if (bpf_obj_get_info_by_fd(fd, info, &length) || info->value_size != value_size) {
		close(fd);
		return migrate_refuse(dp, name, "its values have another size", err);
	}
	return fd;
}
