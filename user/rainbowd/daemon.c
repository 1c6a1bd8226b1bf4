// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Starting and stopping, in an order that is safe at each step: the maps are taken and the database read before anything is
 * written; the maps say what the database says, and new ones hold the sessions of the snapshot, before a hook is attached; the
 * socket opens last.
 */
#include <signal.h>
#include <string.h>
#include <event2/event.h>
#include "api.h"
#include "apply.h"
#include "census.h"
#include "closer.h"
#include "common/log.h"
#include "daemon.h"
#include "duties.h"
#include "fetch.h"
#include "events.h"
#include "ghosts.h"
#include "hook.h"
#include "keeper.h"
#include "pilot.h"
#include "probe.h"
#include "restore.h"
#include "samples.h"
#include "saver.h"
#include "snapshot.h"
#include "sources.h"
#include "store.h"
#include "worker.h"

static bool maps_are_empty(struct datapath *dp)
{
	uint32_t id;

	for (id = 1; id <= RAINBOW_MAX_SERVICES; id++)
		if (datapath_service(dp, id)->in_use)
			return false;
	return true;
}

/* Maps and database belong together if they hold the same secret. With another database every session here would be a stranger. */
static int check_pair(struct daemon *daemon, struct error *err)
{
	struct rainbow_meta *meta = datapath_meta(daemon->datapath);
	bool same = memcmp(meta->hash_secret, daemon->secret, sizeof(daemon->secret)) == 0;

	if (same || maps_are_empty(daemon->datapath))
		return 0;
	return error_set(err, ERROR_PRECONDITION, "state-dir",
			 "the maps under %s serve sessions of services that the database in %s does not know; start with the "
			 "--state-dir used before, or end them: rainbowd --detach",
			 daemon->config.pin_dir, daemon->config.state_dir);
}

/* Those given on the command line take the place of those known. */
static int settle_wishes(struct daemon *daemon, struct error *err)
{
	struct daemon_config *config = &daemon->config;
	int rc = 0;

	if (!config->wish_count)
		rc = store_load_wishes(daemon->store, config->wishes, RAINBOW_MAX_HOOKS, &config->wish_count, err);
	if (rc || config->wish_count)
		return rc;
	return error_set(err, ERROR_BAD_INPUT, "interface",
			 "no interface is given and none is known from before; name at least one: --interface eth0");
}

/* Handshakes may be under way that began a moment before this start. */
static void note_drains(struct model *model, int64_t now_ms)
{
	size_t i, j;

	for (i = 0; i < model->count; i++)
		for (j = 0; j < model->services[i]->version_count; j++)
			model->services[i]->versions[j].drain.in_force_ms = now_ms;
}

static int open_state(struct daemon *daemon, struct error *err)
{
	struct datapath_config config = {
	    .pin_dir = daemon->config.pin_dir,
	    .pins = daemon->config.pins,
	    .nursery = daemon->config.nursery,
	};
	bool adopted;
	int rc = store_open(&daemon->store, daemon->config.state_dir, err);

	if (!rc && daemon->config.history)
		store_keep_history(daemon->store, daemon->config.history);
	rc = rc ? rc : store_secret(daemon->store, daemon->secret, err);
	rc = rc ? rc : store_load(daemon->store, &daemon->model, err);
	rc = rc ? rc : samples_open(&daemon->samples, daemon->store, err);
	rc = rc ? rc : settle_wishes(daemon, err);
	/* As many as there were before a reboot. */
	config.pins_new = rc ? 0 : snapshot_room(daemon->config.state_dir, snapshot_fingerprint(daemon->secret));
	rc = rc ? rc : datapath_open(&daemon->datapath, &config, &adopted, err);
	daemon->made = !rc && !adopted;
	rc = rc ? rc : check_pair(daemon, err);
	if (rc)
		return rc;
	memcpy(datapath_meta(daemon->datapath)->hash_secret, daemon->secret, sizeof(daemon->secret));
	log_info("daemon", "%s maps under %s", adopted ? "adopted the" : "made new", daemon->config.pin_dir);
	rc = apply_reconcile(daemon->datapath, &daemon->model, &daemon->ids, monotonic_ms(), err);
	note_drains(&daemon->model, monotonic_ms());
	if (!rc && !adopted)
		restore_pins(daemon);
	/* Not before: a start that is killed while it restores is to be repeated, not to be gone on from. */
	if (!rc)
		datapath_mark_whole(daemon->datapath);
	return rc;
}

