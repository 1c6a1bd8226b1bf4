/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The pins on disk, for after a reboot: STATE_DIR/pins.snapshot. Reading and writing the file; what is saved is saver.c's affair,
 * what is put back restore.c's.
 *
 * The file, little-endian, without gaps between its parts; each part ends with the CRC-32 (as in zlib) of its other bytes:
 *
 *   header    96 bytes    0 magic "RAINBOW\n"    8 format, 1    12 header size, 96    16 schema of the maps (not relied on)
 *                        20 pins a block, 1024  24 boot id (16 bytes)   40 saved at, unix ms    48 database (a fingerprint)
 *                        56 services   60 versions   64 backends   68 pin limit of the maps, 0: unknown
 *                        72 pins (8 bytes)   80 zero (12 bytes)   92 CRC
 *   names                services, 56 bytes each:  0 id   2 protocol   4 port   6 zero   8 address (16)   24 name (32)
 *                        versions, 36 bytes each:  0 id   2 service id   4 label (32)
 *                        backends, 24 bytes each:  0 id   2 version id   4 port   6 zero   8 address (16)
 *                        CRC
 *   block...             1 to 1024 pins, 60 bytes each, all blocks but the last one full; CRC:
 *                         0 client address (16)   16 client port (0: a client session)   18 service id   20 version id
 *                        22 backend id   24 state   25 kind   26 window scale of the client   27 of the backend
 *                        28 age, seconds   32 idle, seconds   36 client: next, ack, window in bytes   48 backend: the same
 *
 * Ids are those of the names beside them, which are what counts at a restore. States and kinds are enum rainbow_pin_state and
 * enum rainbow_pin_kind. Times are spans, since no clock of a host goes on over a reboot but that of the calendar. A file whose
 * length, sums or values are not as said is refused whole. At most RAINBOW_MAX_PINS pins.
 */
#ifndef RAINBOW_SNAPSHOT_H
#define RAINBOW_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <rainbow/maps.h>
#include "common/error.h"

#define SNAPSHOT_NAME "pins.snapshot"

struct snapshot_service {
	uint16_t id, protocol, port;
	struct rainbow_addr address;
	char name[RAINBOW_NAME_SIZE];
};

struct snapshot_version {
	uint16_t id, service;
	char label[RAINBOW_NAME_SIZE];
};

struct snapshot_backend {
	uint16_t id, version, port;
	struct rainbow_addr address;
};

struct snapshot_side {
	uint32_t next, ack, window; /* bytes */
};

struct snapshot_pin {
	struct rainbow_flow flow;
	uint16_t version, backend;
	uint8_t state, kind, client_scale, server_scale;
	uint32_t age, idle; /* seconds */
	struct snapshot_side client, server;
};

struct snapshot {
	uint8_t boot_id[16];
	int64_t saved_ms; /* unix */
	uint64_t database;
	struct snapshot_service *services;
	struct snapshot_version *versions;
	struct snapshot_backend *backends;
	struct snapshot_pin *pins;
	uint32_t service_count, version_count, backend_count;
	uint32_t pin_limit; /* of the maps; 0: unknown */
	uint64_t pin_count;
};

/* What tells one database from another, without giving its secret away. */
uint64_t snapshot_fingerprint(const uint64_t secret[2]);

/* 0, or -ERROR_PRECONDITION: it is no snapshot, a damaged one, or one of another format; *out is empty then. */
int snapshot_parse(const uint8_t *bytes, size_t length, struct snapshot *out, struct error *err);
/* The file in this directory. -ERROR_NOT_FOUND: there is none. */
int snapshot_read(const char *state_dir, struct snapshot *out, struct error *err);
/* How many pins there must be room for to put back that file, by its header alone; 0: there is none of this database. */
uint32_t snapshot_room(const char *state_dir, uint64_t database);
void snapshot_fini(struct snapshot *snapshot);

/* --- writing: begin, one pin after the other, then commit (which puts the file in the place of the one before) or abandon. */
struct snapshot_writer {
	int directory, fd;
	const struct snapshot *head; /* the caller's until the end; its pins are not looked at */
	uint8_t *block;
	uint32_t in_block;
	uint64_t count;
	int error; /* errno of the first failure */
};

int snapshot_begin(struct snapshot_writer *writer, const char *state_dir, const struct snapshot *head, struct error *err);
/* False: a write failed; abandon tells nothing, commit tells why. */
bool snapshot_put(struct snapshot_writer *writer, const struct snapshot_pin *pin);
/* On failure the file of before is as it was, or err says that it may come back. Ends the writer in both cases. */
int snapshot_commit(struct snapshot_writer *writer, struct error *err);
void snapshot_abandon(struct snapshot_writer *writer);

#endif
