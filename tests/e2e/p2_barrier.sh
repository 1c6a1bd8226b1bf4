#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# P2, a command is a barrier: while many threads open sessions, set-weight, drain, undrain and rollback change where they go;
# none that began after a command was answered goes to a version that the command took out.
# Takes 12 s.
source "$(dirname "$0")/lib.sh"

orders() { # ROUNDS
	local round all=/v1/services/chat

	for ((round = 0; round < $1; round++)); do
		cat <<-END
			v2 PUT $all/weights {"weights":{"v2":100}}
			v1 PUT $all/weights {"weights":{"v1":100}}
			v2 PUT $all/weights {"weights":{"v2":100}}
			v1 POST $all/rollback {}
			v1,v2 PUT $all/weights {"weights":{"v1":50,"v2":50}}
			v2 POST $all/versions/v1/drain {"deadline":"1h"}
			v2 POST $all/versions/v1/undrain {}
			v1 POST $all/rollback {"to":"v1","sessions":"keep"}
		END
	done
}

run() { # TOPOLOGY HOOK OFFLOADS 4|6 SELECTION
	local options

	part "$1, $2, IPv$4, selection $5"
	lab_up "$1" --offloads "$3"
	lab_rainbowd_start "$2"
	add_service chat "$4" 2 --selection "$5"
	mapfile -t options < <(ends_options "$4" 2)
	orders 12 | "$E2E_PROGRAMS/race" "${options[@]}" --socket "$LAB_DIR/rainbow.sock" --threads 8 --sessions 1000 \
		>"$LAB_DIR/race.log" 2>&1 || fail "$(grep -v ' 0 wrong$' "$LAB_DIR/race.log")"
	tail -n 1 "$LAB_DIR/race.log"
	expect_no_drift
	lab_down
}

run routed tc on 4 hash
run two-sided xdp off 4 exact
run one-armed tc on 6 exact