static bool is_attached(struct daemon *daemon, const struct hook_wish *wish)
{
	struct hook_info hooks[RAINBOW_MAX_HOOKS];
	size_t i, count = datapath_hooks(daemon->datapath, hooks, RAINBOW_MAX_HOOKS);

	for (i = 0; i < count; i++)
		if (hooks[i].attached && strcmp(hooks[i].hook.name, wish->interface) == 0)
			return true;
	return false;
}

size_t daemon_attach(struct daemon *daemon, struct error *err)
{
	size_t i, attached = 0;

	for (i = 0; i < daemon->config.wish_count; i++) {
		const struct hook_wish *wish = &daemon->config.wishes[i];

		if (is_attached(daemon, wish) || datapath_attach(daemon->datapath, wish, err) == 0)
			attached++;
	}
	return attached;
}

/* All of them, also those attached: an older rainbowd's programs give way to ours in one step. */
static size_t switch_hooks(struct daemon *daemon, struct error *err)
{
	size_t i, attached = 0;
	struct error detach;

	for (i = 0; i < daemon->config.wish_count; i++) {
		if (datapath_attach(daemon->datapath, &daemon->config.wishes[i], err) == 0)
			attached++;
		else
			log_error("daemon", "%s", err->message);
	}
	/* A start that is refused takes nothing away. */
	if (attached && datapath_detach_others(daemon->datapath, daemon->config.wishes, daemon->config.wish_count, &detach))
		log_error("daemon", "%s", detach.message);
	return attached;
}

/* One interface is enough to start with; the keeper tries the others again. */
static int attach_first(struct daemon *daemon, struct error *err)
{
	struct error save;
	int rc = datapath_hold(daemon->datapath, err);

	if (rc)
		return rc;
	if (!switch_hooks(daemon, err)) {
		datapath_hold_undo(daemon->datapath);
		return -(int)err->code;
	}
	rc = datapath_take_over(daemon->datapath, err);
	if (rc)
		return rc;
	if (store_save_wishes(daemon->store, daemon->config.wishes, daemon->config.wish_count, &save))
		log_error("daemon", "the interfaces can not be noted for the next start: %s", save.message);
	return 0;
}

static void on_swept(struct daemon *daemon, const struct rainbow_due *due, uint32_t count)
{
	closer_ask_due(daemon->closer, due, count);
	ghosts_take(daemon->ghosts, due, count, census_began_ms(daemon->census));
	keeper_poke(daemon->keeper);
}

static int start_parts(struct daemon *daemon, struct error *err)
{
	struct error probe_err;
	int rc = worker_new(&daemon->worker, daemon->base, err);

	rc = rc ? rc : census_new(&daemon->census, daemon, on_swept, err);
	rc = rc ? rc : closer_new(&daemon->closer, daemon, err);
	rc = rc ? rc : ghosts_new(&daemon->ghosts, daemon, err);
	rc = rc ? rc : keeper_new(&daemon->keeper, daemon, err);
	rc = rc ? rc : saver_new(&daemon->saver, daemon, err);
	rc = rc ? rc : fetch_new(&daemon->fetch, daemon->base, err);
	rc = rc ? rc : hook_new(&daemon->hook, daemon->base, daemon->fetch, err);
	rc = rc ? rc : sources_new(&daemon->sources, daemon->fetch, daemon->hook, daemon->samples, err);
	rc = rc ? rc : events_new(&daemon->events, daemon, err);
	rc = rc ? rc : duties_new(&daemon->duties, daemon, err);
	rc = rc ? rc : pilot_new(&daemon->pilot, daemon, err);
	if (!rc && probe_open(&daemon->probe, &probe_err))
		log_warn("daemon",
			 "%s; idle sessions that are closed hear of it only with their next packet, and vanished clients "
			 "are not found",
			 probe_err.message);
	if (!rc)
		restore_ask(&daemon->restore, daemon);
	return rc;
}

