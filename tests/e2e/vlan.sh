#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Clients behind a VLAN: the frames of the client-facing NIC are tagged. TC on the NIC sees the tag beside the frame, XDP in it.
# Skipped on a kernel without 8021q; `make check-kernels` has kernels with it.
# Takes 5 s.
source "$(dirname "$0")/lib.sh"

readonly TAG=7 SESSIONS=4

# Puts the clients' link of a lab behind the tag; the NIC itself, where rainbow is attached, has no address any more.
tag_clients() {
	local address

	lab_ip clients address flush dev eth0
	lab_ip router address flush dev client0
	lab_ip clients link add link eth0 name tagged type vlan id "$TAG"
	lab_ip router link add link client0 name tagged type vlan id "$TAG"
	lab_ip clients link set tagged up
	lab_ip router link set tagged up
	lab_ip clients address add 10.1.0.2/24 dev tagged
	lab_ip router address add 10.1.0.1/24 dev tagged
	lab_ip clients route replace default via 10.1.0.1
	lab_in router ping -c 1 -W 5 10.1.0.2 >/dev/null 2>&1 || true
}

has_vlans() {
	lab_ip clients link add link eth0 name probe type vlan id 1 2>/dev/null && lab_ip clients link del probe
}

run() { # HOOK OFFLOADS
	part "routed, $1"
	lab_up routed --offloads "$2"
	has_vlans || skip 'no 8021q in this kernel'
	tag_clients
	serve_agents 2
	lab_rainbowd_start "$1"
	add_service chat 4 2
	lab_client load --to "$(at_service 4)" --sessions "$SESSIONS"
	lab_until_stat load 20 ".live == $SESSIONS"
	expect_eq 'live sessions of v1' "$(version_count v1 live)" "$SESSIONS"
	ctl set-weight chat v2=100
	expect_turns load
	expect_eq 'sessions of v2' "$(version_count v2 opened)" 0
	expect_whole load
	expect_no_drift
	lab_down
}

run tc on
run xdp off
