#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# P5, the datapath outlives the daemon: with rainbowd dead sessions go on, new ones follow the last weights, the kernel's counts
# are right, and a drain's deadline holds: from its grace on a session that speaks is reset.
# Takes 30 s.
source "$(dirname "$0")/lib.sh"

run() { # TOPOLOGY HOOK OFFLOADS
	part "$1, $2: dead, and the world goes on"
	lab_up "$1" --offloads "$3"
	serve_agents 2
	lab_rainbowd_start "$2"
	add_service chat 4 2 --selection exact
	ctl set-weight chat v1=75 v2
	lab_client old --to "$(at_service 4)" --sessions 200 --interval 200 --timeout 60000
	lab_until_stat old 10 '.live == 200'
	lab_rainbowd_kill
	expect_code 6 lab_ctl status
	expect_turns old

	lab_client new --to "$(at_service 4)" --sessions 200 --interval 200
	lab_until_stat new 10 '.live == 200'
	expect_eq 'new sessions of v1' "$(lab_stat new .versions.v1.live)" 150
	expect_eq 'new sessions of v2' "$(lab_stat new .versions.v2.live)" 50
	expect_eq 'live, by the kernel' "$(version_count v1 live) $(version_count v2 live)" '300 100'
	expect_whole new
	wait_until 5 'the kernel to count the ends' is_eq 200 live_count

	part "$1, $2: dead at the deadline"
	lab_rainbowd_start "$2"
	ctl drain chat v1 --deadline 1s
	lab_rainbowd_kill
	lab_tell old expect-forced v1 >/dev/null
	# One second, and ten of grace in which rainbowd would have closed them one by one. Every session speaks, so all are closed.
	wait_until 30 'the kernel to close all sessions of v1' is_eq 0 version_count v1 live
	expect_eq 'sessions of v1 ended by force' "$(version_count v1 ended_forced)" 150
	expect_between 'clients that have heard it' "$(lab_stat old '.versions.v1.forced')" 1 150
	expect_eq 'live sessions of v2' "$(lab_stat old .versions.v2.live)" 50

	part "$1, $2: back again"
	# A client whose last word was before the end, and that waits for its answer, hears of it when it is asked.
	lab_rainbowd_start "$2"
	lab_until_stat old 20 '.versions.v1.forced == 150'
	wait_until 10 'v1 to be drained' is_eq drained version_json chat v1 .state
	expect_no_drift
	expect_turns old
	expect_whole old
	lab_down
}

run routed tc on
run two-sided xdp off
