#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# P1, one session, one version: 2,000 sessions talk through 100 random weight changes, drains, rollbacks, kill -9, restarts and
# upgrades of rainbowd, while short sessions come and go. None is moved, none is lost.
# Takes 60 s.
source "$(dirname "$0")/lib.sh"

readonly SESSIONS=2000 VERSIONS=3 ACTIONS=100
readonly NEXT=$LAB_BUILD/next/rainbowd # the same with another version number

declare -A done_count=()

change_weights() {
	local first=$((RANDOM % 1001))
	local second=$((RANDOM % (1001 - first)))

	# A draining version takes no share; then this is refused, as it should be.
	may_refuse set-weight chat "v1=$((first / 10)).$((first % 10))" "v2=$((second / 10)).$((second % 10))" v3
}

# Exit code 5 (it does not fit the state) is an answer, too.
may_refuse() { # RAINBOWCTL-ARGUMENTS...
	local code=0 said

	said=$(lab_ctl "$@" 2>&1) || code=$?
	((code == 0 || code == 5)) || fail "rainbowctl $*: exit code $code: $said"
}

restart() { # KILL|TERM BINARY
	lab_end rainbowd "$1"
	LAB_RAINBOWD=$2 lab_rainbowd_start "$HOOK"
}

upgrade() {
	if [[ $running == "$NEXT" ]]; then
		running=$LAB_BUILD/rainbowd
	else
		running=$NEXT
	fi
	restart "$1" "$running"
}

act() {
	local label=v$((1 + RANDOM % VERSIONS)) dice=$((RANDOM % 100)) what

	if ((dice < 40)); then
		what=weights && change_weights
	elif ((dice < 55)); then
		what=drain && may_refuse drain chat "$label" --deadline 1h
	elif ((dice < 72)); then
		what=undrain && may_refuse undrain chat "$label"
	elif ((dice < 80)); then
		what=rollback && may_refuse rollback chat
	elif ((dice < 85)); then
		what=rollback-to && may_refuse rollback chat --to "$label" --sessions drain
	elif ((dice < 88)); then
		what=hangup && kill -s HUP "${LAB_PID[rainbowd]}"
	elif ((dice < 92)); then
		what="kill -9" && restart KILL "$running"
	elif ((dice < 96)); then
		what=restart && restart TERM "$running"
	else
		what=upgrade && upgrade "$([[ $((RANDOM % 2)) == 0 ]] && echo KILL || echo TERM)"
	fi
	done_count[$what]=$((${done_count[$what]:-0} + 1))
}

# Also of those that dice might have left out.
act_all() {
	local i

	for ((i = 0; i < ACTIONS - 6; i++)); do
		act
		((i % 20 != 19)) || check_all
	done
	upgrade TERM
	restart KILL "$running"
	upgrade KILL
	may_refuse undrain chat v1
	ctl rollback chat --to v1 --sessions keep
	may_refuse drain chat v2 --deadline 1h
}

check_all() {
	expect_eq 'long sessions that live' "$(lab_stat long .live)" "$SESSIONS"
	expect_eq 'sessions moved or lost' "$(lab_stat long '.moved + .lost') $(lab_stat short '.moved + .lost')" '0 0'
}

run() { # TOPOLOGY HOOK OFFLOADS 4|6
	local i

	HOOK=$2 running=$LAB_BUILD/rainbowd
	part "$1, $2, IPv$4, seed $E2E_SEED"
	lab_up "$1" --offloads "$3" --backends "$VERSIONS"
	serve_agents "$VERSIONS"
	lab_rainbowd_start "$HOOK"
	add_service chat "$4" "$VERSIONS"
	ctl set-weight chat v1=50 v2=30 v3
	lab_client long --to "$(at_service "$4")" --sessions "$SESSIONS" --rate 2000 --interval 2000 --timeout 20000
	lab_until_stat long 30 ".live == $SESSIONS"
	lab_client short --to "$(at_service "$4")" --sessions 50 --interval 100 --turns 2 --replace --timeout 20000
	act_all
	say "actions: $(declare -p done_count | sed 's/.*(//; s/)//')"
	check_all
	expect_turns long
	for ((i = 1; i <= VERSIONS; i++)); do
		expect_ne "long sessions of v$i" "$(lab_stat long ".versions.v$i.live")" 0
	done
	expect_whole short
	expect_eq 'live sessions in the kernel' "$(live_count)" "$SESSIONS"
	expect_no_drift
	expect_whole long
	lab_down
}

[[ -x $NEXT ]] || fail "there is no $NEXT: scripts/check.sh builds it"
run routed tc on 4
run two-sided xdp off 6
