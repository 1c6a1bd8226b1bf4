#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Every topology under every hook it is meant for: sessions over TCP and UDP, IPv4 and IPv6, on two versions, talk, and are
# counted when they begin and when they end.
# Takes 60 s.
source "$(dirname "$0")/lib.sh"

readonly SESSIONS=40

# A service for each protocol and family, all with two versions by halves.
add_services() {
	local protocol family name

	for protocol in tcp udp; do
		for family in 4 6; do
			name=$protocol$family
			ctl service add "$name" "$(at_service "$family")/$protocol" --selection exact
			ctl version add "$name" "$name-v1" --backend "$(lab_backend 1 "$family"):8080"
			ctl version add "$name" "$name-v2" --backend "$(lab_backend 2 "$family"):8080"
			ctl set-weight "$name" "$name-v1=50" "$name-v2"
		done
	done
}

open_sessions() { # PROTOCOL FAMILY
	local options=(--to "$(at_service "$2")" --sessions "$SESSIONS" --interval 0)

	[[ $1 == tcp ]] || options+=(--udp)
	lab_client "$1$2" "${options[@]}"
	lab_until_stat "$1$2" 10 ".live == $SESSIONS" || fail "$1 over IPv$2: not all sessions opened"
}

live_of() { # SERVICE
	printf '%s %s' "$(version_count "$1-v1" live)" "$(version_count "$1-v2" live)"
}

talk() { # PROTOCOL FAMILY
	local name=$1$2

	expect_turns "$name"
	expect_eq "$name: live sessions by version" "$(live_of "$name")" "$((SESSIONS / 2)) $((SESSIONS / 2))"
	expect_eq "$name: the clients say so, too" "$(lab_stat "$name" '[.versions[].live] | @csv')" \
		"$((SESSIONS / 2)),$((SESSIONS / 2))"
	expect_whole "$name"
	[[ $1 == udp ]] || wait_until 5 "$name: the ends to be counted" is_eq "$((SESSIONS / 2)) $((SESSIONS / 2))" ended_of "$name"
}

ended_of() { # SERVICE
	printf '%s %s' "$(version_count "$1-v1" ended_fin)" "$(version_count "$1-v2" ended_fin)"
}

expect_hooks() { # KIND
	expect_eq 'hooks in use' "$(json '[.daemon.hooks[] | select(.attached) | .kind] | unique | @csv' status)" "\"$1\""
	expect_eq 'interfaces' "$(json '[.daemon.hooks[].interface] | sort | join(" ")' status)" "${LAB_HOOKS[*]}"
}

# Puts the link between clients and router into a VLAN (with a second tag: into one within another). rainbow stays on the link.
tag_clients() { # 1|2
	local where link

	for where in clients router; do
		link=eth0
		[[ $where == clients ]] || link=client0
		lab_ip "$where" address flush dev "$link"
		if (($1 == 2)); then
			lab_ip "$where" link add link "$link" name outer type vlan protocol 802.1ad id 7
			lab_ip "$where" link set outer up
			link=outer
		fi
		lab_ip "$where" link add link "$link" name tagged type vlan id 5
		lab_ip "$where" link set tagged up
	done
	_lab_address clients tagged 10.1.0.2/24 fd00:1::2/64
	_lab_address router tagged 10.1.0.1/24 fd00:1::1/64
	lab_ip clients route add default via 10.1.0.1
	lab_ip clients -6 route add default via fd00:1::1
}

has_tags() {
	lab_ip router link add link client0 name tagged type vlan id 5 2>/dev/null && lab_ip router link delete tagged
}

run() { # TOPOLOGY HOOK KIND-IN-USE [tags N] [LAB-UP-OPTIONS...]
	local topology=$1 hook=$2 kind=$3 protocol family tags=''

	shift 3
	part "$topology, $hook $*"
	[[ ${1:-} != tags ]] || { tags=$2 && shift 2; }
	lab_up "$topology" "$@"
	if [[ -n $tags ]]; then
		has_tags || { skip_part "$tags VLAN tags under $hook: this kernel has no VLAN links" && lab_down && return; }
		tag_clients "$tags"
	fi
	serve_agents 2
	lab_rainbowd_start "$hook"
	expect_hooks "$kind"
	add_services >/dev/null
	for protocol in tcp udp; do
		for family in 4 6; do
			open_sessions "$protocol" "$family"
		done
	done
	for protocol in tcp udp; do
		for family in 4 6; do
			talk "$protocol" "$family" >/dev/null
		done
	done
	expect_eq 'packets of no session' "$(packet_count strays_reset) $(packet_count strays_dropped)" '0 0'
	expect_no_drift
	lab_down
}

run routed tc tc
run routed auto tc --service-address local
run routed xdp-generic xdp-generic --offloads off
run routed xdp xdp --offloads off --service-address local
run routed tc tc tags 1
run routed tc tc tags 2
run bridged tc tc
run two-sided tc tc
run two-sided tc tc --offloads off --service-address local
run two-sided xdp xdp --offloads off
run two-sided xdp-generic xdp-generic --offloads off
run one-armed tc tc
run one-armed xdp xdp --offloads off
run one-armed xdp-generic xdp-generic --offloads off --service-address local
