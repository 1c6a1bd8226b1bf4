/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All handlers of the API, for the table in routes.c. Each is of the type request_handler. */
#ifndef RAINBOW_HANDLERS_H
#define RAINBOW_HANDLERS_H

#include "request.h"

int handle_status(struct request *request, json_t **reply, struct error *err);
int handle_service_list(struct request *request, json_t **reply, struct error *err);
int handle_service_add(struct request *request, json_t **reply, struct error *err);
int handle_service_set(struct request *request, json_t **reply, struct error *err);
int handle_service_remove(struct request *request, json_t **reply, struct error *err);
int handle_version_list(struct request *request, json_t **reply, struct error *err);
int handle_version_add(struct request *request, json_t **reply, struct error *err);
int handle_version_remove(struct request *request, json_t **reply, struct error *err);
int handle_backend_add(struct request *request, json_t **reply, struct error *err);
int handle_backend_remove(struct request *request, json_t **reply, struct error *err);
int handle_set_weights(struct request *request, json_t **reply, struct error *err);
int handle_drain(struct request *request, json_t **reply, struct error *err);
int handle_undrain(struct request *request, json_t **reply, struct error *err);
int handle_rollback(struct request *request, json_t **reply, struct error *err);
int handle_evict(struct request *request, json_t **reply, struct error *err);
int handle_steer_list(struct request *request, json_t **reply, struct error *err);
int handle_steer_add(struct request *request, json_t **reply, struct error *err);
int handle_steer_remove(struct request *request, json_t **reply, struct error *err);
int handle_sessions(struct request *request, json_t **reply, struct error *err);
int handle_whois(struct request *request, json_t **reply, struct error *err);
int handle_explain(struct request *request, json_t **reply, struct error *err);
int handle_doctor(struct request *request, json_t **reply, struct error *err);
int handle_samples(struct request *request, json_t **reply, struct error *err);
int handle_history(struct request *request, json_t **reply, struct error *err);
int handle_events(struct request *request, json_t **reply, struct error *err);
int handle_lock(struct request *request, json_t **reply, struct error *err);
int handle_unlock(struct request *request, json_t **reply, struct error *err);
int handle_quarantine(struct request *request, json_t **reply, struct error *err);
int handle_unquarantine(struct request *request, json_t **reply, struct error *err);
int handle_version_diff(struct request *request, json_t **reply, struct error *err);
int handle_version_env(struct request *request, json_t **reply, struct error *err);
int handle_detach(struct request *request, json_t **reply, struct error *err);
int handle_apply(struct request *request, json_t **reply, struct error *err);
int handle_export(struct request *request, json_t **reply, struct error *err);
int handle_rollout_start(struct request *request, json_t **reply, struct error *err);
int handle_rollout_order(struct request *request, json_t **reply, struct error *err);
int handle_rollout_show(struct request *request, json_t **reply, struct error *err);
int handle_gate_explain(struct request *request, json_t **reply, struct error *err);

#endif
