#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A reboot of the router, as far as its kernel state goes: all programs, maps and links are gone, and come back from the snapshot.
# 2,000 idle sessions lose nothing and are counted exactly; those that ended meanwhile are reset.
# Takes 40 s.
source "$(dirname "$0")/lib.sh"

readonly SESSIONS=2000

ended_count() { # over all versions and reasons
	versions | jq -s 'map(.ended_fin + .ended_reset_client + .ended_reset_server + .ended_idle + .ended_forced + .ended_vanished) |
		add'
}

opened_count() {
	versions | jq -s 'map(.opened) | add'
}

idle_sessions() { # TOPOLOGY HOOK OFFLOADS 4|6 TERM|KILL
	part "$1, $2, IPv$4, ended by $5: $SESSIONS idle sessions"
	lab_up "$1" --offloads "$3"
	serve_agents 2
	lab_rainbowd_start "$2" --save-every 1s
	add_service chat "$4" 2
	ctl set-weight chat v1=50 v2
	lab_client idle --to "$(at_service "$4")" --sessions "$SESSIONS" --rate 2000 --interval 0 --timeout 20000
	lab_until_stat idle 30 ".live == $SESSIONS"
	expect_turns idle
	# Half-closed ones live on, too.
	lab_tell idle half-close 20 >/dev/null
	wait_until 5 'the halves to be noticed' is_eq 20 half_closed
	versions_before=$(versions | jq -c '[.label, .live]')
	[[ $5 == TERM ]] || wait_for_snapshot
	lab_end rainbowd "$5"
	forget_kernel_state
	lab_rainbowd_start "$2" --save-every 1s
	expect_match 'the log' "$(grep -a 'restored' "$LAB_DIR/rainbowd.log" | tail -n 1)" "$SESSIONS pins"
	expect_eq 'live sessions by version' "$(versions | jq -c '[.label, .live]')" "$versions_before"
	expect_turns idle 60
	expect_eq 'ended sessions' "$(ended_count)" 0
	expect_eq 'opened sessions' "$(opened_count)" "$SESSIONS"
	expect_eq 'half-closed' "$(half_closed)" 20
	expect_no_drift
	ctl set-weight chat v2=100
	lab_client new --to "$(at_service "$4")" --sessions 20 --interval 0
	lab_until_stat new 10 '.live == 20'
	expect_eq 'new sessions on v2' "$(lab_stat new .versions.v2.live)" 20
	expect_whole new
	expect_whole idle
	wait_until 20 'no session to live' is_eq 0 live_count
	expect_no_drift
	lab_down
}

half_closed() {
	json '[.sessions[] | select(.state == "half-closed")] | length' sessions chat --limit 5000
}

# Of 100 sessions the clients of 20 and the servers of 20 others are gone when the router comes back, and it has heard of none.
ended_meanwhile() { # TOPOLOGY HOOK OFFLOADS 4|6
	part "$1, $2, IPv$4: sessions that ended meanwhile"
	lab_up "$1" --offloads "$3"
	serve_agents 2
	lab_rainbowd_start "$2"
	add_service chat "$4" 2
	ctl set-weight chat v1=50 v2
	lab_client stay --to "$(at_service "$4")" --sessions 60 --interval 0
	lab_until_stat stay 10 '.live == 60'
	lab_client gone --to "$(at_service "$4")" --sessions 20 --interval 0
	lab_until_stat gone 10 '.live == 20'
	lab_rainbowd_stop
	forget_kernel_state
	lab_end gone KILL # its sockets close, and no packet of them gets through
	wait_until 10 'the sockets of the killed client to be gone' is_eq 0 closing_sockets
	lab_rainbowd_start "$2"
	expect_eq 'restored' "$(opened_count)" 80
	wait_until 15 'the ended ones to be found' is_eq 60 live_count
	expect_eq 'ended by a reset of the client' "$(versions | jq -s 'map(.ended_reset_client) | add')" 20
	expect_eq 'all ended' "$(ended_count)" 20
	wait_until 10 'the servers to have heard of it' is_eq 60 server_sessions
	expect_turns stay
	expect_no_drift
	expect_whole stay
	lab_down
}

# Sockets of the clients that still try to end their sessions are closed by force: then nobody there knows the sessions any more.
closing_sockets() {
	lab_in clients ss -K state fin-wait-1 >/dev/null 2>&1 || true
	lab_in clients ss -K state last-ack >/dev/null 2>&1 || true
	lab_in clients ss -Htn state connected exclude established | grep -c . || true
}

server_sessions() {
	lab_in backend1 ss -Htn state established 'sport = :8080' | wc -l >"$LAB_DIR/n1"
	lab_in backend2 ss -Htn state established 'sport = :8080' | wc -l >"$LAB_DIR/n2"
	echo $(($(<"$LAB_DIR/n1") + $(<"$LAB_DIR/n2")))
}

idle_sessions routed tc on 4 TERM
idle_sessions two-sided xdp off 6 KILL
ended_meanwhile one-armed xdp-generic off 6
