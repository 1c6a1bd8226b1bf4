#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Which version a new session gets: exact counts, so that 5 % is one in each twenty; hash comes near, and a raised share moves
# only those it must; a steer sends a client range to its version, also to one with weight 0.
# Takes 15 s.
source "$(dirname "$0")/lib.sh"

chosen() { # by version
	printf '%s %s' "$(version_count v1 opened)" "$(version_count v2 opened)"
}

# Opens sessions and ends them.
come_and_go() { # N [CLIENT-OPTIONS...]
	local n=$1

	shift
	lab_client guest --to "$(at_service 4)" --sessions "$n" --rate 4000 --interval 0 "$@"
	lab_until_stat guest 20 "(.versions | map(.opened) | add) == $n"
	lab_tell guest quit >/dev/null
	lab_wait guest 20
}

exact() {
	local i

	part 'exact: one in each twenty'
	lab_up routed
	serve_agents 2
	lab_rainbowd_start tc
	add_service chat 4 2 --selection exact
	ctl set-weight chat v2=5 v1
	for ((i = 1; i <= 10; i++)); do
		come_and_go 20
		expect_eq "after $((20 * i)) sessions" "$(chosen)" "$((19 * i)) $i"
	done
	ctl set-weight chat v2=0.1 v1
	come_and_go 1000
	expect_eq 'after 1,000 with 0.1 % for v2' "$(chosen)" '1189 11'
	ctl set-weight chat v2=37.5 v1
	come_and_go 1000
	expect_eq 'after 1,000 with 37.5 % for v2' "$(chosen)" '1814 386'
	lab_down
}

versions_foretold() { # how explain sees 60 clients
	local port

	for port in {3000..3059}; do
		lab_show r '' .version api "/v1/services/chat/explain?client=10.1.64.20:$port"
	done
}

# How many went this way.
went() { # BEFORE AFTER "FROM TO"
	paste -d' ' <(echo "$1") <(echo "$2") | grep -cx "$3" || true
}

# With 80:20, then 70:30: nobody of v2 may go over to v1.
hash() {
	local before after

	part 'hash: near, and steady'
	lab_up routed
	serve_agents 2
	lab_rainbowd_start tc
	add_service chat 4 2
	ctl set-weight chat v2=20 v1
	before=$(versions_foretold)
	come_and_go 2000
	expect_between 'sessions of v2 of 2,000 with 20 %' "$(version_count v2 opened)" 300 500 # five standard deviations
	ctl set-weight chat v2=30 v1
	after=$(versions_foretold)
	expect_eq 'clients that a raised share of v2 sends to v1' "$(went "$before" "$after" 'v2 v1')" 0
	lab_rainbowd_kill
	lab_rainbowd_start tc
	expect_eq 'clients as before, after a restart' "$(versions_foretold)" "$after"
	ctl set-weight chat v2=20 v1
	expect_eq 'clients that a lowered share of v2 sends to v2' "$(went "$after" "$(versions_foretold)" 'v1 v2')" 0
	expect_eq 'versions foretold' "$(sort -u <<<"$before" | tr '\n' ' ')" 'v1 v2 '
	lab_down
}

# From this client address, all sessions go to this version.
expect_from() { # ADDRESS[+COUNT] LABEL WHAT
	come_and_go 10 --from "$1"
	expect_eq "$3: sessions from $1" \
		"$(tail -n 1 "$LAB_DIR/guest.log" | jq -r '.versions | to_entries | map("\(.key):\(.value.opened)") | join(" ")')" "$2:10"
}

steers() { # TOPOLOGY HOOK OFFLOADS 4|6
	part "steers, $1, $2"
	lab_up "$1" --backends 3 --offloads "$3"
	serve_agents 3
	lab_rainbowd_start "$2"
	add_service chat 4 3
	ctl steer add chat 10.1.65.0/24 v2
	ctl steer add chat 10.1.65.8/32 v3
	expect_from 10.1.64.1+5 v1 'not steered'
	expect_from 10.1.65.1+5 v2 'steered to weight 0'
	expect_from 10.1.65.8 v3 'the longest range decides'
	ctl drain chat v3 --deadline 1h
	expect_from 10.1.65.8 v1 'a steer to a draining version is not followed'
	ctl undrain chat v3
	expect_from 10.1.65.8 v3 'followed again'
	ctl steer add chat 10.1.65.8/32 v1
	expect_from 10.1.65.8 v1 'replaced'
	ctl steer rm chat 10.1.65.8/32
	expect_from 10.1.65.8 v2 'removed: the shorter range decides'
	ctl steer rm chat 10.1.65.0/24
	expect_from 10.1.65.8 v1 'all removed'
	expect_no_drift
	lab_down
}

exact
hash
steers routed tc on
steers two-sided xdp off
