// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Reading YAML by libyaml's events: see yaml.h. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>
#include "common/error.h"
#include "common/text.h"
#include "rainbowctl/yaml_place.h"

struct reader {
	yaml_parser_t parser;
	const char *bytes;
	size_t size;
	struct yaml *yaml;
	bool (*wants_text)(const char *path);
	struct error *err;
};

/* --- refusals ------------------------------------------------------------------------------------------------------------------------ */

__attribute__((format(printf, 3, 4))) static int refuse(struct reader *reader, struct yaml_at at, const char *format, ...)
{
	char message[400];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	reader->yaml->wrong = at;
	return error_set(reader->err, ERROR_BAD_INPUT, "", "%s", message);
}

static struct yaml_at at_mark(yaml_mark_t mark)
{
	return (struct yaml_at){(unsigned int)mark.line + 1, (unsigned int)mark.column + 1};
}

/* The byte at a place; 0 beyond the end. */
static char byte_at(const struct reader *reader, struct yaml_at at)
{
	const char *byte = reader->bytes, *end = byte + reader->size;

	for (unsigned int line = 1; line < at.line && byte < end; byte++)
		line += *byte == '\n';
	for (unsigned int column = 1; column < at.column && byte < end && *byte != '\n'; byte++)
		column += byte + 1 == end || (byte[1] & 0xc0) != 0x80;
	return byte < end ? *byte : 0;
}

static int refuse_syntax(struct reader *reader)
{
	const yaml_parser_t *parser = &reader->parser;
	struct yaml_at at = at_mark(parser->problem_mark);

	if (parser->error == YAML_MEMORY_ERROR)
		return error_set(reader->err, ERROR_INTERNAL, NULL, "out of memory");
	if (byte_at(reader, at) == '\t')
		return refuse(reader, at, "a tab: YAML is indented with blanks");
	return refuse(reader, at, "%s%s%s", parser->problem ? parser->problem : "it can not be read",
		      parser->context ? ", " : "", parser->context ? parser->context : "");
}

/* Before libyaml sees it, which reads ahead and then can not say where. */
static int check_characters(struct reader *reader)
{
	struct yaml_at at = {1, 1};

	if (reader->size > YAML_SIZE_MAX)
		return refuse(reader, at, "it is larger than 1 MiB");
	for (size_t i = 0; i < reader->size;) {
		char rest[5] = {0};
		uint32_t character;
		size_t length;

		memcpy(rest, reader->bytes + i, reader->size - i < 4 ? reader->size - i : 4);
		length = text_character(rest, &character);
		if (!length)
			return refuse(reader, at, rest[0] ? "a byte that is not UTF-8" : "a NUL character");
		if (text_is_control(character) && !strchr("\t\n\r", (int)character))
			return refuse(reader, at, "the control character U+%04X", (unsigned int)character);
		at.column++;
		if (character == '\n')
			at = (struct yaml_at){at.line + 1, 1};
		i += length;
	}
	return 0;
}

/* --- scalars ------------------------------------------------------------------------------------------------------------------------ */

static const char *skip_digits(const char *at)
{
	while (*at >= '0' && *at <= '9')
		at++;
	return at;
}

/* As JSON writes numbers: -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)?  *whole: without the last two. */
static bool is_number(const char *text, bool *whole)
{
	const char *at = text + (*text == '-'), *end = *at == '0' ? at + 1 : skip_digits(at);

	if (end == at)
		return false;
	*whole = !*end;
	if (*end == '.') {
		at = end + 1;
		end = skip_digits(at);
		if (end == at)
			return false;
	}
	if (*end == 'e' || *end == 'E') {
		at = end + 1 + (end[1] == '+' || end[1] == '-');
		end = skip_digits(at);
		if (end == at)
			return false;
	}
	return !*end;
}

static bool is_typed(const char *text)
{
	bool whole;

	return !strcmp(text, "true") || !strcmp(text, "false") || !strcmp(text, "null") || is_number(text, &whole);
}

static int read_number(struct reader *reader, struct yaml_at at, const char *text, bool whole, json_t **out)
{
	double real = strtod(text, NULL);
	long long integer;

	errno = 0;
	integer = strtoll(text, NULL, 10);
	if (!isfinite(real) || (whole && errno == ERANGE))
		return refuse(reader, at, "the number %.40s is out of range; a text goes in quotes", text);
	*out = whole ? json_integer(integer) : json_real(real);
	return 0;
}

