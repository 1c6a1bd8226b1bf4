#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# P4, strangers evict nobody: 2,000 idle sessions, and SYNs from made-up addresses for ten times the nursery (and strays of all
# kinds). Every session answers its next turn, on its version; the counts are exact.
# Takes 30 s.
source "$(dirname "$0")/lib.sh"

readonly SESSIONS=2000

flood() { # 4|6 COUNT PACKET
	local from=10.99.0.0/16 answer

	[[ $1 == 4 ]] || from=fd00:99::/32
	answer=$(lab_in clients "$LAB_BUILD/tests/lab/flood" --interface eth0 --from "$from" --to "$(at_service "$1")" --count "$2" \
		--rate 150000 --duration 60s --packet "$3")
	say "$3: $answer"
	expect_eq "$3 packets sent" "$(jq .sent <<<"$answer")" "$2"
}

entries() { # MAP
	lab_map "$1" | jq length
}

run() { # TOPOLOGY HOOK OFFLOADS 4|6 NURSERY
	local chosen

	part "$1, $2, IPv$4, a nursery of $5"
	lab_up "$1" --offloads "$3"
	serve_agents 2
	lab_rainbowd_start "$2" --nursery "$5"
	add_service chat "$4" 2
	ctl set-weight chat v1=50 v2
	lab_client idle --to "$(at_service "$4")" --sessions "$SESSIONS" --rate 4000 --interval 0
	lab_until_stat idle 30 ".live == $SESSIONS"
	flood "$4" $(($5 * 10)) syn
	flood "$4" 20000 ack
	flood "$4" 20000 rst
	chosen=$(versions | jq -s 'map(.chosen) | add')
	expect_between 'choices made' "$chosen" $(($5 * 9)) $(($5 * 10 + SESSIONS))
	expect_eq 'live sessions' "$(live_count)" "$SESSIONS"
	expect_eq 'sessions ever opened' "$(versions | jq -s 'map(.opened) | add')" "$SESSIONS"
	expect_eq 'entries of the pin table' "$(lab_map rainbow_meta | jq '.[].formatted.value.pins')" "$SESSIONS"
	expect_no_drift
	expect_turns idle
	expect_whole idle
	lab_down
}

run routed tc on 4 8192
run two-sided xdp off 6 8192
run two-sided xdp off 4 65536
