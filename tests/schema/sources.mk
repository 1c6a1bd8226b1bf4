# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What an older release left in the kernel, for tests/e2e/upgrade.sh.
programs += schema/old
schema/old_src  := tests/schema/old.c $(addprefix user/rainbowd/,lookup.c model.c note.c shapes.c store.c store_history.c store_json.c rollout.c rollout_json.c json_reader.c drain_duty.c store_rows.c words.c) \
                   $(addprefix user/common/,error.c text.c addr.c duration.c settings.c settings_json.c settings_gate.c settings_plan.c field.c)
schema/old_libs := -lbpf -lelf -lz -lsqlite3 -ljansson -ljansson -lm
