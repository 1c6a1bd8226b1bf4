// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See saver.h. Names come from the maps and not from the model: they know removed backends too, and need no lock. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <event2/event.h>
#include "common/log.h"
#include "common/text.h"
#include "roll.h"
#include "saver.h"
#include "snapshot.h"
#include "store.h"
#include "worker.h"

struct saver {
	struct daemon *daemon;
	struct worker *worker;
	struct event *tick;
	bool saving;
	bool complained;
};

/* --- what is saved ------------------------------------------------------------------------------------------------------ */

/* "0b2a..-..", 16 bytes in hexadecimal. */
static void boot_id_read(uint8_t id[16])
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	char text[64] = "";
	unsigned int byte;
	size_t i = 0;
	char *at;

	memset(id, 0, 16);
	if (!file)
		return;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	for (at = text; *at && i < 16; at++)
		if (sscanf(at, "%2x", &byte) == 1 && *at != '-') {
			id[i++] = (uint8_t)byte;
			at++;
		}
}

static void copy_services(struct datapath *dp, struct snapshot *head)
{
	uint16_t id;

	for (id = 1; id <= RAINBOW_MAX_SERVICES; id++) {
		const struct rainbow_service *entry = datapath_service(dp, id);
		struct snapshot_service *service = &head->services[head->service_count];

		if (!entry->in_use)
			continue;
		*service = (struct snapshot_service){
		    .id = id, .protocol = entry->protocol, .port = entry->port, .address = entry->address};
		memcpy(service->name, entry->name, sizeof(service->name) - 1);
		head->service_count++;
	}
}

static void copy_versions(struct datapath *dp, struct snapshot *head)
{
	uint16_t id;

	for (id = 1; id <= RAINBOW_MAX_VERSIONS; id++) {
		const struct rainbow_version *entry = datapath_version(dp, id);
		struct snapshot_version *version = &head->versions[head->version_count];

		if (!entry->service)
			continue;
		*version = (struct snapshot_version){.id = id, .service = (uint16_t)entry->service};
		memcpy(version->label, entry->label, sizeof(version->label) - 1);
		head->version_count++;
	}
}

static void copy_backends(struct datapath *dp, struct snapshot *head)
{
	uint16_t id;

	for (id = 1; id <= RAINBOW_MAX_BACKENDS; id++) {
		const struct rainbow_backend *entry = datapath_backend(dp, id);

		if (entry->state == RAINBOW_BACKEND_NONE)
			continue;
		head->backends[head->backend_count++] = (struct snapshot_backend){
		    .id = id, .version = (uint16_t)entry->version, .port = entry->port, .address = entry->address};
	}
}

static bool names_copy(struct datapath *dp, struct snapshot *head)
{
	head->services = calloc(RAINBOW_MAX_SERVICES, sizeof(*head->services));
	head->versions = calloc(RAINBOW_MAX_VERSIONS, sizeof(*head->versions));
	head->backends = calloc(RAINBOW_MAX_BACKENDS, sizeof(*head->backends));
	if (!head->services || !head->versions || !head->backends)
		return false;
	copy_services(dp, head);
	copy_versions(dp, head);
	copy_backends(dp, head);
	return true;
}

struct saving {
	struct snapshot_writer writer;
	int64_t now_seconds;
	uint32_t now_jiffies;
	uint32_t hz;
};

static struct snapshot_side side_of(const struct rainbow_side *side, uint16_t window, uint8_t scale)
{
	return (struct snapshot_side){.next = side->next, .ack = side->ack, .window = (uint32_t)window << scale};
}

static bool save_pin(const struct rainbow_flow *flow, const struct rainbow_pin *pin, void *arg)
{
	struct saving *saving = arg;
	int64_t age = saving->now_seconds - (int32_t)pin->opened;
	int32_t idle = (int32_t)(saving->now_jiffies - pin->last_seen);
	struct snapshot_pin saved = {
	    .flow = *flow,
	    .version = pin->version,
	    .backend = pin->backend,
	    .state = (uint8_t)pin->state,
	    .kind = pin->kind,
	    .client_scale = pin->client_scale,
	    .server_scale = pin->server_scale,
	    .age = age > 0 ? (uint32_t)age : 0,
	    .idle = idle > 0 ? (uint32_t)idle / saving->hz : 0,
	    .client = side_of(&pin->client, pin->client_window, pin->client_scale),
	    .server = side_of(&pin->server, pin->server_window, pin->server_scale),
	};

	if (!pin_state_is_live(pin->state) || (pin->kind == RAINBOW_PIN_CLIENT && (pin->flows & RAINBOW_FLOWS_ENDED)))
		return true;
	return snapshot_put(&saving->writer, &saved);
}

