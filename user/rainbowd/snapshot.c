// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See snapshot.h. Fields are put and got in the order of the file, by a cursor. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include "rainbowd/snapshot.h"

#define MAGIC        "RAINBOW\n"
#define FORMAT       1
#define HEADER_SIZE  96
#define SERVICE_SIZE 56
#define VERSION_SIZE 36
#define BACKEND_SIZE 24
#define PIN_SIZE     60
#define CRC_SIZE     4
#define BLOCK_PINS   1024
#define NEXT_NAME    SNAPSHOT_NAME ".next"

/* --- bytes -------------------------------------------------------------------------------------------------------------- */

static void put_number(uint8_t **at, uint64_t value, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i++)
		*(*at)++ = (uint8_t)(value >> 8 * i);
}

static uint64_t get_number(const uint8_t **at, size_t bytes)
{
	uint64_t value = 0;
	size_t i;

	for (i = 0; i < bytes; i++)
		value |= (uint64_t) * (*at)++ << 8 * i;
	return value;
}

static void put_bytes(uint8_t **at, const void *from, size_t bytes)
{
	memcpy(*at, from, bytes);
	*at += bytes;
}

static void get_bytes(const uint8_t **at, void *to, size_t bytes)
{
	memcpy(to, *at, bytes);
	*at += bytes;
}

static uint32_t crc_of(const uint8_t *bytes, size_t length)
{
	return (uint32_t)crc32_z(0, bytes, length);
}

static void put_crc(uint8_t **at, const uint8_t *from)
{
	put_number(at, crc_of(from, (size_t)(*at - from)), CRC_SIZE);
}

/* A part of this length, without its sum. */
static bool crc_is_right(const uint8_t *part, size_t length)
{
	const uint8_t *at = part + length;

	return get_number(&at, CRC_SIZE) == crc_of(part, length);
}

/* --- parts -------------------------------------------------------------------------------------------------------------- */

static void header_put(uint8_t *at, const struct snapshot *head, uint64_t pins)
{
	uint8_t *from = at;

	put_bytes(&at, MAGIC, 8);
	put_number(&at, FORMAT, 4);
	put_number(&at, HEADER_SIZE, 4);
	put_number(&at, RAINBOW_SCHEMA, 4);
	put_number(&at, BLOCK_PINS, 4);
	put_bytes(&at, head->boot_id, 16);
	put_number(&at, (uint64_t)head->saved_ms, 8);
	put_number(&at, head->database, 8);
	put_number(&at, head->service_count, 4);
	put_number(&at, head->version_count, 4);
	put_number(&at, head->backend_count, 4);
	put_number(&at, head->pin_limit, 4);
	put_number(&at, pins, 8);
	put_number(&at, 0, 8);
	put_number(&at, 0, 4);
	put_crc(&at, from);
}

static void side_put(uint8_t **at, const struct snapshot_side *side)
{
	put_number(at, side->next, 4);
	put_number(at, side->ack, 4);
	put_number(at, side->window, 4);
}

static void side_get(const uint8_t **at, struct snapshot_side *side)
{
	side->next = (uint32_t)get_number(at, 4);
	side->ack = (uint32_t)get_number(at, 4);
	side->window = (uint32_t)get_number(at, 4);
}

static void pin_put(uint8_t *at, const struct snapshot_pin *pin)
{
	put_bytes(&at, &pin->flow.client, 16);
	put_number(&at, pin->flow.port, 2);
	put_number(&at, pin->flow.service, 2);
	put_number(&at, pin->version, 2);
	put_number(&at, pin->backend, 2);
	put_number(&at, pin->state, 1);
	put_number(&at, pin->kind, 1);
	put_number(&at, pin->client_scale, 1);
	put_number(&at, pin->server_scale, 1);
	put_number(&at, pin->age, 4);
	put_number(&at, pin->idle, 4);
	side_put(&at, &pin->client);
	side_put(&at, &pin->server);
}

