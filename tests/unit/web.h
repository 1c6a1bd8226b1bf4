/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* For unit tests that speak with a real web server (web.py): it and the test are alone in a network namespace of their own. */
#ifndef RAINBOW_WEB_H
#define RAINBOW_WEB_H

#include <stdbool.h>

struct web {
	int pid, hold; /* it ends when hold is closed */
	char url[64];  /* "http://127.0.0.1:PORT" */
};

/* False without the rights to: the tests are then skipped. */
bool web_alone(void);
/* certificate and key NULL: no TLS. */
void web_start(struct web *web, const char *certificate, const char *key);
void web_stop(struct web *web);

#endif
