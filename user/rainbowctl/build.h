/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Builders: one for each command, from checked words to a request. Each returns 0, or -ERROR_BAD_INPUT with err.field naming
 * the option or argument. They are pure, and refuse all that can be known to be wrong without asking rainbowd.
 */
#ifndef RAINBOWCTL_BUILD_H
#define RAINBOWCTL_BUILD_H

struct words;
struct request;
struct error;

typedef int command_builder(const struct words *words, struct request *request, struct error *err);

/* build_service.c: services, versions, backends */
command_builder build_service_add, build_service_set, build_service_rm, build_service_list;
command_builder build_version_add, build_version_rm, build_version_list;
command_builder build_backend_add, build_backend_rm;

/* build_traffic.c: who gets new sessions, and when running ones end */
command_builder build_set_weight, build_drain, build_undrain, build_rollback, build_evict;
command_builder build_steer_add, build_steer_rm, build_steer_list;

/* build_history.c: locks, quarantine, the tuple, the history, waiting */
command_builder build_lock, build_unlock, build_version_quarantine, build_version_unquarantine, build_version_diff,
    build_version_env;
command_builder build_history, build_events, build_wait;

/* build_look.c: reading, and detach */
command_builder build_status, build_sessions, build_whois, build_explain, build_doctor, build_detach;

/* build_gate.c: what is told to gates */
command_builder build_gate_push;
/* build_declare.c: the declarative document, which declare.c reads */
command_builder build_file, build_plan, build_apply, build_export, build_import;
/* build_rollout.c: rollouts and their gates */
command_builder build_rollout_start, build_rollout_status, build_rollout_promote, build_rollout_pause, build_rollout_resume;
command_builder build_rollout_abort, build_rollout_retry, build_explain_gate;

/* completion.c: the shell's word, and what its script asks */
command_builder build_completion, build_complete;

/* Shared: "/v1/services/S" and "/v1/services/S/versions/L" from the first arguments, with the names checked. */
int build_service_path(const struct words *words, struct request *request, const char *method, struct error *err);
int build_version_path(const struct words *words, struct request *request, const char *method, struct error *err);
/* If the option is given, a valid duration: a member of the body. */
int build_duration_member(const struct words *words, int option, struct request *request, const char *key, struct error *err);

#endif
