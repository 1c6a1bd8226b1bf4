/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Gives ids to what is new in a service. An address that was in use a moment ago takes up its old id: pins, unfinished
 * handshakes and late packets still name that, and under a new one their replies would find no session.
 */
#ifndef RAINBOW_GIVE_H
#define RAINBOW_GIVE_H

#include "datapath.h"
#include "ids.h"
#include "model.h"

/*
 * For each id that is 0 in `service`. An id taken up stays marked as retired until ids_hold: until then nothing has happened.
 * -ERROR_PRECONDITION: all ids are in use, or an address still belongs to the last packets of another service.
 */
int give_ids(struct datapath *dp, struct ids *ids, struct service *service, int64_t now_ms, struct error *err);

#endif
