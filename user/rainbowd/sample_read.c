// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Samples from JSON: see samples.h. Pure. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/text.h"
#include "request.h"
#include "samples.h"

/* An instant of others: their clock may be wrong, and one that is far ahead would count for steps to come. */
static int read_instant(const json_t *object, const char *key, struct instant now, struct instant *out, struct error *err)
{
	const char *text = NULL;
	int rc = body_string(object, key, false, &text, err);

	if (rc || !text)
		return rc;
	rc = instant_parse(text, out, key, err);
	if (!rc && out->unix_ms > now.unix_ms + SAMPLE_AHEAD_MS)
		return error_set(err, ERROR_BAD_INPUT, key, "\"%s\" is %s, more than five minutes ahead of this host's clock",
				 key, text);
	return rc;
}

static int read_ok(const json_t *object, const struct gate *gate, double *value, struct error *err)
{
	const json_t *ok = json_object_get(object, "ok");

	if (json_object_get(object, "value"))
		return error_set(err, ERROR_BAD_INPUT, "value",
				 "gate %s takes yes or no of each session: say \"ok\", not \"value\"", gate->name);
	if (!json_is_boolean(ok))
		return error_set(err, ERROR_BAD_INPUT, "ok", "\"ok\" must be true or false");
	*value = json_is_true(ok) ? 1 : 0;
	return 0;
}

static int read_value(const json_t *object, const struct gate *gate, double *value, struct error *err)
{
	const json_t *number = json_object_get(object, "value");

	if (json_object_get(object, "ok"))
		return error_set(err, ERROR_BAD_INPUT, "ok",
				 "gate %s takes a number of each session: say \"value\", not \"ok\"", gate->name);
	if (!json_is_number(number) || !isfinite(json_number_value(number)))
		return error_set(err, ERROR_BAD_INPUT, "value", "\"value\" must be a number");
	*value = json_number_value(number) + 0.0; /* -0 is 0 */
	return 0;
}

static int read_session(const json_t *object, const char **session, struct error *err)
{
	int rc = body_string(object, "session", true, session, err);

	if (!rc && (!**session || tuple_text_check(*session, "session", NULL)))
		return error_set(err, ERROR_BAD_INPUT, "session",
				 "\"session\" must be 1 to %d bytes without control characters", SAMPLE_SESSION_BYTES);
	return rc;
}

static int read_one(const json_t *object, const struct gate *gate, struct instant now, struct sample *sample, struct error *err)
{
	int rc = read_session(object, &sample->session, err);

	if (!rc && gate->kind == GATE_KIND_DISTRIBUTION)
		rc = read_value(object, gate, &sample->value, err);
	else if (!rc)
		rc = read_ok(object, gate, &sample->value, err);
	rc = rc ? rc : read_instant(object, "at", now, &sample->at, err);
	return rc ? rc : read_instant(object, "started", now, &sample->started, err);
}

/* Says which of them it is. */
static int name_place(size_t place, const struct error *what, struct error *err)
{
	char field[96];

	snprintf(field, sizeof(field), "samples[%zu]%s%s", place, what->field[0] ? "." : "", what->field);
	return error_set(err, what->code, field, "samples[%zu]: %.480s", place, what->message);
}

static int read_place(const json_t *list, size_t place, const struct gate *gate, struct instant now, struct sample *sample,
		      struct error *err)
{
	static const char *const keys[] = {"session", "ok", "value", "at", "started", NULL};
	const json_t *object = json_array_get(list, place);
	struct error what = {0};
	int rc;

	if (!json_is_object(object))
		return error_set(err, ERROR_BAD_INPUT, "samples", "samples[%zu] must be an object: {\"session\": ...}", place);
	rc = body_check_keys(object, keys, &what);
	rc = rc ? rc : read_one(object, gate, now, sample, &what);
	return rc ? name_place(place, &what, err) : 0;
}

static int read_list(const json_t *list, const struct gate *gate, struct instant now, struct sample *samples, struct error *err)
{
	size_t i;
	int rc = 0;

	for (i = 0; !rc && i < json_array_size(list); i++)
		rc = read_place(list, i, gate, now, &samples[i], err);
	return rc;
}

int sample_read(const json_t *body, const struct gate *gate, struct instant now, struct sample **list, size_t *count,
		struct error *err)
{
	static const char *const keys_flat[] = {"gate", "version", "session", "ok", "value", "at", "started", NULL};
	static const char *const keys[] = {"gate", "version", "samples", NULL};
	const json_t *several = json_object_get(body, "samples");
	int rc = body_check_keys(body, several ? keys : keys_flat, err);

	if (rc)
		return rc;
	if (several && !json_array_size(several))
		return error_set(err, ERROR_BAD_INPUT, "samples", "\"samples\" must be a list, of one at least");
	*count = several ? json_array_size(several) : 1;
	*list = calloc(*count, sizeof(**list));
	if (!*list)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	rc = several ? read_list(several, gate, now, *list, err) : read_one(body, gate, now, *list, err);
	if (rc) {
		free(*list);
		*list = NULL;
	}
	return rc;
}
