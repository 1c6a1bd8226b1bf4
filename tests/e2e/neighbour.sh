#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A backend comes back with another MAC, as after a failover, and says nothing: XDP, which does not use the kernel's neighbour
# entries, must not send to the old one for ever.
# Takes 25 s.
source "$(dirname "$0")/lib.sh"

# The neighbour entry of backend 1 at the router: its interface, MAC and state.
neighbour() { # 4|6
	lab_ip router "-$1" neigh show "$(lab_backend 1 "$1" | tr -d '[]')"
}

gateway() { # 4|6: the router, for backends
	[[ $1 == 4 ]] && echo 10.2.0.1 || echo fd00:2::1
}

# Minutes of the kernel's patience in seconds.
impatient() {
	local family interface

	for family in ipv4 ipv6; do
		for interface in $(lab_in router ls "/proc/sys/net/$family/neigh"); do
			lab_in router sysctl -q -w "net.$family.neigh.$interface.base_reachable_time_ms=1000" \
				"net.$family.neigh.$interface.delay_first_probe_time=1" "net.$family.neigh.$interface.retrans_time_ms=200"
		done
	done
}

run() { # TOPOLOGY HOOK 4|6
	local mac interface router

	part "$1, $2, IPv$3"
	lab_up "$1" --offloads off
	impatient
	serve_agents 1
	lab_rainbowd_start "$2"
	add_service chat "$3" 1
	lab_client old --to "$(at_service "$3")" --sessions 10 --interval 200 --timeout 60000
	lab_until_stat old 10 '.live == 10'
	mac=$(neighbour "$3" | sed 's/.*lladdr \([^ ]*\).*/\1/')
	interface=$(lab_in backend1 ip -o link | grep -i "$mac" | sed 's/^[0-9]*: \([^@:]*\).*/\1/')
	expect_ne "interface of backend 1 with MAC $mac" "$interface" ''
	router=$(lab_ip router -o link show lan0 | sed 's/.*link.ether \([^ ]*\).*/\1/')
	lab_ip router neigh change "$(lab_backend 1 "$3" | tr -d '[]')" dev lan0 nud stale # as after a minute
	# It never asks for the router, which would tell its own MAC. (With the MAC, its own entries go.)
	lab_ip backend1 -batch - <<<"link set $interface address 02:00:00:00:be:ef
		neigh replace $(gateway "$3") lladdr $router dev $interface nud permanent"
	wait_until 30 'the router to know the new MAC' has_mac 02:00:00:00:be:ef "$3"
	expect_turns old 60 # the outage has backed the retransmissions off
	expect_whole old
	lab_down
}

has_mac() { # MAC 4|6
	[[ $(neighbour "$2") == *"$1"* ]]
}

run two-sided xdp 4
run two-sided xdp 6
