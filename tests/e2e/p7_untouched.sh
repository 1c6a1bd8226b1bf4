#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# P7, what is not ours passes untouched. First rainbow is attached to the ports of a bridge, which changes nothing in a frame:
# each frame of many kinds, well-made and not, must arrive byte for byte. Then through the router as such: ping, neighbours found
# anew, TCP to another port.
# Takes 20 s.
source "$(dirname "$0")/lib.sh"

# The router's two interfaces become ports of one bridge.
bridge_the_router() {
	local interface where

	lab_ip router link add bridge9 type bridge mcast_snooping 0
	lab_ip router link set bridge9 up
	# Otherwise a bridge drops what is not well-made IP by itself.
	for where in router switch; do
		lab_in "$where" sysctl -q -e -w net.bridge.bridge-nf-call-{iptables,ip6tables,arptables}=0
	done
	for interface in client0 lan0; do
		lab_ip router link set "$interface" master bridge9
	done
}

attach() { # HOOK
	lab_rainbowd_start "$1"
	add_service chat 4 1
	add_service chat6 6 0
	ctl version add chat6 w1 --backend "$(lab_backend 1 6):8080"
}

frames() { # HOOK OFFLOADS
	part "across a bridge, $1, seed $E2E_SEED"
	lab_up two-sided --backends 1 --offloads "$2"
	bridge_the_router
	if [[ $1 != nothing ]]; then
		attach "$1"
	fi
	timeout 60 "$E2E_PROGRAMS/frames" --from "$(lab_namespace clients)" eth0 --to "$(lab_namespace backend1)" eth0 \
		--seed "$E2E_SEED" --rounds 100 >"$LAB_DIR/frames.log" || fail "$(cat "$LAB_DIR/frames.log")"
	cat "$LAB_DIR/frames.log"
	lab_down
}

neighbours_forget() {
	local where

	for where in clients router backend1; do
		lab_ip "$where" neigh flush all
		lab_ip "$where" -6 neigh flush all
	done
}

routed() { # TOPOLOGY HOOK OFFLOADS
	local size at

	part "through the router, $1, $2"
	lab_up "$1" --backends 1 --offloads "$3"
	attach "$2"
	for at in 10.2.1.2 fd00:2::1:2; do
		for size in 0 1400 4000; do # the last in fragments
			neighbours_forget
			lab_in clients ping -n -q -c 3 -i 0.01 -W 2 -s "$size" "$at" >/dev/null ||
				fail "no ping of $size bytes to $at"
		done
	done
	printf 'run 3000\nfinish\n' | timeout 60 "$E2E_PROGRAMS/churn" --clients "$(lab_namespace clients)" --service 10.2.1.2:9090 \
		--version "v1,$(lab_namespace backend1),10.2.1.2:9090" >"$LAB_DIR/churn.log" 2>&1 || fail "$(cat "$LAB_DIR/churn.log")"
	expect_eq 'connections to another port that failed' "$(tail -n 1 "$LAB_DIR/churn.log" | jq .refused)" 0
	expect_eq 'sessions that rainbow saw' "$(versions | jq -s 'map(.opened) | add')" 0
	lab_down
}

frames nothing off
frames tc off
frames xdp off
frames xdp-generic off
routed routed tc on
routed two-sided xdp off
routed one-armed tc on
