// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See shapes.h. */
#include "shapes.h"

json_t *json_percent(uint32_t permille)
{
	return permille % 10 ? json_real(permille / 10.0) : json_integer(permille / 10);
}

json_t *json_instant(struct instant at)
{
	char text[INSTANT_TEXT_SIZE];

	return at.unix_ms ? json_string(instant_format(at, text)) : json_null();
}

json_t *json_unless(bool unknown, json_t *value)
{
	if (!unknown)
		return value;
	json_decref(value);
	return json_null();
}

json_t *json_endpoint(const struct endpoint *at)
{
	char text[ADDR_TEXT_SIZE];

	return json_string(endpoint_format(&at->addr, at->port, text));
}

json_t *json_text(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

json_t *json_tuple(const struct tuple *tuple)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "code", json_text(tuple->code), "model", json_text(tuple->model), "prompts",
			 json_text(tuple->prompts), "tools", json_text(tuple->tools));
}

json_t *json_lock(const struct lock *lock)
{
	if (!lock->since.unix_ms)
		return json_null();
	return json_pack("{s:o, s:I, s:s}", "since", json_instant(lock->since), "uid", (json_int_t)lock->uid, "reason",
			 lock->reason);
}
