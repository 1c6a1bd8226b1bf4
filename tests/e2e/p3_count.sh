#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# P3, the count is exact: sessions open, half-close, finish and reset at random on reused ports, from several threads, while
# weights and drains change. At each checkpoint the kernel's counters are, at once, what both ends of all sessions know.
# Takes 30 s.
source "$(dirname "$0")/lib.sh"

readonly VERSIONS=3

# What set-weight, drain, undrain and rollback do to new sessions is not looked at here: only that no count suffers.
change_something() {
	local first=$((RANDOM % 101)) label=v$((1 + RANDOM % VERSIONS))

	case $((RANDOM % 10)) in
	0) lab_ctl drain chat "$label" --deadline 1h ;;
	[1-4]) lab_ctl undrain chat "$label" ;;
	5) lab_ctl rollback chat --sessions keep ;;
	*) lab_ctl set-weight chat "v1=$first" "v2=$(((100 - first) / 2))" v3 ;;
	esac >/dev/null 2>&1 || true # refused where it does not fit
}

# As JSON in the order and words of churn.
kernel_account() {
	versions | jq -sc 'map({key: .label, value: {live, opened, fin: .ended_fin, reset_client: .ended_reset_client,
		reset_server: .ended_reset_server}}) | from_entries | . + {refused: 0}'
}

unforeseen_ends() {
	versions | jq -s 'map(.ended_idle + .ended_forced + .ended_vanished + .refused) | add'
}

order() { # COMMAND of churn
	local truth

	printf '%s\n' "$1" >&"${CHURN[1]}"
	until read -r -t 0 -u "${CHURN[0]}"; do
		change_something
	done
	read -r -u "${CHURN[0]}" truth || fail "churn ended: $(tail -n 3 "$LAB_DIR/churn.log")"
	expect_eq "the kernel's counts after '$1'" "$(kernel_account)" "$(jq -c . <<<"$truth")"
	expect_eq 'sessions ended by time or force, or refused' "$(unforeseen_ends)" 0
	expect_no_drift
}

# What the lab's own reader makes of a map is what bpftool does, but for elements that are all zeros.
eye_is_right() { # MAP
	local filter='def is_zero: . == 0 or . == "" or (tostring | test("^0x0$|_(NONE|FREE|EMPTY)$"));
		[.[].formatted | select([.value // .values[].value | .. | scalars | is_zero] | all | not)] | sort_by(.key)'

	[[ $(lab_show c '' "$filter" map "$1") == "$(bpftool -j map dump pinned "$LAB_PINS/$1" | jq -c "$filter")" ]]
}

expect_eye_is_right() {
	local map

	for map in rainbow_version rainbow_service rainbow_backend rainbow_packets rainbow_hook rainbow_meta; do
		wait_until 10 "eye and bpftool to agree on $map" eye_is_right "$map" # a sweep may be between them
	done
}

run() { # TOPOLOGY HOOK OFFLOADS 4|6 CHECKPOINTS
	local options checkpoint pid

	part "$1, $2, IPv$4, seed $E2E_SEED"
	lab_up "$1" --offloads "$3" --backends "$VERSIONS"
	lab_in clients sysctl -q -w net.ipv4.tcp_tw_reuse=1
	lab_rainbowd_start "$2"
	add_service chat "$4" "$VERSIONS"
	ctl set-weight chat v1=50 v2=30 v3
	mapfile -t options < <(ends_options "$4" "$VERSIONS")
	coproc CHURN { exec "$E2E_PROGRAMS/churn" "${options[@]}" --sessions 1000 --seed "$E2E_SEED" 2>"$LAB_DIR/churn.log"; }
	pid=$CHURN_PID
	lab_at_exit kill_if_there "$pid"
	for ((checkpoint = 0; checkpoint < $5; checkpoint++)); do
		order 'run 6000'
	done
	order finish
	expect_eq 'live sessions at the end' "$(live_count)" 0
	say "$(kernel_account)"
	expect_eye_is_right
	lab_down
	wait "$pid" 2>/dev/null || true
}

run routed tc on 4 5
run two-sided xdp off 4 4
run one-armed tc on 6 3
