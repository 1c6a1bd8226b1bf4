// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What an operator asks of an interface, as text: "eth0", "eth0:tc". Pure. */
#include <string.h>
#include "common/text.h"
#include "rainbowd/datapath.h"

static const struct {
	const char *name;
	enum rainbow_hook_kind kind;
} kinds[] = {
    {"auto", RAINBOW_HOOK_NONE},
    {"xdp", RAINBOW_HOOK_XDP},
    {"xdp-generic", RAINBOW_HOOK_XDP_GENERIC},
    {"tc", RAINBOW_HOOK_TC},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

const char *hook_kind_name(enum rainbow_hook_kind kind)
{
	size_t i;

	for (i = 0; i < KINDS; i++)
		if (kinds[i].kind == kind)
			return kinds[i].name;
	return "unknown";
}

static int kind_parse(const char *word, enum rainbow_hook_kind *out, struct error *err)
{
	const char *words[KINDS + 1] = {};
	const char *nearest;
	size_t i;

	for (i = 0; i < KINDS; i++) {
		words[i] = kinds[i].name;
		if (!strcmp(word, kinds[i].name)) {
			*out = kinds[i].kind;
			return 0;
		}
	}
	nearest = text_nearest(word, words);
	return error_set(err, ERROR_BAD_INPUT, "interface",
			 "\"%.32s\" is no kind of hook%s%s%s; there are auto, xdp, xdp-generic and tc", word,
			 nearest ? " (did you mean " : "", nearest ? nearest : "", nearest ? "?)" : "");
}

int hook_wish_parse(const char *text, struct hook_wish *out, struct error *err)
{
	struct hook_wish wish = {.kind = RAINBOW_HOOK_NONE};
	size_t length = strcspn(text, ":");
	int rc;

	if (!length || length >= sizeof(wish.interface) || strcspn(text, "/ \t\n") < length)
		return error_set(
		    err, ERROR_BAD_INPUT, "interface",
		    "\"%.32s\" names no interface: 1 to %zu characters, then perhaps :auto, :xdp, :xdp-generic or :tc", text,
		    sizeof(wish.interface) - 1);
	memcpy(wish.interface, text, length);
	if (text[length]) {
		rc = kind_parse(text + length + 1, &wish.kind, err);
		if (rc)
			return rc;
	}
	*out = wish;
	return 0;
}