static void pin_get(const uint8_t *at, struct snapshot_pin *pin)
{
	get_bytes(&at, &pin->flow.client, 16);
	pin->flow.port = (uint16_t)get_number(&at, 2);
	pin->flow.service = (uint16_t)get_number(&at, 2);
	pin->version = (uint16_t)get_number(&at, 2);
	pin->backend = (uint16_t)get_number(&at, 2);
	pin->state = (uint8_t)get_number(&at, 1);
	pin->kind = (uint8_t)get_number(&at, 1);
	pin->client_scale = (uint8_t)get_number(&at, 1);
	pin->server_scale = (uint8_t)get_number(&at, 1);
	pin->age = (uint32_t)get_number(&at, 4);
	pin->idle = (uint32_t)get_number(&at, 4);
	side_get(&at, &pin->client);
	side_get(&at, &pin->server);
}

/* Sums keep accidents out, not whoever can write them: no value may lead out of a table or a type. */
static bool pin_is_sound(const struct snapshot_pin *pin)
{
	bool live =
	    pin->state == RAINBOW_PIN_LIVE || pin->state == RAINBOW_PIN_HALF_CLIENT || pin->state == RAINBOW_PIN_HALF_SERVER;
	bool known = pin->kind == RAINBOW_PIN_SESSION || pin->kind == RAINBOW_PIN_FLOW || pin->kind == RAINBOW_PIN_CLIENT;

	/* A client session has no halves: in such a state it could not end. */
	if (pin->kind == RAINBOW_PIN_CLIENT && pin->state != RAINBOW_PIN_LIVE)
		return false;
	return live && known && (pin->kind == RAINBOW_PIN_CLIENT) == (pin->flow.port == 0) && pin->client_scale <= 14 &&
	       pin->server_scale <= 14 && pin->client.window <= 0x40000000 && pin->server.window <= 0x40000000;
}

static size_t names_size(const struct snapshot *head)
{
	return (size_t)head->service_count * SERVICE_SIZE + (size_t)head->version_count * VERSION_SIZE +
	       (size_t)head->backend_count * BACKEND_SIZE;
}

static void names_put(uint8_t *at, const struct snapshot *head)
{
	uint8_t *from = at;
	uint32_t i;

	for (i = 0; i < head->service_count; i++) {
		const struct snapshot_service *service = &head->services[i];

		put_number(&at, service->id, 2);
		put_number(&at, service->protocol, 2);
		put_number(&at, service->port, 2);
		put_number(&at, 0, 2);
		put_bytes(&at, &service->address, 16);
		put_bytes(&at, service->name, RAINBOW_NAME_SIZE);
	}
	for (i = 0; i < head->version_count; i++) {
		put_number(&at, head->versions[i].id, 2);
		put_number(&at, head->versions[i].service, 2);
		put_bytes(&at, head->versions[i].label, RAINBOW_NAME_SIZE);
	}
	for (i = 0; i < head->backend_count; i++) {
		put_number(&at, head->backends[i].id, 2);
		put_number(&at, head->backends[i].version, 2);
		put_number(&at, head->backends[i].port, 2);
		put_number(&at, 0, 2);
		put_bytes(&at, &head->backends[i].address, 16);
	}
	put_crc(&at, from);
}

static void name_get(const uint8_t **at, char name[RAINBOW_NAME_SIZE])
{
	get_bytes(at, name, RAINBOW_NAME_SIZE);
	name[RAINBOW_NAME_SIZE - 1] = '\0';
}

static void names_get(const uint8_t *at, struct snapshot *out)
{
	uint32_t i;

	for (i = 0; i < out->service_count; i++) {
		struct snapshot_service *service = &out->services[i];

		service->id = (uint16_t)get_number(&at, 2);
		service->protocol = (uint16_t)get_number(&at, 2);
		service->port = (uint16_t)get_number(&at, 2);
		at += 2;
		get_bytes(&at, &service->address, 16);
		name_get(&at, service->name);
	}
	for (i = 0; i < out->version_count; i++) {
		out->versions[i].id = (uint16_t)get_number(&at, 2);
		out->versions[i].service = (uint16_t)get_number(&at, 2);
		name_get(&at, out->versions[i].label);
	}
	for (i = 0; i < out->backend_count; i++) {
		out->backends[i].id = (uint16_t)get_number(&at, 2);
		out->backends[i].version = (uint16_t)get_number(&at, 2);
		out->backends[i].port = (uint16_t)get_number(&at, 2);
		at += 2;
		get_bytes(&at, &out->backends[i].address, 16);
	}
}

