/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * After a reboot: the pins of the snapshot go into the new, empty maps before a hook is attached. Then each restored TCP session
 * is asked at both ends, as a reboot tells nobody which of them ended meanwhile: an end that has it answers with an ACK, one that has
 * not with an RST, which ends the pin as any RST does and reaches the other end.
 */
#ifndef RAINBOW_RESTORE_H
#define RAINBOW_RESTORE_H

#include "daemon.h"

struct restore;

/* A snapshot that is not whole, or not of this database, is told of and put aside; no session is put back then. Never fails. */
void restore_pins(struct daemon *daemon);
/* At each start: asks those restored that have not answered yet, by whichever rainbowd; RESTORE_RATE sessions a second. */
#define RESTORE_RATE 1000
void restore_ask(struct restore **out, struct daemon *daemon);
/* NULL is allowed. */
void restore_free(struct restore *restore);

#endif
