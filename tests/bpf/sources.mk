# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
world_src := tests/bpf/packet.c tests/bpf/packet_check.c tests/bpf/world.c tests/bpf/world_maps.c tests/bpf/world_signals.c tests/bpf/table.c \
             user/rainbowd/pin_table.c user/rainbowd/pin_walk.c user/rainbowd/nursery.c
bpf_libs := -lcmocka -lbpf -lelf -lz -lpthread

programs += bpf/test_truth
bpf/test_truth_src := tests/bpf/test_truth.c tests/bpf/truth.c tests/bpf/truth_rows.c tests/bpf/scene.c $(world_src)
bpf/test_truth_libs := $(bpf_libs)

programs += bpf/test_untouched
bpf/test_untouched_src := tests/bpf/test_untouched.c tests/bpf/truth.c tests/bpf/scene.c $(world_src)
bpf/test_untouched_libs := $(bpf_libs)

# The kernel access of rainbowd, on a network and a bpffs of the test's own.
datapath_src := $(addprefix user/rainbowd/,datapath.c datapath_maps.c datapath_signals.c mapping.c hooks.c hook_wish.c attach.c attach_clsact.c \
                adopt.c pin_dir.c pin_table.c pin_walk.c nursery.c lookup.c netdev.c barrier.c takeover.c migrate.c migrate_map.c \
                migrate_arrays.c migrate_pins.c) \
                $(addprefix user/common/,error.c log.c text.c addr.c duration.c settings.c) tests/bpf/opened.c tests/bpf/ground.c

programs += bpf/test_datapath
bpf/test_datapath_src := tests/bpf/test_datapath.c tests/bpf/table.c $(datapath_src)
bpf/test_datapath_libs := $(bpf_libs)

programs += bpf/test_datapath_maps
bpf/test_datapath_maps_src := tests/bpf/test_datapath_maps.c tests/bpf/table.c $(datapath_src)
bpf/test_datapath_maps_libs := $(bpf_libs)

programs += bpf/test_takeover
bpf/test_takeover_src := tests/bpf/test_takeover.c $(datapath_src)
bpf/test_takeover_libs := $(bpf_libs) -Wl,--wrap=datapath_restore

programs += bpf/test_hooks
bpf/test_hooks_src := tests/bpf/test_hooks.c tests/bpf/stream.c $(datapath_src)
bpf/test_hooks_libs := $(bpf_libs)

programs += bpf/test_probe
bpf/test_probe_src := tests/bpf/test_probe.c tests/bpf/ground.c user/rainbowd/probe.c user/common/addr.c user/common/error.c \
                      user/common/text.c
bpf/test_probe_libs := $(bpf_libs)

programs += bpf/test_choose
bpf/test_choose_src := tests/bpf/test_choose.c tests/bpf/scene.c $(world_src)
bpf/test_choose_libs := $(bpf_libs)

programs += bpf/test_nursery
bpf/test_nursery_src := tests/bpf/test_nursery.c tests/bpf/scene.c $(world_src)
bpf/test_nursery_libs := $(bpf_libs)

programs += bpf/test_edges
bpf/test_edges_src := tests/bpf/test_edges.c tests/bpf/truth.c tests/bpf/scene.c $(world_src)
bpf/test_edges_libs := $(bpf_libs)

programs += bpf/test_sweep
bpf/test_sweep_src := tests/bpf/test_sweep.c tests/bpf/counts.c tests/bpf/scene.c $(world_src)
bpf/test_sweep_libs := $(bpf_libs)

programs += bpf/test_race
bpf/test_race_src := tests/bpf/test_race.c tests/bpf/counts.c tests/bpf/scene.c $(world_src)
bpf/test_race_libs := $(bpf_libs)

programs += bpf/test_ghost
bpf/test_ghost_src := tests/bpf/test_ghost.c tests/bpf/counts.c tests/bpf/scene.c $(world_src)
bpf/test_ghost_libs := $(bpf_libs)

programs += bpf/test_signals
bpf/test_signals_src := tests/bpf/test_signals.c tests/bpf/scene.c $(world_src)
bpf/test_signals_libs := $(bpf_libs)

programs += bpf/test_cohort
bpf/test_cohort_src := tests/bpf/test_cohort.c user/rainbowd/signals.c $(datapath_src)
bpf/test_cohort_libs := $(bpf_libs)