static int saving_begin(struct saving *saving, struct datapath *dp, struct snapshot *head, struct error *err)
{
	struct rainbow_meta *meta = datapath_meta(dp);
	struct rainbow_clock clock;
	uint64_t secret[2];
	int rc = datapath_clock(dp, &clock, err);

	saving->now_seconds = (int64_t)(clock.monotonic_ns / 1000000000);
	saving->now_jiffies = (uint32_t)clock.jiffies;
	saving->hz = meta->hz ? meta->hz : 1;
	boot_id_read(head->boot_id);
	head->saved_ms = instant_now().unix_ms;
	head->pin_limit = meta->pin_limit;
	memcpy(secret, meta->hash_secret, sizeof(secret));
	head->database = snapshot_fingerprint(secret);
	return rc;
}

int saver_save(struct datapath *dp, const char *state_dir, uint64_t *saved, struct error *err)
{
	struct saving saving;
	struct snapshot head = {0};
	int rc = saving_begin(&saving, dp, &head, err);

	*saved = 0;
	if (!rc && !names_copy(dp, &head))
		rc = error_set(err, ERROR_INTERNAL, NULL, "out of memory for a snapshot");
	rc = rc ? rc : snapshot_begin(&saving.writer, state_dir, &head, err);
	if (!rc) {
		rc = datapath_pins_each(dp, save_pin, &saving, err);
		*saved = saving.writer.count;
		if (rc)
			snapshot_abandon(&saving.writer);
		else
			rc = snapshot_commit(&saving.writer, err);
	}
	snapshot_fini(&head);
	return rc;
}

/* store_open would make what is not there. */
static bool database_is_of(struct datapath *dp, const char *state_dir)
{
	uint64_t secret[2] = {0};
	char path[PATH_MAX];
	struct store *store;
	struct error err;
	int rc;

	snprintf(path, sizeof(path), "%s/rainbow.db", state_dir);
	if (access(path, R_OK | W_OK) || store_open(&store, state_dir, &err))
		return false;
	rc = store_secret(store, secret, &err);
	store_close(store);
	return !rc && !memcmp(secret, datapath_meta(dp)->hash_secret, sizeof(secret));
}

int saver_save_pinned(const char *pin_dir, const char *state_dir, struct datapath **dp, uint64_t *saved, struct error *err)
{
	int rc = datapath_open_pinned(dp, pin_dir, err);

	*saved = 0;
	if (rc)
		return rc;
	if (!database_is_of(*dp, state_dir))
		return error_set(err, ERROR_PRECONDITION, "state-dir", "the database in %s is not that of the maps in %s",
				 state_dir, pin_dir);
	/* The table has not got all of them, the last snapshot may have. */
	if (datapath_meta(*dp)->hold)
		return error_set(err, ERROR_PRECONDITION, NULL,
				 "a rainbowd was killed while it carried sessions over; the last snapshot stays as it is");
	return saver_save(*dp, state_dir, saved, err);
}

/* --- when --------------------------------------------------------------------------------------------------------------- */

struct save_job {
	struct work work;
	struct saver *saver;
	uint64_t saved;
	int rc;
	struct error err;
};

static void save_run(struct work *work)
{
	struct save_job *job = (struct save_job *)work;
	struct daemon *daemon = job->saver->daemon;

	job->rc = saver_save(daemon->datapath, daemon->config.state_dir, &job->saved, &job->err);
}

static void save_done(struct work *work)
{
	struct save_job *job = (struct save_job *)work;
	struct saver *saver = job->saver;

	saver->saving = false;
	if (job->work.cancelled) {
		free(job);
		return;
	}
	if (job->rc && !saver->complained)
		log_error("saver", "%s", job->err.message);
	else if (!job->rc)
		log_line(saver->complained ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "saver", "%" PRIu64 " pins are saved",
			 job->saved);
	saver->complained = job->rc != 0;
	free(job);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct saver *saver = arg;
	struct save_job *job = saver->saving ? NULL : calloc(1, sizeof(*job));

	(void)fd;
	(void)what;
	if (!job)
		return;
	job->work.run = save_run;
	job->work.done = save_done;
	job->saver = saver;
	saver->saving = true;
	worker_submit(saver->worker, &job->work);
}

int saver_new(struct saver **out, struct daemon *daemon, struct error *err)
{
	int64_t every_ms = daemon->config.save_every_ms;
	struct timeval every = {.tv_sec = every_ms / 1000, .tv_usec = every_ms % 1000 * 1000};
	struct saver *saver = calloc(1, sizeof(*saver));
	int rc;

	if (!saver)
		return error_set(err, ERROR_INTERNAL, NULL, "out of memory");
	saver->daemon = daemon;
	rc = worker_new(&saver->worker, daemon->base, err);
	if (rc) {
		free(saver);
		return rc;
	}
	saver->tick = event_new(daemon->base, -1, EV_PERSIST, on_tick, saver);
	if (every_ms)
		event_add(saver->tick, &every);
	*out = saver;
	return 0;
}

void saver_free(struct saver *saver)
{
	if (!saver)
		return;
	worker_free(saver->worker);
	event_free(saver->tick);
	free(saver);
}