/* --- reading ------------------------------------------------------------------------------------------------------------ */

uint64_t snapshot_fingerprint(const uint64_t secret[2])
{
	uint8_t bytes[16], *at = bytes;

	put_number(&at, secret[0], 8);
	put_number(&at, secret[1], 8);
	return (uint64_t)crc_of(bytes, 16) << 32 | crc_of(bytes + 3, 11);
}

static int refuse(struct error *err, const char *why)
{
	return error_set(err, ERROR_PRECONDITION, "state-dir", "%s", why);
}

static uint64_t file_size(const struct snapshot *head)
{
	return HEADER_SIZE + names_size(head) + CRC_SIZE + head->pin_count * PIN_SIZE +
	       (head->pin_count + BLOCK_PINS - 1) / BLOCK_PINS * CRC_SIZE;
}

/* Everything but the lists; *size is what the whole file must have. */
static int header_get(const uint8_t *bytes, size_t length, struct snapshot *out, uint64_t *size, struct error *err)
{
	const uint8_t *at = bytes + 8;
	uint32_t format, header, block;

	if (length < HEADER_SIZE || memcmp(bytes, MAGIC, 8) != 0)
		return refuse(err, length < 8 || memcmp(bytes, MAGIC, 8) != 0 ? "it is no snapshot of rainbow's"
									      : "it is cut off in its header");
	format = (uint32_t)get_number(&at, 4);
	header = (uint32_t)get_number(&at, 4);
	if (format != FORMAT)
		return error_set(err, ERROR_PRECONDITION, "state-dir", "it has format %u, this rainbowd knows %d", format,
				 FORMAT);
	if (header != HEADER_SIZE || !crc_is_right(bytes, HEADER_SIZE - CRC_SIZE))
		return refuse(err, "its header is damaged");
	at += 4; /* schema */
	block = (uint32_t)get_number(&at, 4);
	get_bytes(&at, out->boot_id, 16);
	out->saved_ms = (int64_t)get_number(&at, 8);
	out->database = get_number(&at, 8);
	out->service_count = (uint32_t)get_number(&at, 4);
	out->version_count = (uint32_t)get_number(&at, 4);
	out->backend_count = (uint32_t)get_number(&at, 4);
	out->pin_limit = (uint32_t)get_number(&at, 4);
	out->pin_count = get_number(&at, 8);
	if (block != BLOCK_PINS || out->service_count > RAINBOW_MAX_SERVICES || out->version_count > RAINBOW_MAX_VERSIONS ||
	    out->backend_count > RAINBOW_MAX_BACKENDS || out->pin_limit > RAINBOW_MAX_PINS || out->pin_count > RAINBOW_MAX_PINS)
		return refuse(err, "its header names more than there can be");
	*size = file_size(out);
	return 0;
}

static int pins_get(const uint8_t *at, struct snapshot *out, struct error *err)
{
	uint64_t done, i;

	for (done = 0; done < out->pin_count;) {
		uint64_t many = out->pin_count - done < BLOCK_PINS ? out->pin_count - done : BLOCK_PINS;

		if (!crc_is_right(at, many * PIN_SIZE))
			return refuse(err, "its pins are damaged");
		for (i = 0; i < many; i++, at += PIN_SIZE) {
			pin_get(at, &out->pins[done + i]);
			if (!pin_is_sound(&out->pins[done + i]))
				return refuse(err, "it holds a pin that can not be");
		}
		at += CRC_SIZE;
		done += many;
	}
	return 0;
}

static bool lists_make(struct snapshot *out)
{
	/* One more than needed, as an empty list may be NULL otherwise. */
	out->services = calloc(out->service_count + 1, sizeof(*out->services));
	out->versions = calloc(out->version_count + 1, sizeof(*out->versions));
	out->backends = calloc(out->backend_count + 1, sizeof(*out->backends));
	out->pins = calloc(out->pin_count + 1, sizeof(*out->pins));
	return out->services && out->versions && out->backends && out->pins;
}

