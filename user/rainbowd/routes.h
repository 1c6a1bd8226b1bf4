/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of the API's paths, and finding a request's row. */
#ifndef RAINBOW_ROUTES_H
#define RAINBOW_ROUTES_H

#include "request.h"

struct route {
	const char *method;
	const char *pattern; /* a part ":name" is a variable */
	request_handler handle;
	const char *query
	    [4]; /* parameters that it takes, NULL-terminated; changes take dry_run, reason and, below a service, if_generation as well */
	bool is_change;
	const char *verb; /* of a change, for the history, as in rainbowctl; a variable ":verb" of the path follows it */
};

/*
 * Finds the row and fills the variables (decoded, allocated). -ERROR_NOT_FOUND: no such path; -ERROR_BAD_INPUT: the path is there, the
 * method is not (err->field is "method").
 */
int route_find(const char *method, const char *path, const struct route **out, char *variable[REQUEST_VARIABLES],
	       struct error *err);

#endif
