# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

# What all programs share, and rainbowctl.
ctl := user/rainbowctl/
ctl_parse_src := $(addprefix $(ctl),parse.c words.c commands.c request.c build_service.c build_traffic.c build_look.c completion.c) \
                 user/common/error.c user/common/text.c user/common/addr.c user/common/duration.c
ctl_draw_src  := $(addprefix $(ctl),screen.c table.c value.c progress.c render_table.c render_status.c render_lists.c render_answers.c) \
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