static bool text_is_wanted(const struct reader *reader, size_t place)
{
	char path[YAML_PATH_SIZE];

	yaml_place_path(reader->yaml, place, path);
	return reader->wants_text(path);
}

/* What is not typed is a text as it is written: 0123 and 12e4567 too, where one is wanted. */
static int read_scalar(struct reader *reader, const yaml_event_t *event, size_t place, json_t **out)
{
	const char *text = (const char *)event->data.scalar.value;
	struct yaml_at at = at_mark(event->start_mark);
	size_t length = event->data.scalar.length;
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE, whole;

	if (strlen(text) != length)
		return refuse(reader, at, "a NUL character");
	if (plain && (!length || !strcmp(text, "null")))
		*out = json_null();
	else if (plain && is_typed(text) && !text_is_wanted(reader, place))
		*out = text[0] == 't' ? json_true() : text[0] == 'f' ? json_false() : NULL;
	else
		*out = json_stringn(text, length);
	if (*out)
		return 0;
	if (plain && is_number(text, &whole))
		return read_number(reader, at, text, whole, out);
	return refuse(reader, at, "a text that is not UTF-8");
}

/* --- nodes ------------------------------------------------------------------------------------------------------------------------ */

static int next_event(struct reader *reader, yaml_event_t *event)
{
	memset(event, 0, sizeof(*event));
	return yaml_parser_parse(&reader->parser, event) ? 0 : refuse_syntax(reader);
}

/* What is refused wherever it stands. */
static int check_event(struct reader *reader, const yaml_event_t *event, unsigned int depth)
{
	struct yaml_at at = at_mark(event->start_mark);
	const yaml_char_t *anchor = NULL, *tag = NULL;

	if (event->type == YAML_ALIAS_EVENT)
		return refuse(reader, at, "an alias (*): write the value out; a text goes in quotes");
	if (event->type == YAML_SCALAR_EVENT) {
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
	}
	if (anchor)
		return refuse(reader, at, "an anchor (&): values are written out; a text goes in quotes");
	if (tag)
		return refuse(reader, at, "a tag (!): values have no types of their own; a text goes in quotes");
	if (event->type != YAML_SCALAR_EVENT && depth > YAML_DEPTH_MAX)
		return refuse(reader, at, "more than %d levels deep", YAML_DEPTH_MAX);
	return 0;
}

static int read_node(struct reader *reader, yaml_event_t *event, size_t place, unsigned int depth, json_t **out);

/* The node that the event begins; the event is done with. */
static int take_node(struct reader *reader, yaml_event_t *event, size_t place, unsigned int depth, json_t **out)
{
	int rc = read_node(reader, event, place, depth, out);

	yaml_event_delete(event);
	return rc;
}

static int check_key(struct reader *reader, const yaml_event_t *event, json_t *object, size_t parent)
{
	const char *key = (const char *)event->data.scalar.value;
	struct yaml_at at = at_mark(event->start_mark);
	const struct yaml *yaml = reader->yaml;
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	if (event->type != YAML_SCALAR_EVENT)
		return refuse(reader, at, "a key must be a text");
	if (strlen(key) != event->data.scalar.length)
		return refuse(reader, at, "a NUL character");
	if (!*key)
		return refuse(reader, at, "a key is empty");
	if (plain && is_typed(key))
		return refuse(reader, at, "the key %.40s is no text: write it in quotes", key);
	if (!json_object_get(object, key))
		return 0;
	for (size_t i = 0; i < yaml->place_count; i++)
		if (yaml->places[i].parent == parent && yaml->places[i].key && !strcmp(yaml->places[i].key, key))
			return refuse(reader, at, "the key %.40s is there twice, first in line %u", key,
				      yaml->places[i].at.line);
	return refuse(reader, at, "the key %.40s is there twice", key);
}

/* The value of the key that the event holds. */
static int read_member(struct reader *reader, yaml_event_t *event, size_t place, unsigned int depth, json_t *object)
{
	struct yaml_place here = {.parent = place, .at = at_mark(event->start_mark)};
	json_t *value = NULL;
	size_t child;
	int rc = check_event(reader, event, 0);

	rc = rc ? rc : check_key(reader, event, object, place);
	if (rc) {
		yaml_event_delete(event);
		return rc;
	}
	here.key = strdup((const char *)event->data.scalar.value);
	yaml_event_delete(event);
	rc = here.key ? yaml_place_add(reader->yaml, &here, reader->err)
		      : error_set(reader->err, ERROR_INTERNAL, NULL, "out of memory");
	if (rc)
		return rc;
	child = reader->yaml->place_count - 1;
	rc = next_event(reader, event);
	rc = rc ? rc : take_node(reader, event, child, depth + 1, &value);
	if (!rc && json_object_set_new(object, reader->yaml->places[child].key, value))
		rc = refuse(reader, here.at, "a key that is not UTF-8");
	return rc;
}

