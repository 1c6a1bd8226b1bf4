#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Blind attackers: from off-path, in the name of the client or of the backend, RST, FIN, SYN, data and ACK with guessed numbers,
# at all offsets around the edges of the windows of live sessions (idle, half closed, with a zero window), and forged ICMP errors.
# None is unpinned, closed or miscounted; and afterwards each honest end is still seen as what it is.
# Takes 40 s.
source "$(dirname "$0")/lib.sh"

readonly GUESSES=${GUESSES:-4000}

# In the clients' network, but neither their host nor on their way.
add_stranger() {
	_lab_namespace_add stranger
	_lab_wire stranger eth0 switch stranger
	lab_ip switch link set stranger master switch0
	_lab_address stranger eth0 10.1.0.9/24 fd00:1::9/64
	lab_ip stranger route add default via 10.1.0.1
	lab_ip stranger -6 route add default via fd00:1::1
}

# How many pins are in each state, and how many sessions ended by what.
states() {
	lab_ctl sessions chat --limit 1000 -o json | jq -r '[.sessions[].state] | group_by(.) | map("\(.[0]):\(length)") | join(" ")'
}

tally() {
	versions | jq -r '"live \(.live) of \(.opened), ended \(.ended_reset_client) \(.ended_reset_server) \(.ended_fin)"'
}

run() { # HOOK OFFLOADS 4|6
	local options before ended

	part "one-armed, $1, IPv$3"
	lab_up one-armed --backends 1
	add_stranger
	lab_offloads "$2"
	lab_rainbowd_start "$1"
	add_service chat "$3" 1
	mapfile -t options < <(ends_options "$3" 1)
	lab_spawn blind clients "$E2E_PROGRAMS/blind" "${options[@]}" --stranger "$(lab_namespace stranger)" \
		--guesses "$GUESSES" --seed "$E2E_SEED"
	wait_until 30 'the sessions to be open' grep -q '^ready 24' "$LAB_DIR/blind.log"
	before='live 24 of 24, ended 0 0 0'
	expect_eq 'counts' "$(tally)" "$before"
	wait_until 60 'the attack to be over' ends_or_says '^attacked'
	grep -q '^attacked' "$LAB_DIR/blind.log" || fail "a session noticed: $(cat "$LAB_DIR/blind.log")"
	cat "$LAB_DIR/blind.log"
	expect_eq 'counts' "$(tally)" "$before"
	expect_eq 'states' "$(states)" 'half-closed:12 live:12'
	expect_no_drift
	kill -s USR1 "${LAB_PID[blind]}"
	wait_until 30 'the sessions to end' ends_or_says '^ended'
	ended=$(sed -n 's/^ended //p' "$LAB_DIR/blind.log")
	expect_eq 'its ends' "$ended" '9 3 12'
	wait_until 10 'them to be counted' is_eq "live 0 of 24, ended $ended" tally
	kill -s USR1 "${LAB_PID[blind]}"
	lab_wait blind 10 || fail "blind: $(cat "$LAB_DIR/blind.log")"
	expect_no_drift
	lab_down
}

ends_or_says() { # REGEX
	grep -q "$1" "$LAB_DIR/blind.log" || ! lab_runs blind
}

say "seed $E2E_SEED"
run tc on 4
run xdp off 6
