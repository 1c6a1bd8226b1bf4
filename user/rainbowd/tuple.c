// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See tuple.h. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "tuple.h"

const char *const tuple_layers[TUPLE_LAYERS] = {"code", "model", "prompts", "tools"};

const char *tuple_layer(const struct tuple *tuple, size_t layer)
{
	const char *const texts[TUPLE_LAYERS] = {tuple->code, tuple->model, tuple->prompts, tuple->tools};

	return texts[layer];
}

const char *tuple_diff(const struct tuple *a, const struct tuple *b, char buf[TUPLE_DIFF_SIZE])
{
	size_t i, used = 0;

	buf[0] = '\0';
	for (i = 0; i < TUPLE_LAYERS; i++)
		if (strcmp(tuple_layer(a, i), tuple_layer(b, i)) != 0)
			used += (size_t)snprintf(buf + used, TUPLE_DIFF_SIZE - used, "%s%s", used ? ", " : "", tuple_layers[i]);
	return buf;
}

/* --- the environment ---------------------------------------------------------------------------------------------------------- */

#define LABEL_ENCODED_SIZE (3 * RAINBOW_NAME_SIZE)
#define TEXT_ENCODED_SIZE  (3 * TUPLE_TEXT_SIZE)
#define ATTRIBUTES_SIZE    (2 * LABEL_ENCODED_SIZE + TUPLE_LAYERS * (TEXT_ENCODED_SIZE + 32) + 64)

/*
 * A value in OTEL_RESOURCE_ATTRIBUTES: pairs as in W3C Baggage, so what is no baggage-octet, and the comma, equals and percent signs, is
 * percent-encoded. So is all that some reader may take for more than itself ('+' for a blank); what versions are often made of stays
 * readable.
 */
static void append_encoded(char *attributes, const char *text)
{
	char *at = attributes + strlen(attributes);

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x80 && (isalnum(c) || strchr("-._~/:@", c)))
			*at++ = (char)c;
		else
			at += sprintf(at, "%%%02X", c);
	}
	*at = '\0';
}

static void append_attribute(char *attributes, const char *key, const char *text)
{
	if (!*text)
		return;
	sprintf(attributes + strlen(attributes), "%s%s=", *attributes ? "," : "", key);
	append_encoded(attributes, text);
}

json_t *tuple_env(const struct service *service, const struct version *version)
{
	json_t *env = json_object();
	char attributes[ATTRIBUTES_SIZE] = "", name[40];
	size_t i, j;

	append_attribute(attributes, "service.name", service->name);
	append_attribute(attributes, "service.version", version->label);
	json_object_set_new(env, "RAINBOW_SERVICE", json_string(service->name));
	json_object_set_new(env, "RAINBOW_VERSION", json_string(version->label));
	for (i = 0; i < TUPLE_LAYERS; i++) {
		snprintf(name, sizeof(name), "rainbow.version.%s", tuple_layers[i]);
		append_attribute(attributes, name, tuple_layer(&version->tuple, i));
		snprintf(name, sizeof(name), "RAINBOW_TUPLE_%s", tuple_layers[i]);
		for (j = 0; name[j]; j++)
			name[j] = (char)toupper((unsigned char)name[j]);
		json_object_set_new(env, name, json_string(tuple_layer(&version->tuple, i)));
	}
	json_object_set_new(env, "OTEL_RESOURCE_ATTRIBUTES", json_string(attributes));
	return env;
}
