#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The whole of rainbow once, small enough for an emulated machine (make check-kernels): sessions stay while weights change, a
# drained version's are closed by force at the deadline, the counts are exact, and doctor tells the truth about the kernel.
# Takes 5 s.
source "$(dirname "$0")/lib.sh"

readonly SESSIONS=6

feature() { # NAME FIELD: of doctor; it fails by itself where a check does, which is not asked here
	{ lab_ctl doctor -o json || true; } | jq -r --arg name "$1" --arg field "$2" '.features[] | select(.name == $name) | .[$field]'
}

# What doctor says of tcx against the kernel's own list of functions, and against what is attached.
expect_tcx_told() {
	local there=false used=clsact hook

	! grep -qw tcx_prog_attach /proc/kallsyms || there=true used=tcx
	expect_eq 'doctor: tcx' "$(feature tcx there)" "$there"
	expect_eq 'doctor: what is used for it' "$(feature tcx used)" "$used"
	# A clsact filter is seen by tc, a tcx link is not.
	hook=$(lab_in router tc filter show dev client0 egress)
	expect_eq 'hooks by what is used' "$([[ -n $hook ]] && echo clsact || echo tcx)" "$used"
	expect_eq 'egress in status' "$(json '.daemon.hooks[0].egress' status)" "$used"
	expect_match 'doctor, as a table' "$(lab_ctl doctor || true)" "tcx: $([[ $there == true ]] && echo yes || echo 'no, clsact is used')"
}

session() { # TOPOLOGY HOOK OFFLOADS
	part "$1, $2"
	lab_up "$1" --offloads "$3"
	serve_agents 2
	lab_rainbowd_start "$2"
	add_service chat 4 2
	lab_client load --to "$(at_service 4)" --sessions "$SESSIONS"
	lab_until_stat load 20 ".live == $SESSIONS"
	expect_eq 'live sessions of v1' "$(version_count v1 live)" "$SESSIONS"
	ctl set-weight chat v2=100
	expect_turns load
	expect_eq 'live sessions of v1 after set-weight' "$(version_count v1 live)" "$SESSIONS"
	lab_client late --to "$(at_service 4)" --sessions 2
	lab_until_stat late 20 '.live == 2'
	expect_eq 'live sessions of v2' "$(version_count v2 live)" 2
	ctl drain chat v1 --deadline 1s
	wait_until 40 'v1 to be drained' is_eq drained version_json chat v1 .state
	expect_eq 'sessions of v1 ended by force' "$(version_count v1 ended_forced)" "$SESSIONS"
	lab_until_stat load 20 '.live == 0'
	expect_turns late
	expect_no_drift
}

session routed tc on
part 'what doctor says of the kernel'
expect_tcx_told
lab_down
session two-sided xdp off
lab_down
