// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A version's tuple: beside another one's, and as the environment of its processes. */
#include <stdio.h>
#include <string.h>
#include "handlers.h"
#include "tuple.h"

/* "model and prompts differ", from "model, prompts". */
static const char *tell(const char *layers, char *text, size_t size)
{
	const char *last = strrchr(layers, ',');

	if (!*layers)
		snprintf(text, size, "no layer differs");
	else if (!last)
		snprintf(text, size, "%s differs", layers);
	else
		snprintf(text, size, "%.*s and%s differ", (int)(last - layers), layers, last + 1);
	return text;
}

static json_t *print_layers(const struct tuple *a, const struct tuple *b)
{
	json_t *layers = json_array();
	size_t i;

	for (i = 0; i < TUPLE_LAYERS; i++) {
		const char *left = tuple_layer(a, i), *right = tuple_layer(b, i);

		json_array_append_new(layers, json_pack("{s:s, s:o, s:o, s:b}", "layer", tuple_layers[i], "a", json_text(left),
							"b", json_text(right), "differs", strcmp(left, right) != 0));
	}
	return layers;
}

int handle_version_diff(struct request *request, json_t **reply, struct error *err)
{
	char layers[TUPLE_DIFF_SIZE], sentence[80];
	struct version *a, *b;
	struct service *service;
	int rc = model_get_service(&request->daemon->model, request->variable[0], &service, err);

	rc = rc ? rc : service_get_version(service, request->variable[1], &a, err);
	rc = rc ? rc : service_get_version(service, request->variable[2], &b, err);
	if (rc)
		return rc;
	tuple_diff(&a->tuple, &b->tuple, layers);
	*reply = json_pack("{s:s, s:s, s:s, s:o, s:s, s:s}", "service", service->name, "a", a->label, "b", b->label, "layers",
			   print_layers(&a->tuple, &b->tuple), "changed", layers, "sentence",
			   tell(layers, sentence, sizeof(sentence)));
	return 0;
}

int handle_version_env(struct request *request, json_t **reply, struct error *err)
{
	struct version *version;
	struct service *service;
	int rc = model_get_service(&request->daemon->model, request->variable[0], &service, err);

	rc = rc ? rc : service_get_version(service, request->variable[1], &version, err);
	if (!rc)
		*reply = json_pack("{s:s, s:s, s:o}", "service", service->name, "version", version->label, "env",
				   tuple_env(service, version));
	return rc;
}