static int start_steps(struct daemon *daemon, struct error *err)
{
	int rc = open_state(daemon, err);

	rc = rc ? rc : attach_first(daemon, err);
	rc = rc ? rc : start_parts(daemon, err);
	return rc ? rc : api_new(&daemon->api, daemon, err);
}

/* What a start that failed has made new goes again; what was there goes on. */
int daemon_start(struct daemon *daemon, const struct daemon_config *config, struct error *err)
{
	int rc;

	memset(daemon, 0, sizeof(*daemon));
	daemon->config = *config;
	daemon->started = instant_now();
	daemon->base = event_base_new();
	if (!daemon->base)
		return error_set(err, ERROR_INTERNAL, NULL, "can not make an event loop");
	rc = start_steps(daemon, err);
	daemon->remove = rc && daemon->made;
	return rc;
}

void daemon_reload(struct daemon *daemon)
{
	struct error err;

	log_info("daemon", "reloading: maps from the database, hooks again");
	if (apply_reconcile(daemon->datapath, &daemon->model, &daemon->ids, monotonic_ms(), &err))
		log_error("daemon", "%s", err.message);
	switch_hooks(daemon, &err);
}

static void on_stop(evutil_socket_t number, short what, void *arg)
{
	struct daemon *daemon = arg;

	(void)what;
	log_info("daemon", "signal %d: stopping; the datapath goes on", (int)number);
	event_base_loopexit(daemon->base, NULL);
}

static void on_reload(evutil_socket_t number, short what, void *arg)
{
	(void)number;
	(void)what;
	daemon_reload(arg);
}

int daemon_run(struct daemon *daemon)
{
	struct event *term = evsignal_new(daemon->base, SIGTERM, on_stop, daemon);
	struct event *interrupt = evsignal_new(daemon->base, SIGINT, on_stop, daemon);
	struct event *reload = evsignal_new(daemon->base, SIGHUP, on_reload, daemon);

	event_add(term, NULL);
	event_add(interrupt, NULL);
	event_add(reload, NULL);
	log_info("daemon", "ready: rainbowd %s, %zu services, socket %s", RAINBOW_RELEASE, daemon->model.count,
		 daemon->config.socket);
	event_base_dispatch(daemon->base);
	event_free(term);
	event_free(interrupt);
	event_free(reload);
	return 0;
}

static void remove_datapath(struct daemon *daemon)
{
	struct error err;

	if (datapath_remove(daemon->config.pin_dir, daemon->datapath, &err))
		log_error("daemon", "%s", err.message);
	else
		log_info("daemon", "detached: hooks and maps are removed");
}

/* Not after a start that failed: what it knows of sessions is not more than what is saved. */
static void save_last(struct daemon *daemon)
{
	struct error err;
	uint64_t saved;

	if (!daemon->api)
		return;
	if (saver_save(daemon->datapath, daemon->config.state_dir, &saved, &err))
		log_error("daemon", "%s", err.message);
}

void daemon_stop(struct daemon *daemon)
{
	saver_free(daemon->saver);
	worker_free(daemon->worker);
	save_last(daemon);
	restore_free(daemon->restore);
	events_free(daemon->events);
	api_free(daemon->api);
	pilot_free(daemon->pilot);
	sources_free(daemon->sources);
	hook_free(daemon->hook);
	duties_free(daemon->duties);
	fetch_free(daemon->fetch);
	keeper_free(daemon->keeper);
	closer_free(daemon->closer);
	ghosts_free(daemon->ghosts);
	census_free(daemon->census);
	probe_close(daemon->probe);
	if (daemon->remove && daemon->datapath)
		remove_datapath(daemon);
	datapath_close(daemon->datapath);
	samples_close(daemon->samples);
	store_close(daemon->store);
	model_fini(&daemon->model);
	if (daemon->base)
		event_base_free(daemon->base);
}
