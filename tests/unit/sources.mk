# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

# What all programs share, and rainbowctl.
ctl := user/rainbowctl/
ctl_parse_src := $(addprefix $(ctl),parse.c words.c commands.c request.c build_service.c build_traffic.c build_look.c completion.c) \
                 user/common/error.c user/common/text.c user/common/addr.c user/common/duration.c
ctl_draw_src  := $(addprefix $(ctl),screen.c table.c value.c progress.c render_table.c render_status.c render_detail.c render_lists.c render_answers.c) \
                 user/common/error.c user/common/text.c user/common/duration.c

programs += unit/test_text unit/test_addr unit/test_duration unit/test_ctl_parse unit/test_ctl_draw
unit/test_text_src       := tests/unit/test_text.c user/common/text.c user/common/error.c
unit/test_text_libs      := -lcmocka
unit/test_addr_src       := tests/unit/test_addr.c user/common/addr.c user/common/text.c user/common/error.c
unit/test_addr_libs      := -lcmocka
unit/test_duration_src   := tests/unit/test_duration.c user/common/duration.c user/common/text.c user/common/error.c
unit/test_duration_libs  := -lcmocka
unit/test_ctl_parse_src  := tests/unit/test_ctl_parse.c $(ctl_parse_src)
unit/test_ctl_parse_libs := -lcmocka -ljansson
unit/test_ctl_draw_src   := tests/unit/test_ctl_draw.c $(ctl_draw_src)
unit/test_ctl_draw_libs  := -lcmocka -ljansson -lm

programs += unit/test_lookup
unit/test_lookup_src := tests/unit/test_lookup.c user/rainbowd/lookup.c
unit/test_lookup_libs := -lcmocka

# rainbowd's pure parts, and its database.
rbd := user/rainbowd/
common_pure := $(addprefix user/common/,error.c text.c addr.c duration.c settings.c)
programs += unit/test_wheel unit/test_drain unit/test_commands unit/test_daemon_parts unit/test_store
unit/test_wheel_src         := tests/unit/test_wheel.c $(rbd)wheel.c
unit/test_wheel_libs        := -lcmocka
unit/test_drain_src         := tests/unit/test_drain.c $(addprefix $(rbd),drain.c pace.c drift.c)
unit/test_drain_libs        := -lcmocka
unit/test_commands_src      := tests/unit/test_commands.c $(common_pure) \
                               $(addprefix $(rbd),model.c words.c command_service.c command_version.c command_weight.c command_drain.c command_steer.c)
unit/test_commands_libs     := -lcmocka
unit/test_daemon_parts_src  := tests/unit/test_daemon_parts.c $(addprefix $(rbd),ids.c roll.c explain.c model.c words.c) $(common_pure)
unit/test_daemon_parts_libs := -lcmocka
unit/test_store_src         := tests/unit/test_store.c $(addprefix $(rbd),store.c store_rows.c model.c words.c) $(common_pure)
unit/test_store_libs        := -lcmocka -lsqlite3

programs += unit/test_give
unit/test_give_src          := tests/unit/test_give.c $(addprefix $(rbd),give.c ids.c model.c words.c) $(common_pure)
unit/test_give_libs         := -lcmocka

programs += unit/test_tcp
unit/test_tcp_src           := tests/unit/test_tcp.c
unit/test_tcp_libs          := -lcmocka

programs += unit/test_snapshot
unit/test_snapshot_src      := tests/unit/test_snapshot.c $(rbd)snapshot.c $(common_pure)
unit/test_snapshot_libs     := -lcmocka -lz

programs += unit/test_signal
unit/test_signal_src := tests/unit/test_signal.c
unit/test_signal_libs := -lcmocka
