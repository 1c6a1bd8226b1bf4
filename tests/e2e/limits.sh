#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Limits: a backend at max_sessions and a full pin table refuse the new session, with a reset and a count, and leave the live
# ones alone; the 65th service, the 65th version of a service and the 257th backend of a version are refused with the reason.
# Takes 20 s.
source "$(dirname "$0")/lib.sh"

# Opens sessions, of which so many find no place.
crowd() { # NAME SESSIONS REFUSED 4|6
	lab_client "$1" --to "$(at_service "$4")" --sessions "$2" --interval 0
	lab_until_stat "$1" 20 ".refused == $3 and .live == $(($2 - $3))" || fail "$1: wanted $3 of $2 sessions to be refused"
}

max_sessions() { # TOPOLOGY HOOK OFFLOADS 4|6
	part "max_sessions, $1, $2"
	lab_up "$1" --offloads "$3"
	serve_agents 2
	lab_rainbowd_start "$2"
	ctl service add chat "$(at_service "$4")"
	ctl version add chat v1 --backend "$(lab_backend 1 "$4"):8080,max=10" --backend "$(lab_backend 2 "$4"):8080,max=20"
	crowd first 40 10 "$4"
	expect_eq 'live sessions by backend' "$(version_json chat v1 '[.backends[].live] | sort | @csv')" 10,20
	expect_eq 'refused, by version' "$(version_count v1 refused)" 10
	expect_eq 'packets refused' "$(packet_count refused_backends_full)" 10
	expect_eq 'refused, in status' "$(version_json chat v1 .sessions.refused)" 10
	expect_code 7 lab_in clients curl -gs --max-time 5 "http://$(at_service "$4")/" # connection refused
	expect_turns first
	lab_tell first end 3 >/dev/null
	wait_until 5 'places to be free' is_eq 27 live_count
	crowd second 3 0 "$4"
	expect_no_drift
	expect_whole first
	expect_whole second
	lab_down
}

full_table() { # TOPOLOGY HOOK OFFLOADS 4|6 [waits]
	part "a full pin table, $1, $2"
	lab_up "$1" --offloads "$3"
	serve_agents 1
	lab_rainbowd_start "$2" --max-sessions 200
	add_service chat "$4" 1
	crowd first 150 0 "$4"
	crowd second 100 50 "$4"
	expect_eq 'live sessions' "$(live_count)" 200
	expect_between 'packets refused' "$(packet_count refused_table_full)" 50 100
	expect_eq 'fill' "$(json '"\(.daemon.pins.used) of \(.daemon.pins.limit)"' status)" '200 of 200'
	expect_eq 'sessions refused' "$(version_json chat v1 .sessions.refused)" "$(packet_count refused_table_full)"
	expect_turns first
	expect_turns second
	expect_no_drift
	expect_whole first
	expect_eq 'live sessions' "$(live_count)" 50
	if [[ ${5:-} == waits ]]; then # ended sessions leave their entries after a while (meta.linger_seconds)
		wait_until 30 'room in the table' room_for 100
		crowd third 100 0 "$4"
		expect_whole third
	fi
	expect_turns second
	expect_whole second
	lab_down
}

room_for() { # N
	(($(json '.daemon.pins | .limit - .used' status) >= $1))
}

numbers() {
	local i

	part 'how many there may be'
	lab_up routed
	lab_rainbowd_start tc
	for ((i = 1; i <= 64; i++)); do
		ctl service add "s$i" "10.0.1.$i:80"
	done >/dev/null
	ctl_refused 5 '64 services.*remove one' service add s65 10.0.1.65:80
	for ((i = 1; i <= 8; i++)); do
		ctl version add s3 "v$i" --backend "10.8.0.$i:80"
	done >/dev/null
	ctl_refused 5 '8 versions' version add s3 v9 --backend 10.8.0.9:80
	expect_code 0 curl -sf --unix-socket "$LAB_DIR/rainbow.sock" -X PATCH -d '{"max_versions":64}' http://rainbow/v1/services/s1
	for ((i = 1; i <= 64; i++)); do
		ctl version add s1 "v$i" --backend "10.5.0.$i:80"
	done >/dev/null
	ctl_refused 5 '64 versions.*remove one' version add s1 v65 --backend 10.5.0.65:80
	ctl version rm s1 v64
	ctl version add s1 v65 --backend 10.5.0.65:80
	expect_code 0 add_backends 256
	expect_eq 'backends of many' "$(version_json s2 many '.backends | length')" 256
	ctl_refused 5 256 backend add s2 many 10.7.0.1:80
	expect_code 2 add_backends 257
	lab_down
}

add_backends() { # N, all of one version
	local i words=()

	for ((i = 0; i < $1; i++)); do
		words+=(--backend "10.6.$((i / 200)).$((1 + i % 200)):80")
	done
	lab_ctl version add s2 many "${words[@]}"
}

max_sessions routed tc on 4
max_sessions two-sided xdp off 6
full_table routed tc on 4 waits
full_table two-sided xdp off 4
numbers
