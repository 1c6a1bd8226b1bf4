#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# P8, a drain ends: at its deadline idle, busy, half-closed and zero-window sessions are closed, and both ends of each hear a
# reset that their stacks accept.
# Takes 45 s.
source "$(dirname "$0")/lib.sh"

readonly EACH=10 SESSIONS=60 # of each of six conditions, in all

run() { # TOPOLOGY HOOK OFFLOADS 4|6
	local options

	part "$1, $2, IPv$4"
	lab_up "$1" --offloads "$3"
	lab_rainbowd_start "$2"
	add_service chat "$4" 2
	mapfile -t options < <(ends_options "$4" 2)
	lab_spawn forced clients "$E2E_PROGRAMS/forced" "${options[@]}" --each "$EACH" --patience 25
	wait_until 20 'all sessions to be open' grep -q "^ready $SESSIONS" "$LAB_DIR/forced.log"
	expect_eq 'live sessions of v1' "$(version_count v1 live)" "$SESSIONS"
	ctl set-weight chat v2=100
	ctl drain chat v1 --deadline 1s
	lab_wait forced 30 || fail "not every end heard a reset: $(cat "$LAB_DIR/forced.log")"
	cat "$LAB_DIR/forced.log"
	wait_until 10 'v1 to have no live session' is_eq 0 version_count v1 live
	expect_eq 'sessions of v1 ended by force' "$(version_count v1 ended_forced)" "$SESSIONS"
	expect_eq 'forced in status' "$(version_json chat v1 .sessions.ended.forced)" "$SESSIONS"
	wait_until 10 'v1 to be drained' is_eq drained version_json chat v1 .state
	expect_no_drift
	lab_down
}

run routed tc on 4
run two-sided tc on 6
run two-sided xdp off 4
run one-armed xdp off 6
