// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What `wait --for` takes. Pure. */
#include <string.h>
#include "common/error.h"
#include "common/text.h"
#include "rainbowctl/wait.h"

int wait_order_parse(const char *text, struct wait_order *order, struct error *err)
{
	static const char drained[] = "drained=";

	*order = (struct wait_order){0};
	if (!strcmp(text, "rollout=complete"))
		return 0;
	if (strncmp(text, drained, strlen(drained)))
		return error_set(err, ERROR_BAD_INPUT, "--for", "'%s' is none of rollout=complete, drained=LABEL", text);
	order->drained = text + strlen(drained);
	return name_check(order->drained, "version", "--for", err);
}
