#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# P6, nothing acknowledged is lost: rainbowd is killed with -9 at random moments of a stream of commands. After each start all
# that was acknowledged is in force, in what it says and in the kernel; and nobody's session noticed.
# Takes 30 s.
source "$(dirname "$0")/lib.sh"

readonly KILLS=15

# What is in force, a line each.
facts() {
	lab_ctl steer list -o json | jq -r '.steers[] | "steer \(.range) \(.version)"'
	lab_ctl status -o json | jq -r '.services[0].versions[] | .label as $name | "version \($name)",
		(if .state == "active" then empty else "drain \($name)" end), (.backends[] | "backend \($name) \(.address):\(.port)")'
}

weight_of() { # LABEL, in permille
	version_json chat "$1" '.weight * 10 | round'
}

# Sends the n-th command. What it makes true is written to `acknowledged` when it was acknowledged. A weight is only true until
# the next one: those go to `weights`, when they are tried and, again, when they are acknowledged.
command_send() { # N
	local n=$1 label=n$(($1 / 5)) fact='' weight=$((($1 * 7) % 999 + 1)) order

	case $((n % 5)) in
	0) order=(set-weight chat "v1=$((weight / 10)).$((weight % 10))" v2) && echo "tried $weight" >>"$LAB_DIR/weights" ;;
	1) fact="version $label" && order=(version add chat "$label" --backend "10.60.$((n / 5)).1:80") ;;
	2) fact="backend $label 10.61.$((n / 5)).1:80" && order=(backend add chat "$label" "10.61.$((n / 5)).1:80") ;;
	3) fact="steer 10.50.$((n / 5)).0/24 $label" && order=(steer add chat "10.50.$((n / 5)).0/24" "$label") ;;
	4) fact="drain $label" && order=(drain chat "$label" --deadline 1h) ;;
	esac
	lab_ctl "${order[@]}" >/dev/null 2>"$LAB_DIR/order.log" || return
	if [[ -n $fact ]]; then
		echo "$fact" >>"$LAB_DIR/acknowledged"
	else
		echo "acknowledged $weight" >>"$LAB_DIR/weights"
	fi
}

# Until rainbowd is dead (6). Where `version add` was cut off, what builds on it may find none (3).
commands_send() {
	local code=0 n

	while ((code != 6)); do
		n=$(($(cat "$LAB_DIR/number") + 1))
		((n < 300)) || return 0 # 64 versions are the limit of a service
		echo "$n" >"$LAB_DIR/number"
		code=0
		command_send "$n" || code=$?
		((code == 0 || code == 6 || (code == 3 && n % 5 > 1))) ||
			fail "command $n: exit code $code: $(cat "$LAB_DIR/order.log")"
	done
}

expect_in_force() {
	local missing now last

	missing=$(comm -23 <(sort "$LAB_DIR/acknowledged") <(facts | sort))
	expect_eq 'acknowledged but not in force' "$missing" ''
	now=$(weight_of v1)
	last=$(tail -n 2 "$LAB_DIR/weights")
	# The last one acknowledged, or one that was tried after it.
	if [[ $last == *$'\n'acknowledged* ]]; then
		last=${last##*$'\n'}
	fi
	expect_match 'weight of v1: among the last ones' "$last " "[a-z] ($now)[^0-9]"
	echo "acknowledged $now" >>"$LAB_DIR/weights"
	expect_eq 'weight of v1 in the kernel' "$(version_count v1 weight_permille)" "$now"
	expect_eq 'slots of v1 in the wheel' "$(wheel_slots)" "$now"
}

# The wheel in force (of the one service, which has id 1) and the slots of v1 (id 1) in it.
wheel_slots() {
	local which

	which=$(lab_map rainbow_service | jq '.[] | .formatted | select(.key == 1) | .value.wheel')
	lab_map rainbow_wheel |
		jq --argjson n $((2 + which)) '.[] | .formatted | select(.key == $n) | [.value.slot[] | select(. == 1)] | length'
}

# One life of rainbowd, from its start to its kill.
live_and_die() { # HOOK
	commands_send &
	sleep "0.$((RANDOM % 3))$((RANDOM % 10))$((RANDOM % 10))" # a random moment, not a wait
	lab_rainbowd_kill
	wait "$!"
	expect_eq 'sessions moved or lost' "$(lab_stat long '.moved + .lost')" 0
	lab_rainbowd_start "$1"
	expect_in_force
}

run() { # TOPOLOGY HOOK OFFLOADS
	local i

	part "$1, $2, seed $E2E_SEED"
	lab_up "$1" --offloads "$3"
	serve_agents 2
	lab_rainbowd_start "$2"
	add_service chat 4 2
	echo 0 >"$LAB_DIR/number"
	echo 'acknowledged 1000' >"$LAB_DIR/weights"
	: >"$LAB_DIR/acknowledged"
	lab_client long --to "$(at_service 4)" --sessions 200 --interval 500
	lab_client short --to "$(at_service 4)" --sessions 20 --interval 50 --turns 2 --replace
	lab_until_stat long 10 '.live == 200'
	for ((i = 0; i < KILLS; i++)); do
		live_and_die "$2"
	done
	say "$(cat "$LAB_DIR/number") commands, $(wc -l <"$LAB_DIR/acknowledged") facts acknowledged"
	expect_turns long
	expect_whole short
	expect_whole long
	lab_down
}

run routed tc on
