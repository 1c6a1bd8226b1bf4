#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Affinity client: a version is drained only when the connections of its clients are closed as well, also if rainbowd is killed
# while it closes them.
# Takes 15 s.
source "$(dirname "$0")/lib.sh"

readonly CLIENTS=400 EACH=3

connections() { # of backend 1, as its own kernel sees them
	lab_in backend1 ss -Htn state established 'sport = :8080' | wc -l
}

run() { # kill|live
	part "connections at a deadline, rainbowd: $1"
	lab_up routed --backends 2
	serve_agents 2
	lab_rainbowd_start tc
	add_service chat 4 2 --affinity client
	lab_client old --to "$(at_service 4)" --sessions $((CLIENTS * EACH)) --interval 0 --from 10.1.64.1+$CLIENTS
	lab_until_stat old 10 ".live == $((CLIENTS * EACH))"
	lab_tell old expect-forced v1 >/dev/null
	ctl set-weight chat v2=100
	ctl drain chat v1 --deadline 1s
	if [[ $1 == kill ]]; then
		wait_until 10 'the last clients to be closed' is_few_live
		lab_rainbowd_kill
		lab_rainbowd_start tc
	fi
	wait_until 30 'v1 to be drained' is_eq drained version_json chat v1 .state
	wait_until 5 'the last connections to be closed' is_eq 0 connections
	lab_until_stat old 5 ".forced == $((CLIENTS * EACH))"
	expect_no_drift
	lab_down
}

is_few_live() {
	(($(version_count v1 live) < 20))
}

run live
run kill
