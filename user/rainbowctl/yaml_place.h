/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where each value stands in the text, for yaml.c. Places are kept as a tree (parent, and key or index), so that long keys far up do not
 * cost memory with each value below; a path is made when one is asked for, cut where struct error cuts it.
 */
#ifndef RAINBOWCTL_YAML_PLACE_H
#define RAINBOWCTL_YAML_PLACE_H

#include "common/error.h"
#include "rainbowctl/yaml.h"

#define YAML_PATH_SIZE sizeof(((struct error *)0)->field)
#define YAML_ROOT      0 /* the place of the document itself */

struct yaml_place {
	size_t parent;
	char *key;    /* NULL: an element */
	size_t index; /* of it */
	struct yaml_at at;
};

/* Appends to yaml->places; takes over the key, also where there is no memory (-ERROR_INTERNAL). */
int yaml_place_add(struct yaml *yaml, const struct yaml_place *place, struct error *err);
void yaml_place_path(const struct yaml *yaml, size_t place, char path[YAML_PATH_SIZE]);

#endif
