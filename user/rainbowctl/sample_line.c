// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See sample_line.h. What is refused here rainbowd would refuse too (sample_read.c), but only once earlier lines are counted. */
#include <math.h>
#include <string.h>
#include "common/duration.h"
#include "common/field.h"
#include "common/text.h"
#include "rainbowctl/sample_line.h"

static int check_session(const struct field *object, struct error *err)
{
	const char *text = "";
	struct field session;
	int rc = field_require(object, "session", err);

	field_member(object, "session", &session);
	rc = rc ? rc : field_text(&session, &text, err);
	if (!rc && !*text)
		return field_refuse(&session, err, "is empty: a session counts once, so it needs a name");
	return rc ? rc : tuple_text_check(text, session.path, err);
}

/* null is as good as none. */
static int check_instant(const struct field *object, const char *key, struct error *err)
{
	const char *text = "";
	struct instant instant;
	struct field field;
	int rc;

	if (!field_member(object, key, &field) || json_is_null(field.json))
		return 0;
	rc = field_text(&field, &text, err);
	return rc ? rc : instant_parse(text, &instant, field.path, err);
}

static int check_outcome(const struct field *object, const char **outcome, struct error *err)
{
	struct field ok, value;
	bool has_ok = field_member(object, "ok", &ok), has_value = field_member(object, "value", &value);

	if (has_ok == has_value)
		return field_refuse(object, err, "how did the session go? it needs one of ok and value");
	if (has_ok && !json_is_boolean(ok.json))
		return field_refuse(&ok, err, "must be true or false");
	if (has_value && (!json_is_number(value.json) || !isfinite(json_number_value(value.json))))
		return field_refuse(&value, err, "must be a number");
	if (*outcome && strcmp(*outcome, has_ok ? "ok" : "value") != 0)
		return field_refuse(has_ok ? &ok : &value, err, "the lines before have %s: a gate takes one of the two",
				    *outcome);
	*outcome = has_ok ? "ok" : "value";
	return 0;
}

int sample_line_check(const json_t *sample, const char **outcome, struct error *err)
{
	static const char *const keys[] = {"session", "ok", "value", "at", "started", NULL};
	struct field object;
	int rc;

	field_begin(&object, sample, "");
	rc = field_check_object(&object, keys, err);
	rc = rc ? rc : check_session(&object, err);
	rc = rc ? rc : check_outcome(&object, outcome, err);
	rc = rc ? rc : check_instant(&object, "at", err);
	return rc ? rc : check_instant(&object, "started", err);
}
