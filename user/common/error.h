/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One error, on its way from where it was met to where someone can act: what kind (exit code and HTTP status hang on it),
 * which field of the input, and a sentence that names object, fact and next step. The first report stands; callers add none.
 */
#ifndef RAINBOW_ERROR_H
#define RAINBOW_ERROR_H

enum error_code {
	ERROR_NONE = 0,
	ERROR_INTERNAL = 1,     /* "internal", HTTP 500 */
	ERROR_BAD_INPUT = 2,    /* "bad_input", HTTP 400 */
	ERROR_NOT_FOUND = 3,    /* "not_found", HTTP 404 */
	ERROR_CONFLICT = 4,     /* "conflict", HTTP 409 */
	ERROR_PRECONDITION = 5, /* "precondition", HTTP 412 */
	ERROR_UNREACHABLE = 6,  /* "unreachable": the CLI found no daemon */
	ERROR_TIMED_OUT = 7,    /* "timed_out": the CLI waited for so long as it was told */
};

struct error {
	enum error_code code; /* the value is the exit code */
	char field[64];       /* of the input, or "" */
	char message[512];
};

/* Fills err (NULL is allowed) and returns -code, so that a function can `return error_set(...)`. field may be NULL. */
int error_set(struct error *err, enum error_code code, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#ifdef __clang_analyzer__ /* it reads one file at a time and can not know that this is never 0 */
#define error_set(...) (error_set(__VA_ARGS__), -1)
#endif

const char *error_code_name(enum error_code code);
/* 0 (ERROR_NONE) for an unknown name. */
enum error_code error_code_parse(const char *name);
int error_http_status(enum error_code code);

#endif