int snapshot_parse(const uint8_t *bytes, size_t length, struct snapshot *out, struct error *err)
{
	const uint8_t *names = bytes + HEADER_SIZE;
	uint64_t size = 0;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = header_get(bytes, length, out, &size, err);
	if (!rc && length != size)
		rc = refuse(err, length < size ? "it is cut off" : "it is longer than its header says");
	if (!rc && !crc_is_right(names, names_size(out)))
		rc = refuse(err, "its names are damaged");
	if (!rc && !lists_make(out))
		rc = error_set(err, ERROR_INTERNAL, NULL, "out of memory for %llu pins", (unsigned long long)out->pin_count);
	if (!rc) {
		names_get(names, out);
		rc = pins_get(names + names_size(out) + CRC_SIZE, out, err);
	}
	if (rc)
		snapshot_fini(out);
	return rc;
}

/* The longest file that header_get lets pass. */
static uint64_t longest(void)
{
	const struct snapshot most = {.service_count = RAINBOW_MAX_SERVICES,
				      .version_count = RAINBOW_MAX_VERSIONS,
				      .backend_count = RAINBOW_MAX_BACKENDS,
				      .pin_count = RAINBOW_MAX_PINS};

	return file_size(&most);
}

/* By read(2) and not mapped: a file that shrinks meanwhile is a short one, not a SIGBUS. */
static uint8_t *read_whole(int fd, size_t *length)
{
	struct stat st;
	uint8_t *bytes;
	ssize_t got;

	*length = 0;
	if (fstat(fd, &st) || st.st_size < 0)
		return NULL;
	if ((uint64_t)st.st_size > longest()) {
		errno = EFBIG;
		return NULL;
	}
	bytes = malloc((size_t)st.st_size + 1);
	while (bytes && *length < (size_t)st.st_size) {
		got = read(fd, bytes + *length, (size_t)st.st_size - *length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			free(bytes);
			return NULL;
		}
		if (got == 0)
			break;
		*length += (size_t)got;
	}
	return bytes;
}