static int read_mapping(struct reader *reader, size_t place, unsigned int depth, json_t *object)
{
	yaml_event_t event;
	int rc;

	for (;;) {
		rc = next_event(reader, &event);
		if (rc)
			return rc;
		if (event.type == YAML_MAPPING_END_EVENT)
			break;
		rc = read_member(reader, &event, place, depth, object);
		if (rc)
			return rc;
	}
	yaml_event_delete(&event);
	return 0;
}

static int read_sequence(struct reader *reader, size_t place, unsigned int depth, json_t *array)
{
	yaml_event_t event;
	int rc;

	for (size_t i = 0;; i++) {
		struct yaml_place here = {.parent = place, .index = i};
		json_t *value = NULL;

		rc = next_event(reader, &event);
		if (rc)
			return rc;
		if (event.type == YAML_SEQUENCE_END_EVENT)
			break;
		here.at = at_mark(event.start_mark);
		rc = yaml_place_add(reader->yaml, &here, reader->err);
		if (rc)
			yaml_event_delete(&event);
		rc = rc ? rc : take_node(reader, &event, reader->yaml->place_count - 1, depth + 1, &value);
		if (rc)
			return rc;
		json_array_append_new(array, value);
	}
	yaml_event_delete(&event);
	return 0;
}

/* On an error *out is NULL. */
static int read_node(struct reader *reader, yaml_event_t *event, size_t place, unsigned int depth, json_t **out)
{
	int rc = check_event(reader, event, depth);

	if (rc)
		return rc;
	if (event->type == YAML_SCALAR_EVENT)
		return read_scalar(reader, event, place, out);
	if (event->type == YAML_MAPPING_START_EVENT) {
		*out = json_object();
		rc = read_mapping(reader, place, depth, *out);
	} else {
		*out = json_array();
		rc = read_sequence(reader, place, depth, *out);
	}
	if (rc) {
		json_decref(*out);
		*out = NULL;
	}
	return rc;
}

/* The next event, which must be of this type; else the sentence. */
static int expect(struct reader *reader, yaml_event_type_t type, const char *sentence)
{
	yaml_event_t event;
	int rc = next_event(reader, &event);

	if (!rc && event.type != type)
		rc = refuse(reader, at_mark(event.start_mark), "%s", sentence);
	yaml_event_delete(&event);
	return rc;
}

static int read_document(struct reader *reader)
{
	struct yaml_place root = {.at = {1, 1}};
	yaml_event_t event;
	int rc = expect(reader, YAML_STREAM_START_EVENT, "it can not be read");

	rc = rc ? rc : expect(reader, YAML_DOCUMENT_START_EVENT, "there is nothing in it");
	rc = rc ? rc : next_event(reader, &event);
	if (rc)
		return rc;
	root.at = at_mark(event.start_mark);
	rc = yaml_place_add(reader->yaml, &root, reader->err);
	if (rc)
		yaml_event_delete(&event);
	rc = rc ? rc : take_node(reader, &event, YAML_ROOT, 1, &reader->yaml->json);
	rc = rc ? rc : expect(reader, YAML_DOCUMENT_END_EVENT, "the document should end here");
	return rc ? rc : expect(reader, YAML_STREAM_END_EVENT, "a second document begins: give each a file of its own");
}

int yaml_read(const char *bytes, size_t size, bool (*wants_text)(const char *path), struct yaml *yaml, struct error *err)
{
	struct reader reader = {.bytes = bytes, .size = size, .yaml = yaml, .wants_text = wants_text, .err = err};
	int rc;

	memset(yaml, 0, sizeof(*yaml));
	yaml->wrong = (struct yaml_at){1, 1};
	rc = check_characters(&reader);
	if (rc)
		return rc;
	if (!yaml_parser_initialize(&reader.parser))
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)bytes, size);
	rc = read_document(&reader);
	yaml_parser_delete(&reader.parser);
	if (rc) {
		json_decref(yaml->json);
		yaml->json = NULL;
	}
	return rc;
}

void yaml_fini(struct yaml *yaml)
{
	for (size_t i = 0; i < yaml->place_count; i++)
		free(yaml->places[i].key);
	free(yaml->places);
	json_decref(yaml->json);
	memset(yaml, 0, sizeof(*yaml));
}
