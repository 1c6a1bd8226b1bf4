/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One entry of the kernel's arrays each, written from the model: single stores, never over a field that the kernel side
 * keeps. In which order they may be written is apply.c's to know; only apply.c calls these.
 */
#ifndef RAINBOW_ENTRIES_H
#define RAINBOW_ENTRIES_H

#include "datapath.h"
#include "model.h"

/* All but the wheel, the generation and in_use. */
void entry_write_service(struct datapath *dp, const struct service *service);
void entry_use_service(struct datapath *dp, uint32_t id);
/* All but the state. */
void entry_write_version(struct datapath *dp, const struct service *service, const struct version *version);
void entry_set_state(struct datapath *dp, uint32_t version, enum rainbow_version_state state);
/* The backends among which the version's new sessions are spread; version NULL: none. */
void entry_write_members(struct datapath *dp, uint32_t id, const struct version *version);
void entry_write_backend(struct datapath *dp, const struct service *service, const struct version *version,
			 const struct backend *backend);
void entry_leave_backend(struct datapath *dp, uint32_t id);
/* For all backends of the version, removed ones too: jiffies from which the kernel closes their sessions; 0 never. */
void entry_set_close_after(struct datapath *dp, uint32_t version, uint64_t jiffies);
/* Writes the wheel that is not in force and puts it in force with one store. Does nothing if the one in force is the same. */
void entry_turn_wheel(struct datapath *dp, const struct service *service);

void entry_clear_service(struct datapath *dp, uint32_t id);
void entry_clear_version(struct datapath *dp, uint32_t id);
void entry_clear_backend(struct datapath *dp, uint32_t id);

#endif
