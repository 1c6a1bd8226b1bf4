/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The control socket of an agent: a unix socket that takes one command line a connection and answers with one line of JSON. */
#ifndef RAINBOW_LAB_CONTROL_H
#define RAINBOW_LAB_CONTROL_H

#include <jansson.h>

/* words: the command split at blanks, NULL-terminated. Returns the answer, a new reference; {"error": "..."} if refused. */
typedef json_t *control_answer(int count, char **words);

/* Listens at path (what is there is replaced). 0 or -errno. */
int control_listen(const char *path, control_answer *answer);
/* An answer that refuses. */
json_t *control_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The other side: sends a command, prints the answer. Returns an exit code: 0, 1 refused, 2 nobody listens there. */
int control_tell(const char *path, const char *command);

#endif