static int open_to_read(const char *state_dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" SNAPSHOT_NAME, state_dir);
	return open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

uint32_t snapshot_room(const char *state_dir, uint64_t database)
{
	int fd = open_to_read(state_dir);
	uint8_t header[HEADER_SIZE];
	struct snapshot head = {0};
	struct error ignored;
	uint32_t room = 0;
	uint64_t size;

	if (fd < 0)
		return 0;
	if (read(fd, header, sizeof(header)) == sizeof(header) && !header_get(header, sizeof(header), &head, &size, &ignored) &&
	    head.database == database)
		room = head.pin_limit > head.pin_count ? head.pin_limit : (uint32_t)head.pin_count;
	close(fd);
	return room;
}

int snapshot_read(const char *state_dir, struct snapshot *out, struct error *err)
{
	uint8_t *bytes;
	size_t length;
	int fd, rc;

	memset(out, 0, sizeof(*out));
	fd = open_to_read(state_dir);
	if (fd < 0 && errno == ENOENT)
		return error_set(err, ERROR_NOT_FOUND, "state-dir", "there is no " SNAPSHOT_NAME " in %s", state_dir);
	if (fd < 0)
		return error_set(err, ERROR_PRECONDITION, "state-dir", "it can not be opened: %s", strerror(errno));
	bytes = read_whole(fd, &length);
	rc = bytes ? snapshot_parse(bytes, length, out, err)
		   : error_set(err, ERROR_PRECONDITION, "state-dir", "it can not be read: %s", strerror(errno));
	free(bytes);
	close(fd);
	return rc;
}

void snapshot_fini(struct snapshot *snapshot)
{
	free(snapshot->services);
	free(snapshot->versions);
	free(snapshot->backends);
	free(snapshot->pins);
	memset(snapshot, 0, sizeof(*snapshot));
}

/* --- writing ------------------------------------------------------------------------------------------------------------ */

static bool write_all(struct snapshot_writer *writer, const uint8_t *bytes, size_t length)
{
	while (length && !writer->error) {
		ssize_t put = write(writer->fd, bytes, length);

		if (put < 0 && errno != EINTR)
			writer->error = errno;
		if (put > 0) {
			bytes += put;
			length -= (size_t)put;
		}
	}
	return !writer->error;
}

static bool write_names(struct snapshot_writer *writer)
{
	size_t size = HEADER_SIZE + names_size(writer->head) + CRC_SIZE;
	uint8_t *bytes = calloc(1, size); /* the header's place, for the end */
	bool written;

	if (!bytes) {
		writer->error = ENOMEM;
		return false;
	}
	names_put(bytes + HEADER_SIZE, writer->head);
	written = write_all(writer, bytes, size);
	free(bytes);
	return written;
}

static bool write_block(struct snapshot_writer *writer)
{
	uint8_t *end = writer->block + (size_t)writer->in_block * PIN_SIZE;

	if (!writer->in_block)
		return !writer->error;
	put_crc(&end, writer->block);
	writer->in_block = 0;
	return write_all(writer, writer->block, (size_t)(end - writer->block));
}

static bool write_header(struct snapshot_writer *writer)
{
	uint8_t header[HEADER_SIZE];

	header_put(header, writer->head, writer->count);
	if (!writer->error && pwrite(writer->fd, header, sizeof(header), 0) != sizeof(header))
		writer->error = errno ? errno : EIO;
	return !writer->error;
}

static void writer_end(struct snapshot_writer *writer)
{
	free(writer->block);
	if (writer->fd >= 0)
		close(writer->fd);
	if (writer->directory >= 0)
		close(writer->directory);
	*writer = (struct snapshot_writer){.directory = -1, .fd = -1};
}

static int fail(struct snapshot_writer *writer, int why, struct error *err)
{
	if (writer->fd >= 0)
		unlinkat(writer->directory, NEXT_NAME, 0);
	writer_end(writer);
	return error_set(err, ERROR_INTERNAL, "state-dir",
			 "the pins can not be saved for a reboot: %s; the snapshot of before stays as it is", strerror(why));
}

int snapshot_begin(struct snapshot_writer *writer, const char *state_dir, const struct snapshot *head, struct error *err)
{
	*writer = (struct snapshot_writer){.fd = -1, .head = head};
	writer->directory = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (writer->directory < 0)
		return fail(writer, errno, err);
	unlinkat(writer->directory, NEXT_NAME, 0);
	writer->fd = openat(writer->directory, NEXT_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (writer->fd < 0)
		return fail(writer, errno, err);
	writer->block = malloc(BLOCK_PINS * PIN_SIZE + CRC_SIZE);
	if (!writer->block)
		return fail(writer, ENOMEM, err);
	return write_names(writer) ? 0 : fail(writer, writer->error, err);
}

bool snapshot_put(struct snapshot_writer *writer, const struct snapshot_pin *pin)
{
	if (writer->error || writer->count >= RAINBOW_MAX_PINS || !pin_is_sound(pin))
		return !writer->error;
	pin_put(writer->block + (size_t)writer->in_block * PIN_SIZE, pin);
	writer->count++;
	return ++writer->in_block < BLOCK_PINS || write_block(writer);
}

/* The bytes, then the name, then the directory that holds the name: whenever the power goes, the old file or the new one is there. */
int snapshot_commit(struct snapshot_writer *writer, struct error *err)
{
	int rc = 0;

	if (!write_block(writer) || !write_header(writer))
		return fail(writer, writer->error, err);
	if (fsync(writer->fd) || renameat(writer->directory, NEXT_NAME, writer->directory, SNAPSHOT_NAME))
		return fail(writer, errno, err);
	if (fsync(writer->directory))
		rc = error_set(err, ERROR_INTERNAL, "state-dir",
			       "the pins are saved for a reboot, but a power loss may bring the snapshot of before back: %s",
			       strerror(errno));
	writer_end(writer);
	return rc;
}

void snapshot_abandon(struct snapshot_writer *writer)
{
	struct error ignored;

	fail(writer, 0, &ignored);
}
