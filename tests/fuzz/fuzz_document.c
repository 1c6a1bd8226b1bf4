// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Fuzzes the reader of YAML and the document behind it. What is refused must be refused with a sentence and a place within the text;
 * what is read must read the same when it is printed; and settings that are good must be good again when they are printed.
 */
#include <stdio.h>
#include <string.h>
#include "tests/fuzz/fuzz.h"
#include "common/document.h"
#include "common/settings.h"
#include "rainbowctl/yaml.h"

static void check_place(struct yaml_at at, const uint8_t *bytes, size_t size)
{
	unsigned int lines = 1;

	for (size_t i = 0; i < size; i++)
		lines += bytes[i] == '\n' || bytes[i] == '\r' || bytes[i] == 0x85 || bytes[i] == 0xa8 || bytes[i] == 0xa9;
	if (!at.line || !at.column || at.line > lines + 1)
		abort();
}

static void print_again(const json_t *json)
{
	struct error err = {0};
	struct yaml again;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (yaml_print(json, out, &err))
		abort();
	fclose(out);
	/* What grows beyond the bound by its quotes is refused, and that is right. */
	if (yaml_read(text, size, document_wants_text, &again, &err) ? size <= YAML_SIZE_MAX : !json_equal(again.json, json))
		abort();
	yaml_fini(&again);
	free(text);
}

/* The whole as settings alone, as PATCH has them. */
static void settings_again(const json_t *json)
{
	struct settings settings, again;
	struct error err = {0};
	json_t *printed;

	settings_init(&settings);
	settings_init(&again);
	if (!settings_read(json, "", &settings, &err)) {
		printed = settings_print(&settings);
		if (!printed || settings_read(printed, "", &again, &err) || !settings_equal(&settings, &again))
			abort();
		json_decref(printed);
	}
	settings_fini(&settings);
	settings_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct error err = {0};
	struct yaml yaml;
	int rc = yaml_read((const char *)bytes, size, document_wants_text, &yaml, &err);

	if (rc) {
		check_place(yaml.wrong, bytes, size);
		if (yaml.json || !err.message[0])
			abort();
	} else {
		print_again(yaml.json);
		settings_again(yaml.json);
		rc = document_check(yaml.json, &err);
		if (rc && !err.message[0])
			abort();
		check_place(yaml_find(&yaml, err.field), bytes, size);
	}
	yaml_fini(&yaml);
	return 0;
}
