#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Packets of no session meet the service's stray policy: answered with RST, dropped, or passed to the router's own stack; each
# is counted. A service without a version refuses new sessions.
# Takes 10 s.
source "$(dirname "$0")/lib.sh"

readonly PACKETS=500

segments_received() { # by the clients' stack
	lab_in clients awk '/^Tcp:/ && $11 ~ /^[0-9]+$/ {print $11}' /proc/net/snmp
}

# Answers come to 10.1.64.9, an address of the clients.
send_strays() { # KIND PORT
	lab_in clients "$LAB_BUILD/tests/lab/flood" --interface eth0 --from 10.1.64.9/32 --to "$(at_service 4 "$2")" \
		--count "$PACKETS" --rate 20000 --packet "$1" >/dev/null
}

expect_strays() { # KIND PORT COUNTER ANSWERS
	local before received

	before=$(packet_count "$3")
	received=$(segments_received)
	send_strays "$1" "$2"
	wait_until 5 "$3 to rise by $PACKETS" is_eq $((before + PACKETS)) packet_count "$3"
	expect_eq "$1 to port $2: answers" $(($(segments_received) - received)) "$4"
}

run() { # TOPOLOGY HOOK OFFLOADS
	local policy port=80

	part "$1, $2"
	lab_up "$1" --offloads "$3" --service-address local
	serve_agents 1
	lab_rainbowd_start "$2"
	for policy in reset drop pass; do
		ctl service add "$policy" "$(at_service 4 "$port")" --stray "$policy"
		port=$((port + 1))
	done
	ctl version add reset v1 --backend "$(lab_backend 1):8080"
	expect_strays ack 80 strays_reset "$PACKETS"
	expect_strays rst 80 strays_dropped 0 # never a reset against a reset
	expect_strays ack 81 strays_dropped 0
	expect_strays ack 82 strays_passed "$PACKETS" # the router's stack has no such connection and says so
	expect_eq 'sessions' "$(version_count v1 opened)" 0
	expect_code 7 lab_in clients curl -s --max-time 5 "http://$(at_service 4 81)/" # no version: refused
	expect_eq 'refused for want of a version' "$(packet_count refused_no_version)" 1
	lab_down
}

run routed tc on
run two-sided xdp off
run one-armed xdp-generic off
