#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# P6, nothing acknowledged is lost: rainbowd is killed with -9 at random moments of a stream of commands. After each start all that
# was acknowledged is in force, in what it says and in the kernel; and nobody's session noticed.
# Takes 30 s.
source "$(dirname "$0")/lib.sh"

readonly KILLS=15

acknowledged=() # lines that `facts` has to print
weight=1000 weight_tried=1000 # of v1 in permille: acknowledged, and tried
number=0

# What is in force, a line each.
facts() {
	lab_ctl steer list -o json | jq -r '.steers[] | "steer \(.range) \(.version)"'
	lab_ctl status -o json | jq -r '.services[0].versions[] | .label as $label | "version \($label)",
		(if .state == "active" then empty else "drain \($label)" end), (.backends[] | "backend \($label) \(.address):\(.port)")'
	lab_ctl status -o json | jq -r '.services[0].versions[] | select(.label == "v1") | "weight \(.weight * 10)"'
}

# Sends the next command; the fact that it makes goes to $fact.
command_next() {
	local n=$((number += 1)) fact

	case $((n % 5)) in
	0) weight_tried=$(((n * 7) % 999 + 1)) && fact='' &&
		order=(set-weight chat "v1=$((weight_tried / 10)).$((weight_tried % 10))" v2) ;;
	1) fact="steer 10.50.$n.0/24 v2" && order=(steer add chat "10.50.$n.0/24" v2) ;;
	2) fact="version n$n" && order=(version add chat "n$n" --backend "10.60.$n.1:80") ;;
	3) fact="backend v2 10.61.$n.1:80" && order=(backend add chat v2 "10.61.$n.1:80") ;;
	4) fact="drain n$((n - 2))" && order=(drain chat "n$((n - 2))" --deadline 1h) ;;
	esac
	lab_ctl "${order[@]}" >/dev/null 2>"$LAB_DIR/order.log" || return
	[[ -z $fact ]] || acknowledged+=("$fact")
	weight=$weight_tried
}

# Until rainbowd is dead (6). Of a version whose `version add` was cut off there may be none to drain (3).
commands_send() {
	local code=0

	until ((code == 6)); do
		code=0
		command_next || code=$?
		case $code in
		0 | 6) ;;
		3) expect_eq 'what found nothing' "${order[0]}" drain ;;
		*) fail "rainbowctl ${order[*]}: exit code $code: $(cat "$LAB_DIR/order.log")" ;;
		esac
	done
}

expect_in_force() {
	local fact now weight_now missing

	now=$(facts)
	missing=$(comm -23 <(printf '%s\n' "${acknowledged[@]}" | sort) <(sort <<<"$now"))
	expect_eq 'acknowledged but not in force' "$missing" ''
	weight_now=$(sed -n 's/^weight //p' <<<"$now")
	[[ $weight_now == "$weight" || $weight_now == "$weight_tried" ]] ||
		fail "v1 has a weight of $weight_now permille; acknowledged was $weight, tried $weight_tried"
	expect_eq 'weight of v1 in the kernel' "$(version_count v1 weight_permille)" "$weight_now"
	weight=$weight_now weight_tried=$weight_now
	expect_eq 'slots of v1 in the wheel' "$(wheel_slots)" "$weight_now"
}

# The wheel in force (of the one service, which has id 1) and the slots of v1 (id 1) in it.
wheel_slots() {
	local which

	which=$(lab_map rainbow_service | jq '.[] | .formatted | select(.key == 1) | .value.wheel')
	lab_map rainbow_wheel | jq --argjson n $((2 + which)) '.[] | .formatted | select(.key == $n) | [.value.slot[] | select(. == 1)] | length'
}

run() { # TOPOLOGY HOOK OFFLOADS
	local i

	part "$1, $2, seed $E2E_SEED"
	lab_up "$1" --offloads "$3"
	serve_agents 2
	lab_rainbowd_start "$2"
	add_service chat 4 2
	lab_client long --to "$(at_service 4)" --sessions 200 --interval 500
	lab_client short --to "$(at_service 4)" --sessions 20 --interval 50 --turns 2 --replace
	lab_until_stat long 10 '.live == 200'
	for ((i = 0; i < KILLS; i++)); do
		{ sleep "0.$((RANDOM % 3))$((RANDOM % 10))$((RANDOM % 10))" && kill -s KILL "${LAB_PID[rainbowd]}"; } &
		commands_send
		wait "$!"
		lab_end rainbowd
		expect_eq 'sessions moved or lost' "$(lab_stat long '.moved + .lost')" 0
		lab_rainbowd_start "$2"
		expect_in_force
	done
	say "$number commands, ${#acknowledged[@]} facts acknowledged"
	expect_turns long
	expect_whole short
	expect_whole long
	lab_down
}

run routed tc on
