// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See yaml_place.h, and of yaml.h yaml_find and yaml_remove. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/text.h"
#include "rainbowctl/yaml_place.h"

void yaml_place_path(const struct yaml *yaml, size_t place, char path[YAML_PATH_SIZE])
{
	const struct yaml_place *here = &yaml->places[place];
	size_t length;

	if (place == YAML_ROOT) {
		path[0] = '\0';
		return;
	}
	yaml_place_path(yaml, here->parent, path);
	length = strlen(path);
	if (here->key)
		snprintf(path + length, YAML_PATH_SIZE - length, "%s%s", length ? "." : "", here->key);
	else
		snprintf(path + length, YAML_PATH_SIZE - length, "[%zu]", here->index);
}

int yaml_place_add(struct yaml *yaml, const struct yaml_place *place, struct error *err)
{
	struct yaml_place *grown = yaml->places;

	if ((yaml->place_count & (yaml->place_count - 1)) == 0) /* full at each power of two */
		grown = reallocarray(grown, yaml->place_count ? yaml->place_count * 2 : 1, sizeof(*grown));
	if (!grown) {
		free(place->key);
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	}
	yaml->places = grown;
	yaml->places[yaml->place_count++] = *place;
	return 0;
}

/* The place of exactly this path; NULL: there is none. */
static const struct yaml_place *find_exact(const struct yaml *yaml, const char *wanted)
{
	for (size_t i = 0; i < yaml->place_count; i++) {
		char path[YAML_PATH_SIZE];

		yaml_place_path(yaml, i, path);
		text_clean(path); /* as the error did */
		if (!strcmp(path, wanted))
			return &yaml->places[i];
	}
	return NULL;
}

struct yaml_at yaml_find(const struct yaml *yaml, const char *path)
{
	const struct yaml_place *place;
	char shorter[YAML_PATH_SIZE];
	size_t length;

	snprintf(shorter, sizeof(shorter), "%s", path);
	while (!(place = find_exact(yaml, shorter)) && shorter[0]) {
		length = strlen(shorter);
		while (length > 0 && shorter[length - 1] != '.' && shorter[length - 1] != '[')
			length--;
		shorter[length ? length - 1 : 0] = '\0';
	}
	return place ? place->at : (struct yaml_at){1, 1};
}

static json_t *value_of(const struct yaml *yaml, size_t place)
{
	const struct yaml_place *here = &yaml->places[place];

	if (place == YAML_ROOT)
		return yaml->json;
	if (here->key)
		return json_object_get(value_of(yaml, here->parent), here->key);
	return json_array_get(value_of(yaml, here->parent), here->index);
}

bool yaml_remove(struct yaml *yaml, const char *path)
{
	const struct yaml_place *place = find_exact(yaml, path);

	return place && place->key && !json_object_del(value_of(yaml, place->parent), place->key);
}
