// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See opened.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>
#include "ground.h"
#include "opened.h"

#define NURSERY 1000

struct datapath *opened;

int opened_try(uint32_t pins, bool *adopted, struct error *err)
{
	const struct datapath_config config = {.pin_dir = GROUND_PIN_DIR, .pins = pins, .nursery = NURSERY};
	bool were_there;
	int rc = datapath_open(&opened, &config, adopted ? adopted : &were_there, err);

	if (!rc)
		datapath_mark_whole(opened);
	return rc;
}

struct datapath *opened_make(uint32_t pins)
{
	struct error err = {};

	if (opened_try(pins, NULL, &err))
		fail_msg("%s", err.message);
	return opened;
}

void opened_close(void)
{
	datapath_close(opened);
	opened = NULL;
}

int opened_remove(void **state)
{
	struct error err = {};

	(void)state;
	opened_close();
	if (datapath_remove(GROUND_PIN_DIR, NULL, &err))
		fprintf(stderr, "cleaning up: %s\n", err.message);
	return 0;
}
