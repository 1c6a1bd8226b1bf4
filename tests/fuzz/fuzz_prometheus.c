/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fuzzes what is said to Prometheus and by it: the first byte is the status of an answer, the rest is its body, and a query, too. A value
 * is a number, what is none says why, in clean text; and no byte that could end a string of PromQL comes from a variable.
 */
#include <math.h>
#include <string.h>
#include "tests/fuzz/fuzz.h"
#include "rainbowd/prometheus.h"

static void check_text(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			abort();
}

static void read_answer(int status, const char *body, size_t length)
{
	struct prometheus_value value;

	prometheus_read(status, body, length, &value);
	if (value.verdict == GATE_FAIL || (value.verdict == GATE_PASS) != !value.reason[0])
		abort();
	if (value.verdict == GATE_PASS && !isfinite(value.value))
		abort();
	check_text(value.reason);
}

/* The body as a query, and as a label in one. */
static void fill_query(const char *text)
{
	const struct prometheus_names harmless = {"v2", "v1", "agent", {90000}}, strange = {text, "v1", "agent", {0}};
	char filled[PROMETHEUS_QUERY_SIZE], url[PROMETHEUS_URL_SIZE];
	struct error err = {0};

	if (prometheus_fill(text, &harmless, filled, &err) ? !err.message[0] : strlen(filled) > 3 * strlen(text))
		abort();
	if (prometheus_url("http://p", text, url, &err) == 0)
		check_text(url);
	if (prometheus_fill("{v=\"$version\"}", &strange, filled, &err) == 0 && strpbrk(text, "\"'`{}\\ \n"))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *text;

	if (!size)
		return 0;
	text = strndup((const char *)bytes + 1, size - 1);
	/* An answer has a NUL behind it, as fetch gives it; a shorter text may be within. */
	read_answer(bytes[0] == 200 ? 200 : 256 + bytes[0], text, strlen(text));
	fill_query(text);
	free(text);
	return 0;
}
