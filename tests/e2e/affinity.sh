#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Affinity client: all connections of a client address (IPv6: of its /64) are one session on one version, from the first to the
# idle timeout; a client of a draining version starts elsewhere once its last connection has ended.
# Takes 15 s.
source "$(dirname "$0")/lib.sh"

readonly CLIENTS=21 # an odd number: by the wheel alone, a client's connections would go to both versions in turn

# The client addresses that have connections to backend N.
clients_of() { # N
	lab_in "backend$1" ss -Htn state established 'sport = :8080' |
		awk '{print $4}' | sed 's/:[0-9]*$//; s/^\[//; s/\]$//; s/^::ffff://' | sort -u
}

expect_apart() {
	expect_eq 'clients with connections to both versions' "$(comm -12 <(clients_of 1) <(clients_of 2))" ''
}

run() { # TOPOLOGY HOOK OFFLOADS
	local of_v1

	part "IPv4, $1, $2"
	lab_up "$1" --offloads "$3"
	serve_agents 2
	lab_rainbowd_start "$2"
	add_service chat 4 2 --affinity client --selection exact
	ctl set-weight chat v1=50 v2
	lab_client first --to "$(at_service 4)" --sessions $((CLIENTS * 5)) --interval 0 --from 10.1.64.1+$CLIENTS
	lab_until_stat first 10 ".live == $((CLIENTS * 5))"
	expect_apart
	of_v1=$(clients_of 1 | wc -l)
	expect_between 'clients of v1' "$of_v1" $((CLIENTS / 2)) $((CLIENTS / 2 + 1))
	expect_eq 'live sessions, which are clients' "$(version_count v1 live) $(version_count v2 live)" "$of_v1 $((CLIENTS - of_v1))"
	expect_eq 'sessions by rainbowctl' "$(json '[.sessions[].flows] | "\(length) \(add)"' sessions chat)" \
		"$CLIENTS $((CLIENTS * 5))"
	expect_turns first

	part "IPv4, $1, $2: a client comes back"
	clients_of 1 >"$LAB_DIR/of-v1"
	ctl set-weight chat v2=100
	expect_whole first
	expect_eq 'live sessions without a connection' "$(live_count)" "$CLIENTS"
	lab_client second --to "$(at_service 4)" --sessions "$CLIENTS" --interval 0 --from 10.1.64.1+$CLIENTS
	lab_until_stat second 10 ".live == $CLIENTS"
	expect_eq 'clients of v1, as before' "$(clients_of 1)" "$(cat "$LAB_DIR/of-v1")"
	expect_eq 'live sessions' "$(live_count)" "$CLIENTS"

	part "IPv4, $1, $2: its version drains"
	ctl drain chat v1 --deadline 1h
	lab_client third --to "$(at_service 4)" --sessions "$CLIENTS" --interval 0 --from 10.1.64.1+$CLIENTS
	lab_until_stat third 10 ".live == $CLIENTS"
	expect_apart # with a connection to v1, another goes there, too
	expect_eq 'live sessions of v1' "$(version_count v1 live)" "$of_v1"
	expect_whole second
	expect_eq 'live sessions of v1, by one connection each' "$(version_count v1 live)" "$of_v1"
	expect_whole third
	wait_until 5 'v1 to have no session' is_eq 0 version_count v1 live
	lab_client fourth --to "$(at_service 4)" --sessions "$CLIENTS" --interval 0 --from 10.1.64.1+$CLIENTS
	lab_until_stat fourth 10 ".live == $CLIENTS"
	expect_eq 'connections of v2' "$(lab_stat fourth .versions.v2.live)" "$CLIENTS"
	wait_until 10 'v1 to be drained' is_eq drained version_json chat v1 .state
	expect_no_drift
	expect_whole fourth
	lab_down
}

# Addresses of one /64 are one client; and a session ends its idle timeout after its last connection.
run_prefix_and_idle() {
	part 'IPv6, by prefix; idle timeout'
	lab_up routed
	serve_agents 2
	lab_rainbowd_start tc
	add_service chat 6 2 --affinity client --selection exact --idle-timeout 2s
	ctl set-weight chat v1=50 v2
	lab_client many --to "$(at_service 6)" --sessions 40 --interval 0 --from fd00:1:64::1+40
	lab_until_stat many 10 '.live == 40'
	expect_eq 'live sessions' "$(version_count v1 live) $(version_count v2 live)" '1 0'
	expect_eq 'connections of v1' "$(lab_stat many .versions.v1.live)" 40
	lab_client one --to "$(at_service 6)" --sessions 1 --interval 0 # from another prefix
	lab_until_stat one 10 '.live == 1'
	expect_eq 'live sessions' "$(version_count v1 live) $(version_count v2 live)" '1 1'
	expect_whole many
	wait_until 10 'the session of v1 to be idle for too long' is_eq '0 1' ended_idle_v1
	expect_eq 'the one with a connection lives' "$(version_count v2 live)" 1
	expect_turns one
	expect_whole one
	wait_until 10 'no session to be left' is_eq 0 live_count
	expect_no_drift
	lab_down
}

ended_idle_v1() {
	printf '%s %s' "$(version_count v1 live)" "$(version_count v1 ended_idle)"
}

run routed tc on
run two-sided xdp off
run_prefix_and_idle
