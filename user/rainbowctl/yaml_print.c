// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* JSON as YAML, by libyaml's emitter, which knows what must be quoted for its own sake. What other readers of YAML would take for a
 * number or a boolean is quoted, too. */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>
#include "common/addr.h"
#include "common/duration.h"
#include "common/error.h"
#include "rainbowctl/yaml.h"

static int write_out(void *out, unsigned char *bytes, size_t size)
{
	return fwrite(bytes, 1, size, out) == size;
}

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (!strcasecmp(text, *words))
			return true;
	return false;
}

/* Would YAML, of whatever edition, take it for something else than a text? */
static bool is_ambiguous(const char *text)
{
	static const char *const words[] = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "~", NULL};
	size_t length = strlen(text);
	struct duration duration;
	struct endpoint endpoint;
	struct cidr cidr;

	if (!*text || is_one_of(text, words))
		return true;
	if (!strchr("+-.0123456789", text[0]))
		return false;
	if (length > 2 && !strcmp(text + length - 2, "/s"))
		return false;
	return duration_parse(text, &duration, "", NULL) && endpoint_parse(text, &endpoint, "", NULL) &&
	       (!strchr(text, '/') || cidr_parse(text, &cidr, "", NULL));
}

static yaml_scalar_style_t style_of(const char *text)
{
	if (strchr(text, '\n'))
		return YAML_LITERAL_SCALAR_STYLE;
	return is_ambiguous(text) ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_ANY_SCALAR_STYLE;
}

static bool emit_scalar(yaml_emitter_t *emitter, const char *text, yaml_scalar_style_t style)
{
	yaml_event_t event;

	return yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), 1, 1, style) &&
	       yaml_emitter_emit(emitter, &event);
}

static bool emit_node(yaml_emitter_t *emitter, const json_t *json);

static bool emit_mapping(yaml_emitter_t *emitter, const json_t *object)
{
	yaml_event_t event;
	const char *key;
	json_t *value;

	if (!yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE) ||
	    !yaml_emitter_emit(emitter, &event))
		return false;
	json_object_foreach((json_t *)object, key, value)
	{
		if (!emit_scalar(emitter, key, style_of(key)) || !emit_node(emitter, value))
			return false;
	}
	return yaml_mapping_end_event_initialize(&event) && yaml_emitter_emit(emitter, &event);
}

static bool emit_sequence(yaml_emitter_t *emitter, const json_t *array)
{
	yaml_event_t event;
	json_t *value;
	size_t i;

	if (!yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE) ||
	    !yaml_emitter_emit(emitter, &event))
		return false;
	json_array_foreach(array, i, value)
	{
		if (!emit_node(emitter, value))
			return false;
	}
	return yaml_sequence_end_event_initialize(&event) && yaml_emitter_emit(emitter, &event);
}

static bool emit_node(yaml_emitter_t *emitter, const json_t *json)
{
	char *text;
	bool done;

	if (json_is_object(json))
		return emit_mapping(emitter, json);
	if (json_is_array(json))
		return emit_sequence(emitter, json);
	if (json_is_string(json))
		return emit_scalar(emitter, json_string_value(json), style_of(json_string_value(json)));
	text = json_dumps(json, JSON_ENCODE_ANY | JSON_REAL_PRECISION(12));
	done = text && emit_scalar(emitter, text, YAML_PLAIN_SCALAR_STYLE);
	free(text);
	return done;
}

static bool emit_document(yaml_emitter_t *emitter, const json_t *json)
{
	yaml_event_t event;

	return yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING) && yaml_emitter_emit(emitter, &event) &&
	       yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1) && yaml_emitter_emit(emitter, &event) &&
	       emit_node(emitter, json) && yaml_document_end_event_initialize(&event, 1) &&
	       yaml_emitter_emit(emitter, &event) && yaml_stream_end_event_initialize(&event) &&
	       yaml_emitter_emit(emitter, &event);
}

int yaml_print(const json_t *json, FILE *out, struct error *err)
{
	yaml_emitter_t emitter;
	bool done;

	if (!yaml_emitter_initialize(&emitter))
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	yaml_emitter_set_output(&emitter, write_out, out);
	yaml_emitter_set_unicode(&emitter, 1);
	yaml_emitter_set_width(&emitter, -1);
	done = emit_document(&emitter, json);
	yaml_emitter_delete(&emitter);
	return done ? 0 : error_set(err, ERROR_INTERNAL, NULL, "the document can not be written as YAML");
}
