# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

# What all programs share, and rainbowctl.
ctl := user/rainbowctl/
ctl_parse_src := $(addprefix $(ctl),parse.c words.c commands.c request.c build_service.c build_traffic.c build_look.c build_history.c build_gate.c build_declare.c build_rollout.c \
                 wait_order.c completion.c) \
                 user/common/error.c user/common/text.c user/common/addr.c user/common/duration.c user/common/settings_plan.c
ctl_draw_src  := $(addprefix $(ctl),screen.c table.c value.c progress.c render_table.c render_status.c render_detail.c render_lists.c render_answers.c render_history.c render_rollout.c) \
                 user/common/error.c user/common/text.c user/common/duration.c

programs += unit/test_text unit/test_addr unit/test_duration unit/test_ctl_parse unit/test_ctl_draw
unit/test_text_src       := tests/unit/test_text.c user/common/text.c user/common/error.c
unit/test_text_libs      := -lcmocka -ljansson -lm
unit/test_addr_src       := tests/unit/test_addr.c user/common/addr.c user/common/text.c user/common/error.c
unit/test_addr_libs      := -lcmocka -ljansson -lm
unit/test_duration_src   := tests/unit/test_duration.c user/common/duration.c user/common/text.c user/common/error.c
unit/test_duration_libs  := -lcmocka -ljansson -lm
unit/test_ctl_parse_src  := tests/unit/test_ctl_parse.c $(ctl_parse_src)
unit/test_ctl_parse_libs := -lcmocka -ljansson -lm
unit/test_ctl_draw_src   := tests/unit/test_ctl_draw.c $(ctl_draw_src)
unit/test_ctl_draw_libs  := -lcmocka -ljansson -lm

programs += unit/test_lookup
unit/test_lookup_src := tests/unit/test_lookup.c user/rainbowd/lookup.c
unit/test_lookup_libs := -lcmocka -ljansson -lm

# rainbowd's pure parts, and its database.
rbd := user/rainbowd/
store_src := $(addprefix $(rbd),store.c store_rows.c store_history.c store_json.c rollout.c rollout_json.c json_reader.c drain_duty.c note.c shapes.c)
common_pure := $(addprefix user/common/,error.c text.c addr.c duration.c settings.c settings_json.c settings_gate.c settings_plan.c field.c)
programs += unit/test_wheel unit/test_drain unit/test_commands unit/test_daemon_parts unit/test_store
unit/test_wheel_src         := tests/unit/test_wheel.c $(rbd)wheel.c
unit/test_wheel_libs        := -lcmocka -ljansson -lm
unit/test_drain_src         := tests/unit/test_drain.c $(addprefix $(rbd),drain.c pace.c drift.c)
unit/test_drain_libs        := -lcmocka -ljansson -lm
unit/test_commands_src      := tests/unit/test_commands.c $(common_pure) \
                               $(addprefix $(rbd),model.c words.c command_service.c command_version.c command_weight.c command_drain.c command_steer.c command_lock.c tuple.c command_rollout.c rollout.c version_room.c drain.c)
unit/test_commands_libs     := -lcmocka -ljansson -lm
unit/test_daemon_parts_src  := tests/unit/test_daemon_parts.c $(addprefix $(rbd),ids.c roll.c explain.c model.c words.c) $(common_pure)
unit/test_daemon_parts_libs := -lcmocka -ljansson -lm
unit/test_store_src         := tests/unit/test_store.c $(store_src) $(addprefix $(rbd),model.c words.c) $(common_pure)
unit/test_store_libs        := -lcmocka -lsqlite3 -ljansson -lm

programs += unit/test_tuple
unit/test_tuple_src         := tests/unit/test_tuple.c $(rbd)tuple.c $(addprefix $(ctl),render_history.c screen.c table.c value.c) $(common_pure)
unit/test_tuple_libs        := -lcmocka -ljansson -lcurl -lm

programs += unit/test_give
unit/test_give_src          := tests/unit/test_give.c $(addprefix $(rbd),give.c ids.c model.c words.c) $(common_pure)
unit/test_give_libs         := -lcmocka -ljansson -lm

programs += unit/test_tcp
unit/test_tcp_src           := tests/unit/test_tcp.c
unit/test_tcp_libs          := -lcmocka -ljansson -lm

programs += unit/test_snapshot
unit/test_snapshot_src      := tests/unit/test_snapshot.c $(rbd)snapshot.c $(common_pure)
unit/test_snapshot_libs     := -lcmocka -lz -ljansson -lm

programs += unit/test_rollout
unit/test_rollout_src       := tests/unit/test_rollout.c $(addprefix $(rbd),rollout.c rollout_json.c json_reader.c) \
                               $(addprefix user/common/,settings_plan.c error.c text.c duration.c)
unit/test_rollout_libs      := -lcmocka -ljansson -lm

programs += unit/test_eta
unit/test_eta_src           := tests/unit/test_eta.c $(rbd)eta.c $(addprefix user/common/,duration.c error.c text.c)
unit/test_eta_libs          := -lcmocka -lm -ljansson

programs += unit/test_drain_duty
unit/test_drain_duty_src    := tests/unit/test_drain_duty.c $(addprefix $(rbd),drain_duty.c json_reader.c version_room.c drain.c model.c words.c) \
                               $(common_pure)
unit/test_drain_duty_libs   := -lcmocka -ljansson -lm

# The statistics, and the gates that judge by them.
stats_src := $(addprefix $(rbd),stats.c stats_bins.c)
gate_src  := $(stats_src) $(addprefix $(rbd),gate.c gate_judge.c gate_text.c)
programs += unit/test_stats
unit/test_stats_src         := tests/unit/test_stats.c $(stats_src)
unit/test_stats_libs        := -lcmocka -lm -ljansson

programs += unit/test_gate
unit/test_gate_src          := tests/unit/test_gate.c $(gate_src)
unit/test_gate_libs         := -lcmocka -lm -ljansson
programs += unit/test_gate_sim
unit/test_gate_sim_src      := tests/unit/test_gate_sim.c $(gate_src)
unit/test_gate_sim_libs     := -lcmocka -lm -ljansson

# Where evidence comes from outside the kernel.
programs += unit/test_prometheus
unit/test_prometheus_src    := tests/unit/test_prometheus.c $(rbd)prometheus.c $(addprefix user/common/,error.c text.c)
unit/test_prometheus_libs   := -lcmocka -ljansson -lm

programs += unit/test_fetch
unit/test_fetch_src         := tests/unit/test_fetch.c tests/unit/web.c $(addprefix $(rbd),fetch.c token.c) $(common_pure)
unit/test_fetch_libs        := -lcmocka -levent -lcurl -ljansson -lm

programs += unit/test_hook
unit/test_hook_src          := tests/unit/test_hook.c tests/unit/web.c $(addprefix $(rbd),hook.c hook_program.c fetch.c token.c) $(common_pure)
unit/test_hook_libs         := -lcmocka -levent -lcurl -ljansson -lm

programs += unit/test_samples
sample_src := $(addprefix $(rbd),samples.c sample_read.c body.c) $(or $(store_src),$(addprefix $(rbd),store.c store_rows.c)) \
              $(addprefix $(rbd),model.c words.c) $(common_pure)
unit/test_samples_src       := tests/unit/test_samples.c $(rbd)handle_samples.c $(sample_src)
unit/test_samples_libs      := -lcmocka -lsqlite3 -ljansson -lm

programs += unit/test_sources
unit/test_sources_src       := tests/unit/test_sources.c tests/unit/web.c $(sample_src) \
                               $(addprefix $(rbd),sources.c inquiry.c fetch.c token.c hook.c hook_program.c prometheus.c) user/common/log.c
unit/test_sources_libs      := -lcmocka -levent -lcurl -lsqlite3 -ljansson -lm

programs += unit/test_ctl_push
unit/test_ctl_push_src      := tests/unit/test_ctl_push.c $(ctl)push.c $(ctl)sample_line.c user/common/field.c $(ctl_parse_src)
unit/test_ctl_push_libs     := -lcmocka -ljansson -lm
# Settings, the declarative document, YAML.
document_src := $(addprefix user/common/,document.c document_service.c settings.c settings_json.c settings_gate.c field.c error.c text.c addr.c duration.c)
programs += unit/test_settings unit/test_document unit/test_yaml
unit/test_settings_src      := tests/unit/test_settings.c $(document_src)
unit/test_settings_libs     := -lcmocka -ljansson -lm
unit/test_document_src      := tests/unit/test_document.c $(document_src)
unit/test_document_libs     := -lcmocka -ljansson -lm
unit/test_yaml_src          := tests/unit/test_yaml.c $(ctl)yaml.c $(ctl)yaml_place.c $(ctl)yaml_print.c $(document_src)
unit/test_yaml_libs         := -lcmocka -ljansson -lyaml -lm

programs += unit/test_reconcile
unit/test_reconcile_src     := tests/unit/test_reconcile.c $(document_src) \
                               $(addprefix $(rbd),reconcile.c difference.c export.c shapes.c command_rollout.c rollout.c version_room.c drain.c tuple.c command_lock.c model.c words.c command_service.c command_version.c command_weight.c command_drain.c command_steer.c)
unit/test_reconcile_libs    := -lcmocka -ljansson -lm

programs += unit/test_slices
unit/test_slices_src        := tests/unit/test_slices.c $(ctl)slices.c $(document_src)
unit/test_slices_libs       := -lcmocka -ljansson -lm

programs += unit/test_signal
unit/test_signal_src := tests/unit/test_signal.c
unit/test_signal_libs := -lcmocka -ljansson -lm

programs += unit/test_evidence
unit/test_evidence_src      := tests/unit/test_evidence.c $(rbd)evidence.c $(stats_src)
unit/test_evidence_libs     := -lcmocka -lm
